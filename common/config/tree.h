/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: the scopes and values of one configuration, and how they are built.
 * For the files of common/config and for ec_dump_config only.  A builder lives
 * while files are read; the grammar calls builder_open/close/set/include, each
 * of which reports its own errors and goes on, so that one run shows them all.
 * builder_finish() gives the configuration, or NULL if anything was wrong.
 *
 *	struct builder b;
 *	builder_init(&b, report);
 *	grammar_read(&b, text, false);
 *	struct config *cfg = builder_finish(&b);
 */
#ifndef EC_CONFIG_TREE_H
#define EC_CONFIG_TREE_H

#include "common/base/scratch.h"
#include "common/config/value.h"

struct config_item {
	int id;			/* option_id, or -1 in an OPEN scope */
	struct slice name;	/* as the table or, unknown, the file has it */
	struct config_value value;
	uint32_t file, line;
	uint32_t seq;		/* later ones win */
};

/* The origin of what was read from no file; frozen text keeps it. */
#define NO_FILE UINT32_MAX

struct config_scope {
	enum scope_kind kind;
	struct slice keyword;
	struct slice name;
	struct config_scope *parent, *next, *first, *last;	/* file order */
	struct config_item *items;	/* sorted by id, then name, at the end */
	size_t n_items, cap_items;
	struct config_scope **peers;	/* longest prefix first */
	size_t n_peers;
	struct cidr net;		/* of a Peer */
	uint32_t file, line;
	uint32_t seq;		/* how many were opened before */
};

struct config {
	struct scratch mem;
	struct config_scope *global;
	struct config_scope **slots;	/* hash of all scopes but global */
	size_t n_slots, n_scopes;	/* n_slots is a power of two */
	const char **files;		/* names for origins */
	size_t n_files, cap_files;
	struct config_value defaults[OPTION_COUNT];
};

struct builder;
/* Reads the files of an include statement; NULL: there are none. */
typedef void (*builder_include_fn)(struct builder *b, struct slice path);

struct builder {
	struct config *cfg;
	struct config_report *report;
	struct config_scope *scope;	/* where items go */
	unsigned depth;			/* open scopes, known or not */
	unsigned skip;			/* of these, unknown ones: unread */
	unsigned open_line[CONFIG_MAX_DEPTH + 1];
	builder_include_fn include;
	void *include_ctx;
	uint32_t file, line;		/* of the item at hand */
	uint32_t seq;
	unsigned n_errors;
	bool stop;			/* too much is wrong to go on */
};

void builder_init(struct builder *b, struct config_report *report);
/* Ends the builder; the caller owns what comes out. */
struct config *builder_finish(struct builder *b);
/* Index for messages; the name is copied. */
uint32_t builder_add_file(struct builder *b, struct slice name);
void builder_error(struct builder *b, const char *fmt, ...) EC_PRINTF(2, 3);
void builder_warn(struct builder *b, const char *fmt, ...) EC_PRINTF(2, 3);
void builder_open(struct builder *b, struct slice keyword, struct slice name,
	bool has_name);
void builder_close(struct builder *b);
void builder_set(struct builder *b, struct slice name,
	const struct raw_value *raw);
void builder_include(struct builder *b, struct slice path);

/* Runs the parser over one text as file b->file; errors are in b. */
void grammar_read(struct builder *b, struct slice text, bool is_frozen);

struct config_scope *tree_find(const struct config *cfg,
	const struct config_scope *parent, enum scope_kind kind,
	struct slice keyword, struct slice name);
const struct config_item *tree_get(const struct config_scope *s, int id);

#define FROZEN_HEAD "#ecelerity-frozen 1\n"

#endif
