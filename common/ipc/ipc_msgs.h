/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE list of messages between our processes: name, who sends it, who may
 * receive it.  The enum, the names, the role check and doc/IPC.md come from
 * this list.  A message that is malformed, or from a role that may not send
 * it, costs its sender the link, never the receiver its life.
 *
 * Bodies are written and read with common/base/wire; "bytes" is u16 length +
 * bytes.  extent = u32 slab, u32 offset, u32 length.  All times are wall time
 * in microseconds unless said otherwise.
 */
#ifndef EC_IPC_MSGS_H
#define EC_IPC_MSGS_H

#include "common/base/base.h"

enum ipc_role {
	ROLE_SUPERVISOR, ROLE_LISTENER, ROLE_SPOOLER, ROLE_DELIVERER,
	ROLE_RESOLVER, ROLE_LOGGER, ROLE_CONSOLE, ROLE_COUNT
};
#define ROLE_BIT(r) (1u << (r))
#define ROLE_WORKERS (ROLE_BIT(ROLE_COUNT) - 2u)	/* all but supervisor */

/* X(name, senders, receivers, body) */
#define IPC_MESSAGES(X) \
/* Supervisor and its workers. */ \
X(SUP_CONFIG, ROLE_BIT(ROLE_SUPERVISOR), ROLE_WORKERS, \
  "u32 generation, u32 uid, u32 gid, u8 drop ids; fd: sealed configuration") \
X(SUP_LINK, ROLE_BIT(ROLE_SUPERVISOR), ROLE_WORKERS, \
  "u8 role, u8 index, u32 incarnation of the peer; fd: socket") \
X(SUP_LISTEN, ROLE_BIT(ROLE_SUPERVISOR), ROLE_BIT(ROLE_LISTENER), \
  "u16 slot (listener index it is made for), bytes listener scope, " \
  "bytes listen address as configured; fd: listening socket") \
X(SUP_LISTEN_GONE, ROLE_BIT(ROLE_SUPERVISOR), ROLE_BIT(ROLE_LISTENER), \
  "bytes listener scope, bytes listen address: accept no more there") \
X(SUP_ADOPT, ROLE_BIT(ROLE_SUPERVISOR), ROLE_BIT(ROLE_LISTENER), \
  "u16 slot, u8 on: serve (or leave) that slot's sockets too, its owner is " \
  "away, silent or busier") \
X(SUP_DRAIN, ROLE_BIT(ROLE_SUPERVISOR), ROLE_WORKERS, \
  "nothing: take no new work, finish what is at hand, exit 0") \
X(SUP_REOPEN, ROLE_BIT(ROLE_SUPERVISOR), ROLE_WORKERS, \
  "nothing: reopen log files") \
X(SUP_PEER_DEAD, ROLE_BIT(ROLE_SUPERVISOR), ROLE_WORKERS, \
  "u8 role, u8 index, u32 incarnation, u8 crashed: reaped, it does nothing " \
  "any more; crashed: it had not been asked to leave") \
X(SUP_ANSWER, ROLE_BIT(ROLE_SUPERVISOR), ROLE_BIT(ROLE_CONSOLE), \
  "u32 request, u8 ok, bytes text") \
X(SUP_READY, ROLE_WORKERS, ROLE_BIT(ROLE_SUPERVISOR), "nothing") \
X(SUP_FAILED, ROLE_WORKERS, ROLE_BIT(ROLE_SUPERVISOR), \
  "u8 exit code, bytes sentence: said before a worker exits at start") \
X(SUP_BAD_PEER, ROLE_WORKERS, ROLE_BIT(ROLE_SUPERVISOR), \
  "u8 role, u8 index, u32 incarnation, bytes reason: kill and restart it") \
X(SUP_REQUEST, ROLE_BIT(ROLE_CONSOLE), ROLE_BIT(ROLE_SUPERVISOR), \
  "u32 request, u8 what (enum sup_request)") \
/* Listener and spooler. */ \
X(STORE_HELLO, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u32 incarnation; slabs and unanswered STOREs follow, then " \
  "STORE_HELLO_END") \
X(STORE_HELLO_END, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), "nothing") \
X(STORE_SLAB, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u32 slab, u64 size; fd: sealed memory") \
X(STORE_SLAB_GONE, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u32 slab: no extent of it is lent any more") \
X(STORE, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 seq, u8 resent, u8 extents, extent[], rest: envelope") \
X(LARGE_DATA, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 batch, extent[]: the next bytes of a large body; the first begins it") \
X(LARGE_TAKEN, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "u64 batch, u8 result (enum store_result; not 0: nothing more of it is " \
  "kept), extent[]: given back, in the order they came") \
X(LARGE_ABORT, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 batch: there will be no STORE_LARGE") \
X(STORE_LARGE, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 seq, u8 resent, u64 size, rest: envelope; all of its body was said " \
  "by LARGE_DATA") \
X(STORED, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "u64 seq, u8 result (enum store_result); REMOTE: u16 code, bytes reply") \
X(STORE_CREDIT, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "u32 window: unanswered STOREs allowed") \
X(RELEASE, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "extent[]: given back, nobody reads them any more") \
X(KEEP, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "extent[]: a new spooler still has these lent") \
X(KEEP_END, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "nothing: every extent lent but neither kept nor in an unanswered STORE " \
  "is given back") \
X(LEASE_ASK, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_SPOOLER), "nothing") \
X(LEASE, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LISTENER), \
  "u16 allocator, u32 first second, u32 last second") \
/* Spooler and deliverer. */ \
X(WORK_HELLO, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_SPOOLER), \
  "u32 incarnation; WORK_HELD and unacknowledged OUTCOMEs follow, then " \
  "WORK_HELLO_END") \
X(WORK_HELD, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 work, u16 slot, u16 ids, u64 id[], u8 extents, then per extent u8 " \
  "role, u8 index, u32 incarnation, extent") \
X(WORK_HELLO_END, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_SPOOLER), "nothing") \
X(LEND_SLAB, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u8 role, u8 index, u32 incarnation, u32 slab, u64 size, u32 handle; " \
  "fd: sealed memory") \
X(LEND_SLAB_GONE, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u32 handle: unmap it once no work uses it") \
X(READY, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u32 queue, u32 active, bytes domain, bytes group, bytes binding") \
X(PULL, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_SPOOLER), \
  "u32 queue, u32 credit: transactions that may be outstanding") \
X(WORK, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u64 work, u32 queue, u32 left (still active in the queue), u16 slot, " \
  "u32 envelope flags, u64 size, u8 extents, " \
  "per extent u32 handle, u32 offset, u32 length; bytes sender, bytes envid, " \
  "u16 recipients, per recipient u64 id, u8 notify, bytes addr, bytes orcpt") \
X(WORK_FILE, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "as WORK, without extents; fd: a file to read, its first size bytes are " \
  "the body") \
X(OUTCOME, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 work, u64 bytes sent, 16 bytes remote ip, u16 port, bytes remote name, " \
  "u16 results, per result u64 id, u8 kind (enum event_kind), u8 stage, " \
  "u16 code, bytes reply") \
X(OUTCOME_ACK, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u64 work: its outcome is durable") \
X(QUEUE_GONE, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_DELIVERER), \
  "u32 queue: empty and forgotten, its number may be used again") \
/* Deliverer and resolver. */ \
X(RESOLVE, ROLE_BIT(ROLE_DELIVERER), ROLE_BIT(ROLE_RESOLVER), \
  "u32 query, u8 kind (enum resolve_kind), bytes name") \
X(RESOLVED, ROLE_BIT(ROLE_RESOLVER), ROLE_BIT(ROLE_DELIVERER), \
  "u32 query, u8 status (enum resolve_status), u32 ttl seconds, bytes text, " \
  "u16 hosts, per host u16 preference, bytes name, u8 addresses, per address " \
  "16 bytes (IPv4 mapped)") \
/* Logger. */ \
X(LOG_HELLO, ROLE_BIT(ROLE_LOGGER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 position: the last journal position whose lines are durable, 0 none") \
X(LOG_EVENT, ROLE_BIT(ROLE_SPOOLER), ROLE_BIT(ROLE_LOGGER), \
  "u64 position, rest: event") \
X(LOG_ACK, ROLE_BIT(ROLE_LOGGER), ROLE_BIT(ROLE_SPOOLER), \
  "u64 position: all lines up to it are durable") \
X(LOG_REJECT, ROLE_BIT(ROLE_LISTENER), ROLE_BIT(ROLE_LOGGER), \
  "rest: reject (common/mail/reject)") \
/* Console. */ \
X(ASK, ROLE_BIT(ROLE_CONSOLE), ROLE_BIT(ROLE_SPOOLER) | \
  ROLE_BIT(ROLE_DELIVERER) | ROLE_BIT(ROLE_RESOLVER), \
  "u32 request, bytes command, bytes argument, u32 limit") \
X(TOLD, ROLE_BIT(ROLE_SPOOLER) | ROLE_BIT(ROLE_DELIVERER) | \
  ROLE_BIT(ROLE_RESOLVER), ROLE_BIT(ROLE_CONSOLE), \
  "u32 request, u8 last, rest: a line of JSON")

enum ipc_type {
	IPC_NONE,
#define X(name, from, to, body) IPC_##name,
	IPC_MESSAGES(X)
#undef X
	IPC_TYPES
};

enum store_result {
	STORED_OK,		/* durable: 250 */
	STORED_FULL,		/* no room: 452 4.3.1 */
	STORED_FAILED,		/* the disk refused: 451 4.3.0 */
	STORED_TOO_BIG,		/* 552 5.3.4 */
	STORED_REMOTE,		/* not here: the next host's answer, which
				 * follows */
	STORE_RESULTS
};

enum sup_request { SUP_RELOAD, SUP_REOPEN_LOGS, SUP_SHUTDOWN, SUP_REQUESTS };

enum resolve_kind {
	RESOLVE_MX,	/* MX, then A/AAAA of each; no MX: A/AAAA of the name */
	RESOLVE_HOST,	/* A/AAAA only */
	RESOLVE_KINDS
};

enum resolve_status {
	RESOLVE_OK,
	RESOLVE_NO_NAME,	/* NXDOMAIN */
	RESOLVE_NO_DATA,	/* the name is there, neither MX nor address */
	RESOLVE_NULL_MX,	/* RFC 7505 */
	RESOLVE_LOOP,		/* the best MX is ourselves */
	RESOLVE_TEMPORARY,	/* servers failed or did not answer */
	RESOLVE_STATUSES
};

const char *ipc_role_name(unsigned role);
const char *ipc_type_name(unsigned type);

#endif
