/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients, one spooler that answers late, in any order, dies and comes
 * back, for some seconds; against a model:
 *
 *	a 250 has its message durable, byte by byte as it was said;
 *	no message is durable twice but for a client that heard no 250;
 *	at the end the arena is empty.
 *
 * The seed is printed; EC_SEED=n runs one again.
 */
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "tests/listener/fake_spooler.h"
#include "tests/listener/talker.h"

#define CLIENTS 24u
#define RUN_US 4000000u
#define PATIENCE_US 20000000u
#define MAILS 3000u

struct client {
	struct talker talk;
	bool open;
	unsigned want;		/* codes in all once its mail is answered */
	unsigned mail;		/* the one it sends, or 0 */
};

static struct loop *loop;
static struct loop_timer glance;
static struct worker_harness h;
static struct fake_spooler sp;
static struct client clients[CLIENTS];
static struct buf said[MAILS];	/* content by number of the mail */
static bool confirmed[MAILS];
static unsigned n_mails, n_confirmed, n_deaths;
static uint64_t seed;
static uint16_t port;

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void
on_glance(void *arg)
{
	(void)arg;
	loop_timer_set(&glance, 1000);
}

/* Its number stands in front; lines of all kinds behind. */
static void
make_content(struct buf *out, unsigned number)
{
	unsigned lines = pick(20) == 0 ? pick(3000) : pick(60);

	buf_init(out, 1 << 20);
	buf_printf(out, "Mail: %06u\r\n\r\n", number);
	for (unsigned i = 0; i < lines; i++) {
		for (unsigned k = pick(3); k > 0; k--) {
			buf_putc(out, '.');
		}
		for (unsigned k = pick(70); k > 0; k--) {
			buf_putc(out, (char)('!' + pick(90)));
		}
		buf_puts(out, "\r\n");
	}
}

static void
say_stuffed(struct talker *t, struct slice c)
{
	bool start = true;

	for (size_t i = 0; i < c.len; i++) {
		if (start && c.ptr[i] == '.') {
			buf_putc(&t->out, '.');
		}
		start = c.ptr[i] == '\n';
		buf_putc(&t->out, c.ptr[i]);
	}
	talker_say(t, SLICE(".\r\n"));
}

static void
send_mail(struct client *c)
{
	struct talker *t = &c->talk;

	c->mail = ++n_mails;
	make_content(&said[c->mail], c->mail);
	if (pick(3) == 0) {
		talker_say(t, SLICE("NOOP\r\nRSET\r\n"));
		c->want += 2;
	}
	talker_say(t, SLICE("MAIL FROM:<a@x.example>\r\n"
	    "RCPT TO:<b@y.example>\r\nDATA\r\n"));
	say_stuffed(t, buf_slice(&said[c->mail]));
	c->want += 4;
}

/* What was said is durable, once or more (0: not). */
static unsigned
times_durable(unsigned mail)
{
	struct slice c = buf_slice(&said[mail]);
	unsigned n = 0;

	for (unsigned i = 0; i < sp.n; i++) {
		struct slice b = buf_slice(&sp.store[i].body);

		if (sp.store[i].durable && b.len > c.len &&
		    slice_eq(slice_skip(b, b.len - c.len), c)) {
			n++;
		}
	}
	return n;
}

static void
turn_client(struct client *c)
{
	struct talker *t = &c->talk;

	if (c->open && t->n_codes > 0 && t->closed) {
		ck_abort_msg("closed on a client; log: %.*s",
		    SLICE_ARG(buf_slice(&h.log)));
	}
	if (!c->open) {
		talker_open(t, loop, port);
		talker_say(t, SLICE("EHLO me.example\r\n"));
		c->open = true;
		c->want = 2;
		c->mail = 0;
	} else if (c->mail != 0 && pick(400) == 0) {
		(pick(2) ? talker_close : talker_reset)(t);
		c->open = false;
	} else if (t->n_codes == c->want && n_mails + 1 < MAILS) {
		if (c->mail != 0 && t->code[c->want - 1] == 250) {
			ck_assert_uint_eq(times_durable(c->mail), 1);
			confirmed[c->mail] = true;
			n_confirmed++;
		}
		c->mail = 0;
		send_mail(c);
	}
}

static void
turn_spooler(void)
{
	ck_assert_msg(!sp.cut, "link cut; log: %.*s",
	    SLICE_ARG(buf_slice(&h.log)));
	if (!sp.up) {
		if (pick(10) == 0) {
			fake_spooler_up(&sp);
		}
		return;
	}
	if (!sp.hello_end) {
		return;
	}
	for (unsigned i = sp.n > 200 ? sp.n - 200 : 0; i < sp.n; i++) {
		struct fake_store *s = &sp.store[i];

		if (s->life == sp.life && !s->answered && pick(3) == 0) {
			fake_spooler_answer(&sp, i, pick(10) != 0 ? STORED_OK :
			    pick(STORED_TOO_BIG));
		} else if (s->answered && s->held && pick(8) == 0) {
			fake_spooler_release(&sp, i);
		}
	}
	if (pick(150) == 0) {
		fake_spooler_down(&sp);
		n_deaths++;
	}
}

static bool kept;	/* of this life of the spooler */

/* The next one still reads some; the others are free. */
static void
turn_keep(void)
{
	static unsigned life;

	if (life != sp.life) {
		life = sp.life;
		kept = false;
	}
	if (kept || !sp.up || !sp.hello_end || pick(5) != 0) {
		return;
	}
	kept = true;
	for (unsigned i = 0; i < sp.n; i++) {
		if (sp.store[i].held && sp.store[i].life != sp.life) {
			if (pick(2)) {
				fake_spooler_keep(&sp, i);
			} else {
				sp.store[i].held = false;
			}
		}
	}
	fake_spooler_keep_end(&sp);
}

static void
give_socket(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	struct buf b;

	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof sin) ==
	    0 && listen(fd, 100) == 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	port = ntohs(sin.sin_port);
	buf_init(&b, 256);
	wire_put_u16(&b, 0);
	wire_put_slice(&b, SLICE(""));
	wire_put_slice(&b, SLICE("127.0.0.1:2525"));
	ipc_send_fd(&h.control, IPC_SUP_LISTEN, buf_slice(&b), &fd, 1);
	buf_fini(&b);
	close(fd);
}

static bool
is_over(void *arg)
{
	(void)arg;
	turn_spooler();
	turn_keep();
	for (unsigned i = 0; i < sp.n; i++) {
		if (sp.up && sp.hello_end && sp.store[i].held &&
		    sp.store[i].answered) {
			return false;
		}
	}
	return sp.up && kept && score_get(&h.scoreboard->slot[ROLE_LISTENER]
	    [0], SCORE_L_ARENA_USED) == 0;
}

START_TEST(soak)
{
	const char *given = getenv("EC_SEED");
	struct error err = { 0 };
	uint64_t end;

	seed = given != NULL ? strtoull(given, NULL, 10) : clock_mono_us() | 1;
	printf("seed %llu\n", (unsigned long long)seed);
	signal(SIGPIPE, SIG_IGN);
	loop = loop_create();
	loop_timer_init(&glance, loop, on_glance, NULL);
	on_glance(NULL);
	ck_assert_int_eq(worker_harness_start(&h, loop, "listener/listener",
	    ROLE_LISTENER, 0, SLICE("Relay_Hosts = ( \"127.0.0.0/8\" )\n"
	    "ESMTP_Listener { Listen \"127.0.0.1:2525\" { } }\n"), &err), 0);
	worker_harness_wait(&h, PATIENCE_US, worker_harness_is_ready, &h);
	ck_assert(h.ready);
	give_socket();
	fake_spooler_init(&sp, &h);
	sp.answer = ANSWER_NONE;
	sp.hold = sp.no_keep_end = true;
	sp.window = 8;
	end = clock_mono_us() + RUN_US;
	while (clock_mono_us() < end && sp.n + 200 < FAKE_STORES) {
		turn_spooler();
		turn_keep();
		for (unsigned i = 0; i < CLIENTS; i++) {
			turn_client(&clients[i]);
		}
		loop_turn(loop, true);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		talker_close(&clients[i].talk);
	}
	ck_assert_msg(worker_harness_wait(&h, PATIENCE_US, is_over, NULL),
	    "the arena is not empty");
	for (unsigned i = 1; i <= n_mails; i++) {
		ck_assert_uint_le(times_durable(i), 1);
		ck_assert(!confirmed[i] || times_durable(i) == 1);
		buf_fini(&said[i]);
	}
	printf("%u mails, %u confirmed, %u deaths\n", n_mails, n_confirmed,
	    n_deaths);
	ck_assert_uint_gt(n_confirmed, 100);
	ck_assert_int_eq(worker_harness_stop(&h, PATIENCE_US), 0);
	fake_spooler_fini(&sp);
	loop_timer_stop(&glance);
	loop_destroy(&loop);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("soak");
	TCase *tc = tcase_create("soak");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, soak);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
