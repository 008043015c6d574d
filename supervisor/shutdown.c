/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of leaving.  First nothing comes in, then nothing goes out, then
 * the one that keeps the mail; the logger is last because all others speak to
 * it.  A group is asked when the one before it is gone; each worker has 30 s
 * until SIGKILL (process_table), which loses nothing that was accepted.
 */
#include "supervisor/supervisor.h"

#include <signal.h>

#include "common/base/log.h"
#include "supervisor/notify.h"

static const unsigned groups[] = {
	ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_DELIVERER),
	ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_RESOLVER) | ROLE_BIT(ROLE_CONSOLE),
	ROLE_BIT(ROLE_LOGGER),
};

/* An event for each worker of a group. */
static void
tell_group(struct supervisor *s, unsigned group, enum process_event event)
{
	struct child *c = NULL;

	while ((c = supervisor_next_child(s, c)) != NULL) {
		if ((groups[group] & ROLE_BIT(c->role)) != 0) {
			child_event(c, event, 0);
		}
	}
}

static bool
group_is_gone(struct supervisor *s, unsigned group)
{
	struct child *c = NULL;

	while ((c = supervisor_next_child(s, c)) != NULL) {
		if ((groups[group] & ROLE_BIT(c->role)) != 0 &&
		    c->proc.state != PROCESS_DEAD) {
			return false;
		}
	}
	return true;
}

/* The groups to come are not restarted meanwhile if they die. */
void
stop_supervisor_progress(struct supervisor *s)
{
	while (s->stop_group < ARRAY_LEN(groups) &&
	    group_is_gone(s, s->stop_group)) {
		s->stop_group++;
		if (s->stop_group < ARRAY_LEN(groups)) {
			tell_group(s, s->stop_group, PROCESS_E_DRAIN);
		}
	}
	if (s->stop_group == ARRAY_LEN(groups)) {
		loop_stop(s->loop);
	}
}

void
stop_supervisor(struct supervisor *s, int exit_code, const char *words)
{
	if (s->phase == PHASE_STOP) {
		return;
	}
	s->phase = PHASE_STOP;
	s->exit_code = exit_code;
	snprintf(s->last_words, sizeof s->last_words, "%s", words);
	if (exit_code != 0) {
		log_critical("%s; stopping", words);
	} else {
		log_notice("stopping");
	}
	notify_say(s->notify, "STOPPING=1");
	/* What waits in the backlogs is refused now, not at our very end. */
	listen_socks_fini(&s->socks);
	s->stop_group = 0;
	tell_group(s, 0, PROCESS_E_DRAIN);
	s->changed = true;
	loop_again(s->loop);
}

void
stop_supervisor_now(struct supervisor *s)
{
	stop_supervisor(s, 0, "");
	for (unsigned g = 0; g < ARRAY_LEN(groups); g++) {
		tell_group(s, g, PROCESS_E_STOP);
	}
}
