/* SPDX-License-Identifier: Apache-2.0 */
/* One command line: verb by table, then its own argument parser. */
#include "listener/smtp_command.h"

#include "common/base/num.h"

typedef enum smtp_command_status argument_fn(struct slice arg,
    const struct smtp_syntax *rules, struct smtp_command *out);

static enum smtp_command_status
arg_none(struct slice arg, const struct smtp_syntax *rules EC_UNUSED,
    struct smtp_command *out EC_UNUSED)
{
	return arg.len == 0 ? SMTP_CMD_OK : SMTP_CMD_EXTRA_ARGUMENT;
}

static enum smtp_command_status
arg_any(struct slice arg EC_UNUSED, const struct smtp_syntax *rules EC_UNUSED,
    struct smtp_command *out EC_UNUSED)
{
	return SMTP_CMD_OK;
}

static enum smtp_command_status
arg_needed(struct slice arg, const struct smtp_syntax *rules EC_UNUSED,
    struct smtp_command *out EC_UNUSED)
{
	return arg.len > 0 ? SMTP_CMD_OK : SMTP_CMD_NO_ARGUMENT;
}

/* Domain or address literal.  Many real clients send names with underscores
 * or a trailing dot: taken unless pedantic. */
static enum smtp_command_status
arg_hello(struct slice arg, const struct smtp_syntax *rules,
    struct smtp_command *out)
{
	unsigned flags = rules->ext & SMTP_EXT_SMTPUTF8 ? ADDRESS_UTF8 : 0;

	if (arg.len == 0) {
		return SMTP_CMD_NO_ARGUMENT;
	}
	if (!rules->pedantic) {
		flags |= ADDRESS_LAX;
		if (arg.len > 1 && arg.ptr[arg.len - 1] == '.') {
			arg.len--;
			out->arg = arg;
		}
	}
	return address_check_domain(arg, flags) == ADDRESS_OK ? SMTP_CMD_OK :
	    SMTP_CMD_BAD_HELLO;
}

static enum smtp_command_status
param_status(enum smtp_param_status st)
{
	switch (st) {
	case SMTP_PARAM_OK:
		return SMTP_CMD_OK;
	case SMTP_PARAM_UNKNOWN:
		return SMTP_CMD_PARAM_UNKNOWN;
	case SMTP_PARAM_TWICE:
		return SMTP_CMD_PARAM_TWICE;
	case SMTP_PARAM_BAD_VALUE:
	case SMTP_PARAM_BAD_SYNTAX:
	case SMTP_PARAM_TOO_LONG:
		break;
	}
	return SMTP_CMD_PARAM_BAD;
}

static unsigned
path_rules(const struct smtp_syntax *rules)
{
	return (rules->pedantic ? 0 : ADDRESS_LAX) |
	    (rules->blanks_in_envelope ? ADDRESS_BLANKS : 0);
}

/* "FROM:" or "TO:", then the path; what follows stays in *rest. */
static bool
cut_keyword(struct slice *rest, struct slice keyword)
{
	if (!slice_starts_nocase(*rest, keyword)) {
		return false;
	}
	*rest = slice_skip(*rest, keyword.len);
	return true;
}

static enum smtp_command_status
arg_mail(struct slice arg, const struct smtp_syntax *rules,
    struct smtp_command *out)
{
	unsigned flags = path_rules(rules) | ADDRESS_NULL;
	enum smtp_command_status st;
	size_t used;

	if (!cut_keyword(&arg, SLICE("FROM:"))) {
		return SMTP_CMD_NO_FROM;
	}
	flags |= rules->unqualified_sender ? ADDRESS_LOCAL_ONLY : 0;
	flags |= rules->ext & SMTP_EXT_SMTPUTF8 ? ADDRESS_UTF8 : 0;
	out->address_status = address_parse_path(arg, flags, &out->address,
	    &used);
	if (out->address_status != ADDRESS_OK) {
		return SMTP_CMD_BAD_SENDER;
	}
	st = param_status(smtp_ext_params(slice_skip(arg, used), rules->ext,
	    SMTP_PARAM_MAIL, &out->params));
	/* RFC 6531 3.4: the address may need what the parameters say. */
	if (st == SMTP_CMD_OK && out->address.utf8 && !out->params.smtputf8) {
		return SMTP_CMD_UTF8_NOT_SAID;
	}
	return st;
}

static enum smtp_command_status
arg_rcpt(struct slice arg, const struct smtp_syntax *rules,
    struct smtp_command *out)
{
	unsigned flags = path_rules(rules) | ADDRESS_POSTMASTER;
	size_t used;

	if (!cut_keyword(&arg, SLICE("TO:"))) {
		return SMTP_CMD_NO_TO;
	}
	flags |= rules->unqualified_rcpt ? ADDRESS_LOCAL_ONLY : 0;
	flags |= rules->utf8_rcpt ? ADDRESS_UTF8 : 0;
	out->address_status = address_parse_path(arg, flags, &out->address,
	    &used);
	if (out->address_status == ADDRESS_NOT_ASCII &&
	    (rules->ext & SMTP_EXT_SMTPUTF8)) {
		return SMTP_CMD_UTF8_NOT_SAID;
	}
	if (out->address_status != ADDRESS_OK) {
		return SMTP_CMD_BAD_RCPT;
	}
	return param_status(smtp_ext_params(slice_skip(arg, used), rules->ext,
	    SMTP_PARAM_RCPT, &out->params));
}

static bool
is_base64(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '+' || c == '/' ||
		    (c == '=' && i + 2 >= s.len))) {
			return false;
		}
	}
	return s.len % 4 == 0;
}

/* RFC 4954 4.: mechanism, then perhaps the initial response; "=" is empty. */
static enum smtp_command_status
arg_auth(struct slice arg, const struct smtp_syntax *rules EC_UNUSED,
    struct smtp_command *out)
{
	out->mechanism = slice_cut(&arg, ' ');
	out->initial = arg;
	if (out->mechanism.len == 0) {
		return SMTP_CMD_NO_ARGUMENT;
	}
	if (out->mechanism.len > 20) {
		return SMTP_CMD_BAD_ARGUMENT;
	}
	return slice_eq(arg, SLICE("=")) || is_base64(arg) ? SMTP_CMD_OK :
	    SMTP_CMD_BAD_ARGUMENT;
}

/* RFC 3030 2.: size, then perhaps LAST. */
static enum smtp_command_status
arg_bdat(struct slice arg, const struct smtp_syntax *rules EC_UNUSED,
    struct smtp_command *out)
{
	if (arg.len == 0) {
		return SMTP_CMD_NO_ARGUMENT;
	}
	if (!num_parse_u64(slice_cut(&arg, ' '), &out->chunk)) {
		return SMTP_CMD_BAD_ARGUMENT;
	}
	out->chunk_is_last = slice_eq_nocase(arg, SLICE("LAST"));
	return arg.len == 0 || out->chunk_is_last ? SMTP_CMD_OK :
	    SMTP_CMD_BAD_ARGUMENT;
}

static const struct {
	struct slice name;
	argument_fn *argument;
} verbs[SMTP_VERB_COUNT] = {
	[SMTP_VERB_EHLO] = { { "EHLO", 4 }, arg_hello },
	[SMTP_VERB_HELO] = { { "HELO", 4 }, arg_hello },
	[SMTP_VERB_MAIL] = { { "MAIL", 4 }, arg_mail },
	[SMTP_VERB_RCPT] = { { "RCPT", 4 }, arg_rcpt },
	[SMTP_VERB_DATA] = { { "DATA", 4 }, arg_none },
	[SMTP_VERB_RSET] = { { "RSET", 4 }, arg_none },
	[SMTP_VERB_NOOP] = { { "NOOP", 4 }, arg_any },
	[SMTP_VERB_VRFY] = { { "VRFY", 4 }, arg_needed },
	[SMTP_VERB_EXPN] = { { "EXPN", 4 }, arg_needed },
	[SMTP_VERB_HELP] = { { "HELP", 4 }, arg_any },
	[SMTP_VERB_QUIT] = { { "QUIT", 4 }, arg_none },
	[SMTP_VERB_STARTTLS] = { { "STARTTLS", 8 }, arg_none },
	[SMTP_VERB_AUTH] = { { "AUTH", 4 }, arg_auth },
	[SMTP_VERB_BDAT] = { { "BDAT", 4 }, arg_bdat },
	[SMTP_VERB_ETRN] = { { "ETRN", 4 }, arg_needed },
	[SMTP_VERB_XCLIENT] = { { "XCLIENT", 7 }, arg_needed },
};

static enum smtp_verb
find_verb(struct slice word)
{
	if (word.len < 4 || word.len > 8) {
		return SMTP_VERB_UNKNOWN;
	}
	for (int v = SMTP_VERB_EHLO; v < SMTP_VERB_COUNT; v++) {
		/* The first letter decides nearly always. */
		if ((word.ptr[0] | 0x20) == (verbs[v].name.ptr[0] | 0x20) &&
		    slice_eq_nocase(word, verbs[v].name)) {
			return (enum smtp_verb)v;
		}
	}
	return SMTP_VERB_UNKNOWN;
}

enum smtp_command_status
smtp_command_parse(struct slice line, const struct smtp_syntax *rules,
    struct smtp_command *out)
{
	struct slice rest = line;
	size_t blanks = line.len;

	*out = (struct smtp_command){ .verb = SMTP_VERB_UNKNOWN };
	while (rest.len > 0 && (rest.ptr[rest.len - 1] == ' ' ||
	    rest.ptr[rest.len - 1] == '\t')) {
		rest.len--;
	}
	if (rest.len == 0) {
		return SMTP_CMD_EMPTY;
	}
	blanks -= rest.len;
	out->verb = find_verb(slice_cut(&rest, ' '));
	out->arg = rest;
	if (out->verb == SMTP_VERB_UNKNOWN) {
		return SMTP_CMD_UNKNOWN;
	}
	if (blanks > 0 && !rules->trailing_blanks) {
		return SMTP_CMD_TRAILING_BLANK;
	}
	return verbs[out->verb].argument(rest, rules, out);
}

const struct reply_text *
smtp_command_reply(enum smtp_command_status st)
{
	static const struct reply_text replies[SMTP_CMD_STATUS_COUNT] = {
#define X(id, code, enh, text) [SMTP_CMD_##id] = { code, enh, text },
		SMTP_COMMAND_STATUSES(X)
#undef X
	};

	return &replies[st];
}

const char *
smtp_verb_name(enum smtp_verb v)
{
	return v == SMTP_VERB_UNKNOWN ? "unknown" : verbs[v].name.ptr;
}
