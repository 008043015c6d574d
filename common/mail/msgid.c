/* SPDX-License-Identifier: Apache-2.0 */
/* Ids: text form and leases. */
#include "common/mail/msgid.h"

static const char hex[] = "0123456789ABCDEF";

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

unsigned
msgid_dir(msgid id)
{
	unsigned low = msgid_counter(id) & 0xff;

	return (low & 0xf) << 4 | low >> 4;
}

void
msgid_format(msgid id, char out[MSGID_TEXT_LEN + 1])
{
	unsigned c = msgid_counter(id), a = msgid_allocator(id);
	uint32_t s = msgid_seconds(id);

	/* Lowest nibble first: consecutive ids walk the directories. */
	out[0] = hex[c & 0xf];
	out[1] = hex[c >> 4 & 0xf];
	out[2] = '/';
	out[3] = hex[c >> 8 & 0xf];
	out[4] = hex[c >> 12 & 0xf];
	out[5] = '-';
	for (int i = 10; i >= 6; i--) {
		out[i] = hex[a % 10];
		a /= 10;
	}
	out[11] = '-';
	for (int i = 12; i < 20; i++) {
		out[i] = hex[s & 0xf];
		s >>= 4;
	}
	out[20] = '\0';
}

bool
msgid_parse(struct slice t, msgid *out)
{
	static const unsigned char where[4] = { 0, 1, 3, 4 };
	uint32_t c = 0, a = 0, s = 0;

	if (t.len != MSGID_TEXT_LEN || t.ptr[2] != '/' || t.ptr[5] != '-' ||
	    t.ptr[11] != '-') {
		return false;
	}
	for (int i = 3; i >= 0; i--) {
		int v = hex_value(t.ptr[where[i]]);

		if (v < 0) {
			return false;
		}
		c = c << 4 | (uint32_t)v;
	}
	for (int i = 6; i < 11; i++) {
		if (t.ptr[i] < '0' || t.ptr[i] > '9') {
			return false;
		}
		a = a * 10 + (uint32_t)(t.ptr[i] - '0');
	}
	for (int i = 19; i >= 12; i--) {
		int v = hex_value(t.ptr[i]);

		if (v < 0) {
			return false;
		}
		s = s << 4 | (uint32_t)v;
	}
	if (a > UINT16_MAX) {
		return false;
	}
	*out = msgid_make(s, (uint16_t)a, (uint16_t)c);
	return true;
}

void
id_source_lease(struct id_source *s, uint16_t allocator, uint32_t first_second,
    uint32_t last_second)
{
	*s = (struct id_source){ true, allocator, first_second, last_second, 0 };
}

msgid
id_source_next(struct id_source *s, uint32_t wall_seconds)
{
	if (!s->leased) {
		return MSGID_NONE;
	}
	if (wall_seconds > s->seconds) {
		s->seconds = wall_seconds;
		s->next = 0;
	}
	if (s->next > UINT16_MAX || s->seconds > s->last_second) {
		s->leased = false;
		return MSGID_NONE;
	}
	return msgid_make(s->seconds, s->allocator, (uint16_t)s->next++);
}
