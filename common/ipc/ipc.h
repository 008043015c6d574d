/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipc: packets of messages between two of our processes over a Unix
 * SOCK_SEQPACKET pair.  Messages said during a turn of the loop leave together
 * at its end, up to 64 KiB a packet.
 *
 *	struct buf *b = ipc_begin(link, IPC_STORED);
 *	wire_put_u64(b, seq);
 *	wire_put_u8(b, STORED_OK);
 *	ipc_end(link);
 *
 * Nothing here blocks.  When the peer does not read, packets wait in memory;
 * what bounds them is that every message type is credited by its protocol
 * (doc/IPC.md).  Reading never waits for writing.
 *
 * A descriptor travels alone: ipc_send_fd() puts its message into a packet of
 * its own.  A handler that keeps a received descriptor takes it by
 * ipc_take_fd(); what it leaves is closed.
 *
 * A peer that is gone is told of when all it said has been read: the reason is
 * then IPC_CLOSED.
 *
 * A malformed packet or a message out of role takes the link down with a
 * reason; on_down is called once, from the loop, and the owner then calls
 * ipc_link_close().
 */
#ifndef EC_IPC_H
#define EC_IPC_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/loop.h"
#include "common/base/slice.h"
#include "common/base/wire.h"
#include "common/ipc/ipc_msgs.h"

#define IPC_PACKET_MAX 65536u
/* Head of a message: u16 type, u16 zero, u32 body length; body padded to 8. */
#define IPC_HEAD 8u
#define IPC_CLOSED "closed by the other side"
#define IPC_BODY_MAX (IPC_PACKET_MAX - IPC_HEAD)

struct ipc_link;

struct ipc_msg {
	enum ipc_type type;
	struct slice body;
	int *fds;
	int n_fds;
};

typedef void (*ipc_msg_fn)(void *arg, struct ipc_link *, struct ipc_msg *);
typedef void (*ipc_down_fn)(void *arg, struct ipc_link *, const char *reason);

/* One per process: the receive buffer and the links with output waiting. */
struct ipc_hub {
	struct loop *loop;
	struct loop_hook hook;
	struct list_node dirty;
	char *packet;
};

struct ipc_link {
	struct ipc_hub *hub;
	struct loop_fd watch;
	int fd;			/* -1: closed */
	uint8_t self, peer, peer_index;
	uint32_t incarnation;	/* of the peer */
	struct list_node link;	/* in hub->dirty */
	struct list_node queue;	/* packets the socket did not take */
	size_t queued_bytes;
	struct buf out;		/* the packet being filled */
	size_t begun;		/* where the open message starts + 1, or 0 */
	bool down;
	bool deaf;		/* the peer is gone, its last words are not read */
	char why[128];
	ipc_msg_fn on_msg;
	ipc_down_fn on_down;
	void *arg;
};

void ipc_hub_init(struct ipc_hub *h, struct loop *l);
void ipc_hub_fini(struct ipc_hub *h);

/* Takes over fd. */
void ipc_link_open(struct ipc_link *k, struct ipc_hub *h, int fd,
	enum ipc_role self, enum ipc_role peer, unsigned peer_index,
	ipc_msg_fn on_msg, ipc_down_fn on_down, void *arg);
void ipc_link_close(struct ipc_link *k);
/* Reads what stands in the socket, without waiting: the last words of a peer
 * that is dead. */
void ipc_last_words(struct ipc_link *k);
bool ipc_link_is_up(const struct ipc_link *k);

struct buf *ipc_begin(struct ipc_link *k, enum ipc_type type);
void ipc_end(struct ipc_link *k);
/* A message without a body. */
void ipc_say(struct ipc_link *k, enum ipc_type type);
/* A message with descriptors, which stay the caller's. */
void ipc_send_fd(struct ipc_link *k, enum ipc_type type, struct slice body,
	const int *fds, int n_fds);
/* What waits goes now as far as the socket takes it. */
void ipc_flush(struct ipc_link *k);
/* Bytes not yet taken by the socket. */
size_t ipc_backlog(const struct ipc_link *k);

/* The next descriptor of m, now the caller's; -1 if there is none. */
int ipc_take_fd(struct ipc_msg *m);
/* A handler's verdict that the body is malformed: the link goes down. */
void ipc_bad(struct ipc_link *k, const char *fmt, ...) EC_PRINTF(2, 3);

/* A connected pair for two workers, non-blocking, with large buffers. */
int ipc_pair(int fds[2], struct error *err_out);

/* Splits one packet into messages; for the receiver and its fuzz target.
 * Gives 1 and the next message, 0 at the end, -1 if malformed. */
int ipc_next(struct wire_r *r, struct ipc_msg *out);
/* May a process of this role send that to the other? */
bool ipc_may(unsigned from, unsigned to, unsigned type);

#endif
