/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options: types, bounds, canonical text. */
#include "common/config/value.h"
#include "common/base/addr.h"
#include "common/base/num.h"
#include "common/config/domain_match.h"

#define SECOND_US 1000000
#define NUMBER_MAX (INT64_MAX / 4)	/* leaves room for units */

struct unit {
	const char *word;
	int64_t factor;
};

static const struct unit time_units[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", SECOND_US },
	{ "sec", SECOND_US }, { "secs", SECOND_US }, { "second", SECOND_US },
	{ "seconds", SECOND_US }, { "m", 60 * INT64_C(1000000) },
	{ "min", 60 * INT64_C(1000000) }, { "mins", 60 * INT64_C(1000000) },
	{ "minute", 60 * INT64_C(1000000) },
	{ "minutes", 60 * INT64_C(1000000) },
	{ "h", 3600 * INT64_C(1000000) }, { "hour", 3600 * INT64_C(1000000) },
	{ "hours", 3600 * INT64_C(1000000) },
	{ "d", 86400 * INT64_C(1000000) }, { "day", 86400 * INT64_C(1000000) },
	{ "days", 86400 * INT64_C(1000000) },
};

static const struct unit size_units[] = {
	{ "b", 1 }, { "k", 1 << 10 }, { "kb", 1 << 10 }, { "kib", 1 << 10 },
	{ "m", 1 << 20 }, { "mb", 1 << 20 }, { "mib", 1 << 20 },
	{ "g", 1 << 30 }, { "gb", 1 << 30 }, { "gib", 1 << 30 },
	{ "t", INT64_C(1) << 40 }, { "tb", INT64_C(1) << 40 },
	{ "tib", INT64_C(1) << 40 },
};

static const struct unit bool_words[] = {
	{ "true", 1 }, { "on", 1 }, { "enabled", 1 }, { "yes", 1 }, { "1", 1 },
	{ "false", 0 }, { "off", 0 }, { "disabled", 0 }, { "no", 0 },
	{ "0", 0 },
};

static bool
find_word(struct slice s, const struct unit *words, size_t n, int64_t *out)
{
	for (size_t i = 0; i < n; i++) {
		if (slice_eq_nocase(s, slice_of(words[i].word))) {
			*out = words[i].factor;
			return true;
		}
	}
	return false;
}

/* "N", "-N" */
static bool
parse_int(struct slice s, int64_t *out)
{
	bool minus = slice_starts(s, SLICE("-"));
	uint64_t n;

	if (!num_parse_max(slice_skip(s, minus), NUMBER_MAX, &n)) {
		return false;
	}
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

static size_t
count_digits(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9') {
		n++;
	}
	return n;
}

/* "N", "N.N", "N unit" with the unit's factor; bare is the factor without. */
static bool
parse_scaled(struct slice s, const struct unit *units, size_t n_units,
	int64_t bare, int64_t *out)
{
	size_t digits = count_digits(s);
	uint64_t whole = 0, part = 0, scale = 1, sum;
	int64_t factor = bare;
	struct slice word;

	if (digits == 0 || !num_parse_max(slice_make(s.ptr, digits),
	    NUMBER_MAX, &whole)) {
		return false;
	}
	s = slice_skip(s, digits);
	if (slice_starts(s, SLICE("."))) {
		s = slice_skip(s, 1);
		digits = count_digits(s);
		/* More than six digits are below a microsecond. */
		if (digits == 0 || digits > 6 ||
		    !num_parse_u64(slice_make(s.ptr, digits), &part)) {
			return false;
		}
		for (size_t i = 0; i < digits; i++) {
			scale *= 10;
		}
		s = slice_skip(s, digits);
	}
	word = slice_trim(s);
	if (word.len > 0 && !find_word(word, units, n_units, &factor)) {
		return false;
	}
	/* part is below 10^6 and a factor at most 2^40: no overflow. */
	if (__builtin_mul_overflow(whole, (uint64_t)factor, &sum) ||
	    __builtin_add_overflow(sum, part * (uint64_t)factor / scale, &sum) ||
	    sum > NUMBER_MAX) {
		return false;
	}
	*out = (int64_t)sum;
	return true;
}

/* The n-th word of a row's list with its value; false past the end. */
static bool
next_word(struct slice *rest, int64_t *position, struct slice *word_out,
	int64_t *value_out)
{
	struct slice item, number;

	if (rest->len == 0) {
		return false;
	}
	item = number = slice_cut(rest, ' ');
	*value_out = (*position)++;
	*word_out = slice_cut(&number, '=');
	if (word_out->len < item.len) {
		ec_assert(parse_int(number, value_out));
	}
	return true;
}

static bool
parse_row_word(const struct option_row *row, struct slice s, int64_t *out)
{
	struct slice rest = slice_of(row->words), word;
	int64_t position = 0, value;

	while (next_word(&rest, &position, &word, &value)) {
		if (slice_eq_nocase(word, s)) {
			*out = value;
			return true;
		}
	}
	return false;
}

/* "a, b or c" */
static void
words_text(const struct option_row *row, char *out, size_t size)
{
	struct slice rest = slice_of(row->words), word;
	int64_t position = 0, value;
	size_t at = 0;

	out[0] = '\0';
	while (at < size && next_word(&rest, &position, &word, &value)) {
		int n = snprintf(out + at, size - at, "%s%.*s",
		    at == 0 ? "" : rest.len ? ", " : " or ", SLICE_ARG(word));

		at += n > 0 ? (size_t)n : 0;
	}
}

static bool
parse_rate(struct slice s, int64_t *count, uint64_t *window_us)
{
	ssize_t slash = slice_find(s, '/');
	struct slice n = slash < 0 ? s : slice_make(s.ptr, (size_t)slash);
	int64_t window = SECOND_US;

	if (slash >= 0) {
		struct slice w = slice_trim(slice_skip(s, (size_t)slash + 1));

		/* "10/minute" as well as "10/60". */
		if (!find_word(w, time_units, ARRAY_LEN(time_units), &window) &&
		    !parse_scaled(w, time_units, ARRAY_LEN(time_units),
		    SECOND_US, &window)) {
			return false;
		}
	}
	*window_us = (uint64_t)window;
	return window > 0 && parse_int(slice_trim(n), count) && *count >= 0;
}

static bool
parse_mode(struct slice s, int64_t *out)
{
	*out = 0;
	if (s.len == 0 || s.len > 5) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '7') {
			return false;
		}
		*out = *out * 8 + (s.ptr[i] - '0');
	}
	return true;
}

static bool
in_bounds(const struct option_row *row, int64_t n)
{
	int64_t unit = row->type == OPTION_DURATION ? SECOND_US :
	    row->type == OPTION_DURATION_MS ? 1000 : 1;

	/* Divided, not multiplied: a bound may be the largest number. */
	return n / unit >= row->min &&
	    (n / unit < row->max || (n / unit == row->max && n % unit == 0));
}

static void
range_text(const struct option_row *row, char *out, size_t size)
{
	if (row->max == INT64_MAX && row->min == 0) {
		out[0] = '\0';
	} else if (row->max == INT64_MAX) {
		snprintf(out, size, " of at least %lld", (long long)row->min);
	} else {
		snprintf(out, size, " from %lld to %lld", (long long)row->min,
		    (long long)row->max);
	}
}

/* What would be right, around the range of a number. */
static const struct {
	const char *before, *after;
} needs[] = {
	[OPTION_BOOL] = { "true or false", " is needed" },
	[OPTION_INT] = { "a whole number", " is needed" },
	[OPTION_SIZE] = { "a size in bytes",
	    " is needed, such as 65536 or \"64M\"" },
	[OPTION_DURATION] = { "a duration in seconds",
	    " is needed, such as 1200 or \"20m\"" },
	[OPTION_DURATION_MS] = { "a duration in milliseconds",
	    " is needed, such as 5000 or \"5s\"" },
	[OPTION_STRING] = { "one word or quoted string", " is needed" },
	[OPTION_ENUM] = { "one of ", " is needed" },
	[OPTION_RATE] = { "a rate", " is needed, such as 10 (in a second) or "
	    "\"100/60\" (in 60 seconds)" },
	[OPTION_PERCENT] = { "a percentage", " is needed, such as 90" },
	[OPTION_MODE] = { "an octal file mode", " is needed, such as 0640" },
	[OPTION_ADDRESS] = { "an IP address", " is needed, such as "
	    "\"192.0.2.1\" or \"2001:db8::1\"" },
	[OPTION_HOSTPORT] = { "a host", " is needed, such as \"192.0.2.1\", "
	    "\"mx.example.com:25\" or \"[2001:db8::1]:25\"" },
	[OPTION_DICT] = { "a dictionary",
	    " is needed, such as [ key = \"value\" ]" },
	[OPTION_LIST] = { "a list",
	    " is needed, such as ( \"one\" \"two\" )" },
	[OPTION_NETS] = { "a list of addresses or blocks",
	    " is needed, such as ( \"192.0.2.1\" \"10.0.0.0/8\" )" },
	[OPTION_DOMAINS] = { "a list of domains",
	    " is needed, such as ( \"example.com\" \"*.example.net\" )" },
	[OPTION_ADDRESSES] = { "a list of addresses",
	    " is needed, such as ( \"192.0.2.1\" \"[2001:db8::1]:53\" )" },
};

_Static_assert(ARRAY_LEN(needs) == OPTION_ADDRESSES + 1, "one per type");

static bool
has_range(enum option_type type)
{
	return type == OPTION_INT || type == OPTION_SIZE ||
	    type == OPTION_DURATION || type == OPTION_DURATION_MS ||
	    type == OPTION_PERCENT;
}

static void
say_need(const struct option_row *row, char *need, size_t size)
{
	char range[80] = "", words[160];

	if (has_range(row->type)) {
		range_text(row, range, sizeof range);
	}
	words_text(row, words, sizeof words);
	snprintf(need, size, "%s%s%s%s%s", needs[row->type].before, range,
	    row->type == OPTION_INT && words[0] ? " or " : "", words,
	    needs[row->type].after);
}

static bool
parse_number(const struct option_row *row, struct slice s,
	struct config_value *out)
{
	int64_t *n = &out->num;
	bool ok = false;

	switch (row->type) {
	case OPTION_INT:
		if (row->words != NULL && parse_row_word(row, s, n)) {
			return true;
		}
		ok = parse_int(s, n);
		break;
	case OPTION_SIZE:
		ok = parse_scaled(s, size_units, ARRAY_LEN(size_units), 1, n);
		break;
	case OPTION_DURATION:
		ok = parse_scaled(s, time_units, ARRAY_LEN(time_units),
		    SECOND_US, n);
		break;
	case OPTION_DURATION_MS:
		ok = parse_scaled(s, time_units, ARRAY_LEN(time_units), 1000,
		    n);
		break;
	case OPTION_PERCENT:
		if (slice_ends_nocase(s, SLICE("%"))) {
			s = slice_trim(slice_make(s.ptr, s.len - 1));
		}
		ok = parse_int(s, n);
		break;
	case OPTION_MODE:
		ok = parse_mode(s, n);
		break;
	case OPTION_RATE:
		ok = parse_rate(s, n, &out->window_us);
		break;
	case OPTION_BOOL:
	case OPTION_STRING:
	case OPTION_ENUM:
	case OPTION_ADDRESS:
	case OPTION_HOSTPORT:
	case OPTION_DICT:
	case OPTION_LIST:
	case OPTION_NETS:
	case OPTION_DOMAINS:
	case OPTION_ADDRESSES:
		break;
	}
	return ok && in_bounds(row, *n);
}

static bool
parse_scalar(const struct option_row *row, struct slice s,
	struct config_value *out)
{
	struct sockaddr_storage ss;
	struct slice host;
	uint16_t port;

	switch (row->type) {
	case OPTION_BOOL:
		return find_word(s, bool_words, ARRAY_LEN(bool_words),
		    &out->num);
	case OPTION_ENUM:
		return parse_row_word(row, s, &out->num);
	case OPTION_STRING:
		return true;
	case OPTION_ADDRESS:
		return addr_parse_ip(s, &ss);
	case OPTION_HOSTPORT:
		return addr_split(s, 0, &host, &port);
	case OPTION_INT:
	case OPTION_SIZE:
	case OPTION_DURATION:
	case OPTION_DURATION_MS:
	case OPTION_RATE:
	case OPTION_PERCENT:
	case OPTION_MODE:
		return parse_number(row, s, out);
	case OPTION_DICT:
	case OPTION_LIST:
	case OPTION_NETS:
	case OPTION_DOMAINS:
	case OPTION_ADDRESSES:
		break;
	}
	return false;
}

static bool
check_items(const struct option_row *row, struct scratch *mem,
	struct config_value *v)
{
	struct cidr *nets = NULL;
	struct sockaddr_storage ss;

	if (row->type == OPTION_NETS && v->n > 0) {
		nets = scratch_alloc(mem, v->n * sizeof *nets);
		ec_assert(nets != NULL);
	}
	for (size_t i = 0; i < v->n; i++) {
		struct slice s = v->items[i];

		if ((row->type == OPTION_NETS && !cidr_parse(s, &nets[i])) ||
		    (row->type == OPTION_DOMAINS &&
		    !domain_pattern_is_valid(s)) ||
		    (row->type == OPTION_ADDRESSES && !addr_parse(s, 53, &ss))) {
			return false;
		}
	}
	v->nets = nets;
	return true;
}

bool
value_check(const struct option_row *row, const struct raw_value *raw,
	struct scratch *mem, struct config_value *out, char *need, size_t size)
{
	bool ok = false;

	value_keep(raw, mem, out);
	if (option_type_is_list(row->type)) {
		/* One word stands for a list of one. */
		if (raw->kind == RAW_TEXT) {
			struct slice *one = scratch_alloc(mem, sizeof *one);

			ec_assert(one != NULL);
			*one = out->text;
			*out = (struct config_value){ .kind = RAW_LIST,
				.items = one, .n = 1 };
		}
		ok = raw->kind != RAW_DICT && check_items(row, mem, out);
	} else if (row->type == OPTION_DICT) {
		ok = raw->kind == RAW_DICT;
	} else {
		ok = raw->kind == RAW_TEXT && parse_scalar(row, raw->text, out);
	}
	if (!ok) {
		say_need(row, need, size);
	}
	return ok;
}
