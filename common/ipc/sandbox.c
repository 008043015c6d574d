/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up ids, privileges, files and system calls. */
#include "common/ipc/sandbox.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif

int
sandbox_drop_ids(uint32_t uid, uint32_t gid, struct error *err_out)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP |
	    CAPNG_CLEAR_BOUNDING) != 0) {
		return error_sys(err_out, "cannot become user %u group %u",
		    uid, gid);
	}
	return 0;
}

int
sandbox_limits(uint64_t max_fds, struct error *err_out)
{
	struct rlimit core = { 0, 0 }, fds;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return error_sys(err_out, "cannot set no_new_privs");
	}
#ifndef EC_SANITIZERS
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		return error_sys(err_out, "cannot become undumpable");
	}
#endif
	setrlimit(RLIMIT_CORE, &core);
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
		fds.rlim_cur = fds.rlim_max == RLIM_INFINITY ? max_fds :
		    EC_MIN((rlim_t)max_fds, fds.rlim_max);
		setrlimit(RLIMIT_NOFILE, &fds);
	}
	return 0;
}

#if defined(HAVE_LINUX_LANDLOCK_H) && !defined(EC_SANITIZERS)
#define ACCESS_V1 ((1ull << 13) - 1)	/* execute .. make_sym */
#define ACCESS_REFER (1ull << 13)
#define ACCESS_TRUNCATE (1ull << 14)

static int
landlock_allow(int ruleset, const char *dir, uint64_t access,
    struct error *err_out)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access };
	long r;

	a.parent_fd = open(dir, O_PATH | O_CLOEXEC);
	if (a.parent_fd < 0) {
		return error_sys(err_out, "cannot open %s", dir);
	}
	r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	    &a, 0);
	if (r < 0) {
		error_sys(err_out, "landlock: %s", dir);
	}
	close(a.parent_fd);
	return (int)r;
}
#endif

int
sandbox_files(const char *const *directories, struct error *err_out)
{
#if defined(HAVE_LINUX_LANDLOCK_H) && !defined(EC_SANITIZERS)
	struct landlock_ruleset_attr attr = { .handled_access_fs = ACCESS_V1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int fd, result = 1;

	if (abi < 1) {
		return 0;
	}
	attr.handled_access_fs |= abi >= 2 ? ACCESS_REFER : 0;
	attr.handled_access_fs |= abi >= 3 ? ACCESS_TRUNCATE : 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof attr.handled_access_fs, 0);
	if (fd < 0) {
		return error_sys(err_out, "landlock");
	}
	for (; directories != NULL && *directories != NULL; directories++) {
		if (landlock_allow(fd, *directories, attr.handled_access_fs,
		    err_out) < 0) {
			close(fd);
			return -1;
		}
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0) {
		result = error_sys(err_out, "landlock");
	}
	close(fd);
	return result;
#else
	(void)directories;
	(void)err_out;
	return 0;
#endif
}

/* What every worker needs: memory, time, its loop, its inherited sockets. */
static const int common_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(close), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(mprotect), SCMP_SYS(brk), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(getrandom),
	SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(sched_yield), SCMP_SYS(getrusage), SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq), SCMP_SYS(prctl), SCMP_SYS(uname), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(lseek), SCMP_SYS(prlimit64),
};

int
sandbox_syscalls(const int *extra, struct error *err_out)
{
#ifdef EC_SANITIZERS
	(void)extra;
	(void)err_out;
	(void)common_calls;
	return 0;
#else
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(common_calls); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, common_calls[i], 0);
	}
	for (; r == 0 && extra != NULL && *extra != -1; extra++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, *extra, 0);
	}
	if (r == 0) {
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	}
	if (r == 0) {
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	}
	if (r == 0) {
		r = seccomp_load(ctx);
	}
	seccomp_release(ctx);
	if (r != 0) {
		errno = -r;
		return error_sys(err_out, "cannot set the system call filter");
	}
	return 0;
#endif
}
