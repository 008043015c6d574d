/* SPDX-License-Identifier: Apache-2.0 */
/* Files, includes, and the frozen text. */
#include "tests/config/support.h"

#include "common/base/fdio.h"
#include "common/config/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static char dir[64];

static void
make_dir(void)
{
	snprintf(dir, sizeof dir, "/tmp/ec_test_load.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	unsetenv("EC_CONF_SEARCH_PATH");
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static void
remove_dir(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
put_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static struct config *
load_ok(const char *path)
{
	struct config_report r;
	struct config *cfg;

	config_report_init(&r);
	cfg = config_load(path, &r);
	ck_assert_msg(cfg != NULL, "%.*s", SLICE_ARG(r.errors));
	config_report_fini(&r);
	return cfg;
}

static void
load_bad(const char *path, const char *want)
{
	struct config_report r;

	config_report_init(&r);
	ck_assert_ptr_null(config_load(path, &r));
	assert_buf(&r.errors, want);
	config_report_fini(&r);
}

static void
assert_origin(const struct config *cfg, enum option_id id, const char *want)
{
	char have[256];

	config_origin(cfg, NULL, id, have, sizeof have);
	ck_assert_str_eq(have, want);
}

/* Inside a scope, beside the including file, from a directory in order. */
START_TEST(includes)
{
	struct config_where w = { .domain = SLICE("d.com") };
	struct config *cfg;

	make_dir();
	ck_assert_int_eq(mkdir("sub", 0755), 0);
	ck_assert_int_eq(mkdir("sub/conf.d", 0755), 0);
	ck_assert_int_eq(mkdir("sub/conf.d/below", 0755), 0);
	put_file("main.conf", "Domain d.com {\n include \"sub/dom.conf\"\n}\n"
	    "ReadOnly_Include 'sub/all.conf'\n\nRetry_Interval = 9");
	put_file("sub/dom.conf", "\nGateway = gw");
	put_file("sub/all.conf", "Retry_Interval = 1 include \"conf.d\"");
	put_file("sub/conf.d/20", "Listeners = 20\nEHLO_Hostname = twenty");
	put_file("sub/conf.d/10", "Listeners = 10\nBanner_Hostname = ten");
	put_file("sub/conf.d/.hidden", "nonsense");
	put_file("sub/conf.d/below/x", "nonsense");
	cfg = load_ok("main.conf");
	assert_slice(config_string(cfg, &w, OPT_GATEWAY), "gw");
	ck_assert_uint_eq(config_us(cfg, NULL, OPT_RETRY_INTERVAL), 9000000);
	ck_assert_int_eq(config_int(cfg, NULL, OPT_LISTENERS), 20);
	assert_slice(config_string(cfg, NULL, OPT_BANNER_HOSTNAME), "ten");
	assert_origin(cfg, OPT_RETRY_INTERVAL, "main.conf:6");
	assert_origin(cfg, OPT_EHLO_HOSTNAME, "sub/conf.d/20:2");
	config_destroy(&cfg);
	remove_dir();
}
END_TEST

START_TEST(search_path)
{
	struct config *cfg;

	make_dir();
	ck_assert_int_eq(mkdir("one", 0755), 0);
	ck_assert_int_eq(mkdir("two", 0755), 0);
	put_file("main.conf", "include \"x.conf\"");
	put_file("two/x.conf", "Gateway = two");
	setenv("EC_CONF_SEARCH_PATH", "one::two", 1);
	cfg = load_ok("main.conf");
	assert_origin(cfg, OPT_GATEWAY, "two/x.conf:1");
	config_destroy(&cfg);
	put_file("one/x.conf", "Gateway = one");
	cfg = load_ok("main.conf");
	assert_origin(cfg, OPT_GATEWAY, "one/x.conf:1");
	config_destroy(&cfg);
	put_file("x.conf", "Gateway = beside");
	cfg = load_ok("main.conf");
	assert_origin(cfg, OPT_GATEWAY, "x.conf:1");
	config_destroy(&cfg);
	remove_dir();
}
END_TEST

START_TEST(bad_files)
{
	char text[200];

	make_dir();
	load_bad("none.conf", "cannot open none.conf: No such "
	    "file or directory\n");
	put_file("a.conf", "Gateway = x\ninclude \"none\"\ninclude \"/none/at/"
	    "all\"\ninclude \"\"\nGatway = y");
	load_bad("a.conf", "a.conf:2: cannot open included \"none\": there is "
	    "no such file beside this one or in the search path\n"
	    "a.conf:3: cannot open included \"/none/at/all\": there is no such "
	    "file\na.conf:4: include needs the name of a file or directory\n"
	    "a.conf:5: unknown option 'Gatway' in scope Global: did you mean "
	    "'Gateway'?\n");
	put_file("b.conf", "\ninclude \"c.conf\"");
	put_file("c.conf", "include b.conf");
	load_bad("b.conf", "c.conf:1: b.conf includes itself\n");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	load_bad("fifo", "fifo is neither a file nor a "
	    "directory\n");
	/* An error in an included file leaves the outer scopes in order. */
	put_file("d.conf", "Domain x.com {\ninclude \"e.conf\"\nGateway = g\n"
	    "}\nFoo_Bar = 1");
	put_file("e.conf", "Gateway =");
	load_bad("d.conf", "e.conf:1: syntax error at the end of the file: a "
	    "name or word, a quoted string, include, '(' or '[' is needed "
	    "here\nd.conf:5: unknown option 'Foo_Bar' in scope Global\n");
	for (int i = 0; i < 17; i++) {
		char name[16];

		snprintf(name, sizeof name, "f%d", i);
		snprintf(text, sizeof text, "include f%d", i + 1);
		put_file(name, text);
	}
	load_bad("f0", "f15:1: f16: files are included more than 16 deep\n");
	if (geteuid() != 0) {
		put_file("g.conf", "");
		ck_assert_int_eq(chmod("g.conf", 0), 0);
		load_bad("g.conf", "cannot open g.conf: "
		    "Permission denied\n");
	}
	remove_dir();
}
END_TEST

START_TEST(too_large)
{
	int fd;

	make_dir();
	fd = open("big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, CONFIG_MAX_FILE + 2), 0);
	close(fd);
	load_bad("big", "big is larger than 16777216 "
	    "bytes\n");
	remove_dir();
}
END_TEST

/* Frozen text read back freezes to the same bytes and knows its origins. */
START_TEST(freeze)
{
	struct config_report r;
	struct config *cfg, *again;
	struct buf a, b;

	make_dir();
	put_file("main.conf", "# head\nGateway = \"a\\\"b\\\\c\"\n"
	    "include \"other.conf\"\nTLS = required\n"
	    "DKIM = [ a = ( b ) \"k k\" = d ]");
	put_file("other.conf", "\n\nESMTP_Listener \"x y\" {\n"
	    "Listen :25 {\n\n Idle_Time = 5m\n Relay_Hosts = ( 10.0.0.1 ) }\n}"
	    "\nSecurity { User = u }\nsieve s { any = 'thing' }");
	cfg = load_ok("main.conf");
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	ck_assert(config_freeze(cfg, &a));
	config_report_init(&r);
	again = config_parse(buf_slice(&a), "frozen", &r);
	ck_assert_msg(again != NULL, "%.*s", SLICE_ARG(r.errors));
	assert_buf(&r.warnings, "main.conf:5: 'DKIM' is known but not served "
	    "yet; it has no effect\nmain.conf:4: 'TLS' is known but not served "
	    "yet; it has no effect\nother.conf:10: 'sieve' is known but not "
	    "served yet; it has no effect\n");
	ck_assert(config_freeze(again, &b));
	ck_assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	assert_slice(config_string(again, NULL, OPT_GATEWAY), "a\"b\\c");
	assert_origin(again, OPT_GATEWAY, "main.conf:2");
	assert_origin(again, OPT_USER, "other.conf:9");
	ck_assert_uint_eq(config_diff_restart(cfg, again, &b), 0);
	/* What is not frozen takes such lines as comments. */
	buf_clear(&b);
	buf_puts(&b, "# no head\n");
	buf_add(&b, buf_slice(&a));
	config_destroy(&again);
	again = config_parse(buf_slice(&b), "plain", &r);
	ck_assert_ptr_nonnull(again);
	assert_origin(again, OPT_GATEWAY, "plain:6");
	config_destroy(&again);
	config_destroy(&cfg);
	config_report_fini(&r);
	buf_fini(&b);
	b.max = 10;
	cfg = load_ok("other.conf");
	ck_assert(!config_freeze(cfg, &b));
	config_destroy(&cfg);
	buf_fini(&a);
	buf_fini(&b);
	remove_dir();
}
END_TEST

/* Origin lines that make no sense change nothing but the line. */
START_TEST(frozen_nonsense)
{
	struct config_report r;
	struct config *cfg;

	config_report_init(&r);
	cfg = config_parse(SLICE("#ecelerity-frozen 1\n#@file f\x01g\n#@9 9\n"
	    "#@\n#@x 1\n#@0 99999999999\n#@0 4\nGateway = x\n#@0 7\n"
	    "Gatway = x\n"), "n", &r);
	ck_assert_ptr_null(cfg);
	assert_buf(&r.errors, "f?g:7: unknown option 'Gatway' in scope Global: "
	    "did you mean 'Gateway'?\n");
	config_report_fini(&r);
}
END_TEST

static void
add_times(struct buf *b, const char *text, unsigned n)
{
	while (n-- > 0) {
		buf_puts(b, text);
	}
}

/* Whatever loads must load again, frozen, and freeze to the same bytes. */
static void
assert_stable(struct slice text)
{
	struct config *cfg, *again;
	struct config_report r;
	struct buf a, b;

	config_report_init(&r);
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	cfg = config_parse(text, "t", &r);
	ck_assert_msg(cfg != NULL, "%.*s: %.*s", SLICE_ARG(text),
	    SLICE_ARG(r.errors));
	ck_assert(config_freeze(cfg, &a));
	again = config_parse(buf_slice(&a), "frozen", &r);
	ck_assert_msg(again != NULL, "%.*s: %.*s", SLICE_ARG(text),
	    SLICE_ARG(r.errors));
	ck_assert(config_freeze(again, &b));
	ck_assert_msg(slice_eq(buf_slice(&a), buf_slice(&b)),
	    "%.*s\nfirst:\n%.*s\nsecond:\n%.*s", SLICE_ARG(text),
	    SLICE_ARG(a), SLICE_ARG(b));
	ck_assert_uint_eq(config_diff_restart(cfg, again, &b), 0);
	config_destroy(&again);
	config_destroy(&cfg);
	config_report_fini(&r);
	buf_fini(&a);
	buf_fini(&b);
}

START_TEST(stable)
{
	static const char *const texts[] = {
		"",
		/* Frozen, but of no file, or of one that is named too late. */
		FROZEN_HEAD "\nGateway = a\n",
		FROZEN_HEAD "#@1 7\nGateway = a\n#@file f\nDomain d {\n}\n",
		FROZEN_HEAD "#@4294967295 4294967295\n\nGateway = a\n",
		FROZEN_HEAD "#@file \n#@file  g \n#@1 0\nGateway = a\n#@0 3",
		/* Quotes, backslashes, tabs and bytes above US-ASCII. */
		"Gateway = \\ EHLO_Hostname = 'a\\' Hostname = \"\\\\\\\"\"",
		"Gateway = \"\\n\\\\n\" EHLO_Hostname = '\t\xc3\xa9\"#/'",
		"sieve s { \\d = \\ \xff = [ '' = ( \\ 'a b' ) i/**/=\"'\" ] }",
		"sieve s { x = [ include = include \"in clude\" = [ ] ] }",
		/* Written twice, opened twice, in another case. */
		"sieve s { any = 1 ANY = 2 } SIEVE s { Any = 3 }",
		"Domain D.com { Gateway = a } domain d.COM { gateway = b }",
		/* One word for a list, a dictionary without '='. */
		"ESMTP_Listener { Listen :25 { Relay_Hosts = 10.0.0.1 } }",
		"Security { User\n/*\n*/\n=\n'u' } DKIM [ a = b a = c ]",
		"ec_logger '' { } cluster { Topology '10.0.0.1/8' { a = () } }",
	};
	struct buf b;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_stable(slice_of(texts[i]));
	}
	/* The deepest dictionary that loads. */
	buf_init(&b, 1 << 16);
	buf_puts(&b, "DKIM [");
	add_times(&b, "a = [", CONFIG_MAX_DEPTH - 1);
	add_times(&b, "]", CONFIG_MAX_DEPTH);
	assert_stable(buf_slice(&b));
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { includes, search_path, bad_files,
		too_large, freeze, frozen_nonsense, stable };

	return run_suite("load", tests, ARRAY_LEN(tests));
}
