/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job per RESOLVE that needs the DNS:
 *
 *	MX question -> hosts -> A and AAAA of each -> mx_finish -> told
 *
 * Each part comes from the cache, or waits on the one question under way.
 */
#include "resolver/resolve.h"

#include <netinet/in.h>
#include <sys/random.h>

#include "common/base/addr.h"
#include "resolver/servers.h"

#define CACHE_ENTRIES 500000u
#define CACHE_BYTES (128u << 20)
#define CACHE_PENDING 100000u
#define LITERAL_TTL 86400u
#define EXPIRE_BUDGET 2000u
#define TEXT_MAX 480u

struct address_wait {
	struct dns_wait wait;
	struct job *job;
	size_t host;
};

struct job {
	struct list_node link;
	struct resolve *resolve;
	void *owner;		/* NULL: nobody waits any more */
	uint32_t query;
	enum resolve_kind kind;
	struct dns_wait mx_wait;
	struct mx_host *hosts;
	struct address_wait *waits;
	size_t n_hosts, n_waits, open;	/* open: answers still to come */
	uint32_t ttl;
	bool implicit, no_name;
	uint8_t name_len;
	char name[DNS_NAME_TEXT_MAX];
	char why[TEXT_MAX];	/* of the first question that failed */
};

struct resolve {
	struct loop *loop;
	const struct config *config;
	const struct self_addresses *own;
	struct self *self;
	struct dns_cache *cache;
	struct lookup *lookup;
	struct lookup_options options;
	bool ipv6;
	struct list_node jobs;
	resolve_fn fn;
	void *arg;
	struct resolve_stats stats;
};

static struct slice
job_name(const struct job *j)
{
	return slice_make(j->name, j->name_len);
}

static void
job_free(struct job *j)
{
	dns_cache_leave(&j->mx_wait);
	for (size_t i = 0; i < j->n_waits; i++) {
		dns_cache_leave(&j->waits[i].wait);
	}
	list_remove(&j->link);
	j->resolve->stats.jobs--;
	free(j->waits);
	free(j->hosts);
	free(j);
}

static void
job_end(struct job *j, enum resolve_status status, uint32_t ttl,
    struct slice text, size_t n_hosts)
{
	struct resolve_result res = { status, ttl, text, j->hosts, n_hosts };
	struct resolve *r = j->resolve;

	if (j->owner != NULL) {
		r->fn(r->arg, j->owner, j->query, &res);
	}
	job_free(j);
}

static void EC_PRINTF(4, 5)
job_say(struct job *j, enum resolve_status status, uint32_t ttl,
    const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	job_end(j, status, ttl, slice_of(text), 0);
}

/* --- ourselves -------------------------------------------------------- */

static bool
is_self(void *arg, const struct mx_host *h)
{
	const struct job *j = arg;
	const struct resolve *r = j->resolve;
	struct config_where w = { .domain = job_name(j) };
	/* A binding may send to another port; which one is not known here. */
	uint16_t port = (uint16_t)config_int(r->config, &w,
	    OPT_REMOTE_SMTP_PORT);

	if (self_is_name(r->self, slice_make(h->name, h->name_len))) {
		return true;
	}
	for (size_t i = 0; i < h->n_addresses; i++) {
		if (self_is_address(r->self, h->address[i], port)) {
			return true;
		}
	}
	return false;
}

/* --- the parts come in ------------------------------------------------ */

static void
say_none(struct job *j)
{
	struct slice name = job_name(j);

	if (j->no_name) {
		job_say(j, RESOLVE_NO_NAME, j->ttl,
		    "%.*s does not exist (NXDOMAIN)", SLICE_ARG(name));
	} else if (j->kind == RESOLVE_HOST) {
		job_say(j, RESOLVE_NO_DATA, j->ttl,
		    "%.*s has no address", SLICE_ARG(name));
	} else if (j->implicit) {
		job_say(j, RESOLVE_NO_DATA, j->ttl,
		    "%.*s has neither MX nor address records",
		    SLICE_ARG(name));
	} else {
		job_say(j, RESOLVE_NO_DATA, j->ttl,
		    "no mail exchanger of %.*s has an address",
		    SLICE_ARG(name));
	}
}

static void
finish(struct job *j)
{
	enum mx_verdict verdict = MX_NONE;
	size_t n = mx_finish(j->hosts, j->n_hosts,
	    j->kind == RESOLVE_MX ? is_self : NULL, j, &verdict);

	switch (verdict) {
	case MX_USABLE:
		job_end(j, RESOLVE_OK, j->ttl, SLICE(""), n);
		return;
	case MX_LOOP:
		job_say(j, RESOLVE_LOOP, j->ttl, "mail for %.*s would come "
		    "back to this server: it is the best mail exchanger left",
		    SLICE_ARG(job_name(j)));
		return;
	case MX_LOST:
		job_end(j, RESOLVE_TEMPORARY, j->ttl, slice_of(j->why), 0);
		return;
	case MX_NONE:
	case MX_VERDICTS:
		break;
	}
	say_none(j);
}

static void
take_address(struct job *j, size_t host, const struct dns_answer *a)
{
	if (a->status == DNS_ANSWER_FAILED && j->why[0] == '\0') {
		slice_copy(j->why, sizeof j->why, a->why);
	}
	if (a->status == DNS_ANSWER_NO_NAME && j->implicit) {
		j->no_name = true;
	}
	mx_add_addresses(&j->hosts[host], a);
	j->ttl = EC_MIN(j->ttl, a->ttl);
	if (--j->open == 0) {
		finish(j);
	}
}

static void
on_address(struct dns_wait *w, const struct dns_answer *a)
{
	struct address_wait *aw = container_of(w, struct address_wait, wait);

	take_address(aw->job, aw->host, a);
}

static const struct dns_answer too_many = {
	.status = DNS_ANSWER_FAILED, .ttl = DNS_CACHE_FAILURE_TTL,
	.why = { "too many DNS questions under way", 32 },
};

/* From the cache, or later; false: later. */
static bool
need(struct resolve *r, struct slice name, uint16_t type, struct dns_wait *w,
    struct dns_answer *out)
{
	switch (dns_cache_find(r->cache, name, type, loop_now_us(r->loop), w,
	    out)) {
	case DNS_CACHE_HIT:
		return true;
	case DNS_CACHE_FULL:
		*out = too_many;
		return true;
	case DNS_CACHE_ASK:
		lookup_ask(r->lookup, name, type);
		return false;
	case DNS_CACHE_WAIT:
		break;
	}
	return false;
}

/* The addresses of all hosts. */
static void
ask_addresses(struct job *j)
{
	static const uint16_t types[] = { DNS_MSG_A, DNS_MSG_AAAA };
	struct resolve *r = j->resolve;
	size_t n_types = r->ipv6 ? 2 : 1;

	j->n_waits = j->n_hosts * n_types;
	j->waits = xcalloc(j->n_waits, sizeof j->waits[0]);
	for (size_t i = 0; i < j->n_waits; i++) {
		struct address_wait *w = &j->waits[i];

		w->job = j;
		w->host = i / n_types;
		w->wait.fn = on_address;
		list_init(&w->wait.link);
	}
	/* One more, so that the last hit does not finish inside the loop. */
	j->open = j->n_waits + 1;
	for (size_t i = 0; i < j->n_waits; i++) {
		const struct mx_host *h = &j->hosts[i / n_types];
		struct dns_answer a;

		if (need(r, slice_make(h->name, h->name_len),
		    types[i % n_types], &j->waits[i].wait, &a)) {
			take_address(j, i / n_types, &a);
		}
	}
	if (--j->open == 0) {
		finish(j);
	}
}

static void
ask_implicit(struct job *j)
{
	j->hosts = xcalloc(1, sizeof j->hosts[0]);
	j->n_hosts = 1;
	j->implicit = true;
	mx_implicit(&j->hosts[0], job_name(j));
	ask_addresses(j);
}

static void
take_mx(struct job *j, const struct dns_answer *a)
{
	struct slice name = job_name(j);
	bool null_mx = false;

	j->ttl = EC_MIN(j->ttl, a->ttl);
	switch (a->status) {
	case DNS_ANSWER_DATA:
		j->hosts = xcalloc(MX_HOSTS_MAX, sizeof j->hosts[0]);
		j->n_hosts = mx_pick(a, j->hosts, MX_HOSTS_MAX, &null_mx);
		if (null_mx) {
			job_say(j, RESOLVE_NULL_MX, j->ttl,
			    "%.*s takes no mail (null MX)", SLICE_ARG(name));
		} else if (j->n_hosts == 0) {
			/* RFC 5321 5.1: not the domain's own address then. */
			job_say(j, RESOLVE_NO_DATA, j->ttl,
			    "no MX record of %.*s names a usable host",
			    SLICE_ARG(name));
		} else {
			/* Most domains have two hosts, and a job may wait for
			 * seconds beside thousands of others. */
			j->hosts = xrealloc(j->hosts,
			    j->n_hosts * sizeof j->hosts[0]);
			ask_addresses(j);
		}
		return;
	case DNS_ANSWER_NO_NAME:
		j->no_name = true;
		say_none(j);
		return;
	case DNS_ANSWER_NO_DATA:
		ask_implicit(j);
		return;
	case DNS_ANSWER_FAILED:
	case DNS_ANSWER_STATUSES:
		break;
	}
	job_end(j, RESOLVE_TEMPORARY, j->ttl, a->why, 0);
}

static void
on_mx(struct dns_wait *w, const struct dns_answer *a)
{
	take_mx(container_of(w, struct job, mx_wait), a);
}

/* --- asking ----------------------------------------------------------- */

static struct job *
job_create(struct resolve *r, enum resolve_kind kind, struct slice name,
    void *owner, uint32_t query)
{
	struct job *j = xcalloc(1, sizeof *j);

	j->resolve = r;
	j->kind = kind;
	j->owner = owner;
	j->query = query;
	j->ttl = LITERAL_TTL * 7;
	j->name_len = (uint8_t)EC_MIN(name.len, (size_t)DNS_NAME_TEXT_MAX - 1);
	memcpy(j->name, name.ptr, j->name_len);
	bytes_lower(j->name, j->name_len);
	j->mx_wait.fn = on_mx;
	list_init(&j->mx_wait.link);
	list_push_back(&r->jobs, &j->link);
	r->stats.jobs++;
	return j;
}

/* "1.2.3.4", "[1.2.3.4]", "[IPv6:2001:db8::1]", "localhost". */
static bool
literal_read(struct slice name, uint8_t out[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_storage ss;

	if (slice_eq_nocase(name, SLICE("localhost"))) {
		name = SLICE("127.0.0.1");
	}
	if (name.len > 2 && name.ptr[0] == '[' &&
	    name.ptr[name.len - 1] == ']') {
		name = slice_make(name.ptr + 1, name.len - 2);
		if (slice_starts_nocase(name, SLICE("IPv6:"))) {
			name = slice_skip(name, 5);
		}
	}
	if (!addr_parse_ip(name, &ss)) {
		return false;
	}
	if (ss.ss_family == AF_INET6) {
		memcpy(out, &((struct sockaddr_in6 *)&ss)->sin6_addr, 16);
	} else {
		memcpy(out, mapped, 12);
		memcpy(out + 12, &((struct sockaddr_in *)&ss)->sin_addr, 4);
	}
	return true;
}

static void
answer_literal(struct job *j, const uint8_t address[16])
{
	j->hosts = xcalloc(1, sizeof j->hosts[0]);
	j->n_hosts = 1;
	j->ttl = LITERAL_TTL;
	mx_implicit(&j->hosts[0], job_name(j));
	memcpy(j->hosts[0].address[0], address, 16);
	j->hosts[0].n_addresses = 1;
	finish(j);
}

static void
answer_bad_name(struct resolve *r, void *owner, uint32_t query,
    const char *text)
{
	struct resolve_result res = { RESOLVE_NO_NAME, LITERAL_TTL,
		slice_of(text), NULL, 0 };

	r->fn(r->arg, owner, query, &res);
}

void
resolve_ask(struct resolve *r, enum resolve_kind kind, struct slice name,
    void *owner, uint32_t query)
{
	uint8_t address[16];
	struct dns_answer a;
	struct job *j;

	r->stats.questions++;
	if (literal_read(name, address)) {
		answer_literal(job_create(r, kind, name, owner, query),
		    address);
		return;
	}
	if (!dns_msg_is_host(name)) {
		answer_bad_name(r, owner, query, "not a domain name: only "
		    "letters, digits, '-', '_' and dots, labels up to 63 and "
		    "253 characters in all");
		return;
	}
	if (name.ptr[name.len - 1] == '.') {
		name.len--;
	}
	j = job_create(r, kind, name, owner, query);
	if (r->stats.jobs > RESOLVE_JOBS_MAX) {
		job_end(j, RESOLVE_TEMPORARY, DNS_CACHE_FAILURE_TTL,
		    too_many.why, 0);
	} else if (kind == RESOLVE_HOST) {
		ask_implicit(j);
	} else if (need(r, job_name(j), DNS_MSG_MX, &j->mx_wait, &a)) {
		take_mx(j, &a);
	}
}

static void
on_lookup(void *arg, struct slice name, uint16_t type,
    const struct dns_answer *a)
{
	struct resolve *r = arg;

	dns_cache_put(r->cache, name, type, loop_now_us(r->loop), a);
}

unsigned
resolve_forget(struct resolve *r, const void *owner)
{
	unsigned n_forgotten = 0;

	list_each(n, tmp, &r->jobs) {
		struct job *j = list_entry(n, struct job, link);

		if (j->owner == owner) {
			j->owner = NULL;
			n_forgotten++;
		}
	}
	return n_forgotten;
}

static void
limits_read(const struct config *cfg, struct dns_cache_limits *out)
{
	*out = (struct dns_cache_limits){ CACHE_ENTRIES, CACHE_BYTES,
		CACHE_PENDING, 0, 0 };
	out->min_ttl = (uint32_t)config_int(cfg, NULL, OPT_MIN_DNS_TTL);
	out->max_ttl = (uint32_t)config_int(cfg, NULL, OPT_MAX_DNS_TTL);
}

void
resolve_configure(struct resolve *r, const struct config *cfg,
    const struct lookup_options *o)
{
	struct dns_cache_limits limits;

	r->config = cfg;
	r->ipv6 = config_bool(cfg, NULL, OPT_USE_IPV6);
	limits_read(cfg, &limits);
	dns_cache_set_limits(r->cache, &limits);
	self_destroy(&r->self);
	r->self = self_create(cfg, r->own);
	if (r->lookup == NULL || !servers_same(&r->options, o)) {
		/* The old servers answer what they were asked. */
		lookup_retire(&r->lookup);
		r->lookup = lookup_create(r->loop, o, on_lookup, r);
		r->options = *o;
	}
}

struct resolve *
resolve_create(struct loop *l, const struct config *cfg,
    const struct self_addresses *own, const struct lookup_options *o,
    resolve_fn fn, void *arg)
{
	struct resolve *r = xcalloc(1, sizeof *r);
	struct dns_cache_limits limits;
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
		panic("no random bytes: %s", strerror(errno));
	}
	r->loop = l;
	r->own = own;
	r->fn = fn;
	r->arg = arg;
	list_init(&r->jobs);
	limits_read(cfg, &limits);
	r->cache = dns_cache_create(&limits, seed);
	resolve_configure(r, cfg, o);
	return r;
}

void
resolve_destroy(struct resolve **rp)
{
	struct resolve *r = *rp;
	struct list_node *n;

	*rp = NULL;
	if (r == NULL) {
		return;
	}
	while ((n = list_first(&r->jobs)) != NULL) {
		job_free(list_entry(n, struct job, link));
	}
	lookup_destroy(&r->lookup);
	dns_cache_destroy(&r->cache);
	self_destroy(&r->self);
	free(r);
}

void
resolve_tick(struct resolve *r)
{
	dns_cache_expire(r->cache, loop_now_us(r->loop), EXPIRE_BUDGET);
}

struct dns_cache *
resolve_cache(struct resolve *r)
{
	return r->cache;
}

const struct lookup *
resolve_lookup(const struct resolve *r)
{
	return r->lookup;
}

void
resolve_stats(const struct resolve *r, struct resolve_stats *out)
{
	*out = r->stats;
}
