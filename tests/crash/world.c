/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/world.h"

#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "common/base/log.h"
#include "common/base/num.h"
#include "spooler/life.h"
#include "tests/support/crashfs.h"

#define TURN_US 1000u
#define SEGMENT_BYTES (256u << 10)	/* a bounce must fit in one */
#define SEGMENTS 6u
#define DELTAS 3u		/* of one base: several bases are to come */
#define RESERVE_STEP (64u << 10)

struct packet {
	struct list_node link;
	struct ipc_link *to;
	bool for_spooler;
	enum ipc_type type;
	int fd;
	size_t len;
	char bytes[];
};

/* ipc_end() has no argument for it. */
static struct world *here;

/* Links. */

static void
post(struct world *w, struct ipc_link *k, bool for_spooler, enum ipc_type type,
    struct slice body, int fd)
{
	struct packet *p = xmalloc(sizeof *p + body.len);

	p->to = k;
	p->for_spooler = for_spooler;
	p->type = type;
	p->fd = fd < 0 ? -1 : dup(fd);
	p->len = body.len;
	if (body.len > 0) {
		memcpy(p->bytes, body.ptr, body.len);
	}
	list_push_back(&w->packets, &p->link);
}

const char *
ipc_type_name(unsigned type)
{
	(void)type;
	return "message";
}

struct buf *
ipc_begin(struct ipc_link *k, enum ipc_type type)
{
	k->begun = type;
	buf_clear(&k->out);
	return &k->out;
}

void
ipc_end(struct ipc_link *k)
{
	ec_assert(!k->out.full);
	post(here, k, false, (enum ipc_type)k->begun, buf_slice(&k->out), -1);
}

void
ipc_say(struct ipc_link *k, enum ipc_type type)
{
	post(here, k, false, type, SLICE(""), -1);
}

void
ipc_send_fd(struct ipc_link *k, enum ipc_type type, struct slice body,
    const int *fds, int n_fds)
{
	(void)fds;	/* memory that this process has mapped already */
	(void)n_fds;
	post(here, k, false, type, body, -1);
}

int
ipc_take_fd(struct ipc_msg *m)
{
	int fd = m->n_fds > 0 ? m->fds[0] : -1;

	m->n_fds = 0;
	return fd;
}

size_t
ipc_backlog(const struct ipc_link *k)
{
	(void)k;
	return 0;
}

void
ipc_bad(struct ipc_link *k, const char *fmt, ...)
{
	va_list ap;

	(void)k;
	va_start(ap, fmt);
	vsnprintf(here->why, sizeof here->why, fmt, ap);
	va_end(ap);
	here->bad_peers++;
}

static void
carry(struct world *w)
{
	size_t n = 0;

	list_each(k, tmp, &w->packets) {
		n++;	/* what is said meanwhile is for the next turn */
	}
	while (n-- > 0) {
		struct packet *p = list_entry(list_pop_front(&w->packets),
		    struct packet, link);
		struct ipc_msg m = { .type = p->type, .fds = &p->fd,
			.n_fds = p->fd >= 0, .body =
			slice_make(p->bytes, p->len) };

		if (p->for_spooler) {
			life_message(&w->w, p->to, &m);
		} else {
			w->hear(w->hear_arg, p->to, p->type, m.body);
		}
		free(p);
	}
}

void
world_say(struct world *w, struct ipc_link *k, enum ipc_type type,
    struct slice body, int fd)
{
	post(w, k, true, type, body, fd);
}

void
world_link(struct world *w, struct ipc_link *k, enum ipc_role as,
    uint32_t incarnation)
{
	*k = (struct ipc_link){ .self = ROLE_SPOOLER, .peer = (uint8_t)as,
		.incarnation = incarnation };
	buf_init(&k->out, 1 << 20);
	life_link_up(&w->w, k);
}

/* The skeleton of a worker. */

void *
worker_ctx(struct worker *w)
{
	return w->world->s;
}

struct loop *
worker_loop(struct worker *w)
{
	return w->world->loop;
}

const struct config *
worker_config(struct worker *w)
{
	return w->config;
}

uint32_t
worker_incarnation(struct worker *w)
{
	(void)w;
	return 1;
}

struct score_slot *
worker_score(struct worker *w)
{
	return &w->score;
}

struct scoreboard *
worker_scoreboard(struct worker *w)
{
	return w->board;
}

struct stage_table *
worker_stages(struct worker *w)
{
	return w->stages;
}

struct ipc_link *
worker_link(struct worker *w, enum ipc_role role, unsigned index)
{
	struct world *world = w->world;

	return index > 0 ? NULL : role == ROLE_LISTENER ? &world->listener :
	    role == ROLE_DELIVERER ? &world->deliverer : NULL;
}

bool
worker_is_draining(struct worker *w)
{
	(void)w;
	return false;
}

void
worker_finished(struct worker *w)
{
	(void)w;
}

/* The store asks this once, at its start.  The machine's. */
static bool at_once = true;

void
world_store(bool all_at_once)
{
	at_once = all_at_once;
}

bool __wrap_fs_sync_fs_tells(void);

bool
__wrap_fs_sync_fs_tells(void)
{
	return at_once;
}

/* The whole. */

static struct config *
configure(const char *base, struct error *err_out)
{
	struct config_report report;
	struct config *c;
	char text[1024];

	snprintf(text, sizeof text, "SpoolBase = \"%s\"\n"
	    "Hostname = \"mx.example.org\"\nSettle_After = 2\n"
	    "Retry_Interval = 20\nMax_Retry_Interval = 60\n"
	    "Max_Retries = none\nCheckpoint_Interval = 4\n", base);
	config_report_init(&report);
	c = config_parse(slice_of(text), "crash", &report);
	if (c == NULL) {
		error_set(err_out, ERROR_CONFIG, "%.*s",
		    SLICE_ARG(buf_slice(&report.errors)));
	}
	config_report_fini(&report);
	return c;
}

/* The supervisor's, of the machine: it outlives a spooler, and is zeros when
 * the power comes back.  What is read from end to end at each start is made of
 * few pages. */
static struct stage_table *
stages(void)
{
	static struct stage_table *t;
	size_t size = num_round_up(sizeof *t, 2u << 20);
	char *p;

	if (t == NULL) {
		p = mmap(NULL, size + (2u << 20), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		ec_assert(p != MAP_FAILED);
		p += num_round_up((uintptr_t)p, 2u << 20) - (uintptr_t)p;
		madvise(p, offsetof(struct stage_table, ids), MADV_HUGEPAGE);
		t = (struct stage_table *)(void *)p;
	}
	return t;
}

void
world_power_lost(void)
{
	struct stage_table *t = stages();

	ec_assert(madvise(t, num_round_up(sizeof *t, 2u << 20),
	    MADV_DONTNEED) == 0);
}

int
world_start(struct world *w, const char *base, struct error *err_out)
{
	int code;

	here = w;
	list_init(&w->packets);
	world_loop_begin(w);
	w->w = (struct worker){ .world = w, .board =
		xcalloc(1, sizeof *w->w.board), .stages = stages() };
	w->w.config = configure(base, err_out);
	if (w->w.config == NULL) {
		return -1;
	}
	/* It waits for these to say what they hold. */
	atomic_store(&w->w.board->n_workers[ROLE_LISTENER], 1);
	atomic_store(&w->w.board->n_workers[ROLE_DELIVERER], 1);
	atomic_store(&w->w.board->process[ROLE_LISTENER][0].pid, 1);
	atomic_store(&w->w.board->process[ROLE_DELIVERER][0].pid, 1);
	w->s = xcalloc(1, sizeof *w->s);
	w->s->fs = w->fs != NULL ? w->fs : &crashfs_fs;
	w->s->limits = (struct journal_limits){
		(uint64_t)SEGMENTS * SEGMENT_BYTES, SEGMENT_BYTES };
	w->s->checkpoint_limits = (struct checkpoint_limits){ DELTAS,
		RESERVE_STEP };
	if (life_start(&w->w, &code, err_out) < 0) {
		w->s = NULL;
		return -1;
	}
	return 0;
}

/* flock() belongs to an open file, and this process lives on, as do those that
 * were forked from it. */
static void
drop_lock(void)
{
	for (int fd = 3; fd < 65536; fd++) {
		char link[32], to[300];
		ssize_t n;

		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = readlink(link, to, sizeof to - 1);
		if (n < 0 && fd > 4096) {
			return;
		}
		if (n > 13) {
			to[n] = '\0';
			if (strcmp(to + n - 13, "/journal/lock") == 0) {
				flock(fd, LOCK_UN);
				close(fd);
			}
		}
	}
}

void
world_leave(struct world *w)
{
	drop_lock();	/* of one that did not come up, too */
	w->s = NULL;
}

void
world_turn(struct world *w)
{
	here = w;
	world_pass(TURN_US);
	carry(w);
	world_loop_turn(w);
}

bool
world_is_quiet(const struct world *w)
{
	return list_is_empty(&w->packets) && world_loop_is_idle(w);
}
