#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The resolver against real servers on loopback: nsd with a zone, unbound in
# front of it.  `make check-resolver`; without those programs it says SKIP.
set -u
ask=$1 worker=$2
for p in nsd unbound; do
	PATH=$PATH:/usr/sbin
	command -v $p >/dev/null || { echo "SKIP: $p is not installed"; exit 0; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/check-resolver.XXXXXX") || exit 1
nsd_pid= unbound_pid=
finish() {
	[ -n "$nsd_pid" ] && kill "$nsd_pid" 2>/dev/null
	[ -n "$unbound_pid" ] && kill "$unbound_pid" 2>/dev/null
	wait
	rm -rf "$dir"
}
trap finish EXIT
base=$((20000 + $$ % 20000))
nsd_port=$base unbound_port=$((base + 1))

{
	echo '$ORIGIN ec.test.'
	echo '$TTL 300'
	echo '@ SOA ns hostmaster 1 3600 600 86400 60'
	echo '@ NS ns'
	echo 'ns A 127.0.0.1'
	echo 'two MX 20 mx2'
	echo 'two MX 10 mx1'
	echo 'mx1 A 192.0.2.1'
	echo 'mx1 AAAA 2001:db8::1'
	echo 'mx2 A 192.0.2.2'
	echo 'null MX 0 .'
	echo 'plain A 192.0.2.3'
	echo 'gone MX 10 nowhere'
	echo 'alias CNAME two'
	echo 'cmx MX 10 cname-of-mx1'
	echo 'cname-of-mx1 CNAME mx1'
	echo 'self MX 10 me'
	echo 'self MX 20 mx2'
	echo 'me A 192.0.2.9'
	echo 'text TXT "no mail here"'
	i=0
	while [ $i -lt 300 ]; do
		echo "big MX $((i + 1)) a-rather-long-host-name-$i.big"
		echo "a-rather-long-host-name-$i.big A 192.0.2.4"
		i=$((i + 1))
	done
} >"$dir/ec.test.zone"
cat >"$dir/nsd.conf" <<END
server:
	ip-address: 127.0.0.1@$nsd_port
	username: ""
	chroot: ""
	zonesdir: "$dir"
	database: ""
	pidfile: "$dir/nsd.pid"
	xfrdfile: "$dir/xfrd.state"
	xfrdir: "$dir"
	zonelistfile: "$dir/zone.list"
	server-count: 1
remote-control:
	control-enable: no
zone:
	name: ec.test
	zonefile: ec.test.zone
END
cat >"$dir/unbound.conf" <<END
server:
	interface: 127.0.0.1@$unbound_port
	username: ""
	chroot: ""
	directory: "$dir"
	pidfile: "$dir/unbound.pid"
	do-daemonize: no
	use-syslog: no
	logfile: "$dir/unbound.log"
	do-not-query-localhost: no
	module-config: "iterator"
	max-udp-size: 1232
	domain-insecure: "ec.test"
	local-zone: "test." nodefault
remote-control:
	control-enable: no
stub-zone:
	name: ec.test
	stub-addr: 127.0.0.1@$nsd_port
END
nsd -d -c "$dir/nsd.conf" >"$dir/nsd.log" 2>&1 &
nsd_pid=$!
unbound -d -c "$dir/unbound.conf" >"$dir/unbound.out" 2>&1 &
unbound_pid=$!

cat >"$dir/ec.conf" <<END
DNS_Servers = ( "127.0.0.1:$unbound_port" )
Hostname = "me.ec.test"
Use_IPv6 = true
END
names="two.ec.test null.ec.test plain.ec.test gone.ec.test alias.ec.test
	cmx.ec.test self.ec.test text.ec.test none.ec.test big.ec.test
	host:mx1.ec.test"
# The servers need a moment: ask until the first name is known.
tries=0
until "$ask" "$worker" "$dir/ec.conf" plain.ec.test >"$dir/out" 2>&1 &&
    grep -q ' OK ' "$dir/out"; do
	tries=$((tries + 1))
	if [ $tries -eq 10 ]; then
		echo "FAIL: no answer from unbound"
		cat "$dir/out" "$dir/nsd.log" "$dir/unbound.out"
		exit 1
	fi
	sleep 0.3
done
"$ask" "$worker" "$dir/ec.conf" $names >"$dir/out" 2>&1
status=$?
[ $status -eq 0 ] || { echo "FAIL: ask ended with $status"; cat "$dir/out"; exit 1; }
bad=0
want() {
	if grep -qE "^$1\$" "$dir/out"; then
		echo "ok: $1"
	else
		echo "FAIL: wanted $1"
		bad=1
	fi
}
mx='10 mx1.ec.test ::ffff:192.0.2.1 2001:db8::1;20 mx2.ec.test ::ffff:192.0.2.2'
want "two.ec.test OK [0-9]+\|\|$mx"
want 'null.ec.test NULL_MX [0-9]+\|.*\(null MX\)\|'
want 'plain.ec.test OK [0-9]+\|\|0 plain.ec.test ::ffff:192.0.2.3'
want 'gone.ec.test NO_DATA [0-9]+\|no mail exchanger of .*\|'
want "alias.ec.test OK [0-9]+\|\|$mx"
want 'cmx.ec.test OK [0-9]+\|\|10 cname-of-mx1.ec.test ::ffff:192.0.2.1 2001:db8::1'
want 'self.ec.test LOOP [0-9]+\|.*\|'
want 'text.ec.test NO_DATA [0-9]+\|.*neither MX nor address records\|'
want 'none.ec.test NO_NAME [0-9]+\|.*NXDOMAIN\)\|'
want 'host:mx1.ec.test OK [0-9]+\|\|0 mx1.ec.test ::ffff:192.0.2.1 2001:db8::1'
want 'big.ec.test OK [0-9]+\|\|1 a-rather-long-host-name-0.big.ec.test.*'
# 300 exchangers are more than a UDP answer holds; the best 50 are kept.
n=$(grep '^big' "$dir/out" | tr ';' '\n' | wc -l)
[ "$n" -eq 50 ] || { echo "FAIL: $n hosts of big.ec.test"; bad=1; }
[ $bad -eq 0 ] || { cat "$dir/out"; exit 1; }
echo "check-resolver: all as wanted"
