/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile server against the client machine: two mails, the second behind
 * the dot where that is offered.  However its bytes are cut the results are
 * the same; in the end each mail is untouched, to be retried, or has a result
 * for every recipient; a delivery needs a 2xx after the dot.
 */
#include "common/mail/event.h"
#include "deliverer/smtp_client.h"

#define RCPTS 3u

struct run {
	struct smtp_client c;
	struct smtp_mail mail[2];
	struct smtp_rcpt rcpt[2][RCPTS];
	struct buf out;
	unsigned given, dots;
};

static void
give(struct run *r)
{
	while (r->given < 2 && (r->c.state == SMTP_STATE_IDLE ||
	    smtp_client_takes_next(&r->c))) {
		smtp_client_mail(&r->c, &r->mail[r->given++]);
	}
}

static void
feed(struct run *r, struct slice in)
{
	while (in.len > 0 && r->c.state != SMTP_STATE_CLOSED) {
		size_t used;
		enum smtp_effect eff = smtp_client_feed(&r->c, in, &used);

		ec_assert(used <= in.len && (used > 0 || eff != SMTP_MORE));
		in = slice_skip(in, used);
		give(r);
		if (eff == SMTP_BODY) {
			smtp_client_dot_sent(&r->c);
			r->dots++;
		}
	}
}

static void
play(struct run *r, struct slice all, size_t step)
{
	memset(r, 0, sizeof *r);
	buf_init(&r->out, 1u << 20);
	smtp_client_init(&r->c, SLICE("me"), false, &r->out);
	for (unsigned m = 0; m < 2; m++) {
		r->mail[m].rcpt = r->rcpt[m];
		r->mail[m].n_rcpt = RCPTS;
		buf_init(&r->mail[m].texts, SMTP_TEXTS_MAX);
		for (unsigned i = 0; i < RCPTS; i++) {
			r->rcpt[m][i].addr = SLICE("a@b");
		}
	}
	while (all.len > 0) {
		size_t n = EC_MIN(step, all.len);

		feed(r, slice_make(all.ptr, n));
		all = slice_skip(all, n);
	}
	smtp_client_closed(&r->c);
	ec_assert(r->c.state == SMTP_STATE_CLOSED);
}

static void
check(const struct run *r)
{
	unsigned delivered = 0;

	for (unsigned m = 0; m < 2; m++) {
		unsigned judged = 0;

		for (unsigned i = 0; i < RCPTS; i++) {
			const struct smtp_result *x = &r->rcpt[m][i].result;

			judged += x->kind != 0;
			delivered += x->kind == EVENT_DELIVERY && i == 0;
			ec_assert(x->kind != EVENT_DELIVERY ||
			    r->rcpt[m][i].accepted);
			ec_assert((size_t)x->text_at + x->text_len <=
			    r->mail[m].texts.len);
		}
		ec_assert(m >= r->given ? judged == 0 :
		    judged == RCPTS || r->mail[m].retry);
	}
	ec_assert(delivered <= r->dots);
}

/* By field: what lies between them is nobody's. */
static bool
is_same(const struct smtp_result *x, const struct smtp_result *y)
{
	return x->kind == y->kind && x->stage == y->stage &&
	    x->code == y->code && x->text_len == y->text_len &&
	    x->text_at == y->text_at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_make(data, size);
	struct run a, b;

	play(&a, all, size + 1);
	play(&b, all, 1);
	check(&a);
	check(&b);
	ec_assert(a.given == b.given && a.dots == b.dots);
	ec_assert(slice_eq(buf_slice(&a.out), buf_slice(&b.out)));
	for (unsigned m = 0; m < 2; m++) {
		for (unsigned i = 0; i < RCPTS; i++) {
			ec_assert(is_same(&a.rcpt[m][i].result,
			    &b.rcpt[m][i].result));
		}
		buf_fini(&a.mail[m].texts);
		buf_fini(&b.mail[m].texts);
	}
	buf_fini(&a.out);
	buf_fini(&b.out);
	return 0;
}
