/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener: what main.c wires together and the parts of this folder share.
 *
 *	endpoint	listening sockets, accepting, neighbours' slots
 *	conn		a client's socket; drives smtp_line, smtp_command,
 *			smtp_session
 *	body		content into the arena
 *	large		content that outgrows it, on to the spooler
 *	mend		lone line feeds into CRLF (pure)
 *	store_client	STORE, STORED, RELEASE with the spooler; id leases
 *	policy		who may send what: settings of a session, relay control
 *	refuse		rejects to the logger
 *
 * One thread.  Nothing here outlives a crash, and nothing needs to: a client
 * has its 250 only for what the spooler has on disk.
 */
#ifndef EC_LISTENER_H
#define EC_LISTENER_H

#include "common/base/scratch.h"
#include "common/ipc/arena.h"
#include "common/ipc/worker.h"
#include "common/mail/date.h"
#include "common/mail/dot.h"
#include "common/mail/envelope.h"
#include "common/mail/size.h"
#include "common/mail/smtp_line.h"
#include "listener/mend.h"
#include "listener/smtp_session.h"

#define RECEIVED_ROOM 2048u	/* for the trace header */
#define READ_BYTES 65536u	/* one read of one client */
#define OUT_MAX 65536u		/* replies waiting for a client that does not
				 * read */
#define BODY_EXTENTS 255u	/* as a STORE counts them */
/* What they surely hold: the first two may be small (body). */
#define BODY_MOST ((BODY_EXTENTS - 2) * ARENA_BLOCK_BYTES - RECEIVED_ROOM)
#define LARGE_MOST (UINT64_C(2) << 30)	/* without Max_Message_Size */
#define LARGE_WINDOWS 4u	/* extents of a large body in turn */
#define SESSION_SCRATCH (256u << 10)	/* envelope strings of one client */

struct endpoint {		/* one listening socket */
	struct list_node link;
	struct listener *l;
	int fd;
	unsigned slot;		/* the listener it is made for */
	bool watched;
	struct loop_fd watch;
	char scope[128], listen[128];	/* names in the configuration */
	const struct config_scope *at_scope, *at_listen;	/* now */
	uint32_t sessions;
	uint64_t max_sessions;
};

struct settings {		/* of one session, copied from the options */
	uint64_t idle_us;
	uint64_t large_threshold;
	bool trace_headers, null_sender, ip_literal;
	bool may_relay;		/* Relay_Hosts or Open_Relay */
	unsigned lone_lf_header, lone_lf_body;
	uint64_t max_line;	/* 0: any */
	char banner[256];	/* host name */
	char received[256];
	char static_banner[256];
};

struct body {			/* content on its way into the arena */
	struct dot_decoder dot;
	uint32_t reserved;	/* blocks */
	uint64_t size;
	uint64_t max;		/* above it: too large */
	unsigned n;
	struct extent ext[BODY_EXTENTS];	/* length: bytes used */
	size_t room;		/* left in the last one */
	bool discard;
	bool ended;		/* the dot was seen */
	bool mending;		/* lone line feeds become CRLF on their way */
	struct mend mend;
	/* Of a large one: it goes to the spooler as it comes.  ext[0..lent) is
	 * being written there, what is behind is not yet said. */
	bool large;
	bool broken;		/* its spooler died, or was too slow: 451 */
	bool full;		/* the disk is: 452 */
	bool waits;		/* for an extent: its client is not read */
	unsigned lent, n_spare;
	struct extent spare[LARGE_WINDOWS];	/* length: their room */
	uint64_t sent;		/* bytes said */
};

struct pending_store {		/* a STORE without its STORED */
	struct list_node link;
	uint64_t seq;
	struct session *session;	/* NULL: the client is gone */
	bool sent;		/* to a spooler, this one or an earlier */
	bool on_link;		/* to this one */
	bool large;		/* the body is with the spooler */
	msgid batch;
	uint64_t size;
	unsigned n;
	struct extent *ext;
	struct slice envelope;	/* behind ext, one allocation */
};

struct session {
	struct list_node link;
	struct listener *l;
	struct endpoint *endpoint;
	int fd;
	struct loop_fd watch;
	struct loop_timer timer;
	uint64_t deadline_us;
	struct smtp_session sm;
	struct smtp_line line;
	struct settings set;
	uint32_t generation;	/* of the configuration in set */
	struct sockaddr_storage peer, local;
	uint8_t peer_ip[16], local_ip[16];
	uint16_t peer_port, local_port;
	msgid conn_id;
	char helo[256];
	struct reply_text given;	/* the driver's own reply */
	bool given_stored;	/* it goes in place of the one 250 */
	char remote[512], remote_enh[12];	/* its words, the next host's */
	uint64_t store_deadline_us;	/* then the client gets 451 */
	struct buf left;	/* read and not yet served */
	struct buf out;		/* replies, out_at bytes of it sent */
	size_t out_at;
	bool closing;		/* when out is sent */
	bool deaf;		/* not read until the message is stored */
	bool dead;		/* freed at the end of the turn */
	/* The transaction. */
	struct scratch scratch;
	struct slice sender;
	uint32_t env_flags;
	struct slice envid;
	uint64_t declared;	/* SIZE= */
	struct recipient *rcpt;
	uint32_t n_rcpt, cap_rcpt;
	size_t env_bytes;	/* of the envelope so far */
	msgid batch_id;
	struct body body;
	struct list_node in_large;	/* of the listener, while it is */
	struct pending_store *store;
};

struct listener {
	struct worker *w;
	struct loop *loop;
	struct arena *arena;
	struct id_source ids, spare;
	bool asked;		/* for a lease */
	uint64_t asked_us;
	struct list_node endpoints, sessions, dead;
	struct list_node stores;	/* pending, oldest first */
	uint32_t n_waiting;	/* of them, with no spooler */
	struct list_node larges;	/* sessions whose body is large */
	bool sweeping;		/* a new spooler says what it keeps */
	struct extent *old;	/* lent when its link came up, by place */
	size_t n_old, cap_old;
	uint64_t next_seq;
	uint32_t window, outstanding;
	struct ipc_link *spooler;
	uint32_t generation;
	uint32_t n_sessions;
	uint64_t max_body;	/* what a STORE and the journal can hold: what
				 * is larger must be large */
	uint64_t store_timeout_us;	/* for the spooler, then 451 */
	bool passthrough;	/* the answer is the next host's */
	uint32_t most_sessions;	/* descriptors suffice for */
	bool accepting, draining, adopted[SCORE_PER_ROLE];
	bool crowded;		/* out of descriptors: accept later */
	struct date_cache date;
	struct loop_hook turn_end;
	char host[256];
	char *read;		/* READ_BYTES and a kept line before them */
	uint64_t rate_at_us, rate_base;	/* for the title */
	unsigned per_minute;
};

/* endpoint */
void endpoint_add(struct listener *l, struct ipc_msg *m);
void endpoint_gone(struct listener *l, struct ipc_msg *m);
void endpoint_adopt(struct listener *l, struct ipc_msg *m);
/* Watches what is ours now: own slot and adopted ones, while we may accept. */
void endpoint_update(struct listener *l);
void endpoint_reconfigure(struct listener *l);
/* Accepts what waits, then closes all: we are leaving. */
void endpoint_drain(struct listener *l);
/* A session less; one that was taken away goes with its last. */
void endpoint_put(struct endpoint *e);
/* Descriptors are there again, maybe. */
void endpoint_uncrowd(struct listener *l);

/* conn */
void session_open(struct endpoint *e, int fd,
	const struct sockaddr_storage *peer);
/* The answer for its message: an event of smtp_session. */
void session_stored(struct session *s, enum smtp_event ev);
/* The next host's answer: a reply line with or without its code. */
void session_answered(struct session *s, unsigned code, struct slice text);
void session_drain(struct listener *l);
bool session_sweep(struct listener *l);	/* frees the dead; were there any? */
/* The client hung up, or has at least said all it will ever say. */
bool session_is_gone(const struct session *s);
/* There is room for what it waited with, or none is needed any more. */
void session_go_on(struct session *s);

/* policy */
void policy_settings(struct session *s);
bool policy_may_send_to(struct session *s, struct slice domain);
void policy_reconfigure(struct listener *l);

/* body */
/* Reserves for size bytes (0: not said); false: no room. */
bool body_begin(struct session *s);
enum body_result {
	BODY_MORE, BODY_DOT, BODY_LARGE, BODY_FULL,
	BODY_WAIT	/* session_go_on() will be called */
};
enum body_result body_take(struct session *s, struct slice in,
	size_t *used_out);
/* Gives extents and reservation back. */
void body_drop(struct session *s);
/* The extents are the STORE's from now on; the reservation goes back. */
void body_hand_over(struct session *s);
bool body_put(struct session *s, struct slice bytes);
/* All of it has come: bytes of it, for the STORE. */
uint64_t body_end(struct session *s);

/* large */
/* What has come is said to the spooler; from here on it is large. */
void large_begin(struct session *s);
/* The extents that are full. */
void large_send(struct session *s);
/* Another extent into ext[n]; false: one will come back, or (with none lent)
 * never will. */
bool large_grow(struct session *s);
/* Room there is and can be had without waiting, at least want if possible. */
size_t large_room(struct session *s, size_t want);
/* It is not to be: the spooler hears of it. */
void large_drop(struct session *s);
/* It is with the spooler whole. */
void large_hand_over(struct session *s);
/* It waited for too long. */
void large_give_up(struct session *s);
void large_taken(struct listener *l, struct ipc_link *k, struct ipc_msg *m);
/* The spooler is gone, and the bodies with it. */
void large_link_down(struct listener *l);

/* store_client */
void store_link_up(struct listener *l, struct ipc_link *k);
void store_link_down(struct listener *l);
void store_message(struct listener *l, struct ipc_link *k, struct ipc_msg *m);
/* Sends the session's message; its answer comes by session_stored(). */
bool store_begin(struct session *s, uint64_t size);
/* The client is gone or was told 451. */
void store_forget(struct session *s);
msgid store_new_id(struct listener *l);
bool store_is_ready(const struct listener *l);
/* Its message is with no spooler. */
bool store_is_waiting(const struct session *s);
/* Each second: leases before they run out. */
void store_tick(struct listener *l);
void store_slab(void *arg, uint32_t slab, int fd, size_t size);

/* refuse: one line of the rejectlog */
void refuse_log(struct session *s, enum smtp_state was, unsigned code,
	struct slice text);

#endif
