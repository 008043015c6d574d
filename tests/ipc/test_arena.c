/* SPDX-License-Identifier: Apache-2.0 */
/* Extents against a model; what was reserved can be taken; liars; budgets. */
#include "common/ipc/arena.h"
#include "common/ipc/budget.h"
#include "common/ipc/scoreboard.h"
#include "common/ipc/stage.h"

#include <check.h>
#include <sys/wait.h>

static uint64_t rng = 1;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

static unsigned slabs_told;

static void
on_slab(void *arg, uint32_t slab, int fd, size_t size)
{
	ck_assert_ptr_eq(arg, &slabs_told);
	ck_assert_uint_eq(slab, slabs_told);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(size, ARENA_SLAB_BYTES);
	slabs_told++;
}

#define N 3000
static struct extent held[N];
static unsigned n_held;

static void
take_one(struct arena *a)
{
	uint32_t none = 0, want = 1 + rnd(rnd(3) ? 3000 : ARENA_BLOCK_BYTES);
	struct extent x;

	if (!arena_take(a, want, &none, &x)) {
		return;
	}
	ck_assert_uint_ge(x.length, want);
	ck_assert(x.length == ARENA_MIN_BYTES || x.length / 2 < want);
	ck_assert_uint_eq(arena_capacity(a, x), x.length);
	ck_assert_uint_lt(x.slab, slabs_told);
	ck_assert(arena_is_out(a, x));
	/* Its own bytes say whose they are: overlap would show. */
	memset(arena_at(a, x), (int)(x.offset / ARENA_MIN_BYTES % 251),
	    x.length);
	held[n_held++] = x;
}

static void
give_one(struct arena *a)
{
	unsigned i = rnd(n_held);
	struct extent x = held[i];
	const char *p = arena_at(a, x);

	for (uint32_t k = 0; k < x.length; k += 509) {
		ck_assert_uint_eq((unsigned char)p[k],
		    x.offset / ARENA_MIN_BYTES % 251);
	}
	ck_assert(arena_give(a, x));
	held[i] = held[--n_held];
}

static void
count_out(void *arg, struct extent x)
{
	uint64_t *sum = arg;

	*sum += x.length;
}

START_TEST(model)
{
	struct arena *a = arena_create("test", 64 << 20, on_slab, &slabs_told);
	uint64_t sum = 0, out = 0;

	ck_assert_uint_eq(arena_max_bytes(a), 64 << 20);
	for (unsigned i = 0; i < 30000; i++) {
		if (n_held < N && (n_held == 0 ||
		    rnd(100) < (i / 5000 % 2 ? 35 : 65))) {
			take_one(a);
		} else {
			give_one(a);
		}
	}
	for (unsigned i = 0; i < n_held; i++) {
		sum += held[i].length;
	}
	ck_assert_uint_eq(arena_used_bytes(a), sum);
	arena_each_out(a, count_out, &out);
	ck_assert_uint_eq(out, sum);
	while (n_held > 0) {
		give_one(a);
	}
	ck_assert_uint_eq(arena_used_bytes(a), 0);
	sum = slabs_told;
	slabs_told = 0;
	arena_each_slab(a, on_slab, &slabs_told);
	ck_assert_uint_eq(slabs_told, sum);
	arena_destroy(&a);
}
END_TEST

START_TEST(liars)
{
	struct arena *a = arena_create("test", 1, NULL, NULL);
	uint32_t none = 0;
	struct extent x, y;

	ck_assert(arena_take(a, 2000, &none, &x));
	for (uint32_t i = 0; i < 4096; i++) {
		y = x;
		y.offset += i;
		ck_assert_int_eq(arena_is_out(a, y), i == 0);
		ck_assert_int_eq(i != 0 && arena_give(a, y), false);
	}
	y = x;
	y.slab = 1;
	ck_assert(!arena_give(a, y));
	y.slab = UINT32_MAX;
	ck_assert(!arena_give(a, y));
	y = x;
	y.offset = ARENA_SLAB_BYTES;
	ck_assert(!arena_give(a, y));
	y.offset = UINT32_MAX;
	ck_assert(!arena_give(a, y));
	ck_assert(arena_give(a, x));
	ck_assert(!arena_give(a, x));		/* twice */
	arena_destroy(&a);
}
END_TEST

/* A body of any size by the listener's pattern takes no more than reserved,
 * and always gets it, however full of others' the arena is. */
static void
grow(struct arena *a, uint64_t bytes, uint32_t first, uint32_t second)
{
	uint32_t blocks = arena_blocks(bytes), reserved = blocks;
	struct extent x;
	unsigned n = 0;

	if (!arena_reserve(a, blocks)) {
		return;
	}
	while (bytes > 0) {
		uint32_t want = n == 0 ? first : n == 1 ? second :
		    ARENA_BLOCK_BYTES;

		ck_assert_msg(arena_take(a, want, &reserved, &x),
		    "%llu bytes left of a reservation of %u blocks",
		    (unsigned long long)bytes, blocks);
		bytes -= EC_MIN(bytes, (uint64_t)x.length);
		if (n_held < N) {
			held[n_held++] = x;
		} else {
			ck_assert(arena_give(a, x));
		}
		n++;
	}
	arena_unreserve(a, reserved);
}

START_TEST(reservations_hold)
{
	static const uint32_t classes[] = { 1024, 2048, 4096, 8192, 16384,
		32768, 65536 };
	static const uint64_t sizes[] = { 0, 1, 1024, 1025, 17408, 17409, 65536,
		65537, 82944, 131072, 147456, 1 << 20, 3000000 };
	struct arena *a = arena_create("test", 32 << 20, NULL, NULL);

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t bytes = rnd(2) ? sizes[rnd(ARRAY_LEN(sizes))] :
		    rnd(600000);

		grow(a, bytes, classes[rnd(7)], rnd(2) ? 16384 :
		    classes[rnd(7)]);
		/* Others take what is promised to nobody, of all classes. */
		for (unsigned k = rnd(20); k > 0 && n_held < N; k--) {
			uint32_t none = 0;

			if (arena_take(a, classes[rnd(7)], &none,
			    &held[n_held])) {
				n_held++;
			}
		}
		while (n_held > 0 && rnd(12) != 0) {
			unsigned k = rnd(n_held);

			ck_assert(arena_give(a, held[k]));
			held[k] = held[--n_held];
		}
	}
	arena_destroy(&a);
}
END_TEST

/* The worst case alone: every class's blocks but ours are full. */
START_TEST(worst_growth)
{
	for (uint64_t bytes = 0; bytes < 6 * ARENA_BLOCK_BYTES; bytes += 512) {
		uint32_t reserved = arena_blocks(bytes), used = 0;
		uint64_t left = bytes;

		for (unsigned n = 0; left > 0; n++) {
			left -= EC_MIN(left, n == 0 ? (uint64_t)ARENA_MIN_BYTES :
			    n == 1 ? 16384u : ARENA_BLOCK_BYTES);
			used++;
		}
		ck_assert_uint_le(used, reserved);
	}
	ck_assert_uint_eq(arena_blocks(UINT64_MAX), UINT32_MAX);
}
END_TEST

START_TEST(promises_are_kept_from_others)
{
	struct arena *a = arena_create("test", 1, NULL, NULL);
	uint32_t none = 0, mine = 100;
	struct extent x;
	unsigned n = 0;

	ck_assert(arena_reserve(a, 100));
	ck_assert(!arena_reserve(a, ARENA_SLAB_BLOCKS - 99));
	while (arena_take(a, ARENA_BLOCK_BYTES, &none, &x)) {
		n++;
	}
	ck_assert_uint_eq(n, ARENA_SLAB_BLOCKS - 100);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert(arena_take(a, ARENA_BLOCK_BYTES, &mine, &x));
	}
	ck_assert_uint_eq(mine, 0);
	ck_assert(!arena_take(a, 1, &mine, &x));
	ck_assert(!arena_reserve(a, 1));
	arena_destroy(&a);
}
END_TEST

/* Several processes take and give; nobody ever sees more than the limit. */
static void
compete(struct budget *b, unsigned who)
{
	/* Those that passed, of all: one word, so that it is never seen between
	 * one's giving and another's taking. */
	_Atomic uint64_t *passed = &b->row[6].next_us;
	unsigned mine = 0;

	for (unsigned i = 0; i < 40000; i++) {
		if (budget_take(b, 5, who, 7)) {
			mine++;
			if (atomic_fetch_add(passed, 1) + 1 > 7) {
				_exit(1);
			}
		} else if (mine > 0) {
			mine--;
			atomic_fetch_sub(passed, 1);
			budget_give(b, 5, who);
		}
	}
	atomic_fetch_sub(passed, mine);		/* before it is cleared */
	_exit(0);
}

START_TEST(concurrency)
{
	struct budget *b;
	struct error err;
	int fd = budget_create(&b, &err), status;
	pid_t pid[4];

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(budget_map(fd, &err));
	for (unsigned i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			compete(b, i);
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		budget_clear(b, i);	/* it died with what it held */
	}
	ck_assert_uint_eq(budget_used(b, 5), 0);
	for (unsigned i = 0; i < 7; i++) {
		ck_assert(budget_take(b, 5, i % 3, 7));
	}
	ck_assert(!budget_take(b, 5, 9, 7));
	budget_clear(b, 0);
	ck_assert_uint_eq(budget_used(b, 5), 4);
	budget_give(b, 5, 1);
	ck_assert_uint_eq(budget_used(b, 5), 3);
	ck_assert(!budget_take(b, 7, 0, 0));
}
END_TEST

/* In no window of any length more than the rate and the burst. */
START_TEST(rate)
{
	static const struct { uint64_t interval; uint32_t burst; } rates[] = {
		{ 1000, 0 }, { 1000, 10 }, { 333, 1 }, { 1000000, 3 } };
	static uint64_t went[4000];
	uint64_t interval = rates[_i].interval, now = 5000000;
	_Atomic uint64_t word = 0;
	unsigned n = 0;

	while (n < ARRAY_LEN(went)) {
		uint64_t wait = budget_rate(&word, now, interval,
		    rates[_i].burst);

		if (wait == 0) {
			went[n++] = now;
			continue;
		}
		ck_assert_uint_gt(budget_rate(&word, now + wait - 1, interval,
		    rates[_i].burst), 0);
		now += rnd(4) ? wait : rnd((uint32_t)(interval * 15));
	}
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = i; k < EC_MIN(n, i + 60); k++) {
			uint64_t window = went[k] - went[i];

			ck_assert_uint_le(k - i + 1,
			    window / interval + 1 + rates[_i].burst);
		}
	}
}
END_TEST

START_TEST(tables)
{
	struct scoreboard *s;
	struct stage_table *t;
	struct budget *b;
	struct error err;
	unsigned n;
	int sfd = scoreboard_create(&s, &err), tfd = stage_create(&t, &err);
	int bfd = budget_create(&b, &err);

	ck_assert(scoreboard_map(sfd, &err) != NULL);
	ck_assert(stage_map(tfd, &err) != NULL);
	/* One for the other, and another version. */
	ck_assert_ptr_null(budget_map(sfd, &err));
	ck_assert_ptr_null(stage_map(bfd, &err));
	s->version++;
	t->slots++;
	b->magic++;
	ck_assert_ptr_null(scoreboard_map(sfd, &err));
	ck_assert_ptr_null(stage_map(tfd, &err));
	ck_assert_ptr_null(budget_map(bfd, &err));
	score_add(&s->slot[1][2], SCORE_L_BYTES, 5);
	score_add(&s->slot[1][2], SCORE_L_BYTES, 6);
	ck_assert_uint_eq(score_get(&s->slot[1][2], SCORE_L_BYTES), 11);
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		const struct score_name *names = score_names(r, &n);

		ck_assert_int_eq(names == NULL, r == ROLE_SUPERVISOR);
		for (unsigned i = 0; i < n; i++) {
			ck_assert_ptr_nonnull(names[i].name);
		}
	}
	ck_assert_ptr_null(score_names(ROLE_COUNT, &n));
	ck_assert_uint_eq(n, 0);
	stage_set(&t->slot[0][1], 77, STAGE_DOT);
	ck_assert_int_eq(stage_get(&t->slot[0][1], 77), STAGE_DOT);
	ck_assert_int_eq(stage_get(&t->slot[0][1], 78), STAGE_NOTHING);
	ck_assert_uint_eq(stage_work(t, 0, 1), 0);
	stage_work_set(t, 0, 1, 77, (const uint64_t[]){ 5, 6 }, 2);
	ck_assert_uint_eq(stage_work(t, 0, 1), 77);
	ck_assert_uint_eq(stage_work_ids(t, 0, 1)->n, 2);
	ck_assert_uint_eq(stage_work_ids(t, 0, 1)->id[1], 6);
	stage_work_clear(t, 0, 1);
	ck_assert_uint_eq(stage_work(t, 0, 1), 0);
	t->ids[0][1].n = STAGE_RCPTS + 1;
	ck_assert_ptr_null(stage_work_ids(t, 0, 1));
	ck_assert_ptr_null(stage_work_ids(t, 0, 2));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("shared memory");
	TCase *t = tcase_create("shared memory");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, model);
	tcase_add_test(t, liars);
	tcase_add_test(t, reservations_hold);
	tcase_add_test(t, worst_growth);
	tcase_add_test(t, promises_are_kept_from_others);
	tcase_add_test(t, concurrency);
	tcase_add_loop_test(t, rate, 0, 4);
	tcase_add_test(t, tables);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
