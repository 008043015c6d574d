/* SPDX-License-Identifier: Apache-2.0 */
/* Spools with leftovers, damage and foreign files. */
#include "tests/spooler/steps.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "common/base/clock.h"

/* Files of a settle that was cut short: message in the journal, delivered
 * before it settles again.  They must go with it, or they are mail once the
 * journal has forgotten. */
static char left_data[128], left_meta[128];

static void
leave_files(struct rig *r)
{
	char name[MSGID_TEXT_LEN + 1];
	int fd;

	msgid_format(r->mail[0]->id[0], name);
	snprintf(left_data, sizeof left_data, "%s/%s", r->dir, name);
	snprintf(left_meta, sizeof left_meta, "%s/%s.meta", r->dir, name);
	fd = open(left_data, O_WRONLY | O_CREAT, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "half", 4), 4);
	close(fd);
	if (r->n_mails == 1) {	/* else the data alone */
		fd = open(left_meta, O_WRONLY | O_CREAT, 0640);
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
}

START_TEST(half_a_settle)
{
	struct mail *m;

	rig_start(&rig, "Settle_After = 1000\n");
	m = stored(1, to_net, 100);
	if (_i == 1) {
		stored(1, to_net, 100);
	}
	rig.between = leave_files;
	rig_kill(&rig);
	rig.between = NULL;
	rig_turn(&rig, 200000);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*"), 0);
	rig.deliverer[0].on_work = job_deliver;
	deliver_held(&rig.deliverer[0]);
	logged(m->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_int_ne(access(left_data, F_OK), 0);
	ck_assert_int_ne(access(left_meta, F_OK), 0);
	rig_stop(&rig);
}
END_TEST

static bool
few_are_open(void *arg)
{
	(void)arg;
	return rig.listener[0].outstanding < 20;
}

static bool
none_is_open(void *arg)
{
	(void)arg;
	return rig.listener[0].outstanding == 0;
}

/* Four times what the journal holds, faster than any of it is old enough to
 * settle: senders wait a little, nobody is refused. */
START_TEST(more_than_the_journal)
{
	rig_start(&rig, "Settle_After = 600\nJournal_Size = 16M\n");
	for (unsigned i = 0; i < 640; i++) {
		rig_store(&rig, 0, "a@example.com", 1, to_net, 100000);
		rig_until(&rig, few_are_open, NULL);
	}
	rig_until(&rig, none_is_open, NULL);
	for (unsigned i = 0; i < rig.n_mails; i++) {
		ck_assert_int_eq(rig.mail[i]->result, STORED_OK);
	}
	rig_stop(&rig);
}
END_TEST

/* Spools as people and disks leave them. */
static void
write_file(const struct rig *r, const char *name, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/%s", r->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
spoil_store(struct rig *r)
{
	write_file(r, "00/00-00001-11111111.meta", "");
	write_file(r, "00/00-00001-11111111", "data of an empty meta");
	write_file(r, "01/01-00001-11111111.meta", "garbage\n");
	write_file(r, "02/02-00001-11111111", "data alone");
	write_file(r, "03/README", "a foreign file");
	write_file(r, "03/03-00001-1111111x.meta", "foreign too");
	write_file(r, "journal/notes.txt", "foreign");
	write_file(r, "journal/x.seg", "foreign");
}

START_TEST(spoiled_store)
{
	struct mail *m;

	rig_start(&rig, "Settle_After = 0.1\n");
	m = stored(1, to_net, 100);
	work_for(m->id[0]);
	rig.between = spoil_store;
	rig_kill(&rig);
	rig_turn(&rig, 300000);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/00-*.why"), 2);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/01-*.meta.*.why"), 1);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/02-*.why"), 1);
	ck_assert_uint_eq(rig_files(&rig, "03/README"), 1);
	ck_assert_uint_eq(rig_files(&rig, "03/03-*"), 1);
	ck_assert_uint_eq(rig_files(&rig, "journal/notes.txt"), 1);
	job_deliver(&rig.deliverer[0], work_for(m->id[0]));
	logged(m->id[0], 'D', 1);
	rig_stop(&rig);
}
END_TEST

static void
remove_data(struct rig *r)
{
	char name[MSGID_TEXT_LEN + 1], path[160];

	msgid_format(r->mail[0]->id[0], name);
	snprintf(path, sizeof path, "%s/%s", r->dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(meta_without_data)
{
	unsigned two = 2;
	struct mail *m, *o;

	rig_start(&rig, "Settle_After = 0.1\nRetry_Interval = 1\n");
	m = stored(1, to_net, 100);
	o = stored(1, to_net, 100);
	job_defer(&rig.deliverer[0], work_for(m->id[0]));
	job_defer(&rig.deliverer[0], work_for(o->id[0]));
	rig_until(&rig, is_settled, &two);
	rig_turn(&rig, 300000);
	rig.between = remove_data;
	rig_kill(&rig);
	/* The sound one is delivered, the other is laid aside. */
	job_deliver(&rig.deliverer[0], work_for(o->id[0]));
	logged(o->id[0], 'D', 1);
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/*.meta.*.why"), 1);
	rig_stop(&rig);
}
END_TEST

/* Overwrites the body of the n-th mail where it stands in the journal. */
static unsigned spoiled_mail;

static void
spoil_journal(struct rig *r)
{
	const struct mail *m = r->mail[spoiled_mail];
	char head[64], path[160];
	size_t hits = 0;

	for (size_t i = 0; i < sizeof head; i++) {
		head[i] = mail_byte(m->batch, i);
	}
	for (unsigned i = 0; i < 16; i++) {
		struct stat st;
		char *map, *at;
		int fd;

		snprintf(path, sizeof path, "%s/journal/%06u.seg", r->dir, i);
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
			continue;
		}
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
		ck_assert_ptr_ne(map, MAP_FAILED);
		at = memmem(map, (size_t)st.st_size, head, sizeof head);
		if (at != NULL) {
			at[20] ^= 1;
			hits++;
		}
		munmap(map, (size_t)st.st_size);
		close(fd);
	}
	ck_assert_uint_eq(hits, 1);
}

START_TEST(damaged_journal)
{
	bool is_tail = _i == 1;
	struct mail *m[9];

	rig_prepare(&rig, "Domain \"example.net\" { "
	    "Suspend_Delivery = true }\n");
	rig_run(&rig);
	for (unsigned i = 0; i < 9; i++) {
		m[i] = stored(1, to_net, 5000);
	}
	spoiled_mail = is_tail ? 8 : 4;
	rig.between = spoil_journal;
	snprintf(strstr(rig.conf, "Domain"), 10, "\n");
	rig.deliverer[0].on_work = job_deliver;
	rig_kill(&rig);
	for (unsigned i = 0; i < 9; i++) {
		if (i != spoiled_mail) {
			logged(m[i]->id[0], 'D', 1);
		}
	}
	rig_until(&rig, rig_is_drained, &rig);
	ck_assert_uint_eq(rig_files(&rig, "quarantine/journal-*.why"), !is_tail);
	ck_assert_uint_eq(logger_count(&rig, m[spoiled_mail]->id[0], 'D'), 0);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spooler_disk");
	TCase *t = tcase_create("spooler_disk");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, half_a_settle, 0, 2);
	tcase_add_test(t, more_than_the_journal);
	tcase_add_test(t, spoiled_store);
	tcase_add_test(t, meta_without_data);
	tcase_add_loop_test(t, damaged_journal, 0, 2);
	suite_add_tcase(s, t);
	return run_suite(s);
}
