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
/* Settings that a start fixes (the RESTART options) get back the value that
 * all processes were started with, so that none which is started again later
 * differs from its neighbours.  text_out names those that wait for a restart.
 * False: *g is unchanged. */
bool generation_keep(struct generation *g, const struct config *started,
	struct buf *text_out);

/* Log_Level as the log knows it. */
int generation_log_level(const struct generation *g);
/* Listeners or Deliverers; auto is one a processor, at most max. */
unsigned generation_count(const struct generation *g, enum option_id id,
	unsigned max);
/* Copies a string option with a NUL; false if it is longer than out. */
bool generation_path(const struct generation *g, enum option_id id, char *out,
	size_t size);

#endif
