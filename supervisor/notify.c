/* SPDX-License-Identifier: Apache-2.0 */
/* The start's outcome, to those who wait for it. */
#include "supervisor/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/fdio.h"
#include "common/base/log.h"

char *
notify_take(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char *mine;

	if (path == NULL || (path[0] != '/' && path[0] != '@')) {
		return NULL;
	}
	mine = xstrdup(path);
	unsetenv("NOTIFY_SOCKET");
	return mine;
}

void
notify_say(const char *path, const char *state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = path == NULL ? 0 : strlen(path);
	int s;

	if (n == 0 || n >= sizeof un.sun_path) {
		return;
	}
	memcpy(un.sun_path, path, n);
	if (path[0] == '@') {
		un.sun_path[0] = '\0';	/* the abstract name space */
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || sendto(s, state, strlen(state), MSG_NOSIGNAL |
	    MSG_DONTWAIT, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
		log_warning("cannot tell the service manager %s: %s", state,
		    strerror(errno));
	}
	fdio_close(&s);
}

static void
wait_for_child(int fd)
{
	char word[1024];
	ssize_t n = fdio_read_full(fd, word, sizeof word);

	if (n < 1) {
		fprintf(stderr, "ecelerity: the supervisor died while it "
		    "started, without a word\n");
		_exit(71);
	}
	if (n > 1) {
		fprintf(stderr, "ecelerity: %.*s\n", (int)n - 1, word + 1);
	}
	_exit((unsigned char)word[0]);
}

int
notify_daemonize(void)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		fatal(71, "cannot make a pipe: %s", strerror(errno));
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		fatal(71, "cannot fork: %s", strerror(errno));
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for_child(fds[0]);
	}
	close(fds[0]);
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	return fds[1];
}

void
notify_parent(int *fd, int exit_code, const char *sentence)
{
	unsigned char code = (unsigned char)exit_code;

	if (*fd < 0) {
		return;
	}
	if (fdio_write_all(*fd, &code, 1) == 0) {
		/* If the parent is gone nobody is left to be told. */
		(void)!fdio_write_all(*fd, sentence, strlen(sentence));
	}
	fdio_close(fd);
}
