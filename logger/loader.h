/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader: finds and loads the shared object of a log module.  Once, at start:
 * later the process can open no file outside the log directories.
 *
 * Looked for, in this order: modules/ beside the program (and modules/.libs/,
 * where a build tree has it), ../libexec/ecelerity/modules/ seen from there,
 * and the configured libexec directory.
 */
#ifndef EC_LOGGER_LOADER_H
#define EC_LOGGER_LOADER_H

#include "common/base/error.h"
#include "logger/module.h"

/* 1 loaded, 0 there is no such file (the sentence says where it was looked
 * for), -1 it is there but no module of ours.  A module is never unloaded. */
int loader_load(const char *name, const struct logger_module **out,
	struct error *err_out);

#endif
