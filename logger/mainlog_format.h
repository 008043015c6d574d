/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mainlog_format: the lines of mainlog, rejectlog and paniclog, byte for byte
 * as the reference's 3.x releases write them.  Pure: the time is in the event.
 *
 *	R time id batch conn R rcpt-local rcpt-domain sender-local
 *	  sender-domain ip size protocol group binding
 *	D time id batch conn D domain bytes group binding retries seconds ip
 *	T time id batch conn T domain bytes group binding stage retries
 *	P   seconds ip reply
 *
 * joined by '@'.  In local parts '@' and '\' are escaped; strange bytes are
 * \xHH everywhere.  A null sender is two empty fields.  A failure without a
 * connection has an empty address, a reception from nowhere "unknown".
 *
 * Each gives the whole line, with its end, in the caller's bytes.
 */
#ifndef EC_LOGGER_MAINLOG_FORMAT_H
#define EC_LOGGER_MAINLOG_FORMAT_H

#include "common/mail/event.h"
#include "common/mail/reject.h"
#include "logger/logline.h"

/* R, D, T or P by the event's kind. */
struct slice mainlog_event(char *bytes, size_t size, const struct event *e);
/* "1251470342@@@@M1", also of the bouncelog. */
struct slice mainlog_heartbeat(char *bytes, size_t size, uint64_t wall_us);
struct slice rejectlog_line(char *bytes, size_t size, const struct reject *r);
/* "1252064908: Marker 1" */
struct slice rejectlog_heartbeat(char *bytes, size_t size, uint64_t wall_us);
/* "epoch:text", no blank between. */
struct slice paniclog_line(char *bytes, size_t size, uint64_t wall_us,
	struct slice text);

/* Shared with the bouncelog: "time@id@batch@conn@" and the letter. */
void mainlog_head(struct logline *l, const struct event *e, char letter);
/* "@group@binding", each "default" when empty. */
void mainlog_group_binding(struct logline *l, const struct event *e);

#endif
