/* SPDX-License-Identifier: Apache-2.0 */
/* Command line values and process figures of the bench programs. */
#include "tests/bench/bench_util.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "common/base/log.h"
#include "common/base/num.h"

#define EXIT_USAGE 64

bool
bench_addr_parse(const char *text, struct bench_addr *out)
{
	struct slice host = slice_of(text), port;
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *res;
	ssize_t colon = slice_rfind(host, ':');
	char h[64], p[8];
	uint64_t number;

	if (colon < 1) {
		return false;
	}
	port = slice_skip(host, (size_t)colon + 1);
	host.len = (size_t)colon;
	if (host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		host = slice_make(host.ptr + 1, host.len - 2);
	}
	if (slice_eq_nocase(host, SLICE("localhost"))) {
		host = SLICE("127.0.0.1");
	}
	if (!num_parse_max(port, 65535, &number) ||
	    !slice_copy(h, sizeof h, host) || !slice_copy(p, sizeof p, port) ||
	    getaddrinfo(h, p, &hint, &res) != 0) {
		return false;
	}
	memcpy(&out->sa, res->ai_addr, res->ai_addrlen);
	out->len = res->ai_addrlen;
	freeaddrinfo(res);
	return true;
}

void
bench_addr_print(const struct bench_addr *a, char out[64])
{
	char host[48] = "?", port[8] = "?";

	getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof host,
	    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, 64, a->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, port);
}

void
bench_tune_socket(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

bool
bench_parse_fraction(struct slice s, uint64_t unit, uint64_t *out)
{
	struct slice rest = s, whole = slice_cut(&rest, '.');
	uint64_t w = 0, f = 0, scale = 1;

	if (s.len == 0 || rest.len > 6 || (whole.len == 0 && rest.len == 0)) {
		return false;
	}
	for (size_t i = 0; i < rest.len; i++) {
		scale *= 10;
	}
	if ((whole.len > 0 && !num_parse_max(whole, 1000000000, &w)) ||
	    (rest.len > 0 && !num_parse_u64(rest, &f))) {
		return false;
	}
	*out = w * unit + f * unit / scale;
	return true;
}

uint64_t
option_number(char opt, const char *text, uint64_t max)
{
	uint64_t v;

	if (!num_parse_max(slice_of(text), max, &v)) {
		fatal(EXIT_USAGE, "option %c: \"%s\" is not a number up to "
		    "%llu", opt, text, (unsigned long long)max);
	}
	return v;
}

uint64_t
option_seconds_us(char opt, const char *text)
{
	uint64_t v;

	if (!bench_parse_fraction(slice_of(text), 1000000, &v)) {
		fatal(EXIT_USAGE, "option %c: \"%s\" is not a number of "
		    "seconds", opt, text);
	}
	return v;
}

double
bench_cpu_secs(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

void
bench_raise_fds(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}
