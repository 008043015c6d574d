/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bouncelog_format: the line of a failed delivery in the bouncelog, byte for
 * byte as the reference's 3.x releases write it; pure.
 *
 *	B time id batch conn B rcpt-local rcpt-domain sender-local
 *	T   sender-domain group binding stage class size ip reply
 *
 * joined by '@'; escapes as in the mainlog.  B is a permanent failure, T one
 * that will be tried again.
 */
#ifndef EC_LOGGER_BOUNCELOG_FORMAT_H
#define EC_LOGGER_BOUNCELOG_FORMAT_H

#include "common/mail/event.h"
#include "logger/bounce_class.h"
#include "logger/logline.h"

struct slice bouncelog_line(char *bytes, size_t size, const struct event *e,
	enum bounce_class class);

#endif
