# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Shared by the measurements between VMs; sourced, not run. Makes a folder $work, and takes down the labs
# that boot has brought up, and the ivshmem server, when the script ends.
crossvm=build/release/cli/crossvm
work=$(mktemp -d /tmp/crossvm-bench-XXXXXX)
server_pid=
labs=()

finish() {
	local status=$? lab
	trap - EXIT
	trap "" INT TERM
	for lab in "${labs[@]+"${labs[@]}"}"; do
		"$crossvm" lab down --lab "$lab" >/dev/null 2>&1 || true
	done
	[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# serve_ivshmem BYTES: at $work/ivshmem, for the two VMs of one lab.
serve_ivshmem() {
	build/release/bench/events/ivshmem_server "$work/ivshmem" "$1" &
	server_pid=$!
}

# boot NAME: a lab on its system file $work/NAME.yaml.
boot() {
	"$crossvm" lab up --name "$1" "$work/$1.yaml"
	labs+=("$1")
}

# in_vm LAB VM COMMAND...
in_vm() {
	timeout 120 "$crossvm" lab exec --lab "$1" --no-stdin "$2" -- "${@:3}"
}

# processes LAB: of which it consists, crossvmd's workers included.
processes() {
	local pid
	for pid in $("$crossvm" lab status --lab "$1" --json | jq '.crossvmd_pid, .vms[].qemu_pid'); do
		echo "$pid"
		pgrep -P "$pid" || true
	done
}

# favour LAB: real-time priority for what the lab consists of, so that other work on this machine is no
# part of the result. Where that is not allowed, the median is all that keeps it out.
favour() {
	local pid
	for pid in $(processes "$1"); do
		chrt --all-tasks --rr --pid 1 "$pid" 2>/dev/null || true
	done
}

# setting LAB: where all this was measured, in a line.
setting() {
	echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
		"$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)," \
		"$("$(setup/vm/qemu)" --version | sed -nE '1s/ \(.*//p')," \
		"$("$crossvm" lab status --lab "$1" --json | jq -r '.vms[0].accel')," \
		"guests with Linux $(cat "$(setup/vm/kernel)/release")"
}
