/* SPDX-License-Identifier: Apache-2.0 */
/* Which scope's value holds: every subset of the levels, for both chains. */
#include "tests/config/support.h"

#include "common/base/addr.h"

#include <netinet/in.h>

/* Highest precedence first; "%s" takes the option of that level. */
static const char *const delivery_levels[] = {
	"Binding_Group g { Binding b { Domain d.com { %s } } }\n",
	"Binding b { Domain d.com { %s } }\n",
	"Binding_Group g { Domain d.com { %s } }\n",
	"Binding_Group g { Binding b { %s } }\n",
	"Binding b { %s }\n",
	"Binding_Group g { %s }\n",
	"Domain d.com { %s }\n",
	"%s\n",
};

static const char *const listener_levels[] = {
	"ESMTP_Listener { Listen \"127.0.0.1:25\" { Peer \"10.1.0.0/16\" "
	    "{ %s } } }\n",
	"ESMTP_Listener { Listen \"127.0.0.1:25\" { Peer \"10.0.0.0/8\" "
	    "{ %s } } }\n",
	"ESMTP_Listener { Listen \"127.0.0.1:25\" { %s } }\n",
	"ESMTP_Listener { Peer \"10.1.2.3\" { %s } }\n",
	"ESMTP_Listener { Peer \"0.0.0.0/0\" { %s } }\n",
	"ESMTP_Listener { %s }\n",
	"Pathway_Group pg { Pathway p { %s } }\n",
	"Pathway_Group pg { %s }\n",
	"%s\n",
};

/* A configuration with the option at each level of the bit set; its value is
 * the level plus one. */
static struct config *
make(const char *const *levels, size_t n, unsigned set, const char *option,
	const char *head)
{
	struct config *cfg;
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_puts(&b, head);
	for (size_t i = n; i-- > 0;) {
		const char *at = strstr(levels[i], "%s");

		buf_append(&b, levels[i], (size_t)(at - levels[i]));
		if (set & (1u << i)) {
			buf_printf(&b, "%s = %zu", option, i + 1);
		}
		buf_puts(&b, at + 2);
	}
	buf_putc(&b, '\0');
	cfg = parse_ok(b.ptr);
	buf_fini(&b);
	return cfg;
}

static uint64_t
expected(unsigned set, uint64_t without)
{
	return set ? (uint64_t)__builtin_ctz(set) + 1 : without;
}

START_TEST(delivery)
{
	struct config_where w = { .binding_group = SLICE("g"),
		.binding = SLICE("b"), .domain = SLICE("D.Com") };

	for (unsigned set = 0; set < 256; set++) {
		struct config *cfg = make(delivery_levels, 8, set,
		    "Max_Deliveries_Per_Connection", "");
		int64_t have = config_int(cfg, &w,
		    OPT_MAX_DELIVERIES_PER_CONNECTION);

		ck_assert_int_eq(have, (int64_t)expected(set, 0));
		ck_assert_int_eq(config_is_set(cfg, &w,
		    OPT_MAX_DELIVERIES_PER_CONNECTION), set != 0);
		ck_assert((config_owner(cfg, &w,
		    OPT_MAX_DELIVERIES_PER_CONNECTION) != NULL) == (set != 0));
		config_destroy(&cfg);
	}
}
END_TEST

/* Parts of the place that are not given take their levels away. */
START_TEST(delivery_parts)
{
	static const struct { struct config_where w; unsigned levels; } t[] = {
		{ { .domain = SLICE("d.com") }, 0xc0 },
		{ { .binding = SLICE("b") }, 0x90 },
		{ { .binding_group = SLICE("g") }, 0xa0 },
		{ { .binding_group = SLICE("g"), .binding = SLICE("b") },
		    0xb8 },
		{ { .binding = SLICE("b"), .domain = SLICE("d.com") }, 0xd2 },
		{ { .binding_group = SLICE("g"), .domain = SLICE("d.com") },
		    0xe4 },
		{ { .binding_group = SLICE("G"), .binding = SLICE("B"),
		    .domain = SLICE("sub.d.com") }, 0x80 },
		{ { .domain = SLICE("nowhere") }, 0x80 },
		{ { .binding = SLICE("") }, 0x80 },
	};

	for (unsigned set = 0; set < 256; set++) {
		struct config *cfg = make(delivery_levels, 8, set,
		    "Retry_Interval", "");

		for (size_t i = 0; i < ARRAY_LEN(t); i++) {
			ck_assert_uint_eq(config_us(cfg, &t[i].w,
			    OPT_RETRY_INTERVAL), 1000000u *
			    expected(set & t[i].levels, 1200));
		}
		config_destroy(&cfg);
	}
}
END_TEST

START_TEST(listener)
{
	struct sockaddr_storage peer;
	struct config_where w = { .peer = (struct sockaddr *)&peer };

	ck_assert(addr_parse(SLICE("10.1.2.3:999"), 0, &peer));
	for (unsigned set = 0; set < 512; set++) {
		struct config *cfg = make(listener_levels, 9, set,
		    "Idle_Time", "ESMTP_Listener { Pathway = p }\n");

		w.listener = config_first(cfg, NULL, SCOPE_ESMTP_LISTENER);
		w.listen = config_find(cfg, w.listener, SCOPE_LISTEN,
		    SLICE("127.0.0.1:25"));
		ck_assert_ptr_nonnull(w.listen);
		ck_assert_uint_eq(config_us(cfg, &w, OPT_IDLE_TIME),
		    1000000u * expected(set, 300));
		w.listener = NULL;	/* known from the Listen */
		ck_assert_uint_eq(config_us(cfg, &w, OPT_IDLE_TIME),
		    1000000u * expected(set, 300));
		w.listener = config_scope_parent(w.listen);
		w.listen = NULL;
		ck_assert_uint_eq(config_us(cfg, &w, OPT_IDLE_TIME),
		    1000000u * expected(set & 0x1f8, 300));
		config_destroy(&cfg);
	}
}
END_TEST

START_TEST(peers)
{
	struct config *cfg = parse_ok("ESMTP_Listener { Listen :25 {\n"
	    "Peer \"10.0.0.0/8\" { Idle_Time = 8 Listener_Sessions = 8 }\n"
	    "Peer \"10.1.0.0/16\" { Idle_Time = 16 }\n"
	    "Peer \"2001:db8::/32\" { Idle_Time = 32 }\n"
	    "Idle_Time = 1 } }");
	static const struct { const char *peer; uint64_t idle; int64_t n; }
	    t[] = {
		{ "10.0.0.1", 8, 8 }, { "10.1.0.1", 16, 8 },
		{ "::ffff:10.1.0.1", 16, 8 }, { "11.0.0.1", 1, 0 },
		{ "2001:db8::1", 32, 0 }, { "2001:db9::1", 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sockaddr_storage ss;
		struct config_where w = { .peer = (struct sockaddr *)&ss };

		w.listen = config_first(cfg, config_first(cfg, NULL,
		    SCOPE_ESMTP_LISTENER), SCOPE_LISTEN);
		ck_assert(addr_parse_ip(slice_of(t[i].peer), &ss));
		ck_assert_uint_eq(config_us(cfg, &w, OPT_IDLE_TIME),
		    t[i].idle * 1000000u);
		ck_assert_int_eq(config_int(cfg, &w, OPT_LISTENER_SESSIONS),
		    t[i].n);
		w.peer = NULL;
		ck_assert_uint_eq(config_us(cfg, &w, OPT_IDLE_TIME), 1000000u);
	}
	config_destroy(&cfg);
}
END_TEST

/* A top-level Pathway, and one that nobody defined. */
START_TEST(pathways)
{
	struct config *cfg = parse_ok("Pathway p { Open_Relay = true }\n"
	    "ESMTP_Listener { Listen :1 { Pathway = p } "
	    "Listen :2 { Pathway = q } }");
	struct config_where w = { 0 };
	const struct config_scope *l = config_first(cfg, NULL,
	    SCOPE_ESMTP_LISTENER);

	w.listen = config_find(cfg, l, SCOPE_LISTEN, SLICE(":1"));
	ck_assert(config_bool(cfg, &w, OPT_OPEN_RELAY));
	w.listen = config_find(cfg, l, SCOPE_LISTEN, SLICE(":2"));
	ck_assert(!config_bool(cfg, &w, OPT_OPEN_RELAY));
	config_destroy(&cfg);
}
END_TEST

START_TEST(scopes)
{
	struct config *cfg = parse_ok("Security { User = a }\n"
	    "ec_logger one { heartbeat = 1 }\nGateway = gw\n"
	    "ec_logger two { heartbeat = 2 mainlog = \"/m\" }");
	const struct config_scope *one = config_first(cfg, NULL,
	    SCOPE_EC_LOGGER);
	const struct config_scope *two = config_next(one);
	struct config_where w = { .scope = two };
	char text[128];

	assert_slice(config_string(cfg, NULL, OPT_USER), "a");
	assert_slice(config_string(cfg, NULL, OPT_GROUP), "ecuser");
	ck_assert_uint_eq(config_us(cfg, NULL, OPT_HEARTBEAT), 1000000);
	ck_assert_uint_eq(config_us(cfg, NULL, OPT_BOUNCE_HEARTBEAT), 60000000);
	ck_assert_uint_eq(config_us(cfg, &w, OPT_HEARTBEAT), 2000000);
	assert_slice(config_string(cfg, &w, OPT_MAINLOG), "/m");
	w.scope = one;
	assert_slice(config_string(cfg, &w, OPT_MAINLOG),
	    EC_LOGDIR "/mainlog.ec");
	ck_assert_ptr_null(config_next(two));
	assert_slice(config_scope_name(two), "two");
	ck_assert_int_eq(config_scope_kind(two), SCOPE_EC_LOGGER);
	config_scope_text(two, text, sizeof text);
	ck_assert_str_eq(text, "ec_logger \"two\"");
	config_scope_origin(cfg, two, text, sizeof text);
	ck_assert_str_eq(text, "t:4");
	config_origin(cfg, NULL, OPT_GATEWAY, text, sizeof text);
	ck_assert_str_eq(text, "t:3");
	config_origin(cfg, NULL, OPT_HOSTNAME, text, sizeof text);
	ck_assert_str_eq(text, "default");
	ck_assert_ptr_null(config_find(cfg, NULL, SCOPE_EC_LOGGER,
	    SLICE("three")));
	ck_assert_ptr_null(config_first(cfg, NULL, SCOPE_ESMTP_LISTENER));
	config_destroy(&cfg);
	ck_assert_ptr_null(cfg);
}
END_TEST

START_TEST(restart)
{
	static const struct { const char *a, *b, *want; } t[] = {
		{ "", "", "" },
		{ "Gateway = a", "Gateway = b", "" },
		{ "SpoolBase = \"/a\"", "", "SpoolBase: restart needed\n" },
		{ "", "Listeners = 2 Deliverers = auto",
		    "Listeners: restart needed\n" },
		{ "Spool_Mode = 0640", "", "" },
		{ "Security { User = a }", "",
		    "User in Security: restart needed\n" },
		{ "", "Security { Group = b }",
		    "Group in Security: restart needed\n" },
		{ "ESMTP_Listener { Listen :1 { Listen_Backlog = 2 } }",
		    "ESMTP_Listener { Listen :1 { Listen_Backlog = 3 } }",
		    "Listen_Backlog in ESMTP_Listener.Listen \":1\": restart "
		    "needed\n" },
		{ "ESMTP_Listener { Listen :1 { } }",
		    "ESMTP_Listener { Listen :2 { } }", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct config *a = parse_ok(t[i].a), *b = parse_ok(t[i].b);
		struct buf names;

		buf_init(&names, 4096);
		ck_assert_uint_eq(config_diff_restart(a, b, &names),
		    t[i].want[0] != '\0');
		assert_buf(&names, t[i].want);
		buf_fini(&names);
		config_destroy(&a);
		config_destroy(&b);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { delivery, delivery_parts, listener,
		peers, pathways, scopes, restart };

	return run_suite("fallback", tests, ARRAY_LEN(tests));
}
