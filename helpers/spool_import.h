/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_import: the parts of ec_spool_import.  import_ledger is the durable list
 * of what was handed over, in the source: pickup/imported.  import_place puts a
 * message into the server's pickup/, sees whether it was taken, and takes away
 * what is left (doc/SPOOL.md has the states).
 */
#ifndef EC_SPOOL_IMPORT_H
#define EC_SPOOL_IMPORT_H

#include "helpers/spool_journal.h"

#define IMPORT_WINDOW 256u
#define IMPORT_NAME 64u

struct import_ledger {
	char key[17];		/* of the source: 16 hex digits, made once */
	int dir, fd;		/* pickup of the source, and the file */
	struct id_map ids;
};

/* Reads it, or makes it; a torn last line is cut off. */
int import_ledger_open(struct import_ledger *l, const struct spool_dir *from,
	struct error *err_out);
void import_ledger_close(struct import_ledger *l);
bool import_ledger_has(const struct import_ledger *l, msgid id);
/* Durable when it returns 0. */
int import_ledger_add(struct import_ledger *l, const msgid *ids, unsigned n,
	struct error *err_out);

struct import_place {
	int pickup;		/* of the server's spool */
	uid_t uid;
	gid_t gid;		/* its owner's: the files become theirs */
	const struct import_ledger *ledger;
};

enum import_state {
	IMPORT_ABSENT,
	IMPORT_PLACED,		/* and not taken yet */
	IMPORT_TAKEN,
};

int import_place_open(struct import_place *p, const struct spool_dir *to,
	const struct import_ledger *l, struct error *err_out);
void import_place_close(struct import_place *p);
enum import_state import_place_state(const struct import_place *p, msgid id);
/* Copies size bytes at body_at of body_fd, and m; whole or not at all, and
 * durable after import_place_sync(). */
int import_place_put(const struct import_place *p, const struct meta *m,
	int body_fd, uint64_t body_at, struct error *err_out);
int import_place_sync(const struct import_place *p, struct error *err_out);
/* What is left of an entry that was taken; missing ones are fine. */
void import_place_clear(const struct import_place *p, msgid id);

#endif
