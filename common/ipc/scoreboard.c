/* SPDX-License-Identifier: Apache-2.0 */
/* The shared table of what each worker does. */
#include "common/ipc/scoreboard.h"

#include "common/base/shm.h"

int
scoreboard_create(struct scoreboard **out, struct error *err_out)
{
	void *p;
	int fd = shm_create("ecelerity-scoreboard", sizeof(struct scoreboard),
	    false, &p, err_out);

	if (fd < 0) {
		return -1;
	}
	*out = p;
	(*out)->magic = SCORE_MAGIC;
	(*out)->version = SCORE_VERSION;
	(*out)->size_bytes = (uint32_t)sizeof(struct scoreboard);
	return fd;
}

struct scoreboard *
scoreboard_map(int fd, struct error *err_out)
{
	struct scoreboard *b = shm_map(fd, sizeof *b, true, false, err_out);

	if (b != NULL && (b->magic != SCORE_MAGIC ||
	    b->version != SCORE_VERSION || b->size_bytes != sizeof *b)) {
		error_set(err_out, ERROR_PROTOCOL,
		    "the scoreboard is of another version: supervisor and "
		    "workers must come from one build");
		return NULL;
	}
	return b;
}

const struct score_name *
score_names(unsigned role, unsigned *count_out)
{
#define X(p, id, text, is_gauge) [SCORE_##p##_##id] = { text, is_gauge },
	static const struct score_name listener[] = { SCORE_LISTENER(X) };
	static const struct score_name spooler[] = { SCORE_SPOOLER(X) };
	static const struct score_name deliverer[] = { SCORE_DELIVERER(X) };
	static const struct score_name resolver[] = { SCORE_RESOLVER(X) };
	static const struct score_name logger[] = { SCORE_LOGGER(X) };
	static const struct score_name console[] = { SCORE_CONSOLE(X) };
#undef X
	static const struct {
		const struct score_name *names;
		unsigned count;
	} all[ROLE_COUNT] = {
		[ROLE_LISTENER] = { listener, ARRAY_LEN(listener) },
		[ROLE_SPOOLER] = { spooler, ARRAY_LEN(spooler) },
		[ROLE_DELIVERER] = { deliverer, ARRAY_LEN(deliverer) },
		[ROLE_RESOLVER] = { resolver, ARRAY_LEN(resolver) },
		[ROLE_LOGGER] = { logger, ARRAY_LEN(logger) },
		[ROLE_CONSOLE] = { console, ARRAY_LEN(console) },
	};

	*count_out = role < ROLE_COUNT ? all[role].count : 0;
	return role < ROLE_COUNT ? all[role].names : NULL;
}
