/* SPDX-License-Identifier: Apache-2.0 */
/* sbin/ecelerity: options, signals, start and end of the supervisor. */
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/base/fdio.h"
#include "common/base/log.h"
#include "common/base/proctitle.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"

#define EXIT_USAGE 64
#define EXIT_CONFIG 78

static struct supervisor sup = { .parent_fd = -1, .pidfile_fd = -1,
	.log_fds = { -1, -1 } };

struct options {
	const char *config;
	bool foreground, check;
};

static const char usage[] =
	"usage: ecelerity [-c FILE] [-d] [-t] [-h] [--version]\n"
	"  -c, --config FILE  configuration (" EC_SYSCONFDIR
	"/ecelerity.conf)\n"
	"  -d, --foreground   stay in the foreground, messages on stderr\n"
	"  -t, --check        check the configuration and exit\n"
	"  -h, --help         this text\n"
	"      --version      the version\n"
	"Signals: HUP reload, TERM and INT stop gracefully, QUIT stop at "
	"once,\nUSR1 reopen log files.  See ecelerity(8).\n";

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'd' },
		{ "check", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:dth", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'd':
			o->foreground = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			printf("ecelerity %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ecelerity: unexpected argument %s\n%s",
		    argv[optind], usage);
		exit(EXIT_USAGE);
	}
}

/* What is wrong with the file goes to the terminal as it stands. */
static void
load(const struct options *o)
{
	struct buf text;
	bool ok;

	if (realpath(o->config, sup.config_path) == NULL) {
		snprintf(sup.config_path, sizeof sup.config_path, "%s",
		    o->config);
	}
	buf_init(&text, CONFIG_MAX_TOTAL);
	ok = generation_load(&sup.conf, sup.config_path, 1, &text);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&text)));
	buf_fini(&text);
	if (!ok) {
		exit(EXIT_CONFIG);
	}
	if (o->check) {
		printf("configuration valid: %s\n", o->config);
		exit(0);
	}
}

static void
on_hangup(struct supervisor *s)
{
	struct buf text;

	buf_init(&text, CONFIG_MAX_TOTAL);
	reload_supervisor(s, &text);
	buf_fini(&text);
}

/* Within a turn they come in ascending order of number: HUP, INT, QUIT, USR1,
 * USR2, TERM, CHLD.  So a reload asked before a stop still happens, and deaths
 * are looked at when it is known whether they were wanted. */
static void
on_signal(void *arg, int signo)
{
	struct supervisor *s = arg;

	if (signo == SIGHUP) {
		on_hangup(s);
	} else if (signo == SIGTERM || signo == SIGINT) {
		stop_supervisor(s, 0, "");
	} else if (signo == SIGQUIT) {
		stop_supervisor_now(s);
	} else if (signo == SIGUSR1) {
		reopen_supervisor_logs(s);
	} else if (signo == SIGUSR2) {
		log_warning("USR2: upgrading in place is not available; stop "
		    "and start instead");
	} else if (signo == SIGCHLD) {
		children_reap(s);
	}
}

/* Blocked before the first worker is there, read once the loop runs. */
static void
set_signals(sigset_t *set)
{
	static const int ours[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2,
	    SIGTERM, SIGCHLD };

	signal(SIGPIPE, SIG_IGN);
	/* Ignored by whoever started us, the kernel would reap our workers
	 * itself and tell us nothing. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		sigaddset(set, ours[i]);
	}
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* Lines that no logger lives to read go to stderr; in the foreground ours were
 * seen there already. */
static void
print_unread_log(void)
{
	char line[LOG_LINE_MAX + 1];
	ssize_t n;

	log_init("supervisor", -1, EC_NOTICE, true);
	while (sup.log_fds[0] >= 0 && (n = recv(sup.log_fds[0], line,
	    sizeof line - 1, MSG_DONTWAIT)) > 0) {
		line[n] = '\0';
		if (!sup.foreground || strstr(line, ": supervisor: ") == NULL) {
			fprintf(stderr, "%s\n", line);
		}
	}
}

/* A caller may have closed some of 0, 1 and 2; what we open would then get such
 * a number, and be replaced where these are set for us and for workers. */
static void
fill_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	fdio_close(&fd);
}

/* Does not come back. */
static void
finish(int exit_code, const char *words)
{
	pidfile_close(sup.pidfile, &sup.pidfile_fd);
	if (exit_code != 0 && sup.foreground) {
		fprintf(stderr, "ecelerity: %s\n", words);
	}
	notify_parent(&sup.parent_fd, exit_code, words);
	exit(exit_code);
}

int
main(int argc, char **argv)
{
	struct options o = { EC_SYSCONFDIR "/ecelerity.conf", false, false };
	struct error err = { 0 };
	sigset_t set;
	int code;

	fill_stdio();
	proctitle_init(argc, argv);
	read_options(&o, argc, argv);
	log_init("supervisor", -1, EC_NOTICE, true);
	load(&o);
	umask(022);
	sup.foreground = o.foreground;
	sup.as_root = geteuid() == 0;
	sup.notify = notify_take();
	if (!sup.foreground) {
		sup.parent_fd = notify_daemonize();
	}
	proctitle_name("supervisor");
	set_signals(&set);
	code = start_supervisor(&sup, &err);
	if (code != 0) {
		finish(code, err.text);
	}
	if (loop_signals(sup.loop, &set, on_signal, &sup) < 0) {
		fatal(71, "cannot watch signals: %s", strerror(errno));
	}
	loop_run(sup.loop);
	print_unread_log();
	if (sup.exit_code == 0) {
		log_notice("stopped");
	}
	finish(sup.exit_code, sup.last_words);
	return 0;
}
