/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "dns_cache lookup NAME", "dns_cache stats", "dns_cache purge NAME" (or "*").
 * Names and sentences in the cache hold only characters that JSON takes as
 * they are (dns_msg sees to it); what the operator typed is checked here.
 */
#include "resolver/resolver.h"

static void
put_address(struct buf *out, const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(a, mapped, 12) == 0) {
		buf_printf(out, "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
		return;
	}
	for (int i = 0; i < 16; i += 2) {
		buf_printf(out, "%s%x", i > 0 ? ":" : "",
		    (unsigned)a[i] << 8 | a[i + 1]);
	}
}

static const char *
status_text(enum dns_answer_status s)
{
	switch (s) {
	case DNS_ANSWER_DATA:
		return "data";
	case DNS_ANSWER_NO_NAME:
		return "no_name";
	case DNS_ANSWER_NO_DATA:
		return "no_data";
	case DNS_ANSWER_FAILED:
	case DNS_ANSWER_STATUSES:
		break;
	}
	return "failed";
}

static void
put_entry(struct buf *out, struct slice name, const struct dns_answer *a)
{
	struct wire_r r = wire_reader(a->data);
	struct dns_record rec;
	const char *comma = "";

	buf_printf(out, "{\"name\":\"%.*s\",\"type\":\"%s\",\"status\":\"%s\","
	    "\"ttl\":%u,\"records\":[", SLICE_ARG(name),
	    dns_msg_type_text(a->type), status_text(a->status), a->ttl);
	while (dns_record_next(a->type, &r, &rec)) {
		buf_printf(out, "%s\"", comma);
		if (a->type == DNS_MSG_MX) {
			buf_printf(out, "%u %.*s", rec.preference,
			    SLICE_ARG(rec.name));
		} else {
			put_address(out, rec.addr);
		}
		buf_putc(out, '"');
		comma = ",";
	}
	buf_printf(out, "]");
	if (a->why.len > 0) {
		buf_printf(out, ",\"why\":\"%.*s\"", SLICE_ARG(a->why));
	}
	buf_puts(out, "}\n");
}

static void
ask_lookup(struct resolve *r, struct slice name, uint64_t now_us,
    struct buf *out)
{
	static const uint16_t types[] = { DNS_MSG_MX, DNS_MSG_A, DNS_MSG_AAAA };
	struct dns_answer a;
	unsigned kept = 0;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (dns_cache_peek(resolve_cache(r), name, types[i], now_us,
		    &a)) {
			put_entry(out, name, &a);
			kept++;
		}
	}
	buf_printf(out, "{\"name\":\"%.*s\",\"kept\":%u}\n", SLICE_ARG(name),
	    kept);
}

static void
ask_stats(struct resolve *r, struct buf *out)
{
	struct dns_cache_stats c;
	struct lookup_stats l;
	struct slice text;
	unsigned in_flight;
	bool dead;

	dns_cache_stats(resolve_cache(r), &c);
	lookup_stats(resolve_lookup(r), &l);
	buf_printf(out, "{\"entries\":%llu,\"bytes\":%llu,\"pending\":%llu,"
	    "\"hits\":%llu,\"misses\":%llu,\"evicted\":%llu,\"sent\":%llu,"
	    "\"timeouts\":%llu,\"over_tcp\":%llu,\"failures\":%llu,"
	    "\"malformed\":%llu,\"servers\":[",
	    (unsigned long long)c.entries, (unsigned long long)c.bytes,
	    (unsigned long long)c.pending, (unsigned long long)c.hits,
	    (unsigned long long)c.misses, (unsigned long long)c.evicted,
	    (unsigned long long)l.sent, (unsigned long long)l.timeouts,
	    (unsigned long long)l.tcp, (unsigned long long)l.failures,
	    (unsigned long long)l.malformed);
	for (unsigned i = 0; lookup_server(resolve_lookup(r), i, &text, &dead,
	    &in_flight); i++) {
		buf_printf(out, "%s{\"address\":\"%.*s\",\"dead\":%s,"
		    "\"in_flight\":%u}", i > 0 ? "," : "", SLICE_ARG(text),
		    dead ? "true" : "false", in_flight);
	}
	buf_puts(out, "]}\n");
}

void
cache_ask(struct resolve *r, struct slice argument, uint64_t now_us,
    struct buf *out)
{
	struct slice rest = slice_trim(argument);
	struct slice verb = slice_cut(&rest, ' ');
	char name[DNS_NAME_TEXT_MAX] = "";
	bool is_name;

	rest = slice_trim(rest);
	is_name = dns_msg_is_host(rest) && slice_copy(name, sizeof name, rest);
	bytes_lower(name, strlen(name));
	if (slice_eq(verb, SLICE("stats"))) {
		ask_stats(r, out);
	} else if (slice_eq(verb, SLICE("lookup")) && is_name) {
		ask_lookup(r, slice_of(name), now_us, out);
	} else if (slice_eq(verb, SLICE("purge")) && is_name) {
		buf_printf(out, "{\"purged\":%u}\n",
		    dns_cache_purge(resolve_cache(r), slice_of(name)));
	} else if (slice_eq(verb, SLICE("purge")) &&
	    slice_eq(rest, SLICE("*"))) {
		buf_printf(out, "{\"purged\":%u}\n",
		    dns_cache_purge(resolve_cache(r), SLICE("")));
	} else {
		buf_puts(out, "{\"error\":\"dns_cache lookup NAME | stats | "
		    "purge NAME | purge *\"}\n");
	}
}
