/* SPDX-License-Identifier: Apache-2.0 */
/* What parses formats to the same text; any word goes there and back. */
#include "common/mail/msgid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[MSGID_TEXT_LEN + 1];
	struct slice s = slice_make(data, size);
	msgid id, back;

	if (msgid_parse(s, &id)) {
		msgid_format(id, text);
		ec_assert(slice_eq(s, slice_of(text)));
	}
	if (size >= sizeof id) {
		memcpy(&id, data, sizeof id);
		msgid_format(id, text);
		ec_assert(msgid_parse(slice_of(text), &back) && back == id);
		ec_assert(msgid_dir(id) < 256);
	}
	return 0;
}
