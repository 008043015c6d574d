/* SPDX-License-Identifier: Apache-2.0 */
/* From an address to the process that listens there. */
#include "supervisor/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/base/fdio.h"
#include "common/base/num.h"

#define TCP_LISTEN 0x0au
#define PROC_NET_MAX (64u << 20)

/* The next word of a line of columns. */
static struct slice
word(struct slice *line)
{
	struct slice w;

	while (line->len > 0 && line->ptr[0] == ' ') {
		*line = slice_skip(*line, 1);
	}
	w = slice_cut(line, ' ');
	return w;
}

static bool
hex(struct slice s, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.len; i++) {
		int c = tolower((unsigned char)s.ptr[i]);

		if (!isxdigit(c)) {
			return false;
		}
		*out = *out << 4 | (uint32_t)(c <= '9' ? c - '0' :
		    c - 'a' + 10);
	}
	return s.len > 0 && s.len <= 8;
}

/* Words of 8 digits, each in the machine's own byte order. */
static bool
hex_address(struct slice s, struct in6_addr *out)
{
	uint32_t w[4] = { 0 };
	size_t n = s.len / 8;

	if (s.len != 8 && s.len != 32) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!hex(slice_make(s.ptr + 8 * i, 8), &w[i])) {
			return false;
		}
	}
	if (n == 1) {
		w[3] = w[0];
		w[0] = 0;
		w[2] = w[3] == 0 ? 0 : htonl(0xffff);
	}
	memcpy(out, w, sizeof w);
	return true;
}

bool
port_line_parse(struct slice line, struct port_line *out)
{
	struct slice local, host, inode = { NULL, 0 };
	uint32_t port, state;

	word(&line);	/* sl */
	local = word(&line);
	word(&line);	/* remote address */
	host = slice_cut(&local, ':');
	if (!hex_address(host, &out->address) || !hex(local, &port) ||
	    port > UINT16_MAX || !hex(word(&line), &state)) {
		return false;
	}
	/* queues, timer, retransmits, uid, timeout, inode */
	for (int i = 0; i < 6; i++) {
		inode = word(&line);
	}
	out->port = (uint16_t)port;
	out->listening = state == TCP_LISTEN;
	return num_parse_u64(inode, &out->inode);
}

static bool
overlaps(const struct port_line *l, const struct sockaddr_storage *where)
{
	struct in6_addr want = IN6ADDR_ANY_INIT;

	if (!l->listening || l->port != addr_port(where)) {
		return false;
	}
	if (where->ss_family == AF_INET6) {
		want = ((const struct sockaddr_in6 *)where)->sin6_addr;
	} else {
		uint32_t ip =
		    ((const struct sockaddr_in *)where)->sin_addr.s_addr;

		if (ip != htonl(INADDR_ANY)) {
			want.s6_addr[10] = want.s6_addr[11] = 0xff;
			memcpy(&want.s6_addr[12], &ip, sizeof ip);
		}
	}
	return IN6_IS_ADDR_UNSPECIFIED(&want) ||
	    IN6_IS_ADDR_UNSPECIFIED(&l->address) ||
	    memcmp(&want, &l->address, sizeof want) == 0;
}

static bool
is_ours(uint64_t inode, const uint64_t *ours, size_t n_ours)
{
	for (size_t i = 0; i < n_ours; i++) {
		if (ours[i] == inode) {
			return true;
		}
	}
	return false;
}

/* "master" of /usr/lib/postfix/sbin/master is "postfix master" to people. */
static void
name_process(const char *pid, char *out, size_t size)
{
	char path[64], exe[PATH_MAX];
	struct slice comm, package = { NULL, 0 };
	struct buf b;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	n = readlink(path, exe, sizeof exe);
	if (n > 0 && slice_starts(slice_make(exe, (size_t)n),
	    SLICE("/usr/lib/"))) {
		package = slice_skip(slice_make(exe, (size_t)n), 9);
		package = slice_cut(&package, '/');
	}
	buf_init(&b, 256);
	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	fdio_slurp(path, &b, NULL);
	comm = buf_slice(&b);
	comm = slice_cut(&comm, '\n');
	if (package.len > 0 && !slice_eq(package, comm)) {
		snprintf(out, size, "%.*s %.*s", SLICE_ARG(package),
		    SLICE_ARG(comm));
	} else {
		snprintf(out, size, "%.*s", SLICE_ARG(comm));
	}
	for (char *p = out; *p != '\0'; p++) {
		if (!isprint((unsigned char)*p)) {
			*p = '?';	/* a process chooses its own name */
		}
	}
	buf_fini(&b);
}

static bool
has_socket(const char *pid, const char *wanted)
{
	char path[64], link[64];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	d = opendir(path);
	if (d == NULL) {
		return false;
	}
	while (!found && (e = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link,
		    sizeof link - 1);

		if (n > 0) {
			link[n] = '\0';
			found = strcmp(link, wanted) == 0;
		}
	}
	closedir(d);
	return found;
}

static void
find_process(uint64_t inode, struct port_holder *out)
{
	char wanted[48];
	struct dirent *e;
	DIR *d = opendir("/proc");
	uint64_t pid;

	snprintf(wanted, sizeof wanted, "socket:[%llu]",
	    (unsigned long long)inode);
	while (d != NULL && out->pid == 0 && (e = readdir(d)) != NULL) {
		if (num_parse_max(slice_of(e->d_name), INT_MAX, &pid) &&
		    has_socket(e->d_name, wanted)) {
			out->pid = (pid_t)pid;
			name_process(e->d_name, out->name, sizeof out->name);
		}
	}
	if (d != NULL) {
		closedir(d);
	}
}

void
port_holder_find(const struct sockaddr_storage *where, const uint64_t *ours,
    size_t n_ours, struct port_holder *out)
{
	static const char *const tables[] = { "/proc/net/tcp",
	    "/proc/net/tcp6" };
	struct port_line l;
	struct buf b;

	memset(out, 0, sizeof *out);
	buf_init(&b, PROC_NET_MAX);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct slice rest;

		buf_clear(&b);
		fdio_slurp(tables[i], &b, NULL);
		rest = buf_slice(&b);
		while (rest.len > 0) {
			if (!port_line_parse(slice_cut(&rest, '\n'), &l) ||
			    !overlaps(&l, where) ||
			    is_ours(l.inode, ours, n_ours)) {
				continue;
			}
			out->strangers++;
			if (out->pid == 0) {
				find_process(l.inode, out);
			}
		}
	}
	buf_fini(&b);
}
