/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module: what a log module is to the logger.  A module is a shared object
 * libexec/ecelerity/modules/<name>.so that exports one symbol,
 *
 *	const struct logger_module ecelerity_log_module = {
 *		.abi = LOGGER_MODULE_ABI, .name = "my_logger", ...
 *	};
 *
 * It is loaded before the logger shuts itself in; one instance is created for
 * each scope `my_logger "instance" { ... }` of the configuration.  All calls
 * come from one thread, must not block and must not keep what they were given
 * by pointer: copy it.  An instance uses nothing of the program but struct
 * logger_host.
 *
 * Files.  An instance opens its files through the host and appends whole
 * lines.  The host owns them: it gathers the appends of a turn into one write,
 * syncs about each second, holds lines back while a disk is full, reopens
 * after rotation.  Lines that come from event() belong into a file opened as
 * LOGGER_FILE_JOURNAL: after a crash the host cuts such a file back to what
 * was durable at the last position acknowledged, and the spooler sends all
 * events behind it again; so no line is lost and none repeated.  Lines from
 * anywhere else (reject(), panic_line()) must go into files of the other kind,
 * which are never cut.  heartbeat() may write into either.
 *
 * A module with a sink of its own (a socket, a data base) is not made exact by
 * this: it gets events again after a crash and tells them by their position.
 * Its sync() is asked before each acknowledgement.
 *
 * Reload: the host creates a new instance with the new configuration and then
 * destroys the old one; a file that both opened is the same file throughout.
 * When create() fails the old instance goes on.
 */
#ifndef EC_LOGGER_MODULE_H
#define EC_LOGGER_MODULE_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/mail/event.h"
#include "common/mail/reject.h"

/* Grows when anything in this header, struct event or struct reject changes;
 * a module of another number is refused. */
#define LOGGER_MODULE_ABI 1u
#define LOGGER_MODULE_SYMBOL "ecelerity_log_module"

struct logger_file;	/* the host's */

enum logger_file_kind {
	LOGGER_FILE_JOURNAL,	/* lines from event(): exact after a crash */
	LOGGER_FILE_FREE,	/* anything else: only ever appended to */
};

struct logger_host {
	void *arg;		/* to be handed back in each call */
	/* The file at path, created if it is not there; NULL with a sentence.
	 * Opening one path twice gives the same file. */
	struct logger_file *(*file_open)(void *arg, const char *path,
	    unsigned mode, enum logger_file_kind kind, struct error *err_out);
	void (*file_close)(void *arg, struct logger_file *f);
	/* One or more whole lines, each ended by '\n'. */
	void (*append)(void *arg, struct logger_file *f, struct slice lines);
	/* A line about the module itself; level as enum log_level. */
	void (*say)(void *arg, int level, const char *text);
};

/* The instance's own scope.  An option that the scope does not have gives an
 * empty string or 0. */
struct logger_conf {
	void *arg;
	struct slice instance;	/* the name behind the keyword, or empty */
	struct slice (*string)(void *arg, const char *option);
	bool (*flag)(void *arg, const char *option);
	int64_t (*number)(void *arg, const char *option);	/* and modes */
	uint64_t (*duration_us)(void *arg, const char *option);
};

/* Where an event stands.  The same event has the same three numbers whenever
 * it is sent again; they only grow. */
struct logger_position {
	unsigned spooler;
	uint64_t position;	/* in that spooler's journal */
	uint32_t nth;		/* of the events of one position, from 1 */
};

struct logger_module {
	uint32_t abi;
	const char *name;	/* the keyword of its scopes */
	/* NULL with a sentence when it cannot work.  Slices of conf live until
	 * create() returns; host lives as long as the instance. */
	void *(*create)(const struct logger_host *host,
	    const struct logger_conf *conf, struct error *err_out);
	void (*destroy)(void *self);
	/* Each of these may be NULL. */
	void (*event)(void *self, const struct logger_position *at,
	    const struct event *e);
	void (*reject)(void *self, const struct reject *r);
	/* One line of any process, without its end. */
	void (*panic_line)(void *self, uint64_t wall_us, struct slice line);
	/* About each second. */
	void (*heartbeat)(void *self, uint64_t wall_us);
	/* After rotation, for sinks of its own; the host's files are new by
	 * then. */
	void (*reopen)(void *self);
	/* Make a sink of its own durable.  -1: not yet; nothing is
	 * acknowledged and it is asked again. */
	int (*sync)(void *self, struct error *err_out);
};

#endif
