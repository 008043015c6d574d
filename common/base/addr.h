/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr: IP addresses and ports as text.  No name is ever looked up here.
 *
 *	struct sockaddr_storage ss;
 *	if (addr_parse(SLICE("[::1]:2525"), 25, &ss)) {
 *		bind(fd, (struct sockaddr *)&ss, addr_len(&ss));
 *	}
 */
#ifndef EC_ADDR_H
#define EC_ADDR_H

#include "common/base/base.h"
#include "common/base/slice.h"

#include <sys/socket.h>

#define ADDR_TEXT_MAX 64	/* holds any "[address]:port" and a NUL */

/* A bare address, "10.0.0.1" or "::1" or "[::1]"; the port becomes 0. */
bool addr_parse_ip(struct slice s, struct sockaddr_storage *out);
/* "1.2.3.4", "1.2.3.4:25", "::1", "[::1]", "[::1]:25", and for listening
 * ":25" and "*:25" (every IPv4 address).  Without a port: default_port. */
bool addr_parse(struct slice s, uint16_t default_port,
	struct sockaddr_storage *out);
/* Splits "host", "host:25", "[::1]:25" or "::1" without judging the host
 * beyond its characters.  False on an empty host or a bad port. */
bool addr_split(struct slice s, uint16_t default_port, struct slice *host_out,
	uint16_t *port_out);
socklen_t addr_len(const struct sockaddr_storage *ss);
uint16_t addr_port(const struct sockaddr_storage *ss);
void addr_set_port(struct sockaddr_storage *ss, uint16_t port);
/* Same family, address and port. */
bool addr_eq(const struct sockaddr_storage *a,
	const struct sockaddr_storage *b);
/* "1.2.3.4:25" or "[::1]:25"; without port "1.2.3.4" or "::1".  A v4-mapped
 * address is written as IPv4.  Gives out. */
char *addr_format(const struct sockaddr *sa, char *out, size_t size);
char *addr_format_ip(const struct sockaddr *sa, char *out, size_t size);

#endif
