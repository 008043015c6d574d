/* SPDX-License-Identifier: Apache-2.0 */
/* The option table as a part of ecelerity.conf(5) and as a sample file. */
#include "common/config/options.h"
#include "helpers/dump.h"

#include <strings.h>

static const char *
type_words(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
		return "true or false";
	case OPTION_INT:
		return "whole number";
	case OPTION_SIZE:
		return "bytes, or with K, M or G";
	case OPTION_DURATION:
		return "seconds, or with a unit";
	case OPTION_DURATION_MS:
		return "milliseconds, or with a unit";
	case OPTION_STRING:
		return "string";
	case OPTION_ENUM:
		return "one word";
	case OPTION_RATE:
		return "rate";
	case OPTION_PERCENT:
		return "percent";
	case OPTION_MODE:
		return "octal mode";
	case OPTION_ADDRESS:
		return "IP address";
	case OPTION_HOSTPORT:
		return "host or host:port";
	case OPTION_DICT:
		return "dictionary";
	case OPTION_LIST:
		return "list";
	case OPTION_NETS:
		return "list of address blocks";
	case OPTION_DOMAINS:
		return "list of domains";
	case OPTION_ADDRESSES:
		return "list of addresses";
	}
	return "";
}

static int
by_name(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	int c = strcasecmp(option_row((enum option_id)x)->name,
	    option_row((enum option_id)y)->name);

	return c != 0 ? c : x - y;
}

static void
sorted_ids(int ids[OPTION_COUNT])
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		ids[i] = i;
	}
	qsort(ids, OPTION_COUNT, sizeof ids[0], by_name);
}

static void
troff_text(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\') {
			buf_puts(out, "\\e");
		} else if (*s == '-') {
			buf_puts(out, "\\-");
		} else {
			buf_putc(out, *s);
		}
	}
}

/* "no, ifavailable or required", without the numbers behind the words. */
static void
put_words(const char *words, struct buf *out)
{
	struct slice rest = slice_of(words);

	while (rest.len > 0) {
		struct slice item = slice_cut(&rest, ' ');
		struct slice word = slice_cut(&item, '=');

		buf_printf(out, "%.*s%s", SLICE_ARG(word),
		    rest.len ? ", " : "");
	}
}

static void
man_option(int id, struct buf *out)
{
	const struct option_row *row = option_row((enum option_id)id);
	const char *dflt = option_doc_default((enum option_id)id);
	char scopes[512];

	scope_bits_text(row->scopes, scopes, sizeof scopes);
	buf_puts(out, ".TP\n.B ");
	buf_puts(out, row->name);
	buf_putc(out, '\n');
	troff_text(row->doc, out);
	buf_printf(out, "\nValue: %s", type_words(row->type));
	if (row->words != NULL) {
		buf_puts(out, row->type == OPTION_INT ? " or " : ": ");
		put_words(row->words, out);
	}
	buf_puts(out, ".\nDefault: ");
	troff_text(dflt == NULL ? "none" : dflt[0] ? dflt : "empty", out);
	buf_printf(out, ".\nScopes: %s.\n", scopes);
	if (row->restart) {
		buf_puts(out, "A change needs a restart.\n");
	}
}

static void
man_part(bool served, struct buf *out)
{
	int ids[OPTION_COUNT];

	sorted_ids(ids);
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (option_row((enum option_id)ids[i])->served == served) {
			man_option(ids[i], out);
		}
	}
}

void
dump_man(struct buf *out)
{
	buf_puts(out, ".SH OPTIONS\n");
	man_part(true, out);
	buf_puts(out, ".SH OPTIONS WITHOUT EFFECT\n"
	    "These names are known, so that existing files load, and are\n"
	    "reported as not served yet.\n");
	man_part(false, out);
}

/* A comment wrapped at the width of the page. */
static void
sample_comment(const char *text, unsigned depth, struct buf *out)
{
	struct slice rest = slice_of(text);
	size_t width = 0;

	while (rest.len > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (width == 0 || width + word.len + 1 > 68) {
			buf_puts(out, width ? "\n" : "");
			for (unsigned i = 0; i < depth; i++) {
				buf_putc(out, '\t');
			}
			buf_putc(out, '#');
			width = 1;
		}
		buf_printf(out, " %.*s", SLICE_ARG(word));
		width += word.len + 1;
	}
	buf_putc(out, '\n');
}

static void
sample_option(int id, unsigned depth, struct buf *out)
{
	const struct option_row *row = option_row((enum option_id)id);
	const char *dflt = option_doc_default((enum option_id)id);

	sample_comment(row->doc, depth, out);
	for (unsigned i = 0; i < depth; i++) {
		buf_putc(out, '\t');
	}
	if (dflt == NULL) {
		buf_printf(out, "#%s =\n", row->name);
	} else {
		buf_printf(out, "#%s = \"%s\"\n", row->name, dflt);
	}
}

static void
sample_scope(enum scope_kind kind, uint64_t but_not, unsigned depth,
	struct buf *out)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = option_row((enum option_id)id);

		if (row->served && (row->scopes & SCOPE_BIT(kind)) &&
		    !(row->scopes & but_not)) {
			sample_option(id, depth, out);
		}
	}
}

void
dump_sample(struct buf *out)
{
	buf_puts(out,
	    "# Sample of ecelerity.conf; see ecelerity.conf(5).\n"
	    "# Made from the option table: ec_dump_config --sample.\n"
	    "# What is commented out shows the default, or nothing if there\n"
	    "# is none.\n\n"
	    "ESMTP_Listener {\n"
	    "\tListen \":25\" {\n"
	    "\t}\n");
	sample_scope(SCOPE_ESMTP_LISTENER, SCOPE_BIT(SCOPE_GLOBAL), 1, out);
	buf_puts(out, "}\n\nec_logger {\n");
	sample_scope(SCOPE_EC_LOGGER, 0, 1, out);
	buf_puts(out, "}\n\nbounce_logger {\n");
	sample_scope(SCOPE_BOUNCE_LOGGER, 0, 1, out);
	buf_puts(out, "}\n\nSecurity {\n");
	sample_scope(SCOPE_SECURITY, 0, 1, out);
	buf_puts(out, "}\n\nRelay_Hosts = ( \"127.0.0.0/8\" \"::1\" )\n\n");
	sample_scope(SCOPE_GLOBAL, 0, 0, out);
}
