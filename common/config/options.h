/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: the rows of options.def and scopes.def as constant tables, finding
 * one by name in a scope, and the nearest name to a wrong one.  Read by the
 * loader and by ec_dump_config; workers use config.h only.
 *
 *	int id = option_find(SLICE("gateway"), SCOPE_DOMAIN);
 *	if (id >= 0) { puts(option_row((enum option_id)id)->doc); }
 */
#ifndef EC_CONFIG_OPTIONS_H
#define EC_CONFIG_OPTIONS_H

#include "common/config/config.h"

enum option_type {
	OPTION_BOOL,
	OPTION_INT,
	OPTION_SIZE,
	OPTION_DURATION,
	OPTION_DURATION_MS,	/* a bare number is in milliseconds */
	OPTION_STRING,
	OPTION_ENUM,
	OPTION_RATE,
	OPTION_PERCENT,
	OPTION_MODE,
	OPTION_ADDRESS,		/* one IP address */
	OPTION_HOSTPORT,
	OPTION_DICT,
	OPTION_LIST,
	OPTION_NETS,
	OPTION_DOMAINS,
	OPTION_ADDRESSES,	/* IP addresses with or without port */
};

struct option_row {
	const char *name;
	size_t name_len;
	enum option_type type;
	uint64_t scopes;		/* SCOPE_BIT() of each */
	const char *default_text;	/* NULL: none */
	int64_t min, max;
	const char *words;
	bool restart;
	bool served;
	const char *doc;
};

enum scope_naming {
	SCOPE_NAMED_NONE,
	SCOPE_NAMED_MAY,
	SCOPE_NAMED_MUST,
	SCOPE_NAMED_NET,
	SCOPE_NAMED_ADDRESS,
};

#define SCOPE_FLAG_FOLD 1u	/* instance names ignore case */
#define SCOPE_FLAG_OPEN 2u	/* takes any option, unread */

struct scope_row {
	const char *keyword;
	enum scope_naming naming;
	uint64_t parents;
	unsigned flags;
	bool served;
};

#define SCOPE_BIT(kind) (UINT64_C(1) << (kind))

const struct option_row *option_row(enum option_id id);
/* The default with the usual paths, whatever this build was set to. */
const char *option_doc_default(enum option_id id);
const struct scope_row *scope_row(enum scope_kind kind);
/* The row of that name in that kind of scope, or -1. */
int option_find(struct slice name, enum scope_kind kind);
/* All scopes in which some row has this name; 0 if there is none. */
uint64_t option_scopes_of(struct slice name);
/* The kind of scope, or -1; the keyword as it is spelled in the table. */
int scope_find(struct slice keyword, const char **spelled_out);
/* The option or scope keyword nearest to a misspelled one among those allowed
 * in that kind of scope; NULL if none is near. */
const char *option_nearest(struct slice name, enum scope_kind kind);
const char *scope_nearest(struct slice keyword, enum scope_kind parent);
/* "Global, Binding_Group, Domain": words for the bits. */
void scope_bits_text(uint64_t bits, char *out, size_t size);
bool option_type_is_list(enum option_type type);

#endif
