/* SPDX-License-Identifier: Apache-2.0 */
/* What was refused, told to the logger for the rejectlog. */
#include "listener/listener.h"

#include "common/base/clock.h"
#include "common/mail/reject.h"

static const char *
phase_of(enum smtp_state was)
{
	switch (was) {
	case SMTP_ST_NONE:
	case SMTP_ST_CONNECT:
		return "connect";
	case SMTP_ST_GREETED:
	case SMTP_ST_HELLO_CHECK:
		return "awaiting ehlo";
	case SMTP_ST_READY:
	case SMTP_ST_MAIL_CHECK:
		return "awaiting mailfrom";
	case SMTP_ST_MAIL:
	case SMTP_ST_RCPT1_CHECK:
	case SMTP_ST_RCPT:
	case SMTP_ST_RCPT_CHECK:
		return "awaiting rcptto";
	case SMTP_ST_DATA_CHECK:
		return "awaiting data";
	case SMTP_ST_DATA:
	case SMTP_ST_DISCARD_LARGE:
	case SMTP_ST_DISCARD_FULL:
		return "reading body";
	case SMTP_ST_STORING:
		return "async body response";
	case SMTP_ST_TLS:
	case SMTP_ST_AUTH:
	case SMTP_ST_CLOSING:
	case SMTP_ST_CLOSED:
	case SMTP_ST_COUNT:
		return "closing";
	}
	return "unknown";
}

void
refuse_log(struct session *s, enum smtp_state was, unsigned code,
    struct slice text)
{
	struct ipc_link *k = worker_link(s->l->w, ROLE_LOGGER, 0);
	struct reject r = { .time_us = clock_wall_us(),
		.remote_port = s->peer_port, .local_port = s->local_port,
		.code = (uint16_t)code, .conn_id = s->conn_id,
		.phase = slice_of(phase_of(was)), .text = text };

	score_add(worker_score(s->l->w), code >= 500 ? SCORE_L_REJECTED :
	    SCORE_L_DEFERRED, 1);
	/* A logger that does not read costs lines of the rejectlog, never
	 * memory or mail. */
	if (k == NULL || ipc_backlog(k) > (1u << 20)) {
		return;
	}
	memcpy(r.remote_ip, s->peer_ip, sizeof r.remote_ip);
	memcpy(r.local_ip, s->local_ip, sizeof r.local_ip);
	if (s->helo[0] != '\0') {
		reject_pair_add(&r.conn, SLICE("ehlo_domain"),
		    slice_of(s->helo));
	}
	if (s->sender.ptr != NULL) {
		reject_pair_add(&r.mess, SLICE("mailfrom_string"), s->sender);
	}
	reject_encode(&r, ipc_begin(k, IPC_LOG_REJECT));
	ipc_end(k);
}
