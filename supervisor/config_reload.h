/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_reload: one generation of the configuration: the parsed file, and the
 * same as sealed memory, which is what every worker gets.  A file that does
 * not load makes no generation, so the old one stays.
 *
 * text_out takes what people should read, one "file:line: sentence" a line.
 */
#ifndef EC_CONFIG_RELOAD_H
#define EC_CONFIG_RELOAD_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/config/config.h"

struct generation {
	struct config *cfg;
	int fd;			/* sealed: config_freeze()'s bytes */
	uint32_t number;	/* from 1, one more each reload */
};

/* False: *g is untouched and text_out says why. */
bool generation_load(struct generation *g, const char *path, uint32_t number,
	struct buf *text_out);
void generation_fini(struct generation *g);
/* Appends a warning for each setting that holds from the next start only. */
void generation_warn_restart(const struct generation *old_g,
	const struct generation *new_g, struct buf *text_out);

/* Log_Level as the log knows it. */
int generation_log_level(const struct generation *g);
/* Listeners or Deliverers; auto is one a processor, at most max. */
unsigned generation_count(const struct generation *g, enum option_id id,
	unsigned max);
/* Copies a string option with a NUL; false if it is longer than out. */
bool generation_path(const struct generation *g, enum option_id id, char *out,
	size_t size);

#endif
