/* SPDX-License-Identifier: Apache-2.0 */
/* pickup/imported of the source: a key, then an id a line. */
#include "helpers/spool_import.h"

#include <fcntl.h>

#include "common/base/fdio.h"

#define LEDGER "imported"
#define KEY_LINE 21u		/* "key " + 16 + newline */
#define ID_LINE (MSGID_TEXT_LEN + 1u)

static int
write_key(struct import_ledger *l)
{
	char line[KEY_LINE + 1];

	snprintf(l->key, sizeof l->key, "%08X%08X", (unsigned)arc4random(),
	    (unsigned)arc4random());
	snprintf(line, sizeof line, "key %s\n", l->key);
	if (ftruncate(l->fd, 0) < 0 || fdio_pwrite_all(l->fd, line, KEY_LINE,
	    0) < 0 || fdatasync(l->fd) < 0 || fsync(l->dir) < 0) {
		return -1;
	}
	return lseek(l->fd, 0, SEEK_END) < 0 ? -1 : 0;
}

/* Lines of ids; the file is cut behind the last whole one. */
static int
load(struct import_ledger *l, struct slice text)
{
	size_t good = KEY_LINE;

	slice_copy(l->key, sizeof l->key, slice_make(text.ptr + 4, 16));
	while (text.len - good >= ID_LINE) {
		msgid id;

		if (text.ptr[good + MSGID_TEXT_LEN] != '\n' || !msgid_parse(
		    slice_make(text.ptr + good, MSGID_TEXT_LEN), &id) ||
		    id == MSGID_NONE) {
			break;
		}
		*(bool *)id_map_add(&l->ids, id) = true;
		good += ID_LINE;
	}
	if (ftruncate(l->fd, (off_t)good) < 0) {
		return -1;
	}
	return lseek(l->fd, (off_t)good, SEEK_SET) < 0 ? -1 : 0;
}

int
import_ledger_open(struct import_ledger *l, const struct spool_dir *from,
    struct error *err_out)
{
	struct buf text;
	struct stat st;
	ssize_t got = -1;
	int r = -1;

	*l = (struct import_ledger){ .fd = -1 };
	id_map_init(&l->ids, sizeof(bool));
	l->dir = openat(from->base, "pickup", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	if (l->dir >= 0) {
		l->fd = openat(l->dir, LEDGER, O_RDWR | O_CREAT | O_NOFOLLOW |
		    O_CLOEXEC, 0640);
	}
	if (l->fd < 0 || fstat(l->fd, &st) < 0) {
		return error_sys(err_out, "cannot open %s/pickup/" LEDGER,
		    from->path);
	}
	buf_init(&text, (size_t)st.st_size + 1);
	if (buf_reserve(&text, (size_t)st.st_size + 1)) {
		got = fdio_pread_full(l->fd, text.ptr, (size_t)st.st_size, 0);
	}
	if (got >= (ssize_t)KEY_LINE && memcmp(text.ptr, "key ", 4) == 0) {
		r = load(l, slice_make(text.ptr, (size_t)got));
	} else if (got >= 0) {
		r = write_key(l);	/* none yet, or torn: nothing was sent */
	}
	buf_fini(&text);
	return r == 0 ? 0 : error_sys(err_out, "cannot use %s/pickup/" LEDGER,
	    from->path);
}

void
import_ledger_close(struct import_ledger *l)
{
	fdio_close(&l->fd);
	fdio_close(&l->dir);
	id_map_fini(&l->ids);
}

bool
import_ledger_has(const struct import_ledger *l, msgid id)
{
	return id_map_find(&l->ids, id) != NULL;
}

int
import_ledger_add(struct import_ledger *l, const msgid *ids, unsigned n,
    struct error *err_out)
{
	struct buf lines;
	int r;

	buf_init(&lines, (size_t)n * ID_LINE + 1);
	for (unsigned i = 0; i < n; i++) {
		char text[MSGID_TEXT_LEN + 1];

		msgid_format(ids[i], text);
		buf_printf(&lines, "%s\n", text);
	}
	r = fdio_write_all(l->fd, lines.ptr, lines.len);
	buf_fini(&lines);
	if (r < 0 || fdatasync(l->fd) < 0) {
		return error_sys(err_out, "cannot write pickup/" LEDGER);
	}
	for (unsigned i = 0; i < n; i++) {
		*(bool *)id_map_add(&l->ids, ids[i]) = true;
	}
	return 0;
}
