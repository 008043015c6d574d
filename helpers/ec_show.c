/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_show: the messages of a spool, and one message whole.  It reads the
 * directory, read-only, so it works with and without a server, on a copy, and
 * when the server is busy.
 */
#include "helpers/show.h"

#include <getopt.h>
#include <sysexits.h>

#include "common/base/clock.h"
#include "common/base/num.h"

#define MEM_MAX (16u << 20)

static const char usage[] =
	"usage: ec_show [OPTION...] [ID]\n"
	"Lists the messages of a spool, or prints the one with that ID.\n"
	"  -c, --config FILE      whose SpoolBase (" EC_SYSCONFDIR
	"/ecelerity.conf)\n"
	"  -d, --spool DIR        that directory instead\n"
	"Which messages (globs: * ? [..], letters of any case):\n"
	"  -s, --sender GLOB      by envelope sender ('' is the null sender)\n"
	"  -r, --recipient GLOB   by envelope recipient\n"
	"  -D, --domain GLOB      by the recipient's domain\n"
	"      --older TIME       received before: 90s, 5m, 2h, 7d, 4w ago, or\n"
	"      --newer TIME       since: 2026-11-23, 2026-11-23T18:00 (UTC)\n"
	"      --state STATE      active, delayed, journal, settled or\n"
	"                         quarantined; may be given several times\n"
	"  -n, --count N          at most so many\n"
	"What of one message:\n"
	"  -b, --body             its body only\n"
	"  -w, --whole            header and body as they will be sent\n"
	"Form:\n"
	"  -j, --json             one JSON object a line\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version of this program\n"
	"Exit status: 0, 1 if there is no such message or some could not be\n"
	"read, 64 for a wrong call, 66 if the spool cannot be read, 74 if writing\n"
	"failed, 78 for a configuration with errors.\n";

struct options {
	const char *config, *spool;
	bool json;
};

enum { OPT_OLDER = 256, OPT_NEWER, OPT_STATE };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "spool", required_argument, NULL, 'd' },
	{ "sender", required_argument, NULL, 's' },
	{ "recipient", required_argument, NULL, 'r' },
	{ "domain", required_argument, NULL, 'D' },
	{ "older", required_argument, NULL, OPT_OLDER },
	{ "newer", required_argument, NULL, OPT_NEWER },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "count", required_argument, NULL, 'n' },
	{ "body", no_argument, NULL, 'b' },
	{ "whole", no_argument, NULL, 'w' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

static int
wrong(const char *what, const char *value)
{
	fprintf(stderr, "ec_show: '%s' %s\ntry ec_show --help\n", value, what);
	return EX_USAGE;
}

/* One that selects: 0, or an exit code. */
static int
take_filter(struct show *s, int c, const char *value)
{
	struct show_filter *f = &s->filter;
	unsigned state;

	if (c == 's') {
		f->sender = value;
	} else if (c == 'r') {
		f->recipient = value;
	} else if (c == 'D') {
		f->domain = value;
	} else if (c == OPT_OLDER || c == OPT_NEWER) {
		if (!show_parse_time(slice_of(value), s->now_us, c ==
		    OPT_OLDER ? &f->not_after_us : &f->not_before_us)) {
			return wrong("is no time: 2h, 7d or 2026-11-23T18:00 "
			    "are", value);
		}
	} else if (c == OPT_STATE) {
		state = show_parse_state(slice_of(value));
		f->states |= state;
		if (state == 0) {
			return wrong("is no state: active, delayed, journal, "
			    "settled, quarantined are", value);
		}
	} else if (!num_parse_u64(slice_of(value), &f->limit) ||
	    f->limit == 0) {
		return wrong("is no count", value);
	}
	return 0;
}

/* -1 to go on, or an exit code. */
static int
take_options(struct show *s, struct options *o, int argc, char **argv)
{
	int c, result;

	while ((c = getopt_long(argc, argv, "c:d:s:r:D:n:bwjhV", long_options,
	    NULL)) != -1) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'd') {
			o->spool = optarg;
		} else if (c == 'b') {
			s->part = SHOW_BODY;
		} else if (c == 'w') {
			s->part = SHOW_WHOLE;
		} else if (c == 'j') {
			o->json = true;
		} else if (c == 'h') {
			fputs(usage, stdout);
			return EX_OK;
		} else if (c == 'V') {
			puts("ec_show " PACKAGE_VERSION);
			return EX_OK;
		} else if (c == '?') {
			fputs("try ec_show --help\n", stderr);
			return EX_USAGE;
		} else if ((result = take_filter(s, c, optarg)) != 0) {
			return result;
		}
	}
	return -1;
}

static int
run(struct show *s, const char *path, const char *id_text)
{
	struct error err;
	msgid id = MSGID_NONE;
	int result;

	if (id_text != NULL && !msgid_parse(slice_of(id_text), &id)) {
		return wrong("is no message id: they look like "
		    "F9/4B-02001-C6DD1CA4", id_text);
	}
	if (spool_dir_open(&s->dir, path, &err) < 0) {
		fprintf(stderr, "ec_show: %s\n", err.text);
		return EX_NOINPUT;
	}
	if (spool_journal_open(&s->journal, &s->dir, &err) < 0) {
		fprintf(stderr, "ec_show: %s\n", err.text);
		spool_dir_close(&s->dir);
		return EX_NOINPUT;
	}
	scratch_init(&s->mem, MEM_MAX);
	result = id_text != NULL ? show_message(s, id) : show_list(s);
	if (result == 0 && s->skipped > 0) {
		result = 1;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "ec_show: cannot write the output\n");
		result = EX_IOERR;
	}
	scratch_fini(&s->mem);
	spool_journal_close(&s->journal);
	spool_dir_close(&s->dir);
	return result;
}

int
main(int argc, char **argv)
{
	struct options o = { .config = EC_SYSCONFDIR "/ecelerity.conf" };
	struct show s = { .now_us = clock_wall_us(),
		.terminal = isatty(STDOUT_FILENO) };
	char base[512];
	int result = take_options(&s, &o, argc, argv);

	if (result >= 0) {
		return result;
	}
	if (argc - optind > 1) {
		return wrong("is one argument too many", argv[optind + 1]);
	}
	if (o.spool == NULL && !spool_dir_of_config("ec_show", o.config, base,
	    sizeof base)) {
		return EX_CONFIG;
	}
	line_init(&s.out, o.json ? LINE_JSON : optind < argc ? LINE_LIST :
	    s.terminal ? LINE_TABLE : LINE_TABS, stdout);
	result = run(&s, o.spool != NULL ? o.spool : base, argv[optind]);
	line_fini(&s.out);
	return result;
}
