/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the load generator, the sink and the reconciler share: addresses and
 * numbers from the command line, a listening or connecting address, CPU used.
 *
 * Nothing here is part of the mail transfer agent.  The functions named
 * option_* end the program with code 64 and a sentence on a bad value.
 */
#ifndef EC_BENCH_UTIL_H
#define EC_BENCH_UTIL_H

#include "common/base/base.h"
#include "common/base/slice.h"

#include <sys/socket.h>

struct bench_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* "HOST:PORT" or "[V6]:PORT", HOST numeric or localhost. */
bool bench_addr_parse(const char *text, struct bench_addr *out);
/* "127.0.0.1:25"; out has room for 64 bytes. */
void bench_addr_print(const struct bench_addr *a, char out[64]);
/* No waiting for more to send (best effort). */
void bench_tune_socket(int fd);
/* A decimal fraction as parts of unit ("0.25" of 1000000 is 250000); at most
 * six digits behind the point; false on anything else. */
bool bench_parse_fraction(struct slice s, uint64_t unit, uint64_t *out);
uint64_t option_number(char opt, const char *text, uint64_t max);
uint64_t option_seconds_us(char opt, const char *text);
/* User and system time of this process so far. */
double bench_cpu_secs(void);
/* As many descriptors as this process may have. */
void bench_raise_fds(void);

#endif
