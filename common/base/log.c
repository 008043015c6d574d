/* SPDX-License-Identifier: Apache-2.0 */
/* One line a call, to the log socket or stderr. */
#include "common/base/log.h"

#include <sys/socket.h>

#include "common/base/clock.h"

/* The log belongs to the process like its stderr does: state here spares every
 * call an argument that would always be the same. */
static struct {
	char who[32];
	int sock;
	enum log_level min;
	bool also_stderr;
	uint64_t lost;
} lg = { .sock = -1, .min = EC_NOTICE, .also_stderr = true };

static const char *const names[] = {
	[EC_DEBUG] = "DEBUG", [EC_INFO] = "INFO", [EC_NOTICE] = "NOTICE",
	[EC_WARNING] = "WARNING", [EC_ERROR] = "ERROR",
	[EC_CRITICAL] = "CRITICAL",
};

void
log_init(const char *who, int sock, enum log_level min, bool also_stderr)
{
	snprintf(lg.who, sizeof lg.who, "%s", who);
	lg.sock = sock;
	lg.min = min;
	lg.also_stderr = also_stderr;
}

void
log_level_set(enum log_level min)
{
	lg.min = min;
}

bool
log_is_on(enum log_level level)
{
	return level >= lg.min;
}

const char *
log_level_name(enum log_level level)
{
	return level < ARRAY_LEN(names) ? names[level] : "?";
}

static void
put_stderr(const char *line, size_t len)
{
	char stamp[40];
	time_t now = (time_t)(clock_wall_us() / 1000000u);
	struct tm tm;
	ssize_t w;
	size_t n = 0;

	if (localtime_r(&now, &tm) != NULL) {
		/* The reference's TimeStampFormat. */
		n = strftime(stamp, sizeof stamp, "[%a %d %b %Y %H:%M:%S] ", &tm);
	}
	w = write(STDERR_FILENO, stamp, n);
	w = write(STDERR_FILENO, line, len);
	(void)w;
}

static bool
put(char *line, size_t len)
{
	bool sent = false;

	if (lg.sock >= 0) {
		/* Without the newline: a packet is a line. */
		sent = send(lg.sock, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
		if (!sent) {
			lg.lost++;
		}
	}
	if (!sent || lg.also_stderr) {
		line[len] = '\n';
		put_stderr(line, len + 1);
	}
	return sent;
}

/* True if the log socket took it. */
static bool
put_v(enum log_level level, const char *extra, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX + 2];
	/* A long line is cut before what is said behind it. */
	size_t n, room = LOG_LINE_MAX - strlen(extra);
	int k;

	n = (size_t)snprintf(line, room, "%s: %s: ", names[level], lg.who);
	k = vsnprintf(line + n, room - n, fmt, ap);
	n = k < 0 ? n : EC_MIN(n + (size_t)k, room - 1);
	memcpy(line + n, extra, strlen(extra));
	n += strlen(extra);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			line[i] = '?';	/* a line stays one line */
		}
	}
	return put(line, n);
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	char extra[64] = "";
	uint64_t told = lg.lost;
	va_list ap;
	int saved = errno;

	if (level < lg.min) {
		return;
	}
	if (told > 0) {
		snprintf(extra, sizeof extra, " (%llu lines before this lost)",
		    (unsigned long long)told);
	}
	va_start(ap, fmt);
	if (put_v(level, extra, fmt, ap)) {
		lg.lost -= told;	/* only now somebody knows */
	}
	va_end(ap);
	errno = saved;
}

void
log_limited(struct log_rate *r, enum log_level level, const char *fmt, ...)
{
	char extra[64] = "";
	uint64_t now = clock_mono_us();
	va_list ap;
	int saved = errno;

	if (level < lg.min) {
		return;
	}
	if (r->last_us != 0 && now - r->last_us < 1000000u) {
		r->held++;
		return;
	}
	if (r->held > 0) {
		snprintf(extra, sizeof extra, " (%llu more like this)",
		    (unsigned long long)r->held);
	}
	r->last_us = now;
	r->held = 0;
	va_start(ap, fmt);
	put_v(level, extra, fmt, ap);
	va_end(ap);
	errno = saved;
}

void
fatal(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_v(EC_CRITICAL, "", fmt, ap);
	va_end(ap);
	exit(code);
}
