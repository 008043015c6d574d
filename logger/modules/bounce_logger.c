/* SPDX-License-Identifier: Apache-2.0 */
/* The module bounce_logger: failures with their class. */
#include "logger/bouncelog_format.h"
#include "logger/mainlog_format.h"
#include "logger/module.h"

struct bounce_logger {
	const struct logger_host *host;
	struct logger_file *bouncelog;
	bool inband, outofband, transients;
	uint64_t interval_us, next_us;
	char line[LOGLINE_MAX];
};

const struct logger_module ecelerity_log_module;

static void
bounce_logger_destroy(void *self)
{
	struct bounce_logger *g = self;

	g->host->file_close(g->host->arg, g->bouncelog);
	free(g);
}

static void *
bounce_logger_create(const struct logger_host *host,
    const struct logger_conf *conf, struct error *err_out)
{
	struct slice path = conf->string(conf->arg, "bouncelog");
	struct logger_file *f = host->file_open(host->arg,
	    path.ptr == NULL ? "" : path.ptr,
	    (unsigned)conf->number(conf->arg, "bouncelog_mode"),
	    LOGGER_FILE_JOURNAL, err_out);
	struct bounce_logger *g;

	if (f == NULL) {
		return NULL;
	}
	g = xcalloc(1, sizeof *g);
	g->host = host;
	g->bouncelog = f;
	g->inband = conf->flag(conf->arg, "log_inband_bounces");
	g->outofband = conf->flag(conf->arg, "log_outofband_bounces");
	g->transients = conf->flag(conf->arg, "log_transient_failures");
	g->interval_us = conf->duration_us(conf->arg, "heartbeat");
	return g;
}

static bool
is_on(const struct bounce_logger *g, const struct event *e)
{
	if (e->kind == EVENT_TRANSIENT) {
		return g->transients;
	}
	return e->kind == EVENT_PERMANENT &&
	    (e->stage == STAGE_OUT_OF_BAND ? g->outofband : g->inband);
}

static void
bounce_logger_event(void *self, const struct logger_position *at,
    const struct event *e)
{
	struct bounce_logger *g = self;
	enum bounce_class class;

	(void)at;
	if (!is_on(g, e)) {
		return;
	}
	class = bounce_class_of(e);
	if (class != BOUNCE_SUBSCRIBE) {
		g->host->append(g->host->arg, g->bouncelog,
		    bouncelog_line(g->line, sizeof g->line, e, class));
	}
}

static void
bounce_logger_heartbeat(void *self, uint64_t wall_us)
{
	struct bounce_logger *g = self;

	if (g->interval_us == 0) {
		return;
	}
	/* A clock set back starts the interval anew. */
	if (g->next_us == 0 || g->next_us > wall_us + g->interval_us) {
		g->next_us = wall_us + g->interval_us;
		return;
	}
	if (wall_us >= g->next_us) {
		g->next_us = wall_us + g->interval_us;
		g->host->append(g->host->arg, g->bouncelog,
		    mainlog_heartbeat(g->line, sizeof g->line, wall_us));
	}
}

__attribute__((visibility("default")))
const struct logger_module ecelerity_log_module = {
	.abi = LOGGER_MODULE_ABI,
	.name = "bounce_logger",
	.create = bounce_logger_create,
	.destroy = bounce_logger_destroy,
	.event = bounce_logger_event,
	.heartbeat = bounce_logger_heartbeat,
};
