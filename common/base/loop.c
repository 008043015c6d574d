/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of libevent's loop, with hooks at the end of each. */
#include "common/base/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/signalfd.h>

#include "common/base/clock.h"

struct loop {
	struct event_base *base;
	struct list_node hooks;
	uint64_t now_us;
	bool stop, again;
	struct loop_fd sig;
	int sig_fd;
	loop_signal_fn sig_fn;
	void *sig_arg;
};

_Static_assert(sizeof(struct event) <= sizeof(struct loop_event),
    "struct loop_event holds the library's event");

static struct event *
event_of(const struct loop_event *e)
{
	return (struct event *)(uintptr_t)e;
}

struct loop *
loop_create(void)
{
	struct loop *l = xcalloc(1, sizeof *l);
	struct event_config *cfg = event_config_new();

	ec_assert(cfg != NULL);
	/* One epoll_ctl for many changes of one descriptor in a turn. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
	    EVENT_BASE_FLAG_PRECISE_TIMER);
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL) {
		panic("no event base: %s", strerror(errno));
	}
	list_init(&l->hooks);
	l->sig_fd = -1;
	l->now_us = clock_mono_us();
	return l;
}

void
loop_destroy(struct loop **lp)
{
	struct loop *l = *lp;

	*lp = NULL;
	if (l == NULL) {
		return;
	}
	if (l->sig_fd >= 0) {
		loop_fd_stop(&l->sig);
		close(l->sig_fd);
	}
	event_base_free(l->base);
	free(l);
}

void
loop_turn(struct loop *l, bool wait)
{
	/* Without ONCE it goes on while anybody is ready, past our hooks. */
	int how = EVLOOP_ONCE | (wait && !l->again ? 0 : EVLOOP_NONBLOCK);

	l->again = false;
	event_base_loop(l->base, how);
	l->now_us = clock_mono_us();
	list_each(n, tmp, &l->hooks) {
		struct loop_hook *h = list_entry(n, struct loop_hook, link);

		h->fn(h->arg);
	}
}

void
loop_run(struct loop *l)
{
	while (!l->stop) {
		loop_turn(l, true);
	}
	l->stop = false;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	l->again = true;
}

void
loop_again(struct loop *l)
{
	l->again = true;
}

uint64_t
loop_now_us(const struct loop *l)
{
	return l->now_us;
}

uint64_t
loop_refresh_us(struct loop *l)
{
	return l->now_us = clock_mono_us();
}

static void
on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *f = arg;

	(void)fd;
	/* The turn's time is that after the wait, not before it. */
	f->loop->now_us = clock_mono_us();
	f->fn(f->arg, (what & EV_READ ? LOOP_READ : 0) |
	    (what & EV_WRITE ? LOOP_WRITE : 0));
}

void
loop_fd_init(struct loop_fd *f, struct loop *l, int fd, loop_fd_fn fn, void *arg)
{
	*f = (struct loop_fd){ .loop = l, .fn = fn, .arg = arg, .fd = fd };
}

void
loop_fd_want(struct loop_fd *f, unsigned want)
{
	if (want == f->want) {
		return;
	}
	if (f->want != 0) {
		event_del(event_of(&f->ev));
	}
	f->want = want;
	if (want == 0) {
		return;
	}
	event_assign(event_of(&f->ev), f->loop->base, f->fd, (short)(EV_PERSIST |
	    (want & LOOP_READ ? EV_READ : 0) |
	    (want & LOOP_WRITE ? EV_WRITE : 0)), on_fd, f);
	if (event_add(event_of(&f->ev), NULL) < 0) {
		panic("cannot watch descriptor %d: %s", f->fd, strerror(errno));
	}
}

void
loop_fd_stop(struct loop_fd *f)
{
	if (f->loop != NULL) {
		loop_fd_want(f, 0);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->loop->now_us = clock_mono_us();
	t->fn(t->arg);
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg)
{
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	event_assign(event_of(&t->ev), l->base, -1, 0, on_timer, t);
}

void
loop_timer_set(struct loop_timer *t, uint64_t us)
{
	struct timeval tv = { (time_t)(us / 1000000u),
		(suseconds_t)(us % 1000000u) };

	event_add(event_of(&t->ev), &tv);
}

void
loop_timer_stop(struct loop_timer *t)
{
	event_del(event_of(&t->ev));
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	return event_pending(event_of(&t->ev), EV_TIMEOUT, NULL) != 0;
}

void
loop_on_turn_end(struct loop *l, struct loop_hook *h, loop_fn fn, void *arg)
{
	h->fn = fn;
	h->arg = arg;
	list_push_front(&l->hooks, &h->link);
}

void
loop_hook_stop(struct loop_hook *h)
{
	list_remove(&h->link);
}

static void
on_signal_fd(void *arg, unsigned ready)
{
	struct loop *l = arg;
	struct signalfd_siginfo si[8];
	bool seen[65] = { false };
	ssize_t n;

	(void)ready;
	while ((n = read(l->sig_fd, si, sizeof si)) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof si[0]; i++) {
			if (si[i].ssi_signo <= 64) {
				seen[si[i].ssi_signo] = true;
			}
		}
	}
	for (int s = 1; s <= 64; s++) {
		if (seen[s]) {
			l->sig_fn(l->sig_arg, s);
		}
	}
}

int
loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn, void *arg)
{
	if (sigprocmask(SIG_BLOCK, set, NULL) < 0) {
		return -1;
	}
	l->sig_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->sig_fd < 0) {
		return -1;
	}
	l->sig_fn = fn;
	l->sig_arg = arg;
	loop_fd_init(&l->sig, l, l->sig_fd, on_signal_fd, l);
	loop_fd_want(&l->sig, LOOP_READ);
	return 0;
}
