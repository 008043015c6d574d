/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logger's core.
 *
 *	event -> follow_take -> modules -> logfile (memory)
 *	turn   : memory -> write
 *	second : fdatasync -> sidecar (tmp, sync, rename, sync) -> ack
 *
 * A checkpoint blocks the loop for the time of its syncs.  That is meant: the
 * spooler waits for nothing but the acknowledgement, and lines gather in the
 * sockets meanwhile.
 */
#include "logger/logger.h"

#include <limits.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "logger/loader.h"
#include "logger/logconf.h"
#include "logger/module.h"

#define INSTANCES_MAX 16u

static const struct {
	enum scope_kind kind;
	const char *name;
	bool always;	/* with defaults when no scope asks for it */
} kinds[] = {
	{ SCOPE_EC_LOGGER, "ec_logger", true },
	{ SCOPE_BOUNCE_LOGGER, "bounce_logger", false },
};

struct instance {
	const struct logger_module *module;
	void *self;
};

struct instances {
	unsigned n;
	struct instance at[INSTANCES_MAX];
	char dir[PATH_MAX];	/* of the sidecar: the first mail log's */
};

struct logger {
	logger_ack_fn ack;
	void *arg;
	const struct logger_module *module[ARRAY_LEN(kinds)];
	struct logger_host host;
	struct instances live;
	struct instances *opening;	/* being made: who file_open is for */
	struct logfile_set files;
	struct follow follow[SCORE_PER_ROLE];
	uint64_t acked[SCORE_PER_ROLE];	/* durable and whole */
	uint64_t silent;	/* spoolers without an event since the tick */
	bool moved;		/* something the sidecar does not say yet */
	bool starting;
	struct sidecar *recorded;
	struct buf recorded_bytes;
	char *directories[SIDECAR_FILES_MAX + 1];
};

/* The directory part of an absolute path. */
static void
dir_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	slice_copy(out, size, n == 0 ? SLICE("/") : slice_make(path, n));
}

/* Positions of the last run; its record of files serves while we start. */
static int
read_sidecar(struct logger *g, const char *dir, struct error *err_out)
{
	int got;

	g->recorded = xcalloc(1, sizeof *g->recorded);
	got = sidecar_load(dir, &g->recorded_bytes, g->recorded, err_out);
	if (got < 0 && err_out->code != ERROR_DAMAGE) {
		return -1;
	}
	if (got < 0) {
		log_error("%s: log lines since its last good state may be "
		    "written twice", err_out->text);
	}
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		g->follow[i] = g->recorded->spooler[i];
		g->acked[i] = g->follow[i].whole;
	}
	g->files.recorded = g->recorded;
	return 0;
}

static struct logger_file *
host_file_open(void *arg, const char *path, unsigned mode,
    enum logger_file_kind kind, struct error *err_out)
{
	struct logger *g = arg;

	/* The first mail log says where the sidecar is. */
	if (kind == LOGGER_FILE_JOURNAL && g->opening->dir[0] == '\0') {
		dir_of(path, g->opening->dir, sizeof g->opening->dir);
		if (g->starting &&
		    read_sidecar(g, g->opening->dir, err_out) < 0) {
			return NULL;
		}
	}
	return logfile_open(&g->files, path, mode,
	    kind == LOGGER_FILE_JOURNAL, err_out);
}

static void
host_file_close(void *arg, struct logger_file *f)
{
	(void)arg;
	logfile_release(f);
}

static void
host_append(void *arg, struct logger_file *f, struct slice lines)
{
	struct logger *g = arg;

	logfile_append(&g->files, f, lines);
}

static void
host_say(void *arg, int level, const char *text)
{
	(void)arg;
	if (level >= EC_DEBUG && level <= EC_CRITICAL) {
		log_at((enum log_level)level, "%s", text);
	}
}

struct logger *
logger_create(logger_ack_fn ack, void *arg)
{
	struct logger *g = xcalloc(1, sizeof *g);

	g->ack = ack;
	g->arg = arg;
	g->host = (struct logger_host){ .arg = g, .file_open = host_file_open,
		.file_close = host_file_close, .append = host_append,
		.say = host_say };
	logfile_set_init(&g->files);
	buf_init(&g->recorded_bytes, SIDECAR_MAX_BYTES);
	return g;
}

static void
instances_close(struct instances *in)
{
	for (unsigned i = 0; i < in->n; i++) {
		in->at[i].module->destroy(in->at[i].self);
	}
	in->n = 0;
}

static void
forget_directories(struct logger *g)
{
	for (size_t i = 0; g->directories[i] != NULL; i++) {
		free(g->directories[i]);
		g->directories[i] = NULL;
	}
}

void
logger_destroy(struct logger **gp)
{
	struct logger *g = *gp;

	if (g == NULL) {
		return;
	}
	instances_close(&g->live);
	logfile_set_fini(&g->files);
	forget_directories(g);
	buf_fini(&g->recorded_bytes);
	free(g->recorded);
	free(g);
	*gp = NULL;
}

static int
open_one(struct logger *g, size_t k, const struct config *cfg,
    const struct config_scope *scope, struct error *err_out)
{
	struct instances *in = g->opening;
	struct logconf c;
	struct logger_conf conf = logconf_make(&c, cfg, kinds[k].kind, scope);
	void *self;

	if (in->n >= INSTANCES_MAX) {
		return error_set(err_out, ERROR_CONFIG,
		    "more than %u log module scopes", INSTANCES_MAX);
	}
	if (g->module[k] == NULL) {
		return error_set(err_out, ERROR_CONFIG, "the log module %s was "
		    "not loaded when the logger started", kinds[k].name);
	}
	self = g->module[k]->create(&g->host, &conf, err_out);
	if (self == NULL) {
		return -1;
	}
	in->at[in->n++] = (struct instance){ g->module[k], self };
	return 0;
}

/* All instances that cfg asks for, or none. */
static int
instances_open(struct logger *g, const struct config *cfg,
    struct instances *in, struct error *err_out)
{
	int result = 0;

	memset(in, 0, sizeof *in);
	g->opening = in;
	for (size_t k = 0; k < ARRAY_LEN(kinds) && result == 0; k++) {
		const struct config_scope *s = config_first(cfg, NULL,
		    kinds[k].kind);

		if (s == NULL && kinds[k].always) {
			result = open_one(g, k, cfg, NULL, err_out);
		}
		for (; s != NULL && result == 0; s = config_next(s)) {
			result = open_one(g, k, cfg, s, err_out);
		}
	}
	g->opening = NULL;
	if (result < 0) {
		instances_close(in);
	}
	return result;
}

static int
save(struct logger *g, struct error *err_out)
{
	struct sidecar *s = xcalloc(1, sizeof *s);
	int result;

	memcpy(s->spooler, g->follow, sizeof s->spooler);
	result = logfile_describe(&g->files, s, err_out);
	if (result == 0) {
		result = sidecar_save(g->live.dir, s, err_out);
	}
	free(s);
	return result;
}

static int
load_modules(struct logger *g, const struct config *cfg,
    struct error *err_out)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		int got = loader_load(kinds[k].name, &g->module[k], err_out);
		bool wanted = kinds[k].always ||
		    config_first(cfg, NULL, kinds[k].kind) != NULL;

		/* What nobody asked for yet is loaded for a later reload. */
		if (got < 0 || (got == 0 && wanted)) {
			return -1;
		}
	}
	return 0;
}

int
logger_start(struct logger *g, const struct config *cfg, int *exit_code_out,
    struct error *err_out)
{
	struct instances in;

	*exit_code_out = 72;	/* EX_OSFILE */
	if (load_modules(g, cfg, err_out) < 0) {
		return -1;
	}
	g->starting = true;
	if (instances_open(g, cfg, &in, err_out) < 0) {
		*exit_code_out = err_out->code == ERROR_CONFIG ? 78 : 73;
		return -1;
	}
	g->starting = false;
	g->files.recorded = NULL;
	g->live = in;
	/* Now, so that files made just now are known if we die next. */
	if (save(g, err_out) < 0) {
		*exit_code_out = 73;	/* EX_CANTCREAT */
		return -1;
	}
	return 0;
}

int
logger_reconfigure(struct logger *g, const struct config *cfg,
    struct error *err_out)
{
	struct instances in, old = g->live;
	char path[PATH_MAX + sizeof SIDECAR_NAME];

	logger_checkpoint(g);
	if (instances_open(g, cfg, &in, err_out) < 0) {
		logfile_sync(&g->files);	/* closes what nobody uses */
		return -1;
	}
	g->live = in;
	instances_close(&old);
	g->moved = true;
	if (logger_checkpoint(g) == LOGFILE_DURABLE &&
	    strcmp(old.dir, in.dir) != 0) {
		/* An old statement must not be believed at a later start. */
		snprintf(path, sizeof path, "%s/" SIDECAR_NAME, old.dir);
		unlink(path);
	}
	return 0;
}

int
logger_reopen(struct logger *g, struct error *err_out)
{
	int result;

	/* First what went into the old files, then the new ones, then which
	 * they are: a crash between cuts nothing that it should not. */
	logger_checkpoint(g);
	result = logfile_reopen(&g->files, err_out);
	for (unsigned i = 0; i < g->live.n; i++) {
		if (g->live.at[i].module->reopen != NULL) {
			g->live.at[i].module->reopen(g->live.at[i].self);
		}
	}
	g->moved = true;
	logger_checkpoint(g);
	return result;
}

uint64_t
logger_hello(struct logger *g, unsigned spooler)
{
	logger_checkpoint(g);
	follow_again(&g->follow[spooler]);
	return g->acked[spooler];
}

/* The mainlog's layout has no place for it, so paniclog says it. */
static void
tell_duplicate(struct logger *g, const struct event *e)
{
	char id[MSGID_TEXT_LEN + 1], text[128];

	msgid_format(e->id, id);
	snprintf(text, sizeof text, "NOTICE: logger: possible duplicate of "
	    "message %s: an earlier attempt ended between dot and reply", id);
	logger_panic(g, clock_wall_us(), slice_of(text));
}

enum logger_took
logger_event(struct logger *g, unsigned spooler, uint64_t position,
    struct slice body)
{
	struct follow *f = &g->follow[spooler];
	struct logger_position at = { .spooler = spooler,
		.position = position };
	struct event e;

	if (!event_decode(body, &e)) {
		return LOGGER_MALFORMED;
	}
	g->silent &= ~(1ull << spooler);
	if (!follow_take(f, position)) {
		return LOGGER_SKIPPED;
	}
	g->moved = true;
	at.nth = f->taken;
	for (unsigned i = 0; i < g->live.n; i++) {
		if (g->live.at[i].module->event != NULL) {
			g->live.at[i].module->event(g->live.at[i].self, &at,
			    &e);
		}
	}
	if (e.flags & EVENT_POSSIBLE_DUPLICATE) {
		tell_duplicate(g, &e);
	}
	return LOGGER_TAKEN;
}

bool
logger_reject(struct logger *g, struct slice body)
{
	struct reject r;

	if (!reject_decode(body, &r)) {
		return false;
	}
	for (unsigned i = 0; i < g->live.n; i++) {
		if (g->live.at[i].module->reject != NULL) {
			g->live.at[i].module->reject(g->live.at[i].self, &r);
		}
	}
	return true;
}

void
logger_panic(struct logger *g, uint64_t wall_us, struct slice line)
{
	for (unsigned i = 0; i < g->live.n; i++) {
		if (g->live.at[i].module->panic_line != NULL) {
			g->live.at[i].module->panic_line(g->live.at[i].self,
			    wall_us, line);
		}
	}
}

enum logfile_synced
logger_turn(struct logger *g)
{
	if (g->files.error.code == ERROR_NONE) {
		logfile_write(&g->files);
	}
	return g->files.unsynced >= LOGGER_SYNC_BYTES ?
	    logger_checkpoint(g) : LOGFILE_DURABLE;
}

static bool
modules_sync(struct logger *g)
{
	struct error err = { 0 };
	bool all = true;

	for (unsigned i = 0; i < g->live.n; i++) {
		const struct instance *in = &g->live.at[i];

		if (in->module->sync != NULL &&
		    in->module->sync(in->self, &err) < 0) {
			g->files.error = err;
			all = false;
		}
	}
	return all;
}

enum logfile_synced
logger_checkpoint(struct logger *g)
{
	enum logfile_synced r;

	if (!g->moved && g->files.unsynced == 0 &&
	    g->files.error.code == ERROR_NONE) {
		logfile_write(&g->files);
		if (g->files.unsynced == 0) {
			return LOGFILE_DURABLE;
		}
	}
	g->files.error.code = ERROR_NONE;
	r = logfile_sync(&g->files);
	if (r != LOGFILE_DURABLE) {
		return r;
	}
	if (!modules_sync(g) || save(g, &g->files.error) < 0) {
		g->files.write_errors++;
		g->moved = true;
		return LOGFILE_WAITING;
	}
	g->moved = false;
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		if (g->follow[i].whole > g->acked[i]) {
			g->acked[i] = g->follow[i].whole;
			g->ack(g->arg, i, g->acked[i]);
		}
	}
	return LOGFILE_DURABLE;
}

enum logfile_synced
logger_tick(struct logger *g, uint64_t wall_us, uint64_t up)
{
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		struct follow *f = &g->follow[i];

		if ((up & g->silent & 1ull << i) != 0 && f->whole != f->last) {
			follow_rest(f);
			g->moved = true;
		}
	}
	g->silent = UINT64_MAX;
	for (unsigned i = 0; i < g->live.n; i++) {
		if (g->live.at[i].module->heartbeat != NULL) {
			g->live.at[i].module->heartbeat(g->live.at[i].self,
			    wall_us);
		}
	}
	return logger_checkpoint(g);
}

bool
logger_is_stuck(const struct logger *g)
{
	return logfile_is_stuck(&g->files);
}

uint64_t
logger_write_errors(const struct logger *g)
{
	return g->files.write_errors;
}

const char *
logger_last_error(const struct logger *g)
{
	return g->files.error.code == ERROR_NONE ? "" : g->files.error.text;
}

const char *const *
logger_directories(struct logger *g)
{
	size_t n = 0;

	forget_directories(g);
	list_each(it, tmp, &g->files.files) {
		char dir[PATH_MAX];
		size_t i = 0;

		dir_of(list_entry(it, struct logger_file, link)->path, dir,
		    sizeof dir);
		while (i < n && strcmp(g->directories[i], dir) != 0) {
			i++;
		}
		if (i == n && n < ARRAY_LEN(g->directories) - 1) {
			g->directories[n++] = xstrdup(dir);
		}
	}
	return (const char *const *)g->directories;
}
