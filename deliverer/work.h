/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work: one transaction handed to us: sender, recipients, a body lent in the
 * spooler's or a listener's memory, and in the end one outcome.  Here are the
 * object and its codecs; who owns it when stands in spool_client.h.
 *
 * A work is used again and again: its arrays and buffers stay, so that a
 * message costs no allocation.
 */
#ifndef EC_WORK_H
#define EC_WORK_H

#include "common/base/list.h"
#include "common/base/wire.h"
#include "common/ipc/stage.h"
#include "deliverer/smtp_client.h"
#include "deliverer/table.h"

struct lane;

/* Memory lent to us, mapped while the lender or a work needs it. */
struct slab {
	struct table_node node;		/* by handle, while lent */
	uint32_t handle;
	uint8_t role, index;		/* whose it is, for a new spooler */
	uint32_t incarnation, number;
	const char *map;
	size_t size;
	uint32_t refs;			/* extents of works */
	bool gone;			/* no longer lent */
};

struct work_extent {
	struct slab *slab;
	uint32_t offset, length;
};

enum work_state {
	WORK_WAITING,	/* in its queue, or on its way to or from it */
	WORK_SENDING,	/* at a connection */
	WORK_TOLD,	/* the outcome was said, its acknowledgement is due */
};

struct work {
	struct smtp_mail mail;
	struct list_node link;		/* in queue->waiting, or the free list */
	struct table_node node;		/* by number */
	uint64_t number;
	struct lane *queue;		/* NULL once told */
	enum work_state state;
	uint16_t slot;
	uint8_t retries;
	bool clean_lines;		/* every line of the body ends in CRLF */
	int fd;				/* the body's file, -1: in extents */
	size_t n_extents, cap_extents;
	struct work_extent *extent;
	struct slice *body;		/* the same as bytes */
	uint32_t cap_rcpt;
	struct buf bytes;		/* the message; mail borrows from it */
	struct buf outcome;		/* body of OUTCOME, from WORK_TOLD on */
};

/* What WORK says about the queue. */
struct work_head {
	uint32_t queue, left;
};

enum work_status {
	WORK_OK,
	WORK_MALFORMED,
	WORK_NO_RECIPIENTS,
	WORK_TOO_MANY,		/* recipients */
	WORK_BAD_SLOT,
	WORK_BAD_HANDLE,	/* an extent of memory never lent */
	WORK_BAD_EXTENT,	/* outside of it */
	WORK_NO_FILE,		/* WORK_FILE without one, or with extents */
	WORK_STATUSES
};

struct work *work_create(void);
void work_destroy(struct work **w);
/* Reads WORK; slabs finds the extents' memory, whose refs rise.  fd: the file of
 * WORK_FILE, the work's from then on if that is well; -1 for a WORK. */
enum work_status work_decode(struct work *w, struct slice body, int fd,
	const struct table *slabs, struct work_head *head_out);
/* Its body is not read any more. */
void work_close_file(struct work *w);
const char *work_status_text(enum work_status st);
/* Every line ends in CRLF and no CR or LF stands alone. */
bool work_lines_are_clean(const struct slice *body, size_t n);

struct work_remote {
	uint8_t ip[16];
	uint16_t port;
	struct slice name;
	uint64_t sent;
};

/* The body of OUTCOME into w->outcome; every recipient has its result. */
void work_encode_outcome(struct work *w, const struct work_remote *remote);
void work_encode_held(const struct work *w, struct buf *b);

static inline struct work *
work_of(struct smtp_mail *m)
{
	return container_of(m, struct work, mail);
}

#endif
