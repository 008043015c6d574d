/* SPDX-License-Identifier: Apache-2.0 */
/* Reply and stage -> what becomes of the message. */
#include "deliverer/reply_class.h"

/* Stages at which a reply speaks of the host, not of the message. */
static bool
is_of_host(unsigned stage)
{
	return stage != STAGE_MAIL_FROM && stage != STAGE_RCPT_TO &&
	    stage != STAGE_DATA && stage != STAGE_BODY &&
	    stage != STAGE_CONFIRMATION;
}

enum event_kind
reply_class(unsigned stage, unsigned code)
{
	if (code >= 200 && code <= 299) {
		/* Only the reply to the final dot takes the message over. */
		return stage == STAGE_CONFIRMATION ? EVENT_DELIVERY :
		    EVENT_TRANSIENT;
	}
	if (code < 500 || code > 599 || is_of_host(stage)) {
		return EVENT_TRANSIENT;
	}
	if (stage == STAGE_RCPT_TO && code == 552) {
		/* RFC 5321 4.5.3.1.10: old servers mean 452, too many. */
		return EVENT_TRANSIENT;
	}
	return EVENT_PERMANENT;
}

const struct internal_text *
internal_text(enum internal_failure f)
{
	static const struct internal_text texts[INTERNAL_COUNT] = {
#define X(id, code, kind, text) \
	[INTERNAL_##id] = { code, EVENT_##kind, #code " " text },
		INTERNAL_FAILURES(X)
#undef X
	};

	ec_assert((unsigned)f < INTERNAL_COUNT);
	return &texts[f];
}
