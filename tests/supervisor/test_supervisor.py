#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real supervisor with fake workers, seen from outside.

Everything is awaited: the fake workers write what happens to them into one
file, and wait() polls that, the log or /proc until a deadline.
usage: test_supervisor.py BUILD_DIRECTORY [CASE...]
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
ROLES = ("listener", "spooler", "deliverer", "resolver", "logger", "console")
DEADLINE = 20.0
NOBODY = 65534


class Failed(Exception):
    pass


def wait(what, condition, seconds=DEADLINE):
    """Until condition() gives something true; that is the result."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed("waited %g s for: %s" % (seconds, what))
        time.sleep(0.01)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def title(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


class Site:
    """An installed tree with its own configuration, log and processes."""

    def __init__(self, extra="", listen=("127.0.0.1:%d",), workers=2):
        self.dir = tempfile.mkdtemp(prefix="ec-sup-")
        os.chmod(self.dir, 0o755)
        self.events_path = self.path("events")
        self.conf = self.path("demo.conf")
        self.err = self.path("stderr")
        self.proc = None
        self.port = free_port()
        self.extra = extra
        self.workers = workers
        self.inherit = None     # called in the supervisor before its exec
        os.makedirs(self.path("sbin"))
        os.makedirs(self.path("libexec/ecelerity"))
        shutil.copy(os.path.join(BUILD, "supervisor/ecelerity"),
                    self.path("sbin/ecelerity"))
        for role in ROLES:
            shutil.copy(os.path.join(BUILD, "tests/supervisor/fake_worker"),
                        self.path("libexec/ecelerity/" + role))
        self.write_conf([l % self.port if "%d" in l else l for l in listen])
        if os.geteuid() == 0:
            os.chown(self.dir, NOBODY, NOBODY)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write_conf(self, listen, extra=None):
        with open(self.conf, "w") as f:
            f.write("ESMTP_Listener {\n")
            for address in listen:
                f.write('  Listen "%s" { }\n' % address)
            f.write("}\n")
            f.write('Listeners = %d\nDeliverers = %d\n' % (
                self.workers, self.workers))
            f.write('SpoolBase = "%s"\n' % self.path("spool"))
            f.write('Pidfile = "%s"\n' % self.path("run/ecelerity.pid"))
            f.write('Control_Socket = "%s"\n' % self.path("ctl/control"))
            f.write('ec_logger { mainlog = "%s" paniclog = "%s" '
                    'rejectlog = "%s" }\n' % (
                        self.path("log/mainlog.ec"),
                        self.path("log/paniclog.ec"),
                        self.path("log/rejectlog.ec")))
            f.write('Log_Level = "info"\n')
            f.write(self.extra if extra is None else extra)

    def command(self, *more):
        c = [self.path("sbin/ecelerity"), "-c", self.conf] + list(more)
        if os.geteuid() == 0:
            c = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY,
                 "--clear-groups"] + c
        return c

    def env(self, **more):
        e = dict(os.environ, FAKE_EVENTS=self.events_path)
        e.update(more)
        return e

    def start(self, **env):
        """In the foreground, until it is ready."""
        self.launch(**env)
        self.wait_log(r"ready: \d+ workers")
        return self

    def launch(self, **env):
        self.proc = subprocess.Popen(
            self.command("-d"), env=self.env(**env),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.err, "a"), start_new_session=True,
            preexec_fn=self.inherit)

    def run(self, *more, **env):
        """To its end, with what it said."""
        return subprocess.run(self.command(*more), env=self.env(**env),
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)

    def log(self):
        try:
            with open(self.err) as f:
                return f.read()
        except OSError:
            return ""

    def events(self):
        try:
            with open(self.events_path) as f:
                return f.read()
        except OSError:
            return ""

    def wait_log(self, regex, seconds=DEADLINE):
        def look():
            found = re.search(regex, self.log())
            if found is None and self.proc and self.proc.poll() is not None:
                raise Failed("ended with %d while waiting for log %s" % (
                    self.proc.returncode, regex))
            return found
        return wait("log " + regex, look, seconds)

    def wait_event(self, regex, seconds=DEADLINE):
        return wait("event " + regex, lambda: re.search(
            "^" + regex + "$", self.events(), re.M), seconds)

    def worker(self, who, incarnation=1):
        """The process id of one incarnation."""
        return int(self.wait_event(r"%s#%d started pid (\d+) .*" % (
            who, incarnation)).group(1))

    def all_pids(self):
        return [int(p) for p in re.findall(r"started pid (\d+)",
                                           self.events())]

    def signal(self, signo):
        self.proc.send_signal(signo)

    def wait_exit(self, seconds=DEADLINE):
        return self.proc.wait(timeout=seconds)

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        for pid in self.all_pids():
            try:
                if title(pid).startswith("ecelerity: "):
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def greeting(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            return s.makefile().readline().strip()
    except OSError:
        return ""


def check(condition, what):
    if not condition:
        raise Failed(what)


ALL = ["listener/0", "listener/1", "spooler/0", "deliverer/0", "deliverer/1",
       "resolver/0", "logger/0", "console/0"]
PEERS = {
    "listener": ["spooler/0", "logger/0"],
    "deliverer": ["spooler/0", "resolver/0", "console/0"],
    "spooler": ["listener/0", "listener/1", "deliverer/0", "deliverer/1",
                "logger/0", "console/0"],
    "resolver": ["deliverer/0", "deliverer/1", "console/0"],
    "logger": ["spooler/0", "listener/0", "listener/1"],
    "console": ["spooler/0", "deliverer/0", "deliverer/1", "resolver/0"],
}


def case_start_titles_links(site):
    site.start()
    for who in ALL:
        pid = site.worker(who)
        wait("title of " + who, lambda: title(pid) ==
             "ecelerity: %s incarnation 1" % who)
        for peer in PEERS[who.split("/")[0]]:
            site.wait_event("%s#1 link %s#1" % (who, peer))
    # A message goes there and back through a link.
    site.wait_event("deliverer/0#1 resolved 1")
    wait("own title", lambda: title(site.proc.pid) ==
         "ecelerity: supervisor 8 workers")
    check("leaked" not in site.events(), "a worker got a stray descriptor")
    check("stdin 0" not in site.events(), "stdin is closed")
    for who in ("listener/0", "listener/1"):
        for slot in (0, 1):
            site.wait_event('%s#1 listen slot %d scope "" address '
                            '127.0.0.1:%d' % (who, slot, site.port))
    check(greeting(site.port).startswith("220 listener/"), "nobody greets")
    if os.geteuid() == 0:
        check("ports below 1024 cannot be bound" in site.log(), "no warning")
    with open(site.path("run/ecelerity.pid")) as f:
        check(int(f.read()) == site.proc.pid, "pid file")
    check(os.stat(site.path("spool")).st_mode & 0o7777 == 0o750, "spool mode")


def case_every_role_restarts(site):
    site.start()
    for who in ALL:
        role = who.split("/")[0]
        old = site.worker(who)
        os.kill(old, signal.SIGKILL)
        site.worker(who, 2)
        check(not alive(old), "old one still there")
        for peer in PEERS[role]:
            site.wait_event(r"%s#2 link %s#\d+" % (who, peer))
            seen = site.wait_event(r"%s#\d+ link %s#2" % (peer, who))
            # The death is told before the successor is linked.
            dead = re.search(r"^%s#\d+ dead %s#1$" % (peer, who),
                             site.events(), re.M)
            check(dead and dead.start() < seen.start(),
                  "%s was not told of %s in time" % (peer, who))
        if role == "listener":
            site.wait_event(r'%s#2 listen slot 1 scope "" address .*' % who)
    wait("title without a word of damage", lambda: title(site.proc.pid) ==
         "ecelerity: supervisor 8 workers")
    check(greeting(site.port).startswith("220 listener/"), "nobody greets")


def case_repeated_deaths_back_off_and_slots_are_adopted(site):
    site.start()
    for n in range(1, 6):
        pid = site.worker("listener/0", n)
        site.wait_event(r"listener/0#%d link logger/0#1" % n)
        os.kill(pid, signal.SIGKILL)
    # Waits of 0.1, 0.2, 0.4, 0.8 s by now: time to see it.
    wait("degraded title", lambda: "(degraded: listener/0 down)" in
         title(site.proc.pid))
    site.wait_event("listener/1#1 adopt slot 0 1")
    # While the owner is away every connection is served.
    for _ in range(20):
        check(greeting(site.port).startswith("220 listener/"), "unserved")
    site.worker("listener/0", 6)
    wait("owner is back", lambda: re.findall(
        "^listener/1#1 adopt slot 0 (.)$", site.events(), re.M)[-1] == "0")


def case_a_silent_listener_s_slot_is_served(site):
    site.start()
    stopped = site.worker("listener/0")
    os.kill(stopped, signal.SIGSTOP)
    # Long before the watchdog (60 s).
    site.wait_event("listener/1#1 adopt slot 0 1")
    for _ in range(20):
        check(greeting(site.port).startswith("220 listener/1"), "unserved")
    os.kill(stopped, signal.SIGCONT)
    site.wait_event("listener/1#1 adopt slot 0 0")
    check("#2 started" not in site.events(), "it was restarted")


def case_a_listener_that_leaves_by_itself_is_helped(site):
    """kill -TERM of one: it drains, and that takes its time."""
    site.start(FAKE_STUBBORN="listener/0")
    os.kill(site.worker("listener/0"), signal.SIGTERM)
    site.wait_event("listener/0#1 drain")
    site.wait_event("listener/1#1 adopt slot 0 1")
    os.kill(site.worker("listener/0"), signal.SIGKILL)
    site.wait_event("listener/1#1 adopt slot 0 0")


def case_a_busier_listener_s_slot_is_shared(site):
    site.start(FAKE_SESSIONS="listener/1:500")
    site.wait_event("listener/0#1 adopt slot 1 1")
    # The next one has none, and so needs no help.
    os.kill(site.worker("listener/1"), signal.SIGKILL)
    site.worker("listener/1", 2)
    site.wait_event("listener/0#1 adopt slot 1 0")
    check("listener/1#2 adopt" not in site.events(), "the wrong one helps")


def case_ignored_signals_of_the_caller(site):
    """nohup and some cron daemons leave signals ignored over exec."""
    def ignore():
        for signo in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM):
            signal.signal(signo, signal.SIG_IGN)
    site.inherit = ignore
    site.start()
    os.kill(site.worker("listener/0"), signal.SIGKILL)
    site.worker("listener/0", 2)
    site.signal(signal.SIGHUP)
    site.wait_event("console/0#1 reconfigured generation 2")
    site.signal(signal.SIGTERM)
    check(site.wait_exit() == 0, "exit code")


def case_a_worker_without_its_links_is_started_again(site):
    """The supervisor has descriptors left for a worker, none for its links."""
    site.start()
    links = re.findall("^resolver/0#1 link ", site.events(), re.M)
    check(len(links) == 3, "there were %d links" % len(links))
    pid = site.proc.pid
    n = len(os.listdir("/proc/%d/fd" % pid))
    check(max(int(f) for f in os.listdir("/proc/%d/fd" % pid)) <= n, "holes")
    with open("/proc/%d/limits" % pid) as f:
        soft, hard = re.search(r"Max open files +(\d+) +(\d+)",
                               f.read()).groups()
    as_it = site.command()
    as_it = as_it[:as_it.index(site.path("sbin/ecelerity"))]

    def limit(number):
        subprocess.run(as_it + ["prlimit", "--pid=%d" % pid,
                                "--nofile=%s:%s" % (number, hard)],
                       check=True)
    limit(n + 1)
    os.kill(site.worker("resolver/0"), signal.SIGKILL)
    site.wait_log("ERROR: supervisor: .* get no link: .*Too many open files")
    limit(soft)
    for peer in PEERS["resolver"]:
        site.wait_event(r"resolver/0#([3-9]|\d\d+) link %s#1" % peer)
    wait("all is well", lambda: title(pid) == "ecelerity: supervisor 8 workers")


def case_watchdog(site):
    site.start(FAKE_HANG="deliverer/1")
    pid = site.worker("deliverer/1")
    trace = site.path("log/traces/%d.trc" % pid)
    site.wait_log(r"CRITICAL: supervisor: deliverer/1 \(pid %d\): no "
                  r"heartbeat for [\d.]+ s, aborting it; .*%d\.trc" % (
                      pid, pid))
    site.wait_log(r"deliverer/1 \(pid %d\) ended: signal 6" % pid)
    site.worker("deliverer/1", 2)
    with open(trace) as f:
        text = f.read()
    for word in ("deliverer/1 pid %d: no heartbeat" % pid, "VmRSS:",
                 "/task/%d/stat" % pid):
        check(word in text, "no %s in the trace" % word)
    for who in ALL:
        if who != "deliverer/1":
            check("%s#2 " % who not in site.events(), who + " was killed too")


def case_a_frozen_machine_aborts_nobody(site):
    """A paused virtual machine or cgroup: all stand still, and go on."""
    site.start()
    pids = site.all_pids()
    os.kill(site.proc.pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    frozen = time.monotonic()
    wait("time to pass", lambda: time.monotonic() - frozen > 4)
    site.signal(signal.SIGHUP)
    os.kill(site.proc.pid, signal.SIGCONT)
    site.wait_log("generation 2")       # it went on before they do
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    for who in ALL:
        site.wait_event("%s#1 reconfigured generation 2" % who)
    check("no heartbeat" not in site.log(), "somebody was aborted")
    # The watch goes on: one that hangs now is ended.
    os.kill(site.worker("resolver/0"), signal.SIGSTOP)
    site.wait_log(r"resolver/0 \(pid \d+\): no heartbeat")
    check(site.log().count("no heartbeat") == 1, "others were aborted")


def case_an_interval_below_the_heartbeat_aborts_nobody(site):
    site.start()
    begun = time.monotonic()
    wait("some intervals", lambda: time.monotonic() - begun > 1.5)
    check("no heartbeat" not in site.log(), "workers were aborted")
    os.kill(site.worker("resolver/0"), signal.SIGSTOP)
    site.wait_log(r"resolver/0 \(pid \d+\): no heartbeat")


def case_cannot_start_by_configuration(site):
    r = site.run("-d", FAKE_REFUSE="spooler/0:78:SpoolBase is on the moon")
    check(r.returncode == 78, "exit code %d" % r.returncode)
    check("spooler/0 cannot start: SpoolBase is on the moon" in r.stderr,
          r.stderr)
    check(len(re.findall("^spooler/0#", site.events(), re.M)) == 0,
          "it started after all")
    check(not os.path.exists(site.path("run/ecelerity.pid")), "pid file stays")
    for pid in site.all_pids():
        check(not alive(pid), "worker %d stays" % pid)


def case_cannot_start_after_three_tries(site):
    r = site.run(FAKE_REFUSE="resolver/0:71:no resolver today")
    check(r.returncode == 71, "exit code %d" % r.returncode)
    check(r.stderr.strip() ==
          "ecelerity: resolver/0 cannot start: no resolver today", r.stderr)
    r = site.run(FAKE_CRASH="listener/1")
    check(r.returncode == 9, "exit code %d" % r.returncode)
    check("listener/1 cannot start: it ended 3 times before it was ready "
          "(exit code 9)" in r.stderr, r.stderr)
    os.unlink(site.path("libexec/ecelerity/logger"))
    r = site.run()
    check(r.returncode == 71, "exit code %d" % r.returncode)
    check("logger/0 cannot start: cannot run" in r.stderr and
          "No such file" in r.stderr, r.stderr)


def case_later_failures_are_tried_for_ever(site):
    site.start()
    path = site.path("libexec/ecelerity/resolver")
    os.rename(path, path + ".away")
    os.kill(site.worker("resolver/0"), signal.SIGKILL)
    wait("five tries", lambda: site.log().count(
        "resolver/0 cannot start: cannot run") >= 5)
    os.rename(path + ".away", path)
    wait("it is back", lambda: len(re.findall(
        "^resolver/0#.* started", site.events(), re.M)) == 2)
    check(site.proc.poll() is None, "the supervisor gave up")


def case_daemon(site):
    r = site.run()
    check(r.returncode == 0, "exit code %d: %s" % (r.returncode, r.stderr))
    # All workers were ready before it came back.
    for who in ALL:
        check(re.search("^%s#1 started" % who, site.events(), re.M),
              who + " is not there yet")
    with open(site.path("run/ecelerity.pid")) as f:
        pid = int(f.read())
    try:
        check(os.getsid(pid) == pid, "no session of its own")
        check(os.path.exists(site.path("log/workers.err")), "workers.err")
        second = site.run()
        check(second.returncode == 1, "second: %d" % second.returncode)
        check("already running as pid %d (pidfile %s)" % (
            pid, site.path("run/ecelerity.pid")) in second.stderr,
            second.stderr)
        os.rename(site.path("log/workers.err"), site.path("log/old.err"))
        os.kill(pid, signal.SIGUSR1)
        site.wait_event("logger/0#1 reopen")
        wait("a new workers.err",
             lambda: os.path.exists(site.path("log/workers.err")))
    finally:
        os.kill(pid, signal.SIGTERM)
    wait("end", lambda: not alive(pid))
    with open(site.path("log/workers.err")) as f:
        text = f.read()
    # The fake logger reads no log: nothing of it is lost.
    check("NOTICE: supervisor: ready: 8 workers" in text, text)
    check("NOTICE: supervisor: stopped" in text, text)


def case_a_caller_without_stdio(site):
    """0, 1 and 2 are closed: nothing of ours gets these numbers."""
    def shut():
        for fd in range(3):
            os.close(fd)
    p = subprocess.Popen(site.command(), env=site.env(), preexec_fn=shut)
    check(p.wait(timeout=60) == 0, "exit code %d" % p.returncode)
    with open(site.path("run/ecelerity.pid")) as f:
        pid = int(f.read())
    try:
        check("leaked" not in site.events(), "a stray descriptor")
        second = site.run()
        check("already running as pid %d" % pid in second.stderr,
              "the lock is lost: " + second.stderr)
        os.kill(site.worker("spooler/0"), signal.SIGKILL)
        site.worker("spooler/0", 2)
    finally:
        os.kill(pid, signal.SIGTERM)
    wait("end", lambda: not alive(pid))


def case_port_in_use(site):
    with socket.socket() as s:
        s.bind(("127.0.0.1", site.port))
        s.listen()
        if os.geteuid() == 0:
            # Another user's process cannot be looked at without root.
            holder = "a process that we may not look at"
        else:
            holder = "pid %d (" % os.getpid()
        r = site.run()
    check(r.returncode == 71, "exit code %d" % r.returncode)
    check("port %d is in use by %s" % (site.port, holder) in r.stderr,
          r.stderr)
    check("demo.conf:2)" in r.stderr, r.stderr)
    check("started" not in site.events(), "workers were started")


def case_port_in_use_by_our_own_user(site):
    code = ("import os,socket,sys\n"
            "s=socket.socket()\n"
            "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEPORT,1)\n"
            "s.bind(('127.0.0.1',%d));s.listen()\n"
            "print(os.getpid(),flush=True);sys.stdin.read()\n" % site.port)
    c = site.command()
    c = c[:c.index(site.path("sbin/ecelerity"))] + [sys.executable, "-c",
                                                     code]
    if os.geteuid() == 0 and not os.access(sys.executable, os.X_OK):
        return
    try:
        p = subprocess.Popen(c, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             cwd="/", text=True, stderr=subprocess.DEVNULL)
        line = p.stdout.readline()
        if line == "":
            print("  (no python for nobody: left out)")
            return
        r = site.run()
        check("port %d is in use by pid %d (" % (site.port, int(line)) in
              r.stderr, r.stderr)
        check("stop that program first, or choose another port (" in
              r.stderr, r.stderr)
    finally:
        p.stdin.close()
        p.wait()
        p.stdout.close()


def case_low_port(site):
    site.write_conf(["127.0.0.1:25"])
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        if int(f.read()) <= 25:
            return
    r = site.run()
    check(r.returncode == 71, "exit code %d" % r.returncode)
    check("port 25 cannot be bound by this user: ports below 1024 need root"
          in r.stderr, r.stderr)


def case_check_option(site):
    r = site.run("-t")
    check(r.returncode == 0, r.stderr)
    check(r.stdout == "configuration valid: %s\n" % site.conf, r.stdout)
    site.write_conf(["127.0.0.1:2525"], "Relay_Hots = ( )\n")
    for more in ((), ("-t",), ("-d",)):
        r = site.run(*more)
        check(r.returncode == 78, "exit code %d" % r.returncode)
        check(re.search(r"demo\.conf:\d+: .*Relay_Hots", r.stderr), r.stderr)
    check(site.run("--version").stdout.startswith("ecelerity "), "version")
    check("usage:" in site.run("-h").stdout, "help")
    check(site.run("--nonsense").returncode == 64, "usage error")
    check(site.run("-t", "more").returncode == 64, "stray argument")


def case_reload(site):
    site.start()
    second = free_port()
    # Bad: all stays.
    site.write_conf(["127.0.0.1:%d" % site.port], "No_Such_Option = 1\n")
    site.signal(signal.SIGHUP)
    site.wait_log(r"ERROR: supervisor: .*demo\.conf:\d+: .*No_Such_Option")
    site.wait_log(r"is not taken, generation 1 stays")
    check("reconfigured" not in site.events(), "a bad file went out")
    # Bad in another way: an address that cannot be bound.
    with socket.socket() as s:
        s.bind(("127.0.0.1", second))
        s.listen()
        site.write_conf(["127.0.0.1:%d" % site.port,
                         "127.0.0.1:%d" % second])
        site.signal(signal.SIGHUP)
        site.wait_log(r"port %d is in use by" % second)
    check("reconfigured" not in site.events(), "a bad file went out")
    check(greeting(site.port), "the old address was lost")
    # Good, with a new address and something for the next start.
    site.write_conf(["127.0.0.1:%d" % site.port, "127.0.0.1:%d" % second],
                    'Journal_Size = "64M"\n')
    site.signal(signal.SIGHUP)
    for who in ALL:
        site.wait_event("%s#1 reconfigured generation 2" % who)
    site.wait_log("WARNING: supervisor: Journal_Size: restart needed")
    for who in ("listener/0", "listener/1"):
        site.wait_event(r'%s#1 listen slot 0 scope "" address 127.0.0.1:%d'
                        % (who, second))
    check(greeting(second).startswith("220 listener/"), "not served")
    # Back again: it goes.
    site.write_conf(["127.0.0.1:%d" % second])
    site.signal(signal.SIGHUP)
    site.wait_event(r'listener/0#1 gone scope "" address 127.0.0.1:%d'
                    % site.port)
    site.wait_event("console/0#1 reconfigured generation 3")
    check(site.events().count("listener/0#1 listen slot 0") == 2,
          "a kept address was handed out anew")
    # A worker that is restarted gets what holds now.
    os.kill(site.worker("listener/0"), signal.SIGKILL)
    site.wait_event(r'listener/0#2 listen slot 0 scope "" address '
                    r'127.0.0.1:%d' % second)
    check(not re.search(r"listener/0#2 listen .*:%d$" % site.port,
                        site.events(), re.M), "an old address came back")


def case_a_reload_changes_no_restart_option_piecemeal(site):
    site.start()
    listen = ["127.0.0.1:%d" % site.port]
    site.write_conf(listen, 'Journal_Size = "64M"\n')
    for generation in (2, 3):
        site.signal(signal.SIGHUP)
        for who in ALL:
            site.wait_event("%s#1 reconfigured generation %d" % (
                who, generation))
    # Those that run and those that are started later have the same.
    for who in ("listener/0", "spooler/0"):
        os.kill(site.worker(who), signal.SIGKILL)
        site.wait_event(who + r"#2 journal size \d+")
    sizes = set(re.findall(r"journal size (\d+)", site.events()))
    check(sizes == {str(1 << 30)}, "sizes are %s" % sizes)
    # Each reload says what waits, and that it keeps its value.
    check(site.log().count("Journal_Size: restart needed") == 2 and
          site.log().count("keeps its value until then") == 2, "not told")
    site.write_conf(listen)
    site.signal(signal.SIGHUP)
    site.wait_event("console/0#1 reconfigured generation 4")
    check(site.log().count("restart needed") == 2, "told of nothing")


def case_term_drains_in_order(site):
    site.start()
    pids = site.all_pids()
    site.signal(signal.SIGTERM)
    check(site.wait_exit() == 0, "exit code")
    order = re.findall(r"^(\w+)/\d#1 drain$", site.events(), re.M)
    check(sorted(order[:2]) == ["listener"] * 2 and
          order[2:4] == ["deliverer"] * 2 and order[4] == "spooler" and
          sorted(order[5:7]) == ["console", "resolver"] and
          order[7:] == ["logger"], "order was %s" % order)
    for pid in pids:
        check(not alive(pid), "%d lives" % pid)
    check("#2" not in re.sub(r"link \S+", "", site.events()),
          "something was restarted")
    check(not os.path.exists(site.path("run/ecelerity.pid")), "pid file stays")
    check(greeting(site.port) == "", "the port is still open")


def case_term_to_all_restarts_nobody(site):
    site.start()
    pids = site.all_pids()
    os.killpg(site.proc.pid, signal.SIGTERM)
    check(site.wait_exit() == 0, "exit code")
    for pid in pids:
        check(not alive(pid), "%d lives" % pid)


def case_quit_stops_at_once(site):
    site.start(FAKE_STUBBORN="listener/0")
    pids = site.all_pids()
    site.signal(signal.SIGTERM)
    site.wait_event("listener/0#1 drain")
    wait("draining title", lambda: "(draining)" in title(site.proc.pid))
    check(alive(site.worker("listener/0")), "it is not that stubborn")
    begun = time.monotonic()
    site.signal(signal.SIGQUIT)
    check(site.wait_exit() == 0, "exit code")
    check(time.monotonic() - begun < 10, "it waited for somebody")
    for pid in pids:
        check(not alive(pid), "%d lives" % pid)


def case_workers_leave_without_supervisor(site):
    site.start()
    pids = site.all_pids()
    site.proc.kill()
    site.wait_exit()
    for who in ALL:
        site.wait_event("%s#1 drain" % who)
    wait("all workers gone", lambda: not any(alive(p) for p in pids))
    # And a new one starts over the old pid file.
    os.unlink(site.err)
    os.unlink(site.events_path)
    site.start()
    site.signal(signal.SIGTERM)
    check(site.wait_exit() == 0, "exit code")


def case_bad_peer_is_replaced(site):
    site.start(FAKE_ACCUSE="deliverer/0")
    site.wait_log(r"deliverer/0 says that spooler/0 broke the rules "
                  r"\(accused by the test\): killing it")
    site.wait_log(r"spooler/0 \(pid \d+\) ended: signal 9")
    site.wait_event("deliverer/0#1 link spooler/0#2")


def case_console_reloads(site):
    site.start(FAKE_ASK="0")
    site.wait_event("console/0#1 answer 77 1 .*")
    site.wait_event("deliverer/1#1 reconfigured generation 2")


def case_console_shuts_down(site):
    site.launch(FAKE_ASK="2")
    check(site.wait_exit() == 0, "exit code")
    site.wait_event("console/0#1 answer 77 1 shutting down")


def case_service_manager_is_told(site):
    path = site.path("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(DEADLINE)
        site.launch(NOTIFY_SOCKET=path)
        check(s.recv(200) == b"READY=1", "READY")
        site.signal(signal.SIGHUP)
        said = s.recv(200)
        check(re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", said), said)
        check(s.recv(200) == b"READY=1", "READY after reload")
        site.signal(signal.SIGTERM)
        check(s.recv(200) == b"STOPPING=1", "STOPPING")
    check(site.wait_exit() == 0, "exit code")


def case_directories_that_cannot_be(site):
    with open(site.path("blocked"), "w") as f:
        f.write("a file")
    for option, path in (("SpoolBase", "blocked/spool"),
                         ("Control_Socket", "blocked/c/control")):
        with open(site.conf) as f:
            text = f.read()
        with open(site.conf, "w") as f:
            f.write(re.sub('%s = "[^"]*"' % option, '%s = "%s"' % (
                option, site.path(path)), text))
        r = site.run()
        check(r.returncode == 71, "exit code %d" % r.returncode)
        check(option in r.stderr and site.path("blocked") in r.stderr,
              r.stderr)
        with open(site.conf, "w") as f:
            f.write(text)


def case_init_script(site):
    with open(os.path.join(BUILD, "etc/init.d/ecelerity")) as f:
        text = f.read()
    for name, value in (("DAEMON", site.path("sbin/ecelerity")),
                        ("CONFIG", site.conf),
                        ("PIDFILE", site.path("run/ecelerity.pid"))):
        text = re.sub("^%s=.*$" % name, "%s=%s" % (name, value), text,
                      flags=re.M)
    with open(site.path("init"), "w") as f:
        f.write(text)

    def init(verb):
        c = site.command()
        c = c[:c.index(site.path("sbin/ecelerity"))]
        return subprocess.run(c + ["sh", site.path("init"), verb],
                              env=site.env(), text=True, timeout=60,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    for verb, code, said in (
            ("status", 3, "not running"), ("stop", 0, "not running"),
            ("reload", 7, "not running"), ("configtest", 0, "valid"),
            ("start", 0, "Starting"), ("start", 0, "running already"),
            ("status", 0, "is running (pid "), ("reload", 0, "valid"),
            ("force-reload", 0, "valid"), ("restart", 0, "Stopping"),
            ("status", 0, "is running (pid "), ("nonsense", 2, "usage")):
        r = init(verb)
        check(r.returncode == code and said in r.stdout,
              "%s: %d %s" % (verb, r.returncode, r.stdout))
    site.wait_event("spooler/0#1 reconfigured generation 2")
    with open(site.path("run/ecelerity.pid")) as f:
        pid = int(f.read())
    # A bad file stops neither reload nor restart from keeping what runs.
    site.write_conf(["127.0.0.1:%d" % site.port], "Nonsense = 1\n")
    for verb in ("reload", "restart", "configtest"):
        r = init(verb)
        check(r.returncode != 0 and "Nonsense" in r.stdout, r.stdout)
    check(alive(pid), "it was stopped")
    r = init("stop")
    check(r.returncode == 0 and not alive(pid), r.stdout)
    check(init("status").returncode == 3, "status after stop")


def case_as_root_with_users(site):
    """In a mount name space whose /etc/passwd knows our users."""
    ids = {"ecuser": 60001, "ecnet": 60002, "eclog": 60003}
    probe = ["unshare", "-m", "true"]
    if os.geteuid() != 0 or shutil.which("unshare") is None or \
            subprocess.run(probe, stderr=subprocess.DEVNULL).returncode != 0:
        print("  (not root, or no name spaces: left out)")
        return
    os.chown(site.dir, 0, 0)
    for name, line in (("passwd", "%s:x:%d:%d::/:/bin/false\n"),
                       ("group", "%s:x:%d:\n")):
        with open("/etc/" + name) as f:
            # The machine may have users of these names: ours stand alone.
            text = "".join(l for l in f if l.split(":")[0] not in ids)
        for user, number in ids.items():
            text += line % ((user,) + (number,) * line.count("%d"))
        with open(site.path(name), "w") as f:
            f.write(text)
    open(site.events_path, "w").close()
    os.chmod(site.events_path, 0o666)
    script = ("mount --bind %s /etc/passwd && mount --bind %s /etc/group && "
              "exec %s -c %s -d" % (
                  site.path("passwd"), site.path("group"),
                  site.path("sbin/ecelerity"), site.conf))
    site.proc = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script], env=site.env(FAKE_HANG=""),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=open(site.err, "a"), start_new_session=True)
    site.wait_log(r"ready: \d+ workers")
    check("not started by root" not in site.log(), "it believes it is not root")
    user = {"listener": "ecnet", "deliverer": "ecnet", "resolver": "ecnet",
            "spooler": "ecuser", "console": "ecuser", "logger": "eclog"}
    for who in ALL:
        number = ids[user[who.split("/")[0]]]
        site.wait_event(r"%s#1 started pid \d+ uid %d gid %d .*" % (
            who, number, number))
        with open("/proc/%d/status" % site.worker(who)) as f:
            status = f.read()
        for line in (r"Uid:\s+%d\s+%d\s+%d\s+%d" % ((number,) * 4),
                     r"Groups:\s*", r"NoNewPrivs:\s+1", r"CapEff:\s+0+",
                     r"CapPrm:\s+0+", r"CapBnd:\s+0+"):
            check(re.search("^%s$" % line, status, re.M),
                  "%s: no %s in %s" % (who, line, status))
    with open("/proc/%d/status" % site.proc.pid) as f:
        status = f.read()
    caps = int(re.search(r"^CapEff:\s+(\w+)$", status, re.M).group(1), 16)
    wanted = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 5: "KILL",
              6: "SETGID", 7: "SETUID", 8: "SETPCAP",
              10: "NET_BIND_SERVICE", 19: "SYS_PTRACE"}
    check(caps == sum(1 << n for n in wanted), "capabilities %x" % caps)
    for name, owner in (("spool", "ecuser"), ("log", "eclog"),
                        ("ctl", "ecuser")):
        check(os.stat(site.path(name)).st_uid == ids[owner], "owner " + name)
    # Restarting still works with what is left of root.
    for who in ("spooler/0", "listener/1", "logger/0"):
        os.kill(site.worker(who), signal.SIGKILL)
        site.wait_event(r"%s#2 started pid \d+ uid %d .*" % (
            who, ids[user[who.split("/")[0]]]))
    os.kill(site.worker("deliverer/0"), signal.SIGSTOP)
    trace = site.path("log/traces/%d.trc" % site.worker("deliverer/0"))
    site.worker("deliverer/0", 2)
    with open(trace) as f:
        check("State:\tT (stopped)" in f.read(), "trace of an undumpable one")
    site.signal(signal.SIGTERM)
    check(site.wait_exit() == 0, "exit code")


def case_a_missing_user_tells_how_to_make_it(site):
    if os.geteuid() != 0:
        return
    with open(site.conf, "a") as f:
        f.write('Security { User = "ec-nobody-has-this" }\n')
    r = subprocess.run([site.path("sbin/ecelerity"), "-c", site.conf],
                       stderr=subprocess.PIPE, text=True, timeout=60)
    check(r.returncode == 78, "exit code %d" % r.returncode)
    check("useradd --system" in r.stderr and
          "ec-nobody-has-this'" in r.stderr, r.stderr)


EXTRA = {"case_as_root_with_users": "Watchdog_Interval = 2.5\n",
         "case_a_frozen_machine_aborts_nobody": "Watchdog_Interval = 2.5\n",
         "case_an_interval_below_the_heartbeat_aborts_nobody":
         "Watchdog_Interval = 0.3\n",
         "case_watchdog": "Watchdog_Interval = 2.5\n"}


def main():
    wanted = sys.argv[2:]
    failed = []
    cases = [n for n in sorted(globals()) if n.startswith("case_")]
    for name in cases:
        if wanted and name[5:] not in wanted:
            continue
        site = Site(EXTRA.get(name, ""))
        begun = time.monotonic()
        try:
            globals()[name](site)
            print("ok   %-52s %5.1f s" % (name[5:], time.monotonic() - begun),
                  flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError) as e:
            failed.append(name)
            print("FAIL %s: %s\n--- log\n%s--- events\n%s---" % (
                name[5:], e, site.log()[-4000:], site.events()[-6000:]),
                flush=True)
        finally:
            site.close()
    if failed:
        print("%d failed: %s" % (len(failed), ", ".join(failed)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
