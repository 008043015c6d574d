/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses and ports as text. */
#include "common/base/addr.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool
parse_port(struct slice s, uint16_t *out)
{
	uint64_t n;

	if (s.len > 5 || !num_parse_max(s, 65535, &n)) {
		return false;
	}
	*out = (uint16_t)n;
	return true;
}

static struct slice
without_brackets(struct slice s)
{
	if (s.len >= 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']') {
		return slice_make(s.ptr + 1, s.len - 2);
	}
	return s;
}

bool
addr_parse_ip(struct slice s, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	bool bracket = s.len > 0 && s.ptr[0] == '[';
	char text[INET6_ADDRSTRLEN];

	memset(out, 0, sizeof *out);
	s = without_brackets(s);
	/* A NUL inside would hide what follows it from inet_pton(). */
	if (slice_find(s, '\0') >= 0 || !slice_copy(text, sizeof text, s)) {
		return false;
	}
	if (!bracket && inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		return true;
	}
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		return true;
	}
	return false;
}

bool
addr_split(struct slice s, uint16_t default_port, struct slice *host_out,
	uint16_t *port_out)
{
	ssize_t colon = slice_rfind(s, ':');
	ssize_t first = slice_find(s, ':');
	struct slice host = s;

	*port_out = default_port;
	if (s.len > 0 && s.ptr[0] == '[') {
		ssize_t end = slice_find(s, ']');

		if (end < 0) {
			return false;
		}
		host = slice_make(s.ptr + 1, (size_t)end - 1);
		s = slice_skip(s, (size_t)end + 1);
		if (s.len > 0 && (s.ptr[0] != ':' ||
		    !parse_port(slice_skip(s, 1), port_out))) {
			return false;
		}
	} else if (colon >= 0 && colon == first) {
		/* One colon only: several would be a bare IPv6 address. */
		host = slice_make(s.ptr, (size_t)colon);
		if (!parse_port(slice_skip(s, (size_t)colon + 1), port_out)) {
			return false;
		}
	}
	for (size_t i = 0; i < host.len; i++) {
		if (host.ptr[i] <= ' ' || host.ptr[i] > '~') {
			return false;
		}
	}
	*host_out = host;
	return host.len > 0;
}

bool
addr_parse(struct slice s, uint16_t default_port, struct sockaddr_storage *out)
{
	struct slice host;
	uint16_t port;

	if (slice_eq(s, SLICE("*"))) {
		host = SLICE("0.0.0.0");
		port = default_port;
	} else if (slice_starts(s, SLICE(":")) &&
	    !slice_starts(s, SLICE("::"))) {
		host = SLICE("0.0.0.0");
		if (!parse_port(slice_skip(s, 1), &port)) {
			return false;
		}
	} else if (!addr_split(s, default_port, &host, &port)) {
		return false;
	}
	if (slice_eq(host, SLICE("*"))) {
		host = SLICE("0.0.0.0");
	}
	if (host.ptr[0] == '[' || !addr_parse_ip(host, out)) {
		return false;
	}
	/* Brackets are for IPv6. */
	if (s.ptr[0] == '[' && out->ss_family != AF_INET6) {
		return false;
	}
	addr_set_port(out, port);
	return true;
}

socklen_t
addr_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
}

uint16_t
addr_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ?
	    ((const struct sockaddr_in6 *)ss)->sin6_port :
	    ((const struct sockaddr_in *)ss)->sin_port);
}

void
addr_set_port(struct sockaddr_storage *ss, uint16_t port)
{
	if (ss->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
	} else {
		((struct sockaddr_in *)ss)->sin_port = htons(port);
	}
}

bool
addr_eq(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family || addr_port(a) != addr_port(b)) {
		return false;
	}
	if (a->ss_family == AF_INET6) {
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		    &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
	}
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
	    ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

/* True if the text is an IPv6 one (and wants brackets before a port). */
static bool
ip_text(const struct sockaddr *sa, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	snprintf(text, INET6_ADDRSTRLEN, "unknown");
	if (sa->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr,
		    text, INET6_ADDRSTRLEN);
	} else if (sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text,
		    INET6_ADDRSTRLEN);
	} else if (sa->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
		return true;
	}
	return false;
}

char *
addr_format(const struct sockaddr *sa, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	bool v6 = ip_text(sa, text);
	unsigned port = 0;

	if (sa->sa_family == AF_INET) {
		port = ntohs(((const struct sockaddr_in *)sa)->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		port = ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
	}
	snprintf(out, size, v6 ? "[%s]:%u" : "%s:%u", text, port);
	return out;
}

char *
addr_format_ip(const struct sockaddr *sa, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	ip_text(sa, text);
	snprintf(out, size, "%s", text);
	return out;
}
