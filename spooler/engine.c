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
	};
	size_t n = (size_t)config_int(worker_config(s->w), NULL,
	    OPT_SPOOL_ENGINE);

	if (n >= ARRAY_LEN(engines)) {
		*exit_code_out = 78;	/* EX_CONFIG */
		return error_set(err_out, ERROR_CONFIG, "this Spool_Engine is "
		    "not served yet: set it to journal or hashed");
	}
	s->engine = engines[n];
	if (s->engine == &engine_hashed) {
		s->hashed = hashed_create(s);
	}
	return 0;
}

void
engine_room(struct spooler *s)
{
	if (s->engine->room != NULL) {
		s->engine->room(s);
	}
}
