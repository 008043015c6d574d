/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: ecelerity.conf, parsed once, checked against THE option table
 * (options.def) and never changed afterwards.
 *
 * The supervisor calls config_load() on the file, config_freeze() to get one
 * text without includes, and hands those bytes to every worker, which calls
 * config_parse() on them and gets an equal configuration (file and line of
 * each item included).  A worker caches what it needs per reload; a look-up
 * is one or a few probes of a hash table.  Whoever loaded a configuration
 * owns it; everything an accessor returns lives as long as it does, and every
 * slice and list item is followed by a NUL.
 *
 *	struct config_report rep;
 *	config_report_init(&rep);
 *	struct config *cfg = config_load("/etc/ecelerity.conf", &rep);
 *	if (cfg == NULL) { log_error("%.*s", SLICE_ARG(rep.errors)); }
 *	uint64_t us = config_us(cfg, NULL, OPT_SETTLE_AFTER);
 *	struct config_where w = { .domain = SLICE("example.com") };
 *	struct slice gateway = config_string(cfg, &w, OPT_GATEWAY);
 *
 * An accessor asked for an option of another type panics: our own bug.
 */
#ifndef EC_CONFIG_CONFIG_H
#define EC_CONFIG_CONFIG_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/cidr.h"
#include "common/base/slice.h"

#include <sys/socket.h>

#define CONFIG_MAX_FILE (16u << 20)	/* bytes of one file */
#define CONFIG_MAX_TOTAL (64u << 20)	/* bytes of all files, and frozen */
#define CONFIG_MAX_TOKEN 65536u		/* bytes of one word or string */
#define CONFIG_MAX_DEPTH 16u		/* scopes, dictionaries in each other */
#define CONFIG_MAX_INCLUDE 16u		/* files in files */
#define CONFIG_MAX_ERRORS 20u		/* reported of one configuration */

/* OPT_GATEWAY and so on: one per row of options.def. */
enum option_id {
#define OPTION(id, ...) OPT_##id,
#include "common/config/options.def"
#undef OPTION
	OPTION_COUNT
};

/* SCOPE_GLOBAL, SCOPE_ESMTP_LISTENER, SCOPE_EC_LOGGER...: of scopes.def. */
enum scope_kind {
#define SCOPE(id, ...) SCOPE_##id,
#include "common/config/scopes.def"
#undef SCOPE
	SCOPE_COUNT
};

/* What config_int() gives for the words of some options.  Log_Level gives the
 * enum log_level of common/base/log.h. */
enum config_word {
	CONFIG_RETRIES_NONE = -2,	/* Max_Retries */
	CONFIG_RETRIES_AUTO = -1,
	CONFIG_AUTO = 0,		/* Listeners, Deliverers */
	CONFIG_SPOOL_JOURNAL = 0,	/* Spool_Engine */
	CONFIG_SPOOL_HASHED = 1,
	CONFIG_SPOOL_MEMORY = 2,
	CONFIG_SPOOL_PASSTHROUGH = 3,
	CONFIG_LONE_LF_REJECT = 0,	/* RFC2822_Lone_LF_In_* */
	CONFIG_LONE_LF_FIX = 1,
	CONFIG_LONE_LF_IGNORE = 2,
	CONFIG_LONG_LINE_NONE = 0,	/* RFC2822_Max_Line_Length_Policy */
	CONFIG_LONG_LINE_REJECT = 1,
	CONFIG_ORIGINAL_HEADERS = 0,	/* Bounces_Inline_Original */
	CONFIG_ORIGINAL_FULL = 1,
	CONFIG_ORIGINAL_NONE = 2,
};

struct config;		/* immutable */
struct config_scope;	/* one scope of it, after merging */

/* What was wrong (errors) or is worth knowing (warnings): lines of text, each
 * "file:line: sentence\n".  Any number of calls may add to one report. */
struct config_report {
	unsigned n_errors, n_warnings;
	struct buf errors, warnings;
};

void config_report_init(struct config_report *r);
void config_report_fini(struct config_report *r);

/* Reads a file and all it includes.  NULL if the report has an error. */
struct config *config_load(const char *path, struct config_report *report);
/* The same from memory, without includes; name stands in messages.  Reads
 * what config_freeze() wrote, and plain files. */
struct config *config_parse(struct slice text, const char *name,
	struct config_report *report);
/* Appends the canonical text; false if it passes the buffer's cap. */
bool config_freeze(const struct config *cfg, struct buf *out);
/* The same for a reload: each served RESTART option keeps the value that
 * running has for it, in each scope that both have. */
bool config_freeze_running(const struct config *cfg,
	const struct config *running, struct buf *out);
/* config_freeze() without the origin lines, for people. */
bool config_print(const struct config *cfg, struct buf *out);
void config_destroy(struct config **cfg);
/* Appends a line "Name: restart needed" ("Name in Scope: ...") per served
 * RESTART option that differs; the number of them.  Scopes that come and go
 * are not among them. */
size_t config_diff_restart(const struct config *old_cfg,
	const struct config *new_cfg, struct buf *names_out);

/*
 * Where a value is wanted.  Unset members are skipped.  NULL as a whole means
 * Global, or for an option that lives in another top-level scope (Security,
 * ec_logger...) the first such scope of the file.
 *
 * Delivery: domain in binding in group; domain in binding; domain in group;
 * binding; group; global domain; Global; default.
 * Listener (listener or listen given): Peer in Listen by longest prefix,
 * Listen, Peer in Listener, Listener, Pathway, Pathway_Group, Global, default.
 * Scope given: that scope, then the default.
 */
struct config_where {
	struct slice binding_group, binding, domain;
	const struct config_scope *listener;	/* an ESMTP_Listener... */
	const struct config_scope *listen;	/* a Listen in it */
	const struct sockaddr *peer;		/* the client, or NULL */
	const struct config_scope *scope;	/* e.g. one ec_logger */
};

struct config_rate {
	uint64_t count;		/* so many... */
	uint64_t window_us;	/* ...in each window of this length */
};

struct config_pair {
	struct slice key, value;
};

/* Written anywhere in the fallback chain (false: default or nothing). */
bool config_is_set(const struct config *cfg, const struct config_where *where,
	enum option_id id);
bool config_bool(const struct config *cfg, const struct config_where *where,
	enum option_id id);
/* int (with its special words: see options.def), enum (position of the word),
 * percent and octal mode.  0 if there is no default. */
int64_t config_int(const struct config *cfg, const struct config_where *where,
	enum option_id id);
/* Durations, always in microseconds. */
uint64_t config_us(const struct config *cfg, const struct config_where *where,
	enum option_id id);
/* Sizes in bytes. */
uint64_t config_size(const struct config *cfg,
	const struct config_where *where, enum option_id id);
/* Strings, IP addresses and host:port; also the word of an enum.  Empty if
 * unset without a default. */
struct slice config_string(const struct config *cfg,
	const struct config_where *where, enum option_id id);
/* Any list; the number of items. */
size_t config_list(const struct config *cfg, const struct config_where *where,
	enum option_id id, const struct slice **items_out);
/* A list of networks, ready for cidr_list_has(). */
struct cidr_list config_cidrs(const struct config *cfg,
	const struct config_where *where, enum option_id id);
size_t config_dict(const struct config *cfg, const struct config_where *where,
	enum option_id id, const struct config_pair **pairs_out);
/* False: no limit. */
bool config_rate(const struct config *cfg, const struct config_where *where,
	enum option_id id, struct config_rate *out);
/* The value that holds there as text (lists as "( ... )"); false if unset and
 * without default. */
bool config_text(const struct config *cfg, const struct config_where *where,
	enum option_id id, struct buf *out);
/* Puts "file:line" (or "default") where the value that holds was written. */
void config_origin(const struct config *cfg, const struct config_where *where,
	enum option_id id, char *out, size_t size);
/* The scope that the value comes from, NULL for a default: limits that
 * children inherit are one limit, kept under this scope. */
const struct config_scope *config_owner(const struct config *cfg,
	const struct config_where *where, enum option_id id);

/* Scopes in the order in which they were first opened; parent NULL means
 * Global.  for (s = config_first(c, p, k); s; s = config_next(s)) */
const struct config_scope *config_first(const struct config *cfg,
	const struct config_scope *parent, enum scope_kind kind);
const struct config_scope *config_next(const struct config_scope *s);
/* By instance name, NULL if there is none. */
const struct config_scope *config_find(const struct config *cfg,
	const struct config_scope *parent, enum scope_kind kind,
	struct slice name);
enum scope_kind config_scope_kind(const struct config_scope *s);
/* The instance name ("127.0.0.1:2525"), empty for an anonymous scope. */
struct slice config_scope_name(const struct config_scope *s);
const struct config_scope *config_scope_parent(const struct config_scope *s);
/* "ESMTP_Listener.Listen \"127.0.0.1:2525\"" for messages. */
void config_scope_text(const struct config_scope *s, char *out, size_t size);
void config_scope_origin(const struct config *cfg,
	const struct config_scope *s, char *out, size_t size);

#endif
