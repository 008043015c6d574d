/* SPDX-License-Identifier: Apache-2.0 */
/* Names of commands. */
#include "console/command_table.h"

#define NEAR_MAX 40u	/* longer words get no suggestion */

static const struct command rows[COMMAND_COUNT] = {
#define X(id, name_, least_, most_, usage_, doc_) \
	[COMMAND_##id] = { .name = (name_), .least = (least_), \
		.most = (most_), .usage = (usage_), .doc = (doc_) },
	COMMANDS(X)
#undef X
};

const struct command *
command_row(enum command_id id)
{
	return &rows[id];
}

/* How many words of req the name takes; 0 if it is another command. */
static unsigned
match(const char *name, const struct request *req)
{
	struct slice rest = slice_of(name);
	unsigned n = 0;

	while (rest.len > 0) {
		if (n == req->n_words || !slice_eq_nocase(slice_cut(&rest,
		    ' '), slice_of(req->word[n]))) {
			return 0;
		}
		n++;
	}
	return n;
}

enum command_id
command_find(const struct request *req)
{
	for (unsigned id = 0; id < COMMAND_COUNT; id++) {
		if (match(rows[id].name, req) > 0) {
			return (enum command_id)id;
		}
	}
	return COMMAND_COUNT;
}

unsigned
command_words(enum command_id id)
{
	unsigned n = 1;

	for (const char *p = rows[id].name; *p != '\0'; p++) {
		n += *p == ' ';
	}
	return n;
}

/* Letters to add, take away or change to make a of b. */
static unsigned
distance(struct slice a, struct slice b)
{
	unsigned row[NEAR_MAX + 1];

	for (unsigned j = 0; j <= b.len; j++) {
		row[j] = j;
	}
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = diagonal +
			    ((a.ptr[i - 1] | 0x20) != (b.ptr[j - 1] | 0x20));

			diagonal = row[j];
			row[j] = EC_MIN(change,
			    EC_MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

/* Keeps in *best the name nearest to asked, if it is nearer than *limit. */
static void
nearer(struct slice asked, unsigned *limit, const char **best)
{
	if (asked.len > NEAR_MAX) {
		return;
	}
	for (unsigned id = 0; id < COMMAND_COUNT; id++) {
		struct slice name = slice_of(rows[id].name);
		unsigned d;

		/* The beginning of a name is as near as can be. */
		d = slice_starts_nocase(name, asked) ? 0 :
		    distance(name, asked);
		if (d < *limit && d < EC_MAX(asked.len, name.len) / 2 + 1) {
			*limit = d;
			*best = rows[id].name;
		}
	}
}

const char *
command_nearest(const struct request *req)
{
	char two[2 * CONTROL_WORD_MAX + 2];
	unsigned limit = NEAR_MAX;
	const char *best = NULL;

	if (req->n_words > 1) {
		snprintf(two, sizeof two, "%s %s", req->word[0], req->word[1]);
		nearer(slice_of(two), &limit, &best);
	}
	nearer(slice_of(req->word[0]), &limit, &best);
	return best;
}
