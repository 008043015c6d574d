/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a link in one loop: what arrives, and what takes it down. */
#include "common/ipc/ipc.h"

#include <check.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/base/fdio.h"

static struct loop *loop;
static struct ipc_hub hub;
static struct ipc_link a, b;	/* listener, spooler */
static int raw;			/* the other end of b when a is not used */
static unsigned n_got, n_down, n_fds;
static uint32_t next_number;
static size_t got_bytes;
static char reason[128];
static bool close_inside;

static void
on_msg(void *arg, struct ipc_link *k, struct ipc_msg *m)
{
	struct wire_r r = wire_reader(m->body);

	ck_assert_ptr_eq(arg, &loop);
	if (m->body.len >= 4) {
		ck_assert_uint_eq(wire_u32(&r), next_number);
		next_number++;
	}
	got_bytes += m->body.len;
	n_got++;
	for (int fd; (fd = ipc_take_fd(m)) >= 0; n_fds++) {
		close(fd);
	}
	if (close_inside) {
		ipc_link_close(k);
	}
}

static void
on_down(void *arg, struct ipc_link *k, const char *why)
{
	(void)arg;
	n_down++;
	snprintf(reason, sizeof reason, "%s", why);
	ipc_link_close(k);
}

static void
start(bool both)
{
	int fds[2];

	loop = loop_create();
	ipc_hub_init(&hub, loop);
	ck_assert_int_eq(ipc_pair(fds, NULL), 0);
	ipc_link_open(&b, &hub, fds[1], ROLE_SPOOLER, ROLE_LISTENER, 3, on_msg,
	    on_down, &loop);
	if (both) {
		ipc_link_open(&a, &hub, fds[0], ROLE_LISTENER, ROLE_SPOOLER, 0,
		    on_msg, on_down, &loop);
	} else {
		raw = fds[0];
	}
}

static void
turns(unsigned n)
{
	while (n-- > 0) {
		loop_turn(loop, false);
	}
}

static void
say(struct ipc_link *k, enum ipc_type type, uint32_t number, size_t bytes)
{
	static const char fill[IPC_BODY_MAX];
	struct buf *o = ipc_begin(k, type);

	wire_put_u32(o, number);
	buf_append(o, fill, bytes - 4);
	ipc_end(k);
}

START_TEST(batches)
{
	static const size_t sizes[] = { 4, 5, 11, 12, 4000, 61000, 61440, 65000,
		65521, IPC_BODY_MAX };
	size_t sum = 0;

	start(true);
	for (uint32_t i = 0; i < 400; i++) {
		size_t n = sizes[i * 7 % ARRAY_LEN(sizes)];

		say(&a, IPC_STORE, i, n);
		sum += n;
	}
	while (n_got < 400) {
		loop_turn(loop, true);
	}
	ck_assert_uint_eq(got_bytes, sum);
	ck_assert_uint_eq(n_down, 0);
	/* Many small ones are one packet: one turn brings them all. */
	for (uint32_t i = 400; i < 900; i++) {
		say(&a, IPC_STORE, i, 4);
	}
	ck_assert_uint_eq(ipc_backlog(&a), 500 * 16);
	turns(2);
	ck_assert_uint_eq(n_got, 900);
	ck_assert_uint_eq(ipc_backlog(&a), 0);
}
END_TEST

/* The peer does not read: nothing blocks, all arrives in order afterwards. */
START_TEST(back_pressure)
{
	uint32_t n = 3000;

	start(true);
	loop_fd_want(&b.watch, 0);
	for (uint32_t i = 0; i < n; i++) {
		say(&a, IPC_STORE, i, 9000);
		if (i % 10 == 0) {
			turns(1);
		}
	}
	turns(3);
	ck_assert_uint_gt(ipc_backlog(&a), 0);
	ck_assert_uint_eq(n_got, 0);
	say(&b, IPC_STORED, 0, 12);	/* reading never waits for writing */
	turns(3);
	ck_assert_uint_eq(n_got, 1);
	next_number = 0;
	loop_fd_want(&b.watch, LOOP_READ);
	while (n_got < n + 1) {
		loop_turn(loop, true);
	}
	ck_assert_uint_eq(ipc_backlog(&a), 0);
}
END_TEST

START_TEST(descriptors)
{
	int fds[2] = { open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY) };
	static const char big[IPC_BODY_MAX - 4];
	uint32_t zero = 0;
	char body[IPC_BODY_MAX];

	start(true);
	say(&a, IPC_STORE, 0, 4);
	zero = 1;
	ipc_send_fd(&a, IPC_STORE_SLAB, slice_make(&zero, 4), fds, 2);
	say(&a, IPC_STORE, 2, 4);
	/* As large as a message may be. */
	zero = 3;
	memcpy(body, &zero, 4);
	memcpy(body + 4, big, sizeof big);
	ipc_send_fd(&a, IPC_STORE_SLAB, slice_make(body, sizeof body), fds, 1);
	turns(6);
	ck_assert_uint_eq(n_got, 4);
	ck_assert_uint_eq(n_fds, 3);
	ck_assert_uint_eq(n_down, 0);
}
END_TEST

/* root may pass some limits: it is nobody meanwhile. */
static void
limit_descriptors(rlim_t n)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(seteuid(65534), 0);
	}
}

/* For what comes after the test: coverage and leak reports. */
static void
unlimit_descriptors(void)
{
	struct rlimit r;

	ck_assert_int_eq(seteuid(getuid()), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = r.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

/* No descriptor for the copy of one that has to wait: that costs the link, not
 * the process. */
START_TEST(no_descriptor_to_wait_with)
{
	uint32_t zero = 0;
	int fd = open("/dev/null", O_RDONLY);

	start(true);
	loop_fd_want(&b.watch, 0);
	while (ipc_backlog(&a) == 0) {
		say(&a, IPC_STORE, 0, 60000);
		ipc_flush(&a);
	}
	limit_descriptors(3);
	ipc_send_fd(&a, IPC_STORE_SLAB, slice_make(&zero, 4), &fd, 1);
	turns(2);
	unlimit_descriptors();
	ck_assert_uint_eq(n_down, 1);
	ck_assert_str_eq(reason, strerror(EMFILE));
}
END_TEST

/* The kernel lets a user have only so many descriptors on their way: the rest
 * waits until some have arrived. */
START_TEST(too_many_descriptors_on_their_way)
{
	int fd = open("/dev/null", O_RDONLY);

	start(true);
	loop_fd_want(&b.watch, 0);
	limit_descriptors(64);
	for (uint32_t i = 0; i < 90; i++) {
		ipc_send_fd(&a, IPC_STORE_SLAB, slice_make(&i, 4), &fd, 1);
	}
	turns(3);
	ck_assert_uint_eq(n_down, 0);
	loop_fd_want(&b.watch, LOOP_READ);
	while (n_got < 90) {
		loop_turn(loop, true);
	}
	unlimit_descriptors();
	ck_assert_uint_eq(n_fds, 90);
	ck_assert_uint_eq(ipc_backlog(&a), 0);
}
END_TEST

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
	const char *reason;
	unsigned got;
} packets[] = {
	{ "short head", "\x0f\0\0\0\0\0\0", 7, "malformed packet", 0 },
	{ "not zero", "\x0f\0\1\0\0\0\0\0", 8, "malformed packet", 0 },
	{ "longer than it is", "\x0f\0\0\0\1\0\0\0", 8, "malformed packet", 0 },
	{ "no padding", "\x0f\0\0\0\1\0\0\0x", 9, "malformed packet", 0 },
	{ "huge", "\x0f\0\0\0\xff\xff\xff\xff", 8, "malformed packet", 0 },
	{ "type 0", "\0\0\0\0\0\0\0\0", 8, "message NONE (0) out of role", 0 },
	{ "no type", "\xff\xff\0\0\0\0\0\0", 8,
	    "message unknown (65535) out of role", 0 },
};

START_TEST(malformed)
{
	start(false);
	ck_assert_int_eq(send(raw, packets[_i].bytes, packets[_i].len, 0),
	    (ssize_t)packets[_i].len);
	turns(4);
	ck_assert_uint_eq(n_down, 1);
	ck_assert_str_eq(reason, packets[_i].reason);
	ck_assert_uint_eq(n_got, packets[_i].got);
}
END_TEST

START_TEST(every_type_by_role)
{
	for (unsigned type = 1; type < IPC_TYPES; type++) {
		uint16_t head[4] = { (uint16_t)type };
		unsigned before = n_got;

		start(false);
		n_down = 0;
		ck_assert_int_eq(send(raw, head, 8, 0), 8);
		turns(4);
		ck_assert_int_eq(n_got - before,
		    ipc_may(ROLE_LISTENER, ROLE_SPOOLER, type));
		ck_assert_int_eq(n_down,
		    !ipc_may(ROLE_LISTENER, ROLE_SPOOLER, type));
		ck_assert_str_ne(ipc_type_name(type), "unknown");
		close(raw);
		ipc_link_close(&b);
		ipc_hub_fini(&hub);
		loop_destroy(&loop);
	}
	ck_assert(!ipc_may(ROLE_COUNT + 20, ROLE_SPOOLER, IPC_STORE));
	ck_assert_str_eq(ipc_role_name(99), "unknown");
}
END_TEST

START_TEST(oversize)
{
	static char big[IPC_PACKET_MAX + 8];

	start(false);
	ck_assert_int_eq(send(raw, big, sizeof big, 0), sizeof big);
	turns(4);
	ck_assert_uint_eq(n_down, 1);
	ck_assert_str_eq(reason, "oversized packet");
}
END_TEST

/* Good ones before the bad one count; nothing after it. */
START_TEST(good_before_bad)
{
	char p[24] = { IPC_STORE_HELLO_END, 0, 0, 0, 0, 0, 0, 0,
		IPC_STORED, 0, 0, 0, 0, 0, 0, 0,
		IPC_STORE_HELLO_END, 0, 0, 0, 0, 0, 0, 0 };

	start(false);
	ck_assert_int_eq(send(raw, p, sizeof p, 0), sizeof p);
	turns(4);
	ck_assert_uint_eq(n_got, 1);
	ck_assert_uint_eq(n_down, 1);
}
END_TEST

START_TEST(closed_inside_a_handler)
{
	start(true);
	close_inside = true;
	say(&a, IPC_STORE, 0, 4);
	say(&a, IPC_STORE, 1, 4);
	turns(3);
	ck_assert_uint_eq(n_got, 1);
	ck_assert(!ipc_link_is_up(&b));
	turns(3);
	ck_assert_uint_eq(n_down, 1);		/* the other side hears of it */
	ck_assert_str_eq(reason, IPC_CLOSED);
	ipc_link_close(&a);
	ipc_link_close(&b);
}
END_TEST

/* A peer dies: with our words unread, and its last ones on the way.  They are
 * read, whatever we still try to say to it, and the reason is that it closed. */
START_TEST(last_words)
{
	char p[16] = { IPC_STORE, 0, 0, 0, 4 };

	start(false);
	say(&b, IPC_STORED, 0, 12);
	turns(1);
	for (uint32_t i = 0; i < 5; i++) {
		memcpy(p + 8, &i, 4);
		ck_assert_int_eq(send(raw, p, sizeof p, 0), sizeof p);
	}
	close(raw);
	if (_i > 0) {
		say(&b, IPC_STORED, 0, 12);
		ipc_flush(&b);			/* it cannot arrive */
	}
	turns(4);
	ck_assert_uint_eq(n_got, 5);
	ck_assert_uint_eq(n_down, 1);
	ck_assert_str_eq(reason, IPC_CLOSED);
}
END_TEST

START_TEST(bad_by_handler)
{
	start(true);
	ipc_bad(&b, "%s %d", "because", 7);
	ipc_bad(&b, "not again");
	turns(3);
	ck_assert_uint_eq(n_down, 2);		/* each end once */
	ipc_bad(&b, "closed by now");
	turns(3);
	ck_assert_uint_eq(n_down, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ipc");
	TCase *t = tcase_create("ipc");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, batches);
	tcase_add_test(t, back_pressure);
	tcase_add_test(t, descriptors);
	tcase_add_test(t, no_descriptor_to_wait_with);
	tcase_add_test(t, too_many_descriptors_on_their_way);
	tcase_add_loop_test(t, malformed, 0, (int)ARRAY_LEN(packets));
	tcase_add_test(t, every_type_by_role);
	tcase_add_test(t, oversize);
	tcase_add_test(t, good_before_bad);
	tcase_add_test(t, closed_inside_a_handler);
	tcase_add_loop_test(t, last_words, 0, 2);
	tcase_add_test(t, bad_by_handler);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
