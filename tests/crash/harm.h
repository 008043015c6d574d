/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harm: a disk that has lost or damaged a checkpoint, which no loss of power
 * does.  The spooler must say so, and go on with what the .meta files and the
 * journal tell: nothing is lost by it, nothing comes back.
 */
#ifndef EC_TESTS_CRASH_HARM_H
#define EC_TESTS_CRASH_HARM_H

#include "tests/support/crashfs.h"

/* In a way that the seed decides; what says which.  False if there is no
 * checkpoint to be harmed. */
bool harm_checkpoint(struct crashfs *disk, uint64_t seed, char what[64]);
/* Checkpoints in quarantine. */
unsigned harm_put_away(const struct crashfs *disk);
/* The highest generation in the folder. */
uint32_t harm_newest(const struct crashfs *disk);

#endif
