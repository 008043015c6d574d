/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped arenas of others and of our own. */
#include "spooler/slabs.h"

#include <sys/mman.h>

#include "common/base/shm.h"

static uint32_t
place(struct slabs *s, uint32_t max)
{
	for (uint32_t h = 1; h < EC_MIN(s->n, max); h++) {
		if (s->slab[h] == NULL) {
			return h;
		}
	}
	return s->n < max ? s->n++ : 0;
}

static uint32_t
put(struct slabs *s, unsigned role, unsigned index, uint32_t incarnation,
    uint32_t number, uint64_t size, int fd, char *map)
{
	/* Listeners cannot take the places of our own. */
	uint32_t h = place(s, role == ROLE_SPOOLER ? SLABS_MAX :
	    SLABS_MAX - ARENA_MAX_SLABS);
	struct slab *b;

	if (h == 0) {
		return 0;
	}
	b = xcalloc(1, sizeof *b);
	b->role = (uint8_t)role;
	b->index = (uint8_t)index;
	b->incarnation = incarnation;
	b->number = number;
	b->fd = fd;
	b->map = map;
	b->size = size;
	s->slab[h] = b;
	return h;
}

static void
on_own_slab(void *arg, uint32_t number, int fd, size_t size)
{
	struct slabs *s = arg;
	struct extent x = { .slab = number };

	/* The arena's own descriptor: it stays open as long as the slab. */
	ec_assert(put(s, ROLE_SPOOLER, 0, s->own_incarnation, number, size, fd,
	    arena_at(s->own, x)) != 0);
}

void
slabs_init(struct slabs *s, uint64_t own_max_bytes, uint32_t incarnation,
    void (*on_gone)(void *, uint32_t, uint32_t), void *arg)
{
	memset(s, 0, sizeof *s);
	s->n = 1;
	s->own_incarnation = incarnation;
	s->on_gone = on_gone;
	s->arg = arg;
	s->own = arena_create("ecelerity-spooler", own_max_bytes, on_own_slab,
	    s);
}

uint32_t
slabs_find(const struct slabs *s, unsigned role, unsigned index,
    uint32_t incarnation, uint32_t number)
{
	for (uint32_t h = 1; h < s->n; h++) {
		const struct slab *b = s->slab[h];

		if (b != NULL && b->role == role && b->index == index &&
		    b->incarnation == incarnation && b->number == number) {
			return h;
		}
	}
	return 0;
}

uint32_t
slabs_add(struct slabs *s, unsigned role, unsigned index, uint32_t incarnation,
    uint32_t number, uint64_t size, int fd, struct error *err_out)
{
	uint32_t h;
	char *map;

	if (size == 0 || size > ARENA_SLAB_BYTES ||
	    slabs_find(s, role, index, incarnation, number) != 0) {
		error_set(err_out, ERROR_PROTOCOL, "slab %u of %llu bytes",
		    number, (unsigned long long)size);
		close(fd);
		return 0;
	}
	map = shm_map(fd, size, false, true, err_out);
	if (map == NULL) {
		close(fd);
		return 0;
	}
	h = put(s, role, index, incarnation, number, size, fd, map);
	if (h == 0) {
		error_set(err_out, ERROR_LIMIT, "more than %u slabs",
		    SLABS_MAX);
		munmap(map, size);
		close(fd);
	}
	return h;
}

static void
drop(struct slabs *s, uint32_t h)
{
	struct slab *b = s->slab[h];

	s->on_gone(s->arg, h, b->lent);
	if (b->role != ROLE_SPOOLER) {
		munmap(b->map, b->size);
		close(b->fd);
	}
	free(b);
	s->slab[h] = NULL;
}

void
slabs_bury(struct slabs *s, unsigned role, unsigned index,
    uint32_t incarnation, uint32_t number)
{
	for (uint32_t h = 1; h < s->n; h++) {
		struct slab *b = s->slab[h];

		if (b != NULL && b->role == role && b->index == index &&
		    b->incarnation == incarnation &&
		    (number == UINT32_MAX || number == b->number)) {
			b->dead = true;
			if (b->live == 0) {
				drop(s, h);
			}
		}
	}
}

static struct slab *
slab_of(const struct slabs *s, uint32_t handle)
{
	return handle != 0 && handle < s->n ? s->slab[handle] : NULL;
}

const char *
slabs_at(const struct slabs *s, struct piece p)
{
	struct slab *b = slab_of(s, p.handle);

	if (b == NULL || p.offset > b->size || p.length > b->size - p.offset) {
		return NULL;
	}
	return b->map + p.offset;
}

/* What a piece takes of its owner's arena. */
static uint64_t
class_bytes(struct piece p)
{
	uint64_t n = ARENA_MIN_BYTES;

	while (n < p.length) {
		n *= 2;
	}
	return n;
}

void
slabs_hold(struct slabs *s, struct piece p)
{
	struct slab *b = slab_of(s, p.handle);

	ec_assert(b != NULL);
	b->live++;
	b->live_bytes += class_bytes(p);
}

uint64_t
slabs_held_bytes(const struct slabs *s, struct piece p)
{
	const struct slab *mine = slab_of(s, p.handle);
	uint64_t sum = 0;

	for (uint32_t h = 1; mine != NULL && h < s->n; h++) {
		const struct slab *b = s->slab[h];

		if (b != NULL && b->role == mine->role &&
		    b->index == mine->index &&
		    b->incarnation == mine->incarnation) {
			sum += b->live_bytes;
		}
	}
	return sum;
}

void
slabs_release(struct slabs *s, struct piece p)
{
	struct slab *b = slab_of(s, p.handle);
	struct extent x = { .offset = p.offset, .length = p.length };

	ec_assert(b != NULL && b->live > 0);
	b->live--;
	b->live_bytes -= class_bytes(p);
	x.slab = b->number;
	if (b->role == ROLE_SPOOLER) {
		ec_assert(arena_give(s->own, x));
		return;
	}
	if (b->dead) {
		if (b->live == 0) {
			drop(s, p.handle);
		}
		return;
	}
	if (s->n_gives == s->cap_gives) {
		s->cap_gives = s->cap_gives ? s->cap_gives * 2 : 256;
		s->gives = xrealloc(s->gives, s->cap_gives * sizeof *s->gives);
	}
	s->gives[s->n_gives++] = (struct give){ b->index, b->incarnation, x };
}

void
slabs_unhold(struct slabs *s, struct piece p)
{
	struct slab *b = slab_of(s, p.handle);

	ec_assert(b != NULL && b->live > 0);
	b->live--;
	if (b->dead && b->live == 0) {
		drop(s, p.handle);
	}
}

void
slabs_flush(struct slabs *s, struct ipc_link *(*link_of)(void *arg,
    unsigned index, uint32_t incarnation), void *arg)
{
	uint32_t i = 0;

	while (i < s->n_gives) {
		struct give *g = &s->gives[i];
		struct ipc_link *k = link_of(arg, g->index, g->incarnation);
		struct buf *b = k != NULL ? ipc_begin(k, IPC_RELEASE) : NULL;
		uint32_t first = i;

		/* A run for one listener, 1000 extents a message at most. */
		while (i < s->n_gives && i - first < 1000 &&
		    s->gives[i].index == s->gives[first].index &&
		    s->gives[i].incarnation == s->gives[first].incarnation) {
			if (b != NULL) {
				wire_put_u32(b, s->gives[i].x.slab);
				wire_put_u32(b, s->gives[i].x.offset);
				wire_put_u32(b, s->gives[i].x.length);
			}
			i++;
		}
		if (b != NULL) {
			ipc_end(k);
		}
	}
	s->n_gives = 0;
}
