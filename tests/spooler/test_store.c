/* SPDX-License-Identifier: Apache-2.0 */
/* .meta text and the two files of a message. */
#include "spooler/store.h"

#include <check.h>
#include <fcntl.h>

#include "common/base/crc.h"
#include "common/base/log.h"
#include "tests/support/crashfs.h"

static struct meta m, back;
static struct scratch mem;
static struct buf text;

static void
fill(void)
{
	m = (struct meta){ .size = 4096, .next_us = 1795450152963208,
		.attempts = 3, .doubt = true };
	m.rcpt.id = msgid_make(0x65432100, 2001, 0x4bc6);
	m.rcpt.addr = SLICE("somebody.with.a.name@mail.example.com");
	m.env.batch_id = msgid_make(0x65432100, 2001, 0x4bc5);
	m.env.conn_id = msgid_make(0x65432100, 2001, 0x4bc4);
	m.env.received_us = 1795450152000000;
	m.env.peer_ip[10] = m.env.peer_ip[11] = 0xff;
	memcpy(m.env.peer_ip + 12, "\x0a\x01\x02\x03", 4);
	m.env.peer_port = 54321;
	m.env.local_port = 25;
	m.env.protocol = ENVELOPE_ESMTP;
	m.env.sender = SLICE("bounce+12345@sender.example.org");
	m.env.binding = SLICE("pool-7");
	buf_init(&text, META_MAX_BYTES);
	scratch_init(&mem, 1 << 20);
}

static enum meta_result
again(void)
{
	return meta_read(buf_slice(&text), &mem, &back);
}

START_TEST(round_trip)
{
	static char hostile[512];

	fill();
	ck_assert(meta_write(&m, &text));
	ck_assert_uint_lt(text.len, 512);
	for (size_t i = 0; i < text.len; i++) {
		ck_assert(text.ptr[i] == '\n' || (text.ptr[i] >= ' ' &&
		    text.ptr[i] < 0x7f));
	}
	for (size_t i = 0; i < sizeof hostile; i++) {
		hostile[i] = (char)i;
	}
	memcpy(hostile + 256, "\ncrc: 00000000\nid: x\n\\x41\\", 27);
	m.rcpt.addr = m.rcpt.orcpt = m.env.envid = m.env.group = m.env.context =
	    m.env.sender = slice_make(hostile, sizeof hostile);
	m.rcpt.notify = NOTIFY_DELAY;
	m.env.class = 2;
	m.env.flags = 0x3f;
	buf_clear(&text);
	ck_assert(meta_write(&m, &text));
	ck_assert_int_eq(again(), META_OK);
	ck_assert(slice_eq(back.rcpt.addr, m.rcpt.addr));
	ck_assert(slice_eq(back.rcpt.orcpt, m.rcpt.orcpt));
	ck_assert(slice_eq(back.env.envid, m.env.envid));
	ck_assert(slice_eq(back.env.group, m.env.group));
	ck_assert(slice_eq(back.env.binding, m.env.binding));
	ck_assert(slice_eq(back.env.context, m.env.context));
	ck_assert(slice_eq(back.env.sender, m.env.sender));
	ck_assert_uint_eq(back.rcpt.id, m.rcpt.id);
	ck_assert_uint_eq(back.env.batch_id, m.env.batch_id);
	ck_assert_uint_eq(back.env.conn_id, m.env.conn_id);
	ck_assert_uint_eq(back.env.received_us, m.env.received_us);
	ck_assert_uint_eq(back.next_us, m.next_us);
	ck_assert_uint_eq(back.size, m.size);
	ck_assert_uint_eq(back.attempts, 3);
	ck_assert(back.doubt);
	ck_assert_uint_eq(back.env.flags, 0x3f);
	ck_assert_uint_eq(back.env.class, 2);
	ck_assert_uint_eq(back.rcpt.notify, NOTIFY_DELAY);
	ck_assert_uint_eq(back.env.protocol, ENVELOPE_ESMTP);
	ck_assert_uint_eq(back.env.peer_port, 54321);
	ck_assert_uint_eq(back.env.local_port, 25);
	ck_assert(memcmp(back.env.peer_ip, m.env.peer_ip, 16) == 0);
	ck_assert_uint_eq(back.env.n_rcpt, 1);
}
END_TEST

/* The largest envelope there is, of the worst bytes. */
START_TEST(largest)
{
	static char worst[ENVELOPE_MAX_BYTES];

	fill();
	m.env.context = slice_make(worst, sizeof worst);
	ck_assert(meta_write(&m, &text));
	ck_assert_int_eq(again(), META_OK);
	ck_assert(slice_eq(back.env.context, m.env.context));
}
END_TEST

START_TEST(every_bit_flipped)
{
	fill();
	ck_assert(meta_write(&m, &text));
	for (size_t i = 0; i < text.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			text.ptr[i] = (char)(text.ptr[i] ^ 1 << bit);
			ck_assert_int_ne(again(), META_OK);
			text.ptr[i] = (char)(text.ptr[i] ^ 1 << bit);
		}
	}
	for (size_t n = 0; n < text.len; n++) {
		ck_assert_int_ne(meta_read(slice_make(text.ptr, n), &mem,
		    &back), META_OK);
		scratch_reset(&mem);
	}
}
END_TEST

/* A line put into (or, with an empty one, a line taken out of) a sound file
 * with the checksum made right again. */
static const struct {
	const char *take, *put;
	enum meta_result want;
} lines[] = {
	{ NULL, "colour: green", META_OK },
	{ NULL, "no colon at all", META_OK },
	{ NULL, "", META_OK },
	{ "sender: ", NULL, META_BAD_FIELD },
	{ "recipient: ", NULL, META_BAD_FIELD },
	{ "id: ", NULL, META_BAD_FIELD },
	{ "size: ", NULL, META_BAD_FIELD },
	{ "via-ip: ", NULL, META_OK },
	{ NULL, "size: 1", META_BAD_FIELD },		/* twice */
	{ "sender: ", "sender: a\\q", META_BAD_FIELD },
	{ "sender: ", "sender: ", META_OK },
	{ "recipient: ", "recipient: ", META_BAD_FIELD },
	{ "recipient: ", "recipient: \\x4", META_BAD_FIELD },
	{ "attempts: ", "attempts: 65536", META_BAD_FIELD },
	{ "attempts: ", "attempts: -1", META_BAD_FIELD },
	{ "protocol: ", "protocol: 3", META_BAD_FIELD },
	{ "from-ip: ", "from-ip: example", META_BAD_FIELD },
	{ "id: ", "id: 00/00-00000-00000000", META_BAD_FIELD },
	{ "id: ", "id: ../../etc/passwd", META_BAD_FIELD },
};

START_TEST(lines_changed)
{
	const char *take = lines[_i].take, *put = lines[_i].put;
	struct slice old, line;
	struct buf b;

	fill();
	ck_assert(meta_write(&m, &text));
	buf_init(&b, META_MAX_BYTES);
	old = slice_make(text.ptr, text.len - 14);
	while (old.len > 0) {
		line = slice_cut(&old, '\n');
		if (take == NULL || !slice_starts(line, slice_of(take))) {
			buf_printf(&b, "%.*s\n", SLICE_ARG(line));
		}
	}
	if (put != NULL) {
		buf_printf(&b, "%s\n", put);
	}
	buf_printf(&b, "crc: %08x\n", crc32c(0, b.ptr, b.len));
	ck_assert_int_eq(meta_read(buf_slice(&b), &mem, &back), lines[_i].want);
	buf_fini(&b);
}
END_TEST

START_TEST(result_texts)
{
	for (unsigned i = 0; i <= META_RESULTS; i++) {
		ck_assert_uint_gt(strlen(meta_result_text(
		    (enum meta_result)i)), 0);
	}
	ck_assert_int_eq(meta_read(SLICE(""), &mem, &back), META_EMPTY);
	ck_assert_int_eq(meta_read(SLICE("x"), &mem, &back), META_NO_MAGIC);
	ck_assert_int_eq(meta_read(SLICE("ecelerity-meta: 1\n"), &mem, &back),
	    META_BAD_CRC);
}
END_TEST

static struct crashfs *c;
static struct store st;
static struct store_dirty dirty;
static struct error err;

static void
start(void)
{
	log_level_set(EC_CRITICAL + 1);
	fill();
	c = crashfs_create(1);
	ck_assert_int_eq(store_open(&st, &crashfs_fs, crashfs_path(c), 0640,
	    &err), 0);
}

static void
stop(void)
{
	store_close(&st);
	crashfs_destroy(&c);
}

static bool
data_is(msgid id, const char *want)
{
	char got[64];
	int fd = store_open_data(&st, id);
	ssize_t n;

	if (fd < 0) {
		return false;
	}
	n = pread(fd, got, sizeof got, 0);
	close(fd);
	return n == (ssize_t)strlen(want) && memcmp(got, want, (size_t)n) == 0;
}

static void
power_lost(void)
{
	store_close(&st);
	crashfs_crash_now(c, CRASHFS_DROP);
	crashfs_reboot(c);
	ck_assert_int_eq(store_open(&st, &crashfs_fs, crashfs_path(c), 0640,
	    &err), 0);
}

static bool
has_meta(msgid id)
{
	buf_clear(&text);
	return store_read_meta(&st, id, &text, &err) == 0;
}

/* A sync of the directory that failed: what is tried again must not lean on
 * what was there before. */
START_TEST(directory_sync_fails)
{
	struct slice part = SLICE("body");
	msgid id;

	start();
	id = m.rcpt.id;
	st.at_once = _i == 1;
	memset(&dirty, 0, sizeof dirty);
	for (int i = 0; i < 2; i++) {
		crashfs_fail(c, CRASHFS_BIT(CRASHFS_SYNC_DIR) |
		    CRASHFS_BIT(CRASHFS_SYNC_FS), i == 0, EIO, false);
		ck_assert_int_eq(store_write_data(&st, id, &part, 1, &dirty,
		    &err), 0);
		ck_assert_int_eq(store_write_meta(&st, &m, &dirty, &err), 0);
		ck_assert_int_eq(store_sync(&st, &dirty, &err), i - 1);
	}
	power_lost();
	st.at_once = _i == 1;
	ck_assert(data_is(id, "body"));
	ck_assert(has_meta(id));
	for (int i = 0; i < 2; i++) {
		crashfs_fail(c, CRASHFS_BIT(CRASHFS_SYNC_DIR) |
		    CRASHFS_BIT(CRASHFS_SYNC_FS), i == 0, EIO, false);
		ck_assert_int_eq((i == 0 ? store_remove : store_remove_again)(
		    &st, id, &dirty, &err), 2);
		ck_assert_int_eq(store_sync(&st, &dirty, &err), i - 1);
	}
	power_lost();
	ck_assert(!data_is(id, "body"));
	ck_assert(!has_meta(id));
	crashfs_fail(c, CRASHFS_BIT(CRASHFS_OPEN), 1, ENOSPC, false);
	ck_assert_int_lt(store_remove_again(&st, id, &dirty, &err), 0);
	stop();
}
END_TEST

START_TEST(pair)
{
	struct slice parts[3] = { SLICE("one "), SLICE(""), SLICE("two\r\n") };
	msgid id, other, third;
	struct stat s;
	char name[STORE_NAME];

	start();
	id = m.rcpt.id;
	other = id + 1;
	third = id + 2;
	store_name(msgid_make(0x4ac1dd6c, 2001, 0x4bc6), name);
	ck_assert_str_eq(name, "B4-02001-C6DD1CA4");
	ck_assert_int_eq(store_write_data(&st, id, parts, 3, &dirty, &err), 0);
	ck_assert_int_eq(store_write_meta(&st, &m, &dirty, &err), 0);
	ck_assert(data_is(id, "one two\r\n"));
	ck_assert_int_eq(store_link_data(&st, id, other, &dirty), 0);
	ck_assert_int_eq(store_link_data(&st, id, other, &dirty), 0);	/* redone */
	ck_assert(data_is(other, "one two\r\n"));
	/* Writing one anew leaves the linked one alone. */
	ck_assert_int_eq(store_write_data(&st, other, parts, 1, &dirty, &err), 0);
	ck_assert(data_is(id, "one two\r\n"));
	ck_assert(data_is(other, "one "));
	crashfs_fail(c, CRASHFS_BIT(CRASHFS_LINK), 1, EMLINK, true);
	ck_assert_int_lt(store_link_data(&st, id, third, &dirty), 0);
	ck_assert_int_eq(errno, EMLINK);
	crashfs_fail(c, 0, 0, 0, false);
	buf_clear(&text);
	ck_assert_msg(store_read_meta(&st, id, &text, &err) == 0, "%s",
	    err.text);
	ck_assert_int_eq(again(), META_OK);
	ck_assert_int_lt(store_read_meta(&st, other, &text, &err), 0);
	ck_assert_int_eq(store_remove(&st, id, &dirty, &err), 2);
	ck_assert_int_eq(store_remove(&st, id, &dirty, &err), 0);
	ck_assert(!data_is(id, "one two\r\n"));
	ck_assert_int_eq(fstatat(st.base, "quarantine", &s, 0), 0);
	stop();
}
END_TEST

/* Data never goes while its .meta stays. */
START_TEST(remove_in_order)
{
	struct slice part = SLICE("body");

	start();
	ck_assert_int_eq(store_write_data(&st, m.rcpt.id, &part, 1, &dirty,
	    &err), 0);
	ck_assert_int_eq(store_write_meta(&st, &m, &dirty, &err), 0);
	crashfs_fail(c, CRASHFS_BIT(CRASHFS_UNLINK), 1, EIO, false);
	ck_assert_int_lt(store_remove(&st, m.rcpt.id, &dirty, &err), 0);
	ck_assert(data_is(m.rcpt.id, "body"));
	ck_assert_int_eq(store_remove(&st, m.rcpt.id, &dirty, &err), 2);
	stop();
}
END_TEST

/* Written and synced as documented: after any crash both files are whole. */
START_TEST(settled_survives)
{
	struct slice part = SLICE("body");
	int loss = _i % (CRASHFS_LOSSES + 1);

	start();
	st.at_once = _i > CRASHFS_LOSSES;	/* else file by file */
	ck_assert_int_eq(store_write_data(&st, m.rcpt.id, &part, 1, &dirty,
	    &err), 0);
	ck_assert_int_eq(store_write_meta(&st, &m, &dirty, &err), 0);
	if (loss == CRASHFS_LOSSES) {
		/* Without the directory's sync the names may be lost. */
		crashfs_crash_now(c, CRASHFS_DROP);
	} else {
		ck_assert_int_eq(store_sync(&st, &dirty, &err), 0);
		crashfs_crash_now(c, (enum crashfs_loss)loss);
	}
	store_close(&st);
	crashfs_reboot(c);
	ck_assert_int_eq(store_open(&st, &crashfs_fs, crashfs_path(c), 0640,
	    &err), 0);
	ck_assert_int_eq(data_is(m.rcpt.id, "body"),
	    loss != CRASHFS_LOSSES);
	stop();
}
END_TEST

START_TEST(quarantine)
{
	static const char *const names[] = { "short",
		"a-name-longer-than-any-of-ours-but-found-in-a-spool-directory-"
		"all-the-same-and-it-has-to-be-put-away-like-any-other-file" };

	start();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int fd = crashfs_fs.open_at(st.dirs[0x4b], names[i],
		    O_RDWR | O_CREAT, 0600);
		struct stat s;

		ck_assert_int_ge(fd, 0);
		close(fd);
		ck_assert_int_eq(store_quarantine(&st, 0x4b, names[i], "why"),
		    0);
		ck_assert_int_ne(fstatat(st.dirs[0x4b], names[i], &s, 0), 0);
	}
	stop();
}
END_TEST

START_TEST(any_call_fails)
{
	struct slice part = SLICE("body");

	start();
	for (uint64_t n = 1; n < 12; n++) {
		crashfs_fail(c, CRASHFS_CHANGES, n, ENOSPC, false);
		err.text[0] = '\0';
		if (store_write_data(&st, m.rcpt.id, &part, 1, &dirty,
		    &err) < 0 ||
		    store_write_meta(&st, &m, &dirty, &err) < 0 ||
		    store_sync(&st, &dirty, &err) < 0) {
			ck_assert_uint_gt(strlen(err.text), 0);
		} else {
			crashfs_fail(c, 0, 0, 0, false);
			ck_assert(data_is(m.rcpt.id, "body"));
		}
		crashfs_fail(c, 0, 0, 0, false);
	}
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, largest);
	tcase_add_test(t, every_bit_flipped);
	tcase_add_loop_test(t, lines_changed, 0, (int)ARRAY_LEN(lines));
	tcase_add_test(t, result_texts);
	tcase_add_test(t, pair);
	tcase_add_loop_test(t, directory_sync_fails, 0, 2);
	tcase_add_test(t, remove_in_order);
	tcase_add_loop_test(t, settled_survives, 0,
	    2 * (CRASHFS_LOSSES + 1));
	tcase_add_test(t, quarantine);
	tcase_add_test(t, any_call_fails);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
