/* SPDX-License-Identifier: Apache-2.0 */
/* What was durable in the logs at which position. */
#include "logger/sidecar.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/base/crc.h"
#include "common/base/fdio.h"
#include "common/base/num.h"

#define HEAD "ecelerity log position 1"

bool
sidecar_add_file(struct sidecar *s, const struct sidecar_file *f)
{
	if (s->n_files >= SIDECAR_FILES_MAX) {
		return false;
	}
	s->file[s->n_files++] = *f;
	return true;
}

const struct sidecar_file *
sidecar_find(const struct sidecar *s, struct slice path)
{
	for (unsigned i = 0; i < s->n_files; i++) {
		if (slice_eq(s->file[i].path, path)) {
			return &s->file[i];
		}
	}
	return NULL;
}

void
sidecar_encode(const struct sidecar *s, struct buf *b)
{
	size_t start = b->len;

	buf_puts(b, HEAD "\n");
	for (unsigned i = 0; i < SCORE_PER_ROLE; i++) {
		const struct follow *f = &s->spooler[i];

		if (f->last != 0) {
			buf_printf(b, "spooler %u %" PRIu64 " %" PRIu64
			    " %" PRIu32 "\n", i, f->whole, f->last, f->taken);
		}
	}
	for (unsigned i = 0; i < s->n_files; i++) {
		const struct sidecar_file *f = &s->file[i];

		buf_printf(b, "file %" PRIu64 " %" PRIu64 " %" PRIu64
		    " %" PRIu64 " %" PRIu32 " %.*s\n", f->device, f->inode,
		    f->born_ns, f->size, f->tail, SLICE_ARG(f->path));
	}
	if (!b->full) {
		buf_printf(b, "crc %08" PRIX32 "\n",
		    crc32c(0, b->ptr + start, b->len - start));
	}
}

static bool
read_spooler(struct slice line, struct sidecar *out)
{
	uint64_t n, taken;
	struct follow f = { 0 };

	if (!num_parse_max(slice_cut(&line, ' '), SCORE_PER_ROLE - 1, &n) ||
	    !num_parse_u64(slice_cut(&line, ' '), &f.whole) ||
	    !num_parse_u64(slice_cut(&line, ' '), &f.last) ||
	    !num_parse_max(line, UINT32_MAX, &taken) || f.whole > f.last ||
	    f.last == 0) {
		return false;
	}
	f.taken = (uint32_t)taken;
	out->spooler[n] = f;
	return true;
}

static bool
read_file(struct slice line, struct sidecar *out)
{
	struct sidecar_file f;
	uint64_t tail;

	if (!num_parse_u64(slice_cut(&line, ' '), &f.device) ||
	    !num_parse_u64(slice_cut(&line, ' '), &f.inode) ||
	    !num_parse_u64(slice_cut(&line, ' '), &f.born_ns) ||
	    !num_parse_u64(slice_cut(&line, ' '), &f.size) ||
	    !num_parse_max(slice_cut(&line, ' '), UINT32_MAX, &tail) ||
	    line.len == 0 || f.size > INT64_MAX) {
		return false;
	}
	f.tail = (uint32_t)tail;
	f.path = line;
	return sidecar_add_file(out, &f);
}

/* The text before the last line, if that is its right checksum. */
static bool
checked(struct slice *text)
{
	char want[16];
	int n;

	if (text->len < 13) {
		return false;
	}
	n = snprintf(want, sizeof want, "crc %08" PRIX32 "\n",
	    crc32c(0, text->ptr, text->len - 13));
	if (n != 13 || memcmp(text->ptr + text->len - 13, want, 13) != 0) {
		return false;
	}
	text->len -= 13;
	return true;
}

bool
sidecar_decode(struct slice text, struct sidecar *out)
{
	memset(out, 0, sizeof *out);
	if (!checked(&text) || !slice_eq(slice_cut(&text, '\n'), SLICE(HEAD))) {
		return false;
	}
	while (text.len > 0) {
		struct slice line = slice_cut(&text, '\n');
		struct slice word = slice_cut(&line, ' ');
		bool good = slice_eq(word, SLICE("spooler")) ?
		    read_spooler(line, out) :
		    slice_eq(word, SLICE("file")) && read_file(line, out);

		if (!good) {
			return false;
		}
	}
	return true;
}

enum sidecar_act
sidecar_decide(const struct sidecar_file *recorded,
    const struct sidecar_file *now)
{
	if (recorded == NULL) {
		return SIDECAR_UNKNOWN;
	}
	if (now->inode != recorded->inode ||
	    now->born_ns != recorded->born_ns) {
		return SIDECAR_OTHER;
	}
	if (now->size < recorded->size) {
		return SIDECAR_SHORT;
	}
	/* Device numbers may change with a boot, so equal bytes are as good;
	 * an inode number may be used again, so different ones are not. */
	if (now->tail != recorded->tail ||
	    (recorded->size == 0 && now->device != recorded->device)) {
		return SIDECAR_OTHER;
	}
	return now->size > recorded->size ? SIDECAR_CUT : SIDECAR_SAME;
}

static uint64_t
born_ns(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) < 0 ||
	    (sx.stx_mask & STATX_BTIME) == 0) {
		return 0;
	}
	return (uint64_t)sx.stx_btime.tv_sec * 1000000000u +
	    sx.stx_btime.tv_nsec;
}

int
sidecar_look(int fd, uint64_t before, struct sidecar_file *out,
    struct error *err_out)
{
	char bytes[SIDECAR_TAIL];
	struct stat st;
	uint64_t end;
	size_t n;

	if (fstat(fd, &st) < 0) {
		return error_sys(err_out, "cannot look at the log file");
	}
	out->device = (uint64_t)st.st_dev;
	out->born_ns = born_ns(fd);
	out->inode = (uint64_t)st.st_ino;
	out->size = (uint64_t)st.st_size;
	out->tail = 0;
	end = EC_MIN(before, out->size);
	n = (size_t)EC_MIN(end, (uint64_t)sizeof bytes);
	if (fdio_pread_full(fd, bytes, n, end - n) != (ssize_t)n) {
		return error_sys(err_out, "cannot read the log file's end");
	}
	out->tail = crc32c(0, bytes, n);
	return 0;
}

int
sidecar_load(const char *dir, struct buf *b, struct sidecar *out,
    struct error *err_out)
{
	char path[PATH_MAX];

	memset(out, 0, sizeof *out);
	snprintf(path, sizeof path, "%s/" SIDECAR_NAME, dir);
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		return 0;
	}
	if (fdio_slurp(path, b, err_out) < 0) {
		return -1;
	}
	if (!sidecar_decode(buf_slice(b), out)) {
		memset(out, 0, sizeof *out);
		return error_set(err_out, ERROR_DAMAGE, "%s is damaged", path);
	}
	return 1;
}

static int
write_new(const char *tmp, const struct buf *b, struct error *err_out)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int result = 0;

	if (fd < 0) {
		return error_sys(err_out, "cannot create %s", tmp);
	}
	if (fdio_write_all(fd, b->ptr, b->len) < 0 || fsync(fd) < 0) {
		result = error_sys(err_out, "cannot write %s", tmp);
	}
	close(fd);
	return result;
}

static int
sync_dir(const char *dir, struct error *err_out)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = 0;

	if (fd < 0) {
		return error_sys(err_out, "cannot open %s", dir);
	}
	if (fsync(fd) < 0) {
		result = error_sys(err_out, "cannot sync %s", dir);
	}
	close(fd);
	return result;
}

int
sidecar_save(const char *dir, const struct sidecar *s, struct error *err_out)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	struct buf b;
	int result;

	snprintf(path, sizeof path, "%s/" SIDECAR_NAME, dir);
	snprintf(tmp, sizeof tmp, "%s/" SIDECAR_NAME ".tmp", dir);
	buf_init(&b, SIDECAR_MAX_BYTES);
	sidecar_encode(s, &b);
	result = b.full ? error_set(err_out, ERROR_LIMIT, "too many log files") :
	    write_new(tmp, &b, err_out);
	buf_fini(&b);
	if (result == 0 && rename(tmp, path) < 0) {
		result = error_sys(err_out, "cannot rename %s", tmp);
	}
	/* Without this a power failure may bring the old one back, and with it
	 * an older, still true statement: but the acknowledgement that follows
	 * may let the spooler forget what that one would ask for. */
	return result == 0 ? sync_dir(dir, err_out) : result;
}
