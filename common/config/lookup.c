/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors: fallback first, then the value by type. */
#include "common/config/tree.h"

/* What was found, and in which scope; item NULL: the default. */
struct found {
	const struct config_item *item;
	const struct config_scope *scope;
};

static bool
look(struct found *f, const struct config_scope *s, int id)
{
	if (s == NULL) {
		return false;
	}
	f->item = tree_get(s, id);
	f->scope = f->item ? s : NULL;
	return f->item != NULL;
}

static const struct config_scope *
child(const struct config *cfg, const struct config_scope *parent,
	enum scope_kind kind, struct slice name)
{
	if (parent == NULL || name.len == 0) {
		return NULL;
	}
	return tree_find(cfg, parent, kind, slice_of(scope_row(kind)->keyword),
	    name);
}

static struct found
find_delivery(const struct config *cfg, const struct config_where *w, int id)
{
	const struct config_scope *top = cfg->global;
	const struct config_scope *group = child(cfg, top, SCOPE_BINDING_GROUP,
	    w->binding_group);
	const struct config_scope *inner = child(cfg, group, SCOPE_BINDING,
	    w->binding);
	const struct config_scope *outer = child(cfg, top, SCOPE_BINDING,
	    w->binding);
	struct slice domain = w->domain;
	struct found f = { 0 };

	if (look(&f, child(cfg, inner, SCOPE_DOMAIN, domain), id) ||
	    look(&f, child(cfg, outer, SCOPE_DOMAIN, domain), id) ||
	    look(&f, child(cfg, group, SCOPE_DOMAIN, domain), id) ||
	    look(&f, inner, id) || look(&f, outer, id) ||
	    look(&f, group, id) ||
	    look(&f, child(cfg, top, SCOPE_DOMAIN, domain), id)) {
		return f;
	}
	look(&f, top, id);
	return f;
}

/* Of the peers that hold the client, the longest prefix that sets it. */
static bool
look_peers(struct found *f, const struct config_scope *s,
	const struct sockaddr *peer, int id)
{
	if (s == NULL || peer == NULL) {
		return false;
	}
	for (size_t i = 0; i < s->n_peers; i++) {
		if (cidr_has(&s->peers[i]->net, peer) &&
		    look(f, s->peers[i], id)) {
			return true;
		}
	}
	return false;
}

static bool
look_endpoint(struct found *f, const struct config_where *w, int id)
{
	const struct config_scope *listener = w->listener ? w->listener :
	    w->listen->parent;

	return look_peers(f, w->listen, w->peer, id) ||
	    look(f, w->listen, id) ||
	    look_peers(f, listener, w->peer, id) || look(f, listener, id);
}

/* The Pathway that the endpoint names: at top level or in any group. */
static const struct config_scope *
pathway_of(const struct config *cfg, const struct config_where *w)
{
	const struct config_scope *s;
	struct found f = { 0 };
	struct slice name;

	if (!look_endpoint(&f, w, OPT_PATHWAY)) {
		return NULL;
	}
	name = f.item->value.text;
	s = child(cfg, cfg->global, SCOPE_PATHWAY, name);
	for (const struct config_scope *g = config_first(cfg, NULL,
	    SCOPE_PATHWAY_GROUP); s == NULL && g != NULL; g = config_next(g)) {
		s = child(cfg, g, SCOPE_PATHWAY, name);
	}
	return s;
}

static struct found
find_listener(const struct config *cfg, const struct config_where *w, int id)
{
	const struct config_scope *pathway;
	struct found f = { 0 };

	if (look_endpoint(&f, w, id)) {
		return f;
	}
	pathway = pathway_of(cfg, w);
	if (look(&f, pathway, id) ||
	    (pathway != NULL && pathway->parent != cfg->global &&
	    look(&f, pathway->parent, id))) {
		return f;
	}
	look(&f, cfg->global, id);
	return f;
}

/* Without a place: Global, or the first scope of the kinds it lives in. */
static struct found
find_anywhere(const struct config *cfg, int id)
{
	uint64_t scopes = option_row((enum option_id)id)->scopes;
	struct found f = { 0 };

	if (look(&f, cfg->global, id) || (scopes & SCOPE_BIT(SCOPE_GLOBAL))) {
		return f;
	}
	for (const struct config_scope *s = cfg->global->first; s != NULL;
	    s = s->next) {
		if (scopes & SCOPE_BIT(s->kind)) {
			look(&f, s, id);
			break;
		}
	}
	return f;
}

static struct found
find(const struct config *cfg, const struct config_where *w, enum option_id id)
{
	struct found f = { 0 };

	if (w == NULL) {
		return find_anywhere(cfg, (int)id);
	}
	if (w->scope != NULL) {
		look(&f, w->scope, (int)id);
		return f;
	}
	if (w->listener != NULL || w->listen != NULL) {
		return find_listener(cfg, w, (int)id);
	}
	return find_delivery(cfg, w, (int)id);
}

static const struct config_value *
value_of(const struct config *cfg, const struct config_where *w,
	enum option_id id)
{
	struct found f = find(cfg, w, id);

	return f.item ? &f.item->value : &cfg->defaults[id];
}

static enum option_type
type_of(enum option_id id)
{
	return option_row(id)->type;
}

bool
config_is_set(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	return find(cfg, where, id).item != NULL;
}

bool
config_bool(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	ec_assert(type_of(id) == OPTION_BOOL);
	return value_of(cfg, where, id)->num != 0;
}

int64_t
config_int(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	enum option_type t = type_of(id);

	ec_assert(t == OPTION_INT || t == OPTION_ENUM || t == OPTION_PERCENT ||
	    t == OPTION_MODE);
	return value_of(cfg, where, id)->num;
}

uint64_t
config_us(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	enum option_type t = type_of(id);

	ec_assert(t == OPTION_DURATION || t == OPTION_DURATION_MS);
	return (uint64_t)value_of(cfg, where, id)->num;
}

uint64_t
config_size(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	ec_assert(type_of(id) == OPTION_SIZE);
	return (uint64_t)value_of(cfg, where, id)->num;
}

struct slice
config_string(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	enum option_type t = type_of(id);
	struct slice s;

	ec_assert(t == OPTION_STRING || t == OPTION_ADDRESS ||
	    t == OPTION_HOSTPORT || t == OPTION_ENUM);
	s = value_of(cfg, where, id)->text;
	return s.ptr ? s : SLICE("");
}

size_t
config_list(const struct config *cfg, const struct config_where *where,
	enum option_id id, const struct slice **items_out)
{
	const struct config_value *v;

	ec_assert(option_type_is_list(type_of(id)));
	v = value_of(cfg, where, id);
	*items_out = v->items;
	return v->n;
}

struct cidr_list
config_cidrs(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	const struct config_value *v;

	ec_assert(type_of(id) == OPTION_NETS);
	v = value_of(cfg, where, id);
	return (struct cidr_list){ v->nets, v->n };
}

size_t
config_dict(const struct config *cfg, const struct config_where *where,
	enum option_id id, const struct config_pair **pairs_out)
{
	const struct config_value *v;

	ec_assert(type_of(id) == OPTION_DICT);
	v = value_of(cfg, where, id);
	*pairs_out = v->pairs;
	return v->n;
}

bool
config_rate(const struct config *cfg, const struct config_where *where,
	enum option_id id, struct config_rate *out)
{
	const struct config_value *v;

	ec_assert(type_of(id) == OPTION_RATE);
	v = value_of(cfg, where, id);
	*out = (struct config_rate){ (uint64_t)v->num, v->window_us };
	return v->num > 0;
}

bool
config_text(const struct config *cfg, const struct config_where *where,
	enum option_id id, struct buf *out)
{
	struct found f = find(cfg, where, id);
	const struct config_value *v = f.item ? &f.item->value :
	    &cfg->defaults[id];

	if (f.item == NULL && option_row(id)->default_text == NULL) {
		return false;
	}
	return v->kind == RAW_TEXT ? buf_add(out, v->text) :
	    value_print(v, out);
}

static void
place(const struct config *cfg, uint32_t file, uint32_t line, char *out,
	size_t size)
{
	snprintf(out, size, "%s:%u", file < cfg->n_files ? cfg->files[file] :
	    "(configuration)", line);
}

void
config_origin(const struct config *cfg, const struct config_where *where,
	enum option_id id, char *out, size_t size)
{
	struct found f = find(cfg, where, id);

	if (f.item == NULL) {
		snprintf(out, size, "default");
	} else {
		place(cfg, f.item->file, f.item->line, out, size);
	}
}

const struct config_scope *
config_owner(const struct config *cfg, const struct config_where *where,
	enum option_id id)
{
	return find(cfg, where, id).scope;
}

static const struct config_scope *
skip_to(const struct config_scope *s, enum scope_kind kind)
{
	while (s != NULL && s->kind != kind) {
		s = s->next;
	}
	return s;
}

const struct config_scope *
config_first(const struct config *cfg, const struct config_scope *parent,
	enum scope_kind kind)
{
	return skip_to(parent ? parent->first : cfg->global->first, kind);
}

const struct config_scope *
config_next(const struct config_scope *s)
{
	return skip_to(s->next, s->kind);
}

const struct config_scope *
config_find(const struct config *cfg, const struct config_scope *parent,
	enum scope_kind kind, struct slice name)
{
	return tree_find(cfg, parent ? parent : cfg->global, kind,
	    slice_of(scope_row(kind)->keyword), name);
}

enum scope_kind
config_scope_kind(const struct config_scope *s)
{
	return s->kind;
}

struct slice
config_scope_name(const struct config_scope *s)
{
	return s->name;
}

const struct config_scope *
config_scope_parent(const struct config_scope *s)
{
	return s->parent;
}

/* Recursion is bounded by CONFIG_MAX_DEPTH. */
static void
scope_path(const struct config_scope *s, struct buf *out)
{
	if (s->parent != NULL && s->parent->parent != NULL) {
		scope_path(s->parent, out);
		buf_putc(out, '.');
	}
	buf_add(out, s->keyword);
	if (s->name.len > 0) {
		buf_putc(out, ' ');
		value_quote(s->name, out);
	}
}

void
config_scope_text(const struct config_scope *s, char *out, size_t size)
{
	struct buf b;

	buf_init(&b, CONFIG_MAX_DEPTH * 3u * CONFIG_MAX_TOKEN);
	scope_path(s, &b);
	slice_copy(out, size, buf_slice(&b));
	buf_fini(&b);
}

void
config_scope_origin(const struct config *cfg, const struct config_scope *s,
	char *out, size_t size)
{
	place(cfg, s->file, s->line, out, size);
}
