# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, not run.
set -euo pipefail
export LC_ALL=C

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Everything that is unpacked or built for guests lives here; a source tree keeps it in build/.
data_dir=${CROSSVM_DATA:-$(dirname "$setup_dir")/build}
program=$(basename "$0")

say() {
	[ -n "${CROSSVM_QUIET:-}" ] || printf '%s: %s\n' "$program" "$*" >&2
}

die() {
	printf '%s: %s\n' "$program" "$*" >&2
	exit 1
}

# The Debian suite that this machine runs, such as bookworm.
own_suite() {
	sed -nE 's/^VERSION_CODENAME="?([^"]*)"?$/\1/p' /etc/os-release
}

# Both spellings of an architecture: the kernel's and QEMU's (x86_64), Debian's (amd64).
debian_arch() {
	case $1 in
	x86_64 | amd64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) die "architecture '$1' is not known; x86_64 and aarch64 are" ;;
	esac
}

qemu_arch() {
	case $1 in
	x86_64 | amd64) echo x86_64 ;;
	aarch64 | arm64) echo aarch64 ;;
	*) die "architecture '$1' is not known; x86_64 and aarch64 are" ;;
	esac
}

need_write() {
	die "$(id -un) may not write $1: be the user who built here, make it yours with" \
		"'chown -R $(id -un) $data_dir', or name a folder of your own with CROSSVM_DATA=DIR"
}

# Hold lock NAME until this script ends; a second caller waits and then finds the work done.
lock() {
	local file=$data_dir/locks/$1
	mkdir -p "$data_dir/locks" 2>/dev/null || need_write "$data_dir"
	touch "$file" 2>/dev/null || need_write "$file"
	exec {lock_fd}>"$file"
	flock -n "$lock_fd" && return
	say "another run is at work on $1: waiting for it"
	flock -w 1800 "$lock_fd" || die "waited 30 minutes for the lock $file: give up"
}

# Set loader and libs to the dynamic loader and the library folder of what was unpacked in $1.
find_libraries() {
	loader=$(find "$1/usr/lib" "$1/usr/lib64" -name 'ld-linux-*.so.*' | sort | head -n 1)
	[ -n "$loader" ] || die "the packages below $1 hold no dynamic loader"
	libs=$(dirname "$(find "$1/usr/lib" -name 'libc.so.6' | head -n 1)")
}

# Replace directory DST by SRC in one step that an interrupt cannot leave half done.
replace_dir() {
	local src=$1 dst=$2
	rm -rf "$dst.old"
	[ ! -e "$dst" ] || mv "$dst" "$dst.old"
	mv "$src" "$dst"
	rm -rf "$dst.old"
}

# Write standard input to a file, all of it or nothing; it gets mode $2 (644).
write_file() {
	local tmp
	mkdir -p "$(dirname "$1")"
	tmp=$(mktemp "$1.XXXXXX")
	cat >"$tmp"
	chmod "${2:-644}" "$tmp"
	mv "$tmp" "$1"
}

# The same, but a file that says this already stays as it is.
update_file() {
	local new
	new=$(cat)
	[ "$(cat "$1" 2>/dev/null || true)" = "$new" ] || write_file "$@" <<<"$new"
}
