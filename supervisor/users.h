/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users: as whom each role runs.  Started by root: spooler and console as
 * Security's User and Group, what touches the network as ecnet, the logger as
 * eclog.  Started by anybody else every process keeps his ids.  A user that
 * is missing is an error that tells the command which makes it.
 */
#ifndef EC_USERS_H
#define EC_USERS_H

#include "common/base/base.h"
#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/ipc/ipc_msgs.h"

#define USERS_NAME_MAX 64
#define USERS_NET "ecnet"
#define USERS_LOG "eclog"

struct user {
	char name[USERS_NAME_MAX];
	uint32_t uid, gid;
};

struct users {
	bool drop;	/* workers change to these; else they keep ours */
	struct user of[ROLE_COUNT];
};

/* user and group are Security's; as_root: look all of them up. */
int users_find(struct users *u, bool as_root, struct slice user,
	struct slice group, struct error *err_out);
/* One look-up, for users_find and its test. */
int user_find(struct user *u, const char *name, const char *group,
	struct error *err_out);

#endif
