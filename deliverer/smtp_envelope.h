/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_envelope: what smtp_client says and keeps for one mail: MAIL and RCPT
 * as bytes for what the server offered, the server's keywords, and results.
 * Pure; used by smtp_client alone, apart so that it can be tested alone.
 */
#ifndef EC_SMTP_ENVELOPE_H
#define EC_SMTP_ENVELOPE_H

#include "common/base/num.h"
#include "deliverer/smtp_client.h"

void smtp_put_mail(struct buf *out, const struct smtp_mail *m, uint32_t caps);
void smtp_put_rcpt(struct buf *out, const struct smtp_rcpt *r, uint32_t caps);
/* SMTP_CAP_* of the reply to EHLO; the bound said with SIZE, or 0. */
uint32_t smtp_read_caps(struct slice text, uint64_t *size_out);
/* No control character: it cannot become another command. */
bool smtp_address_is_sendable(struct slice s);
/* A result whose text is kept in m. */
struct smtp_result smtp_mail_result(struct smtp_mail *m, unsigned kind,
	unsigned stage, unsigned code, struct slice text);

#endif
