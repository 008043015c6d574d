/* SPDX-License-Identifier: Apache-2.0 */
/* Failures by class: one table, first fit. */
#include "logger/bounce_class.h"

#define ANY 0xffffu
#define STAGES_SETUP (1u << STAGE_NOT_CONNECTED | 1u << STAGE_BANNER | \
	1u << STAGE_EHLO | 1u << STAGE_AFTER_EHLO)
#define STAGES_RCPT (1u << STAGE_RCPT_TO | 1u << STAGE_AFTER_RCPT_TO)
#define STAGES_BODY (1u << STAGE_AFTER_DATA | 1u << STAGE_BODY | \
	1u << STAGE_CONFIRMATION)

struct row {
	uint16_t subject, detail;	/* of x.subject.detail; ANY: not asked */
	uint16_t code;			/* SMTP; below 10: its first digit */
	uint32_t stages;		/* bits; 0: any */
	const char *word;		/* in the text, lower case; NULL: any */
	uint8_t class;
};

static const struct row rows[] = {
	/* RFC 3463 and its registry; the most exact first. */
	{ 1, 2, 5, 0, NULL, BOUNCE_DNS_FAILURE },
	{ 1, 7, ANY, 0, NULL, BOUNCE_GENERIC },	/* the sender's address */
	{ 1, 8, ANY, 0, NULL, BOUNCE_GENERIC },
	{ 1, ANY, 5, 0, NULL, BOUNCE_INVALID_RECIPIENT },
	{ 2, 1, 5, 0, NULL, BOUNCE_INVALID_RECIPIENT },
	{ 2, 2, ANY, 0, NULL, BOUNCE_MAILBOX_FULL },
	{ 2, 3, ANY, 0, NULL, BOUNCE_TOO_LARGE },
	{ 3, 4, ANY, 0, NULL, BOUNCE_TOO_LARGE },
	{ 4, 3, ANY, 0, NULL, BOUNCE_DNS_FAILURE },
	{ 4, 4, ANY, 0, NULL, BOUNCE_DNS_FAILURE },
	{ 4, 7, ANY, 0, NULL, BOUNCE_TIMEOUT },
	{ 4, ANY, 5, 0, NULL, BOUNCE_SOFT },
	/* Words say more than what remains. */
	{ ANY, ANY, ANY, 0, "relay", BOUNCE_RELAYING_DENIED },
	{ ANY, ANY, ANY, 0, "virus", BOUNCE_PROHIBITED_ATTACHMENT },
	{ ANY, ANY, ANY, 0, "attachment", BOUNCE_PROHIBITED_ATTACHMENT },
	{ ANY, ANY, ANY, STAGES_BODY, "spam", BOUNCE_SPAM_CONTENT },
	{ ANY, ANY, ANY, 0, "spam", BOUNCE_SPAM_BLOCK },
	{ ANY, ANY, ANY, 0, "blacklist", BOUNCE_SPAM_BLOCK },
	{ ANY, ANY, ANY, 0, "blocklist", BOUNCE_SPAM_BLOCK },
	{ ANY, ANY, ANY, 0, "no valid recipients", BOUNCE_NO_RCPT },
	{ 6, ANY, 5, 0, NULL, BOUNCE_GENERIC },
	{ 7, ANY, 5, 0, NULL, BOUNCE_MAIL_BLOCK },
	/* Without an enhanced code. */
	{ ANY, ANY, 4, 0, NULL, BOUNCE_TRANSIENT },
	{ ANY, ANY, 552, STAGES_RCPT, NULL, BOUNCE_MAILBOX_FULL },
	{ ANY, ANY, 552, 0, NULL, BOUNCE_TOO_LARGE },
	{ ANY, ANY, 550, STAGES_RCPT, NULL, BOUNCE_INVALID_RECIPIENT },
	{ ANY, ANY, 551, 0, NULL, BOUNCE_INVALID_RECIPIENT },
	{ ANY, ANY, 553, STAGES_RCPT, NULL, BOUNCE_INVALID_RECIPIENT },
	{ ANY, ANY, 554, STAGES_SETUP, NULL, BOUNCE_MAIL_BLOCK },
	{ ANY, ANY, 5, 0, NULL, BOUNCE_GENERIC },
};

struct status {
	uint16_t klass, subject, detail;	/* ANY: there is none */
};

/* Digits up to the given end; false on none, too many, another end. */
static bool
take_number(struct slice *s, char end, uint16_t *out)
{
	size_t i = 0;
	unsigned n = 0;

	while (i < s->len && i < 3 && s->ptr[i] >= '0' && s->ptr[i] <= '9') {
		n = n * 10 + (unsigned)(s->ptr[i] - '0');
		i++;
	}
	if (i == 0 || (i < s->len && s->ptr[i] != end) ||
	    (i == s->len && end != ' ')) {
		return false;
	}
	*out = (uint16_t)n;
	*s = slice_skip(*s, i + 1);
	return true;
}

/* "550 5.1.1 text": the code, which may be missing, and the status. */
static struct status
read_status(struct slice reply, uint16_t *code)
{
	struct status st;
	struct slice s = reply, rest;
	uint16_t n;

	rest = s;
	if (take_number(&rest, ' ', &n) && n >= 200 && n <= 599) {
		*code = *code == 0 ? n : *code;
		s = rest;
	}
	if (take_number(&s, '.', &st.klass) && (st.klass == 4 ||
	    st.klass == 5) && take_number(&s, '.', &st.subject) &&
	    take_number(&s, ' ', &st.detail)) {
		return st;
	}
	return (struct status){ ANY, ANY, ANY };
}

static bool
has_word(struct slice text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.len; i++) {
		if (slice_eq_nocase(slice_make(text.ptr + i, n),
		    slice_make(word, n))) {
			return true;
		}
	}
	return false;
}

static bool
fits(const struct row *r, const struct event *e, struct status st,
    uint16_t code)
{
	unsigned digit = st.klass == ANY ? code / 100u : st.klass;

	return (r->subject == ANY || r->subject == st.subject) &&
	    (r->detail == ANY || r->detail == st.detail) &&
	    (r->code == ANY || r->code == code || r->code == digit) &&
	    (r->stages == 0 || (e->stage < 32 &&
	    (r->stages & 1u << e->stage) != 0)) &&
	    (r->word == NULL || has_word(e->reply, r->word));
}

enum bounce_class
bounce_class_of(const struct event *e)
{
	uint16_t code = e->code;
	struct status st = read_status(e->reply, &code);

	if (e->flags & EVENT_ADMIN) {
		return BOUNCE_ADMIN_FAILURE;
	}
	if (e->flags & EVENT_EXPIRED) {
		return BOUNCE_TIMEOUT;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (fits(&rows[i], e, st, code)) {
			return (enum bounce_class)rows[i].class;
		}
	}
	return e->kind == EVENT_TRANSIENT ? BOUNCE_TRANSIENT :
	    BOUNCE_UNDETERMINED;
}
