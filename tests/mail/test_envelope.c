/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mail/envelope.h"
#include "tests/mail/format_tests.h"

static struct recipient rcpts[] = {
	{ 11, { "a@example.com", 13 }, { "rfc822;a@example.com", 20 },
	    NOTIFY_FAILURE },
	{ 12, { "b@example.org", 13 }, { NULL, 0 }, 0 },
};

static struct envelope
sample(void)
{
	struct envelope e = {
		.batch_id = 1, .conn_id = 2, .received_us = 1234567890123456u,
		.peer_port = 42601, .local_port = 25,
		.protocol = ENVELOPE_ESMTP, .class = 1,
		.flags = ENVELOPE_8BITMIME | ENVELOPE_RET_HDRS,
		.sender = SLICE("s@example.net"), .envid = SLICE("QQ314159"),
		.group = SLICE("g"), .binding = SLICE("b"),
		.context = SLICE("\0\1\2"), .n_rcpt = ARRAY_LEN(rcpts),
		.rcpt = rcpts,
	};

	e.peer_ip[15] = 1;
	e.local_ip[0] = 0xfe;
	return e;
}

static void
same(const struct envelope *a, const struct envelope *b)
{
	ck_assert_uint_eq(a->batch_id, b->batch_id);
	ck_assert_uint_eq(a->conn_id, b->conn_id);
	ck_assert_uint_eq(a->received_us, b->received_us);
	ck_assert_mem_eq(a->peer_ip, b->peer_ip, 16);
	ck_assert_mem_eq(a->local_ip, b->local_ip, 16);
	ck_assert_uint_eq(a->peer_port, b->peer_port);
	ck_assert_uint_eq(a->local_port, b->local_port);
	ck_assert_uint_eq(a->protocol, b->protocol);
	ck_assert_uint_eq(a->class, b->class);
	ck_assert_uint_eq(a->flags, b->flags);
	ck_assert(slice_eq(a->sender, b->sender));
	ck_assert(slice_eq(a->envid, b->envid));
	ck_assert(slice_eq(a->group, b->group));
	ck_assert(slice_eq(a->binding, b->binding));
	ck_assert(slice_eq(a->context, b->context));
	ck_assert_uint_eq(a->n_rcpt, b->n_rcpt);
	for (uint32_t i = 0; i < a->n_rcpt; i++) {
		ck_assert_uint_eq(a->rcpt[i].id, b->rcpt[i].id);
		ck_assert(slice_eq(a->rcpt[i].addr, b->rcpt[i].addr));
		ck_assert(slice_eq(a->rcpt[i].orcpt, b->rcpt[i].orcpt));
		ck_assert_uint_eq(a->rcpt[i].notify, b->rcpt[i].notify);
	}
}

/* Decodes a copy of exactly n bytes, so that a sanitizer sees one too far;
 * what is taken must encode again to something that decodes to the same. */
static bool
decode(const char *p, size_t n, struct envelope *keep)
{
	char *exact = memcpy(xmalloc(n), p, n);
	struct scratch s, s2;
	struct envelope e, e2;
	struct buf b;
	bool ok;

	scratch_init(&s, 1 << 20);
	scratch_init(&s2, 1 << 20);
	buf_init(&b, 1 << 20);
	ok = envelope_decode(slice_make(exact, n), &s, &e);
	if (ok) {
		ck_assert_uint_ge(e.n_rcpt, 1);
		ck_assert_uint_lt(e.protocol, ENVELOPE_PROTOCOLS);
		envelope_encode(&e, &b);
		ck_assert(envelope_decode(buf_slice(&b), &s2, &e2));
		same(&e, &e2);
		if (keep != NULL) {
			same(&e, keep);
		}
	}
	buf_fini(&b);
	scratch_fini(&s);
	scratch_fini(&s2);
	free(exact);
	return ok;
}

START_TEST(round_trip)
{
	struct envelope e = sample();
	size_t before;
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &b);
	ck_assert(!b.full);
	ck_assert(decode(b.ptr, b.len, &e));
	before = b.len;
	buf_clear(&b);
	e.n_rcpt = 1;
	envelope_encode(&e, &b);
	ck_assert_uint_eq(before - b.len, envelope_recipient_bytes(&rcpts[1]));
	buf_fini(&b);
}
END_TEST

START_TEST(every_truncation)
{
	struct envelope e = sample();
	size_t taken = 0, fixed;
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	e.envid = e.group = e.binding = e.context = SLICE("");
	envelope_encode(&e, &b);
	fixed = b.len;
	buf_clear(&b);
	e = sample();
	envelope_encode(&e, &b);
	for (size_t n = 0; n < b.len; n++) {
		bool ok = decode(b.ptr, n, NULL);

		/* Between two tagged fields a record is whole in itself. */
		ck_assert(!ok || n >= fixed);
		taken += ok;
	}
	ck_assert_uint_eq(taken, 4);
	buf_fini(&b);
}
END_TEST

START_TEST(every_byte_changed)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff, 0x10 };
	struct envelope e = sample();
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &b);
	for (size_t i = 0; i < b.len; i++) {
		for (size_t k = 0; k < ARRAY_LEN(flips); k++) {
			b.ptr[i] = (char)(b.ptr[i] ^ flips[k]);
			decode(b.ptr, b.len, NULL);
			b.ptr[i] = (char)(b.ptr[i] ^ flips[k]);
		}
	}
	ck_assert(decode(b.ptr, b.len, &e));
	buf_fini(&b);
}
END_TEST

START_TEST(refused)
{
	struct envelope e = sample(), out;
	struct scratch s;
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	e.n_rcpt = 0;
	envelope_encode(&e, &b);
	ck_assert(!decode(b.ptr, b.len, NULL));
	buf_clear(&b);
	e = sample();
	e.protocol = ENVELOPE_PROTOCOLS;
	envelope_encode(&e, &b);
	ck_assert(!decode(b.ptr, b.len, NULL));
	buf_clear(&b);
	e = sample();
	envelope_encode(&e, &b);
	scratch_init(&s, 8);	/* no room for the recipients */
	ck_assert(!envelope_decode(buf_slice(&b), &s, &out));
	b.ptr[0]++;	/* another version */
	ck_assert(!decode(b.ptr, b.len, NULL));
	scratch_fini(&s);
	buf_fini(&b);
	ck_assert_str_eq(envelope_protocol_name(ENVELOPE_SMTP), "smtp");
	ck_assert_str_eq(envelope_protocol_name(ENVELOPE_ESMTP), "esmtp");
	ck_assert_str_eq(envelope_protocol_name(ENVELOPE_INTERNAL), "internal");
	ck_assert_str_eq(envelope_protocol_name(200), "unknown");
}
END_TEST

START_TEST(unknown_fields_are_skipped)
{
	struct envelope e = sample();
	struct buf b;

	buf_init(&b, ENVELOPE_MAX_BYTES);
	envelope_encode(&e, &b);
	buf_append(&b, "\xc8\x03\x00xyz", 6);
	ck_assert(decode(b.ptr, b.len, &e));
	buf_fini(&b);
}
END_TEST

TCase *
tcase_envelope(void)
{
	TCase *t = tcase_create("envelope");

	tcase_add_test(t, round_trip);
	tcase_add_test(t, every_truncation);
	tcase_add_test(t, every_byte_changed);
	tcase_add_test(t, refused);
	tcase_add_test(t, unknown_fields_are_skipped);
	return t;
}
