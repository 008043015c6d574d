/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for a sink that misbehaves on purpose. */
#include "tests/bench/behave.h"

#include "common/base/num.h"
#include "tests/bench/bench_util.h"

#define DELAY_MAX_MS 3600000u

static const struct {
	struct slice name;
	const char *kinds;
} stages[] = {
#define X(id, name, kinds) [BEHAVE_##id] = { { name, sizeof(name) - 1 }, kinds },
	BEHAVE_STAGES(X)
#undef X
};
_Static_assert(ARRAY_LEN(stages) == BEHAVE_STAGE_COUNT, "one row a stage");

static const char *const result_words[] = {
#define X(id, words) [BEHAVE_##id] = words,
	BEHAVE_RESULTS(X)
#undef X
};

void
behave_init(struct behave *b, uint64_t seed)
{
	*b = (struct behave){ .dice = seed };
}

const char *
behave_result_words(enum behave_result r)
{
	return result_words[r];
}

/* splitmix64: every seed, also 0, gives a full sequence. */
static uint32_t
throw_dice(struct behave *b)
{
	uint64_t z = b->dice += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % BEHAVE_ALWAYS);
}

static bool
copy_printable(char *dst, size_t size, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e) {
			return false;
		}
	}
	return slice_copy(dst, size, s);
}

static enum behave_result
parse_stage(struct behave_rule *r, struct slice s)
{
	static const char kind_letter[] = { 'r', 'd', 'x' };
	struct slice part = s, name = slice_cut(&part, '/');

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		if (slice_eq(name, stages[i].name) &&
		    strchr(stages[i].kinds, kind_letter[r->kind]) != NULL) {
			r->stage = (enum behave_stage)i;
			return copy_printable(r->part, sizeof r->part, part) ?
			    BEHAVE_OK : BEHAVE_BAD_TEXT;
		}
	}
	return BEHAVE_BAD_STAGE;
}

/* Takes "@0.3" off the end of *s.  An '@' that no number follows belongs to a
 * reply's text or to the address part. */
static enum behave_result
parse_ratio(struct behave_rule *r, struct slice *s)
{
	ssize_t at = slice_rfind(*s, '@');
	struct slice n;
	uint64_t ppm;

	r->ratio_ppm = BEHAVE_ALWAYS;
	if (at < 0) {
		return BEHAVE_OK;
	}
	n = slice_skip(*s, (size_t)at + 1);
	if (n.len == 0 || (n.ptr[0] != '.' && (n.ptr[0] < '0' || n.ptr[0] > '9'))) {
		return BEHAVE_OK;
	}
	if (!bench_parse_fraction(n, BEHAVE_ALWAYS, &ppm) ||
	    ppm > BEHAVE_ALWAYS) {
		return BEHAVE_BAD_RATIO;
	}
	r->ratio_ppm = (uint32_t)ppm;
	s->len = (size_t)at;
	return BEHAVE_OK;
}

static enum behave_result
parse_value(struct behave_rule *r, struct slice v)
{
	struct slice code;
	uint64_t n;

	if (r->kind == BEHAVE_DELAY) {
		if (!num_parse_max(v, DELAY_MAX_MS, &n)) {
			return BEHAVE_BAD_DELAY;
		}
		r->delay_ms = (unsigned)n;
		return BEHAVE_OK;
	}
	code = slice_cut(&v, ':');
	if (code.len != 3 || !num_parse_max(code, 599, &n) || n < 200) {
		return BEHAVE_BAD_CODE;
	}
	r->code = (unsigned)n;
	return copy_printable(r->text, sizeof r->text, v) ? BEHAVE_OK :
	    BEHAVE_BAD_TEXT;
}

enum behave_result
behave_add(struct behave *b, enum behave_kind kind, struct slice text)
{
	struct behave_rule r = { .kind = kind };
	enum behave_result res = parse_ratio(&r, &text);
	ssize_t eq = slice_find(text, '=');
	struct slice value = { NULL, 0 };

	if (res != BEHAVE_OK) {
		return res;
	}
	if ((eq >= 0) != (kind != BEHAVE_DROP)) {
		return BEHAVE_BAD_SYNTAX;
	}
	if (eq >= 0) {
		value = slice_skip(text, (size_t)eq + 1);
		text.len = (size_t)eq;
	}
	res = parse_stage(&r, text);
	if (res == BEHAVE_OK && kind != BEHAVE_DROP) {
		res = parse_value(&r, value);
	}
	if (res != BEHAVE_OK) {
		return res;
	}
	if (b->n == BEHAVE_RULES) {
		return BEHAVE_TOO_MANY;
	}
	b->rules[b->n++] = r;
	return BEHAVE_OK;
}

const struct behave_rule *
behave_pick(struct behave *b, enum behave_kind kind, enum behave_stage stage,
    struct slice address)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct behave_rule *r = &b->rules[i];
		size_t len;

		if (r->kind != kind || r->stage != stage) {
			continue;
		}
		len = strlen(r->part);
		if (len > 0 && (address.len < len ||
		    memmem(address.ptr, address.len, r->part, len) == NULL)) {
			continue;
		}
		if (r->ratio_ppm == BEHAVE_ALWAYS ||
		    throw_dice(b) < r->ratio_ppm) {
			return r;
		}
	}
	return NULL;
}
