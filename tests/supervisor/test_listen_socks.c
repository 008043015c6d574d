/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets by configuration: what is bound, kept, closed and refused. */
#include "supervisor/listen_socks.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "common/base/addr.h"
#include "common/base/fdio.h"
#include "supervisor/port_holder.h"

/* A socket listening on a port the kernel chose. */
static int
stranger(uint16_t *port_out, bool reuse_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	if (reuse_port) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port_out = ntohs(sin.sin_port);
	return fd;
}

static uint16_t
free_port(void)
{
	uint16_t port;

	close(stranger(&port, false));
	return port;
}

static struct config *
parse(const char *fmt, unsigned a, unsigned b)
{
	struct config_report rep;
	struct config *cfg;
	char text[512];

	snprintf(text, sizeof text, fmt, a, b);
	config_report_init(&rep);
	cfg = config_parse(slice_of(text), "demo.conf", &rep);
	ck_assert_msg(cfg != NULL, "%.*s", SLICE_ARG(buf_slice(&rep.errors)));
	config_report_fini(&rep);
	return cfg;
}

static bool
can_connect(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0;

	close(fd);
	return ok;
}

START_TEST(reload_keeps_adds_and_drops)
{
	struct listen_socks held = { 0 }, next;
	uint16_t a = free_port(), b = free_port(), c = free_port();
	struct config *one = parse("ESMTP_Listener { Listen \"127.0.0.1:%u\" "
	    "{ } Listen \"127.0.0.1:%u\" { } }", a, b);
	struct config *two = parse("ESMTP_Listener { Listen \"127.0.0.1:%u\" "
	    "{ } Listen \"127.0.0.1:%u\" { } }", b, c);
	struct error err = { 0 };
	struct stat was, is;

	ck_assert_msg(listen_socks_build(&next, &held, one, 3, &err) == 0,
	    "%s", err.text);
	listen_socks_swap(&held, &next);
	ck_assert_uint_eq(held.n, 2);
	ck_assert(can_connect(a) && can_connect(b));
	ck_assert_int_ge(held.addr[0].backlog, LISTEN_BACKLOG_MIN);
	ck_assert_int_eq(fstat(held.addr[1].fds[2], &was), 0);

	ck_assert_msg(listen_socks_build(&next, &held, two, 3, &err) == 0,
	    "%s", err.text);
	ck_assert(next.addr[0].kept && !next.addr[1].kept);
	ck_assert(!listen_socks_has(&next, &held.addr[0]));
	ck_assert(listen_socks_has(&next, &held.addr[1]));
	listen_socks_swap(&held, &next);
	ck_assert_int_eq(fstat(held.addr[0].fds[2], &is), 0);
	ck_assert_uint_eq(was.st_ino, is.st_ino);
	ck_assert(!can_connect(a) && can_connect(b) && can_connect(c));
	listen_socks_fini(&held);
	ck_assert(!can_connect(b) && !can_connect(c));
	config_destroy(&one);
	config_destroy(&two);
}
END_TEST

START_TEST(a_taken_port_names_its_holder)
{
	for (int reuse = 0; reuse < 2; reuse++) {
		struct listen_socks held = { 0 }, next;
		uint16_t port, other = free_port();
		int fd = stranger(&port, reuse);
		struct config *cfg = parse("ESMTP_Listener {\nListen "
		    "\"127.0.0.1:%u\" { }\nListen \"127.0.0.1:%u\" { } }",
		    other, port);
		struct error err = { 0 };
		char who[64], at[64];

		ck_assert_int_eq(listen_socks_build(&next, &held, cfg, 2,
		    &err), -1);
		snprintf(who, sizeof who, "port %u is in use by pid %ld (",
		    port, (long)getpid());
		ck_assert_msg(strstr(err.text, who) == err.text, "%s",
		    err.text);
		snprintf(at, sizeof at, "(demo.conf:3)");
		ck_assert_msg(strstr(err.text, at) != NULL, "%s", err.text);
		/* Nothing is left behind. */
		ck_assert_uint_eq(next.n, 0);
		ck_assert(!can_connect(other));
		close(fd);
		config_destroy(&cfg);
	}
}
END_TEST

START_TEST(a_failed_reload_leaves_what_is_held)
{
	struct listen_socks held = { 0 }, next;
	uint16_t ours = free_port(), port;
	struct config *one = parse("ESMTP_Listener { Listen \"127.0.0.1:%u\" "
	    "{ } }", ours, 0);
	struct config *two;
	struct error err = { 0 };
	int fd;

	ck_assert_int_eq(listen_socks_build(&next, &held, one, 2, &err), 0);
	listen_socks_swap(&held, &next);
	fd = stranger(&port, false);
	two = parse("ESMTP_Listener { Listen \"127.0.0.1:%u\" { } "
	    "Listen \"127.0.0.1:%u\" { } }", ours, port);
	ck_assert_int_eq(listen_socks_build(&next, &held, two, 2, &err), -1);
	ck_assert(can_connect(ours));
	listen_socks_fini(&held);
	close(fd);
	config_destroy(&one);
	config_destroy(&two);
}
END_TEST

/* From one address to all of them and back, in one reload each: our own
 * sockets are no obstacle to ourselves. */
START_TEST(wildcard_and_specific_in_one_reload)
{
	struct listen_socks held = { 0 }, next;
	uint16_t port = free_port();
	struct config *some = parse("ESMTP_Listener { Listen \"127.0.0.1:%u\" "
	    "{ } }", port, 0);
	struct config *all = parse("ESMTP_Listener { Listen \"*:%u\" { } }",
	    port, 0);
	struct config *turns[] = { some, all, some };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		ck_assert_msg(listen_socks_build(&next, &held, turns[i], 2,
		    &err) == 0, "turn %zu: %s", i, err.text);
		listen_socks_swap(&held, &next);
		ck_assert(can_connect(port));
	}
	listen_socks_fini(&held);
	config_destroy(&some);
	config_destroy(&all);
}
END_TEST

START_TEST(families_of_wildcards)
{
	static const struct {
		const char *conf;
		int family[2];
		bool v6_only[2];
	} rows[] = {
		{ "Listen \"*:%u\" { }", { AF_INET6 }, { false } },
		{ "Listen \":%u\" { }", { AF_INET6 }, { false } },
		{ "Listen \"[::]:%u\" { }", { AF_INET6 }, { false } },
		{ "Listen \"0.0.0.0:%u\" { } Listen \"[::]:%u\" { }",
		  { AF_INET, AF_INET6 }, { true, true } },
		{ "Listen \"*:%u\" { } Listen \"[::]:%u\" { }",
		  { AF_INET, AF_INET6 }, { true, true } },
		{ "Listen \"*:%u\" { } Listen \"0.0.0.0:%u\" { }",
		  { AF_INET6, AF_INET }, { true, true } },
	};
	int v6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	bool have = v6 >= 0 && bind(v6, (struct sockaddr *)&any,
	    sizeof any) == 0;

	fdio_close(&v6);
	for (size_t i = 0; have && i < ARRAY_LEN(rows); i++) {
		struct listen_socks held = { 0 }, next;
		uint16_t port = free_port();
		char text[256];
		struct config *cfg;
		struct error err = { 0 };

		snprintf(text, sizeof text, "ESMTP_Listener { %s }",
		    rows[i].conf);
		cfg = parse(text, port, port);
		ck_assert_msg(listen_socks_build(&next, &held, cfg, 1,
		    &err) == 0, "row %zu: %s", i, err.text);
		for (size_t k = 0; k < next.n; k++) {
			ck_assert_msg(next.addr[k].sa.ss_family ==
			    rows[i].family[k], "row %zu", i);
			ck_assert_msg(next.addr[k].v6_only ==
			    rows[i].v6_only[k], "row %zu", i);
		}
		ck_assert(can_connect(port));
		listen_socks_fini(&next);
		config_destroy(&cfg);
	}
}
END_TEST

START_TEST(an_address_we_do_not_have)
{
	struct listen_socks held = { 0 }, next;
	struct config *cfg = parse("ESMTP_Listener { Listen "
	    "\"203.0.113.77:%u\" { } }", free_port(), 0);
	struct error err = { 0 };

	ck_assert_int_eq(listen_socks_build(&next, &held, cfg, 1, &err), -1);
	ck_assert_msg(strstr(err.text, "no interface of this machine") != NULL,
	    "%s", err.text);
	config_destroy(&cfg);
}
END_TEST

START_TEST(lines_of_proc_net)
{
	static const struct {
		const char *line;
		bool ok, listening;
		unsigned port;
		uint64_t inode;
		const char *address;
	} rows[] = {
		{ "   0: 0100007F:09DD 00000000:0000 0A 00000000:00000000 "
		  "00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0",
		  true, true, 2525, 12345, "::ffff:127.0.0.1" },
		{ "   1: 00000000:0019 00000000:0000 0A 00000000:00000000 "
		  "00:00000000 00000000   100        0 7 1", true, true, 25, 7,
		  "::" },
		{ "   2: 00000000000000000000000001000000:0019 "
		  "00000000000000000000000000000000:0000 0A 00000000:00000000 "
		  "00:00000000 00000000     0        0 99 1", true, true, 25,
		  99, "::1" },
		{ "   3: 0100007F:09DD 0100007F:C001 01 00000000:00000000 "
		  "00:00000000 00000000     0        0 5 1", true, false,
		  2525, 5, "::ffff:127.0.0.1" },
		{ "  sl  local_address rem_address   st tx_queue rx_queue tr "
		  "tm->when retrnsmt   uid  timeout inode", false, false, 0,
		  0, NULL },
		{ "", false, false, 0, 0, NULL },
		{ "   0: 0100007F 00000000:0000 0A", false, false, 0, 0,
		  NULL },
		{ "   0: 0100007F:1FFFF 00000000:0000 0A a b c d e 1", false,
		  false, 0, 0, NULL },
		{ "   0: 010000:0019 00000000:0000 0A a b c d e 1", false,
		  false, 0, 0, NULL },
		{ "   0: 0100007F:0019 00000000:0000 0A a b c d e x", false,
		  false, 0, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct port_line l;
		struct sockaddr_storage ss;

		ck_assert_msg(port_line_parse(slice_of(rows[i].line), &l) ==
		    rows[i].ok, "row %zu", i);
		if (!rows[i].ok) {
			continue;
		}
		ck_assert_uint_eq(l.port, rows[i].port);
		ck_assert_int_eq(l.listening, rows[i].listening);
		ck_assert_uint_eq(l.inode, rows[i].inode);
		ck_assert(addr_parse_ip(slice_of(rows[i].address), &ss));
		ck_assert_int_eq(memcmp(&((struct sockaddr_in6 *)&ss)->
		    sin6_addr, &l.address, sizeof l.address), 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen_socks");
	TCase *t = tcase_create("listen_socks");
	SRunner *r;
	int failed;

	tcase_add_test(t, reload_keeps_adds_and_drops);
	tcase_add_test(t, a_taken_port_names_its_holder);
	tcase_add_test(t, a_failed_reload_leaves_what_is_held);
	tcase_add_test(t, wildcard_and_specific_in_one_reload);
	tcase_add_test(t, families_of_wildcards);
	tcase_add_test(t, an_address_we_do_not_have);
	tcase_add_test(t, lines_of_proc_net);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
