/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workq: jobs for helper threads of one process, for what may block on disk.
 * The loop's thread submits; a thread runs job->run; the loop's thread then
 * runs job->done.  Jobs of one queue with one thread run in order.  The job
 * belongs to the queue from submit until done is called.
 */
#ifndef EC_WORKQ_H
#define EC_WORKQ_H

#include "common/base/base.h"
#include "common/base/list.h"
#include "common/base/loop.h"

struct workq;

struct workq_job {
	struct list_node link;
	void (*run)(struct workq_job *);	/* in a thread; may block */
	void (*done)(struct workq_job *);	/* in the loop */
};

struct workq *workq_create(struct loop *l, const char *name, int n_threads);
/* Runs what was submitted to its end (done included), then joins. */
void workq_destroy(struct workq **q);
void workq_submit(struct workq *q, struct workq_job *job);
/* Jobs submitted whose done has not run. */
size_t workq_pending(const struct workq *q);
/* Waits until nothing is pending, running the dones.  For shutdown. */
void workq_finish(struct workq *q);

#endif
