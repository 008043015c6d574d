/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical text, and what differs between two configurations.
 *
 * Frozen text starts with FROZEN_HEAD, then one "#@file NAME" for each file,
 * then scopes and options; "#@F N" before each says that the next line was
 * line N of file F, or of none (NO_FILE: frozen text without origins).  To
 * any other reader these are comments.
 */
#include "common/config/tree.h"

struct printer {
	struct buf *out;
	bool with_origins;
	bool ok;
	const struct config *running;	/* whose RESTART options stay, or NULL */
	uint32_t running_files;		/* where its names begin in the list */
};

static void
put(struct printer *p, struct slice s)
{
	p->ok = buf_add(p->out, s) && p->ok;
}

static void
indent(struct printer *p, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		put(p, SLICE("\t"));
	}
}

static void
put_origin(struct printer *p, uint32_t file, uint32_t line)
{
	if (p->with_origins) {
		p->ok = buf_printf(p->out, "#@%u %u\n", file, line) && p->ok;
	}
}

static void
print_item(struct printer *p, const struct config_item *item, unsigned depth,
	uint32_t first_file)
{
	put_origin(p, first_file + item->file, item->line);
	indent(p, depth);
	put(p, item->name);
	put(p, SLICE(" = "));
	p->ok = value_print(&item->value, p->out) && p->ok;
	put(p, SLICE("\n"));
}

static bool
waits_for_restart(const struct config_item *item)
{
	const struct option_row *row = item->id < 0 ? NULL :
	    option_row((enum option_id)item->id);

	return row != NULL && row->restart && row->served;
}

/* was: the scope as it runs; NULL if there is none to keep anything of. */
static void
print_items(struct printer *p, const struct config_scope *s,
	const struct config_scope *was, unsigned depth)
{
	for (size_t i = 0; i < s->n_items; i++) {
		if (was == NULL || !waits_for_restart(&s->items[i])) {
			print_item(p, &s->items[i], depth, 0);
		}
	}
	for (size_t i = 0; was != NULL && i < was->n_items; i++) {
		if (waits_for_restart(&was->items[i])) {
			print_item(p, &was->items[i], depth, p->running_files);
		}
	}
}

/* Recursion is bounded by CONFIG_MAX_DEPTH. */
static void
print_scope(struct printer *p, const struct config_scope *s,
	const struct config_scope *was, unsigned depth)
{
	print_items(p, s, was, depth);
	for (const struct config_scope *c = s->first; c != NULL; c = c->next) {
		put_origin(p, c->file, c->line);
		indent(p, depth);
		put(p, c->keyword);
		if (c->name.len > 0) {
			put(p, SLICE(" "));
			p->ok = value_quote(c->name, p->out) && p->ok;
		}
		put(p, SLICE(" {\n"));
		print_scope(p, c, was == NULL ? NULL : tree_find(p->running,
		    was, c->kind, c->keyword, c->name), depth + 1);
		indent(p, depth);
		put(p, SLICE("}\n"));
	}
}

static void
put_files(struct printer *p, const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_files; i++) {
		put(p, SLICE("#@file "));
		put(p, slice_of(cfg->files[i]));
		put(p, SLICE("\n"));
	}
}

bool
config_freeze(const struct config *cfg, struct buf *out)
{
	struct printer p = { .out = out, .with_origins = true, .ok = true };

	put(&p, SLICE(FROZEN_HEAD));
	put_files(&p, cfg);
	print_scope(&p, cfg->global, NULL, 0);
	return p.ok;
}

bool
config_freeze_running(const struct config *cfg, const struct config *running,
	struct buf *out)
{
	struct printer p = { .out = out, .with_origins = true, .ok = true,
		.running = running, .running_files = (uint32_t)cfg->n_files };

	put(&p, SLICE(FROZEN_HEAD));
	put_files(&p, cfg);
	put_files(&p, running);
	print_scope(&p, cfg->global, running->global, 0);
	return p.ok;
}

bool
config_print(const struct config *cfg, struct buf *out)
{
	struct printer p = { .out = out, .ok = true };

	print_scope(&p, cfg->global, NULL, 0);
	return p.ok;
}

struct differ {
	const struct config *old_cfg, *new_cfg;
	struct buf *names;
	size_t n;
};

static const struct config_value *
value_in(const struct config *cfg, const struct config_scope *s, int id)
{
	const struct config_item *item = s ? tree_get(s, id) : NULL;

	return item ? &item->value : &cfg->defaults[id];
}

static void
diff_options(struct differ *d, const struct config_scope *was,
	const struct config_scope *is)
{
	const struct config_scope *some = is ? is : was;
	char where[256];

	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = option_row((enum option_id)id);

		if (!row->restart || !row->served ||
		    !(row->scopes & SCOPE_BIT(some->kind)) ||
		    value_eq(value_in(d->old_cfg, was, id),
		    value_in(d->new_cfg, is, id))) {
			continue;
		}
		d->n++;
		if (some->parent == NULL) {
			buf_printf(d->names, "%s: restart needed\n", row->name);
			continue;
		}
		config_scope_text(some, where, sizeof where);
		buf_printf(d->names, "%s in %s: restart needed\n", row->name,
		    where);
	}
}

/* One of the two may be NULL: that side has only defaults. */
static void
diff_scopes(struct differ *d, const struct config_scope *was,
	const struct config_scope *is)
{
	const struct config_scope *c, *twin;

	diff_options(d, was, is);
	for (c = is ? is->first : NULL; c != NULL; c = c->next) {
		twin = was ? tree_find(d->old_cfg, was, c->kind, c->keyword,
		    c->name) : NULL;
		diff_scopes(d, twin, c);
	}
	for (c = was ? was->first : NULL; c != NULL; c = c->next) {
		if (is == NULL || tree_find(d->new_cfg, is, c->kind, c->keyword,
		    c->name) == NULL) {
			diff_scopes(d, c, NULL);
		}
	}
}

size_t
config_diff_restart(const struct config *old_cfg, const struct config *new_cfg,
	struct buf *names_out)
{
	struct differ d = { old_cfg, new_cfg, names_out, 0 };

	diff_scopes(&d, old_cfg->global, new_cfg->global);
	return d.n;
}
