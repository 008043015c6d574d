/* SPDX-License-Identifier: Apache-2.0 */
/* The last picture of a process that hangs. */
#include "supervisor/trace_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/fdio.h"
#include "common/base/num.h"
#include "supervisor/directories.h"

#define TRACE_MAX (4u << 20)
#define TRACE_THREADS 256u

static void
add_file(struct buf *b, const char *dir, const char *name)
{
	char path[128];
	struct error err = { 0 };

	snprintf(path, sizeof path, "%s/%s", dir, name);
	buf_printf(b, "--- %s\n", path);
	if (fdio_slurp(path, b, &err) < 0) {
		buf_puts(b, err.text);
	}
	if (b->len > 0 && b->ptr[b->len - 1] != '\n') {
		buf_putc(b, '\n');
	}
}

static void
add_threads(struct buf *b, pid_t pid)
{
	char tasks[64], dir[96];
	unsigned count = 0;
	struct dirent *e;
	uint64_t tid;
	DIR *d;

	snprintf(tasks, sizeof tasks, "/proc/%ld/task", (long)pid);
	d = opendir(tasks);
	while (d != NULL && count < TRACE_THREADS && (e = readdir(d)) != NULL) {
		if (!num_parse_max(slice_of(e->d_name), INT_MAX, &tid)) {
			continue;
		}
		count++;
		snprintf(dir, sizeof dir, "%s/%llu", tasks,
		    (unsigned long long)tid);
		add_file(b, dir, "comm");
		add_file(b, dir, "stack");
		add_file(b, dir, "wchan");
		add_file(b, dir, "syscall");
		add_file(b, dir, "stat");
	}
	if (d != NULL) {
		closedir(d);
	}
}

/* The log directory belongs to the logger's user: nothing there is trusted. */
static int
write_out(const char *directory, pid_t pid, struct slice text,
    struct error *err_out)
{
	char name[32];
	int fd = -1, dir, r = 0;

	snprintf(name, sizeof name, "%ld.trc", (long)pid);
	if (mkdir(directory, 0750) < 0 && errno != EEXIST) {
		return error_sys(err_out, "cannot make directory %s",
		    directory);
	}
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0) {
		fd = directory_open_file(dir, name, O_WRONLY | O_TRUNC, 0640);
	}
	if (fd < 0 || fdio_write_all(fd, text.ptr, text.len) < 0) {
		r = error_sys(err_out, "cannot write trace file %s/%s",
		    directory, name);
	}
	fdio_close(&fd);
	fdio_close(&dir);
	return r;
}

int
trace_file_write(const char *directory, pid_t pid, const char *who,
    const char *why, char *path_out, size_t size, struct error *err_out)
{
	char proc[32];
	struct buf b;
	int r;

	snprintf(path_out, size, "%s/%ld.trc", directory, (long)pid);
	snprintf(proc, sizeof proc, "/proc/%ld", (long)pid);
	buf_init(&b, TRACE_MAX);
	buf_printf(&b, "%s pid %ld: %s\n", who, (long)pid, why);
	add_file(&b, proc, "status");
	add_file(&b, proc, "stack");
	add_file(&b, proc, "wchan");
	add_file(&b, proc, "syscall");
	add_file(&b, proc, "stat");
	add_threads(&b, pid);
	r = write_out(directory, pid, buf_slice(&b), err_out);
	buf_fini(&b);
	return r;
}
