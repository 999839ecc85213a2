# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the command's tests share: a crossvmd of their own with two components, left (read-write) and
# right (read-only), and checks of what a command says. $CROSSVM and $CROSSVMD are the programs.
set -uo pipefail

work=$(mktemp -d)
daemon=
out=$work/stdout
err=$work/stderr

clean_up() {
	stop_daemon
	rm -rf "$work"
}
trap clean_up EXIT

fail() {
	echo "FAILED: $*"
	echo "--- standard output:"
	cat "$out"
	echo "--- standard error:"
	cat "$err"
	exit 1
}

crossvm() {
	"$CROSSVM" "$@"
}

# expect CODE COMMAND...: it ends with that exit code.
expect() {
	local wanted=$1 code=0
	shift
	"$@" >"$out" 2>"$err" || code=$?
	[ "$code" -eq "$wanted" ] || fail "'$*' ended with $code instead of $wanted"
}

# The last command's error is one line of ours with these words.
says() {
	[ "$(wc -l <"$err")" -eq 1 ] || fail "not one line of error"
	grep -q '^crossvm: ' "$err" || fail "the error does not begin with the program's name"
	grep -qF -- "$1" "$err" || fail "the error does not say: $1"
}

prints() {
	[ "$(cat "$out")" = "$1" ] || fail "the output is not: $1"
}

# json FILTER: what jq makes of the last output.
json() {
	jq -er "$1" "$out"
}

is() {
	[ "$1" = "$2" ] || fail "'$1' instead of '$2'"
}

cat >"$work/system.yaml" <<-'YAML'
	vms:
	  - name: sensor
	  - name: old
	    layout: single
	components:
	  - name: left
	  - name: right
	connections:
	  - name: telemetry
	    dataport: 12 KiB
	    members:
	      - {component: left, access: read-write}
	      - {component: right, access: read-only}
	      - {vm: sensor, access: read-only}
	      - {vm: old, access: read-only}
	  - name: alarm
	    members:
	      - component: left
	      - component: right
	      - vm: sensor
YAML

start_daemon() {
	local options=()
	[ "$(id -u)" -ne 0 ] || options=(--user root)
	export CROSSVM_SOCKET=$work/sockets/component.socket
	"$CROSSVMD" --socket-dir "$work/sockets" "${options[@]}" "$work/system.yaml" \
		2>"$work/daemon.log" &
	daemon=$!
	until "$CROSSVM" list >"$out" 2>"$err"; do
		kill -0 "$daemon" 2>/dev/null || fail "crossvmd ended: $(cat "$work/daemon.log")"
		sleep 0.01
	done
}

stop_daemon() {
	[ -n "$daemon" ] || return 0
	kill "$daemon"
	wait "$daemon"
	daemon=
}
