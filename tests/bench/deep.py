# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of a deep queue share: places, servers, readings.

    Place       where spools lie: a folder, or as root an ext4 with a journal
                and inodes enough, in a sparse file on a loop device
    Server      the whole program with a spool in a place
    fill()      the queue to a depth, all of it settled

As root everything runs in a mount and process namespace of its own
(tests/crash/power_disk.py), so that processes, mounts and loop devices end
with the benchmark however it ends; files do, unless --keep names a folder.
Else every process is ended by its id and all files go.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"),
                os.path.join(HERE, "..", "crash")]
import lib  # noqa: E402
import power_disk  # noqa: E402
from lib import Failed, say  # noqa: E402

FAN_OUT = 100           # recipients of a message that fills
BODY = 4096
DOMAINS = 50            # of the first part of a fill
TICKS = os.sysconf("SC_CLK_TCK")
SPARE_INODES = 512      # directories, journal, checkpoints
ROLL_INODES = 300000    # mail that is taken while it is measured, each with
                        # a body of its own
STALL_SECS = 60         # nothing settles or comes back for so long: given up
TELL_SECS = 5           # between two lines about progress
JOURNAL_MIB = 1024
TOOLS = (("mkfs.ext4", "e2fsprogs"), ("mount", "mount"),
         ("umount", "mount"), ("losetup", "mount"))
OPTIONS = """Relay_Hosts = ( "127.0.0.0/8" )
Gateway = "127.0.0.1:{gateway}"
Max_Recipients_Per_Message = 1000
Settle_After = {settle}
Suspend_Delivery = true
Domain "live.example" {{ Suspend_Delivery = false }}
"""


# --- the machine -------------------------------------------------------------

def machine():
    text = lib.read_file("/proc/cpuinfo")
    m = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    mem = int(re.search(r"MemTotal:\s+(\d+)",
                        lib.read_file("/proc/meminfo")).group(1)) >> 20
    return (f"{os.cpu_count()} x {m.group(1) if m else 'unknown'}, {mem} GiB,"
            f" Linux {os.uname().release}")


def commit():
    done = subprocess.run(["git", "-C", HERE, "describe", "--always",
                           "--dirty", "--abbrev=12"], capture_output=True,
                          text=True)
    return done.stdout.strip() or None


def why_no_loop():
    """The reason why no file system can be made here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices here"
    for tool, package in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian package {package})"
    return None


def drop_caches():
    """Was the page cache dropped?"""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3")
    except OSError as why:
        say(f"the page cache stays ({why}): the start reads from memory")
        return False
    return True


def inodes_of(messages):
    """What the goal allows: two files a message."""
    return 2 * messages + SPARE_INODES


def bytes_of(messages, bodies):
    """Blocks of .meta files, bodies and directories, inodes and journal."""
    return (messages * (4096 + 200) + bodies * 2 * BODY
            + (inodes_of(messages) + ROLL_INODES) * 256
            + ROLL_INODES // 2 * (4096 + 2 * BODY) + (JOURNAL_MIB + 512 << 20))


# --- the place ---------------------------------------------------------------

class Place:
    """kind, path; kept: what an earlier run left in it (depth.json)."""

    def __init__(self, args, messages, bodies):
        self.kept_in = os.path.abspath(args.keep) if args.keep else None
        self.dir = self.kept_in or lib.temp_dir("bench")
        self.note = os.path.join(self.dir, "depth.json")
        self.image = os.path.join(self.dir, "fs.img")
        self.path = os.path.join(self.dir, "fs")
        self.kind = "plain"
        self.mounted = False
        os.makedirs(self.path, exist_ok=True)
        for path in (self.dir, self.path):
            os.chmod(path, 0o755)
        self.kept = json.loads(lib.read_file(self.note) or "{}")
        want = inodes_of(messages) + ROLL_INODES, bytes_of(messages, bodies)
        say(f"needed: {want[0]} inodes, {want[1] >> 20} MiB")
        loop = os.path.exists(self.image) if self.kept else self.choose(args)
        if loop:
            self.mount(*want)
        if not self.kept:
            self.check(*want)

    def choose(self, args):
        why = why_no_loop()
        if args.spool_on == "loop" and why:
            raise Failed(f"--spool-on loop: {why}")
        if why and args.spool_on == "auto":
            say(f"no file system of its own: {why}")
        return not why and args.spool_on != "plain"

    def mount(self, inodes, size):
        if not os.path.exists(self.image):
            left = shutil.disk_usage(self.dir).free
            if size > left:
                raise Failed(f"{self.dir} has {left >> 20} MiB left, "
                             f"{size >> 20} are needed: TMPDIR or KEEP can "
                             "name a folder elsewhere")
            with open(self.image, "wb") as f:
                f.truncate(size * 5 // 4)
            power_disk.run("mkfs.ext4", "-q", "-F", "-N", str(inodes), "-m",
                           "0", "-J", "size=128", "-E",
                           "nodiscard,lazy_itable_init=1", self.image)
        power_disk.run("mount", "-o", "loop,noatime", self.image, self.path)
        self.mounted = True
        self.kind = "loop-ext4"
        os.chmod(self.path, 0o755)

    def check(self, inodes, size):
        st = os.statvfs(self.path)
        if st.f_files and st.f_favail < inodes:
            raise Failed(f"{self.path} has {st.f_favail} inodes left, "
                         f"{inodes} are needed; as root (without --spool-on "
                         "plain) a file system of its own is made")
        if st.f_bavail * st.f_frsize < size:
            raise Failed(f"{self.path} has too little room")

    def remember(self, **what):
        self.kept = what
        with open(self.note, "w") as f:
            json.dump(what, f)

    def close(self):
        if self.mounted:
            with contextlib.suppress(Failed, OSError):
                power_disk.run("umount", self.path)
            self.mounted = False
        if self.kept_in:
            say(f"kept in {self.kept_in}")


# --- the server --------------------------------------------------------------

class Server(lib.Mta):
    def __init__(self, inst, base, place, name, settle=0.5, gateway=None,
                 more=""):
        self.gateway = gateway or lib.free_port()
        self.more = more
        super().__init__(inst, base, self.options_of(settle))
        self.spool = os.path.join(place.path, name)
        self.write_conf()

    def options_of(self, settle):
        return OPTIONS.format(gateway=self.gateway, settle=settle) + self.more

    def rows(self):
        code, text = self.console("workers", "--json")
        if code != 0:
            raise Failed(f"ec_console workers: {text.strip()}")
        rows = map(json.loads, text.splitlines())
        return {row["worker"]: row for row in rows}

    def numbers(self):
        """The spooler's."""
        return self.rows()["spooler/0"]["numbers"]

    def settle_after(self, secs):
        """By a reload; returns when the spooler has it."""
        was = self.rows()["spooler/0"]["generation"]
        self.options = self.options_of(secs)
        self.write_conf()
        self.signal(signal.SIGHUP)
        lib.wait_for("the reload", lambda: self.rows()["spooler/0"]
                     ["generation"] != was)

    def spooler(self):
        return self.rows()["spooler/0"]["pid"]

    def cpu(self):
        """Seconds of the spooler, all its threads."""
        fields = lib.stat_fields(self.spooler())
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """Bytes of the spooler: heap and the like (no arena, no file), what
        is its alone, and its share of everything."""
        text = lib.read_file(f"/proc/{self.spooler()}/smaps_rollup")
        kib = {k: int(v) for k, v in
               re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
        return {"anonymous": kib["Anonymous"] << 10,
                "private": kib["Private_Clean"] + kib["Private_Dirty"] << 10,
                "pss": kib["Pss"] << 10}

    def running(self):
        pid = self.pid()
        found = {p: lib.start_time(p)
                 for p in (pid, *(lib.children(pid) if pid else ())) if p}
        return {p: started for p, started in found.items() if started}

    def kill(self):
        """All at once, as a crash of everything."""
        left = self.running()
        for p in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)

        def gone():
            for p in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(p, os.WNOHANG)
            return not any(lib.alive(p, t) for p, t in left.items())
        lib.wait_for("the end of what was killed", gone, 60)

    def wait_number(self, what, enough, name="settled"):
        """Until a number of the spooler's reaches so much; seconds."""
        begin = told = moved = time.monotonic()
        last = -1
        while True:
            n, now = self.numbers()[name], time.monotonic()
            if n >= enough:
                return now - begin
            if n != last:
                last, moved = n, now
            if now - moved > STALL_SECS:
                raise Failed(f"{what}: {n} of {enough}, then nothing for "
                             f"{STALL_SECS} s; {self.paniclog()[-500:]}")
            if now - told > TELL_SECS:
                told = now
                say(f"  {what}: {n} of {enough}")
            time.sleep(0.1)


# --- load --------------------------------------------------------------------

def start_load(procs, server, *words, secs=3600):
    return procs.start(
        [server.inst.tool("ec_load"), "-t", f"127.0.0.1:{server.port}", "-d",
         "-l", str(BODY), "-T", str(secs), *map(str, words)],
        stdout=subprocess.PIPE)


def end_load(procs, proc):
    """The generator's own figures, when it ends."""
    try:
        return json.loads(proc.stdout.read())
    finally:
        procs.end(proc)
        proc.stdout.close()


def load(procs, server, *words, secs=3600, some=False):
    out = end_load(procs, start_load(procs, server, *words, secs=secs))
    if not some and (out["failed"] or out["neterr"] or out["rejects"]):
        raise Failed(f"not all was accepted: {out}; "
                     f"{server.paniclog()[-500:]}")
    return out


def in_turn(procs, servers, repeats, *words):
    """Accept rates of several servers, medians of runs taken in turn."""
    rates = [[] for _ in servers]
    for i in range(repeats):
        for server, mine in zip(servers, rates):
            mine.append(load(procs, server, *words)["rate"])
        say(f"  round {i + 1}: " + ", ".join(f"{r[-1]:.0f}/s" for r in rates))
    return [statistics.median(r) for r in rates]


def fill(procs, server, depth, domains):
    """So many more messages, for so many domains, and all of them settled;
    figures."""
    had = server.numbers()
    count = max(1, depth // FAN_OUT)
    begin = time.monotonic()
    got = load(procs, server, "-s", 20, "-P", "-m", count, "-r",
               min(FAN_OUT, depth), "-D", domains)
    taken = time.monotonic() - begin
    n = got["rcpts"]
    say(f"  {n} messages in {got['ok']} bodies taken in {taken:.1f} s")
    server.wait_number("settled", had["settled"] + n)
    secs = time.monotonic() - begin
    say(f"  all settled {secs:.1f} s after the first came")
    return {"messages": n, "fill_secs": taken, "settle_rate": n / secs}


# --- the frame ---------------------------------------------------------------

def parser(doc, **defaults):
    import argparse
    p = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--build", required=True, help="the build directory")
    p.add_argument("--spool-on", choices=("auto", "loop", "plain"),
                   default="auto", help="auto: as root an ext4 of its own on "
                   "a loop device")
    p.add_argument("--set", action="append", default=[], metavar="LINE",
                   help="one more line of configuration")
    if "depth" in defaults:
        p.add_argument("--depth", type=int, default=defaults["depth"])
        p.add_argument("--domains", type=int, default=100000,
                       help="distinct domains of the second part")
        p.add_argument("--keep", metavar="DIR",
                       help="the filled spool stays there, and is used again")
    return p


def rounded(value):
    if isinstance(value, float):
        return round(value, 3 if abs(value) < 100 else 1)
    return value


def run(name, args, measure):
    """measure(args, inst, procs, base) gives figures; the exit code."""
    if not shutil.which("make"):
        say("make is not installed (Debian package make)")
        return 1
    if os.geteuid() == 0:
        power_disk.contain()
    lib.exit_on_signals()
    begin = time.monotonic()
    out, code = {"bench": name}, 0
    procs = lib.Processes()
    try:
        lib.make_users()
        inst = lib.installed(args.build)
        out.update(measure(args, inst, procs, lib.temp_dir("server")))
    except (Failed, OSError, subprocess.SubprocessError) as failure:
        say(f"bench-{name}: {failure}")
        out["error"] = str(failure)[:300]
        code = 1
    finally:
        procs.end_all()
    out.update(secs=round(time.monotonic() - begin, 1), machine=machine(),
               commit=commit())
    say(json.dumps({k: rounded(v) for k, v in out.items()}))
    return code
