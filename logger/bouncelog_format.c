/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the bouncelog. */
#include "logger/bouncelog_format.h"

#include "logger/mainlog_format.h"

struct slice
bouncelog_line(char *bytes, size_t size, const struct event *e,
    enum bounce_class class)
{
	struct logline l = logline_make(bytes, size);

	mainlog_head(&l, e, e->kind == EVENT_TRANSIENT ? 'T' : 'B');
	logline_char(&l, '@');
	logline_address(&l, e->rcpt);
	logline_char(&l, '@');
	logline_address(&l, e->sender);
	mainlog_group_binding(&l, e);
	logline_char(&l, '@');
	logline_u64(&l, e->stage);
	logline_char(&l, '@');
	logline_u64(&l, (uint64_t)class);
	logline_char(&l, '@');
	logline_u64(&l, e->size);
	logline_char(&l, '@');
	logline_ip(&l, e->remote_ip);
	logline_char(&l, '@');
	logline_text(&l, e->reply, LOGLINE_KEPT);
	return logline_end(&l);
}
