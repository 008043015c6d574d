/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for the load generator. */
#include "tests/bench/load_msgs.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/fdio.h"

#define LINE_CHARS 72u
#define WIRE_MAX ((size_t)2 << 30)
#define FILE_MAX ((size_t)256 << 20)

static void
make_date(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, size, "%a, %d %b %Y %H:%M:%S +0000", &tm);
}

void
load_msgs_generate(struct load_msgs *m, size_t size_bytes)
{
	static const char letters[] = "the quick brown fox jumps over 13 lazy "
	    "dogs while mail goes out to many ";

	load_msgs_init_files(m);
	m->size = size_bytes;
	for (size_t i = 0; m->wire.len < size_bytes; i++) {
		char line[LINE_CHARS + 2];

		for (size_t k = 0; k < LINE_CHARS; k++) {
			line[k] = letters[(i * 5 + k) % (sizeof letters - 1)];
		}
		line[LINE_CHARS - 1] = '-';	/* no blank before the line's end */
		line[LINE_CHARS] = '\r';
		line[LINE_CHARS + 1] = '\n';
		buf_append(&m->wire, line, sizeof line);
	}
}

void
load_msgs_init_files(struct load_msgs *m)
{
	*m = (struct load_msgs){ 0 };
	buf_init(&m->wire, WIRE_MAX);
	make_date(m->date, sizeof m->date);
}

void
load_msgs_fini(struct load_msgs *m)
{
	buf_fini(&m->wire);
	free(m->pieces);
	*m = (struct load_msgs){ 0 };
}

static void
piece_begin(struct load_msgs *m)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->pieces = xrealloc(m->pieces, m->cap * sizeof *m->pieces);
	}
	m->pieces[m->n++] = (struct load_piece){ m->wire.len, 0 };
}

static void
piece_line(struct load_msgs *m, struct slice line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
		line.len--;
	}
	if (line.len > 0 && line.ptr[0] == '.') {
		buf_putc(&m->wire, '.');
	}
	buf_add(&m->wire, line);
	buf_append(&m->wire, "\r\n", 2);
	m->pieces[m->n - 1].len = m->wire.len - m->pieces[m->n - 1].at;
}

void
load_msgs_add(struct load_msgs *m, struct slice raw)
{
	piece_begin(m);
	while (raw.len > 0) {
		piece_line(m, slice_cut(&raw, '\n'));
	}
}

/* "From " behind an empty line, or at the start, begins a message; the empty
 * line belongs to the box, not to the message before. */
void
load_msgs_add_mbox(struct load_msgs *m, struct slice mbox)
{
	bool open = false, blank = true, owed = false;

	while (mbox.len > 0) {
		struct slice line = slice_cut(&mbox, '\n'), quoted = line;

		if (blank && slice_starts(line, SLICE("From "))) {
			piece_begin(m);
			open = true;
			blank = owed = false;
			continue;
		}
		if (!open) {
			continue;
		}
		if (owed) {
			piece_line(m, SLICE(""));
		}
		blank = owed = slice_trim(line).len == 0 || slice_eq(line,
		    SLICE("\r"));
		if (blank) {
			continue;
		}
		while (quoted.len > 0 && quoted.ptr[0] == '>') {
			quoted = slice_skip(quoted, 1);
		}
		piece_line(m, slice_starts(quoted, SLICE("From ")) &&
		    line.ptr[0] == '>' ? slice_skip(line, 1) : line);
	}
}

int
load_msgs_add_dir(struct load_msgs *m, const char *path, struct error *err_out)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int res = 0;

	if (d == NULL) {
		return error_sys(err_out, "cannot open %s", path);
	}
	while (res == 0 && (e = readdir(d)) != NULL) {
		char name[4096];
		struct stat st;
		struct buf b;

		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		if (e->d_name[0] == '.' || stat(name, &st) < 0 ||
		    !S_ISREG(st.st_mode)) {
			continue;
		}
		buf_init(&b, FILE_MAX);
		res = fdio_slurp(name, &b, err_out);
		if (res == 0) {
			load_msgs_add(m, buf_slice(&b));
		}
		buf_fini(&b);
	}
	closedir(d);
	return res;
}

static void
compose_generated(const struct load_msgs *m, const struct load_item *it,
    struct buf *head_out, struct slice *rest_out)
{
	size_t begin = head_out->len, head, rest;

	buf_printf(head_out,
	    "X-Load-Id: %.*s-%llu\r\n"
	    "From: <%.*s>\r\n"
	    "To: <%.*s>\r\n"
	    "Date: %s\r\n"
	    "Message-ID: <%.*s-%llu@load.example>\r\n"
	    "Subject: load %llu\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain\r\n"
	    "\r\n",
	    SLICE_ARG(it->run), (unsigned long long)it->seq,
	    SLICE_ARG(it->from), SLICE_ARG(it->first_rcpt), m->date,
	    SLICE_ARG(it->run), (unsigned long long)it->seq,
	    (unsigned long long)it->seq);
	head = head_out->len - begin;
	rest = m->size > head ? m->size - head : 0;
	/* The tail of the shared body: it ends with a whole line.  One byte
	 * fewer where the cut would leave a line feed alone in front. */
	if (rest > 0 && m->wire.ptr[m->wire.len - rest] == '\n') {
		rest--;
	}
	*rest_out = slice_make(m->wire.ptr + m->wire.len - rest, rest);
}

void
load_msgs_compose(const struct load_msgs *m, const struct load_item *it,
    struct buf *head_out, struct slice *rest_out)
{
	const struct load_piece *p;

	if (m->n == 0) {
		compose_generated(m, it, head_out, rest_out);
		return;
	}
	p = &m->pieces[it->seq % m->n];
	buf_printf(head_out, "X-Load-Id: %.*s-%llu\r\n", SLICE_ARG(it->run),
	    (unsigned long long)it->seq);
	*rest_out = slice_make(m->wire.ptr + p->at, p->len);
}
