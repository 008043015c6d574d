/* SPDX-License-Identifier: Apache-2.0 */
/* One log line, by hand. */
#include "logger/logline.h"

#include <arpa/inet.h>

#include "common/mail/esc.h"

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

void
logline_u64(struct logline *l, uint64_t n)
{
	char digits[20];
	size_t at = sizeof digits;

	while (n >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + n % 100 * 2, 2);
		n /= 100;
	}
	if (n >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + n * 2, 2);
	} else {
		digits[--at] = (char)('0' + n);
	}
	logline_raw(l, slice_make(digits + at, sizeof digits - at));
}

void
logline_epoch(struct logline *l, uint64_t wall_us)
{
	logline_u64(l, wall_us / 1000000u);
}

void
logline_span(struct logline *l, uint64_t from_us, uint64_t to_us,
    unsigned decimals)
{
	uint64_t us = to_us > from_us ? to_us - from_us : 0;
	uint64_t unit = decimals == 3 ? 1000 : 10000;
	uint64_t parts = us / unit + (us % unit >= unit / 2);
	uint64_t per_second = 1000000u / unit, rest = parts % per_second;

	logline_u64(l, parts / per_second);
	logline_char(l, '.');
	if (decimals == 3) {
		logline_char(l, (char)('0' + rest / 100));
	}
	logline_raw(l, slice_make(pairs + rest % 100 * 2, 2));
}

void
logline_msgid(struct logline *l, msgid id)
{
	char text[MSGID_TEXT_LEN + 1];

	msgid_format(id, text);
	logline_raw(l, slice_make(text, MSGID_TEXT_LEN));
}

static bool
stands(unsigned char c, enum logline_how how)
{
	if (c < 0x20 || c > 0x7e) {
		return false;
	}
	if (c == '\\') {
		return how == LOGLINE_KEPT;
	}
	return !(c == '@' && how == LOGLINE_LOCAL) &&
	    !(c == '"' && how == LOGLINE_QUOTED);
}

static void
put_escaped(struct logline *l, struct slice c, enum logline_how how)
{
	char out[ESC_MAX_GROWTH];
	size_t n;

	if (*c.ptr == '"') {
		memcpy(out, "\\x22", n = 4);
	} else {
		n = esc_write(out, sizeof out, c, how == LOGLINE_LOCAL ?
		    ESC_LOCAL : ESC_TEXT, NULL);
	}
	/* An escape is whole or not there. */
	if (n <= (size_t)(l->end - l->p)) {
		logline_raw(l, slice_make(out, n));
	}
}

void
logline_text(struct logline *l, struct slice s, enum logline_how how)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (stands((unsigned char)s.ptr[i], how)) {
			continue;
		}
		logline_raw(l, slice_make(s.ptr + from, i - from));
		put_escaped(l, slice_make(s.ptr + i, 1), how);
		from = i + 1;
	}
	if (from < s.len) {
		logline_raw(l, slice_make(s.ptr + from, s.len - from));
	}
}

bool
logline_ip_is_zero(const uint8_t ip[16])
{
	static const uint8_t zero[16];

	return memcmp(ip, zero, sizeof zero) == 0;
}

void
logline_ip(struct logline *l, const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (memcmp(ip, mapped, sizeof mapped) == 0) {
		for (int i = 12; i < 16; i++) {
			if (i > 12) {
				logline_char(l, '.');
			}
			logline_u64(l, ip[i]);
		}
	} else if (!logline_ip_is_zero(ip) &&
	    inet_ntop(AF_INET6, ip, text, sizeof text) != NULL) {
		logline_raw(l, slice_of(text));
	}
}

void
logline_address(struct logline *l, struct slice address)
{
	/* A quoted local part may have '@' in it, a domain never. */
	ssize_t at = slice_rfind(address, '@');
	size_t local = at < 0 ? address.len : (size_t)at;

	logline_text(l, slice_make(address.ptr, local), LOGLINE_LOCAL);
	logline_char(l, '@');
	if (at >= 0) {
		logline_text(l, slice_skip(address, local + 1),
		    LOGLINE_LOCAL);
	}
}

struct slice
logline_end(struct logline *l)
{
	*l->p = '\n';
	return slice_make(l->start, (size_t)(l->p - l->start) + 1);
}
