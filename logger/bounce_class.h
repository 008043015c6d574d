/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounce_class: what kind of failure a reply tells of, as the reference's
 * classification codes.  A pure function: the first row of one ordered table
 * that fits the event (enhanced status code, SMTP code, a word of the text,
 * where it happened) decides.
 */
#ifndef EC_LOGGER_BOUNCE_CLASS_H
#define EC_LOGGER_BOUNCE_CLASS_H

#include "common/mail/event.h"

enum bounce_class {
	BOUNCE_UNDETERMINED = 1,
	BOUNCE_INVALID_RECIPIENT = 10,
	BOUNCE_SOFT = 20,
	BOUNCE_DNS_FAILURE = 21,
	BOUNCE_MAILBOX_FULL = 22,
	BOUNCE_TOO_LARGE = 23,
	BOUNCE_TIMEOUT = 24,
	BOUNCE_ADMIN_FAILURE = 25,
	BOUNCE_NO_RCPT = 30,
	BOUNCE_GENERIC = 40,
	BOUNCE_MAIL_BLOCK = 50,
	BOUNCE_SPAM_BLOCK = 51,
	BOUNCE_SPAM_CONTENT = 52,
	BOUNCE_PROHIBITED_ATTACHMENT = 53,
	BOUNCE_RELAYING_DENIED = 54,
	BOUNCE_AUTO_REPLY = 60,
	BOUNCE_TRANSIENT = 70,
	BOUNCE_SUBSCRIBE = 80,
	BOUNCE_UNSUBSCRIBE = 90,
	BOUNCE_CHALLENGE_RESPONSE = 100,
};

/* Of a T or P event. */
enum bounce_class bounce_class_of(const struct event *e);

#endif
