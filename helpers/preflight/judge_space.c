/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about room: bytes, inodes, blocks, directories. */
#include "helpers/preflight/judge_priv.h"

#define DIRECTORIES 256u
#define FILES_A_MESSAGE 2u
#define MESSAGE_BYTES 16384u	/* a data file as large mail usually is */
#define GOOD_BLOCK 4096u	/* the journal's batches begin at such borders */
/* Files of one directory: searched from its start, and by a hash. */
#define LINEAR_FILES 10000u
#define HASHED_FILES 100000u

static uint64_t
add_sat(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

static uint64_t
mul_sat(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

static unsigned long long
mib(uint64_t bytes)
{
	return (unsigned long long)(bytes >> 20);
}

void
judge_space(const struct facts *f, struct finding *out)
{
	uint64_t journal = f->journal_wanted > f->journal_there ?
	    f->journal_wanted - f->journal_there : 0;
	uint64_t mail = mul_sat(f->queue, MESSAGE_BYTES + GOOD_BLOCK);
	uint64_t need = add_sat(journal, mail), have = f->space.bytes_free;

	if (!f->space.known) {
		finding_say(out, LEVEL_OK, "not looked at");
		return;
	}
	if (have < journal) {
		finding_say(out, LEVEL_WARN, "%llu MiB free, and the journal "
		    "needs %llu MiB more", mib(have), mib(journal));
		finding_why(out, "the journal is allocated in advance: without "
		    "room for it new mail is answered with 452");
		finding_mend(out, "Journal_Size = \"%lluM\"  # or more room",
		    EC_MAX(mib(have) / 2, 16ull));
	} else if (have < need) {
		finding_say(out, LEVEL_ADVICE, "%llu MiB free, %llu MiB wanted "
		    "for the journal and %llu messages", mib(have), mib(need),
		    (unsigned long long)f->queue);
		finding_why(out, "a queue that outgrows the disk is answered "
		    "with 452");
		finding_mend(out, "enlarge the file system, or ask for fewer: "
		    "ec_check --queue N");
	} else {
		finding_say(out, LEVEL_OK, "%llu MiB free, %llu MiB wanted",
		    mib(have), mib(need));
	}
}

void
judge_inodes(const struct facts *f, struct finding *out)
{
	uint64_t need = add_sat(mul_sat(f->queue, FILES_A_MESSAGE),
	    DIRECTORIES);
	uint64_t have = f->space.inodes_free;
	char word[WORD_MAX];

	if (!f->space.known) {
		finding_say(out, LEVEL_OK, "not looked at");
	} else if (f->space.inodes == 0) {
		finding_say(out, LEVEL_OK, "made on demand");
	} else if (have >= need) {
		finding_say(out, LEVEL_OK, "%llu free, %llu wanted",
		    (unsigned long long)have, (unsigned long long)need);
	} else {
		finding_say(out, LEVEL_WARN, "%llu free, and %llu queued "
		    "messages need %llu", (unsigned long long)have,
		    (unsigned long long)f->queue, (unsigned long long)need);
		finding_why(out, "each settled message is two files: out of "
		    "inodes is a full disk, with room to spare");
		finding_mend(out, "mkfs.ext4 -i 8192 %s  # EMPTIES IT",
		    shell_word(f->mount.source, word));
	}
}

void
judge_block_size(const struct facts *f, struct finding *out)
{
	unsigned long long size = (unsigned long long)f->space.block_size;
	char word[WORD_MAX];

	if (!f->space.known) {
		finding_say(out, LEVEL_OK, "not looked at");
	} else if (f->space.block_size >= GOOD_BLOCK) {
		finding_say(out, LEVEL_OK, "%llu bytes", size);
	} else {
		finding_say(out, LEVEL_ADVICE, "%llu bytes", size);
		finding_why(out, "small blocks save room and cost speed: a "
		    "message takes several, and the journal writes 4096 at "
		    "a time");
		finding_mend(out, "mkfs.ext4 -b 4096 %s  # EMPTIES IT",
		    shell_word(f->mount.source, word));
	}
}

void
judge_directories(const struct facts *f, struct finding *out)
{
	uint64_t files = mul_sat(f->queue, FILES_A_MESSAGE);
	uint64_t each = files / DIRECTORIES;
	bool linear = strcmp(f->mount.type, "ext2") == 0;
	uint64_t most = linear ? LINEAR_FILES : HASHED_FILES;

	finding_say(out, each > most ? LEVEL_ADVICE : LEVEL_OK,
	    "%llu messages are %llu files, %llu in each of %u directories",
	    (unsigned long long)f->queue, (unsigned long long)files,
	    (unsigned long long)each, DIRECTORIES);
	if (out->level == LEVEL_OK) {
		return;
	}
	if (linear) {
		finding_why(out, "ext2 finds a name by reading its directory "
		    "from the start");
		finding_mend(out, "use ext4, whose directories are hashed");
	} else {
		finding_why(out, "so large directories are slow to read after "
		    "a start");
		finding_mend(out, "spread the mail over more servers");
	}
}
