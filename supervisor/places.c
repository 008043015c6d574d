/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration to directories that are there. */
#include "supervisor/places.h"

#include <fcntl.h>

#include "common/base/fdio.h"
#include "supervisor/directories.h"

static int
need(struct supervisor *s, const char *path, const char *what,
    enum ipc_role role, mode_t mode, struct error *err_out)
{
	struct directory d = { path, what, &s->users.of[role], mode };

	return directory_need(&d, s->as_root, err_out);
}

/* The directory of a file that an option names. */
static int
need_for(struct supervisor *s, struct slice file, const char *what,
    enum ipc_role role, struct error *err_out)
{
	char path[PATH_MAX], dir[PATH_MAX];

	if (!slice_copy(path, sizeof path, file) ||
	    !directory_of(path, dir, sizeof dir)) {
		return error_set(err_out, ERROR_CONFIG, "the path of %s is "
		    "longer than %zu bytes", what, sizeof path - 1);
	}
	return need(s, dir, what, role, 0755, err_out);
}

int
places_find(struct supervisor *s, struct error *err_out)
{
	char panic[PATH_MAX];

	if (!generation_path(&s->conf, OPT_PIDFILE, s->pidfile,
	    sizeof s->pidfile) ||
	    !generation_path(&s->conf, OPT_PANICLOG, panic, sizeof panic) ||
	    !directory_of(panic, s->log_dir, sizeof s->log_dir)) {
		return error_set(err_out, ERROR_CONFIG, "the path of Pidfile "
		    "or paniclog is longer than %d bytes", PATH_MAX - 1);
	}
	return need_for(s, slice_of(s->pidfile), "Pidfile", ROLE_SUPERVISOR,
	    err_out);
}

/* Logs may also go to other places, written with a scheme before "://". */
static int
need_log(struct supervisor *s, const struct config_scope *scope,
    enum option_id id, const char *what, struct error *err_out)
{
	struct config_where w = { .scope = scope };
	struct slice file = config_string(s->conf.cfg, &w, id);

	if (file.len == 0 || memmem(file.ptr, file.len, "://", 3) != NULL) {
		return 0;
	}
	return need_for(s, file, what, ROLE_LOGGER, err_out);
}

static int
need_logs(struct supervisor *s, struct error *err_out)
{
	const struct config_scope *l;

	for (l = config_first(s->conf.cfg, NULL, SCOPE_EC_LOGGER); l != NULL;
	    l = config_next(l)) {
		if (need_log(s, l, OPT_MAINLOG, "mainlog", err_out) < 0 ||
		    need_log(s, l, OPT_PANICLOG, "paniclog", err_out) < 0 ||
		    need_log(s, l, OPT_REJECTLOG, "rejectlog", err_out) < 0) {
			return -1;
		}
	}
	for (l = config_first(s->conf.cfg, NULL, SCOPE_BOUNCE_LOGGER);
	    l != NULL; l = config_next(l)) {
		if (need_log(s, l, OPT_BOUNCELOG, "bouncelog", err_out) < 0) {
			return -1;
		}
	}
	return need(s, s->log_dir, "paniclog", ROLE_LOGGER, 0755, err_out);
}

int
places_make(struct supervisor *s, struct error *err_out)
{
	char spool[PATH_MAX];

	if (!generation_path(&s->conf, OPT_SPOOLBASE, spool, sizeof spool)) {
		return error_set(err_out, ERROR_CONFIG, "the path of SpoolBase "
		    "is longer than %zu bytes", sizeof spool - 1);
	}
	if (need_logs(s, err_out) < 0 ||
	    need(s, spool, "SpoolBase", ROLE_SPOOLER, 0750, err_out) < 0) {
		return -1;
	}
	return need_for(s, config_string(s->conf.cfg, NULL,
	    OPT_CONTROL_SOCKET), "Control_Socket", ROLE_CONSOLE, err_out);
}

int
places_open_stderr(struct supervisor *s, struct error *err_out)
{
	char path[PATH_MAX + 16];
	int fd;

	if (s->foreground) {
		return 0;
	}
	snprintf(path, sizeof path, "%s/workers.err", s->log_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (fd < 0) {
		return error_sys(err_out, "cannot open %s", path);
	}
	if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
		error_sys(err_out, "cannot use %s as stderr", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}
