/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities after start-up. */
#include "supervisor/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void
privileges_lift_files(uint64_t max_fds)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0) {
		return;
	}
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < max_fds) {
		struct rlimit more = { r.rlim_cur, (rlim_t)max_fds };

		/* Refused without privilege: workers take what there is. */
		if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
			r = more;
		}
	}
	/* Ours: a socket a listener and address, and as many on their way to
	 * each listener; a soft limit of 1024 is little for many cores. */
	r.rlim_cur = r.rlim_max == RLIM_INFINITY ? (rlim_t)max_fds :
	    EC_MIN(r.rlim_max, (rlim_t)max_fds);
	setrlimit(RLIMIT_NOFILE, &r);
}

/* SETPCAP: a worker empties its bounding set.  SYS_PTRACE: trace files of
 * workers, which are undumpable. */
static const unsigned kept[] = { CAP_NET_BIND_SERVICE, CAP_SETUID, CAP_SETGID,
	CAP_KILL, CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_SETPCAP,
	CAP_SYS_PTRACE };

int
privileges_reduce(bool as_root, struct error *err_out)
{
	bool have[ARRAY_LEN(kept)];

	if (as_root) {
		/* The root of a container may lack some: asking for them
		 * would be refused. */
		for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
			have[i] = capng_have_capability(CAPNG_PERMITTED,
			    kept[i]) != 0;
		}
		capng_clear(CAPNG_SELECT_BOTH);
		for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
			if (have[i]) {
				capng_update(CAPNG_ADD, CAPNG_EFFECTIVE |
				    CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				    kept[i]);
			}
		}
		if (capng_apply(CAPNG_SELECT_BOTH) != 0) {
			return error_set(err_out, ERROR_SYSTEM,
			    "cannot reduce the capabilities of the supervisor");
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return error_sys(err_out, "cannot set no_new_privs");
	}
	return 0;
}
