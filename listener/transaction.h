/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction: MAIL to dot, on the driver's side of the session machine.
 */
#ifndef EC_TRANSACTION_H
#define EC_TRANSACTION_H

#include "listener/listener.h"

/* Nothing of a transaction is left; the body's memory goes back. */
void transaction_reset(struct session *s);
void transaction_fini(struct session *s);
/* Does what one step asked for (but saying and closing); the outcome is
 * another step's, empty when there was nothing to decide. */
struct smtp_out transaction_effect(struct session *s, unsigned effects,
	const struct smtp_command *cmd);
/* The content is complete. */
struct smtp_out transaction_dot(struct session *s);

#endif
