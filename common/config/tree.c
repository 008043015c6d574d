/* SPDX-License-Identifier: Apache-2.0 */
/* Building and searching the tree of scopes. */
#include "common/config/tree.h"
#include "common/base/addr.h"

#define FIRST_SLOTS 64u

static void *
take(struct config *cfg, size_t n)
{
	void *p = scratch_alloc(&cfg->mem, n);

	ec_assert(p != NULL);	/* its cap is SIZE_MAX: the input is bounded */
	return p;
}

static struct slice
keep(struct config *cfg, struct slice s)
{
	struct slice copy = scratch_copy(&cfg->mem, s);

	ec_assert(copy.ptr != NULL);
	return copy;
}

static uint64_t
hash_bytes(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= 'A' && c <= 'Z') {
			c = (unsigned char)(c + 32);
		}
		h = (h ^ c) * UINT64_C(0x100000001b3);
	}
	return h;
}

static uint64_t
hash_key(const struct config_scope *parent, enum scope_kind kind,
	struct slice keyword, struct slice name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)parent;

	h = (h ^ (uint64_t)kind) * UINT64_C(0x100000001b3);
	h = hash_bytes(h, keyword);
	h = hash_bytes(h, name);
	return h ^ (h >> 29);
}

static bool
is_scope(const struct config_scope *s, const struct config_scope *parent,
	enum scope_kind kind, struct slice keyword, struct slice name)
{
	if (s->parent != parent || s->kind != kind ||
	    !slice_eq(s->keyword, keyword)) {
		return false;
	}
	return (scope_row(kind)->flags & SCOPE_FLAG_FOLD) ?
	    slice_eq_nocase(s->name, name) : slice_eq(s->name, name);
}

/* Where the scope is, or the empty slot where it would be. */
static struct config_scope **
slot_of(const struct config *cfg, const struct config_scope *parent,
	enum scope_kind kind, struct slice keyword, struct slice name)
{
	size_t i = hash_key(parent, kind, keyword, name) & (cfg->n_slots - 1);

	while (cfg->slots[i] != NULL &&
	    !is_scope(cfg->slots[i], parent, kind, keyword, name)) {
		i = (i + 1) & (cfg->n_slots - 1);
	}
	return &cfg->slots[i];
}

struct config_scope *
tree_find(const struct config *cfg, const struct config_scope *parent,
	enum scope_kind kind, struct slice keyword, struct slice name)
{
	return *slot_of(cfg, parent, kind, keyword, name);
}

static void
grow_slots(struct config *cfg)
{
	struct config_scope **old = cfg->slots;
	size_t n = cfg->n_slots;

	cfg->n_slots = n ? n * 2 : FIRST_SLOTS;
	cfg->slots = xcalloc(cfg->n_slots, sizeof *cfg->slots);
	for (size_t i = 0; i < n; i++) {
		struct config_scope *s = old[i];

		if (s != NULL) {
			*slot_of(cfg, s->parent, s->kind, s->keyword,
			    s->name) = s;
		}
	}
	free(old);
}

static struct config_scope *
new_scope(struct config *cfg, struct config_scope *parent,
	enum scope_kind kind, struct slice keyword, struct slice name)
{
	struct config_scope *s = take(cfg, sizeof *s);

	*s = (struct config_scope){ .kind = kind, .keyword = keyword,
		.name = name, .parent = parent,
		.seq = (uint32_t)cfg->n_scopes };
	if (parent == NULL) {
		return s;
	}
	if (parent->last != NULL) {
		parent->last->next = s;
	} else {
		parent->first = s;
	}
	parent->last = s;
	if (++cfg->n_scopes * 2 > cfg->n_slots) {
		grow_slots(cfg);
	}
	*slot_of(cfg, parent, kind, keyword, name) = s;
	return s;
}

void
builder_init(struct builder *b, struct config_report *report)
{
	struct config *cfg = xcalloc(1, sizeof *cfg);

	scratch_init(&cfg->mem, SIZE_MAX);
	grow_slots(cfg);
	cfg->global = new_scope(cfg, NULL, SCOPE_GLOBAL, SLICE("Global"),
	    SLICE(""));
	for (int i = 0; i < OPTION_COUNT; i++) {
		value_default(option_row((enum option_id)i), &cfg->mem,
		    &cfg->defaults[i]);
	}
	*b = (struct builder){ .cfg = cfg, .report = report,
		.scope = cfg->global };
}

uint32_t
builder_add_file(struct builder *b, struct slice name)
{
	struct config *cfg = b->cfg;
	struct slice copy = keep(cfg, name);

	/* Names go into messages and origin lines: one line, printable. */
	for (size_t i = 0; i < copy.len; i++) {
		if ((unsigned char)copy.ptr[i] < ' ' || copy.ptr[i] == 127) {
			((char *)(uintptr_t)copy.ptr)[i] = '?';
		}
	}
	if (cfg->n_files == cfg->cap_files) {
		cfg->cap_files = cfg->cap_files ? cfg->cap_files * 2 : 8;
		cfg->files = xrealloc(cfg->files,
		    cfg->cap_files * sizeof *cfg->files);
	}
	cfg->files[cfg->n_files] = copy.ptr;
	return (uint32_t)cfg->n_files++;
}

static void
say(struct builder *b, struct buf *to, const char *fmt, va_list ap)
{
	const char *file = b->file < b->cfg->n_files ?
	    b->cfg->files[b->file] : "(configuration)";

	if (b->line > 0) {
		buf_printf(to, "%s:%u: ", file, b->line);
	} else if (b->file < b->cfg->n_files) {
		buf_printf(to, "%s: ", file);
	}
	buf_vprintf(to, fmt, ap);
	buf_putc(to, '\n');
}

void
builder_error(struct builder *b, const char *fmt, ...)
{
	va_list ap;

	b->n_errors++;
	b->report->n_errors++;
	if (b->n_errors > CONFIG_MAX_ERRORS) {
		if (!b->stop) {
			buf_puts(&b->report->errors,
			    "there are more errors than these\n");
		}
		b->stop = true;
		return;
	}
	va_start(ap, fmt);
	say(b, &b->report->errors, fmt, ap);
	va_end(ap);
}

void
builder_warn(struct builder *b, const char *fmt, ...)
{
	va_list ap;

	b->report->n_warnings++;
	va_start(ap, fmt);
	say(b, &b->report->warnings, fmt, ap);
	va_end(ap);
}

static bool
has_blank(struct slice s)
{
	return slice_find(s, ' ') >= 0 || slice_find(s, '\t') >= 0;
}

static bool
is_regex(struct slice s)
{
	return s.len >= 2 && s.ptr[0] == '/' && s.ptr[s.len - 1] == '/';
}

static bool
name_is_good(struct builder *b, enum scope_kind kind, const char *keyword,
	struct slice name, bool has_name)
{
	const struct scope_row *row = scope_row(kind);
	struct sockaddr_storage ss;
	struct cidr net;

	if (row->naming == SCOPE_NAMED_NONE && has_name) {
		builder_error(b, "scope %s takes no name: %s { ... }", keyword,
		    keyword);
		return false;
	}
	if (row->naming > SCOPE_NAMED_MAY && name.len == 0) {
		builder_error(b, "scope %s needs a name: %s \"name\" { ... }",
		    keyword, keyword);
		return false;
	}
	if (row->naming == SCOPE_NAMED_NET && !cidr_parse(name, &net)) {
		builder_error(b, "%s \"%.*s\": an address or block is needed, "
		    "such as \"192.0.2.1\" or \"10.0.0.0/8\"", keyword,
		    SLICE_ARG(name));
		return false;
	}
	if (row->naming == SCOPE_NAMED_ADDRESS && !addr_parse(name, 25, &ss) &&
	    (name.ptr[0] != '/' || b->scope->kind == SCOPE_ESMTP_LISTENER)) {
		builder_error(b, "%s \"%.*s\": an address and port is needed, "
		    "such as \"127.0.0.1:2525\", \":25\" or \"[::1]:25\"",
		    keyword, SLICE_ARG(name));
		return false;
	}
	if (kind == SCOPE_BINDING || kind == SCOPE_BINDING_GROUP) {
		if (has_blank(name) || (kind == SCOPE_BINDING &&
		    slice_find(name, ':') >= 0)) {
			builder_error(b, "%s \"%.*s\": the name must have no "
			    "blank%s", keyword, SLICE_ARG(name),
			    kind == SCOPE_BINDING ? " and no colon" : "");
			return false;
		}
	}
	return true;
}

/* The kind that a keyword opens here; -1 with its message. */
static int
kind_here(struct builder *b, struct slice keyword, const char **spelled_out)
{
	int kind = scope_find(keyword, spelled_out);
	const char *near;
	char where[256];

	if (kind >= 0 && (scope_row((enum scope_kind)kind)->parents &
	    SCOPE_BIT(b->scope->kind))) {
		return kind;
	}
	if (kind >= 0) {
		scope_bits_text(scope_row((enum scope_kind)kind)->parents,
		    where, sizeof where);
		builder_error(b, "scope %s cannot stand in scope %s; it "
		    "belongs in %s", *spelled_out, b->scope->keyword.ptr,
		    where);
		return -1;
	}
	near = scope_nearest(keyword, b->scope->kind);
	builder_error(b, "unknown scope '%.*s' in scope %s%s%s%s",
	    SLICE_ARG(keyword), b->scope->keyword.ptr,
	    near ? ": did you mean '" : "", near ? near : "",
	    near ? "'?" : "");
	return -1;
}

static void
warn_scope(struct builder *b, enum scope_kind kind, const char *spelled,
	struct slice name)
{
	if (!scope_row(kind)->served && scope_row(b->scope->kind)->served) {
		builder_warn(b, "'%s' is known but not served yet; it has no "
		    "effect", spelled);
	} else if (kind == SCOPE_DOMAIN && is_regex(name)) {
		builder_warn(b, "Domain \"%.*s\": a regular expression is "
		    "known but not served yet; it has no effect",
		    SLICE_ARG(name));
	}
}

void
builder_open(struct builder *b, struct slice keyword, struct slice name,
	bool has_name)
{
	const char *spelled = NULL;
	struct config_scope *s;
	struct slice kw;
	int found = -1;

	b->depth++;
	if (b->depth > CONFIG_MAX_DEPTH) {
		builder_error(b, "scopes are nested more than %u deep",
		    CONFIG_MAX_DEPTH);
		b->stop = true;
		return;
	}
	b->open_line[b->depth] = b->line;
	if (b->skip == 0) {
		found = kind_here(b, keyword, &spelled);
	}
	if (found < 0 || !name_is_good(b, (enum scope_kind)found, spelled, name,
	    has_name)) {
		b->skip++;	/* its items would only cause more messages */
		return;
	}
	kw = slice_of(spelled);
	s = tree_find(b->cfg, b->scope, (enum scope_kind)found, kw, name);
	if (s == NULL) {
		s = new_scope(b->cfg, b->scope, (enum scope_kind)found, kw,
		    keep(b->cfg, name));
		s->file = b->file;
		s->line = b->line;
		if (found == SCOPE_PEER) {
			cidr_parse(name, &s->net);
		}
		warn_scope(b, (enum scope_kind)found, spelled, name);
	}
	b->scope = s;
}

void
builder_close(struct builder *b)
{
	ec_assert(b->depth > 0);
	b->depth--;
	if (b->skip > 0) {
		b->skip--;
	} else {
		b->scope = b->scope->parent;
	}
}

static void
unknown_option(struct builder *b, struct slice name)
{
	const char *scope = b->scope->keyword.ptr;
	uint64_t elsewhere = option_scopes_of(name);
	char where[512];
	const char *near;

	if (elsewhere != 0) {
		scope_bits_text(elsewhere, where, sizeof where);
		builder_error(b, "option '%.*s' cannot stand in scope %s; it "
		    "belongs in %s", SLICE_ARG(name), scope, where);
		return;
	}
	near = option_nearest(name, b->scope->kind);
	builder_error(b, "unknown option '%.*s' in scope %s%s%s%s",
	    SLICE_ARG(name), scope, near ? ": did you mean '" : "",
	    near ? near : "", near ? "'?" : "");
}

static void
add_item(struct builder *b, const struct config_item *item)
{
	struct config_scope *s = b->scope;

	if (s->n_items == s->cap_items) {
		size_t cap = s->cap_items ? s->cap_items * 2 : 4;
		struct config_item *more = take(b->cfg, cap * sizeof *more);

		if (s->n_items > 0) {
			memcpy(more, s->items, s->n_items * sizeof *more);
		}
		s->items = more;
		s->cap_items = cap;
	}
	s->items[s->n_items] = *item;
	s->items[s->n_items++].seq = b->seq++;
}

static void
wrong_value(struct builder *b, const struct option_row *row,
	const struct raw_value *raw, const char *need)
{
	struct config_value v;
	struct buf text;

	buf_init(&text, CONFIG_MAX_TOTAL * 2u);
	value_keep(raw, &b->cfg->mem, &v);
	value_print(&v, &text);
	if (text.len > 100) {
		text.len = 97;
		buf_puts(&text, "...");
	}
	builder_error(b, "%s = %.*s: %s", row->name, SLICE_ARG(text), need);
	buf_fini(&text);
}

void
builder_set(struct builder *b, struct slice name, const struct raw_value *raw)
{
	struct config_item item = { .file = b->file, .line = b->line };
	const struct scope_row *where = scope_row(b->scope->kind);
	const struct option_row *row;
	char need[512];

	if (b->skip > 0) {
		return;
	}
	item.id = option_find(name, b->scope->kind);
	if (item.id < 0 && !(where->flags & SCOPE_FLAG_OPEN)) {
		unknown_option(b, name);
		return;
	}
	if (item.id < 0) {
		item.name = name;
		value_keep(raw, &b->cfg->mem, &item.value);
		add_item(b, &item);
		return;
	}
	row = option_row((enum option_id)item.id);
	item.name = slice_make(row->name, row->name_len);
	if (!value_check(row, raw, &b->cfg->mem, &item.value, need,
	    sizeof need)) {
		wrong_value(b, row, raw, need);
		return;
	}
	if (!row->served && where->served) {
		builder_warn(b, "'%s' is known but not served yet; it has no "
		    "effect", row->name);
	}
	add_item(b, &item);
}

void
builder_include(struct builder *b, struct slice path)
{
	if (b->skip > 0) {
		return;
	}
	if (b->include == NULL) {
		builder_error(b, "include \"%.*s\": nothing can be included "
		    "here", SLICE_ARG(path));
		return;
	}
	b->include(b, path);
}

static int
compare_slices(struct slice a, struct slice b)
{
	size_t n = EC_MIN(a.len, b.len);

	for (size_t i = 0; i < n; i++) {
		int x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];

		x += x >= 'A' && x <= 'Z' ? 32 : 0;
		y += y >= 'A' && y <= 'Z' ? 32 : 0;
		if (x != y) {
			return x - y;
		}
	}
	return (a.len > b.len) - (a.len < b.len);
}

static int
compare_names(const struct config_item *a, const struct config_item *b)
{
	if (a->id != b->id) {
		return a->id < b->id ? -1 : 1;
	}
	return a->id >= 0 ? 0 : compare_slices(a->name, b->name);
}

static int
compare_items(const void *a, const void *b)
{
	const struct config_item *x = a, *y = b;
	int c = compare_names(x, y);

	return c != 0 ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static int
compare_peers(const void *a, const void *b)
{
	const struct config_scope *x = *(struct config_scope *const *)a;
	const struct config_scope *y = *(struct config_scope *const *)b;

	if (x->net.bits != y->net.bits) {
		return (int)y->net.bits - (int)x->net.bits;
	}
	/* Two names of one network: qsort() alone would pick either. */
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static void
sort_peers(struct config *cfg, struct config_scope *s)
{
	size_t n = 0;

	for (struct config_scope *c = s->first; c != NULL; c = c->next) {
		n += c->kind == SCOPE_PEER;
	}
	if (n == 0) {
		return;
	}
	s->peers = take(cfg, n * sizeof *s->peers);
	for (struct config_scope *c = s->first; c != NULL; c = c->next) {
		if (c->kind == SCOPE_PEER) {
			s->peers[s->n_peers++] = c;
		}
	}
	qsort(s->peers, n, sizeof *s->peers, compare_peers);
}

/* Recursion is bounded by CONFIG_MAX_DEPTH. */
static void
finish_scope(struct config *cfg, struct config_scope *s)
{
	size_t out = 0;

	if (s->n_items > 0) {
		qsort(s->items, s->n_items, sizeof *s->items, compare_items);
	}
	for (size_t i = 0; i < s->n_items; i++) {
		bool again = i + 1 < s->n_items &&
		    compare_names(&s->items[i], &s->items[i + 1]) == 0;

		if (!again) {	/* the last one written wins */
			s->items[out++] = s->items[i];
		}
	}
	s->n_items = out;
	sort_peers(cfg, s);
	for (struct config_scope *c = s->first; c != NULL; c = c->next) {
		finish_scope(cfg, c);
	}
}

struct config *
builder_finish(struct builder *b)
{
	struct config *cfg = b->cfg;

	b->cfg = NULL;
	if (b->n_errors > 0) {
		config_destroy(&cfg);
		return NULL;
	}
	finish_scope(cfg, cfg->global);
	return cfg;
}

const struct config_item *
tree_get(const struct config_scope *s, int id)
{
	size_t low = 0, high = s->n_items;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->items[mid].id < id) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low < s->n_items && s->items[low].id == id ? &s->items[low] :
	    NULL;
}
