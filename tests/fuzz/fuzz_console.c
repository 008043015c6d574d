/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control socket: the same for any split; a request that was
 * understood has bounded words; what the table prints of them is printable. */
#include "console/command_table.h"
#include "console/request.h"
#include "console/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum request_status
feed(struct request_parser *p, struct slice in, size_t step,
    struct request *out, size_t *pos_out)
{
	enum request_status st = REQUEST_MORE;
	size_t pos = 0, used;

	request_parser_init(p);
	while (pos < in.len && st == REQUEST_MORE) {
		st = request_feed(p, slice_make(in.ptr + pos,
		    EC_MIN(step, in.len - pos)), &used, out);
		ec_assert(used > 0 || st != REQUEST_MORE);
		pos += used;
	}
	*pos_out = pos;
	return st;
}

static void
print_words(const struct request *r)
{
	struct table t;
	struct buf out;

	table_init(&t, 1 << 20);
	for (int line = 0; line < 2; line++) {
		for (unsigned i = 0; i < r->n_words; i++) {
			table_cell(&t, slice_of(r->word[i]));
		}
		table_row(&t);
	}
	buf_init(&out, 1 << 20);
	ec_assert(table_print(&t, &out, r->terminal, false));
	for (size_t i = 0; i < out.len; i++) {
		ec_assert((out.ptr[i] >= ' ' && out.ptr[i] <= '~') ||
		    out.ptr[i] == '\n' || out.ptr[i] == '\t');
	}
	buf_fini(&out);
	table_fini(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct request_parser p;
	static struct request a, b;
	struct slice in = slice_make(data, size);
	enum request_status st, again;
	size_t used, used2;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	st = feed(&p, in, size + 1, &a, &used);
	again = feed(&p, in, 1, &b, &used2);
	ec_assert(st == again && used == used2);
	ec_assert(strlen(request_status_text(st)) > 0);
	if (st != REQUEST_DONE) {
		return 0;
	}
	ec_assert(memcmp(&a, &b, sizeof a) == 0);
	ec_assert(a.n_words > 0 && a.n_words <= CONTROL_WORDS_MAX);
	for (unsigned i = 0; i < a.n_words; i++) {
		ec_assert(strlen(a.word[i]) <= CONTROL_WORD_MAX);
	}
	if (command_find(&a) == COMMAND_COUNT) {
		command_nearest(&a);
	}
	print_words(&a);
	return 0;
}
