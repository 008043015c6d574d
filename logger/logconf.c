/* SPDX-License-Identifier: Apache-2.0 */
/* A module's options by name. */
#include "logger/logconf.h"

static const struct {
	enum scope_kind kind;
	const char *name;
	enum option_id id;
} options[] = {
	{ SCOPE_EC_LOGGER, "mainlog", OPT_MAINLOG },
	{ SCOPE_EC_LOGGER, "paniclog", OPT_PANICLOG },
	{ SCOPE_EC_LOGGER, "rejectlog", OPT_REJECTLOG },
	{ SCOPE_EC_LOGGER, "mainlog_mode", OPT_MAINLOG_MODE },
	{ SCOPE_EC_LOGGER, "paniclog_mode", OPT_PANICLOG_MODE },
	{ SCOPE_EC_LOGGER, "rejectlog_mode", OPT_REJECTLOG_MODE },
	{ SCOPE_EC_LOGGER, "log_receptions", OPT_LOG_RECEPTIONS },
	{ SCOPE_EC_LOGGER, "log_deliveries", OPT_LOG_DELIVERIES },
	{ SCOPE_EC_LOGGER, "log_transient_failures",
	    OPT_LOG_TRANSIENT_FAILURES },
	{ SCOPE_EC_LOGGER, "log_permanent_failures",
	    OPT_LOG_PERMANENT_FAILURES },
	{ SCOPE_EC_LOGGER, "log_rejections", OPT_LOG_REJECTIONS },
	{ SCOPE_EC_LOGGER, "heartbeat", OPT_HEARTBEAT },
	{ SCOPE_BOUNCE_LOGGER, "bouncelog", OPT_BOUNCELOG },
	{ SCOPE_BOUNCE_LOGGER, "bouncelog_mode", OPT_BOUNCELOG_MODE },
	{ SCOPE_BOUNCE_LOGGER, "log_inband_bounces", OPT_LOG_INBAND_BOUNCES },
	{ SCOPE_BOUNCE_LOGGER, "log_outofband_bounces",
	    OPT_LOG_OUTOFBAND_BOUNCES },
	{ SCOPE_BOUNCE_LOGGER, "log_transient_failures",
	    OPT_BOUNCE_LOG_TRANSIENT_FAILURES },
	{ SCOPE_BOUNCE_LOGGER, "heartbeat", OPT_BOUNCE_HEARTBEAT },
};

static bool
find(const struct logconf *c, const char *name, enum option_id *out)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].kind == c->kind &&
		    strcmp(options[i].name, name) == 0) {
			*out = options[i].id;
			return true;
		}
	}
	return false;
}

static const struct config_where *
where(const struct logconf *c)
{
	return c->where.scope == NULL ? NULL : &c->where;
}

static struct slice
get_string(void *arg, const char *name)
{
	const struct logconf *c = arg;
	enum option_id id;

	return find(c, name, &id) ? config_string(c->cfg, where(c), id) :
	    SLICE("");
}

static bool
get_flag(void *arg, const char *name)
{
	const struct logconf *c = arg;
	enum option_id id;

	return find(c, name, &id) && config_bool(c->cfg, where(c), id);
}

static int64_t
get_number(void *arg, const char *name)
{
	const struct logconf *c = arg;
	enum option_id id;

	return find(c, name, &id) ? config_int(c->cfg, where(c), id) : 0;
}

static uint64_t
get_duration_us(void *arg, const char *name)
{
	const struct logconf *c = arg;
	enum option_id id;

	return find(c, name, &id) ? config_us(c->cfg, where(c), id) : 0;
}

struct logger_conf
logconf_make(struct logconf *c, const struct config *cfg,
    enum scope_kind kind, const struct config_scope *scope)
{
	*c = (struct logconf){ .cfg = cfg, .kind = kind,
		.where = { .scope = scope } };
	return (struct logger_conf){ .arg = c,
		.instance = scope == NULL ? SLICE("") :
		    config_scope_name(scope),
		.string = get_string, .flag = get_flag, .number = get_number,
		.duration_us = get_duration_us };
}
