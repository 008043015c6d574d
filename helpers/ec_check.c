/* SPDX-License-Identifier: Apache-2.0 */
/* ec_check: is this machine prepared for a spool?  See doc/PREPARING.md. */
#include <getopt.h>
#include <sysexits.h>

#include "common/base/num.h"
#include "common/config/config.h"
#include "helpers/preflight/judge.h"
#include "helpers/preflight/show.h"

#define EXIT_WARNED 1
#define EXIT_REFUSED 2
#define OUT_MAX (1u << 20)
#define DEFAULT_QUEUE 100000u
#define MAX_SECONDS 60u
#define MAX_QUEUE 1000000000000ull

enum form {
	FORM_TABLE,
	FORM_JSON,
	FORM_START,
};

/* What was asked; strings are the command line's or kept here. */
struct call {
	struct facts_request request;
	const char *config;
	enum form form;
	bool spool_given, logs_given;
	bool measure, measure_given;
	uint64_t seconds;
	char spool[FACTS_PATH];
	char logs[FACTS_OTHERS][FACTS_PATH];
	struct facts facts;
	struct findings found;
};

static const char usage[] =
	"usage: ec_check [-c FILE] [--json] [OPTION...]\n"
	"Tells whether the machine is prepared for the spool: file system,\n"
	"mount options, RAID, room, the speed of a sync.\n"
	"  -c, --config FILE     read SpoolBase, logs and permissions there\n"
	"                        (" EC_SYSCONFDIR "/ecelerity.conf)\n"
	"  -s, --spool DIR       look at this directory; no file is read\n"
	"  -l, --log DIR         the logs are there (may be given again)\n"
	"  -q, --queue N         plan for so many queued messages (100000)\n"
	"      --journal BYTES   plan for a journal of so many bytes\n"
	"  -m, --measure [=SECS] measure syncs for so long (1 second)\n"
	"  -n, --no-measure      do not\n"
	"      --allow-xfs, --allow-no-barrier, --allow-no-sync\n"
	"                        as Allow_XFS, Allow_No_Barrier, Allow_No_Sync\n"
	"      --root DIR        read /proc, /sys and /etc below DIR\n"
	"  -j, --json            one JSON object\n"
	"      --start           as the server asks at its start: only what\n"
	"                        refuses or warns, a line each; no measuring\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version\n"
	"Exit status: 0 nothing worse than advice, 1 warnings, 2 the server\n"
	"would refuse to start, 64 wrong call, 71 /proc cannot be read, 74 the\n"
	"output cannot be written, 78 the configuration has errors.\n";

static void complain(const char *fmt, ...) EC_PRINTF(1, 2);

static void
complain(const char *fmt, ...)
{
	va_list ap;

	fputs("ec_check: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\n", stderr);
}

/* --- the call ------------------------------------------------------------- */

static bool
absolute(const char *path, char out[FACTS_PATH])
{
	char here[FACTS_PATH];
	int n;

	if (path[0] == '/') {
		n = snprintf(out, FACTS_PATH, "%s", path);
	} else {
		n = getcwd(here, sizeof here) == NULL ? -1 :
		    snprintf(out, FACTS_PATH, "%s/%s", here, path);
	}
	return n > 0 && (size_t)n < FACTS_PATH;
}

static bool
add_log(struct call *c, const char *dir)
{
	unsigned *n = &c->request.n_logs;

	if (*n == FACTS_OTHERS || !absolute(dir, c->logs[*n])) {
		return false;
	}
	for (unsigned i = 0; i < *n; i++) {
		if (strcmp(c->logs[i], c->logs[*n]) == 0) {
			return true;
		}
	}
	c->request.logs[*n] = c->logs[*n];
	(*n)++;
	return true;
}

static bool
take_number(const char *text, uint64_t max, uint64_t *out)
{
	if (num_parse_max(slice_of(text), max, out)) {
		return true;
	}
	complain("'%s' is no number between 0 and %llu", text,
	    (unsigned long long)max);
	return false;
}

enum long_option {
	ASK_JOURNAL = 256,
	ASK_ALLOW_XFS,
	ASK_ALLOW_NO_BARRIER,
	ASK_ALLOW_NO_SYNC,
	ASK_ROOT,
	ASK_START,
};

/* The options with a value.  False: a complaint was made. */
static bool
take_value(struct call *c, int opt, const char *value)
{
	switch (opt) {
	case 'c':
		c->config = value;
		return true;
	case 's':
		c->spool_given = true;
		return absolute(value, c->spool);
	case 'l':
		c->logs_given = true;
		return add_log(c, value);
	case 'q':
		return take_number(value, MAX_QUEUE, &c->request.queue);
	case 'm':
		c->measure = c->measure_given = true;
		return value == NULL ||
		    take_number(value, MAX_SECONDS, &c->seconds);
	case ASK_JOURNAL:
		return take_number(value, UINT64_MAX / 2,
		    &c->request.journal_wanted);
	case ASK_ROOT:
		c->request.root = value;
		return value[0] != '\0';
	default:
		return false;
	}
}

static bool
take_option(struct call *c, int opt, const char *value)
{
	switch (opt) {
	case 'n':
		c->measure = false;
		c->measure_given = true;
		return true;
	case 'j':
		c->form = FORM_JSON;
		return true;
	case ASK_START:
		c->form = FORM_START;
		return true;
	case ASK_ALLOW_XFS:
		c->request.allow_xfs = true;
		return true;
	case ASK_ALLOW_NO_BARRIER:
		c->request.allow_no_barrier = true;
		return true;
	case ASK_ALLOW_NO_SYNC:
		c->request.allow_no_sync = true;
		return true;
	case 'h':
		fputs(usage, stdout);
		exit(EX_OK);
	case 'V':
		printf("ec_check %s\n", PACKAGE_VERSION);
		exit(EX_OK);
	default:
		return take_value(c, opt, value);
	}
}

static bool
read_call(struct call *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "spool", required_argument, NULL, 's' },
		{ "log", required_argument, NULL, 'l' },
		{ "queue", required_argument, NULL, 'q' },
		{ "journal", required_argument, NULL, ASK_JOURNAL },
		{ "measure", optional_argument, NULL, 'm' },
		{ "no-measure", no_argument, NULL, 'n' },
		{ "allow-xfs", no_argument, NULL, ASK_ALLOW_XFS },
		{ "allow-no-barrier", no_argument, NULL,
		    ASK_ALLOW_NO_BARRIER },
		{ "allow-no-sync", no_argument, NULL, ASK_ALLOW_NO_SYNC },
		{ "root", required_argument, NULL, ASK_ROOT },
		{ "json", no_argument, NULL, 'j' },
		{ "start", no_argument, NULL, ASK_START },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:s:l:q:m::njhV", options,
	    NULL)) != -1) {
		if (!take_option(c, opt, optarg)) {
			return false;
		}
	}
	if (optind < argc) {
		complain("'%s' is one argument too many", argv[optind]);
		return false;
	}
	return true;
}

/* --- the configuration ---------------------------------------------------- */

static void
add_log_of(struct call *c, const struct config *cfg,
	const struct config_scope *scope, enum option_id id)
{
	struct config_where where = { .scope = scope };
	char path[FACTS_PATH];
	char *slash;

	slice_copy(path, sizeof path, config_string(cfg, &where, id));
	slash = strrchr(path, '/');
	if (slash != NULL) {
		*(slash == path ? slash + 1 : slash) = '\0';
		add_log(c, path);
	}
}

static void
add_logs_of(struct call *c, const struct config *cfg)
{
	const struct config_scope *s;

	for (s = config_first(cfg, NULL, SCOPE_EC_LOGGER); s != NULL;
	    s = config_next(s)) {
		add_log_of(c, cfg, s, OPT_MAINLOG);
		add_log_of(c, cfg, s, OPT_PANICLOG);
		add_log_of(c, cfg, s, OPT_REJECTLOG);
	}
	for (s = config_first(cfg, NULL, SCOPE_BOUNCE_LOGGER); s != NULL;
	    s = config_next(s)) {
		add_log_of(c, cfg, s, OPT_BOUNCELOG);
	}
}

static bool
use_config(struct call *c)
{
	struct facts_request *r = &c->request;
	struct config_report report;
	struct config *cfg;
	char path[FACTS_PATH];

	config_report_init(&report);
	cfg = config_load(c->config, &report);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&report.errors)));
	config_report_fini(&report);
	if (cfg == NULL) {
		return false;
	}
	slice_copy(path, sizeof path, config_string(cfg, NULL, OPT_SPOOLBASE));
	absolute(path, c->spool);
	if (!c->logs_given) {
		add_logs_of(c, cfg);
	}
	if (r->journal_wanted == 0) {
		r->journal_wanted = config_size(cfg, NULL, OPT_JOURNAL_SIZE);
	}
	r->allow_xfs |= config_bool(cfg, NULL, OPT_ALLOW_XFS);
	r->allow_no_barrier |= config_bool(cfg, NULL, OPT_ALLOW_NO_BARRIER);
	r->allow_no_sync |= config_bool(cfg, NULL, OPT_ALLOW_NO_SYNC);
	config_destroy(&cfg);
	return true;
}

/* --- the answer ----------------------------------------------------------- */

static bool
print(const struct call *c)
{
	bool ok;
	struct buf out;

	buf_init(&out, OUT_MAX);
	switch (c->form) {
	case FORM_TABLE:
		show_table(&c->facts, &c->found, isatty(STDOUT_FILENO) &&
		    getenv("NO_COLOR") == NULL, &out);
		break;
	case FORM_JSON:
		show_json(&c->facts, &c->found, &out);
		break;
	case FORM_START:
		show_start(&c->facts, &c->found, &out);
		break;
	}
	ok = !out.full && (out.len == 0 ||
	    fwrite(out.ptr, 1, out.len, stdout) == out.len);
	buf_fini(&out);
	return fflush(stdout) == 0 && ok;
}

static int
check(struct call *c)
{
	struct facts *facts = &c->facts;
	struct error err;

	c->request.spool = c->spool;
	if (facts_gather(&c->request, facts, &err) < 0) {
		complain("%s", err.text);
		return EX_OSERR;
	}
	if (c->measure && !judge_is_network(facts->mount.type)) {
		if (isatty(STDERR_FILENO)) {
			complain("measuring syncs for %llu s",
			    (unsigned long long)c->seconds);
		}
		facts_measure(facts, c->request.root, c->seconds * 1000000u);
	}
	judge_facts(facts, &c->found);
	if (!print(c)) {
		complain("cannot write the output");
		return EX_IOERR;
	}
	return c->found.worst == LEVEL_REFUSE ? EXIT_REFUSED :
	    c->found.worst == LEVEL_WARN ? EXIT_WARNED : EX_OK;
}

int
main(int argc, char **argv)
{
	static struct call c = {	/* too large for a stack */
		.request = { .root = "/", .queue = DEFAULT_QUEUE },
		.config = EC_SYSCONFDIR "/ecelerity.conf",
		.seconds = 1,
	};

	if (!read_call(&c, argc, argv)) {
		fputs("try ec_check --help\n", stderr);
		return EX_USAGE;
	}
	if (!c.measure_given) {
		c.measure = c.form != FORM_START &&
		    strcmp(c.request.root, "/") == 0;
	}
	if (!c.spool_given && !use_config(&c)) {
		return EX_CONFIG;
	}
	return check(&c);
}
