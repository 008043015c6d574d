/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_spool_import: the mail of another spool of ours into a running server.
 *
 * Per window: messages are placed in the server's pickup/; the spooler takes
 * each by one rename; what was taken goes into the source's ledger, durable,
 * and only then leaves the source.  Whenever this ends, the next run knows of
 * each message whether it was handed over, and sends the others.
 */
#include "helpers/spool_import.h"

#include <fcntl.h>
#include <getopt.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/fdio.h"

#define MEM_MAX (16u << 20)
#define PATIENCE_US 60000000u
#define LOOK_NS 20000000
#define SECOND_US 1000000u

enum { EXIT_DONE = 0, EXIT_LEFT = 1, EXIT_COULD_NOT = 2 };

static const char usage[] =
	"usage: ec_spool_import [-c FILE | -t DIR] [-p] FROM\n"
	"Hands the mail in the spool FROM (its server stopped) over to the running\n"
	"server.  It may be interrupted and repeated: nothing is lost or doubled.\n"
	"What was handed over leaves FROM.\n"
	"  -c, --config FILE  the server's (" EC_SYSCONFDIR
	"/ecelerity.conf)\n"
	"  -t, --to DIR       the server's SpoolBase instead\n"
	"  -p, --progress     a line a second on standard error (when that is a\n"
	"                     terminal: always)\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version of this program\n"
	"Exit status: 0 all was handed over, 1 some was left (ec_spool_check tells\n"
	"why), 2 it could not be done, or not to the end: run it again.\n";

struct importer {
	struct spool_dir from, to;
	struct spool_journal journal;
	struct import_ledger ledger;
	struct import_place place;
	struct scratch mem;
	struct error err;
	msgid window[IMPORT_WINDOW];
	unsigned n;
	uint64_t handed, left, told_us;
	bool progress;
};

static void
tell(struct importer *x)
{
	uint64_t now = clock_mono_us();

	if (x->progress && now - x->told_us >= SECOND_US) {
		x->told_us = now;
		fprintf(stderr, "ec_spool_import: %llu messages\n",
		    (unsigned long long)x->handed);
	}
}

static void
remove_files(struct importer *x, msgid id)
{
	char path[SPOOL_NAME];

	/* .meta first: a lone data file is never mail. */
	spool_name_of(id, true, path);
	unlinkat(x->from.base, path, 0);
	spool_name_of(id, false, path);
	unlinkat(x->from.base, path, 0);
}

/* What the ledger has. */
static void
leave_source(struct importer *x, msgid id)
{
	remove_files(x, id);
	import_place_clear(&x->place, id);
}

/* Until the server has taken all of the window; -1 when it stands still. */
static int
wait_taken(struct importer *x)
{
	uint64_t since = clock_mono_us();
	unsigned next = 0;

	while (next < x->n) {
		if (import_place_state(&x->place, x->window[next]) !=
		    IMPORT_PLACED) {
			next++;
			since = clock_mono_us();
			continue;
		}
		if (clock_mono_us() - since > PATIENCE_US) {
			return error_set(&x->err, ERROR_GONE, "the server has "
			    "taken nothing for %u seconds (see its paniclog): "
			    "run this again when it does",
			    PATIENCE_US / SECOND_US);
		}
		/* Another program's act on a disk: there is nothing to wait
		 * on but the look. */
		nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
		tell(x);
	}
	return 0;
}

static int
finish_window(struct importer *x)
{
	if (x->n == 0) {
		return 0;
	}
	if (import_place_sync(&x->place, &x->err) < 0 || wait_taken(x) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < x->n; i++) {
		if (import_place_state(&x->place, x->window[i]) !=
		    IMPORT_TAKEN) {
			return error_set(&x->err, ERROR_DAMAGE, "somebody else "
			    "works in the server's pickup");
		}
	}
	if (import_ledger_add(&x->ledger, x->window, x->n, &x->err) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < x->n; i++) {
		leave_source(x, x->window[i]);
	}
	x->handed += x->n;
	x->n = 0;
	tell(x);
	return 0;
}

/* One message: placed, unless an earlier run did. */
static int
hand_over(struct importer *x, const struct meta *m, int body_fd,
    uint64_t body_at)
{
	if (import_place_state(&x->place, m->rcpt.id) == IMPORT_ABSENT &&
	    import_place_put(&x->place, m, body_fd, body_at, &x->err) < 0) {
		return -1;
	}
	x->window[x->n++] = m->rcpt.id;
	return x->n == IMPORT_WINDOW ? finish_window(x) : 0;
}

static void
apply_entry(struct meta *m, const struct journal_entry *e)
{
	if (e != NULL && (e->flags & ENTRY_STATE) != 0) {
		m->attempts = e->attempts;
		m->next_us = e->next_us;
		m->doubt = (e->flags & ENTRY_DOUBT) != 0;
	}
}

static int
import_record(struct importer *x, size_t record)
{
	uint64_t body_at, size;
	struct envelope env;
	int r = 0, fd;

	scratch_reset(&x->mem);
	if (!spool_journal_envelope(&x->journal, record, &x->mem, &env,
	    &body_at, &size)) {
		x->left++;
		return 0;
	}
	for (uint32_t n = 0; n < env.n_rcpt && r == 0; n++) {
		const struct journal_entry *e = spool_journal_find(&x->journal,
		    env.rcpt[n].id);
		struct meta m = { .env = env, .rcpt = env.rcpt[n],
			.size = size };

		if (!journal_entry_is_mail(e) || e->record != record) {
			continue;
		}
		if (import_ledger_has(&x->ledger, m.rcpt.id)) {
			leave_source(x, m.rcpt.id);
			continue;
		}
		apply_entry(&m, e);
		fd = spool_journal_body(&x->journal, record, env.batch_id,
		    size);
		r = fd < 0 ? error_sys(&x->err, "cannot open the body of a "
		    "message in the journal") : hand_over(x, &m, fd, body_at);
		fdio_close(&fd);
	}
	return r;
}

static int
import_pair(struct importer *x, const struct spool_pair *p)
{
	const struct journal_entry *e = spool_journal_find(&x->journal, p->id);
	char path[SPOOL_NAME];
	struct stat st;
	struct meta m;
	const char *why;
	int fd, r;

	if (import_ledger_has(&x->ledger, p->id)) {
		leave_source(x, p->id);
		return 0;
	}
	if (e != NULL && (e->flags & ENTRY_DONE) != 0) {
		/* Half removed: without the journal it would be mail again. */
		remove_files(x, p->id);
		return 0;
	}
	if (journal_entry_is_mail(e)) {
		return 0;	/* its record could not be read, and is left */
	}
	spool_name_of(p->id, true, path);
	scratch_reset(&x->mem);
	if (spool_meta_load(&x->from, path, p->id, &x->mem, &m, &why) !=
	    SPOOL_META_OK) {
		fprintf(stderr, "ec_spool_import: %s is left: %s\n", path,
		    why);
		x->left++;
		return 0;
	}
	spool_name_of(p->id, false, path);
	fd = spool_file_open(&x->from, path, &st);
	if (fd < 0 || (uint64_t)st.st_size != m.size) {
		fprintf(stderr, "ec_spool_import: %s is left: %s\n", path,
		    fd < 0 ? strerror(errno) : "its size is not that of its "
		    ".meta");
		x->left++;
		fdio_close(&fd);
		return 0;
	}
	m.env.rcpt = &m.rcpt;
	apply_entry(&m, e);
	r = hand_over(x, &m, fd, 0);
	fdio_close(&fd);
	return r;
}

static int
import_store(struct importer *x)
{
	int r = 0;

	for (unsigned d = 0; d < SPOOL_DIRS && r == 0; d++) {
		struct spool_list l;

		if (spool_dir_list(&x->from, d, &l) < 0) {
			if (errno != ENOENT) {
				fprintf(stderr, "ec_spool_import: %s/%02X is "
				    "left: %s\n", x->from.path, d,
				    strerror(errno));
				x->left++;
			}
			continue;
		}
		for (size_t i = 0; i < l.n && r == 0; i++) {
			r = import_pair(x, &l.pairs[i]);
		}
		spool_list_fini(&l);
	}
	return r;
}

static void
on_damage(void *arg, const struct spool_segment *s, uint64_t from, uint64_t to,
    int error)
{
	struct importer *x = arg;

	fprintf(stderr, "ec_spool_import: journal/%s: bytes %llu to %llu are "
	    "damaged%s%s\n", s->name, (unsigned long long)from,
	    (unsigned long long)to, error != 0 ? ": " : "", error != 0 ?
	    strerror(error) : "");
	x->left++;
}

/* The journal still names what was handed over: it must not start again.  That
 * the files are gone is durable before. */
static int
retire(struct importer *x)
{
	if (x->left > 0) {
		return 0;
	}
	if (syncfs(x->from.base) < 0) {
		return error_sys(&x->err, "cannot sync %s", x->from.path);
	}
	if (renameat(x->from.base, "journal", x->from.base,
	    "journal.imported") < 0 || fsync(x->from.base) < 0) {
		return error_sys(&x->err, "cannot rename %s/journal",
		    x->from.path);
	}
	return 0;
}

static int
import_all(struct importer *x)
{
	struct journal_ears ears = { .arg = x, .damage = on_damage };

	if (spool_journal_open(&x->journal, &x->from, &x->err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < x->journal.n; i++) {
		const struct spool_segment *s = &x->journal.segments[i];

		if (s->kind == SEGMENT_HEADLESS || s->kind == SEGMENT_CLOSED) {
			fprintf(stderr, "ec_spool_import: journal/%s cannot be "
			    "read\n", s->name);
			x->left++;
		}
	}
	spool_journal_read(&x->journal, &ears);
	for (size_t i = 0; i < x->journal.n_records; i++) {
		if (import_record(x, i) < 0) {
			return -1;
		}
	}
	if (import_store(x) < 0 || finish_window(x) < 0) {
		return -1;
	}
	return retire(x);
}

/* Both spools, as they must be. */
static int
open_both(struct importer *x, const char *from, const char *to)
{
	struct stat a, b;

	if (spool_dir_open(&x->to, to, &x->err) < 0 ||
	    spool_dir_open(&x->from, from, &x->err) < 0) {
		return -1;
	}
	if (fstat(x->from.base, &a) == 0 && fstat(x->to.base, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
		return error_set(&x->err, ERROR_CONFIG, "%s is the server's "
		    "own spool", from);
	}
	if (!spool_dir_is_live(&x->to)) {
		return error_set(&x->err, ERROR_GONE, "no server runs on %s: "
		    "start it first", to);
	}
	return 0;
}

/* Has an earlier run come to its end? */
static bool
was_imported(const char *from)
{
	char path[600];

	snprintf(path, sizeof path, "%s/journal", from);
	if (access(path, F_OK) == 0) {
		return false;
	}
	snprintf(path, sizeof path, "%s/journal.imported", from);
	return access(path, F_OK) == 0;
}

static int
run(struct importer *x, const char *from, const char *to)
{
	int lock = -1, result = EXIT_COULD_NOT;

	if (was_imported(from)) {
		printf("%s was imported before: nothing is left\n", from);
		return EXIT_DONE;
	}
	x->from.base = x->from.journal = x->from.quarantine = -1;
	x->to = x->from;
	x->ledger.fd = x->ledger.dir = x->place.pickup = -1;
	scratch_init(&x->mem, MEM_MAX);
	x->told_us = clock_mono_us();
	if (open_both(x, from, to) < 0 ||
	    (lock = spool_dir_lock(&x->from, &x->err)) < 0 ||
	    import_ledger_open(&x->ledger, &x->from, &x->err) < 0 ||
	    import_place_open(&x->place, &x->to, &x->ledger, &x->err) < 0 ||
	    import_all(x) < 0) {
		fprintf(stderr, "ec_spool_import: %s\n", x->err.text);
	} else {
		result = x->left > 0 ? EXIT_LEFT : EXIT_DONE;
	}
	printf("%llu messages handed over, %llu left\n",
	    (unsigned long long)x->handed, (unsigned long long)x->left);
	scratch_fini(&x->mem);
	spool_journal_close(&x->journal);
	import_place_close(&x->place);
	import_ledger_close(&x->ledger);
	spool_dir_close(&x->from);
	spool_dir_close(&x->to);
	fdio_close(&lock);
	return result;
}

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "to", required_argument, NULL, 't' },
	{ "progress", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

int
main(int argc, char **argv)
{
	const char *config = EC_SYSCONFDIR "/ecelerity.conf", *to = NULL;
	struct importer x = { .progress = isatty(STDERR_FILENO) };
	char base[512];
	int opt;

	while ((opt = getopt_long(argc, argv, "c:t:phV", long_options,
	    NULL)) != -1) {
		if (opt == 'c') {
			config = optarg;
		} else if (opt == 't') {
			to = optarg;
		} else if (opt == 'p') {
			x.progress = true;
		} else if (opt == 'h') {
			fputs(usage, stdout);
			return EXIT_DONE;
		} else if (opt == 'V') {
			puts("ec_spool_import " PACKAGE_VERSION);
			return EXIT_DONE;
		} else {
			fputs("try ec_spool_import --help\n", stderr);
			return EXIT_COULD_NOT;
		}
	}
	if (argc - optind != 1) {
		fputs("ec_spool_import: name one spool to import\n", stderr);
		return EXIT_COULD_NOT;
	}
	if (to == NULL && !spool_dir_of_config("ec_spool_import", config, base,
	    sizeof base)) {
		return EXIT_COULD_NOT;
	}
	return run(&x, argv[optind], to != NULL ? to : base);
}
