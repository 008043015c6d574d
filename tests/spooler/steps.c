/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of tests with one rig. */
#include "tests/spooler/steps.h"

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>

struct rig rig;

const char *const to_net[1] = { "b@example.net" };
const char *const to_three[3] = { "x@example.net", "y@example.net",
	"z@example.net" };

struct mail *
stored(unsigned n, const char *const *rcpts, size_t size)
{
	struct mail *m = rig_store(&rig, 0, "a@example.com", n, rcpts, size);

	rig_until(&rig, mail_is_answered, m);
	ck_assert_int_eq(m->result, STORED_OK);
	return m;
}

struct waiting {
	msgid id;
	int kind;
	unsigned n;
};

static bool
is_logged(void *arg)
{
	struct waiting *w = arg;

	return logger_count(&rig, w->id, w->kind) >= w->n;
}

const struct seen *
logged(msgid id, int kind, unsigned n)
{
	struct waiting w = { id, kind, n };

	rig_until(&rig, is_logged, &w);
	ck_assert_uint_eq(logger_count(&rig, id, kind), n);
	return logger_find(&rig, id, kind, n - 1);
}

struct at_work {
	unsigned deliverer;
	msgid id;
};

static bool
is_at_work(void *arg)
{
	struct at_work *w = arg;

	return deliverer_job(&rig.deliverer[w->deliverer], w->id) != NULL;
}

struct job *
work_for(msgid id)
{
	struct at_work w = { 0, id };

	rig_until(&rig, is_at_work, &w);
	return deliverer_job(&rig.deliverer[0], id);
}

bool
no_jobs(void *arg)
{
	struct fake_deliverer *d = arg;

	return d->n_jobs == 0;
}

void
deliver_held(struct fake_deliverer *d)
{
	list_each(n, tmp, &d->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (!j->told) {
			job_deliver(d, j);
		}
	}
}

bool
is_settled(void *arg)
{
	unsigned *n = arg;

	return rig_files(&rig, "[0-9A-F][0-9A-F]/*.meta") == *n;
}

/* Do these bytes stand in a segment file? */
bool
in_file(const char *text, size_t size)
{
	char path[128];
	bool found = false;

	for (unsigned i = 0; i < 16 && !found; i++) {
		struct stat st;
		void *map;
		int fd;

		snprintf(path, sizeof path, "%s/journal/%06u.seg", rig.dir, i);
		fd = open(path, O_RDONLY);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
			continue;
		}
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
		    0);
		ck_assert_ptr_ne(map, MAP_FAILED);
		found = memmem(map, (size_t)st.st_size, text, size) != NULL;
		munmap(map, (size_t)st.st_size);
		close(fd);
	}
	return found;
}

bool
in_journal(msgid batch)
{
	return in_file((const char *)&batch, sizeof batch);
}

int
run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
