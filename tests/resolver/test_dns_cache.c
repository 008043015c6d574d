/* SPDX-License-Identifier: Apache-2.0 */
/* The cache under a clock of its own. */
#include "resolver/dns_cache.h"

#include <check.h>

#define S 1000000ull

static struct dns_cache_limits limits = { 1000, 1 << 20, 10, 0, UINT32_MAX };
static struct dns_cache *c;
static unsigned n_called;
static uint32_t told_ttl;

static void
on_answer(struct dns_wait *w, const struct dns_answer *a)
{
	ck_assert(list_is_empty(&w->link));
	n_called++;
	told_ttl = a->ttl;
}

static void
set_up(void)
{
	c = dns_cache_create(&limits, 42);
	n_called = 0;
}

static void
tear_down(void)
{
	dns_cache_destroy(&c);
	ck_assert_ptr_null(c);
}

static enum dns_cache_state
find(const char *name, uint64_t now, struct dns_wait *w,
    struct dns_answer *out)
{
	w->fn = on_answer;
	list_init(&w->link);
	return dns_cache_find(c, slice_of(name), DNS_MSG_A, now, w, out);
}

static struct dns_answer
answer(enum dns_answer_status status, uint32_t ttl)
{
	return (struct dns_answer){ .status = status, .type = DNS_MSG_A,
		.has_ttl = true, .ttl = ttl, .n = 1,
		.data = SLICE("0123456789abcdef"), .why = SLICE("why") };
}

static void
keep(const char *name, uint64_t now, uint32_t ttl)
{
	struct dns_answer a = answer(DNS_ANSWER_DATA, ttl), out;
	static struct dns_wait w;	/* outlives the cache */

	ck_assert_int_eq(find(name, now, &w, &out), DNS_CACHE_ASK);
	dns_cache_put(c, slice_of(name), DNS_MSG_A, now, &a);
}

START_TEST(single_flight)
{
	struct dns_answer a = answer(DNS_ANSWER_DATA, 10), out;
	static struct dns_wait w[4];

	ck_assert_int_eq(find("a", 0, &w[0], &out), DNS_CACHE_ASK);
	ck_assert_int_eq(find("a", 0, &w[1], &out), DNS_CACHE_WAIT);
	ck_assert_int_eq(find("a", 0, &w[2], &out), DNS_CACHE_WAIT);
	ck_assert_int_eq(find("a", 0, &w[3], &out), DNS_CACHE_WAIT);
	dns_cache_leave(&w[3]);
	dns_cache_put(c, SLICE("a"), DNS_MSG_A, 1 * S, &a);
	ck_assert_uint_eq(n_called, 3);
	dns_cache_put(c, SLICE("a"), DNS_MSG_A, 1 * S, &a);	/* no question */
	ck_assert_uint_eq(n_called, 3);
	ck_assert_int_eq(find("a", 2 * S, &w[0], &out), DNS_CACHE_HIT);
	ck_assert_uint_eq(out.ttl, 9);
	ck_assert(slice_eq(out.data, a.data));
	ck_assert(slice_eq(out.why, a.why));
	ck_assert_int_eq(find("a", 11 * S - 1, &w[0], &out), DNS_CACHE_HIT);
	ck_assert_uint_eq(out.ttl, 1);
	ck_assert_int_eq(find("a", 11 * S, &w[0], &out), DNS_CACHE_ASK);
}
END_TEST

/* How long an answer is kept, by kind and limits. */
static const struct {
	enum dns_answer_status status;
	bool has_ttl;
	uint32_t ttl, min, max, kept;
} ttls[] = {
	{ DNS_ANSWER_DATA, true, 300, 0, UINT32_MAX, 300 },
	{ DNS_ANSWER_DATA, true, 300, 600, UINT32_MAX, 600 },
	{ DNS_ANSWER_DATA, true, 300, 0, 60, 60 },
	{ DNS_ANSWER_DATA, true, 300, 600, 60, 60 },
	{ DNS_ANSWER_DATA, true, 1u << 30, 0, UINT32_MAX, DNS_CACHE_TTL_MAX },
	{ DNS_ANSWER_DATA, true, 0, 0, UINT32_MAX, 0 },
	{ DNS_ANSWER_NO_NAME, true, 60, 0, UINT32_MAX, 60 },
	{ DNS_ANSWER_NO_DATA, true, 86400, 0, UINT32_MAX,
	    DNS_CACHE_NEGATIVE_MAX },
	{ DNS_ANSWER_NO_NAME, false, 0, 600, UINT32_MAX,
	    DNS_CACHE_FAILURE_TTL },
	{ DNS_ANSWER_FAILED, false, 0, 600, UINT32_MAX,
	    DNS_CACHE_FAILURE_TTL },
};

START_TEST(time_to_live)
{
	struct dns_cache_limits l = limits;
	struct dns_answer a = answer(ttls[_i].status, ttls[_i].ttl), out;
	static struct dns_wait w;	/* outlives the cache */
	uint64_t end = ttls[_i].kept * S;

	l.min_ttl = ttls[_i].min;
	l.max_ttl = ttls[_i].max;
	dns_cache_set_limits(c, &l);
	a.has_ttl = ttls[_i].has_ttl;
	find("a", 0, &w, &out);
	dns_cache_put(c, SLICE("a"), DNS_MSG_A, 0, &a);
	ck_assert_uint_eq(n_called, 1);
	ck_assert_uint_eq(told_ttl, ttls[_i].kept);
	if (end > 0) {
		ck_assert(dns_cache_peek(c, SLICE("a"), DNS_MSG_A, end - 1,
		    &out));
		ck_assert_int_eq(out.status, ttls[_i].status);
	}
	ck_assert(!dns_cache_peek(c, SLICE("a"), DNS_MSG_A, end, &out));
	ck_assert_int_eq(find("a", end, &w, &out), DNS_CACHE_ASK);
}
END_TEST

START_TEST(types_and_names_apart)
{
	struct dns_answer out;
	static struct dns_wait w;	/* outlives the cache */

	keep("a", 0, 10);
	ck_assert(!dns_cache_peek(c, SLICE("a"), DNS_MSG_MX, 0, &out));
	ck_assert(!dns_cache_peek(c, SLICE("aa"), DNS_MSG_A, 0, &out));
	w.fn = on_answer;
	list_init(&w.link);
	ck_assert_int_eq(dns_cache_find(c, SLICE("a"), DNS_MSG_MX, 0, &w,
	    &out), DNS_CACHE_ASK);
	ck_assert_uint_eq(dns_cache_purge(c, SLICE("a")), 1);
	ck_assert(!dns_cache_peek(c, SLICE("a"), DNS_MSG_A, 0, &out));
}
END_TEST

START_TEST(least_used_goes)
{
	struct dns_cache_limits l = limits;
	struct dns_cache_stats s;
	struct dns_answer out;
	static struct dns_wait w;	/* outlives the cache */

	l.max_entries = 3;
	dns_cache_set_limits(c, &l);
	keep("a", 0, 10);
	keep("b", 0, 10);
	keep("c", 0, 10);
	ck_assert_int_eq(find("a", 0, &w, &out), DNS_CACHE_HIT);
	keep("d", 0, 10);
	ck_assert(dns_cache_peek(c, SLICE("a"), DNS_MSG_A, 0, &out));
	ck_assert(!dns_cache_peek(c, SLICE("b"), DNS_MSG_A, 0, &out));
	dns_cache_stats(c, &s);
	ck_assert_uint_eq(s.entries, 3);
	ck_assert_uint_eq(s.evicted, 1);
}
END_TEST

START_TEST(bounded_by_bytes)
{
	struct dns_cache_limits l = limits;
	struct dns_cache_stats s;
	char name[32];

	l.max_bytes = 4096;
	dns_cache_set_limits(c, &l);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "n%d", i);
		keep(name, 0, 10);
		dns_cache_stats(c, &s);
		ck_assert_uint_le(s.bytes, 4096);
	}
	ck_assert_uint_gt(s.entries, 3);
	dns_cache_purge(c, SLICE(""));
	dns_cache_stats(c, &s);
	ck_assert_uint_eq(s.entries, 0);
	ck_assert_uint_eq(s.bytes, 0);
}
END_TEST

START_TEST(pending_is_bounded_and_stays)
{
	struct dns_cache_limits l = limits;
	struct dns_answer a = answer(DNS_ANSWER_DATA, 10), out;
	static struct dns_wait w[12];
	char name[2] = "a";

	l.max_entries = 1;
	dns_cache_set_limits(c, &l);
	for (int i = 0; i < 12; i++) {
		name[0] = (char)('a' + i);
		ck_assert_int_eq(find(name, 0, &w[i], &out), i < 10 ?
		    DNS_CACHE_ASK : DNS_CACHE_FULL);
	}
	ck_assert_int_eq(find("a", 0, &w[10], &out), DNS_CACHE_WAIT);
	dns_cache_put(c, SLICE("a"), DNS_MSG_A, 0, &a);
	ck_assert_uint_eq(n_called, 2);
	ck_assert_int_eq(find("b", 0, &w[11], &out), DNS_CACHE_WAIT);
}
END_TEST

START_TEST(expiry)
{
	struct dns_cache_stats s;

	keep("a", 0, 10);
	keep("b", 0, 20);
	keep("c", 0, 10);
	dns_cache_expire(c, 10 * S, 1);
	dns_cache_stats(c, &s);
	ck_assert_uint_eq(s.entries, 2);
	dns_cache_expire(c, 10 * S, 100);
	dns_cache_stats(c, &s);
	ck_assert_uint_eq(s.entries, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dns_cache");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, single_flight);
	tcase_add_loop_test(t, time_to_live, 0, (int)ARRAY_LEN(ttls));
	tcase_add_test(t, types_and_names_apart);
	tcase_add_test(t, least_used_goes);
	tcase_add_test(t, bounded_by_bytes);
	tcase_add_test(t, pending_is_bounded_and_stays);
	tcase_add_test(t, expiry);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
