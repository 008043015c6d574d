/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logconf: the options of one log module's scope, by the names that stand in
 * the file, so that a module depends on no number of the option table.
 *
 *	struct logconf c;
 *	struct logger_conf conf = logconf_make(&c, cfg, SCOPE_EC_LOGGER, s);
 *	conf.string(conf.arg, "mainlog");
 */
#ifndef EC_LOGGER_LOGCONF_H
#define EC_LOGGER_LOGCONF_H

#include "common/config/config.h"
#include "logger/module.h"

struct logconf {
	const struct config *cfg;
	enum scope_kind kind;
	struct config_where where;	/* scope NULL: nothing but defaults */
};

/* c backs the result and must stay as long. */
struct logger_conf logconf_make(struct logconf *c, const struct config *cfg,
	enum scope_kind kind, const struct config_scope *scope);

#endif
