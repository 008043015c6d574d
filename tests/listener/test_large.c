/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies over Large_Message_Threshold: on to the spooler as they come. */
#include "tests/listener/rig.h"

#define THRESHOLD 65536u
#define OPTIONS "Arena_Size = 32M\nLarge_Message_Threshold = 65536\n"
#define MENDS "RFC2822_Lone_LF_In_Body = fix\n" \
	"RFC2822_Lone_LF_In_Headers = fix\n"
#define FAR_OPTIONS "Arena_Size = 32M\nLarge_Message_Threshold = 1M\n"

WAIT(arena_is_empty, arena_used() == 0)
WAIT(large_is_held, sp.n_large == 1 && sp.large[0].n > 0)
WAIT(large_is_aborted, sp.n_large == 1 && sp.large[0].aborted)

/* Lines with dots at their start, each ended by end; size bytes when it is
 * taken in, the last two CRLF. */
static void
make_text(struct buf *wire, struct buf *want, size_t size, const char *end)
{
	for (unsigned n = 0; want->len < size - 2; n++) {
		size_t left = size - 2 - want->len, len = n * 7 % 90;

		if (left < len + 3) {
			for (; left > 0; left--) {
				buf_putc(wire, 'z');
				buf_putc(want, 'z');
			}
			break;
		}
		if (n % 3 == 0) {
			buf_puts(wire, "..");
			buf_puts(want, ".");
		}
		for (size_t i = 0; i < len; i++) {
			buf_putc(wire, (char)('a' + (i + n) % 26));
			buf_putc(want, (char)('a' + (i + n) % 26));
		}
		buf_puts(wire, end);
		buf_puts(want, "\r\n");
	}
	buf_puts(wire, "\r\n.\r\n");
	buf_puts(want, "\r\n");
}

static void
begin_with(const char *all)
{
	start(all);
	up();
	talker_open(&client[0], loop, port);
	say(0, OPEN);
	wait_codes(5);
}

static void
begin(const char *options)
{
	char text[300];

	snprintf(text, sizeof text, OPTIONS "%s", options);
	begin_with(text);
}

static const struct {
	size_t size;
	size_t drip;
	bool large;
} sizes[] = {
	{ 1000, 0, false },
	{ THRESHOLD - 1, 0, false },
	{ THRESHOLD, 0, false },
	{ THRESHOLD + 1, 0, true },
	{ THRESHOLD + 1, 7, true },
	{ THRESHOLD * 2, 0, true },
	{ THRESHOLD + 20017, 17, true },
	{ 5000000, 0, true },
};

/* _i's low bit: lone line feeds are mended on their way. */
START_TEST(whole)
{
	size_t size = sizes[_i / 2].size;
	bool mends = _i % 2 != 0;
	struct buf wire, want;

	buf_init(&wire, 32u << 20);
	buf_init(&want, 32u << 20);
	make_text(&wire, &want, size, "\r\n");
	begin(mends ? MENDS : "");
	client[0].drip = sizes[_i / 2].drip;
	talker_say(&client[0], buf_slice(&wire));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], 250);
	ck_assert(sp.store[0].large == sizes[_i / 2].large);
	ck_assert(slice_eq(content(&sp.store[0]), buf_slice(&want)));
	client[0].drip = 0;
	say(0, MAIL1 "QUIT\r\n");
	wait_end(0);
	ck_assert_uint_eq(sp.n, 2);
	ck_assert(!sp.store[1].large);
	ck_assert_uint_le(sp.most_lent, 4);
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	buf_fini(&want);
	finish();
}
END_TEST

/* What makes two bytes of one, all the way.  1: it has more extents than a large
 * one may fill when it becomes one, so that it must wait right there. */
START_TEST(mended)
{
	struct buf wire, want;

	buf_init(&wire, 32u << 20);
	buf_init(&want, 32u << 20);
	begin_with(_i == 0 ? OPTIONS MENDS : FAR_OPTIONS MENDS);
	for (int i = 0; i < 1000000; i++) {
		buf_putc(&wire, '\n');
		buf_puts(&want, "\r\n");
	}
	buf_puts(&wire, "a\r\n.\r\n");
	buf_puts(&want, "a\r\n");
	talker_say(&client[0], buf_slice(&wire));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], 250);
	ck_assert(sp.store[0].large);
	ck_assert(slice_eq(content(&sp.store[0]), buf_slice(&want)));
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	buf_fini(&want);
	finish();
}
END_TEST

static void
pour(struct buf *wire, size_t size)
{
	struct buf want;

	buf_init(wire, 32u << 20);
	buf_init(&want, 32u << 20);
	make_text(wire, &want, size, "\r\n");
	buf_fini(&want);
}

/* A spooler that is slow holds the client back, not memory. */
START_TEST(slow)
{
	struct buf wire;
	uint64_t most = 0;

	pour(&wire, 20u << 20);
	sp.large_hold = true;
	begin("");
	sp.large_hold = true;
	talker_say(&client[0], buf_slice(&wire));
	while (client[0].n_codes < 6) {
		wait_for(large_is_held, NULL, "data");
		most = EC_MAX(most, arena_used());
		fake_spooler_taken(&sp, 0);
		while (client[0].n_codes < 6 && sp.large[0].n == 0) {
			loop_turn(loop, true);
		}
	}
	ck_assert_uint_eq(client[0].code[5], 250);
	ck_assert_uint_le(most, 512u << 10);
	ck_assert_uint_le(sp.most_lent, 4);
	if (sp.large[0].n > 0) {
		fake_spooler_taken(&sp, 0);
	}
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	finish();
}
END_TEST

/* It dies in the middle: the client hears so behind its dot, and the next
 * message goes to the next one.  0: it was at work; 1: the client waited. */
START_TEST(spooler_dies)
{
	struct buf wire;

	pour(&wire, 3u << 20);
	begin("");
	sp.large_hold = _i == 1;
	talker_say(&client[0], slice_make(wire.ptr, 2u << 20));
	if (_i == 1) {
		wait_for(large_is_held, NULL, "data");
	} else {
		while (client[0].out.len > 0) {
			loop_turn(loop, true);
		}
	}
	fake_spooler_down(&sp);
	talker_say(&client[0], slice_skip(buf_slice(&wire), 2u << 20));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], 451);
	sp.large_hold = false;
	up();
	say(0, FROM TO "DATA\r\n");
	wait_codes(9);
	talker_say(&client[0], buf_slice(&wire));
	wait_codes(10);
	ck_assert_uint_eq(client[0].code[9], 250);
	ck_assert(sp.store[0].large);
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	finish();
}
END_TEST

/* It dies behind STORE_LARGE: that is said again. */
START_TEST(dies_after_store)
{
	struct buf wire;

	pour(&wire, 200000);
	begin("");
	sp.answer = ANSWER_NONE;
	talker_say(&client[0], buf_slice(&wire));
	wait_stores(1);
	fake_spooler_down(&sp);
	sp.answer = _i == 0 ? STORED_OK : STORED_FAILED;
	up();
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], _i == 0 ? 250 : 451);
	ck_assert(sp.store[1].resent && sp.store[1].large);
	ck_assert(sp.store[1].batch == sp.store[0].batch);
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	finish();
}
END_TEST

/* 0: the client goes; 1: it passes its limit; 2: the disk is full; 3: the
 * spooler is silent for too long. */
START_TEST(given_up)
{
	static const char *const options[] = { "", "Max_Message_Size = 300K\n",
		"", "Store_Timeout = 0.3\n" };
	static const unsigned codes[] = { 0, 552, 452, 451 };
	struct buf wire;

	pour(&wire, 1u << 20);
	begin(options[_i]);
	sp.large_result = _i == 2 ? STORED_FULL : STORED_OK;
	sp.large_hold = _i == 0 || _i == 3;
	talker_say(&client[0], buf_slice(&wire));
	if (_i == 0) {
		wait_for(large_is_held, NULL, "data");
		talker_reset(&client[0]);
		/* It is not read; so it is seen when there is room again. */
		sp.large_hold = false;
		fake_spooler_taken(&sp, 0);
	} else {
		wait_codes(6);
		ck_assert_uint_eq(client[0].code[5], codes[_i]);
	}
	wait_for(large_is_aborted, NULL, "LARGE_ABORT");
	ck_assert_uint_eq(sp.n, 0);
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	finish();
}
END_TEST

/* Without a spooler nothing large can come in. */
START_TEST(no_spooler)
{
	struct buf wire;

	pour(&wire, 300000);
	begin("");
	fake_spooler_down(&sp);
	talker_say(&client[0], buf_slice(&wire));
	wait_codes(6);
	ck_assert_uint_eq(client[0].code[5], 451);
	up();
	say(0, MAIL1);
	wait_codes(10);
	ck_assert_uint_eq(client[0].code[9], 250);
	wait_for(arena_is_empty, NULL, "the arena");
	buf_fini(&wire);
	finish();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("large");

	add(s, "whole", whole, 2 * ARRAY_LEN(sizes));
	add(s, "mended", mended, 2);
	add(s, "slow", slow, 1);
	add(s, "spooler_dies", spooler_dies, 2);
	add(s, "dies_after_store", dies_after_store, 2);
	add(s, "given_up", given_up, 4);
	add(s, "no_spooler", no_spooler, 1);
	return run(s);
}
