/* SPDX-License-Identifier: Apache-2.0 */
/* Generations of the configuration. */
#include "supervisor/config_reload.h"

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/shm.h"

/* Its text, or with started the mixture, as sealed memory; -1 with a line. */
static int
freeze(const struct config *cfg, const struct config *started,
    struct buf *bytes, struct buf *text_out)
{
	struct error err = { 0 };
	bool fits = started == NULL ? config_freeze(cfg, bytes) :
	    config_freeze_running(cfg, started, bytes);
	int fd;

	if (!fits) {
		buf_printf(text_out, "the configuration is larger than %u "
		    "bytes\n", CONFIG_MAX_TOTAL);
		return -1;
	}
	fd = shm_from_bytes("ecelerity-config", buf_slice(bytes), &err);
	if (fd < 0) {
		buf_printf(text_out, "%s\n", err.text);
	}
	return fd;
}

bool
generation_load(struct generation *g, const char *path, uint32_t number,
    struct buf *text_out)
{
	struct config_report rep;
	struct config *cfg;
	struct buf bytes;
	int fd = -1;

	config_report_init(&rep);
	buf_init(&bytes, CONFIG_MAX_TOTAL);
	cfg = config_load(path, &rep);
	if (cfg == NULL) {
		buf_add(text_out, buf_slice(&rep.errors));
	}
	buf_add(text_out, buf_slice(&rep.warnings));
	config_report_fini(&rep);
	if (cfg != NULL) {
		fd = freeze(cfg, NULL, &bytes, text_out);
	}
	buf_fini(&bytes);
	if (fd < 0) {
		config_destroy(&cfg);
		return false;
	}
	*g = (struct generation){ cfg, fd, number };
	return true;
}

void
generation_fini(struct generation *g)
{
	config_destroy(&g->cfg);
	fdio_close(&g->fd);
}

/* What the bytes say, which is what workers will read. */
static struct config *
parse_again(struct slice bytes, struct buf *text_out)
{
	struct config_report rep;
	struct config *cfg;

	config_report_init(&rep);
	cfg = config_parse(bytes, "configuration", &rep);
	if (cfg == NULL) {
		buf_add(text_out, buf_slice(&rep.errors));
	}
	config_report_fini(&rep);
	return cfg;
}

bool
generation_keep(struct generation *g, const struct config *started,
    struct buf *text_out)
{
	struct config *cfg = NULL;
	struct buf bytes;
	int fd = -1;

	if (config_diff_restart(started, g->cfg, text_out) == 0) {
		return true;
	}
	buf_puts(text_out, "what needs a restart keeps its value until "
	    "then, in new worker processes too\n");
	buf_init(&bytes, CONFIG_MAX_TOTAL);
	fd = freeze(g->cfg, started, &bytes, text_out);
	if (fd >= 0) {
		cfg = parse_again(buf_slice(&bytes), text_out);
	}
	buf_fini(&bytes);
	if (cfg == NULL) {
		fdio_close(&fd);
		return false;
	}
	generation_fini(g);
	*g = (struct generation){ cfg, fd, g->number };
	return true;
}

int
generation_log_level(const struct generation *g)
{
	return (int)config_int(g->cfg, NULL, OPT_LOG_LEVEL);
}

unsigned
generation_count(const struct generation *g, enum option_id id, unsigned max)
{
	int64_t n = config_int(g->cfg, NULL, id);

	if (n <= 0) {	/* auto */
		n = sysconf(_SC_NPROCESSORS_ONLN);
	}
	return (unsigned)EC_MIN(EC_MAX(n, 1), (int64_t)max);
}

bool
generation_path(const struct generation *g, enum option_id id, char *out,
    size_t size)
{
	return slice_copy(out, size, config_string(g->cfg, NULL, id));
}
