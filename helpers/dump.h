/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump: the forms in which ec_dump_config shows a configuration or the option
 * table.  Each appends to the caller's buffer.
 *
 *	dump_xml(cfg, &out);
 *	fwrite(out.ptr, 1, out.len, stdout);
 */
#ifndef EC_HELPERS_DUMP_H
#define EC_HELPERS_DUMP_H

#include "common/base/buf.h"
#include "common/config/config.h"

/* Canonical text, then every option that Global does not set, as comments. */
void dump_all(const struct config *cfg, struct buf *out);
void dump_xml(const struct config *cfg, struct buf *out);
void dump_json(const struct config *cfg, struct buf *out);
/* The option part of ecelerity.conf(5), in troff. */
void dump_man(struct buf *out);
/* A commented sample file that works as it is. */
void dump_sample(struct buf *out);

#endif
