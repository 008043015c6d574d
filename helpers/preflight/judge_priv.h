/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_priv: what the parts of the judge share.  Each judge_X fills the
 * finding it is given, whose texts are empty and whose level is OK before.
 */
#ifndef EC_PREFLIGHT_JUDGE_PRIV_H
#define EC_PREFLIGHT_JUDGE_PRIV_H

#include "helpers/preflight/judge.h"

#define WORD_MAX 200u

void finding_say(struct finding *f, enum finding_level level,
	const char *fmt, ...) EC_PRINTF(3, 4);
void finding_why(struct finding *f, const char *fmt, ...) EC_PRINTF(2, 3);
void finding_mend(struct finding *f, const char *fmt, ...) EC_PRINTF(2, 3);
/* A word of a shell command: quoted if it must be. */
const char *shell_word(const char *text, char out[WORD_MAX]);

void judge_filesystem(const struct facts *f, struct finding *out);
void judge_fs_journal(const struct facts *f, struct finding *out);
void judge_barrier(const struct facts *f, struct finding *out);
void judge_preload(const struct facts *f, struct finding *out);
void judge_sync_latency(const struct facts *f, struct finding *out);
void judge_noatime(const struct facts *f, struct finding *out);
/* judge_devices.c */
void judge_raid(const struct facts *f, struct finding *out);
void judge_write_cache(const struct facts *f, struct finding *out);
void judge_log_device(const struct facts *f, struct finding *out);
void judge_swap_device(const struct facts *f, struct finding *out);
/* judge_space.c */
void judge_space(const struct facts *f, struct finding *out);
void judge_inodes(const struct facts *f, struct finding *out);
void judge_block_size(const struct facts *f, struct finding *out);
void judge_directories(const struct facts *f, struct finding *out);

#endif
