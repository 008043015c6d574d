/* SPDX-License-Identifier: Apache-2.0 */
/* ec_dump_config: checks a configuration and prints it. */
#include "common/config/config.h"
#include "helpers/dump.h"

#include <getopt.h>
#include <sysexits.h>

#define OUT_MAX (1u << 30)

enum form {
	FORM_TEXT,
	FORM_ALL,
	FORM_XML,
	FORM_JSON,
	FORM_FROZEN,
	FORM_MAN,
	FORM_SAMPLE,
};

static const char usage[] =
	"usage: ec_dump_config [-c FILE] [-q] [-f OUT] [FORM]\n"
	"Checks a configuration and prints it in canonical form.\n"
	"  -c, --config FILE  the file (" EC_SYSCONFDIR "/ecelerity.conf)\n"
	"  -f, --file OUT     write there instead of standard output\n"
	"  -q, --quiet        no warnings\n"
	"  -h, --help         this text\n"
	"Forms:\n"
	"  --all              with every option and its default\n"
	"  --xml              as XML\n"
	"  --json             as JSON\n"
	"  --frozen           as the supervisor hands it to workers\n"
	"  --man              the option part of ecelerity.conf(5)\n"
	"  --sample           a commented sample file\n"
	"Exit status: 0, 64 for a wrong call, 74 if writing failed, 78 for a\n"
	"configuration with errors, which are shown on standard error.\n";

static void
make_output(const struct config *cfg, enum form form, struct buf *out)
{
	switch (form) {
	case FORM_TEXT:
		config_print(cfg, out);
		break;
	case FORM_ALL:
		dump_all(cfg, out);
		break;
	case FORM_XML:
		dump_xml(cfg, out);
		break;
	case FORM_JSON:
		dump_json(cfg, out);
		break;
	case FORM_FROZEN:
		config_freeze(cfg, out);
		break;
	case FORM_MAN:
		dump_man(out);
		break;
	case FORM_SAMPLE:
		dump_sample(out);
		break;
	}
}

/* An empty buffer has no memory, which fwrite() must not see. */
static bool
put(FILE *to, const struct buf *b)
{
	return b->len == 0 || fwrite(b->ptr, 1, b->len, to) == b->len;
}

static int
write_out(const struct buf *out, const char *path)
{
	FILE *to = path ? fopen(path, "we") : stdout;
	bool ok;

	if (to == NULL) {
		fprintf(stderr, "ec_dump_config: cannot open %s: %s\n", path,
		    strerror(errno));
		return EX_IOERR;
	}
	ok = !out->full && put(to, out);
	ok = fflush(to) == 0 && ok;
	if (path != NULL) {
		ok = fclose(to) == 0 && ok;
	}
	if (!ok) {
		fprintf(stderr, "ec_dump_config: cannot write %s\n",
		    path ? path : "the output");
		return EX_IOERR;
	}
	return EX_OK;
}

/* NULL after the messages were shown. */
static struct config *
load(const char *path, bool quiet)
{
	struct config_report report;
	struct config *cfg;

	config_report_init(&report);
	cfg = config_load(path, &report);
	if (!quiet) {
		put(stderr, &report.warnings);
	}
	put(stderr, &report.errors);
	config_report_fini(&report);
	return cfg;
}

static int
run(const char *path, enum form form, bool quiet, const char *out_path)
{
	struct config *cfg = NULL;
	struct buf out;
	int status;

	if (form != FORM_MAN && form != FORM_SAMPLE) {
		cfg = load(path, quiet);
		if (cfg == NULL) {
			return EX_CONFIG;
		}
	}
	buf_init(&out, OUT_MAX);
	make_output(cfg, form, &out);
	status = write_out(&out, out_path);
	buf_fini(&out);
	config_destroy(&cfg);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "file", required_argument, NULL, 'f' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "all", no_argument, NULL, 256 + FORM_ALL },
		{ "xml", no_argument, NULL, 256 + FORM_XML },
		{ "json", no_argument, NULL, 256 + FORM_JSON },
		{ "frozen", no_argument, NULL, 256 + FORM_FROZEN },
		{ "man", no_argument, NULL, 256 + FORM_MAN },
		{ "sample", no_argument, NULL, 256 + FORM_SAMPLE },
		{ 0 }
	};
	const char *path = EC_SYSCONFDIR "/ecelerity.conf", *out_path = NULL;
	enum form form = FORM_TEXT;
	bool quiet = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:f:qh", options, NULL)) != -1) {
		if (c >= 256) {
			form = (enum form)(c - 256);
		} else if (c == 'c') {
			path = optarg;
		} else if (c == 'f') {
			out_path = optarg;
		} else if (c == 'q') {
			quiet = true;
		} else if (c == 'h') {
			fputs(usage, stdout);
			return EX_OK;
		} else {
			fputs("try ec_dump_config --help\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ec_dump_config: '%s' is one argument too "
		    "many\n", argv[optind]);
		return EX_USAGE;
	}
	return run(path, form, quiet, out_path);
}
