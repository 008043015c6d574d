/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a worker process. */
#include "supervisor/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/base/fdio.h"
#include "common/base/wire.h"
#include "common/ipc/ipc.h"

#define ABOVE_LAYOUT 64	/* no descriptor of the layout is so high */

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
spawn_find_libexec(char *out, size_t size, struct error *err_out)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	struct slice dir;
	int len;

	if (n < 0) {
		return error_sys(err_out, "cannot read /proc/self/exe (is "
		    "/proc mounted?)");
	}
	dir = slice_make(exe, (size_t)n);
	dir.len = (size_t)EC_MAX(slice_rfind(dir, '/'), 0);
	len = snprintf(out, size, "%.*s/../libexec/ecelerity", SLICE_ARG(dir));
	if (len < 0 || (size_t)len >= size || !is_directory(out)) {
		len = snprintf(out, size, "%s", EC_LIBEXECDIR);
	}
	if (len < 0 || (size_t)len >= size || !is_directory(out)) {
		return error_set(err_out, ERROR_CONFIG, "no worker programs: "
		    "neither %.*s/../libexec/ecelerity nor %s is a directory",
		    SLICE_ARG(dir), EC_LIBEXECDIR);
	}
	return 0;
}

/* In the child, instead of the worker. */
static void
say_failed(int control, const char *what, const char *path)
{
	struct buf b;
	char sentence[PATH_MAX + 200];
	uint32_t len;

	snprintf(sentence, sizeof sentence, "cannot %s %s: %s", what, path,
	    strerror(errno));
	buf_init(&b, sizeof sentence + 64);
	wire_put_u16(&b, IPC_SUP_FAILED);
	wire_put_u16(&b, 0);
	wire_put_u32(&b, 0);
	wire_put_u8(&b, 71);
	wire_put_slice(&b, slice_of(sentence));
	len = (uint32_t)(b.len - IPC_HEAD);
	memcpy(b.ptr + 4, &len, sizeof len);
	while (b.len % 8 != 0) {
		buf_putc(&b, '\0');
	}
	fdio_send(control, b.ptr, b.len, NULL, 0);
	_exit(71);
}

/* A supervisor that is out of descriptors can start workers all the same; each
 * sets its own limit later. */
static void
lift_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* First all of them out of the way, then each to its number: a source may
 * have the number of another's target. */
static int
lay_out(const struct spawn_spec *s)
{
	int high[WORKER_FD_COUNT], last = WORKER_FD_CONTROL;
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0) {
		return -1;
	}
	for (int i = WORKER_FD_CONTROL; i < WORKER_FD_COUNT; i++) {
		high[i] = s->fds[i] < 0 ? -1 :
		    fcntl(s->fds[i], F_DUPFD, ABOVE_LAYOUT);
		if (s->fds[i] >= 0 && high[i] < 0) {
			return -1;
		}
	}
	for (int i = WORKER_FD_CONTROL; i < WORKER_FD_COUNT; i++) {
		if (high[i] >= 0) {
			if (dup2(high[i], i) < 0) {
				return -1;
			}
			last = i;
		}
	}
	return (int)syscall(SYS_close_range, last + 1, ~0u, 0);
}

static void
default_signals(void)
{
	struct sigaction a = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++) {
		sigaction(i, &a, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t
spawn_worker(const struct spawn_spec *s, struct error *err_out)
{
	char path[PATH_MAX], role[24], index[12], incarnation[12];
	/* The role alone as its name: killall and top show what it is. */
	char *argv[] = { role, index, incarnation, NULL };
	pid_t pid;

	snprintf(path, sizeof path, "%s/%s", s->libexec,
	    ipc_role_name(s->role));
	snprintf(role, sizeof role, "%s", ipc_role_name(s->role));
	snprintf(index, sizeof index, "%u", s->index);
	snprintf(incarnation, sizeof incarnation, "%u", s->incarnation);
	pid = fork();
	if (pid < 0) {
		error_sys(err_out, "cannot fork for %s/%u",
		    ipc_role_name(s->role), s->index);
		return -1;
	}
	if (pid == 0) {
		lift_files();
		if (lay_out(s) < 0) {
			say_failed(s->fds[WORKER_FD_CONTROL],
			    "lay out descriptors for", path);
		}
		default_signals();
		execv(path, argv);
		say_failed(WORKER_FD_CONTROL, "run", path);
	}
	return pid;
}
