/* SPDX-License-Identifier: Apache-2.0 */
/* Running ec_check and reading what it says. */
#include "supervisor/preflight.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/proctitle.h"

#define ANSWER_MAX 65536u
#define PATIENCE_US 10000000u	/* a file system may hang */
#define QUIET_US 1000000u	/* longer is told */
#define MAX_ARGS 16
#define EXIT_REFUSED 2		/* ec_check(8) */

struct run {
	char program[PATH_MAX], spool[PATH_MAX], journal[24];
	char *argv[MAX_ARGS + 1];
	int argc;
};

static void
add_arg(struct run *r, const char *arg)
{
	ec_assert(r->argc < MAX_ARGS);
	/* exec's type lacks a const it means. */
	r->argv[r->argc++] = (char *)(uintptr_t)arg;
}

static void
add_if(struct run *r, const struct supervisor *s, enum option_id id,
	const char *arg)
{
	if (config_bool(s->conf.cfg, NULL, id)) {
		add_arg(r, arg);
	}
}

/* Beside libexec as workers are found, or where this build installs it. */
static void
find_program(struct run *r, const struct supervisor *s)
{
	int n = snprintf(r->program, sizeof r->program,
	    "%s/../../bin/ec_check", s->libexec);

	if (n < 0 || (size_t)n >= sizeof r->program ||
	    access(r->program, X_OK) < 0) {
		snprintf(r->program, sizeof r->program, "%s/ec_check",
		    EC_BINDIR);
	}
}

static void
build(struct run *r, const struct supervisor *s)
{
	memset(r, 0, sizeof *r);
	find_program(r, s);
	generation_path(&s->conf, OPT_SPOOLBASE, r->spool, sizeof r->spool);
	snprintf(r->journal, sizeof r->journal, "%llu", (unsigned long long)
	    config_size(s->conf.cfg, NULL, OPT_JOURNAL_SIZE));
	add_arg(r, "ec_check");
	add_arg(r, "--start");
	add_arg(r, "--spool");
	add_arg(r, r->spool);
	add_arg(r, "--log");
	add_arg(r, s->log_dir);
	add_arg(r, "--journal");
	add_arg(r, r->journal);
	add_if(r, s, OPT_ALLOW_XFS, "--allow-xfs");
	add_if(r, s, OPT_ALLOW_NO_BARRIER, "--allow-no-barrier");
	add_if(r, s, OPT_ALLOW_NO_SYNC, "--allow-no-sync");
	add_if(r, s, OPT_PREFLIGHT_MEASURE, "--measure");
}

/* In the child.  It reads lines that any local user can influence, so it has
 * none of our rights. */
static void
become_helper(const struct run *r, const struct supervisor *s, int out)
{
	const struct user *u = &s->users.of[ROLE_SPOOLER];
	struct sigaction a = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
	    syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) < 0) {
		_exit(71);
	}
	if (s->users.drop && (setgroups(0, NULL) < 0 || setgid(u->gid) < 0 ||
	    setuid(u->uid) < 0)) {
		_exit(77);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 1; i < NSIG; i++) {
		sigaction(i, &a, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(r->program, r->argv);
	_exit(127);
}

static pid_t
start(const struct run *r, const struct supervisor *s, int *out_fd)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		become_helper(r, s, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	*out_fd = pipe_fds[0];
	if (pid < 0) {
		fdio_close(out_fd);
	}
	return pid;
}

static bool
wait_readable(int fd, uint64_t until_us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_mono_us();
	int n;

	if (now >= until_us) {
		return false;
	}
	n = poll(&p, 1, (int)((until_us - now + 999) / 1000));
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Everything up to the end of the pipe; false when that took too long or was
 * more than a helper of ours says. */
static bool
read_answer(int fd, struct buf *b)
{
	uint64_t begin = clock_mono_us(), end = begin + PATIENCE_US;
	bool told = false;
	char chunk[4096];
	ssize_t n;

	for (;;) {
		if (!wait_readable(fd, told ? end : begin + QUIET_US)) {
			if (told) {
				return false;
			}
			told = true;
			log_notice("checking the spool's file system");
			proctitle_set("(checking the spool)");
			continue;
		}
		n = read(fd, chunk, sizeof chunk);
		if (n == 0) {
			return true;
		}
		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0 && !buf_append(b, chunk, (size_t)n)) {
			return false;
		}
	}
}

/* A helper stuck in the kernel cannot be waited for: it is left to whoever
 * reaps it later. */
static int
end_helper(pid_t pid, bool answered)
{
	int status = 0;

	if (!answered) {
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, WNOHANG) != pid) {
			return -1;
		}
		return status;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -1;
		}
	}
	return status;
}

int
preflight_judge(struct slice answer, struct error *err_out)
{
	int result = 0;

	while (answer.len > 0) {
		struct slice line = slice_cut(&answer, '\n');

		if (slice_starts(line, SLICE("refuse ")) && result == 0) {
			line = slice_skip(line, 7);
			result = error_set(err_out, ERROR_CONFIG, "%.*s",
			    SLICE_ARG(line));
		} else if (line.len > 0) {
			log_warning("%.*s", SLICE_ARG(slice_skip(line,
			    slice_starts(line, SLICE("warn ")) ? 5 : 0)));
		}
	}
	return result;
}

static void
tell_failed(const struct run *r, bool answered, int status)
{
	if (!answered) {
		log_warning("%s gave no whole answer within %u s: the spool's "
		    "file system is unchecked", r->program,
		    PATIENCE_US / 1000000u);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		log_warning("cannot run %s: the spool's file system is "
		    "unchecked", r->program);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) > EXIT_REFUSED) {
		log_warning("%s failed (status %d): the spool's file system is "
		    "not wholly checked", r->program, WIFEXITED(status) ?
		    WEXITSTATUS(status) : -WTERMSIG(status));
	}
}

int
preflight_check(struct supervisor *s, struct error *err_out)
{
	struct run r;
	struct buf answer;
	bool answered;
	int fd = -1, status, result;
	pid_t pid;

	build(&r, s);
	pid = start(&r, s, &fd);
	if (pid < 0) {
		log_warning("cannot start %s: %s", r.program, strerror(errno));
		return 0;
	}
	buf_init(&answer, ANSWER_MAX);
	answered = read_answer(fd, &answer);
	fdio_close(&fd);
	status = end_helper(pid, answered);
	tell_failed(&r, answered, status);
	result = preflight_judge(buf_slice(&answer), err_out);
	if (result == 0 && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_REFUSED) {
		result = error_set(err_out, ERROR_CONFIG, "%s refuses %s",
		    r.program, r.spool);
	}
	buf_fini(&answer);
	return result;
}
