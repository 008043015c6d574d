/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from a text, and what is said about a bad one. */
#include "tests/config/support.h"

struct message_case {
	const char *text;
	const char *errors, *warnings;	/* whole */
};

static const struct message_case cases[] = {
	{ "", "", "" },
	{ "\n\nRelay_Host = ( \"10.0.0.1\" )\n",
	    "t:3: unknown option 'Relay_Host' in scope Global: did you mean "
	    "'Relay_Hosts'?\n", "" },
	{ "Retry_Interval = \"often\"",
	    "t:1: Retry_Interval = \"often\": a duration in seconds is needed, "
	    "such as 1200 or \"20m\"\n", "" },
	{ "xyzzyplugh = 1", "t:1: unknown option 'xyzzyplugh' in scope "
	    "Global\n", "" },
	{ "ec_logger { mainlogg = \"/x\" }",
	    "t:1: unknown option 'mainlogg' in scope ec_logger: did you mean "
	    "'mainlog'?\n", "" },
	{ "ec_loger { whatever = 1 }",
	    "t:1: unknown scope 'ec_loger' in scope Global: did you mean "
	    "'ec_logger'?\n", "" },
	{ "bounce_logger {\n Gateway = x }",
	    "t:2: option 'Gateway' cannot stand in scope bounce_logger; it "
	    "belongs in Global, Binding_Group, Binding, Domain\n", "" },
	{ "Binding { }",
	    "t:1: scope Binding needs a name: Binding \"name\" { ... }\n", "" },
	{ "Binding \"a:b\" { }", "t:1: Binding \"a:b\": the name must have no "
	    "blank and no colon\n", "" },
	{ "Binding_Group \"a b\" { }", "t:1: Binding_Group \"a b\": the name "
	    "must have no blank\n", "" },
	{ "Security \"x\" { }",
	    "t:1: scope Security takes no name: Security { ... }\n", "" },
	{ "Binding \"b\" { ec_logger { } }", "t:1: scope ec_logger cannot "
	    "stand in scope Binding; it belongs in Global\n", "" },
	{ "ESMTP_Listener { Listen \"nowhere\" { } }",
	    "t:1: Listen \"nowhere\": an address and port is needed, such as "
	    "\"127.0.0.1:2525\", \":25\" or \"[::1]:25\"\n", "" },
	{ "ESMTP_Listener { Listen \"/a/socket\" { } }",
	    "t:1: Listen \"/a/socket\": an address and port is needed, such as "
	    "\"127.0.0.1:2525\", \":25\" or \"[::1]:25\"\n", "" },
	{ "ESMTP_Listener { Peer \"10.0.0.0/33\" { } }",
	    "t:1: Peer \"10.0.0.0/33\": an address or block is needed, such "
	    "as \"192.0.2.1\" or \"10.0.0.0/8\"\n", "" },
	{ "TLS = required",
	    "", "t:1: 'TLS' is known but not served yet; it has no effect\n" },
	{ "sieve \"a\" { x = 1 script \"b\" { source = \"c\" } }",
	    "", "t:1: 'sieve' is known but not served yet; it has no "
	    "effect\n" },
	{ "Domain \"/[.]com$/\" { }", "", "t:1: Domain \"/[.]com$/\": a "
	    "regular expression is known but not served yet; it has no "
	    "effect\n" },
	/* The grammar. */
	{ "Gateway = \"a\nb\"", "t:1: the string opened here is not closed on "
	    "its line, or has a control character\n", "" },
	{ "\nGateway = 'a", "t:2: the string opened here is not closed on "
	    "its line, or has a control character\n", "" },
	{ "Gateway = a/b", "t:1: a word with '/' must stand in quotes\n", "" },
	{ "/* a\n * b", "t:1: the comment opened here is not closed\n", "" },
	{ "Gateway = a\x01", "t:1: the byte 0x01 cannot stand in a "
	    "configuration\n", "" },
	{ "Gateway =", "t:1: syntax error at the end of the file: a name or "
	    "word, a quoted string, include, '(' or '[' is needed here\n", "" },
	{ "Relay_Hosts = ( a", "t:1: syntax error at the end of the file: a "
	    "name or word, a quoted string, include or ')' is needed here\n",
	    "" },
	{ "Context = [ a b ]", "t:1: syntax error at 'b': '=' is needed "
	    "here\n", "" },
	{ "Gateway \"x\"\nHostname = y", "t:2: syntax error at 'Hostname': "
	    "'{', or '=' before the value, is needed here\n", "" },
	{ "Gateway = \n ec_logger { }", "t:2: syntax error at '{': a name must "
	    "stand before it (is a value missing further up?)\n", "" },
	{ "}", "t:1: syntax error at '}': the end of the file, a name or word "
	    "or include is needed here\n", "" },
	{ "ESMTP_Listener {\n Listen \":25\" {\n\n", "t:4: the file ends, but "
	    "the scope opened in line 2 is not closed: '}' is missing\n", "" },
	{ "include \"x\"",
	    "t:1: include \"x\": nothing can be included here\n", "" },
	/* Values: the wrong kind and each type's need. */
	{ "Gateway = ( a )", "t:1: Gateway = ( \"a\" ): a host is needed, such "
	    "as \"192.0.2.1\", \"mx.example.com:25\" or "
	    "\"[2001:db8::1]:25\"\n", "" },
	{ "Hostname = [ a = b ]", "t:1: Hostname = [ a = \"b\" ]: one word or "
	    "quoted string is needed\n", "" },
	{ "Open_Relay = perhaps", "t:1: Open_Relay = \"perhaps\": true or "
	    "false is needed\n", "" },
	{ "Listeners = 65", "t:1: Listeners = \"65\": a whole number from 1 to "
	    "64 or auto is needed\n", "" },
	{ "Max_Outbound_Connections = -2", "t:1: Max_Outbound_Connections = "
	    "\"-2\": a whole number of at least -1 is needed\n", "" },
	{ "Journal_Size = 1K", "t:1: Journal_Size = \"1K\": a size in bytes "
	    "from 16777216 to 1099511627776 is needed, such as 65536 or "
	    "\"64M\"\n", "" },
	{ "Delivery_Response_Timeout = 1y", "t:1: Delivery_Response_Timeout = "
	    "\"1y\": a duration in milliseconds is needed, such as 5000 or "
	    "\"5s\"\n", "" },
	{ "Outbound_Throttle_Messages = \"1/0\"", "t:1: "
	    "Outbound_Throttle_Messages = \"1/0\": a rate is needed, such as "
	    "10 (in a second) or \"100/60\" (in 60 seconds)\n", "" },
	{ "Memory_Goal = 101", "t:1: Memory_Goal = \"101\": a percentage from "
	    "1 to 100 is needed, such as 90\n", "" },
	{ "Spool_Mode = 0689", "t:1: Spool_Mode = \"0689\": an octal file mode "
	    "is needed, such as 0640\n", "" },
	{ "Bind_Address = host", "t:1: Bind_Address = \"host\": an IP address "
	    "is needed, such as \"192.0.2.1\" or \"2001:db8::1\"\n", "" },
	{ "RFC2822_Lone_LF_In_Body = eat", "t:1: RFC2822_Lone_LF_In_Body = "
	    "\"eat\": one of pedantic, reject, fix or ignore is needed\n", "" },
	{ "ESMTP_Listener { Context = ( a ) }", "t:1: Context = ( \"a\" ): a "
	    "dictionary is needed, such as [ key = \"value\" ]\n", "" },
	{ "Routes = [ a = b ]", "t:1: Routes = [ a = \"b\" ]: a list is "
	    "needed, such as ( \"one\" \"two\" )\n", "" },
	{ "Relay_Hosts = ( here )", "t:1: Relay_Hosts = ( \"here\" ): a list "
	    "of addresses or blocks is needed, such as ( \"192.0.2.1\" "
	    "\"10.0.0.0/8\" )\n", "" },
	{ "Relay_Domains = ( a..b )", "t:1: Relay_Domains = ( \"a..b\" ): a "
	    "list of domains is needed, such as ( \"example.com\" "
	    "\"*.example.net\" )\n", "" },
	{ "DNS_Servers = ( ns )", "t:1: DNS_Servers = ( \"ns\" ): a list of "
	    "addresses is needed, such as ( \"192.0.2.1\" "
	    "\"[2001:db8::1]:53\" )\n", "" },
	/* Several at once. */
	{ "a = 1\nGateway = x\nListeners = y\n{", "t:1: unknown option 'a' in "
	    "scope Global\nt:3: Listeners = \"y\": a whole number from 1 to 64 "
	    "or auto is needed\nt:4: syntax error at '{': a name must stand "
	    "before it (is a value missing further up?)\n", "" },
};

START_TEST(messages)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct message_case *c = &cases[i];
		struct config_report r;
		struct config *cfg;

		config_report_init(&r);
		cfg = config_parse(slice_of(c->text), "t", &r);
		assert_buf(&r.errors, c->errors);
		assert_buf(&r.warnings, c->warnings);
		ck_assert((cfg == NULL) == (c->errors[0] != '\0'));
		ck_assert((r.n_errors > 0) == (c->errors[0] != '\0'));
		config_destroy(&cfg);
		config_report_fini(&r);
	}
}
END_TEST

static void
assert_prints(const char *text, const char *want)
{
	struct config *cfg = parse_ok(text);
	struct buf b;

	buf_init(&b, 1 << 20);
	ck_assert(config_print(cfg, &b));
	assert_buf(&b, want);
	buf_fini(&b);
	config_destroy(&cfg);
}

START_TEST(canonical)
{
	static const struct { const char *text, *want; } t[] = {
		{ "", "" },
		{ "gateWAY=a", "Gateway = \"a\"\n" },
		{ "# c\nGateway = a # d\n/* x\n#*/ Hostname /**/ = /***/ b "
		    "/* * */", "Hostname = \"b\"\nGateway = \"a\"\n" },
		{ "Hostname = 'a \"b\\c'", "Hostname = \"a \\\"b\\\\c\"\n" },
		{ "Hostname = \"a\\.b\\\\c\\\"d/#{}'\"",
		    "Hostname = \"a\\\\.b\\\\c\\\"d/#{}'\"\n" },
		{ "Hostname = include", "Hostname = \"include\"\n" },
		{ "Relay_Hosts = ()", "Relay_Hosts = ( )\n" },
		{ "Relay_Hosts=(\"10.0.0.0/8\" ::1)",
		    "Relay_Hosts = ( \"10.0.0.0/8\" \"::1\" )\n" },
		{ "Relay_Hosts = 10.0.0.1",
		    "Relay_Hosts = ( \"10.0.0.1\" )\n" },
		{ "ESMTP_Listener { Context [ a = b \"c d\" = 'e' ] }",
		    "ESMTP_Listener {\n\tContext = [ a = \"b\" \"c d\" = "
		    "\"e\" ]\n}\n" },
		{ "DKIM = [ a = ( b \"c\" ) d = [ e = f ] ]",
		    "DKIM = [ a = ( \"b\" \"c\" ) d = [ e = \"f\" ] ]\n" },
		{ "Gateway = a Gateway = b gateway = c",
		    "Gateway = \"c\"\n" },
		/* Merging: case of keywords, case of names by kind. */
		{ "Domain \"A.com\" { Gateway = x } DOMAIN \"a.COM\" { "
		    "Gateway = y Retry_Interval = 3 }",
		    "Domain \"A.com\" {\n\tRetry_Interval = \"3\"\n"
		    "\tGateway = \"y\"\n}\n" },
		{ "Binding a { } Binding A { } Binding a { Gateway = g }",
		    "Binding \"a\" {\n\tGateway = \"g\"\n}\n"
		    "Binding \"A\" {\n}\n" },
		{ "ec_logger one { } ec_logger { } ec_logger one { heartbeat = "
		    "1 }", "ec_logger \"one\" {\n\theartbeat = \"1\"\n}\n"
		    "ec_logger {\n}\n" },
		{ "Binding_Group g { Binding b { Domain d.org { } } } "
		    "Binding_Group g { Binding b { Domain d.org { Retry_"
		    "Interval = 1 } } Domain e.org { } }",
		    "Binding_Group \"g\" {\n\tBinding \"b\" {\n\t\tDomain "
		    "\"d.org\" {\n\t\t\tRetry_Interval = \"1\"\n\t\t}\n\t}\n"
		    "\tDomain \"e.org\" {\n\t}\n}\n" },
		/* Scopes whose options nobody reads keep them all. */
		{ "sieve s { B = 1 a = ( x ) b = 2 script n { source = y } }",
		    "sieve \"s\" {\n\ta = ( \"x\" )\n\tb = \"2\"\n\tscript "
		    "\"n\" {\n\t\tsource = \"y\"\n\t}\n}\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_prints(t[i].text, t[i].want);
		assert_prints(t[i].want, t[i].want);
	}
}
END_TEST

static void
assert_one_error(struct slice text, const char *want)
{
	struct config_report r;

	config_report_init(&r);
	ck_assert_ptr_null(config_parse(text, "t", &r));
	assert_buf(&r.errors, want);
	config_report_fini(&r);
}

START_TEST(hostile)
{
	static const char nul[] = "Gateway = a\nHost\0name = b\n";
	struct buf b;

	assert_one_error(slice_make(nul, sizeof nul - 1),
	    "t:2: the byte 0x00 cannot stand in a configuration\n");
	assert_one_error(SLICE("Gateway = \"a\0b\""), "t:1: the string opened "
	    "here is not closed on its line, or has a control character\n");
	buf_init(&b, CONFIG_MAX_TOTAL + 100u);
	for (int i = 0; i < 2000; i++) {
		buf_puts(&b, "DKIM [ a = ");
	}
	assert_one_error(buf_slice(&b), "t:1: syntax error at '[': a name "
	    "or word, a quoted string, include or ']' is needed here\n");
	buf_clear(&b);
	buf_puts(&b, "DKIM = [");
	for (int i = 0; i < 2000; i++) {
		buf_puts(&b, " a = [");
	}
	assert_one_error(buf_slice(&b), "t:1: dictionaries are nested more "
	    "than 16 deep\n");
	buf_clear(&b);
	buf_puts(&b, "Hostname = ");
	ck_assert(buf_reserve(&b, CONFIG_MAX_TOKEN + 1u));
	memset(b.ptr + b.len, 'a', CONFIG_MAX_TOKEN + 1u);
	b.len += CONFIG_MAX_TOKEN + 1u;
	assert_one_error(buf_slice(&b), "t:1: a word or string is longer than "
	    "65536 bytes\n");
	ck_assert(buf_reserve(&b, CONFIG_MAX_TOTAL - b.len + 1));
	memset(b.ptr + b.len, ' ', CONFIG_MAX_TOTAL - b.len + 1);
	assert_one_error(slice_make(b.ptr, CONFIG_MAX_TOTAL + 1u), "t: t is "
	    "larger than 67108864 bytes\n");
	buf_fini(&b);
}
END_TEST

/* Scopes that would nest without end: unknown ones count as well. */
START_TEST(deep_scopes)
{
	struct config_report r;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++) {
		buf_puts(&b, "Nowhere x {\n");
	}
	config_report_init(&r);
	ck_assert_ptr_null(config_parse(buf_slice(&b), "t", &r));
	assert_buf(&r.errors, "t:1: unknown scope 'Nowhere' in scope Global\n"
	    "t:17: scopes are nested more than 16 deep\n");
	config_report_fini(&r);
	buf_fini(&b);
}
END_TEST

START_TEST(many_errors)
{
	struct config_report r;
	struct slice rest;
	struct buf b;
	unsigned lines = 0;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 50; i++) {
		buf_printf(&b, "Gatway = %d\n", i);
	}
	config_report_init(&r);
	ck_assert_ptr_null(config_parse(buf_slice(&b), "t", &r));
	rest = buf_slice(&r.errors);
	while (rest.len > 0) {
		slice_cut(&rest, '\n');
		lines++;
	}
	ck_assert_uint_eq(lines, CONFIG_MAX_ERRORS + 1);
	ck_assert(slice_ends_nocase(buf_slice(&r.errors),
	    SLICE("there are more errors than these\n")));
	config_report_fini(&r);
	buf_fini(&b);
}
END_TEST

/* Many scopes: the table grows, order and look-ups hold. */
START_TEST(many_scopes)
{
	const struct config_scope *s;
	struct config *cfg;
	struct buf b;
	int n = 0;

	buf_init(&b, 16 << 20);
	for (int i = 0; i < 20000; i++) {
		buf_printf(&b, "Domain \"d%d.example\" { Retry_Interval = %d "
		    "}\n", i, i);
	}
	buf_putc(&b, '\0');
	cfg = parse_ok(b.ptr);
	for (s = config_first(cfg, NULL, SCOPE_DOMAIN); s != NULL;
	    s = config_next(s)) {
		char name[32];
		struct config_where w = { .domain = slice_of(name) };

		snprintf(name, sizeof name, "D%d.EXAMPLE", n);
		w.domain = slice_of(name);
		ck_assert_uint_eq(config_us(cfg, &w, OPT_RETRY_INTERVAL),
		    (uint64_t)n * 1000000u);
		ck_assert_ptr_eq(config_find(cfg, NULL, SCOPE_DOMAIN,
		    w.domain), s);
		n++;
	}
	ck_assert_int_eq(n, 20000);
	config_destroy(&cfg);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { messages, canonical, hostile,
		deep_scopes, many_errors, many_scopes };

	return run_suite("grammar", tests, ARRAY_LEN(tests));
}
