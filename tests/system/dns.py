# SPDX-License-Identifier: Apache-2.0
"""A real DNS for tests: nsd serves a zone, unbound resolves from it.

Both run in the foreground on loopback ports of their own, as whoever runs the
test, with every file in the test's folder.
"""
import os
import shutil
import socket
import struct

import lib
from lib import Failed, Skipped

NSD_CONF = """server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  database: ""
  pidfile: "{dir}/nsd.pid"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  zonelistfile: "{dir}/zone.list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
UNBOUND_CONF = """server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: "{dir}/unbound.pid"
  use-syslog: no
  logfile: "{dir}/unbound.log"
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  max-udp-size: 512
  num-threads: 1
  so-reuseport: no
remote-control:
  control-enable: no
"""
STUB = """stub-zone:
  name: "{zone}"
  stub-addr: 127.0.0.1@{port}
"""


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not path:
        raise Skipped(f"{name} is not installed")
    return path


def ask(port, name, kind):
    """One question over UDP; true if there is any answer."""
    labels = b"".join(bytes([len(p)]) + p.encode()
                      for p in name.rstrip(".").split("."))
    query = struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + labels + \
        b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        try:
            s.connect(("127.0.0.1", port))
            s.send(query)
            reply = s.recv(4096)
        except OSError:
            return False
    return len(reply) > 12 and reply[3] & 15 == 0 and \
        struct.unpack(">H", reply[6:8])[0] > 0


def start(procs, base, zones):
    """zones: {name: text of records}.  The port of the resolver."""
    folder = os.path.join(base, "dns")
    os.makedirs(folder)
    nsd, unbound = program("nsd"), program("unbound")
    auth, recursive = lib.free_port(), lib.free_port()
    nsd_conf = NSD_CONF.format(port=auth, dir=folder)
    unbound_conf = UNBOUND_CONF.format(port=recursive, dir=folder)
    for zone, records in zones.items():
        with open(os.path.join(folder, zone + ".zone"), "w") as f:
            f.write(f"$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns root 1 60 60 60 "
                    f"5\n@ IN NS ns\nns IN A 127.0.0.1\n{records}\n")
        nsd_conf += f'zone:\n  name: "{zone}"\n  zonefile: "{zone}.zone"\n'
        unbound_conf += STUB.format(zone=zone, port=auth)
    for name, text in (("nsd.conf", nsd_conf), ("unbound.conf", unbound_conf)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    log = open(os.path.join(folder, "servers.log"), "wb")
    started = [
        procs.start([nsd, "-d", "-c", os.path.join(folder, "nsd.conf")],
                    stdout=log, stderr=log),
        procs.start([unbound, "-d", "-c",
                     os.path.join(folder, "unbound.conf")],
                    stdout=log, stderr=log)]
    probe = "ns." + next(iter(zones))

    def up():
        for proc in started:
            if proc.poll() is not None:
                raise Failed("a DNS server ended: " + lib.read_file(log.name))
        return ask(recursive, probe, 1)
    lib.wait_for("an answer from the resolver", up)
    return recursive
