/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and their users. */
#include "supervisor/users.h"

#include <grp.h>
#include <pwd.h>

int
user_find(struct user *u, const char *name, const char *group,
    struct error *err_out)
{
	const struct passwd *pw = getpwnam(name);
	const struct group *gr;

	if (pw == NULL) {
		return error_set(err_out, ERROR_CONFIG, "there is no user %s: "
		    "make one with `useradd --system --user-group "
		    "--no-create-home --shell /usr/sbin/nologin %s'", name,
		    name);
	}
	snprintf(u->name, sizeof u->name, "%s", name);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	if (group == NULL) {
		return 0;
	}
	gr = getgrnam(group);
	if (gr == NULL) {
		return error_set(err_out, ERROR_CONFIG, "there is no group "
		    "%s: make one with `groupadd --system %s'", group, group);
	}
	u->gid = gr->gr_gid;
	return 0;
}

/* Whoever started us is not root: one user for all. */
static void
keep_ours(struct users *u)
{
	const struct passwd *pw = getpwuid(geteuid());

	u->drop = false;
	for (unsigned r = 0; r < ROLE_COUNT; r++) {
		u->of[r].uid = geteuid();
		u->of[r].gid = getegid();
		if (pw != NULL) {
			snprintf(u->of[r].name, sizeof u->of[r].name, "%s",
			    pw->pw_name);
		} else {
			snprintf(u->of[r].name, sizeof u->of[r].name,
			    "number %u", (unsigned)geteuid());
		}
	}
}

int
users_find(struct users *u, bool as_root, struct slice user,
    struct slice group, struct error *err_out)
{
	char name[USERS_NAME_MAX], grp[USERS_NAME_MAX];

	memset(u, 0, sizeof *u);
	if (!as_root) {
		keep_ours(u);
		return 0;
	}
	if (!slice_copy(name, sizeof name, user) ||
	    !slice_copy(grp, sizeof grp, group)) {
		return error_set(err_out, ERROR_CONFIG, "User and Group of "
		    "Security have at most %d characters", USERS_NAME_MAX - 1);
	}
	u->drop = true;
	snprintf(u->of[ROLE_SUPERVISOR].name, USERS_NAME_MAX, "root");
	if (user_find(&u->of[ROLE_SPOOLER], name, grp, err_out) < 0 ||
	    user_find(&u->of[ROLE_LISTENER], USERS_NET, NULL, err_out) < 0 ||
	    user_find(&u->of[ROLE_LOGGER], USERS_LOG, NULL, err_out) < 0) {
		return -1;
	}
	u->of[ROLE_CONSOLE] = u->of[ROLE_SPOOLER];
	u->of[ROLE_DELIVERER] = u->of[ROLE_LISTENER];
	u->of[ROLE_RESOLVER] = u->of[ROLE_LISTENER];
	return 0;
}
