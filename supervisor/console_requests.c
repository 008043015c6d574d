/* SPDX-License-Identifier: Apache-2.0 */
/* Reload, reopen and shutdown by the console. */
#include "supervisor/console_requests.h"

#include "common/base/log.h"
#include "supervisor/supervisor.h"

#define ANSWER_MAX 32768u	/* of text; a packet holds 64 KiB */

static void
answer(struct child *to, uint32_t request, bool ok, struct slice text)
{
	struct buf *b;

	if (!ipc_link_is_up(&to->link)) {
		return;
	}
	text.len = EC_MIN(text.len, ANSWER_MAX);
	b = ipc_begin(&to->link, IPC_SUP_ANSWER);
	wire_put_u32(b, request);
	wire_put_u8(b, ok);
	wire_put_slice(b, text);
	ipc_end(&to->link);
}

static bool
serve(struct supervisor *sup, enum sup_request what, struct buf *text)
{
	switch (what) {
	case SUP_RELOAD:
		return reload_supervisor(sup, text);
	case SUP_REOPEN_LOGS:
		reopen_supervisor_logs(sup);
		buf_puts(text, "log files are opened anew");
		return true;
	case SUP_SHUTDOWN:
		buf_puts(text, "shutting down");
		stop_supervisor(sup, 0, "");
		return true;
	case SUP_REQUESTS:
		break;
	}
	return false;
}

void
console_request(struct supervisor *sup, struct child *from, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);
	uint32_t request = wire_u32(&r);
	unsigned what = wire_u8(&r);
	struct buf text;
	bool ok;

	if (r.bad || what >= SUP_REQUESTS) {
		ipc_bad(&from->link, "malformed SUP_REQUEST");
		return;
	}
	buf_init(&text, CONFIG_MAX_TOTAL);
	ok = serve(sup, (enum sup_request)what, &text);
	answer(from, request, ok, buf_slice(&text));
	buf_fini(&text);
}
