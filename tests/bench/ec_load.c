/* SPDX-License-Identifier: Apache-2.0 */
/* ec_load: sends mail as fast as it is taken, or at a rate; see usage(). */
#include "common/base/base.h"

#include <getopt.h>
#include <signal.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "tests/bench/load_conn.h"

#define EXIT_USAGE 64
#define EXIT_SYSTEM 71
#define MBOX_MAX ((size_t)1 << 30)
#define SIZE_MAX_BYTES ((uint64_t)1 << 30)
#define PROGRESS_US 1000000u

struct load_program {
	struct load load;
	struct loop_timer limit, progress;
	char run[32];
	uint64_t started_us;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: ec_load -t HOST:PORT [options]\n"
	    "  -s N        sessions at a time (1)\n"
	    "  -m N        messages (1, or all of --mbox and --dir)\n"
	    "  -l BYTES    size of a generated message (4096)\n"
	    "  -D N        recipient domains d0.example ... (50)\n"
	    "  -r N        recipients per message (1)\n"
	    "  -d          keep connections for many messages\n"
	    "  -P          pipelining, where it is offered\n"
	    "  -T SECS     give up after so long (120)\n"
	    "  --rate N    open loop: N a second; latency counts from when a"
	    " message was due\n"
	    "  --retry     on loss or refusal send again, same id, until it is"
	    " accepted\n"
	    "  --ledger FILE   append \"ID RCPT REPLY\" for each 250, \"? ID"
	    " RCPT WHY\" where the reply was lost\n"
	    "  --from ADDR --to ADDR --helo NAME --run NAME (first part of"
	    " X-Load-Id)\n"
	    "  --mbox FILE, --dir DIR   send these messages, in turn\n"
	    "  --timeout SECS  longest wait for a reply (30)\n"
	    "  --progress      a line each second on stderr\n"
	    "Prints one line of JSON. 0: all accepted; 1: not all.\n");
	exit(EXIT_USAGE);
}

static double
ms_of(const struct hist *h, uint32_t per_100k)
{
	return (double)hist_quantile(h, per_100k) / 1000.0;
}

static void
print_result(const struct load_program *p)
{
	const struct load_totals *t = &p->load.t;
	double secs = t->last_us > t->first_us ?
	    (double)(t->last_us - t->first_us) / 1e6 : 0;

	printf("{\"ok\":%llu,\"failed\":%llu,\"rejects\":%llu,"
	    "\"neterr\":%llu,\"retries\":%llu,\"rcpts\":%llu,"
	    "\"doubtful\":%llu,\"bytes\":%llu,\"secs\":%.3f,\"rate\":%.1f,",
	    (unsigned long long)t->ok, (unsigned long long)t->failed,
	    (unsigned long long)t->rejects, (unsigned long long)t->neterr,
	    (unsigned long long)t->retries, (unsigned long long)t->rcpts_ok,
	    (unsigned long long)t->doubtful, (unsigned long long)t->bytes,
	    secs, secs > 0 ? (double)t->ok / secs : 0.0);
	printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,"
	    "\"max_ms\":%.3f,\"dot_p50_ms\":%.3f,\"dot_p99_ms\":%.3f,"
	    "\"dot_max_ms\":%.3f,\"first_us\":%llu,\"last_us\":%llu,"
	    "\"run\":\"%s\",\"cpu\":%.3f}\n",
	    ms_of(&t->whole, 50000), ms_of(&t->whole, 99000),
	    ms_of(&t->whole, 99900), (double)t->whole.max / 1000.0,
	    ms_of(&t->dot, 50000), ms_of(&t->dot, 99000),
	    (double)t->dot.max / 1000.0, (unsigned long long)t->first_us,
	    (unsigned long long)t->last_us, p->load.o.run, bench_cpu_secs());
	fflush(stdout);
}

static void
on_limit(void *arg)
{
	struct load_program *p = arg;

	loop_stop(p->load.loop);
}

static void
on_signal(void *arg, int signo)
{
	(void)signo;
	on_limit(arg);
}

static void
on_progress(void *arg)
{
	struct load_program *p = arg;
	const struct load_totals *t = &p->load.t;

	fprintf(stderr, "%6.1f s: %llu accepted, %llu failed, %llu refusals, "
	    "%llu connection errors\n",
	    (double)(loop_refresh_us(p->load.loop) - p->started_us) / 1e6,
	    (unsigned long long)t->ok, (unsigned long long)t->failed,
	    (unsigned long long)t->rejects, (unsigned long long)t->neterr);
	loop_timer_set(&p->progress, PROGRESS_US);
}

enum load_option {
	OPT_RATE = 256, OPT_RETRY, OPT_LEDGER, OPT_FROM, OPT_TO, OPT_HELO,
	OPT_RUN, OPT_MBOX, OPT_DIR, OPT_TIMEOUT, OPT_PROGRESS
};

static const struct option load_options[] = {
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "retry", no_argument, NULL, OPT_RETRY },
	{ "ledger", required_argument, NULL, OPT_LEDGER },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "mbox", required_argument, NULL, OPT_MBOX },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ NULL, 0, NULL, 0 }
};

/* Text that goes into commands and the ledger: short, no blanks, no controls
 * and no quotes. */
static const char *
one_word(const char *text, size_t max)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		if (text[i] <= 0x20 || text[i] == 0x7f || text[i] == '"') {
			n = SIZE_MAX;
			break;
		}
	}
	if (n > max) {
		fatal(EXIT_USAGE, "\"%s\" is not one word of at most %zu "
		    "characters", text, max);
	}
	return text;
}

static void
take_option(struct load_opts *o, int opt, const char *arg)
{
	switch (opt) {
	case 't':
		if (!bench_addr_parse(arg, &o->target)) {
			fatal(EXIT_USAGE, "-t \"%s\": wanted is HOST:PORT, HOST"
			    " a number", arg);
		}
		break;
	case 's': o->sessions = option_number('s', arg, 1000000); break;
	case 'm': o->count = option_number('m', arg, UINT32_MAX); break;
	case 'l': o->size = option_number('l', arg, SIZE_MAX_BYTES); break;
	case 'D': o->domains = option_number('D', arg, UINT32_MAX); break;
	case 'r': o->rcpts = option_number('r', arg, LOAD_RCPTS_MAX); break;
	case 'd': o->keep = true; break;
	case 'P': o->pipelining = true; break;
	case 'T': o->max_us = option_seconds_us('T', arg); break;
	case OPT_RATE: o->rate = option_number('R', arg, 10000000); break;
	case OPT_RETRY: o->retry = true; break;
	case OPT_LEDGER: o->ledger = arg; break;
	case OPT_FROM: o->from = one_word(arg, 255); break;
	case OPT_TO: o->to = one_word(arg, 255); break;
	case OPT_HELO: o->helo = one_word(arg, 255); break;
	case OPT_RUN: o->run = one_word(arg, 64); break;
	case OPT_MBOX: o->mbox = arg; break;
	case OPT_DIR: o->dir = arg; break;
	case OPT_TIMEOUT: o->timeout_us = option_seconds_us('t', arg); break;
	case OPT_PROGRESS: o->progress = true; break;
	default: usage();
	}
}

static void
check_options(struct load_opts *o)
{
	if (o->target.len == 0) {
		usage();
	}
	if (o->sessions == 0 || o->domains == 0 || o->rcpts == 0) {
		fatal(EXIT_USAGE, "-s, -D and -r start at 1");
	}
	if (o->to != NULL && o->rcpts > 1) {
		fatal(EXIT_USAGE, "--to names one recipient, -r %llu wants "
		    "more", (unsigned long long)o->rcpts);
	}
}

static void
load_messages(struct load *l)
{
	struct load_opts *o = &l->o;
	struct error err;
	struct buf b;

	if (o->mbox == NULL && o->dir == NULL) {
		load_msgs_generate(&l->msgs, o->size);
		o->count = o->count == UINT64_MAX ? 1 : o->count;
		return;
	}
	load_msgs_init_files(&l->msgs);
	if (o->mbox != NULL) {
		buf_init(&b, MBOX_MAX);
		if (fdio_slurp(o->mbox, &b, &err) < 0) {
			fatal(EXIT_SYSTEM, "%s", err.text);
		}
		load_msgs_add_mbox(&l->msgs, buf_slice(&b));
		buf_fini(&b);
	}
	if (o->dir != NULL && load_msgs_add_dir(&l->msgs, o->dir, &err) < 0) {
		fatal(EXIT_SYSTEM, "%s", err.text);
	}
	if (l->msgs.n == 0 || l->msgs.wire.full) {
		fatal(EXIT_USAGE, l->msgs.n == 0 ? "no message found" :
		    "the messages are too large to be held in memory");
	}
	o->count = o->count == UINT64_MAX ? l->msgs.n : o->count;
}

static void
start(struct load_program *p)
{
	struct load *l = &p->load;
	struct error err;
	sigset_t set;

	load_messages(l);
	if (ledger_open(&l->ledger, l->o.ledger, &err) < 0) {
		fatal(EXIT_SYSTEM, "%s", err.text);
	}
	l->loop = loop_create();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (loop_signals(l->loop, &set, on_signal, p) < 0) {
		fatal(EXIT_SYSTEM, "signals: %s", strerror(errno));
	}
	p->started_us = loop_now_us(l->loop);
	loop_timer_init(&p->limit, l->loop, on_limit, p);
	loop_timer_set(&p->limit, l->o.max_us);
	loop_timer_init(&p->progress, l->loop, on_progress, p);
	if (l->o.progress) {
		loop_timer_set(&p->progress, PROGRESS_US);
	}
	load_start(l);
}

int
main(int argc, char **argv)
{
	struct load_program *p = xcalloc(1, sizeof *p);
	struct load *l = &p->load;
	bool all;
	int opt;

	log_init("ec_load", -1, EC_NOTICE, false);
	bench_raise_fds();
	snprintf(p->run, sizeof p->run, "%llx.%x",
	    (unsigned long long)clock_wall_us(), (unsigned)getpid());
	l->o = (struct load_opts){ .sessions = 1, .count = UINT64_MAX,
		.size = 4096, .domains = 50, .rcpts = 1,
		.max_us = 120000000, .timeout_us = 30000000,
		.from = "sender@load.example", .helo = "load.example",
		.run = p->run };
	while ((opt = getopt_long(argc, argv, "t:s:m:l:D:r:dPT:", load_options,
	    NULL)) != -1) {
		take_option(&l->o, opt, optarg);
	}
	if (optind != argc) {
		usage();
	}
	check_options(&l->o);
	start(p);
	loop_run(l->loop);
	load_end(l);
	print_result(p);
	all = l->t.ok == l->o.count;
	loop_timer_stop(&p->limit);
	loop_timer_stop(&p->progress);
	ledger_close(&l->ledger);
	load_msgs_fini(&l->msgs);
	loop_destroy(&l->loop);
	free(p);
	return all ? 0 : 1;
}
