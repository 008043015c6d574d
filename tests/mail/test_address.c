/* SPDX-License-Identifier: Apache-2.0 */
/* Envelope addresses. */
#include "common/mail/address.h"

#include <check.h>

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define L60 "." A60 "b"		/* a label of 61 bytes with its dot: 62 */

static const struct {
	const char *in;
	unsigned rules;
	enum address_status status;
	const char *local, *domain;
	const char *rest;	/* of the input, behind the path */
} cases[] = {
	{ "<a@b.example>", 0, ADDRESS_OK, "a", "b.example", "" },
	{ "<A.b+c@B.Example> SIZE=1", 0, ADDRESS_OK, "A.b+c", "B.Example",
	    " SIZE=1" },
	{ "<!#$%&'*+-/=?^_`{|}~@x>", 0, ADDRESS_OK, "!#$%&'*+-/=?^_`{|}~", "x",
	    "" },
	{ "<\"a b@\\\"\\\\c\"@d>", 0, ADDRESS_OK, "\"a b@\\\"\\\\c\"", "d", "" },
	{ "<\"\"@d>", 0, ADDRESS_OK, "\"\"", "d", "" },
	{ "<@x,@y.z:a@b>", 0, ADDRESS_OK, "a", "b", "" },
	{ "<a@[1.2.3.4]>", 0, ADDRESS_OK, "a", "[1.2.3.4]", "" },
	{ "<a@[IPv6:::1]>", 0, ADDRESS_OK, "a", "[IPv6:::1]", "" },
	{ "<a@[ipv6:2001:db8::192.0.2.1]>", 0, ADDRESS_OK, "a",
	    "[ipv6:2001:db8::192.0.2.1]", "" },
	{ "<>", ADDRESS_NULL, ADDRESS_OK, "", "", "" },
	{ "<postMaster>", ADDRESS_POSTMASTER, ADDRESS_OK, "postMaster", "", "" },
	{ "<joe>", ADDRESS_LOCAL_ONLY, ADDRESS_OK, "joe", "", "" },
	{ "<\303\274@b\303\274.example>", ADDRESS_UTF8, ADDRESS_OK, "\303\274",
	    "b\303\274.example", "" },
	{ "<" A60 "aaaa@b>", 0, ADDRESS_OK, A60 "aaaa", "b", "" },
	/* Tolerance. */
	{ "a@b x", ADDRESS_LAX, ADDRESS_OK, "a", "b", " x" },
	{ " <a@b>", ADDRESS_LAX, ADDRESS_OK, "a", "b", "" },
	{ "<a..b.@x_y>", ADDRESS_LAX, ADDRESS_OK, "a..b.", "x_y", "" },
	{ " < a@b >", ADDRESS_BLANKS, ADDRESS_OK, "a", "b", "" },
	{ "< >", ADDRESS_BLANKS | ADDRESS_NULL, ADDRESS_OK, "", "", "" },
	/* Each refusal. */
	{ "a@b", 0, ADDRESS_NO_BRACKET, NULL, NULL, NULL },
	{ "", 0, ADDRESS_NO_BRACKET, NULL, NULL, NULL },
	{ " <a@b>", 0, ADDRESS_NO_BRACKET, NULL, NULL, NULL },
	{ "<a@b", 0, ADDRESS_UNCLOSED, NULL, NULL, NULL },
	{ "<>", 0, ADDRESS_IS_NULL, NULL, NULL, NULL },
	{ "<@b>", 0, ADDRESS_NO_LOCAL, NULL, NULL, NULL },
	{ "<", 0, ADDRESS_NO_LOCAL, NULL, NULL, NULL },
	{ "<a@>", 0, ADDRESS_NO_DOMAIN, NULL, NULL, NULL },
	{ "<a>", 0, ADDRESS_NO_DOMAIN, NULL, NULL, NULL },
	{ "<joe>", ADDRESS_POSTMASTER, ADDRESS_NO_DOMAIN, NULL, NULL, NULL },
	{ "<@x,y:a@b>", 0, ADDRESS_BAD_ROUTE, NULL, NULL, NULL },
	{ "<@x:>", 0, ADDRESS_NO_LOCAL, NULL, NULL, NULL },
	{ "<@-:a@b>", 0, ADDRESS_BAD_ROUTE, NULL, NULL, NULL },
	{ "<a..b@c>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "<.a@c>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "<a.@c>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "<a b@c>", 0, ADDRESS_NO_DOMAIN, NULL, NULL, NULL },
	{ "<a(x)@c>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "< a@b>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "<\"a@b>", 0, ADDRESS_BAD_QUOTES, NULL, NULL, NULL },
	{ "<\"a\x01\"@b>", 0, ADDRESS_BAD_QUOTES, NULL, NULL, NULL },
	{ "<\"a\\", 0, ADDRESS_BAD_QUOTES, NULL, NULL, NULL },
	{ "<\"a\"b@c>", 0, ADDRESS_BAD_LOCAL, NULL, NULL, NULL },
	{ "<a@b.>", 0, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL },
	{ "<a@.b>", 0, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL },
	{ "<a@b..c>", 0, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL },
	{ "<a@-b>", 0, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL },
	{ "<a@b->", 0, ADDRESS_BAD_DOMAIN, NULL, NULL, NULL },
	{ "<a@x_y>", 0, ADDRESS_GARBAGE, NULL, NULL, NULL },
	{ "<a@[1.2.3]>", 0, ADDRESS_BAD_LITERAL, NULL, NULL, NULL },
	{ "<a@[1.2.3.4>", 0, ADDRESS_BAD_LITERAL, NULL, NULL, NULL },
	{ "<a@[IPv6:1.2.3.4]>", 0, ADDRESS_BAD_LITERAL, NULL, NULL, NULL },
	{ "<a@[tag:x]>", 0, ADDRESS_BAD_LITERAL, NULL, NULL, NULL },
	{ "<\303@b>", ADDRESS_UTF8, ADDRESS_BAD_UTF8, NULL, NULL, NULL },
	{ "<a@\355\240\200>", ADDRESS_UTF8, ADDRESS_BAD_UTF8, NULL, NULL, NULL },
	{ "<\303\274@b>", 0, ADDRESS_NOT_ASCII, NULL, NULL, NULL },
	{ "<a@\303\274>", 0, ADDRESS_NOT_ASCII, NULL, NULL, NULL },
	{ "<" A60 "aaaaa@b>", 0, ADDRESS_LOCAL_TOO_LONG, NULL, NULL, NULL },
	{ "<a@" A60 "aaaa>", 0, ADDRESS_DOMAIN_TOO_LONG, NULL, NULL, NULL },
	{ "<a@b" L60 L60 L60 L60 "." A10 ">", 0, ADDRESS_DOMAIN_TOO_LONG, NULL,
	    NULL, NULL },
	{ "<aaaaaaaaaa@b" L60 L60 L60 L60 ">", 0, ADDRESS_TOO_LONG, NULL, NULL,
	    NULL },
	{ "<a@b c>", 0, ADDRESS_GARBAGE, NULL, NULL, NULL },
	{ "a@b,c", ADDRESS_LAX, ADDRESS_GARBAGE, NULL, NULL, NULL },
};

START_TEST(paths)
{
	struct slice in = slice_of(cases[_i].in);
	enum address_status st;
	struct address a;
	size_t used;

	st = address_parse_path(in, cases[_i].rules, &a, &used);
	ck_assert_msg(st == cases[_i].status, "%s: %s", cases[_i].in,
	    address_status_text(st));
	if (st != ADDRESS_OK) {
		return;
	}
	ck_assert(slice_eq(a.local, slice_of(cases[_i].local)));
	ck_assert(slice_eq(a.domain, slice_of(cases[_i].domain)));
	ck_assert(slice_eq(slice_skip(in, used), slice_of(cases[_i].rest)));
	ck_assert_int_eq(a.is_null, in.len <= 3 && a.local.len == 0);
	ck_assert_int_eq(a.quoted, a.local.len > 0 && *a.local.ptr == '"');
	ck_assert_int_eq(a.literal, a.domain.len > 0 && *a.domain.ptr == '[');
	ck_assert_int_eq(a.utf8, (cases[_i].rules & ADDRESS_UTF8) != 0);
	ck_assert_int_eq(a.routed, slice_starts(in, SLICE("<@")));
}
END_TEST

/* Every reason above has a case in the table. */
START_TEST(every_status)
{
	for (int st = 0; st < ADDRESS_STATUS_COUNT; st++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			found |= (int)cases[i].status == st;
		}
		ck_assert_msg(found, "no case for %d", st);
		ck_assert_ptr_nonnull(address_status_text(
		    (enum address_status)st));
	}
}
END_TEST

/* A NUL ends nothing: it is a bad character wherever it stands. */
START_TEST(nul_anywhere)
{
	static const char good[] = "<\"a\"@b.c>";
	struct address a;
	size_t used;

	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		char text[sizeof(good)];

		memcpy(text, good, sizeof(good));
		text[i] = '\0';
		ck_assert_int_ne(address_parse_path(slice_make(text,
		    sizeof(good) - 1), 0, &a, &used), ADDRESS_OK);
	}
}
END_TEST

START_TEST(plain_and_domain)
{
	struct address a;

	ck_assert_int_eq(address_parse(SLICE("a@b"), 0, &a), ADDRESS_OK);
	ck_assert_int_eq(address_parse(SLICE("a@b "), 0, &a), ADDRESS_GARBAGE);
	ck_assert_int_eq(address_parse(SLICE("a@b" L60 L60 L60 L60 ".ccc"), 0,
	    &a), ADDRESS_TOO_LONG);
	ck_assert_int_eq(address_parse(SLICE(""), 0, &a), ADDRESS_NO_LOCAL);
	ck_assert_int_eq(address_check_domain(SLICE("a.b-c.d1"), 0),
	    ADDRESS_OK);
	ck_assert_int_eq(address_check_domain(SLICE("[1.2.3.4]"), 0),
	    ADDRESS_OK);
	ck_assert_int_eq(address_check_domain(SLICE("[1.2.3.4]x"), 0),
	    ADDRESS_BAD_LITERAL);
	ck_assert_int_eq(address_check_domain(SLICE("a b"), 0),
	    ADDRESS_BAD_DOMAIN);
	ck_assert_int_eq(address_check_domain(SLICE(""), 0),
	    ADDRESS_NO_DOMAIN);
}
END_TEST

START_TEST(utf8)
{
	ck_assert(address_is_utf8(SLICE("a\302\200\340\240\200\364\217\277\277")));
	ck_assert(!address_is_utf8(SLICE("\300\200")));		/* over-long */
	ck_assert(!address_is_utf8(SLICE("\340\237\277")));
	ck_assert(!address_is_utf8(SLICE("\360\217\277\277")));
	ck_assert(!address_is_utf8(SLICE("\355\240\200")));	/* surrogate */
	ck_assert(!address_is_utf8(SLICE("\364\220\200\200")));	/* > 10FFFF */
	ck_assert(!address_is_utf8(SLICE("\342\202")));		/* cut */
	ck_assert(!address_is_utf8(SLICE("\200")));
}
END_TEST

START_TEST(log_escape)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "a@b", "a@b" },
		{ "\"x@y\"@b", "\"x\\@y\"@b" },
		{ "\"@@\"@b", "\"\\@\\@\"@b" },
		{ "\"a\\\\b\"@c", "\"a\\\\\\\\b\"@c" },
		{ "\"\"@c", "\"\"@c" },
	};
	struct address a;
	struct buf b;

	buf_init(&b, 64);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ck_assert_int_eq(address_parse(slice_of(t[i].in), 0, &a),
		    ADDRESS_OK);
		buf_clear(&b);
		ck_assert(address_log_escape(&b, &a));
		ck_assert(slice_eq(buf_slice(&b), slice_of(t[i].out)));
	}
	buf_clear(&b);
	a = (struct address){ .is_null = true };
	ck_assert(address_log_escape(&b, &a));
	ck_assert_uint_eq(b.len, 0);
	buf_fini(&b);
}
END_TEST

/* ---- foreign vectors: $EC_VECTORS/address ----
 *
 * isemail judges RFC 5322 header addresses; ours is the envelope.  We differ
 * on purpose where it is content with comments, folding white space, obsolete
 * forms and general domain literals (its categories CFWS, DEPREC, RFC5322: all
 * refused here, as RFC 5321 4.1.2 has none of them), and not on anything in
 * VALID, DNSWARN (names that do not exist: no matter of syntax), RFC5321
 * (quoted strings, address literals, top-level domains) and ERR.
 * One of DEPREC is taken: "::" in the place of a single group of an IPv6
 * address, which RFC 4291 allows and only RFC 5321's grammar does not.
 *
 * The postfix set beside it is about header tokens and rewriting, which are not
 * this module's: its lines only have to be refused or taken without harm, and
 * what is taken must read back as itself.
 */
static bool
xml_text(const char *line, const char *tag, char *out, size_t size)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' } };
	const char *p = strstr(line, tag);
	size_t n = 0;

	if (p == NULL) {
		return false;
	}
	for (p += strlen(tag); *p != '\0' && *p != '<' && n < size - 1;) {
		bool entity = false;

		for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
			size_t len = strlen(entities[i].name);

			if (strncmp(p, entities[i].name, len) == 0) {
				out[n++] = entities[i].c;
				p += len;
				entity = true;
			}
		}
		if (!entity) {
			/* "&#x2400;" and on stand for control characters. */
			if (strncmp(p, "&#x", 3) == 0) {
				char *end;

				out[n++] = (char)strtol(p + 3, &end, 16);
				p = end + 1;
			} else {
				out[n++] = *p++;
			}
		}
	}
	out[n] = '\0';
	return true;
}

static void
check_isemail(const char *text, size_t len, const char *category,
    const char *diagnosis)
{
	struct address a;
	bool good = address_parse(slice_make(text, len), 0, &a) == ADDRESS_OK;
	bool expect = strcmp(category, "ISEMAIL_VALID_CATEGORY") == 0 ||
	    strcmp(category, "ISEMAIL_DNSWARN") == 0 ||
	    strcmp(category, "ISEMAIL_RFC5321") == 0;

	expect |= strcmp(diagnosis, "ISEMAIL_RFC5321_IPV6DEPRECATED") == 0;
	ck_assert_msg(good == expect, "%s %s %s", text, category, diagnosis);
}

START_TEST(isemail_vectors)
{
	const char *dir = getenv("EC_VECTORS");
	char path[1024], line[2048], text[1024] = "", category[64] = "";
	char diagnosis[64];
	int seen = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/address/isemail/tests.xml",
	    dir == NULL ? "" : dir);
	f = dir == NULL ? NULL : fopen(path, "r");
	if (f == NULL) {
		printf("SKIP isemail_vectors: set EC_VECTORS\n");
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, "<address/>") != NULL) {
			text[0] = '\0';
		}
		xml_text(line, "<address>", text, sizeof(text));
		xml_text(line, "<category>", category, sizeof(category));
		if (xml_text(line, "<diagnosis>", diagnosis,
		    sizeof(diagnosis))) {
			check_isemail(text, strlen(text), category, diagnosis);
			seen++;
		}
	}
	fclose(f);
	ck_assert_int_gt(seen, 100);
}
END_TEST

START_TEST(postfix_vectors)
{
	static const char *const files[] = { "tok822_parse.in",
		"tok822_limit.in", "quote_822_local.in", "fold_addr_test.in",
		"mail_addr_crunch.in" };
	const char *dir = getenv("EC_VECTORS");
	char path[1024], line[4096], again[4096];
	struct address a, b;
	struct slice in;
	FILE *f;
	int n;

	for (size_t i = 0; dir != NULL && i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/address/postfix/%s", dir,
		    files[i]);
		f = fopen(path, "r");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
			in = slice_make(line, strcspn(line, "\n"));
			if (address_parse(in, ADDRESS_UTF8, &a) != ADDRESS_OK) {
				continue;
			}
			n = snprintf(again, sizeof(again), "%.*s@%.*s",
			    SLICE_ARG(a.local), SLICE_ARG(a.domain));
			ck_assert(slice_eq(in, slice_make(again, (size_t)n)));
			ck_assert_int_eq(address_parse(slice_make(again,
			    (size_t)n), ADDRESS_UTF8, &b), ADDRESS_OK);
		}
		if (f != NULL) {
			fclose(f);
		}
	}
	if (dir == NULL) {
		printf("SKIP postfix_vectors: set EC_VECTORS\n");
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("address");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, paths, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(t, every_status);
	tcase_add_test(t, nul_anywhere);
	tcase_add_test(t, plain_and_domain);
	tcase_add_test(t, utf8);
	tcase_add_test(t, log_escape);
	tcase_add_test(t, isemail_vectors);
	tcase_add_test(t, postfix_vectors);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
