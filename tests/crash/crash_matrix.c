/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_matrix [--states=N] [--fails=N] [--seed=N] [--rounds=N] [--jobs=N]
 *	[--second=N] [--harm=N] [--store=at-once|by-file] [--control=KIND]
 *	[--until-fault] [--quiet]
 *	[--controls] [MUTANT ...]
 *
 * Loses power, and lets calls fail, under the spooler: see matrix.h.  Ends
 * with one line of JSON; 0 if no promise was broken and every control was
 * caught.  Controls are this program with a sync that is only pretended
 * (--controls tries every kind), and the mutants: builds of it with one sync
 * taken out of the spooler's source.  One whose sync is made by-file only
 * ("by_file" in a mutant's name) is tried so, the others at-once.
 */
#include "tests/crash/matrix.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/wait.h>
#include <time.h>

#include "common/base/log.h"
#include "common/base/num.h"
#include "tests/crash/pretend.h"

#define CONTROL_MIN 1000u	/* states tried on a control until a fault */
#define CONTROL_MAX 4000u

struct options {
	uint64_t states, fails, seed, rounds, jobs, second, harm;
	const char *control;
	unsigned modes;
	bool until_fault, quiet, controls;
};

static const char usage[] = "usage: crash_matrix [--states=N] [--fails=N] "
    "[--seed=N] [--rounds=N] [--jobs=N] [--second=N] [--harm=N] "
    "[--store=at-once|by-file] [--control=KIND] [--until-fault] [--quiet] "
    "[--controls] [MUTANT ...]\n";

static const char *const modes[] = { [MATRIX_AT_ONCE] = "at-once",
	[MATRIX_BY_FILE] = "by-file" };

static bool
set_number(uint64_t *to)
{
	return num_parse_max(slice_of(optarg), 100000000u, to);
}

/* 0: there is no such mode. */
static unsigned
mode_of(const char *name, size_t n)
{
	for (unsigned i = MATRIX_AT_ONCE; i <= MATRIX_BY_FILE; i++) {
		if (strlen(modes[i]) == n && memcmp(modes[i], name, n) == 0) {
			return i;
		}
	}
	return 0;
}

static bool
read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "states", 1, NULL, 's' }, { "fails", 1, NULL, 'f' },
		{ "seed", 1, NULL, 'd' }, { "rounds", 1, NULL, 'r' },
		{ "jobs", 1, NULL, 'j' }, { "second", 1, NULL, '2' },
		{ "control", 1, NULL, 'c' }, { "until-fault", 0, NULL, 'u' },
		{ "quiet", 0, NULL, 'q' }, { "controls", 0, NULL, 'C' },
		{ "harm", 1, NULL, 'h' }, { "store", 1, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		ok = c == 's' ? set_number(&o->states) :
		    c == 'f' ? set_number(&o->fails) :
		    c == 'd' ? set_number(&o->seed) :
		    c == 'r' ? set_number(&o->rounds) :
		    c == 'j' ? set_number(&o->jobs) :
		    c == '2' ? set_number(&o->second) :
		    c == 'h' ? set_number(&o->harm) :
		    c == 'S' ? (o->modes = mode_of(optarg,
		    strlen(optarg))) != 0 :
		    c == 'c' || c == 'u' || c == 'q' || c == 'C';
		o->control = c == 'c' ? optarg : o->control;
		o->until_fault = o->until_fault || c == 'u';
		o->quiet = o->quiet || c == 'q';
		o->controls = o->controls || c == 'C';
	}
	return ok && o->jobs > 0 && o->rounds > 0;
}

static const struct fs *
control_fs(const char *name)
{
	for (const struct pretend *p = pretends; name != NULL &&
	    p->name != NULL; p++) {
		if (strcmp(p->name, name) == 0) {
			return pretend_fs(p);
		}
	}
	return NULL;
}

/* Runs itself or a mutant until the first fault; true if there was one. */
static bool
is_caught(const char *program, const char *kind, unsigned mode,
    const struct options *o)
{
	char states[40], seed[40], store[40], control[64];
	const char *args[] = { program, "--until-fault", "--quiet",
		"--fails=0", "--second=0", "--harm=0", states, seed, store,
		kind != NULL ? control : NULL, NULL };
	int status = 0;
	pid_t pid;

	snprintf(states, sizeof states, "--states=%llu",
	    (unsigned long long)EC_MIN(EC_MAX(o->states,
	    (uint64_t)CONTROL_MIN), (uint64_t)CONTROL_MAX));
	snprintf(seed, sizeof seed, "--seed=%llu", (unsigned long long)o->seed);
	snprintf(store, sizeof store, "--store=%s", modes[mode]);
	snprintf(control, sizeof control, "--control=%s",
	    kind != NULL ? kind : "");
	fflush(NULL);
	pid = fork();
	ec_assert(pid >= 0);
	if (pid == 0) {
		close(STDOUT_FILENO);	/* what it says is for none to read */
		open("/dev/null", O_WRONLY);
		execv(program, (char *const *)(uintptr_t)args);
		_exit(126);
	}
	ec_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static unsigned
try_control(const char *program, const char *kind, unsigned mode,
    const struct options *o)
{
	bool caught = is_caught(program, kind, mode, o);

	fprintf(stderr, "crash: control %s (store %s) is %s\n",
	    kind != NULL ? kind : program, modes[mode],
	    caught ? "caught" : "NOT CAUGHT");
	return caught;
}

static void
tell(const struct runs *r, unsigned controls, unsigned caught, uint64_t us)
{
	struct tally *t = r->tally;

	printf("{\"states\":%llu,\"recoveries\":%llu,\"second_level\":%llu,"
	    "\"harmed_checkpoints\":%llu,\"points\":%llu,"
	    "\"fail_runs\":%llu,\"refused_to_start\":%llu",
	    (unsigned long long)atomic_load(&t->states),
	    (unsigned long long)atomic_load(&t->checks),
	    (unsigned long long)atomic_load(&t->second),
	    (unsigned long long)atomic_load(&t->harmed),
	    (unsigned long long)atomic_load(&t->points),
	    (unsigned long long)atomic_load(&t->fail_runs),
	    (unsigned long long)atomic_load(&t->refusals));
	for (unsigned f = 0; f < FAULT_COUNT; f++) {
		printf(",\"%s\":%llu", ledger_fault_name(f),
		    (unsigned long long)atomic_load(&t->fault[f]));
	}
	printf(",\"controls\":%u,\"controls_caught\":%u,\"seconds\":%llu}\n",
	    controls, caught, (unsigned long long)(us / 1000000u));
}

static uint64_t
real_us(void)
{
	/* The clock is the world's here: clock_gettime() is wrapped. */
	return (uint64_t)time(NULL) * 1000000u;
}

/* One place for all trees, which goes with all that is left in it. */
static void
make_home(char home[40])
{
	snprintf(home, 40, "/dev/shm/crash.XXXXXX");
	if (mkdtemp(home) == NULL) {
		snprintf(home, 40, "/tmp/crash.XXXXXX");
		if (mkdtemp(home) == NULL) {
			fatal(73, "no directory for crashfs: %s",
			    strerror(errno));
		}
	}
	setenv("CRASHFS_HOME", home, 1);
}

int
main(int argc, char **argv)
{
	struct options o = { .states = 10000, .fails = 1000, .seed = 1,
		.rounds = 160, .jobs = 2, .second = 40,
		.harm = 20, .modes = MATRIX_AT_ONCE | MATRIX_BY_FILE };
	unsigned controls = 0, caught = 0;
	uint64_t began = real_us();
	struct matrix x;
	struct runs runs;
	char home[40], command[64];

	log_init("crash_matrix", -1, EC_CRITICAL + 1, false);
	if (!read_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 64;
	}
	make_home(home);
	runs_init(&runs, (unsigned)o.jobs);
	runs.quiet = o.quiet;
	x = (struct matrix){ .runs = &runs, .seed = o.seed,
		.rounds = (unsigned)o.rounds, .states = o.states,
		.second_every = (unsigned)o.second,
		.harm_every = (unsigned)o.harm, .modes = o.modes,
		.fs = control_fs(o.control), .until_fault = o.until_fault,
		.quiet = o.quiet, .progress = !o.quiet };
	if (o.states > 0) {
		matrix_run(&x);
	}
	matrix_fail(&x, o.fails);
	for (const struct pretend *p = pretends; o.controls &&
	    p->name != NULL; p++, controls++) {
		caught += try_control("/proc/self/exe", p->name, p->by_file ?
		    MATRIX_BY_FILE : MATRIX_AT_ONCE, &o);
	}
	for (int i = optind; i < argc; i++, controls++) {
		caught += try_control(argv[i], NULL, strstr(argv[i],
		    "by_file") != NULL ? MATRIX_BY_FILE : MATRIX_AT_ONCE, &o);
	}
	tell(&runs, controls, caught, real_us() - began);
	snprintf(command, sizeof command, "rm -rf '%s'", home);
	return system(command) != 0 || runs_faults(&runs) > 0 ||
	    caught < controls;
}
