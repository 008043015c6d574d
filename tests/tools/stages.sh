# SPDX-License-Identifier: Apache-2.0
# The stages of `./bootstrap check`; read by that script, whose functions and
# variables it uses.  A stage is a function stage_NAME; it returns 0 (passed),
# SKIPPED (why is said) or another code (failed).  One that knows more counts
# sets inner to "PASSED FAILED SKIPPED", and these count instead.
SKIPPED=77
passed=0
failed=0
skipped=0
table=

# Unit tests have time limits for a quiet machine; this one may be busy.
CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-10}
export CK_TIMEOUT_MULTIPLIER

stages="tools gcc check sanitize fuzz format lint resolver road errors preflight
	spooltools engines faults crash kill poison power large distcheck demo"

skip() {
	say "SKIP: $*"
	return "$SKIPPED"
}

# The sums of every automake test run in a log.
automake_counts() { # LOG
	inner=$(awk '/^# (PASS|XFAIL):/ { p += $3 }
		/^# (FAIL|XPASS|ERROR):/ { f += $3 }
		/^# SKIP:/ { s += $3 }
		END { print p + 0, f + 0, s + 0 }' "$1")
}

# "passed", "failed", "skipped" of the line of JSON a check ends with.
json_counts() { # LOG
	inner=$(sed -n 's/.*"passed": *\([0-9]*\), *"failed": *\([0-9]*\), *"skipped": *\([0-9]*\).*/\1 \2 \3/p' \
		"$1" | tail -n 1)
}

show_skips() { # LOG
	sed -n 's/^\(SKIP[: ].*\)/    \1/p' "$1"
}

stage_tools() {
	run_shown "bootstrap's own rules: shell syntax, file sizes, commit messages" \
		"$logs/tools.log" tests/tools/check-tree
}

stage_gcc() {
	run_shown "building with warnings as errors in build/" \
		"$logs/build.log" build_in build --enable-werror
}

stage_check() {
	run_shown "make check" "$logs/check.log" \
		make -C build -j"$((2 * jobs))" check	# they mostly wait
	result=$?
	automake_counts "$logs/check.log"
	show_skips "$logs/check.log"
	return "$result"
}

sanitized_check() {
	build_in build-sanitize --enable-sanitizers --enable-werror \
		CFLAGS='-O1 -g' &&
		make -C "$top/build-sanitize" -j"$((2 * jobs))" check
}

stage_sanitize() {
	run_shown "building with ASan and UBSan in build-sanitize/, make check" \
		"$logs/sanitize.log" sanitized_check
	result=$?
	automake_counts "$logs/sanitize.log"
	return "$result"
}

fuzz_build_and_run() {
	build_in build-fuzz CC=clang --enable-fuzzers &&
		FUZZ_SECONDS=${FUZZ_SECONDS:-3} \
			make -C "$top/build-fuzz" -j"$jobs" fuzz-smoke
}

stage_fuzz() {
	command -v clang >/dev/null 2>&1 ||
		{ skip "clang is not installed"; return; }
	run_shown "building with clang and libFuzzer in build-fuzz/, fuzz-smoke" \
		"$logs/fuzz.log" fuzz_build_and_run
}

stage_format() {
	command -v clang-format >/dev/null 2>&1 ||
		{ skip "clang-format is not installed"; return; }
	run_shown "whether clang-format can read our style" \
		"$logs/format.log" tests/tools/check-format
}

stage_lint() {
	command -v cppcheck >/dev/null 2>&1 ||
		{ skip "cppcheck is not installed"; return; }
	run_shown "cppcheck" "$logs/lint.log" tests/tools/lint
}

json_stage() { # WHAT LOG COMMAND...
	run_shown "$@"
	result=$?
	json_counts "$2"
	show_skips "$2"
	return "$result"
}

stage_resolver() {
	run_shown "check-resolver: a real zone and a real forwarder" \
		"$logs/resolver.log" make -C build check-resolver || return
	if grep '^SKIP' "$logs/resolver.log"; then
		return "$SKIPPED"
	fi
}

stage_road() {
	json_stage "check-road: real DNS, foreign clients and servers" \
		"$logs/road.log" make -C build check-road
}

stage_errors() {
	json_stage "check-errors: what an operator gets wrong" \
		"$logs/errors.log" make -C build check-errors
}

stage_spooltools() {
	json_stage "check-spool-tools: a spool damaged in each way" \
		"$logs/spooltools.log" make -C build check-spool-tools
}

stage_preflight() {
	json_stage "check-preflight: ec_check on real file systems" \
		"$logs/preflight.log" make -C build check-preflight
}

stage_engines() {
	json_stage "check-engines: each answers as it promises" \
		"$logs/engines.log" make -C build check-engines
}

stage_faults() {
	json_stage "check-faults: the disk fails under a running server" \
		"$logs/faults.log" make -C build check-faults
}

# The short form; POISON_DELIVERERS="2 1" for all of it.
stage_poison() {
	run_shown "check-poison: a message that kills its deliverers" \
		"$logs/poison.log" make -C build check-poison \
		"POISON_DELIVERERS=${POISON_DELIVERERS:-2}"
	result=$?
	tail -n 1 "$logs/poison.log"
	return "$result"
}

# The short form; STATES, FAILS and MUTANTS for more.
stage_crash() {
	mutants="tests/crash/no_commit_sync tests/crash/no_settle_sync"
	run_shown "check-crash, ${STATES:-400} states of a disk without power" \
		"$logs/crash.log" make -C build -j"$jobs" check-crash \
		"STATES=${STATES:-400}" "FAILS=${FAILS:-60}" \
		"CRASH_CONTROLS=" "CRASH_MUTANTS=${MUTANTS:-$mutants}"
	result=$?
	tail -n 1 "$logs/crash.log"
	return "$result"
}

stage_kill() {
	run_shown "check-kill, ${ROUNDS:-20} rounds: kill -9 under load" \
		"$logs/kill.log" make -C build check-kill "ROUNDS=${ROUNDS:-20}"
	result=$?
	tail -n 1 "$logs/kill.log"
	[ "$result" = 0 ] || return "$result"
	run_shown "check-kill, 8 rounds: the spooler alone, a calm sink" \
		"$logs/kill-calm.log" make -C build check-kill ROUNDS=8 \
		"KILL_FLAGS=--only spooler/0 --calm"
	result=$?
	tail -n 1 "$logs/kill-calm.log"
	return "$result"
}

stage_power() {
	run "check-power, ${CUTS:-10} power cuts under load, and its controls" \
		"$logs/power.log" make -C build check-power "CUTS=${CUTS:-10}"
	result=$?
	if [ "$result" = 0 ] && grep '^SKIP' "$logs/power.log"; then
		return "$SKIPPED"
	fi
	[ "$result" = 0 ] || tail -n 40 "$logs/power.log"
	tail -n 1 "$logs/power.log"
	return "$result"
}

# The short form: 10 of 20 MiB; make check-large does 100 of 50.
stage_large() {
	run_shown "check-large, ${LARGE_COUNT:-10} messages of 20 MiB at once" \
		"$logs/large.log" make -C build check-large \
		"LARGE_COUNT=${LARGE_COUNT:-10}" LARGE_MIB=20
	result=$?
	tail -n 1 "$logs/large.log"
	return "$result"
}

stage_distcheck() {
	run_shown "make distcheck" "$logs/distcheck.log" \
		make -C build -j"$jobs" distcheck
}

stage_demo() {
	run_shown "the demo" "$logs/demo.log" \
		/usr/bin/python3 tests/system/demo --build build
	result=$?
	sed -n '/^accepted/,/^duplicates/p' "$logs/demo.log"
	return "$result"
}

add_counts() { # PASSED FAILED SKIPPED
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

one_stage() { # NAME
	inner=
	took=0
	cd "$top" || exit 1
	"stage_$1"
	code=$?
	case $code in
	0) word=pass counts="1 0 0" ;;
	"$SKIPPED") word=SKIP counts="0 0 1" ;;
	*) word=FAIL counts="0 1 0" ;;
	esac
	if [ -n "$inner" ] && [ "$inner" != "0 0 0" ]; then
		counts=$inner
		set -- "$1" $inner
		# Failed without a test to blame: the stage itself did.
		[ "$word" = FAIL ] && [ "$3" = 0 ] && counts="$2 1 $4"
	fi
	add_counts $counts
	line=$(printf '%-10s %s %5d s   (%s passed, %s failed, %s skipped)' \
		"$1" "$word" "$took" $counts)
	say "$line"
	table="$table$line
"
}

check_all() {
	for stage in ${CHECK_ONLY:-$stages}; do
		one_stage "$stage"
	done
	printf '\n%s\n' "$table"
	printf '%d passed, %d failed, %d skipped\n' \
		"$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] && [ "$passed" != 0 ] || exit 1
	exit 0
}
