/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_console: one command to a running server, its answer on standard output.
 * Speaks the lines of the control socket: a request {"command":..., "args":
 * [...], "json":...}, then {"text":...} or {"data":...} and at last {"ok":...}.
 * Exit codes: see usage().
 */
#include "common/base/base.h"

#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/base/buf.h"
#include "common/base/fdio.h"
#include "common/base/slice.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 64
#define EXIT_NOT_THERE 69
/* The server gives up on its own workers after 5 seconds. */
#define PATIENCE_S 15
#define ANSWER_LINE_MAX (32u << 20)
#define CHUNK 65536u

struct console {
	const char *path;
	bool json;
	int fd;
	struct buf in;	/* what came and is not yet a line */
};

static void
usage(FILE *to)
{
	fputs("usage: ec_console [-s SOCKET] [--json] COMMAND [ARGUMENT...]\n"
	    "       ec_console /path/to/SOCKET COMMAND [ARGUMENT...]\n"
	    "Asks the running server; \"ec_console help\" lists its"
	    " commands.\n"
	    "  -s, --socket PATH  the server's Control_Socket (" EC_CTLSOCKET
	    ")\n"
	    "  -j, --json         one JSON object a line instead of text\n"
	    "  -h, --help         this text\n"
	    "  -V, --version      the version of this program\n"
	    "Exit code: 0 done, 1 refused or failed, 64 wrong usage, 69 no"
	    " server listens.\n", to);
}

static void complain(const char *fmt, ...) EC_PRINTF(1, 2);

static void
complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("ec_console: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* 0, or the exit code. */
static int
connect_to_server(struct console *c)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!slice_copy(a.sun_path, sizeof a.sun_path, slice_of(c->path))) {
		complain("the path of a socket has at most %zu bytes",
		    sizeof a.sun_path - 1);
		return EXIT_USAGE;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		complain("cannot make a socket: %s", strerror(errno));
		return EXIT_FAILED;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof a) == 0) {
		return 0;
	}
	if (errno == EACCES || errno == EPERM) {
		complain("you may not use %s: it serves root, the server's own "
		    "user and members of its group", c->path);
		return EXIT_FAILED;
	}
	if (errno == EAGAIN) {
		complain("the server does not take calls on %s: see its "
		    "paniclog", c->path);
		return EXIT_FAILED;
	}
	complain("nothing listens on %s (%s): start the server with "
	    "\"ecelerity -c FILE\", or name its Control_Socket with -s",
	    c->path, strerror(errno));
	return EXIT_NOT_THERE;
}

/* NULL if a word is not UTF-8. */
static char *
make_request(const struct console *c, char **words, int n)
{
	bool terminal = isatty(STDOUT_FILENO) == 1;
	const char *term = getenv("TERM");
	const char *no_colour = getenv("NO_COLOR");
	bool colour = terminal && term != NULL && strcmp(term, "dumb") != 0 &&
	    (no_colour == NULL || no_colour[0] == '\0');
	json_t *o = json_object(), *args = json_array();
	bool good = json_object_set_new(o, "command",
	    json_string(words[0])) == 0;
	char *text;

	for (int i = 1; i < n; i++) {
		good &= json_array_append_new(args, json_string(words[i])) ==
		    0;
	}
	json_object_set_new(o, "args", args);
	json_object_set_new(o, "json", json_boolean(c->json));
	json_object_set_new(o, "terminal", json_boolean(terminal));
	json_object_set_new(o, "colour", json_boolean(colour));
	text = good ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

/* A refused caller's request is not read, but the reason can be. */
static void
send_request(struct console *c, const char *text)
{
	size_t len = strlen(text), done = 0;
	struct buf b;

	buf_init(&b, len + 1);
	buf_puts(&b, text);
	buf_putc(&b, '\n');
	while (done < b.len) {
		ssize_t n = send(c->fd, b.ptr + done, b.len - done,
		    MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR) {
			break;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	buf_fini(&b);
}

/* One line of the answer: -1 if it goes on, else the exit code. */
static int
take_line(const struct console *c, struct slice line)
{
	json_error_t why;
	json_t *o = json_loadb(line.len > 0 ? line.ptr : "", line.len, 0, &why);
	const json_t *text = json_object_get(o, "text");
	const json_t *data = json_object_get(o, "data");
	const json_t *ok = json_object_get(o, "ok");
	const json_t *error = json_object_get(o, "error");
	int result = -1;

	if (json_is_string(text)) {
		fwrite(json_string_value(text), 1, json_string_length(text),
		    stdout);
	} else if (data != NULL) {
		json_dumpf(data, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (json_is_true(ok)) {
		result = 0;
	} else if (json_is_false(ok)) {
		complain("%s", json_is_string(error) ?
		    json_string_value(error) : "the server refused");
		result = EXIT_FAILED;
	} else {
		complain("%s is no control socket of ecelerity", c->path);
		result = EXIT_FAILED;
	}
	json_decref(o);
	return result;
}

/* The complete lines in c->in. */
static int
take_lines(struct console *c)
{
	struct slice left = buf_slice(&c->in);
	int result = -1;
	ssize_t end;

	while (result < 0 && (end = slice_find(left, '\n')) >= 0) {
		result = take_line(c, slice_make(left.ptr, (size_t)end));
		left = slice_skip(left, (size_t)end + 1);
	}
	buf_consume(&c->in, c->in.len - left.len);
	return result;
}

static int
read_answer(struct console *c)
{
	int result = -1;

	while (result < 0) {
		ssize_t n = 0;

		if (buf_reserve(&c->in, CHUNK)) {
			n = recv(c->fd, c->in.ptr + c->in.len, CHUNK, 0);
		}
		if (n > 0) {
			c->in.len += (size_t)n;
			result = take_lines(c);
		} else if (n < 0 && errno == EAGAIN) {
			complain("no answer on %s within %d seconds: see the "
			    "server's paniclog", c->path, PATIENCE_S);
			result = EXIT_FAILED;
		} else if (n == 0 || errno != EINTR) {
			complain("the server went away before it had "
			    "answered");
			result = EXIT_FAILED;
		}
	}
	return result;
}

static int
run(struct console *c, char **words, int n)
{
	char *request = make_request(c, words, n);
	int result;

	if (request == NULL) {
		complain("the words of a command are UTF-8");
		return EXIT_USAGE;
	}
	c->fd = -1;
	result = connect_to_server(c);
	if (result == 0) {
		buf_init(&c->in, ANSWER_LINE_MAX);
		send_request(c, request);
		result = read_answer(c);
		buf_fini(&c->in);
	}
	fdio_close(&c->fd);
	free(request);
	if ((fflush(stdout) != 0 || ferror(stdout)) && result == 0) {
		complain("cannot write the answer: %s", strerror(errno));
		result = EXIT_FAILED;
	}
	return result;
}

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

int
main(int argc, char **argv)
{
	struct console c = { .path = EC_CTLSOCKET };
	int opt;

	while ((opt = getopt_long(argc, argv, "s:jhV", long_options, NULL)) !=
	    -1) {
		if (opt == 's') {
			c.path = optarg;
		} else if (opt == 'j') {
			c.json = true;
		} else if (opt == 'h') {
			usage(stdout);
			return 0;
		} else if (opt == 'V') {
			puts("ec_console " PACKAGE_VERSION);
			return 0;
		} else {
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc && argv[optind][0] == '/') {
		c.path = argv[optind++];
	}
	if (optind == argc || argv[optind][0] == '\0') {
		usage(stderr);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	return run(&c, argv + optind, argc - optind);
}
