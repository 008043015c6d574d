/* SPDX-License-Identifier: Apache-2.0 */
/* Generations of the configuration. */
#include "supervisor/config_reload.h"

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/shm.h"

static int
freeze(const struct config *cfg, struct buf *text_out)
{
	struct error err = { 0 };
	struct buf b;
	int fd = -1;

	buf_init(&b, CONFIG_MAX_TOTAL);
	if (!config_freeze(cfg, &b)) {
		buf_printf(text_out, "the configuration is larger than %u "
		    "bytes\n", CONFIG_MAX_TOTAL);
	} else {
		fd = shm_from_bytes("ecelerity-config", buf_slice(&b), &err);
		if (fd < 0) {
			buf_printf(text_out, "%s\n", err.text);
		}
	}
	buf_fini(&b);
	return fd;
}

bool
generation_load(struct generation *g, const char *path, uint32_t number,
    struct buf *text_out)
{
	struct config_report rep;
	struct config *cfg;
	int fd = -1;

	config_report_init(&rep);
	cfg = config_load(path, &rep);
	if (cfg == NULL) {
		buf_add(text_out, buf_slice(&rep.errors));
	}
	buf_add(text_out, buf_slice(&rep.warnings));
	config_report_fini(&rep);
	if (cfg != NULL) {
		fd = freeze(cfg, text_out);
	}
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

void
generation_warn_restart(const struct generation *old_g,
    const struct generation *new_g, struct buf *text_out)
{
	config_diff_restart(old_g->cfg, new_g->cfg, text_out);
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
