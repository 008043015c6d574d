/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome: what outcome.c reads, or makes up, and outcome_write.c puts into the
 * journal: one batch per outcome, with the bounce that it causes.
 */
#ifndef EC_OUTCOME_H
#define EC_OUTCOME_H

#include "spooler/spooler.h"

#define OUTCOME_EXPIRED_TIME \
	"554 5.4.7 [internal] exceeded max time without delivery"
#define OUTCOME_EXPIRED_RETRIES \
	"554 5.4.7 [internal] exceeded max retries without delivery"

#define OUTCOME_POISON \
	"554 5.3.0 [internal] in quarantine: its delivery ends the deliverer"
#define OUTCOME_CUT "451 4.4.1 [internal] the delivery was cut off"

struct result {		/* one recipient's, as said or as made up by us */
	uint32_t msg;		/* index slot, 0: not ours any more */
	uint8_t kind, stage;
	uint16_t code;
	struct slice reply;
	unsigned flags;		/* event flags */
};

struct outcome {
	uint64_t work;		/* 0: no work to acknowledge */
	uint8_t deliverer;
	uint64_t sent;
	uint8_t remote_ip[16];
	uint16_t remote_port;
	struct slice remote_name;
	struct buf texts;	/* replies that had to be escaped */
	unsigned n;
	struct result results[STAGE_RCPTS];
};

/* Is there room now for its records and a bounce, with ids for that? */
bool outcome_has_room(struct spooler *s, const struct outcome *o);
/* Writes all records of an outcome for which there is room. */
void outcome_write(struct spooler *s, struct outcome *o);

#endif
