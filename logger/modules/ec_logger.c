/* SPDX-License-Identifier: Apache-2.0 */
/* The module ec_logger: mainlog, rejectlog, paniclog. */
#include "logger/mainlog_format.h"
#include "logger/module.h"

struct ec_logger {
	const struct logger_host *host;
	struct logger_file *mainlog, *rejectlog, *paniclog;
	bool receptions, deliveries, transients, permanents, rejections;
	uint64_t interval_us, next_us;
	char line[LOGLINE_MAX];
};

const struct logger_module ecelerity_log_module;

static struct logger_file *
open_option(struct ec_logger *g, const struct logger_conf *conf,
    const char *name, const char *mode_name, enum logger_file_kind kind,
    struct error *err_out)
{
	struct slice path = conf->string(conf->arg, name);
	unsigned mode = (unsigned)conf->number(conf->arg, mode_name);

	return g->host->file_open(g->host->arg, path.ptr == NULL ? "" :
	    path.ptr, mode, kind, err_out);
}

static void
ec_logger_destroy(void *self)
{
	struct ec_logger *g = self;
	struct logger_file *files[] = { g->mainlog, g->rejectlog,
		g->paniclog };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i] != NULL) {
			g->host->file_close(g->host->arg, files[i]);
		}
	}
	free(g);
}

static void *
ec_logger_create(const struct logger_host *host,
    const struct logger_conf *conf, struct error *err_out)
{
	struct ec_logger *g = xcalloc(1, sizeof *g);

	g->host = host;
	g->receptions = conf->flag(conf->arg, "log_receptions");
	g->deliveries = conf->flag(conf->arg, "log_deliveries");
	g->transients = conf->flag(conf->arg, "log_transient_failures");
	g->permanents = conf->flag(conf->arg, "log_permanent_failures");
	g->rejections = conf->flag(conf->arg, "log_rejections");
	g->interval_us = conf->duration_us(conf->arg, "heartbeat");
	g->mainlog = open_option(g, conf, "mainlog", "mainlog_mode",
	    LOGGER_FILE_JOURNAL, err_out);
	if (g->mainlog != NULL) {
		g->rejectlog = open_option(g, conf, "rejectlog",
		    "rejectlog_mode", LOGGER_FILE_FREE, err_out);
	}
	if (g->rejectlog != NULL) {
		g->paniclog = open_option(g, conf, "paniclog",
		    "paniclog_mode", LOGGER_FILE_FREE, err_out);
	}
	if (g->paniclog == NULL) {
		ec_logger_destroy(g);
		return NULL;
	}
	return g;
}

static bool
is_on(const struct ec_logger *g, uint8_t kind)
{
	return kind == EVENT_RECEPTION ? g->receptions :
	    kind == EVENT_DELIVERY ? g->deliveries :
	    kind == EVENT_TRANSIENT ? g->transients : g->permanents;
}

static void
ec_logger_event(void *self, const struct logger_position *at,
    const struct event *e)
{
	struct ec_logger *g = self;

	(void)at;
	if (is_on(g, e->kind)) {
		g->host->append(g->host->arg, g->mainlog,
		    mainlog_event(g->line, sizeof g->line, e));
	}
}

static void
ec_logger_reject(void *self, const struct reject *r)
{
	struct ec_logger *g = self;

	if (g->rejections) {
		g->host->append(g->host->arg, g->rejectlog,
		    rejectlog_line(g->line, sizeof g->line, r));
	}
}

static void
ec_logger_panic(void *self, uint64_t wall_us, struct slice text)
{
	struct ec_logger *g = self;

	g->host->append(g->host->arg, g->paniclog,
	    paniclog_line(g->line, sizeof g->line, wall_us, text));
}

static void
ec_logger_heartbeat(void *self, uint64_t wall_us)
{
	struct ec_logger *g = self;

	if (g->interval_us == 0) {
		return;
	}
	/* A clock set back starts the interval anew. */
	if (g->next_us == 0 || g->next_us > wall_us + g->interval_us) {
		g->next_us = wall_us + g->interval_us;
		return;
	}
	if (wall_us < g->next_us) {
		return;
	}
	g->next_us = wall_us + g->interval_us;
	g->host->append(g->host->arg, g->mainlog,
	    mainlog_heartbeat(g->line, sizeof g->line, wall_us));
	g->host->append(g->host->arg, g->rejectlog,
	    rejectlog_heartbeat(g->line, sizeof g->line, wall_us));
}

__attribute__((visibility("default")))
const struct logger_module ecelerity_log_module = {
	.abi = LOGGER_MODULE_ABI,
	.name = "ec_logger",
	.create = ec_logger_create,
	.destroy = ec_logger_destroy,
	.event = ec_logger_event,
	.reject = ec_logger_reject,
	.panic_line = ec_logger_panic,
	.heartbeat = ec_logger_heartbeat,
};
