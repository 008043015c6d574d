# SPDX-License-Identifier: Apache-2.0
"""Why a message arrived again, in a run with kill -9.

Each arrival too many needs a reason of its own, from three witnesses that
nobody kills: the ledger of arrivals, the log, and where the first of them stood
at each kill:

    copies      the generator had no 250 and sent again, and both were stored:
                mainlog receives the pair of sender and recipient twice
    reply       mainlog says that the dot was sent and no reply came (T, stage
                9), as often as that
    marked      a kill lay in between, and the log marks the message as one
                that may have been delivered before
    supervisor  the supervisor's death lay in between: only it knew what was in
                flight, and such mail is sent again without a mark

What has none is unexplained.
"""
import collections
import re

import lib
import power_judge

STAGE_CONFIRMATION = "9"        # T field 9: dot sent, no reply
REASONS = ("copies", "reply", "marked", "supervisor")


class Kills:
    """Where the ledger of arrivals stood before each kill, and when all were
    back: what was between dot and reply is in it by then."""

    def __init__(self, arrived):
        self.arrived = arrived
        self.spans = []         # (before, after, supervisor?)

    def stand(self):
        return lib.count_lines(self.arrived)

    def add(self, before, supervisor):
        self.spans.append((before, self.stand(), supervisor))

    def between(self, first, second, supervisor=False):
        """Did one lie between these two arrivals?"""
        return any(first <= after and second >= before
                   and (whole or not supervisor)
                   for before, after, whole in self.spans)


def read_doubts(mainlog, paniclog):
    """{id: replies that never came}, {id: marks}."""
    replies, marks = collections.Counter(), collections.Counter()
    for line in mainlog.splitlines():
        f = line.split("@")
        if (len(f) > 13 and f[4] == "T" and f[9] == STAGE_CONFIRMATION
                and "[internal]" in f[13]):
            replies[f[1]] += 1
    for found in re.finditer("possible duplicate of message (%s)"
                             % lib.MESSAGE_ID, paniclog):
        marks[found.group(1)] += 1
    return replies, marks


def reasons_of(numbers, copies, replies, marks, kills):
    """One word for each arrival after the first.  Gaps that a mark explains
    use it first; what explains any gap is kept for the others.  Between two
    kills each copy may arrive once, and after the next kill again."""
    budget = {"copies": copies - 1, "reply": replies}
    since_kill = 1
    for gap in zip(numbers, numbers[1:]):
        since_kill = 1 if kills.between(*gap) else since_kill + 1
        if 1 < since_kill <= copies:
            gap = numbers[0], gap[1]
        if marks and kills.between(*gap):
            yield "marked"
        elif kills.between(*gap, supervisor=True):
            yield "supervisor"
        else:
            for name, left in budget.items():
                if left > 0:
                    budget[name] -= 1
                    yield name
                    break
            else:
                yield "unexplained"


def judge(ledger, arrived, mainlog, paniclog, kills):
    """{reason: arrivals}, and the unexplained in words."""
    promised = power_judge.read_accepted(ledger)
    log = power_judge.Log(mainlog)
    replies, marks = read_doubts(lib.read_file(mainlog),
                                 lib.read_file(paniclog))
    sums = dict.fromkeys((*REASONS, "unexplained"), 0)
    shown = []
    for key, numbers in power_judge.arrivals_of(arrived).items():
        if len(numbers) < 2 or key not in promised:
            continue
        ids = log.copies(promised[key])
        why = list(reasons_of(numbers, len(ids), sum(replies[i] for i in ids),
                              sum(marks[i] for i in ids), kills))
        for word in why:
            sums[word] += 1
        if "unexplained" in why and len(shown) < 20:
            shown.append(f"{key} arrived as {numbers}: {' '.join(why)};"
                         f" stored as {sorted(ids)}; replies lost"
                         f" {sum(replies[i] for i in ids)}, marks"
                         f" {sum(marks[i] for i in ids)}; kills at "
                         f"{[s for s in kills.spans if s[1] >= numbers[0]][:6]}")
    return sums, shown
