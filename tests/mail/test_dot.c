/* SPDX-License-Identifier: Apache-2.0 */
/* Dot coding: tables at every split, smuggling sequences, round trips. */
#include "common/mail/dot.h"

#include <check.h>

#define S(lit) { (lit), sizeof(lit) - 1 }

/* Facts as letters: h/b bare LF in header/body, H/B bare CR, x lax end, n NUL,
 * e eight bit. */
static const struct {
	struct slice in, out;
	enum dot_status status;
	size_t left;	/* bytes behind the end */
	const char *facts;
	unsigned header_end, longest, received;
} cases[] = {
	{ S(".\r\n"), S(""), DOT_END, 0, "", 0, 0, 0 },
	{ S(""), S(""), DOT_MORE, 0, "", 0, 0, 0 },
	{ S("a: b\r\n\r\ntext\r\n.\r\nQUIT\r\n"), S("a: b\r\n\r\ntext\r\n"),
	    DOT_END, 6, "", 8, 4, 0 },
	{ S("\r\n..\r\n...\r\n.a\r\n.\r\n"), S("\r\n.\r\n..\r\na\r\n"),
	    DOT_END, 0, "", 2, 2, 0 },
	{ S("Received: a\r\nRECEIVED:b\r\n received: c\r\nReceive: d\r\n"
	    "Received : e\r\n..received:f\r\n\r\nreceived: g\r\n.\r\n"),
	    S("Received: a\r\nRECEIVED:b\r\n received: c\r\nReceive: d\r\n"
	    "Received : e\r\n.received:f\r\n\r\nreceived: g\r\n"),
	    DOT_END, 0, "", 80, 12, 2 },
	{ S("a\nb\r\n\r\nc\nd\r\n"), S("a\nb\r\n\r\nc\nd\r\n"), DOT_MORE, 0,
	    "hb", 7, 3, 0 },
	{ S("a\rb\r\n\r\nc\r\rd\r\n"), S("a\rb\r\n\r\nc\r\rd\r\n"), DOT_MORE,
	    0, "HB", 7, 4, 0 },
	{ S("x\r\n\r\n\303\244\r\n\0\r\n.\r\n"), S("x\r\n\r\n\303\244\r\n\0\r\n"),
	    DOT_END, 0, "ne", 5, 2, 0 },
	/* No end, each seen: the dot line of a lax receiver. */
	{ S("\r\na\n.\nb"), S("\r\na\n.\nb"), DOT_MORE, 0, "bx", 2, 0, 0 },
	{ S("\r\na\n.\rb"), S("\r\na\n.\rb"), DOT_MORE, 0, "bBx", 2, 0, 0 },
	{ S("\r\na\r.\nb"), S("\r\na\r.\nb"), DOT_MORE, 0, "bBx", 2, 0, 0 },
	{ S("\r\na\r.\rb"), S("\r\na\r.\rb"), DOT_MORE, 0, "Bx", 2, 0, 0 },
	{ S("\r\na\n.\r\nb"), S("\r\na\n.\r\nb"), DOT_MORE, 0, "bx", 2, 3, 0 },
	{ S("\r\na\r.\r\nb"), S("\r\na\r.\r\nb"), DOT_MORE, 0, "Bx", 2, 3, 0 },
	{ S("\r\n.\nb"), S("\r\n\nb"), DOT_MORE, 0, "bx", 2, 0, 0 },
	{ S("\r\n.\rb"), S("\r\n\rb"), DOT_MORE, 0, "Bx", 2, 0, 0 },
	{ S("\r\n.\r\r\nb"), S("\r\n\r\r\nb"), DOT_MORE, 0, "Bx", 2, 1, 0 },
	{ S("\r\n\0.\r\nb"), S("\r\n\0.\r\nb"), DOT_MORE, 0, "nx", 2, 2, 0 },
	{ S("\r\n.\0\r\nb"), S("\r\n\0\r\nb"), DOT_MORE, 0, "nx", 2, 1, 0 },
	/* Harmless neighbours of those. */
	{ S("\r\na\n.b\r\n"), S("\r\na\n.b\r\n"), DOT_MORE, 0, "b", 2, 4, 0 },
	{ S("\r\na\n\nb\r\n"), S("\r\na\n\nb\r\n"), DOT_MORE, 0, "b", 2, 4, 0 },
	{ S("\r\na.\r\n.b\r\n"), S("\r\na.\r\nb\r\n"), DOT_MORE, 0, "", 2, 2, 0 },
};

static void
check_facts(const struct dot_decoder *d, size_t k)
{
	const char *f = cases[k].facts;

	ck_assert_int_eq(d->bare_lf_header, strchr(f, 'h') != NULL);
	ck_assert_int_eq(d->bare_lf_body, strchr(f, 'b') != NULL);
	ck_assert_int_eq(d->bare_cr_header, strchr(f, 'H') != NULL);
	ck_assert_int_eq(d->bare_cr_body, strchr(f, 'B') != NULL);
	ck_assert_int_eq(d->lax_end, strchr(f, 'x') != NULL);
	ck_assert_int_eq(d->nul, strchr(f, 'n') != NULL);
	ck_assert_int_eq(d->eight_bit, strchr(f, 'e') != NULL);
	ck_assert_uint_eq(d->header_end, cases[k].header_end);
	ck_assert_int_eq(d->has_body, cases[k].header_end > 0);
	ck_assert_uint_eq(d->longest_line, cases[k].longest);
	ck_assert_uint_eq(d->received, cases[k].received);
}

/* Input in pieces of step, room in pieces of room. */
static enum dot_status
decode(struct dot_decoder *d, struct slice in, size_t step, size_t room,
    char *out, size_t *len_out, size_t *used_out)
{
	enum dot_status st = DOT_MORE;
	size_t used, made;

	dot_decoder_init(d);
	*len_out = *used_out = 0;
	while (*used_out < in.len && st == DOT_MORE) {
		st = dot_decode(d, slice_make(in.ptr + *used_out,
		    EC_MIN(step, in.len - *used_out)), &used, out + *len_out,
		    room, &made);
		*used_out += used;
		*len_out += made;
	}
	return st;
}

START_TEST(table)
{
	struct slice in = cases[_i].in;
	struct dot_decoder d;
	char out[1024];
	size_t len, used;

	for (size_t step = 1; step <= in.len + 1; step++) {
		for (size_t room = 1; room < 40; room += 7) {
			ck_assert_int_eq(decode(&d, in, step, room, out, &len,
			    &used), cases[_i].status);
			ck_assert(slice_eq(slice_make(out, len),
			    cases[_i].out));
			ck_assert_uint_eq(d.bytes, len);
			ck_assert_uint_eq(in.len - used, cases[_i].left);
			check_facts(&d, (size_t)_i);
		}
	}
}
END_TEST

/* Every field of the facts must be reached beyond one vector, too. */
START_TEST(wide_lines)
{
	struct dot_decoder d;
	char in[300], out[300];
	size_t len, used;

	for (size_t at = 0; at < 100; at++) {
		memset(in, 'a', sizeof(in));
		in[at] = '\0';
		in[at + 50] = (char)0xc3;
		in[at + 100] = '\n';
		memcpy(in + 200, "\r\n.\r\n", 5);
		ck_assert_int_eq(decode(&d, slice_make(in, 205), 300, 300, out,
		    &len, &used), DOT_END);
		ck_assert(d.nul && d.eight_bit && d.bare_lf_header);
		ck_assert_uint_eq(len, 202);
		ck_assert(memcmp(in, out, 202) == 0);
		ck_assert_uint_eq(d.longest_line, 200);
		in[at] = in[at + 50] = in[at + 100] = 'a';
		decode(&d, slice_make(in, 205), 300, 300, out, &len, &used);
		ck_assert(!d.nul && !d.eight_bit && !d.bare_lf_header);
	}
}
END_TEST

/* ---- encoding ---- */

static size_t
encode(struct slice x, size_t cut, size_t cap, enum dot_lines lines, char *wire)
{
	struct slice ext[2] = { { x.ptr, cut }, slice_skip(x, cut) };
	struct dot_encoder e;
	struct iovec iov[4];
	enum dot_status st;
	size_t n = 0, used;

	dot_encoder_init(&e, lines);
	do {
		st = dot_encode(&e, ext, 2, iov, cap, &used);
		ck_assert_uint_le(used, cap);
		for (size_t i = 0; i < used; i++) {
			memcpy(wire + n, iov[i].iov_base, iov[i].iov_len);
			n += iov[i].iov_len;
		}
	} while (st == DOT_MORE);
	ck_assert_uint_eq(e.bytes, n);
	return n;
}

static const struct {
	struct slice body, as_is, fixed;
} codings[] = {
	{ S(""), S(".\r\n"), S(".\r\n") },
	{ S("a"), S("a\r\n.\r\n"), S("a\r\n.\r\n") },
	{ S("a\r\n"), S("a\r\n.\r\n"), S("a\r\n.\r\n") },
	{ S("."), S("..\r\n.\r\n"), S("..\r\n.\r\n") },
	{ S(".\r\n.\r\n.."), S("..\r\n..\r\n...\r\n.\r\n"),
	    S("..\r\n..\r\n...\r\n.\r\n") },
	{ S("a\n.\nb"), S("a\n.\nb\r\n.\r\n"), S("a\r\n..\r\nb\r\n.\r\n") },
	{ S("a\r.\rb\r"), S("a\r.\rb\r\r\n.\r\n"),
	    S("a\r\n..\r\nb\r\n.\r\n") },
	{ S("a\r\r\n.b"), S("a\r\r\n..b\r\n.\r\n"),
	    S("a\r\n\r\n..b\r\n.\r\n") },
	{ S("a.b.c\r\n0123456789012345678901234\r\n.x\r\n"),
	    S("a.b.c\r\n0123456789012345678901234\r\n..x\r\n.\r\n"),
	    S("a.b.c\r\n0123456789012345678901234\r\n..x\r\n.\r\n") },
};

START_TEST(encode_table)
{
	struct slice x = codings[_i].body;
	char wire[256];
	size_t n;

	for (size_t cut = 0; cut <= x.len; cut++) {
		for (size_t cap = 1; cap <= 4; cap++) {
			n = encode(x, cut, cap, DOT_LINES_AS_IS, wire);
			ck_assert(slice_eq(slice_make(wire, n),
			    codings[_i].as_is));
			n = encode(x, cut, cap, DOT_LINES_FIX, wire);
			ck_assert(slice_eq(slice_make(wire, n),
			    codings[_i].fixed));
		}
	}
}
END_TEST

/* All texts of up to 8 bytes over the four that matter. */
START_TEST(round_trip)
{
	static const char alphabet[4] = "\r\n.a";
	char x[8], wire[64], out[64];
	struct dot_decoder d;
	size_t n, len, used;

	for (size_t size = 0; size <= 8; size++) {
		for (unsigned v = 0; v < 1u << (2 * size); v++) {
			for (size_t i = 0; i < size; i++) {
				x[i] = alphabet[v >> (2 * i) & 3];
			}
			n = encode(slice_make(x, size), v % (size + 1), 3,
			    DOT_LINES_AS_IS, wire);
			ck_assert_int_eq(decode(&d, slice_make(wire, n), n, 64,
			    out, &len, &used), DOT_END);
			ck_assert_uint_eq(used, n);
			ck_assert(len == size || len == size + 2);
			ck_assert(memcmp(out, x, size) == 0);
			n = encode(slice_make(x, size), v % (size + 1), 3,
			    DOT_LINES_FIX, wire);
			decode(&d, slice_make(wire, n), n, 64, out, &len,
			    &used);
			ck_assert_uint_eq(used, n);
			ck_assert(!d.lax_end && !d.bare_cr_body &&
			    !d.bare_lf_body && !d.bare_cr_header &&
			    !d.bare_lf_header);
		}
	}
}
END_TEST

/* ---- foreign vectors: $EC_VECTORS/smtp/smuggling-sequences.json ---- */

static int
hex_digit(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

START_TEST(smuggling_vectors)
{
	const char *dir = getenv("EC_VECTORS");
	char path[1024], line[1024], in[64], out[64];
	size_t n, len, used;
	struct dot_decoder d;
	int seen = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/smtp/smuggling-sequences.json",
	    dir == NULL ? "" : dir);
	f = dir == NULL ? NULL : fopen(path, "r");
	if (f == NULL) {
		printf("SKIP smuggling_vectors: set EC_VECTORS\n");
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *p = strstr(line, "\"hex\": \"");

		if (p == NULL) {
			continue;
		}
		memcpy(in, "S: x\r\n\r\na", 9);
		n = 9;
		for (p += 8; *p != '"'; p += 2) {
			in[n++] = (char)(hex_digit(p[0]) * 16 +
			    hex_digit(p[1]));
		}
		in[n++] = 'b';
		ck_assert_int_eq(decode(&d, slice_make(in, n), n, 64, out,
		    &len, &used), DOT_MORE);
		ck_assert_msg(d.lax_end, "not seen: %s", line);
		seen++;
	}
	fclose(f);
	ck_assert_int_gt(seen, 5);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dot");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, table, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, wide_lines);
	tcase_add_loop_test(t, encode_table, 0, (int)ARRAY_LEN(codings));
	tcase_add_test(t, round_trip);
	tcase_add_test(t, smuggling_vectors);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
