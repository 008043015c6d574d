/* SPDX-License-Identifier: Apache-2.0 */
/* The spooler process, its supervisor and its logger. */
#include "tests/spooler/rig.h"

#include <check.h>
#include <glob.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/log.h"

static void
copy_text(char *to, size_t size, struct slice from)
{
	slice_copy(to, size, from);
}

static void
set_board(struct rig *r)
{
	struct scoreboard *b = r->h.scoreboard;

	atomic_store(&b->n_workers[ROLE_LISTENER], r->n_listeners);
	atomic_store(&b->n_workers[ROLE_DELIVERER], r->n_deliverers);
	for (unsigned i = 0; i < r->n_listeners; i++) {
		atomic_store(&b->process[ROLE_LISTENER][i].pid, 1);
	}
	for (unsigned i = 0; i < r->n_deliverers; i++) {
		atomic_store(&b->process[ROLE_DELIVERER][i].pid, 1);
	}
}

static void
on_event(struct fake_logger *l, uint64_t position, struct slice bytes)
{
	struct seen *s;

	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 1024;
		l->seen = xrealloc(l->seen, l->cap * sizeof *l->seen);
	}
	s = &l->seen[l->n++];
	memset(s, 0, sizeof *s);
	s->position = position;
	ck_assert(event_decode(bytes, &s->e));
	copy_text(s->rcpt, sizeof s->rcpt, s->e.rcpt);
	copy_text(s->reply, sizeof s->reply, s->e.reply);
	copy_text(s->sender, sizeof s->sender, s->e.sender);
	if (l->n > 1) {
		ck_assert_uint_ge(position, s[-1].position);
	}
	ck_assert_uint_gt(position, l->acks && l->n > 1 &&
	    s[-1].position != position ? l->durable : 0);
}

static void
ack(struct fake_logger *l)
{
	struct buf *b;

	if (l->n == 0 || !l->up || l->seen[l->n - 1].position <= l->durable) {
		return;
	}
	l->durable = l->seen[l->n - 1].position;
	b = ipc_begin(&l->link, IPC_LOG_ACK);
	wire_put_u64(b, l->durable);
	ipc_end(&l->link);
}

static void
on_logger(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct fake_logger *l = arg;
	struct wire_r r = wire_reader(m->body);
	uint64_t position = wire_u64(&r);

	(void)k;
	ck_assert_int_eq(m->type, IPC_LOG_EVENT);
	on_event(l, position, slice_make(r.p, wire_left(&r)));
	if (l->acks && l->n >= 2 && l->seen[l->n - 2].position != position) {
		/* The record before is whole. */
		struct buf *b;

		l->durable = l->seen[l->n - 2].position;
		b = ipc_begin(&l->link, IPC_LOG_ACK);
		wire_put_u64(b, l->durable);
		ipc_end(&l->link);
	}
}

static void
on_logger_down(void *arg, struct ipc_link *k, const char *why)
{
	struct fake_logger *l = arg;

	(void)why;
	ipc_link_close(k);
	l->up = false;
}

/* Connects the spooler with a peer of ours of that incarnation. */
void
rig_connect(struct rig *r, struct ipc_link *k, enum ipc_role as, unsigned index,
    uint32_t incarnation, ipc_msg_fn on_msg, ipc_down_fn on_down, void *arg)
{
	struct error err = { 0 };
	struct buf body;
	int pair[2];

	ck_assert_msg(ipc_pair(pair, &err) == 0, "%s", err.text);
	buf_init(&body, 64);
	wire_put_u8(&body, (uint8_t)as);
	wire_put_u8(&body, (uint8_t)index);
	wire_put_u32(&body, incarnation);
	ipc_send_fd(&r->h.control, IPC_SUP_LINK, buf_slice(&body), &pair[1],
	    1);
	buf_fini(&body);
	close(pair[1]);
	ipc_link_open(k, &r->h.hub, pair[0], as, ROLE_SPOOLER, 0, on_msg,
	    on_down, arg);
	k->incarnation = r->h.incarnation;
}

void
rig_link_logger(struct rig *r)
{
	struct fake_logger *l = &r->logger;
	struct buf *b;

	rig_connect(r, &l->link, ROLE_LOGGER, 0, 1, on_logger, on_logger_down,
	    l);
	l->up = true;
	/* What it had not made durable it has lost. */
	while (l->n > 0 && l->seen[l->n - 1].position > l->durable) {
		l->n--;
	}
	b = ipc_begin(&l->link, IPC_LOG_HELLO);
	wire_put_u64(b, l->durable);
	ipc_end(&l->link);
}

void
rig_unlink_logger(struct rig *r, bool crash)
{
	if (!crash && r->h.pid > 0 && !r->h.gone) {
		ack(&r->logger);	/* else its last record may be half */
	}
	if (r->logger.up) {
		ipc_link_close(&r->logger.link);
		r->logger.up = false;
	}
}

void
rig_prepare(struct rig *r, const char *conf)
{
	memset(r, 0, sizeof *r);
	snprintf(r->dir, sizeof r->dir, "/tmp/test_spooler.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->conf, sizeof r->conf, "SpoolBase = \"%s\"\n"
	    "Journal_Size = 67108864\nHostname = \"mx.example.org\"\n"
	    "Max_Retries = none\n%s", r->dir, conf);
	log_init("test", -1, EC_CRITICAL, false);
	r->loop = loop_create();
	r->n_deliverers = r->n_listeners = 1;
	r->logger.rig = r;
	r->logger.acks = true;
}

void
rig_run(struct rig *r)
{
	struct error err = { 0 };

	ck_assert_msg(worker_harness_start(&r->h, r->loop, "spooler/spooler",
	    ROLE_SPOOLER, 0, slice_of(r->conf), &err) == 0, "%s", err.text);
	set_board(r);
	rig_until(r, worker_harness_is_ready, &r->h);
	ck_assert_msg(r->h.ready, "%.*s %.*s",
	    SLICE_ARG(buf_slice(&r->h.failed)),
	    SLICE_ARG(buf_slice(&r->h.log)));
	rig_link_logger(r);
	for (unsigned i = 0; i < r->n_listeners; i++) {
		listener_open(r, i);
	}
	for (unsigned i = 0; i < r->n_deliverers; i++) {
		deliverer_open(r, i, 8);
	}
}

void
rig_start(struct rig *r, const char *conf)
{
	rig_prepare(r, conf);
	rig_run(r);
}

static void
between(void *arg)
{
	struct rig *r = arg;

	if (r->between != NULL) {
		r->between(r);
	}
}

void
rig_kill_only(struct rig *r)
{
	struct error err = { 0 };

	/* What it said before its death is read. */
	kill(r->h.pid, SIGKILL);
	rig_until(r, worker_harness_is_gone, &r->h);
	for (unsigned i = 0; i < r->n_listeners; i++) {
		listener_unlink(&r->listener[i]);
	}
	for (unsigned i = 0; i < r->n_deliverers; i++) {
		deliverer_unlink(&r->deliverer[i]);
	}
	rig_unlink_logger(r, false);
	r->restarts++;
	ck_assert_msg(worker_harness_restart(&r->h, slice_of(r->conf), between,
	    r, &err) == 0, "%s", err.text);
	rig_until(r, worker_harness_is_ready, &r->h);
	ck_assert_msg(r->h.ready, "%.*s", SLICE_ARG(buf_slice(&r->h.log)));
}

void
rig_kill(struct rig *r)
{
	rig_kill_only(r);
	rig_link_logger(r);
	for (unsigned i = 0; i < r->n_deliverers; i++) {
		deliverer_link(&r->deliverer[i]);
	}
	for (unsigned i = 0; i < r->n_listeners; i++) {
		listener_link(&r->listener[i]);
	}
}

void
rig_stop(struct rig *r)
{
	char command[128];
	int status;

	for (unsigned i = 0; i < r->n_listeners; i++) {
		listener_close(&r->listener[i]);
	}
	for (unsigned i = 0; i < r->n_deliverers; i++) {
		deliverer_close(&r->deliverer[i]);
	}
	rig_unlink_logger(r, false);
	ck_assert_msg(!r->h.gone, "it died: %.*s",
	    SLICE_ARG(buf_slice(&r->h.log)));
	status = worker_harness_stop(&r->h, RIG_WAIT_US);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "status %x", (unsigned)status);
	loop_destroy(&r->loop);
	for (unsigned i = 0; i < r->n_mails; i++) {
		free(r->mail[i]);
	}
	free(r->logger.seen);
	snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
	ck_assert_int_eq(system(command), 0);
}

void
rig_until_at(struct rig *r, bool (*fn)(void *), void *arg, const char *what)
{
	uint64_t end = clock_mono_us() + RIG_WAIT_US;
	bool done = false;

	/* Files and scores change without an event of ours. */
	while (!done && clock_mono_us() < end) {
		done = worker_harness_wait(&r->h, 20000, fn, arg);
	}
	ck_assert_msg(done, "%s did not come%s; deliverer link %d, jobs %u, "
	    "works %u; queued %u active %u delayed %u in flight %u; the "
	    "spooler said:\n%.*s", what, r->h.gone ? " (it is gone)" : "",
	    r->deliverer[0].up, r->deliverer[0].n_jobs, r->deliverer[0].n_works,
	    (unsigned)rig_score(r, SCORE_S_QUEUED),
	    (unsigned)rig_score(r, SCORE_S_ACTIVE),
	    (unsigned)rig_score(r, SCORE_S_DELAYED),
	    (unsigned)rig_score(r, SCORE_S_IN_FLIGHT),
	    SLICE_ARG(buf_slice(&r->h.log)));
}

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

void
rig_turn(struct rig *r, uint64_t us)
{
	worker_harness_wait(&r->h, us, never, NULL);
}

uint64_t
rig_score(const struct rig *r, unsigned number)
{
	return score_get(&r->h.scoreboard->slot[ROLE_SPOOLER][0], number);
}

bool
rig_log_has(const struct rig *r, const char *text)
{
	return rig_log_count(r, text) > 0;
}

unsigned
rig_log_count(const struct rig *r, const char *text)
{
	struct slice s = buf_slice(&r->h.log);
	unsigned n = 0;

	for (const char *at; (at = memmem(s.ptr, s.len, text,
	    strlen(text))) != NULL; n++) {
		s = slice_skip(s, (size_t)(at - s.ptr) + strlen(text));
	}
	return n;
}

unsigned
rig_files(const struct rig *r, const char *pattern)
{
	char path[160];
	unsigned n = 0;
	glob_t g;

	snprintf(path, sizeof path, "%s/%s", r->dir, pattern);
	if (glob(path, 0, NULL, &g) == 0) {
		n = (unsigned)g.gl_pathc;
	}
	globfree(&g);
	return n;
}

bool
rig_is_drained(void *arg)
{
	const struct rig *r = arg;

	return rig_score(r, SCORE_S_QUEUED) == 0 &&
	    rig_files(r, "[0-9A-F][0-9A-F]/*") == 0;
}

const struct seen *
logger_find(const struct rig *r, msgid id, int kind, unsigned nth)
{
	for (size_t i = 0; i < r->logger.n; i++) {
		const struct seen *s = &r->logger.seen[i];

		if ((id == MSGID_NONE || s->e.id == id) && s->e.kind == kind &&
		    nth-- == 0) {
			return s;
		}
	}
	return NULL;
}

unsigned
logger_count(const struct rig *r, msgid id, int kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->logger.n; i++) {
		const struct seen *s = &r->logger.seen[i];

		n += (id == MSGID_NONE || s->e.id == id) && s->e.kind == kind;
	}
	return n;
}
