# SPDX-License-Identifier: Apache-2.0
"""Disks that lose power, mounted for a test; and the box the test lives in.

    ext4        a journalled ext4 on a loop device; the cut is the kernel's
                own shutdown request, without a flush of the file system's log
    fuse        the same on fuse_disk: a legal subset of what was not flushed
                survives, a new one each time
    fuse-plain  fuse_disk under an ext4 without a journal; e2fsck mends it

Everything happens in a mount and process namespace of its own: when the test
ends in whatever way, its processes, mounts and loop devices end with it.
"""
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys

import lib
from lib import Failed

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
DISK_BYTES = 256 << 20
FLUSH_US = 2000         # of fuse_disk: as long as a fair SSD takes
MKFS = ("mkfs.ext4", "-q", "-F", "-E",
        "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
MOST_WRITES = 24        # from the command to the cut
MODES = ("none", "all", "prefix", "torn", "subset", "blocks")
NAMES = ("ext4", "fuse", "fuse-plain")


def why_not(build):
    """The reason why no power can be cut here, or None."""
    if os.geteuid() != 0:
        return "this needs root: it mounts file systems"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices here"
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse here"
    if not os.path.exists(os.path.join(build, "tests/crash/fuse_disk")):
        return "built without libfuse3 (Debian package libfuse3-dev)"
    for tool in ("mkfs.ext4", "e2fsck", "losetup", "mount", "umount"):
        if lib.shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def check_call(result, what):
    if result != 0:
        why = os.strerror(ctypes.get_errno())
        raise Failed(f"cannot {what}: {why}")


def contain():
    """Goes on in a child that is process 1 of its own namespace; the parent
    passes signals on, waits, and exits as the child does."""
    libc = ctypes.CDLL(None, use_errno=True)
    check_call(libc.unshare(CLONE_NEWNS | CLONE_NEWPID),
               "make namespaces")
    sys.stdout.flush()
    child = os.fork()
    if child != 0:
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, lambda s, _: os.kill(child, s))
        status = os.waitpid(child, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()         # a terminal's ^C reaches the parent alone
    check_call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
               "make mounts private")
    check_call(libc.mount(b"proc", b"/proc", b"proc", 0, None),
               "mount /proc")


def run(*argv, good=(0,)):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True)
    if done.returncode not in good:
        raise Failed(f"{' '.join(argv)}: exit code {done.returncode}:"
                     f" {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout.strip()


class Disk:
    """A file system on a loop device; the device goes with the mount."""

    MKFS_MORE = ()
    OPTIONS = "noatime"

    def __init__(self, build, base):
        self.tools = os.path.join(build, "tests", "crash")
        self.mountpoint = os.path.join(base, "mnt")
        self.loop = None
        self.mounted = False
        os.mkdir(self.mountpoint)

    def attach(self):
        self.loop = run("losetup", "--show", "-f", self.backing)

    def make(self):
        self.attach()
        run(*MKFS, *self.MKFS_MORE, self.loop)
        self.mount()

    def mount(self):
        run("mount", "-t", "ext4", "-o", self.OPTIONS, self.loop,
            self.mountpoint)
        self.mounted = True
        run("losetup", "-d", self.loop)     # at the unmounting, that is
        self.loop = None

    def unmount(self):
        """Whoever has files open here was killed and is about to vanish."""
        def gone():
            return subprocess.run(["umount", self.mountpoint],
                                  capture_output=True).returncode == 0
        lib.wait_for(f"unmounting {self.mountpoint}", gone, 10)
        self.mounted = False

    def power_back(self):
        self.unmount()
        self.attach()
        self.mount()

    def close(self):
        if self.mounted:
            self.unmount()
        if self.loop:
            run("losetup", "-d", self.loop)


class Ext4(Disk):
    # Nothing is written behind our back within a round.
    OPTIONS = "noatime,commit=60"

    def __init__(self, build, base, _procs):
        super().__init__(build, base)
        self.backing = os.path.join(base, "image")
        with open(self.backing, "wb") as f:
            f.truncate(DISK_BYTES)
        self.make()

    def cut(self, _dice, _mode=None):
        run(os.path.join(self.tools, "power_cut"), self.mountpoint)
        return "shutdown"


class Fuse(Disk):
    OPTIONS = "noatime,commit=60"

    def __init__(self, build, base, procs):
        super().__init__(build, base)
        self.procs = procs
        front = os.path.join(base, "front")
        os.mkdir(front)
        self.backing = os.path.join(front, "disk")
        self.proc = procs.start(
            [os.path.join(self.tools, "fuse_disk"), front, str(DISK_BYTES),
             str(FLUSH_US)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        if not self.proc.stdout.readline().startswith('{"ready"'):
            raise Failed("fuse_disk does not start")
        self.make()
        self.prove_flush()

    def command(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()
        answer = json.loads(self.proc.stdout.readline())
        if "error" in answer:
            raise Failed(f"fuse_disk: {answer['error']}")
        return answer

    def prove_flush(self):
        """An fsync up there must be a flush down here, or nothing holds."""
        before = self.command("stats")
        fd = os.open(os.path.join(self.mountpoint, "probe"),
                     os.O_RDWR | os.O_CREAT)
        os.write(fd, b"probe")
        os.fsync(fd)
        os.close(fd)
        after = self.command("stats")
        if after["flushes"] == before["flushes"] or after["unflushed"]:
            raise Failed("the loop device passes no flush down"
                         f" ({before}, {after})")

    def cut(self, dice, mode=None):
        """Just after a write: a disk that has nothing to lose shows nothing."""
        mode = mode or dice.choice(MODES)
        after = dice.randrange(1, MOST_WRITES)
        was = self.command(f"cut {mode} {dice.randrange(1 << 32)} {after}")
        return (f"{mode} of {was['unflushed']} writes,"
                f" {was['kept_bytes']}/{was['bytes']} bytes kept")

    def power_back(self):
        self.unmount()
        self.command("thaw")
        self.attach()
        self.check()
        self.mount()

    def check(self):
        """The mount replays the journal; nothing else is mended."""

    def close(self):
        """Its stdin's end ends it; then its mount can go."""
        super().close()
        self.proc.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.proc.wait(10)
        self.procs.end(self.proc)
        run("umount", os.path.dirname(self.backing))


class FusePlain(Fuse):
    MKFS_MORE = ("-O", "^has_journal")
    OPTIONS = "noatime"

    def check(self):
        run("e2fsck", "-y", self.loop, good=(0, 1))


KINDS = dict(zip(NAMES, (Ext4, Fuse, FusePlain)))
