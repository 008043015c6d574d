# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: places, ports, processes, waiting.

Everything started here is known by its process id and ended by it, however a
test ends; every wait is for something and has a deadline.  Only the standard
library is used.
"""
import atexit
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

READY_SECS = 30         # for something just started to answer
STOP_SECS = 45          # a graceful stop; workers give up after 30
POLL_SECS = 0.02        # between two looks at what has no descriptor to wait on
MESSAGE_ID = r"[0-9A-F]{2}/[0-9A-F]{2}-[0-9]{5}-[0-9A-F]{8}"
SERVICE_USERS = ("ecuser", "ecnet", "eclog")
ROLES = ("listener", "spooler", "deliverer", "resolver", "logger", "console")


class Failed(Exception):
    """A check that does not hold, with what was seen."""


class Skipped(Exception):
    """A check that cannot be made here, with the reason."""


def say(*words):
    print(*words, flush=True)


def wait_for(what, probe, secs=READY_SECS):
    """The first true value of probe(); Failed when there is none in time."""
    end = time.monotonic() + secs
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failed(f"{secs} s have passed without {what}")
        time.sleep(POLL_SECS)


# --- places ------------------------------------------------------------------

def others_can_enter(path):
    """May any user reach what is under this path?"""
    path = os.path.realpath(path)
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def temp_dir(prefix):
    """A folder that other users may enter, removed at the end."""
    path = tempfile.mkdtemp(prefix=f"ec-{prefix}.")
    os.chmod(path, 0o755)
    owner = os.getpid()

    def remove():
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)
    atexit.register(remove)
    return path


_given_ports = set()


def free_port(kind=socket.SOCK_STREAM):
    """A port of 127.0.0.1 that nobody uses, each only once."""
    while True:
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def answers(port, host="127.0.0.1"):
    with contextlib.suppress(OSError):
        with socket.create_connection((host, port), timeout=1):
            return True
    return False


def smtp_answers(port, host="127.0.0.1"):
    """Does it greet with 220?"""
    with contextlib.suppress(OSError):
        with socket.create_connection((host, port), timeout=2) as s:
            s.settimeout(2)
            return s.recv(4).startswith(b"220")
    return False


def make_users(tell=say):
    """As root, the users the workers run as; left in place afterwards."""
    if os.geteuid() != 0:
        return
    for name in SERVICE_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            tell(f"creating the system user {name} (it stays)")
            subprocess.run(
                ["useradd", "--system", "--user-group", "--no-create-home",
                 "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
                 name], check=True)


# --- processes ---------------------------------------------------------------

def read_file(path, mode="r"):
    """What a file holds, empty if it is not there."""
    try:
        with open(path, mode, **({} if "b" in mode
                                 else {"errors": "replace"})) as f:
            return f.read()
    except OSError:
        return b"" if "b" in mode else ""


def stat_fields(pid):
    """Fields of /proc/PID/stat from the state on, or None."""
    text = read_file(f"/proc/{pid}/stat")
    return text.rsplit(")", 1)[1].split() if ")" in text else None


def start_time(pid):
    fields = stat_fields(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


def alive(pid, started=None):
    """Is that very process there (and not only its unburied rest)?"""
    now = start_time(pid)
    return now is not None and started in (None, now)


def children(pid):
    """Process ids whose parent is pid."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields and int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(name))
    return sorted(found)


def title(pid):
    return read_file(f"/proc/{pid}/cmdline").replace("\0", " ").strip()


class Processes:
    """Helpers of a test: started, and ended by id whatever happens."""

    def __init__(self):
        self.running = []
        atexit.register(self.end_all)

    def start(self, argv, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        proc = subprocess.Popen(argv, **kw)
        self.running.append(proc)
        return proc

    def end(self, proc, secs=10):
        """TERM, then KILL; the exit code."""
        if proc.poll() is None:
            proc.terminate()
            try:
                proc.wait(secs)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait()
        if proc in self.running:
            self.running.remove(proc)
        return proc.returncode

    def end_all(self):
        for proc in list(self.running):
            self.end(proc, 3)


class Install:
    """Programs installed below a folder by make install DESTDIR=."""

    def __init__(self, build, root):
        self.build = os.path.abspath(build)
        names = ("prefix", "sbindir", "bindir", "libexecdir")
        text = read_file(os.path.join(self.build, "config.status"))
        self.dirs = {}
        for name in names:
            m = re.search(rf'^S\["{name}"\]="(.*)"$', text, re.M)
            if not m:
                raise Failed(f"{self.build} is not configured: run ../configure"
                             " in it, or ./bootstrap demo")
            self.dirs[name] = m.group(1)
        self.root = root

    def path(self, kind):
        text = self.dirs[kind]
        while "${" in text:
            text = re.sub(r"\$\{(\w+)\}", lambda m: self.dirs.get(
                m.group(1), self.dirs["prefix"]), text)
        return self.root + text

    def make(self, log=None):
        shutil.rmtree(self.root, ignore_errors=True)
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        out = open(log, "wb") if log else subprocess.DEVNULL
        done = subprocess.run(
            ["make", "-C", self.build, "install", f"DESTDIR={self.root}"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env=env)
        if done.returncode != 0:
            raise Failed(f"make install failed; see {log}")

    @property
    def supervisor(self):
        return os.path.join(self.path("sbindir"), "ecelerity")

    def tool(self, name):
        """A helper of the build (tests/bench/...)."""
        return os.path.join(self.build, "tests", "bench", name)

    def bin(self, name):
        return os.path.join(self.path("bindir"), name)


def installed(build, tell=say):
    """Installs the build into a folder every service user may enter."""
    root = tempfile.mkdtemp(prefix="system-root.", dir=os.path.abspath(build))
    if os.geteuid() == 0 and not others_can_enter(os.path.abspath(build)):
        root = os.path.join(temp_dir("root"), "root")
    inst = Install(build, root)
    inst.make(os.path.join(os.path.abspath(build), "system-install.log"))
    atexit.register(shutil.rmtree, root, True)
    tell(f"installed into {root}")
    return inst


# --- the server --------------------------------------------------------------

class Mta:
    """One server with its own spool, logs and ports in one folder."""

    def __init__(self, inst, base, options="", port=None, listen=None):
        self.inst = inst
        self.base = base
        self.port = port or free_port()
        self.conf = os.path.join(base, "ecelerity.conf")
        self.pidfile = os.path.join(base, "ecelerity.pid")
        self.spool = os.path.join(base, "spool")
        self.logs = os.path.join(base, "log")
        self.control = os.path.join(base, "control", "control")
        self.listen = listen or (
            f'ESMTP_Listener {{ Listen "127.0.0.1:{self.port}" {{ }} }}')
        self.options = options
        self.output = os.path.join(base, "start.out")
        os.makedirs(base, exist_ok=True)
        self.write_conf()
        atexit.register(self.abandon)

    def text(self):
        return (f'{self.listen}\n'
                f'SpoolBase = "{self.spool}"\n'
                f'Pidfile = "{self.pidfile}"\n'
                f'Control_Socket = "{self.control}"\n'
                f'ec_logger {{ mainlog = "{self.log("mainlog")}"'
                f' paniclog = "{self.log("paniclog")}"'
                f' rejectlog = "{self.log("rejectlog")}" }}\n'
                f'{self.options.strip()}\n')

    def write_conf(self, text=None):
        with open(self.conf, "w") as f:
            f.write(text or self.text())

    def log(self, name):
        return os.path.join(self.logs, name + ".ec")

    def run(self, *args, secs=60):
        """Runs sbin/ecelerity; what it printed and its exit code."""
        with open(self.output, "wb") as out:
            done = subprocess.run([self.inst.supervisor, *args],
                                  stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, timeout=secs)
        return done.returncode, read_file(self.output)

    def start(self):
        """As an init script does; ready when the port greets."""
        code, text = self.run("-c", self.conf)
        if code != 0:
            raise Failed(f"the server did not start (exit code {code}):"
                         f" {text.strip()}")
        wait_for("a process id in " + self.pidfile, self.pid)
        self.wait_smtp()
        return text

    def wait_smtp(self, secs=READY_SECS):
        wait_for(f"a greeting on port {self.port}",
                 lambda: smtp_answers(self.port), secs)

    def pid(self):
        text = read_file(self.pidfile).strip()
        return int(text) if text.isdigit() and alive(int(text)) else 0

    def signal(self, signo):
        os.kill(self.pid(), signo)

    def workers(self):
        """{"listener/0": pid} as ps shows them, those not named left out."""
        pid = self.pid()
        found = {}
        for child in children(pid) if pid else []:
            m = re.match(r"ecelerity: ((\w+)/?(\d*))(?:\s|$)", title(child))
            if m and m.group(2) in ROLES:
                found[f"{m.group(2)}/{m.group(3) or 0}"] = child
        return found

    def ps(self):
        """The lines of ps for the supervisor and its workers."""
        pid = self.pid()
        pids = [pid, *children(pid)]
        done = subprocess.run(
            ["ps", "-o", "pid,user:8,rss,args", "-ww", "-p",
             ",".join(map(str, pids))], capture_output=True, text=True)
        return [line.rstrip() for line in done.stdout.splitlines()]

    def stop(self, secs=STOP_SECS):
        """TERM; returns when supervisor and workers are gone."""
        pid = self.pid()
        if not pid:
            return
        left = {p: start_time(p) for p in [pid, *children(pid)]}
        os.kill(pid, signal.SIGTERM)
        wait_for("the end of the server after TERM", lambda: not any(
            alive(p, t) for p, t in left.items() if t), secs)

    def abandon(self):
        """At the end of a test: whatever is left goes, by id."""
        pid = self.pid()
        left = {p: start_time(p) for p in [pid, *children(pid)]} if pid else {}
        for p, started in left.items():
            if started and alive(p, started):
                with contextlib.suppress(OSError):
                    os.kill(p, signal.SIGKILL)

    def console(self, *args, secs=20):
        """Runs ec_console; exit code and text."""
        done = subprocess.run(
            [self.inst.bin("ec_console"), "-s", self.control, *args],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=secs)
        return done.returncode, done.stdout + done.stderr

    def mainlog(self):
        return read_file(self.log("mainlog"))

    def paniclog(self):
        return read_file(self.log("paniclog"))

    def wait_log(self, pattern, name="mainlog", secs=READY_SECS):
        """The first line of a log that matches."""
        regex = re.compile(pattern, re.M)

        def look():
            m = regex.search(read_file(self.log(name)))
            return m and m.group(0)
        return wait_for(f"a line {pattern!r} in {name}", look, secs)


# --- load and sink -----------------------------------------------------------

class Sink:
    """ec_sink with its ledger."""

    def __init__(self, inst, procs, base, *args, port=None):
        self.procs = procs
        self.ledger = os.path.join(base, "arrived")
        self.port = port or free_port()
        self.proc = procs.start(
            [inst.tool("ec_sink"), "-l", f"127.0.0.1:{self.port}",
             "--ledger", self.ledger, *args], stdout=subprocess.PIPE)
        if not self.proc.stdout.readline().startswith(b"listening"):
            raise Failed("ec_sink does not listen")

    def stop(self):
        """Ends it; its counters."""
        self.proc.terminate()
        text = self.proc.stdout.read()
        self.procs.end(self.proc)
        return json.loads(text.splitlines()[-1])


def ledger_counts(path):
    """{"ID RCPT": how often}, without doubtful and torn lines."""
    counts = {}
    for line in read_file(path).split("\n")[:-1]:
        words = line.split(" ", 2)
        if words[0] != "?" and len(words) >= 2:
            key = words[0] + " " + words[1]
            counts[key] = counts.get(key, 0) + 1
    return counts


def count_lines(path):
    return read_file(path, "rb").count(b"\n")


def wait_arrivals(accepted, arrived, secs, still=60):
    """Until every accepted key has arrived; the keys still out.  Gives up
    after secs, or when nothing has arrived for so long."""
    end = time.monotonic() + secs
    wanted = set(ledger_counts(accepted))
    last, since = -1, time.monotonic()
    while True:
        have = ledger_counts(arrived)
        out = wanted - have.keys()
        now = time.monotonic()
        if len(have) != last:
            last, since = len(have), now
        if not out or now > end or now - since > still:
            return out
        time.sleep(0.1)


def reconcile(inst, accepted, arrived):
    """ec_reconcile's figures."""
    open(accepted, "ab").close()
    open(arrived, "ab").close()
    done = subprocess.run([inst.tool("ec_reconcile"), accepted, arrived],
                          capture_output=True, text=True)
    if done.stderr:
        say(done.stderr.rstrip())
    return json.loads(done.stdout)


# --- a list of checks --------------------------------------------------------

class Checks:
    """Runs named checks, counts them, ends with one line of JSON."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0

    def run(self, name, check, *args):
        begin = time.monotonic()
        try:
            note = check(*args)
        except Skipped as why:
            self.skipped += 1
            say(f"SKIP {name}: {why}")
            return False
        except (Failed, OSError, subprocess.SubprocessError, AssertionError,
                ValueError, KeyError) as why:
            self.failed += 1
            say(f"FAIL {name}: {type(why).__name__}: {why}")
            return False
        self.passed += 1
        took = time.monotonic() - begin
        say(f"ok   {name} ({took:.1f} s)" + (f": {note}" if note else ""))
        return True

    def finish(self, **more):
        say(json.dumps({"check": self.name, "passed": self.passed,
                        "failed": self.failed, "skipped": self.skipped,
                        **more}))
        return 1 if self.failed or not self.passed else 0


def expect(truth, what):
    if not truth:
        raise Failed(what)


def background(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def exit_on_signals():
    """TERM, INT and HUP end the test as sys.exit does, so cleaning runs."""
    def leave(signo, _frame):
        for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)    # cleaning is not cut short
        sys.exit(128 + signo)
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signo, leave)
