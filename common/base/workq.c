/* SPDX-License-Identifier: Apache-2.0 */
/* Threads take jobs under one lock; an eventfd tells the loop of the done. */
#include "common/base/workq.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

struct workq {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list_node todo, finished;	/* under lock */
	bool stop;				/* under lock */
	size_t pending;				/* the loop's own */
	int event_fd;
	struct loop_fd watch;
	int n_threads;
	pthread_t threads[];
};

static void *
thread_main(void *arg)
{
	struct workq *q = arg;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		struct list_node *n = list_pop_front(&q->todo);
		struct workq_job *job;
		bool first;
		uint64_t one = 1;

		if (n == NULL) {
			if (q->stop) {
				break;
			}
			pthread_cond_wait(&q->more, &q->lock);
			continue;
		}
		pthread_mutex_unlock(&q->lock);
		job = list_entry(n, struct workq_job, link);
		job->run(job);
		pthread_mutex_lock(&q->lock);
		first = list_is_empty(&q->finished);
		list_push_back(&q->finished, &job->link);
		if (first && write(q->event_fd, &one, sizeof one) < 0) {
			panic("eventfd: %s", strerror(errno));
		}
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void
reap(struct workq *q)
{
	struct list_node mine, *n;
	uint64_t count;
	ssize_t r = read(q->event_fd, &count, sizeof count);

	(void)r;
	list_init(&mine);
	pthread_mutex_lock(&q->lock);
	while ((n = list_pop_front(&q->finished)) != NULL) {
		list_push_back(&mine, n);
	}
	pthread_mutex_unlock(&q->lock);
	while ((n = list_pop_front(&mine)) != NULL) {
		struct workq_job *job = list_entry(n, struct workq_job, link);

		q->pending--;
		job->done(job);
	}
}

static void
on_event(void *arg, unsigned ready)
{
	(void)ready;
	reap(arg);
}

struct workq *
workq_create(struct loop *l, const char *name, int n_threads)
{
	struct workq *q = xcalloc(1, sizeof *q +
	    (size_t)n_threads * sizeof q->threads[0]);
	sigset_t all, old;

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->more, NULL);
	list_init(&q->todo);
	list_init(&q->finished);
	q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->event_fd < 0) {
		panic("eventfd: %s", strerror(errno));
	}
	loop_fd_init(&q->watch, l, q->event_fd, on_event, q);
	loop_fd_want(&q->watch, LOOP_READ);
	/* Signals are the loop's alone. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < n_threads; i++) {
		if (pthread_create(&q->threads[i], NULL, thread_main, q) != 0) {
			panic("cannot start a %s thread", name);
		}
		pthread_setname_np(q->threads[i], name);
		q->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return q;
}

void
workq_submit(struct workq *q, struct workq_job *job)
{
	q->pending++;
	pthread_mutex_lock(&q->lock);
	list_push_back(&q->todo, &job->link);
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

size_t
workq_pending(const struct workq *q)
{
	return q->pending;
}

void
workq_finish(struct workq *q)
{
	while (q->pending > 0) {
		struct pollfd p = { q->event_fd, POLLIN, 0 };

		if (poll(&p, 1, -1) > 0) {
			reap(q);
		}
	}
}

void
workq_destroy(struct workq **qp)
{
	struct workq *q = *qp;

	*qp = NULL;
	if (q == NULL) {
		return;
	}
	workq_finish(q);
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->more);
	pthread_mutex_unlock(&q->lock);
	for (int i = 0; i < q->n_threads; i++) {
		pthread_join(q->threads[i], NULL);
	}
	loop_fd_stop(&q->watch);
	close(q->event_fd);
	pthread_cond_destroy(&q->more);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
