/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of options and scopes. */
#include "common/config/options.h"

#define NEAR_MAX 64u	/* longer names get no suggestion */

/* Short names for the columns of the .def files, ended below. */
#define S(kind) SCOPE_BIT(SCOPE_##kind)
#define G S(GLOBAL)
#define BG S(BINDING_GROUP)
#define B S(BINDING)
#define D S(DOMAIN)
#define H S(HOST)
#define LISTENERS (S(ESMTP_LISTENER) | S(ECSTREAM_LISTENER) | \
	S(HTTP_LISTENER) | S(CONTROL_LISTENER) | S(ECCLUSTER_LISTENER) | \
	S(MSGCSERVER_LISTENER) | S(XMPP_LISTENER))
#define L (LISTENERS | S(LISTEN) | S(PEER) | S(PATHWAY_GROUP) | S(PATHWAY))
#define DIALECTS (S(EXIM_LOGGER) | S(POSTFIX_LOGGER) | S(SENDMAIL_LOGGER))
#define LOGGERS (DIALECTS | S(EC_LOGGER) | S(BOUNCE_LOGGER) | \
	S(CUSTOM_LOGGER))
#define MAX INT64_MAX
#define FOLD SCOPE_FLAG_FOLD
#define OPEN SCOPE_FLAG_OPEN
#define IS_SERVED true
#define IS_NOT_YET false
#define IS_RELOAD false
#define IS_RESTART true

_Static_assert(SCOPE_COUNT <= 64, "scopes are bits of a 64-bit word");

#define P_SPOOL EC_SPOOLDIR
#define P_LOG(name) EC_LOGDIR "/" name
#define P_PID EC_PIDFILE
#define P_CTL EC_CTLSOCKET
#define P_ETC(name) EC_SYSCONFDIR "/" name
static const struct option_row options[OPTION_COUNT] = {
#define OPTION(id, name_, type_, scopes_, dflt, min_, max_, words_, live, \
	state, doc_) \
	[OPT_##id] = { .name = (name_), .name_len = sizeof(name_) - 1, \
		.type = OPTION_##type_, .scopes = (scopes_), \
		.default_text = (dflt), .min = (min_), .max = (max_), \
		.words = (words_), .restart = IS_##live, \
		.served = IS_##state, .doc = (doc_) },
#include "common/config/options.def"
#undef OPTION
};
#undef P_SPOOL
#undef P_LOG
#undef P_PID
#undef P_CTL
#undef P_ETC

/* The manual page and the sample must not depend on how a build was set. */
#define P_SPOOL "/var/spool/ecelerity"
#define P_LOG(name) "/var/log/ecelerity/" name
#define P_PID "/var/run/ecelerity.pid"
#define P_CTL "/run/ecelerity/control"
#define P_ETC(name) "/opt/msys/ecelerity/etc/" name
static const char *const doc_defaults[OPTION_COUNT] = {
#define OPTION(id, name, type, scopes, dflt, ...) [OPT_##id] = (dflt),
#include "common/config/options.def"
#undef OPTION
};

static const struct scope_row scopes[SCOPE_COUNT] = {
#define SCOPE(id, keyword_, naming_, parents_, flags_, state) \
	[SCOPE_##id] = { .keyword = (keyword_), \
		.naming = SCOPE_NAMED_##naming_, .parents = (parents_), \
		.flags = (flags_), .served = IS_##state },
#include "common/config/scopes.def"
#undef SCOPE
};

static const char *const modules[] = {
#define MODULE(name) #name,
#include "common/config/modules.def"
#undef MODULE
};

#undef S
#undef G
#undef BG
#undef B
#undef D
#undef H
#undef L
#undef MAX
#undef FOLD
#undef OPEN

const struct option_row *
option_row(enum option_id id)
{
	ec_assert((unsigned)id < OPTION_COUNT);
	return &options[id];
}

const char *
option_doc_default(enum option_id id)
{
	ec_assert((unsigned)id < OPTION_COUNT);
	return doc_defaults[id];
}

const struct scope_row *
scope_row(enum scope_kind kind)
{
	ec_assert((unsigned)kind < SCOPE_COUNT);
	return &scopes[kind];
}

static bool
is_named(const struct option_row *o, struct slice name)
{
	return o->name_len == name.len &&
	    slice_eq_nocase(slice_make(o->name, o->name_len), name);
}

int
option_find(struct slice name, enum scope_kind kind)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if ((options[i].scopes & SCOPE_BIT(kind)) &&
		    is_named(&options[i], name)) {
			return i;
		}
	}
	return -1;
}

uint64_t
option_scopes_of(struct slice name)
{
	uint64_t bits = 0;

	for (int i = 0; i < OPTION_COUNT; i++) {
		if (is_named(&options[i], name)) {
			bits |= options[i].scopes;
		}
	}
	return bits;
}

int
scope_find(struct slice keyword, const char **spelled_out)
{
	for (int i = SCOPE_GLOBAL + 1; i < SCOPE_COUNT; i++) {
		if (i != SCOPE_MODULE &&
		    slice_eq_nocase(slice_of(scopes[i].keyword), keyword)) {
			*spelled_out = scopes[i].keyword;
			return i;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		if (slice_eq_nocase(slice_of(modules[i]), keyword)) {
			*spelled_out = modules[i];
			return SCOPE_MODULE;
		}
	}
	return -1;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Edits that turn a into b; a pair of swapped neighbours counts as one. */
static unsigned
edit_distance(struct slice a, struct slice b)
{
	unsigned row[3][NEAR_MAX + 1];

	for (size_t j = 0; j <= b.len; j++) {
		row[0][j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3];
		const unsigned *up2 = row[(i + 1) % 3];
		char c = lower(a.ptr[i - 1]);

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			char e = lower(b.ptr[j - 1]);
			unsigned best = up[j - 1] + (c != e);

			best = EC_MIN(best, EC_MIN(up[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && c == lower(b.ptr[j - 2]) &&
			    e == lower(a.ptr[i - 2])) {
				best = EC_MIN(best, up2[j - 2] + 1);
			}
			now[j] = best;
		}
	}
	return row[a.len % 3][b.len];
}

/* Keeps in *best what is nearer than *distance. */
static void
consider(struct slice wrong, const char *name, unsigned *distance,
	const char **best)
{
	struct slice s = slice_of(name);
	unsigned d;

	if (wrong.len == 0 || wrong.len > NEAR_MAX || s.len > NEAR_MAX ||
	    s.len == 0) {
		return;
	}
	d = edit_distance(wrong, s);
	if (d < *distance) {
		*distance = d;
		*best = name;
	}
}

/* A third of the name may be wrong; more would be guessing. */
static unsigned
near_limit(struct slice name)
{
	return (unsigned)name.len / 3 + 2;
}

const char *
option_nearest(struct slice name, enum scope_kind kind)
{
	unsigned distance = near_limit(name);
	const char *best = NULL;

	for (int i = 0; i < OPTION_COUNT; i++) {
		if (options[i].scopes & SCOPE_BIT(kind)) {
			consider(name, options[i].name, &distance, &best);
		}
	}
	return best;
}

const char *
scope_nearest(struct slice keyword, enum scope_kind parent)
{
	unsigned distance = near_limit(keyword);
	const char *best = NULL;

	for (int i = SCOPE_GLOBAL + 1; i < SCOPE_COUNT; i++) {
		if (scopes[i].parents & SCOPE_BIT(parent)) {
			consider(keyword, scopes[i].keyword, &distance, &best);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		if (scopes[SCOPE_MODULE].parents & SCOPE_BIT(parent)) {
			consider(keyword, modules[i], &distance, &best);
		}
	}
	return best;
}

void
scope_bits_text(uint64_t bits, char *out, size_t size)
{
	size_t at = 0;

	if (size > 0) {
		out[0] = '\0';
	}
	for (int i = 0; i < SCOPE_COUNT && at < size; i++) {
		if (bits & SCOPE_BIT(i)) {
			int n = snprintf(out + at, size - at, "%s%s",
			    at ? ", " : "", scopes[i].keyword);

			at += n > 0 ? (size_t)n : 0;
		}
	}
}

bool
option_type_is_list(enum option_type type)
{
	return type == OPTION_LIST || type == OPTION_NETS ||
	    type == OPTION_DOMAINS || type == OPTION_ADDRESSES;
}
