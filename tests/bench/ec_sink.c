/* SPDX-License-Identifier: Apache-2.0 */
/* ec_sink: an SMTP server that counts what it is given; see usage() below. */
#include "common/base/base.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/sink_conn.h"

#define EXIT_USAGE 64
#define EXIT_SYSTEM 71
#define LISTEN_MAX 16
#define BACKLOG 4096
#define ACCEPTS_A_TURN 64
#define IDLE_DEFAULT_US 300000000u

struct sink_listener {
	struct sink *s;
	struct loop_fd io;
	struct bench_addr addr;
};

struct sink_program {
	struct sink sink;
	struct sink_listener listeners[LISTEN_MAX];
	size_t n_listeners;
	struct buf extensions;
	const char *ledger_path, *stats_path;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: ec_sink [options]\n"
	    "  -l ADDR:PORT         listen here (port 0: any; printed as"
	    " \"listening ADDR:PORT\"); may be repeated\n"
	    "  --ledger FILE        append \"KEY RCPT\" for each recipient"
	    " before the 250 leaves\n"
	    "  --stats FILE         live counters, 64-bit words"
	    " (tests/bench/sink_conn.h)\n"
	    "  --tell-at N          print \"reached N\" when N messages have"
	    " come; may be repeated, ascending\n"
	    "  --store DIR          keep each message (N.env, N.eml)\n"
	    "  --reply STAGE[/PART]=CODE[:TEXT][@RATIO]\n"
	    "  --delay STAGE[/PART]=MS[@RATIO]\n"
	    "  --drop STAGE[/PART][@RATIO]\n"
	    "       STAGE: connect helo mail rcpt data body dot ack rset quit\n"
	    "       body, ack: --drop only; ack closes after accepting, before"
	    " the 250\n"
	    "       PART: only for addresses that contain it\n"
	    "  --seed N             for the dice of RATIO\n"
	    "  --max-conns N        421 for more\n"
	    "  --size N             largest message, advertised and enforced\n"
	    "  --ext LINE           one more EHLO line; parameters of MAIL and"
	    " RCPT are then not checked\n"
	    "  --idle SECS          close a silent connection (300)\n"
	    "  --no-pipelining --no-ehlo\n"
	    "SIGUSR1 prints the counters as JSON, SIGTERM and SIGINT print"
	    " them and end.\n");
	exit(EXIT_USAGE);
}

static void
print_stats(const struct sink *s)
{
	const struct sink_stats *t = s->stats;
	double secs = (double)(t->last_us - t->first_us) / 1e6;
	char sep = '{';

#define X(name) \
	if (&t->name != &t->magic) { \
		printf("%c\"%s\":%llu", sep, #name, \
		    (unsigned long long)t->name); \
		sep = ','; \
	}
	SINK_STATS(X)
#undef X
	printf(",\"secs\":%.3f,\"rate\":%.1f,\"cpu\":%.3f}\n", secs,
	    secs > 0 ? (double)t->messages / secs : 0.0, bench_cpu_secs());
	fflush(stdout);
}

static void
on_signal(void *arg, int signo)
{
	struct sink *s = arg;

	if (signo == SIGUSR1) {
		print_stats(s);
	} else {
		loop_stop(s->loop);
	}
}

static void
on_accept(void *arg, unsigned ready)
{
	struct sink_listener *l = arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(l->io.fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED) {
				continue;
			}
			if (errno != EAGAIN) {
				fatal(EXIT_SYSTEM, "accept: %s",
				    strerror(errno));
			}
			return;
		}
		bench_tune_socket(fd);
		sink_conn_open(l->s, fd);
	}
}

static void
listen_on(struct sink_listener *l)
{
	char text[64];
	int one = 1, fd = socket(l->addr.sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	bench_addr_print(&l->addr, text);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, (struct sockaddr *)&l->addr.sa, l->addr.len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		fatal(EXIT_SYSTEM, "cannot listen on %s: %s", text,
		    strerror(errno));
	}
	l->addr.len = sizeof l->addr.sa;
	if (getsockname(fd, (struct sockaddr *)&l->addr.sa, &l->addr.len) < 0) {
		fatal(EXIT_SYSTEM, "getsockname: %s", strerror(errno));
	}
	loop_fd_init(&l->io, l->s->loop, fd, on_accept, l);
	loop_fd_want(&l->io, LOOP_READ);
	bench_addr_print(&l->addr, text);
	printf("listening %s\n", text);
	fflush(stdout);
}

static struct sink_stats *
map_stats(const char *path)
{
	void *p;
	int fd;

	if (path == NULL) {
		return xcalloc(1, sizeof(struct sink_stats));
	}
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, sizeof(struct sink_stats)) < 0) {
		fatal(EXIT_SYSTEM, "cannot make %s: %s", path, strerror(errno));
	}
	p = mmap(NULL, sizeof(struct sink_stats), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		fatal(EXIT_SYSTEM, "cannot map %s: %s", path, strerror(errno));
	}
	close(fd);
	return p;
}

static void
add_rule(struct sink_program *g, enum behave_kind kind, const char *text)
{
	enum behave_result r = behave_add(&g->sink.behave, kind,
	    slice_of(text));

	if (r != BEHAVE_OK) {
		fatal(EXIT_USAGE, "rule \"%s\": %s", text,
		    behave_result_words(r));
	}
}

static void
add_listener(struct sink_program *g, const char *text)
{
	struct sink_listener *l = &g->listeners[g->n_listeners];

	if (g->n_listeners == LISTEN_MAX ||
	    !bench_addr_parse(text, &l->addr)) {
		fatal(EXIT_USAGE, "cannot listen on \"%s\": wanted is "
		    "ADDR:PORT, at most %d times", text, LISTEN_MAX);
	}
	l->s = &g->sink;
	g->n_listeners++;
}

static void
open_store(struct sink *s, const char *dir)
{
	s->store_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->store_dir < 0) {
		fatal(EXIT_SYSTEM, "cannot open %s: %s", dir, strerror(errno));
	}
}

static void
add_tell(struct sink *s, const char *arg)
{
	size_t i = 0;

	while (i < SINK_TELL_MAX && s->tell_at[i] != 0) {
		i++;
	}
	if (i == SINK_TELL_MAX) {
		fatal(EXIT_USAGE, "--tell-at at most %d times", SINK_TELL_MAX);
	}
	s->tell_at[i] = option_number('t', arg, UINT64_MAX);
}

enum sink_option {
	OPT_LEDGER = 256, OPT_STATS, OPT_TELL_AT, OPT_STORE, OPT_REPLY, OPT_DELAY, OPT_DROP,
	OPT_SEED, OPT_MAX_CONNS, OPT_SIZE, OPT_EXT, OPT_IDLE,
	OPT_NO_PIPELINING, OPT_NO_EHLO
};

static const struct option sink_options[] = {
	{ "ledger", required_argument, NULL, OPT_LEDGER },
	{ "stats", required_argument, NULL, OPT_STATS },
	{ "tell-at", required_argument, NULL, OPT_TELL_AT },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "reply", required_argument, NULL, OPT_REPLY },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "drop", required_argument, NULL, OPT_DROP },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "max-conns", required_argument, NULL, OPT_MAX_CONNS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "ext", required_argument, NULL, OPT_EXT },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "no-pipelining", no_argument, NULL, OPT_NO_PIPELINING },
	{ "no-ehlo", no_argument, NULL, OPT_NO_EHLO },
	{ NULL, 0, NULL, 0 }
};

static void
take_option(struct sink_program *g, int opt, const char *arg)
{
	struct sink *s = &g->sink;

	switch (opt) {
	case 'l': add_listener(g, arg); break;
	case OPT_LEDGER: g->ledger_path = arg; break;
	case OPT_STATS: g->stats_path = arg; break;
	case OPT_TELL_AT: add_tell(s, arg); break;
	case OPT_STORE: open_store(s, arg); break;
	case OPT_REPLY: add_rule(g, BEHAVE_REPLY, arg); break;
	case OPT_DELAY: add_rule(g, BEHAVE_DELAY, arg); break;
	case OPT_DROP: add_rule(g, BEHAVE_DROP, arg); break;
	case OPT_SEED: s->behave.dice = option_number('s', arg, UINT64_MAX); break;
	case OPT_MAX_CONNS: s->max_conns = option_number('m', arg, 1000000); break;
	case OPT_SIZE: s->size_limit = option_number('s', arg, UINT32_MAX); break;
	case OPT_EXT: buf_printf(&g->extensions, "250-%s\r\n", arg); break;
	case OPT_IDLE: s->idle_us = option_seconds_us('i', arg); break;
	case OPT_NO_PIPELINING: s->no_pipelining = true; break;
	case OPT_NO_EHLO: s->no_ehlo = true; break;
	default: usage();
	}
}

static void
start(struct sink_program *g)
{
	struct sink *s = &g->sink;
	struct error err;
	sigset_t set;

	s->extensions = buf_slice(&g->extensions);
	s->stats = map_stats(g->stats_path);
	if (ledger_open(&s->ledger, g->ledger_path, &err) < 0) {
		fatal(EXIT_SYSTEM, "%s", err.text);
	}
	s->loop = loop_create();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (loop_signals(s->loop, &set, on_signal, s) < 0) {
		fatal(EXIT_SYSTEM, "signals: %s", strerror(errno));
	}
	sink_start(s);
	if (g->n_listeners == 0) {
		add_listener(g, "127.0.0.1:0");
	}
	for (size_t i = 0; i < g->n_listeners; i++) {
		listen_on(&g->listeners[i]);
	}
}

int
main(int argc, char **argv)
{
	struct sink_program *g = xcalloc(1, sizeof *g);
	struct sink *s = &g->sink;
	int opt;

	log_init("ec_sink", -1, EC_NOTICE, false);
	bench_raise_fds();
	behave_init(&s->behave, 1);
	buf_init(&g->extensions, 8192);
	s->store_dir = -1;
	s->idle_us = IDLE_DEFAULT_US;
	while ((opt = getopt_long(argc, argv, "l:", sink_options, NULL)) != -1) {
		take_option(g, opt, optarg);
	}
	if (optind != argc) {
		usage();
	}
	start(g);
	loop_run(s->loop);
	for (size_t i = 0; i < g->n_listeners; i++) {
		loop_fd_stop(&g->listeners[i].io);
		close(g->listeners[i].io.fd);
	}
	sink_close_all(s);
	print_stats(s);
	ledger_close(&s->ledger);
	loop_destroy(&s->loop);
	buf_fini(&g->extensions);
	if (g->stats_path == NULL) {
		free(s->stats);
	}
	free(g);
	return 0;
}
