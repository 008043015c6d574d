# SPDX-License-Identifier: Apache-2.0
"""What a run with power cuts may show and what not.

Three witnesses that lose no power are held against each other: the ledger of
replies, the ledger of arrivals, mainlog.  Marks tell how long the last two
were at each cut.

A message may arrive again when a cut (or the end of a sink) lay in between and
its delivery was not yet in mainlog then: a D is only logged when it is on
stable storage.  With the D logged before, it came back from the dead.

A message may also be stored twice, under two ids: the generator sends again
what it has no 250 for, and the first copy may have reached the disk after all.
Sender and recipient together are sent only once, so mainlog shows that.
"""
import bisect
import re

import lib
from lib import Failed

RCPT, SENDER = slice(5, 7), slice(7, 9)         # mainlog, fields of an R


class Marks:
    """Where the witnesses stood whenever something was cut."""

    def __init__(self, arrived, mainlog):
        self.paths = (arrived, mainlog)
        self.arrivals, self.lines = [], []

    def add(self):
        for path, marks in zip(self.paths, (self.arrivals, self.lines)):
            # A start may cut mainlog back and write the same lines again.
            marks.append(max([lib.count_lines(path), *marks[-1:]]))

    def between(self, first, second):
        """Marks after arrival number first and before number second."""
        return range(bisect.bisect_right(self.arrivals, first),
                     bisect.bisect_right(self.arrivals, second))


class Log:
    """mainlog, read once."""

    def __init__(self, path):
        self.received, self.delivered = {}, {}
        self.first_done = {}    # id: number of its first D
        self.ids = {}           # (sender, recipient): {id, ...}
        self.names = {}         # (id or batch, recipient): (sender, recipient)
        for number, line in enumerate(lib.read_file(path).splitlines()):
            f = line.split("@")
            if len(f) < 6 or not f[1]:
                continue
            if f[4] == "R":
                self.take_reception(f)
            elif f[4] == "D":
                self.delivered[f[1]] = self.delivered.get(f[1], 0) + 1
                self.first_done.setdefault(f[1], number)

    def take_reception(self, f):
        self.received[f[1]] = self.received.get(f[1], 0) + 1
        pair = ("@".join(f[SENDER]), "@".join(f[RCPT]))
        self.ids.setdefault(pair, set()).add(f[1])
        for name in {f[1], f[2]}:
            self.names[name, pair[1]] = pair

    def copies(self, promise):
        """The ids under which what was promised is stored."""
        return self.ids.get(self.names.get(promise), ())

    def all_done(self, ids):
        """The number of the last of their first D lines."""
        numbers = [self.first_done.get(i) for i in ids]
        return max(numbers) if numbers and None not in numbers else None

    def double(self):
        return sum(n - 1 for counts in (self.received, self.delivered)
                   for n in counts.values())

    def missing(self, accepted):
        """Promises without an R, and R without a D."""
        return (sum(1 for name, rcpt in accepted.values()
                    if (name, rcpt) not in self.names)
                + sum(1 for i in self.received if i not in self.delivered))


def read_accepted(path):
    """{"KEY RCPT": (id in the reply, RCPT)}."""
    promised = {}
    for line in lib.read_file(path).split("\n")[:-1]:
        words = line.split(" ", 2)
        if words[0] == "?":
            continue
        found = re.search(lib.MESSAGE_ID, words[2] if len(words) > 2 else "")
        if not found:
            raise Failed(f"a reply without an id: {line}")
        promised[f"{words[0]} {words[1]}"] = (found.group(0), words[1])
    return promised


def arrivals_of(path):
    """{"KEY RCPT": numbers of the lines where it arrived}."""
    found = {}
    for number, line in enumerate(lib.read_file(path).split("\n")[:-1]):
        key = " ".join(line.split(" ", 2)[:2])
        found.setdefault(key, []).append(number)
    return found


def kinds_of(numbers, copies, done, marks):
    """What each arrival after the first is.  Between two cuts each copy may
    arrive once, and after the next cut again."""
    since_cut = 1
    for first, second in zip(numbers, numbers[1:]):
        since_cut = 1 if marks.between(first, second) else since_cut + 1
        before = marks.between(-1, second)
        if since_cut > copies or not (before or copies > 1):
            yield "illegal"
        elif before and done is not None and done < marks.lines[before[-1]]:
            yield "resurrected"
        else:
            yield "duplicates"


def repeats(promised, arrived, log, marks):
    """Counts of arrivals too many, and what may not be, in words."""
    sums = dict.fromkeys(("duplicates", "stored_twice", "resurrected",
                          "illegal"), 0)
    shown = []
    for key, numbers in arrived.items():
        if len(numbers) < 2 or key not in promised:
            continue
        ids = log.copies(promised[key])
        done = log.all_done(ids)
        kinds = list(kinds_of(numbers, len(ids), done, marks))
        # Which arrival is of which copy is not known; a second copy comes
        # without a cut in between, or after one.
        for kind in ("duplicates", "resurrected"):
            while kind in kinds and kinds.count("stored_twice") < len(ids) - 1:
                kinds[kinds.index(kind)] = "stored_twice"
        for kind in kinds:
            sums[kind] += 1
        bad = {"illegal", "resurrected"}.intersection(kinds)
        if bad and len(shown) < 10:
            shown.append(f"{' '.join(bad)}: {key} arrived as {numbers}, cuts"
                         f" at {marks.arrivals}, {len(ids)} copies, last D is"
                         f" line {done} of mainlog")
    return sums, shown


def lost(promised, arrived):
    return sorted(key for key in promised if key not in arrived)
