# SPDX-License-Identifier: Apache-2.0
"""Disks that lose power, mounted for a test; and the box the test lives in.

    ext4        a journalled ext4 on a loop device; the cut is the kernel's
                own shutdown request, without a flush of the file system's log
    fuse        the same on fuse_disk: a legal subset of what was not flushed
                survives, a new one each time
    fuse-plain  fuse_disk under an ext4 without a journal; e2fsck mends it

Everything happens in a mount and process namespace of its own: when the test
ends in whatever way, its processes, mounts and loop devices end with it.  The
process that stays outside then removes the folders.

A loop device over FUSE goes before the program behind it does, or whoever looks
at loop devices waits for an answer that nobody gives.
"""
import atexit
import contextlib
import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

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
BUSY_SECS = 60          # what takes no time, on a machine with other work
MODES = ("none", "all", "prefix", "torn", "subset", "blocks")
NAMES = ("ext4", "fuse", "fuse-plain")


def has_root_mount():
    return any(line.split()[4] == "/"
               for line in lib.read_file("/proc/self/mountinfo").splitlines())


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
    if not has_root_mount():
        return "/ is no mount point here (a chroot), so mounts of our own " \
            "would be seen outside: mount --bind it onto itself first"
    for tool in ("mkfs.ext4", "e2fsck", "losetup", "mount", "umount"):
        if lib.shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def check_call(result, what):
    if result != 0:
        why = os.strerror(ctypes.get_errno())
        raise Failed(f"cannot {what}: {why}")


def backing_of(device):
    """The file a loop device stands on, asked without touching that file."""
    name = os.path.basename(device)
    return lib.read_file(f"/sys/block/{name}/loop/backing_file").strip()


def sweep(folder):
    """What a killed test may have left."""
    for path in glob.glob("/sys/block/loop*"):
        device = "/dev/" + os.path.basename(path)
        if os.path.basename(folder) in backing_of(device):
            subprocess.run(["losetup", "-d", device], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def contain():
    """Goes on in a child that is process 1 of its own namespace; the parent
    passes signals on, waits, cleans up, and exits as the child does.  Returns
    the folder for what shall be kept."""
    libc = ctypes.CDLL(None, use_errno=True)
    lasting = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="ec-power-run.")
    os.chmod(folder, 0o755)
    check_call(libc.unshare(CLONE_NEWNS | CLONE_NEWPID),
               "make namespaces")
    sys.stdout.flush()
    child = os.fork()
    if child != 0:
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, lambda s, _: os.kill(child, s))
        status = os.waitpid(child, 0)[1]
        sweep(folder)
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()         # a terminal's ^C reaches the parent alone
    check_call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
               "make mounts private")
    check_call(libc.mount(b"proc", b"/proc", b"proc", 0, None),
               "mount /proc")
    return lasting


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
        self.device = None      # until it stands on nothing any more
        self.loop = None        # the same, until the mount has it
        self.mounted = False
        os.mkdir(self.mountpoint)
        atexit.register(self.close)

    def attach(self):
        self.loop = self.device = run("losetup", "--show", "-f", self.backing)

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
        lib.wait_for(f"unmounting {self.mountpoint}", gone, BUSY_SECS)
        self.mounted = False
        self.wait_detached()

    def wait_detached(self):
        """A device with nothing behind it, or that is another test's now."""
        if self.device:
            lib.wait_for(f"{self.device} being free", lambda: self.backing
                         not in backing_of(self.device), BUSY_SECS)
        self.device = None

    def power_back(self):
        self.unmount()
        self.attach()
        self.mount()

    def close(self):
        """Again and again if need be; what hangs is let go of lazily."""
        if self.mounted:
            try:
                self.unmount()
            except Failed:
                run("umount", "-l", self.mountpoint)
                self.mounted = False
        if self.loop:
            run("losetup", "-d", self.loop)
            self.loop = None
        self.wait_detached()


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
        self.proc = None
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
        if self.proc is None:
            return
        super().close()
        self.proc.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.proc.wait(BUSY_SECS)
        self.procs.end(self.proc)
        self.proc = None
        run("umount", os.path.dirname(self.backing))


class FusePlain(Fuse):
    # With an index a directory that grows moves old names to another block, and
    # with a checksum a block is all or nothing: without a journal either loses
    # names that were durable, whatever a program syncs.
    MKFS_MORE = ("-O", "^has_journal,^dir_index,^metadata_csum")
    OPTIONS = "noatime"

    def check(self):
        run("e2fsck", "-y", self.loop, good=(0, 1))


KINDS = dict(zip(NAMES, (Ext4, Fuse, FusePlain)))
