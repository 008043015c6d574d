/* SPDX-License-Identifier: Apache-2.0 */
/* WORK in, OUTCOME and WORK_HELD out; every way WORK can be wrong. */
#include <check.h>

#include "common/ipc/ipc.h"
#include "deliverer/work.h"

static struct table slabs;
static struct slab slab = { .handle = 7, .role = 1, .index = 2,
	.incarnation = 3, .number = 4, .map = "0123456789", .size = 10 };

static void
setup(void)
{
	table_init(&slabs);
	table_put(&slabs, &slab.node, slice_make(&slab.handle,
	    sizeof slab.handle));
	slab.refs = 0;
}

struct shape {
	uint32_t handle, offset, length;
	uint16_t slot, rcpts;
	size_t cut, more;
};

static const struct shape well = { 7, 2, 5, 9, 2, 0, 0 };

static void
encode(struct buf *b, const struct shape *x)
{
	buf_clear(b);
	wire_put_u64(b, 4711);
	wire_put_u32(b, 12);
	wire_put_u32(b, 34);
	wire_put_u16(b, x->slot);
	wire_put_u32(b, 5);
	wire_put_u64(b, 99);
	wire_put_u8(b, 1);
	wire_put_u32(b, x->handle);
	wire_put_u32(b, x->offset);
	wire_put_u32(b, x->length);
	wire_put_slice(b, SLICE("s@a"));
	wire_put_slice(b, SLICE("e"));
	wire_put_u16(b, x->rcpts);
	for (unsigned i = 0; i < x->rcpts; i++) {
		wire_put_u64(b, 100 + i);
		wire_put_u8(b, 3);
		wire_put_slice(b, SLICE("r@b"));
		wire_put_slice(b, SLICE("rfc822;r"));
	}
	for (size_t i = 0; i < x->more; i++) {
		wire_put_u8(b, 0);
	}
	b->len -= x->cut;
}

START_TEST(round_trip)
{
	struct work_remote remote = { .ip = { 9 }, .port = 25,
		.name = SLICE("mx"), .sent = 77 };
	struct work *w = work_create();
	struct work_head head;
	struct wire_r r;
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	encode(&b, &well);
	ck_assert_int_eq(work_decode(w, buf_slice(&b), -1, &slabs, &head),
	    WORK_OK);
	ck_assert_uint_eq(head.queue, 12);
	ck_assert_uint_eq(head.left, 34);
	ck_assert_uint_eq(slab.refs, 1);
	ck_assert_uint_eq(w->mail.n_rcpt, 2);
	ck_assert(slice_eq(w->body[0], SLICE("23456")));
	ck_assert(slice_eq(w->mail.rcpt[1].orcpt, SLICE("rfc822;r")));
	smtp_mail_reset(&w->mail);
	w->mail.rcpt[0].result = (struct smtp_result){ .kind = EVENT_DELIVERY,
		.stage = 9, .code = 250 };
	smtp_mail_settle(&w->mail, EVENT_PERMANENT, 4, 550, SLICE("550 no"));
	work_encode_outcome(w, &remote);
	r = wire_reader(buf_slice(&w->outcome));
	ck_assert_uint_eq(wire_u64(&r), 4711);
	ck_assert_uint_eq(wire_u64(&r), 77);
	ck_assert_uint_eq((uint8_t)wire_bytes(&r, 16).ptr[0], 9);
	ck_assert_uint_eq(wire_u16(&r), 25);
	ck_assert(slice_eq(wire_slice(&r), SLICE("mx")));
	ck_assert_uint_eq(wire_u16(&r), 2);
	ck_assert_uint_eq(wire_u64(&r), 100);
	ck_assert_uint_eq(wire_u8(&r), 'D');
	ck_assert_uint_eq(wire_u8(&r), 9);
	ck_assert_uint_eq(wire_u16(&r), 250);
	ck_assert_uint_eq(wire_slice(&r).len, 0);
	ck_assert_uint_eq(wire_u64(&r), 101);
	ck_assert_uint_eq(wire_u8(&r), 'P');
	ck_assert_uint_eq(wire_u8(&r), 4);
	ck_assert_uint_eq(wire_u16(&r), 550);
	ck_assert(slice_eq(wire_slice(&r), SLICE("550 no")));
	ck_assert(!r.bad && wire_left(&r) == 0);
	buf_fini(&b);
	work_destroy(&w);
}
END_TEST

START_TEST(wrong)
{
	static const struct {
		struct shape x;
		enum work_status want;
	} t[] = {
		{ { 7, 0, 10, 0, 1, 0, 0 }, WORK_OK },
		{ { 7, 10, 0, 0, 1, 0, 0 }, WORK_OK },
		{ { 8, 0, 1, 0, 1, 0, 0 }, WORK_BAD_HANDLE },
		{ { 7, 0, 11, 0, 1, 0, 0 }, WORK_BAD_EXTENT },
		{ { 7, 11, 0, 0, 1, 0, 0 }, WORK_BAD_EXTENT },
		{ { 7, 5, 0xffffffff, 0, 1, 0, 0 }, WORK_BAD_EXTENT },
		{ { 7, 0, 1, STAGE_SLOTS, 1, 0, 0 }, WORK_BAD_SLOT },
		{ { 7, 0, 1, 0, 0, 0, 0 }, WORK_NO_RECIPIENTS },
		{ { 7, 0, 1, 0, STAGE_RCPTS + 1, 0, 0 }, WORK_TOO_MANY },
		{ { 7, 0, 1, 0, 1, 0, 1 }, WORK_MALFORMED },
	};
	struct work *w = work_create();
	struct work_head head;
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		encode(&b, &t[i].x);
		slab.refs = 0;
		ck_assert_int_eq(work_decode(w, buf_slice(&b), -1, &slabs, &head),
		    t[i].want);
		ck_assert_uint_eq(slab.refs, t[i].want == WORK_OK);
		ck_assert_uint_gt(strlen(work_status_text(t[i].want)), 5);
	}
	/* Cut anywhere it is malformed and holds nothing. */
	for (size_t cut = 1;; cut++) {
		struct shape x = well;

		encode(&b, &x);
		if (cut > b.len) {
			break;
		}
		b.len -= cut;
		slab.refs = 0;
		ck_assert_int_eq(work_decode(w, buf_slice(&b), -1, &slabs, &head),
		    WORK_MALFORMED);
		ck_assert_uint_eq(slab.refs, 0);
	}
	buf_fini(&b);
	work_destroy(&w);
}
END_TEST

/* At the largest, every reply is cut and the message still fits. */
START_TEST(largest_outcome)
{
	struct work_remote remote = { .port = 25 };
	struct work *w = work_create();
	struct shape x = well;
	struct work_head head;
	char text[EVENT_REPLY_MAX];
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	x.rcpts = STAGE_RCPTS;
	encode(&b, &x);
	ck_assert_int_eq(work_decode(w, buf_slice(&b), -1, &slabs, &head),
	    WORK_OK);
	memset(text, 'x', sizeof text);
	smtp_mail_reset(&w->mail);
	smtp_mail_settle(&w->mail, EVENT_TRANSIENT, 9, 450,
	    slice_make(text, sizeof text));
	work_encode_outcome(w, &remote);
	ck_assert_uint_le(w->outcome.len, IPC_BODY_MAX);
	buf_fini(&b);
	work_destroy(&w);
}
END_TEST

START_TEST(clean_lines)
{
	static const struct {
		const char *text;
		bool clean;
	} t[] = {
		{ "", true }, { "a", true }, { "a\r\n", true },
		{ "\r\n\r\n", true }, { "a\n", false }, { "a\r", false },
		{ "\n", false }, { "\r", false }, { "\r\r\n", false },
		{ "0123456789abcdef0123456789abcdef\r\nx", true },
		{ "0123456789abcdef0123456789abcde\nx", false },
		{ "0123456789abcdef0123456789abcde\rx", false },
		{ "0123456789abcde\r\n0123456789abcdef\r\n", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct slice all = slice_of(t[i].text);

		for (size_t cut = 0; cut <= all.len; cut++) {
			struct slice part[3] = { slice_make(all.ptr, cut),
				{ NULL, 0 }, slice_skip(all, cut) };

			ck_assert_msg(work_lines_are_clean(part, 3) ==
			    t[i].clean, "case %zu cut at %zu", i, cut);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("work");
	TCase *t = tcase_create("work");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, wrong);
	tcase_add_test(t, largest_outcome);
	tcase_add_test(t, clean_lines);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
