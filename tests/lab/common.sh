# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Shared by the lab's tests in real guests; sourced, with the crossvm command as the first argument.
# Labs run apart from others of this user, and end with the test.
set -euo pipefail

crossvm=$(realpath "$1")
work=$(mktemp -d /tmp/crossvm-lab-test.XXXX)
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
checks=0

# finish [STATUS]
finish() {
	local status=${1:-$?}
	trap - EXIT
	"$crossvm" lab down --all >/dev/null 2>&1 || true
	if [ "$status" -ne 0 ]; then
		echo "FAILED after $checks checks; the labs' logs:"
		tail -n 20 "$work"/*.log 2>/dev/null || true
	fi
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

lab() { "$crossvm" lab "$@"; }

# is WHAT EXPECTED ACTUAL
is() {
	if [ "$2" != "$3" ]; then
		printf 'not so: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
		exit 1
	fi
	checks=$((checks + 1))
}

# has WHAT PATTERN TEXT
has() {
	if ! grep -qE -- "$2" <<<"$3"; then
		printf 'not so: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
		exit 1
	fi
	checks=$((checks + 1))
}

# status_of COMMAND...: its exit status; its output goes to $work/out and $work/err.
status_of() {
	local status=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	echo "$status"
}

# ended_with PID: wait for it; its exit status is then in $ended.
# shellcheck disable=SC2034
ended_with() {
	ended=0
	wait "$1" 2>/dev/null || ended=$?
}

# system VM...: a system file with these VMs and a connection between them.
system() {
	local vm
	echo 'vms:'
	for vm in "$@"; do
		printf '  - {name: %s}\n' "$vm"
	done
	printf 'components:\n  - {name: host}\n'
	printf 'connections:\n  - name: link\n    dataport: 4 KiB\n    members:\n'
	printf '      - {component: host, access: read-write}\n'
	for vm in "$@"; do
		printf '      - {vm: %s, access: read-write}\n' "$vm"
	done
}

# pid KEY [LAB]: of a lab's process, as its status names it.
pid() {
	lab status --json ${2:+--lab "$2"} | sed -nE "s/.*\"$1\": ([0-9]+).*/\1/p" | head -n 1
}

# processes LAB: those that belong to it, by its folder on their command line or as their folder.
processes() {
	local proc
	for proc in /proc/[0-9]*; do
		case $(readlink "$proc/cwd" 2>/dev/null || true) in
		"$XDG_RUNTIME_DIR/crossvm-lab/$1"*) echo "${proc#/proc/}" ;;
		esac
	done
}

# eventually COMMAND...: it succeeds within a minute.
eventually() {
	local tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || return 1
		sleep 0.1
	done
}

# remains LAB: what is left of it.
remains() {
	find "$XDG_RUNTIME_DIR/crossvm-lab/$1" 2>/dev/null || true
	processes "$1"
}

gone() { [ -z "$(remains "$1")" ]; }
