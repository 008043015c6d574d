/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration allows a client. */
#include "listener/listener.h"

#include <arpa/inet.h>

#include "common/base/cidr.h"
#include "common/config/domain_match.h"

static struct config_where
where_of(struct session *s)
{
	return (struct config_where){ .listener = s->endpoint->at_scope,
		.listen = s->endpoint->at_listen,
		.peer = (const struct sockaddr *)&s->peer };
}

/* The first of these that is set, else our own name. */
static void
name_of(struct session *s, const struct config_where *w, enum option_id id,
    char *out, size_t size)
{
	struct slice v = config_string(worker_config(s->l->w), w, id);

	slice_copy(out, size, v.len > 0 ? v : slice_of(s->l->host));
}

static unsigned
extensions(const struct config *c, const struct config_where *w)
{
	const struct slice *items;
	size_t n = config_list(c, w, OPT_SMTP_EXTENSIONS, &items);
	unsigned ext = SMTP_EXT_DEFAULT;

	/* Only what is served can be added. */
	for (size_t i = 0; i < n; i++) {
		ext |= smtp_ext_find(items[i]) & SMTP_EXT_DEFAULT;
	}
	return ext;
}

static bool
peer_may_relay(struct session *s, const struct config_where *w)
{
	const struct config *c = worker_config(s->l->w);

	return config_bool(c, w, OPT_OPEN_RELAY) ||
	    cidr_list_has(config_cidrs(c, w, OPT_RELAY_HOSTS),
	    (const struct sockaddr *)&s->peer);
}

void
policy_settings(struct session *s)
{
	const struct config *c = worker_config(s->l->w);
	struct config_where w = where_of(s);
	struct settings *t = &s->set;
	struct smtp_limits limits = {
		.max_size = config_size(c, &w, OPT_MAX_MESSAGE_SIZE),
		.max_recipients = (uint32_t)config_int(c, &w,
		    OPT_MAX_RECIPIENTS_PER_MESSAGE),
		.max_messages = (uint32_t)config_int(c, &w,
		    OPT_MAX_RECEPTIONS_PER_CONNECTION),
		.max_errors = SMTP_ERRORS_DEFAULT,
		.require_ehlo = config_bool(c, &w, OPT_REQUIRE_EHLO) };
	struct smtp_syntax syntax = { .ext = extensions(c, &w),
		.pedantic = true };

	/* Announce what one message can be at most: SIZE then saves the
	 * client the sending. */
	if (limits.max_size == 0) {
		limits.max_size = LARGE_MOST;
	}
	t->idle_us = config_us(c, &w, OPT_IDLE_TIME);
	t->large_threshold = EC_MIN(config_size(c, NULL,
	    OPT_LARGE_MESSAGE_THRESHOLD), s->l->max_body);
	t->trace_headers = config_bool(c, &w, OPT_RFC2822_TRACE_HEADERS);
	t->null_sender = config_bool(c, &w, OPT_ALLOW_NULL_ENVELOPE_SENDER);
	t->ip_literal = config_bool(c, &w, OPT_ALLOW_IP_LITERAL);
	t->may_relay = peer_may_relay(s, &w);
	t->lone_lf_header = (unsigned)config_int(c, &w,
	    OPT_RFC2822_LONE_LF_IN_HEADERS);
	t->lone_lf_body = (unsigned)config_int(c, &w,
	    OPT_RFC2822_LONE_LF_IN_BODY);
	t->max_line = config_int(c, &w, OPT_RFC2822_MAX_LINE_LENGTH_POLICY) ==
	    CONFIG_LONG_LINE_REJECT ? (uint64_t)config_int(c, &w,
	    OPT_RFC2822_MAX_LINE_LENGTH) : 0;
	name_of(s, &w, OPT_BANNER_HOSTNAME, t->banner, sizeof t->banner);
	name_of(s, &w, OPT_RECEIVED_HOSTNAME, t->received, sizeof t->received);
	slice_copy(t->static_banner, sizeof t->static_banner,
	    config_string(c, &w, OPT_STATIC_BANNER));
	if (s->sm.state == SMTP_ST_NONE) {
		smtp_session_init(&s->sm, &syntax, &limits);
	} else {
		s->sm.limits = limits;
		smtp_session_offer(&s->sm, syntax.ext);
	}
	s->generation = s->l->generation;
}

bool
policy_may_send_to(struct session *s, struct slice domain)
{
	const struct config *c = worker_config(s->l->w);
	struct config_where w = where_of(s);
	const struct slice *items;
	size_t n;

	if (s->set.may_relay) {
		return true;
	}
	n = config_list(c, &w, OPT_RELAY_DOMAINS, &items);
	return domain_match_any(items, n, domain);
}

void
policy_reconfigure(struct listener *l)
{
	struct slice host = config_string(worker_config(l->w), NULL,
	    OPT_HOSTNAME);

	if (host.len > 0) {
		slice_copy(l->host, sizeof l->host, host);
	} else if (gethostname(l->host, sizeof l->host - 1) < 0) {
		snprintf(l->host, sizeof l->host, "localhost");
	}
	l->max_body = EC_MIN(journal_body_max(config_size(worker_config(l->w),
	    NULL, OPT_JOURNAL_SIZE)), (uint64_t)BODY_MOST);
	l->store_timeout_us = config_us(worker_config(l->w), NULL,
	    OPT_STORE_TIMEOUT);
	if (l->store_timeout_us == 0) {
		l->store_timeout_us = UINT64_MAX / 2;
	}
	l->passthrough = config_int(worker_config(l->w), NULL,
	    OPT_SPOOL_ENGINE) == CONFIG_SPOOL_PASSTHROUGH;
	if (l->passthrough) {
		l->store_timeout_us += config_us(worker_config(l->w), NULL,
		    OPT_PASSTHROUGH_TIMEOUT);
	}
}
