/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/runs.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RUN_SECONDS 120u	/* then it hangs */

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ec_assert(p != MAP_FAILED);
	return p;
}

void
runs_init(struct runs *r, unsigned jobs)
{
	*r = (struct runs){ .jobs = jobs, .tally = shared(sizeof *r->tally),
		.seen = shared(RUNS_SEEN * sizeof *r->seen),
		.asked = shared(RUNS_SEEN * sizeof *r->asked) };
}

static bool
is_new(_Atomic uint64_t *table, uint64_t hash)
{
	uint64_t at = hash % RUNS_SEEN;

	hash |= hash == 0;
	for (unsigned i = 0; i < RUNS_SEEN; i++) {
		uint64_t there = 0;

		if (atomic_compare_exchange_strong(&table[at], &there,
		    hash)) {
			return true;
		}
		if (there == hash) {
			return false;
		}
		at = (at + 1) % RUNS_SEEN;
	}
	panic("more states than there is room for");
}

bool
runs_is_new(struct runs *r, uint64_t hash)
{
	bool fresh = is_new(r->seen, hash);

	atomic_fetch_add(&r->tally->states, fresh);
	return fresh;
}

bool
runs_is_unasked(struct runs *r, uint64_t key)
{
	return is_new(r->asked, key);
}

static void
reap(struct runs *r)
{
	int status = 0;
	pid_t pid = waitpid(-1, &status, 0);

	ec_assert(pid > 0);
	r->running--;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		atomic_fetch_add(&r->tally->fault[FAULT_DIED], 1);
		if (!r->quiet) {
			fprintf(stderr, "FAULT died: process %d, status %x\n",
			    (int)pid, (unsigned)status);
		}
	}
}

bool
runs_fork(struct runs *r, const char *what)
{
	pid_t pid;

	while (r->running >= r->jobs) {
		reap(r);
	}
	fflush(NULL);
	pid = fork();
	ec_assert(pid >= 0);
	if (pid == 0) {
		r->running = 0;
		r->jobs = 1;
		alarm(RUN_SECONDS);
		return true;
	}
	r->running++;
	if (getenv("CRASH_TRACE") != NULL) {
		fprintf(stderr, "run %d: %s\n", (int)pid, what);
	}
	return false;
}

void
runs_exit(const struct ledger *l)
{
	fflush(NULL);
	_exit(l->faults > 0);
}

void
runs_wait(struct runs *r)
{
	while (r->running > 0) {
		reap(r);
	}
}

uint64_t
runs_faults(const struct runs *r)
{
	uint64_t n = 0;

	for (unsigned f = 0; f < FAULT_COUNT; f++) {
		n += atomic_load(&r->tally->fault[f]);
	}
	return n;
}
