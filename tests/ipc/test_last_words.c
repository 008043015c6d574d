/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer said before it died is read, whatever we still say to it. */
#include "common/ipc/ipc.h"

#include <check.h>

#include "common/base/fdio.h"

struct seen {
	unsigned ready;
	unsigned down;
	char why[128];
};

static void
on_msg(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct seen *s = arg;

	(void)k;
	s->ready += m->type == IPC_SUP_READY;
}

static void
on_down(void *arg, struct ipc_link *k, const char *reason)
{
	struct seen *s = arg;

	s->down++;
	snprintf(s->why, sizeof s->why, "%s", reason);
	ipc_link_close(k);
}

/* A packet with one SUP_READY, as the peer's process would have sent it. */
static void
say_ready(int fd)
{
	static const char packet[IPC_HEAD] = { IPC_SUP_READY };

	ck_assert_int_eq(fdio_send(fd, packet, sizeof packet, NULL, 0),
	    IPC_HEAD);
}

/* The peer says n words and closes: with `unread', while a message of ours
 * waits for it; with `late', we say more after that. */
static void
peer_dies(unsigned n, bool unread, bool late)
{
	struct loop *l = loop_create();
	struct ipc_hub hub;
	struct ipc_link k;
	struct seen s = { 0 };
	struct error err = { 0 };
	int fds[2];

	ipc_hub_init(&hub, l);
	ck_assert_int_eq(ipc_pair(fds, &err), 0);
	ipc_link_open(&k, &hub, fds[0], ROLE_SUPERVISOR, ROLE_LISTENER, 0,
	    on_msg, on_down, &s);
	if (unread) {
		ipc_say(&k, IPC_SUP_REOPEN);
		ipc_flush(&k);
	}
	for (unsigned i = 0; i < n; i++) {
		say_ready(fds[1]);
	}
	close(fds[1]);
	if (late) {
		ipc_say(&k, IPC_SUP_DRAIN);
		ipc_flush(&k);
		ck_assert_uint_eq(ipc_backlog(&k), 0);
	}
	for (int i = 0; i < 100 && s.down == 0; i++) {
		loop_turn(l, true);
	}
	ck_assert_msg(s.ready == n, "unread %d late %d: %u of %u words",
	    unread, late, s.ready, n);
	ck_assert_uint_eq(s.down, 1);
	ck_assert_str_eq(s.why, "closed by the other side");
	ipc_hub_fini(&hub);
	loop_destroy(&l);
}

START_TEST(last_words_are_read)
{
	static const unsigned counts[] = { 0, 1, 31, 32, 33, 100 };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		for (int how = 0; how < 4; how++) {
			peer_dies(counts[i], (how & 1) != 0, (how & 2) != 0);
		}
	}
}
END_TEST

/* Packets that wait for a peer that does not read go when it dies. */
START_TEST(a_full_queue_does_not_hide_them)
{
	struct loop *l = loop_create();
	struct ipc_hub hub;
	struct ipc_link k;
	struct seen s = { 0 };
	struct error err = { 0 };
	int fds[2];

	ipc_hub_init(&hub, l);
	ck_assert_int_eq(ipc_pair(fds, &err), 0);
	ipc_link_open(&k, &hub, fds[0], ROLE_SUPERVISOR, ROLE_LISTENER, 0,
	    on_msg, on_down, &s);
	for (int i = 0; i < 1000000 && ipc_backlog(&k) == 0; i++) {
		ipc_say(&k, IPC_SUP_REOPEN);
		ipc_flush(&k);
	}
	ck_assert_uint_gt(ipc_backlog(&k), 0);
	say_ready(fds[1]);
	close(fds[1]);
	for (int i = 0; i < 100 && s.down == 0; i++) {
		loop_turn(l, true);
	}
	ck_assert_uint_eq(s.ready, 1);
	ck_assert_uint_eq(s.down, 1);
	ipc_hub_fini(&hub);
	loop_destroy(&l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("last_words");
	TCase *t = tcase_create("last_words");
	SRunner *r;
	int failed;

	tcase_add_test(t, last_words_are_read);
	tcase_add_test(t, a_full_queue_does_not_hide_them);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
