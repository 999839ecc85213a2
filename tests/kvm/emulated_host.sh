# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A Debian host system with KVM on any machine; sourced, and used after tests/lab/common.sh. It is a
# lab's VM whose processor QEMU emulates together with SVM and nested paging, so that KVM's own code
# runs in it. In it is a build tree with all that a lab needs, and a lab in there has a guest under KVM.
#
# QEMU's emulation of VMRUN delivers some interrupts twice: always when two guests take turns, so there
# is one; now and then with one, too, whose kernel then overruns its stack. Such an attempt says nothing
# about crossvm, and another one is made.

ATTEMPTS=3
EMULATION_FAILED=75

# attempts SCRIPT ARGUMENT...: called first of all; returns in each attempt, and exits with its
# result.
attempts() {
	local status
	[ -z "${ATTEMPT:-}" ] || return 0
	for ATTEMPT in $(seq $ATTEMPTS); do
		status=0
		ATTEMPT=$ATTEMPT "$@" || status=$?
		[ $status -eq $EMULATION_FAILED ] || exit $status
	done
	exit 1
}

# At the end of an attempt, before finish of common.sh.
finish_attempt() {
	local status=$?
	if [ $status -ne 0 ] && host sh -c "cat /tmp/crossvm-lab-0/*/guest.console.log" 2>/dev/null |
		grep -E "stack guard page was hit|: double fault: "; then
		echo "attempt $ATTEMPT of $ATTEMPTS: QEMU has delivered an interrupt twice"
		status=$EMULATION_FAILED
	fi
	finish $status
}

# shellcheck disable=SC2034,SC2154 # one is for those that source this, the other from common.sh
inner=/crossvm/build/release/cli/crossvm

# stage FILE DESTINATION: put a file below the folder that goes to the host.
stage() {
	mkdir -p "$(dirname "$work/stage/$2")"
	cp -L "$1" "$work/stage/$2"
}

# QEMU with its libraries and firmware: what setup/vm/qemu has unpacked, or the system's own.
stage_qemu() {
	local program root loader lib
	program=$(setup/vm/qemu x86_64)
	root=$(sed -nE "s|^.* '(/[^']*)/usr/bin/qemu-system-x86_64' .*|\1|p" "$program")
	if [ -n "$root" ]; then
		program=$root/usr/bin/qemu-system-x86_64
		loader=$(find "$root/usr/lib" -name ld-linux-x86-64.so.2)
		"$loader" --library-path "$(dirname "$loader")" --list "$program"
	else
		loader=/lib64/ld-linux-x86-64.so.2
		"$loader" --list "$program"
	fi >"$work/libraries"
	stage "$program" build/qemu/qemu
	stage "$loader" build/qemu/ld.so
	while read -r lib; do
		stage "$lib" "build/qemu/lib/$(basename "$lib")"
	done < <(sed -nE 's/.* => ([^ ]*) .*/\1/p' "$work/libraries")
	for lib in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
		stage "$(find -L "$root/usr/share/qemu" "$root/usr/share/seabios" -name "$lib" -print \
			-quit)" "build/qemu/share/$lib"
	done
	cat >"$work/stage/build/qemu/run" <<-'RUN'
		#!/bin/sh
		exec /crossvm/build/qemu/ld.so --argv0 qemu-system-x86_64 --library-path /crossvm/build/qemu/lib \
			/crossvm/build/qemu/qemu -L /crossvm/build/qemu/share "$@"
	RUN
}

stage_kernel() {
	local kernel module
	kernel=$(setup/vm/kernel x86_64)
	stage "$kernel/vmlinuz" build/kernel/vmlinuz
	stage "$kernel/release" build/kernel/release
	stage "$kernel/modules/modules.order" build/kernel/modules/modules.order
	for module in drivers/virtio drivers/char drivers/uio drivers/vfio virt/lib arch/x86/kvm; do
		mkdir -p "$work/stage/build/kernel/modules/kernel/$module"
		cp -rL "$kernel/modules/kernel/$module/." \
			"$work/stage/build/kernel/modules/kernel/$module"
	done
	stage "$(setup/vm/module x86_64)" build/uio_crossvm.ko
	stage "$(setup/vm/busybox x86_64)" build/busybox
}

# What the lab asks of setup/vm/ is there already.
stage_setup() {
	local what
	while read -r what result; do
		printf '#!/bin/sh\necho /crossvm/build/%s\n' "$result" >"$work/stage/setup/vm/$what"
	done <<-RESULTS
		qemu qemu/run
		kernel kernel
		busybox busybox
		module uio_crossvm.ko
	RESULTS
	chmod +x "$work/stage/setup/vm/"* "$work/stage/build/qemu/run"
}

# emulated_host_parts TREE: pack what the host gets, from a build tree.
emulated_host_parts() {
	mkdir -p "$work/stage/setup/vm" "$work/stage/driver/linux"
	stage_qemu
	stage_kernel
	stage_setup
	stage "$1/cli/guest/crossvm" build/release/cli/guest/crossvm
	stage "$1/lab/agent/crossvm-lab-agent" build/release/lab/agent/crossvm-lab-agent
	echo /crossvm >"$work/stage/build/release/lab/source-root"
	tar -C "$work/stage" -cf "$work/parts.tar" .
}

# emulated_host_system TREE FILE...: the system file, with more files for /root.
emulated_host_system() {
	local tree file
	tree=$(realpath "$1")
	shift
	cat <<-YAML
		vms:
		  - name: host
		    memory: 2 GiB
		    qemu_args: [-cpu, 'EPYC,+svm,+npt'${host_qemu_args:+, $host_qemu_args}]
		    files:
		      - {source: parts.tar, destination: /root/parts.tar}
		      - {source: $tree/cli/crossvm, destination: $inner}
		      - {source: $tree/daemon/crossvmd, destination: /crossvm/build/release/daemon/crossvmd}
	YAML
	for file in "$@"; do
		printf '      - {source: %s, destination: /root/%s}\n' "$(realpath "$file")" \
			"$(basename "$file")"
	done
	cat <<-YAML
		components:
		  - name: outside
		connections:
		  - name: unused
		    members: [{vm: host}, {component: outside}]
	YAML
}

# A guest that has lost its senses must not stop the test.
host() { timeout 600 "$crossvm" lab exec -n host -- "$@"; }

emulated_host_up() {
	CROSSVM_ACCEL=tcg lab up "$work/host.yaml" >"$work/up.log" 2>&1
	# shellcheck disable=SC2016 # for the host's shell
	host sh -ec '
		tar -C /crossvm -xf /root/parts.tar
		rm /root/parts.tar
		modules=/crossvm/build/kernel/modules/kernel
		for module in virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-amd; do
			insmod $modules/$module.ko
		done
		mount -t tracefs tracefs /sys/kernel/tracing
		test -c /dev/kvm'
}

# inner_lab_up FILE: boot the VM of a system file in the host's /root. Components find the lab.
inner_lab_up() {
	host sh -ec "
		CROSSVM_ACCEL=kvm $inner lab up /root/$1
		$inner lab env >/root/env" >>"$work/up.log" 2>&1
}

# in_host SCRIPT: as a component there.
in_host() { host sh -ec ". /root/env; $1"; }
