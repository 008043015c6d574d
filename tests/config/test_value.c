/* SPDX-License-Identifier: Apache-2.0 */
/* Values by type, and the table itself. */
#include "tests/config/support.h"

#include "common/base/log.h"
#include "common/base/scratch.h"
#include "common/config/domain_match.h"
#include "common/config/value.h"

#include <netinet/in.h>

#define S 1000000

struct number_case {
	enum option_id id;
	const char *text;
	int64_t want;		/* -99: refused */
};

static const struct number_case numbers[] = {
	{ OPT_RETRY_INTERVAL, "0", 0 },
	{ OPT_RETRY_INTERVAL, "1200", 1200 * (int64_t)S },
	{ OPT_RETRY_INTERVAL, "0.2", S / 5 },
	{ OPT_RETRY_INTERVAL, "0.000001", 1 },
	{ OPT_RETRY_INTERVAL, "0.0000001", -99 },
	{ OPT_RETRY_INTERVAL, "5m", 300 * (int64_t)S },
	{ OPT_RETRY_INTERVAL, "1.5h", 5400 * (int64_t)S },
	{ OPT_RETRY_INTERVAL, "4 hours", 14400 * (int64_t)S },
	{ OPT_RETRY_INTERVAL, "2 D", 172800 * (int64_t)S },
	{ OPT_RETRY_INTERVAL, "20ms", 20000 },
	{ OPT_RETRY_INTERVAL, "-1", -99 },
	{ OPT_RETRY_INTERVAL, "", -99 },
	{ OPT_RETRY_INTERVAL, ".5", -99 },
	{ OPT_RETRY_INTERVAL, "5.", -99 },
	{ OPT_RETRY_INTERVAL, "5 m x", -99 },
	{ OPT_RETRY_INTERVAL, "99999999999999999999", -99 },
	{ OPT_RETRY_INTERVAL, "2305843009213693951", -99 },
	{ OPT_DELIVERY_RESPONSE_TIMEOUT, "5000", 5 * S },
	{ OPT_DELIVERY_RESPONSE_TIMEOUT, "5s", 5 * S },
	{ OPT_MAX_MESSAGE_SIZE, "10", 10 },
	{ OPT_MAX_MESSAGE_SIZE, "10K", 10240 },
	{ OPT_MAX_MESSAGE_SIZE, "10 MB", 10 << 20 },
	{ OPT_MAX_MESSAGE_SIZE, "1.5g", INT64_C(3) << 29 },
	{ OPT_MAX_MESSAGE_SIZE, "1x", -99 },
	{ OPT_MAX_MESSAGE_SIZE, "9000000T", -99 },
	{ OPT_ARENA_SIZE, "1048575", -99 },
	{ OPT_ARENA_SIZE, "1M", 1 << 20 },
	{ OPT_JOURNAL_SIZE, "1T", INT64_C(1) << 40 },
	{ OPT_JOURNAL_SIZE, "1099511627777", -99 },
	{ OPT_MAX_RETRIES, "auto", -1 },
	{ OPT_MAX_RETRIES, "None", -2 },
	{ OPT_MAX_RETRIES, "7", 7 },
	{ OPT_MAX_RETRIES, "1000001", -99 },
	{ OPT_LISTENERS, "AUTO", 0 },
	{ OPT_LISTENERS, "0", -99 },
	{ OPT_MAX_OUTBOUND_CONNECTIONS, "-1", -1 },
	{ OPT_MAX_OUTBOUND_CONNECTIONS, "--1", -99 },
	{ OPT_MAX_OUTBOUND_CONNECTIONS, "+1", -99 },
	{ OPT_SPOOL_MODE, "0640", 0640 },
	{ OPT_SPOOL_MODE, "640", 0640 },
	{ OPT_SPOOL_MODE, "7777", 07777 },
	{ OPT_SPOOL_MODE, "10000", -99 },
	{ OPT_SPOOL_MODE, "8", -99 },
	{ OPT_SPOOL_MODE, "", -99 },
	{ OPT_MEMORY_GOAL, "90", 90 },
	{ OPT_MEMORY_GOAL, "90 %", 90 },
	{ OPT_MEMORY_GOAL, "%", -99 },
	{ OPT_MEMORY_GOAL, "0", -99 },
	{ OPT_OPEN_RELAY, "On", 1 }, { OPT_OPEN_RELAY, "enabled", 1 },
	{ OPT_OPEN_RELAY, "TRUE", 1 }, { OPT_OPEN_RELAY, "1", 1 },
	{ OPT_OPEN_RELAY, "off", 0 }, { OPT_OPEN_RELAY, "disabled", 0 },
	{ OPT_OPEN_RELAY, "false", 0 }, { OPT_OPEN_RELAY, "0", 0 },
	{ OPT_OPEN_RELAY, "2", -99 }, { OPT_OPEN_RELAY, "", -99 },
	{ OPT_SPOOL_ENGINE, "journal", 0 }, { OPT_SPOOL_ENGINE, "HASHED", 1 },
	{ OPT_SPOOL_ENGINE, "passthrough", 3 }, { OPT_SPOOL_ENGINE, "x", -99 },
	{ OPT_LOG_LEVEL, "notice", 2 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "100", 100 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "100/60", 100 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "100/minute", 100 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "0", 0 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "-1", -99 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "1/", -99 },
	{ OPT_OUTBOUND_THROTTLE_MESSAGES, "/5", -99 },
	{ OPT_BIND_ADDRESS, "::1", 0 }, { OPT_BIND_ADDRESS, "1.2.3", -99 },
	{ OPT_GATEWAY, "mx.example.com:26", 0 }, { OPT_GATEWAY, "", -99 },
	{ OPT_GATEWAY, "a:99999", -99 }, { OPT_GATEWAY, "[::1", -99 },
	{ OPT_GATEWAY, "a b", -99 }, { OPT_GATEWAY, "[::1]:25", 0 },
};

START_TEST(number_values)
{
	struct scratch mem;

	scratch_init(&mem, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct number_case *c = &numbers[i];
		struct raw_value raw = { .kind = RAW_TEXT,
			.text = slice_of(c->text) };
		struct config_value v;
		char need[256];
		bool ok = value_check(option_row(c->id), &raw, &mem, &v, need,
		    sizeof need);

		ck_assert_msg(ok == (c->want != -99), "%s", c->text);
		ck_assert_msg(!ok || v.num == c->want, "%s gives %lld",
		    c->text, (long long)v.num);
		ck_assert(ok || strstr(need, "needed") != NULL);
	}
	scratch_fini(&mem);
}
END_TEST

START_TEST(typed_access)
{
	struct config *cfg = parse_ok("Outbound_Throttle_Messages = \"9/60\"\n"
	    "Relay_Hosts = ( 127.0.0.1 \"10.0.0.0/8\" )\nRoutes = ( a b )\n"
	    "DKIM = [ a = b c = d ]\nTLS = required\nGateway = \"g:1\"\n"
	    "Max_Message_Size = 1K\n");
	const struct config_pair *pairs;
	const struct slice *items;
	struct config_rate rate;
	struct cidr_list nets;
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x0a010203) };
	struct buf b;

	ck_assert(config_rate(cfg, NULL, OPT_OUTBOUND_THROTTLE_MESSAGES,
	    &rate));
	ck_assert_uint_eq(rate.count, 9);
	ck_assert_uint_eq(rate.window_us, 60000000);
	ck_assert(!config_rate(cfg, NULL, OPT_OUTBOUND_THROTTLE_CONNECTIONS,
	    &rate));
	nets = config_cidrs(cfg, NULL, OPT_RELAY_HOSTS);
	ck_assert_uint_eq(nets.n, 2);
	ck_assert(cidr_list_has(nets, (struct sockaddr *)&in));
	nets = config_cidrs(cfg, NULL, OPT_PROHIBITED_HOSTS);
	ck_assert(!cidr_list_has(nets, (struct sockaddr *)&in));
	ck_assert_uint_eq(config_list(cfg, NULL, OPT_ROUTES, &items), 2);
	assert_slice(items[1], "b");
	ck_assert_int_eq(items[1].ptr[1], '\0');
	ck_assert_uint_eq(config_dict(cfg, NULL, OPT_DKIM, &pairs), 2);
	assert_slice(pairs[1].key, "c");
	assert_slice(pairs[1].value, "d");
	ck_assert_int_eq(config_int(cfg, NULL, OPT_TLS), 2);
	assert_slice(config_string(cfg, NULL, OPT_TLS), "required");
	assert_slice(config_string(cfg, NULL, OPT_GATEWAY), "g:1");
	ck_assert_uint_eq(config_size(cfg, NULL, OPT_MAX_MESSAGE_SIZE), 1024);
	buf_init(&b, 1000);
	ck_assert(config_text(cfg, NULL, OPT_ROUTES, &b));
	ck_assert(config_text(cfg, NULL, OPT_RETRY_INTERVAL, &b));
	ck_assert(!config_text(cfg, NULL, OPT_HOSTNAME, &b));
	assert_buf(&b, "( \"a\" \"b\" )1200");
	buf_fini(&b);
	config_destroy(&cfg);
}
END_TEST

/* The words of the header are those of the table. */
START_TEST(words)
{
	static const struct { enum option_id id; const char *text; int want; }
	    t[] = {
		{ OPT_MAX_RETRIES, "none", CONFIG_RETRIES_NONE },
		{ OPT_MAX_RETRIES, "auto", CONFIG_RETRIES_AUTO },
		{ OPT_LISTENERS, "auto", CONFIG_AUTO },
		{ OPT_DELIVERERS, "auto", CONFIG_AUTO },
		{ OPT_SPOOL_ENGINE, "journal", CONFIG_SPOOL_JOURNAL },
		{ OPT_SPOOL_ENGINE, "hashed", CONFIG_SPOOL_HASHED },
		{ OPT_SPOOL_ENGINE, "memory", CONFIG_SPOOL_MEMORY },
		{ OPT_SPOOL_ENGINE, "passthrough", CONFIG_SPOOL_PASSTHROUGH },
		{ OPT_RFC2822_LONE_LF_IN_BODY, "pedantic",
		    CONFIG_LONE_LF_REJECT },
		{ OPT_RFC2822_LONE_LF_IN_BODY, "fix", CONFIG_LONE_LF_FIX },
		{ OPT_RFC2822_LONE_LF_IN_HEADERS, "reject",
		    CONFIG_LONE_LF_REJECT },
		{ OPT_RFC2822_LONE_LF_IN_HEADERS, "ignore",
		    CONFIG_LONE_LF_IGNORE },
		{ OPT_RFC2822_MAX_LINE_LENGTH_POLICY, "none",
		    CONFIG_LONG_LINE_NONE },
		{ OPT_RFC2822_MAX_LINE_LENGTH_POLICY, "reject",
		    CONFIG_LONG_LINE_REJECT },
		{ OPT_BOUNCES_INLINE_ORIGINAL, "headers",
		    CONFIG_ORIGINAL_HEADERS },
		{ OPT_BOUNCES_INLINE_ORIGINAL, "full", CONFIG_ORIGINAL_FULL },
		{ OPT_BOUNCES_INLINE_ORIGINAL, "none", CONFIG_ORIGINAL_NONE },
		{ OPT_LOG_LEVEL, "debug", EC_DEBUG },
		{ OPT_LOG_LEVEL, "info", EC_INFO },
		{ OPT_LOG_LEVEL, "notice", EC_NOTICE },
		{ OPT_LOG_LEVEL, "warning", EC_WARNING },
		{ OPT_LOG_LEVEL, "error", EC_ERROR },
		{ OPT_LOG_LEVEL, "critical", EC_CRITICAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char text[128];
		struct config *cfg;

		snprintf(text, sizeof text, "%s = %s", option_row(t[i].id)->name,
		    t[i].text);
		cfg = parse_ok(text);
		ck_assert_int_eq(config_int(cfg, NULL, t[i].id), t[i].want);
		config_destroy(&cfg);
	}
}
END_TEST

START_TEST(defaults)
{
	struct config *cfg = parse_ok("");

	ck_assert_uint_eq(config_us(cfg, NULL, OPT_SETTLE_AFTER), 30 * S);
	ck_assert_uint_eq(config_us(cfg, NULL, OPT_IDLE_TIME), 300 * S);
	ck_assert_uint_eq(config_us(cfg, NULL, OPT_MESSAGE_EXPIRATION),
	    UINT64_C(604800) * S);
	ck_assert_uint_eq(config_size(cfg, NULL, OPT_JOURNAL_SIZE), 1u << 30);
	ck_assert_uint_eq(config_size(cfg, NULL, OPT_ARENA_SIZE), 256u << 20);
	ck_assert_int_eq(config_int(cfg, NULL, OPT_LISTENERS), 0);
	ck_assert_int_eq(config_int(cfg, NULL, OPT_SPOOL_MODE), 0640);
	assert_slice(config_string(cfg, NULL, OPT_SPOOLBASE), EC_SPOOLDIR);
	assert_slice(config_string(cfg, NULL, OPT_PIDFILE), EC_PIDFILE);
	assert_slice(config_string(cfg, NULL, OPT_CONTROL_SOCKET),
	    EC_CTLSOCKET);
	assert_slice(config_string(cfg, NULL, OPT_BINDING_HEADER),
	    "X-Binding");
	assert_slice(config_string(cfg, NULL, OPT_GATEWAY), "");
	ck_assert(config_bool(cfg, NULL, OPT_GENERATE_BOUNCES));
	config_destroy(&cfg);
}
END_TEST

/* Properties that the columns of every row must have. */
START_TEST(table)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *a = option_row((enum option_id)i);

		ck_assert_msg(a->scopes != 0, "%s", a->name);
		ck_assert_msg(a->doc[0] && a->doc[strlen(a->doc) - 1] == '.',
		    "%s", a->name);
		ck_assert_msg(a->type != OPTION_ENUM || a->words, "%s",
		    a->name);
		for (int j = i + 1; j < OPTION_COUNT; j++) {
			const struct option_row *b =
			    option_row((enum option_id)j);

			ck_assert_msg((a->scopes & b->scopes) == 0 ||
			    !slice_eq_nocase(slice_of(a->name),
			    slice_of(b->name)), "%s twice", a->name);
		}
		for (int k = 0; k < SCOPE_COUNT; k++) {
			ck_assert((a->scopes & SCOPE_BIT(k)) == 0 ||
			    option_find(slice_of(a->name),
			    (enum scope_kind)k) == i);
		}
	}
}
END_TEST

START_TEST(domains)
{
	static const struct { const char *pattern, *domain; bool want; } t[] = {
		{ "example.com", "EXAMPLE.com", true },
		{ "example.com", "example.com.", true },
		{ "example.com", "a.example.com", false },
		{ "*.example.com", "a.example.com", true },
		{ "*.example.com", "a.b.Example.com", true },
		{ "*.example.com", "example.com", false },
		{ "*.example.com", ".example.com", false },
		{ "*.example.com", "notexample.com", false },
		{ "example.com", "", false },
	};
	static const struct { const char *pattern; bool want; } valid[] = {
		{ "a", true }, { "a.b", true }, { "a.b.", true },
		{ "*.a", true }, { "", false }, { ".", false },
		{ "*.", false }, { "*", false }, { "a..b", false },
		{ ".a", false }, { "a.*.b", false }, { "a b", false },
		{ "a_b.c-d", true }, { "a@b", false },
	};
	struct slice two[] = { SLICE("a.com"), SLICE("*.b.com") };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		ck_assert_msg(domain_match(slice_of(t[i].pattern),
		    slice_of(t[i].domain)) == t[i].want, "%s %s",
		    t[i].pattern, t[i].domain);
	}
	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		ck_assert_msg(domain_pattern_is_valid(slice_of(
		    valid[i].pattern)) == valid[i].want, "%s",
		    valid[i].pattern);
	}
	ck_assert(domain_match_any(two, 2, SLICE("x.b.com")));
	ck_assert(!domain_match_any(two, 2, SLICE("b.com")));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { number_values, typed_access, words,
		defaults,
		table, domains };

	return run_suite("value", tests, ARRAY_LEN(tests));
}
