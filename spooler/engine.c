/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine, and the default one. */
#include "spooler/engine.h"

static enum journal_room
accept_journal(struct spooler *s, struct txn *x,
    const struct journal_note *note, bool resent)
{
	(void)resent;
	return intake_append(s, x, false, note);
}

const struct engine engine_journal = {
	.name = "journal",
	.accept = accept_journal,
};

int
engine_start(struct spooler *s, int *exit_code_out, struct error *err_out)
{
	static const struct engine *const engines[] = {
		[CONFIG_SPOOL_JOURNAL] = &engine_journal,
		[CONFIG_SPOOL_HASHED] = &engine_hashed,
		[CONFIG_SPOOL_MEMORY] = &engine_memory,
		[CONFIG_SPOOL_PASSTHROUGH] = &engine_passthrough,
	};
	size_t n = (size_t)config_int(worker_config(s->w), NULL,
	    OPT_SPOOL_ENGINE);

	ec_assert(n < ARRAY_LEN(engines));
	s->engine = engines[n];
	if (s->engine == &engine_hashed) {
		s->hashed = hashed_create(s);
	} else if (s->engine == &engine_passthrough) {
		passthrough_start(s);
	} else if (s->engine == &engine_memory && memory_start(s,
	    err_out) < 0) {
		*exit_code_out = 78;	/* EX_CONFIG */
		return -1;
	}
	return 0;
}

bool
engine_drained(struct spooler *s)
{
	return s->engine->drained == NULL || s->engine->drained(s);
}

void
engine_room(struct spooler *s)
{
	if (s->engine->room != NULL) {
		s->engine->room(s);
	}
}
