/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration; what loads must survive a freeze. */
#include "common/config/config.h"

#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
freeze_and_compare(const struct config *cfg, struct config_report *r)
{
	struct config *again;
	struct buf a, b, names;

	buf_init(&a, CONFIG_MAX_TOTAL);
	buf_init(&b, CONFIG_MAX_TOTAL);
	buf_init(&names, CONFIG_MAX_TOTAL);
	ec_assert(config_freeze(cfg, &a));
	again = config_parse(buf_slice(&a), "frozen", r);
	ec_assert(again != NULL);
	ec_assert(config_freeze(again, &b));
	ec_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	ec_assert(config_diff_restart(cfg, again, &names) == 0);
	config_destroy(&again);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&names);
}

/* Look-ups must hold with every place that the input names. */
static void
look_up(const struct config *cfg)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct config_where w = { .binding_group = SLICE("g"),
		.binding = SLICE("b"), .domain = SLICE("d.com") };
	const struct config_scope *l, *at;
	struct cidr_list nets;

	config_us(cfg, &w, OPT_RETRY_INTERVAL);
	config_string(cfg, &w, OPT_GATEWAY);
	w.peer = (struct sockaddr *)&peer;
	for (l = config_first(cfg, NULL, SCOPE_ESMTP_LISTENER); l != NULL;
	    l = config_next(l)) {
		for (at = config_first(cfg, l, SCOPE_LISTEN); at != NULL;
		    at = config_next(at)) {
			w.listen = at;
			config_us(cfg, &w, OPT_IDLE_TIME);
			nets = config_cidrs(cfg, &w, OPT_RELAY_HOSTS);
			cidr_list_has(nets, w.peer);
			ec_assert(config_find(cfg, l, SCOPE_LISTEN,
			    config_scope_name(at)) == at);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_report r;
	struct config *cfg;

	config_report_init(&r);
	cfg = config_parse(slice_make(data, size), "fuzz", &r);
	ec_assert((cfg == NULL) == (r.n_errors > 0));
	ec_assert((r.n_errors > 0) == (r.errors.len > 0));
	if (cfg != NULL) {
		look_up(cfg);
		freeze_and_compare(cfg, &r);
	}
	config_destroy(&cfg);
	config_report_fini(&r);
	return 0;
}
