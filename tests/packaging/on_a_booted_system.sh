# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What the_service_keeps_its_promises runs on the system that it boots, as root, by busybox.
set -eu

fail() {
	echo "FAILED: $*"
	systemctl --no-pager --full status crossvmd || true
	journalctl --no-pager -o short-monotonic -u crossvmd | tail -n 60
	exit 1
}
trap 'echo "FAILED: in or after: ${doing:-}"; journalctl --no-pager -u crossvmd | tail -n 60' EXIT

doing() {
	doing=$*
	echo "  $(cut -d ' ' -f 1 /proc/uptime) $*"
}

property() { systemctl show --value -p "$1" crossvmd; }
holder() { property MainPID; }
worker() {
	local children process
	children=$(cat "/proc/$(holder)/task/$(holder)/children")
	for process in $children; do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" != crossvmd:worker ] || echo "$process"
	done
}
group() { echo "/sys/fs/cgroup$(property ControlGroup)"; }

# until_true COMMAND...: for a minute.
until_true() {
	local i=0
	while ! "$@"; do
		i=$((i + 1))
		[ $i -lt 600 ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}

is() { [ "$(property "$1")" = "$2" ]; }
has_another_worker() { [ -n "$(worker)" ] && [ "$(worker | tr -d ' ')" != "$1" ]; }
is_restarted() { [ "$(holder)" != 0 ] && [ "$(holder)" != "$1" ] && is ActiveState active; }
in_journal() { journalctl --no-pager -u crossvmd | grep -q "$1"; }

# A component that waits for an event, all through what happens; and one that comes and emits.
begin_to_wait() {
	crossvm wait -S /run/crossvm/component.socket -C left -t 120 link >/tmp/waited &
	waiting=$!
	until_true sh -c "crossvm info -S /run/crossvm/component.socket -C right link | grep -qi 'left.*open'"
}
event_arrives() {
	crossvm emit -S /run/crossvm/component.socket -C right link || fail "cannot emit after: $doing"
	wait "$waiting" || fail "the event has not arrived after: $doing"
}

# setting SECTION LINE...: of the unit, until the next.
setting() {
	rm -rf /run/systemd/system/crossvmd.service.d
	mkdir -p /run/systemd/system/crossvmd.service.d
	printf '[Service]\n' >/run/systemd/system/crossvmd.service.d/test.conf
	for line in "$@"; do
		printf '%s\n' "$line" >>/run/systemd/system/crossvmd.service.d/test.conf
	done
	systemctl daemon-reload
}

doing "systemd has no complaint about the unit"
systemd-analyze --man=no verify crossvmd.service 2>/tmp/complaints || fail "$(cat /tmp/complaints)"
! grep crossvmd.service /tmp/complaints || fail "$(cat /tmp/complaints)"

doing "it starts, as the user that sysusers.d has made"
systemctl enable crossvmd
systemctl start crossvmd
is ActiveState active
[ "$(stat -c %U "/proc/$(holder)")" = crossvm ] || fail "it is not user crossvm"
[ "$(stat -c '%U %a' /run/crossvm)" = 'crossvm 755' ] || fail "$(stat -c '%U %a' /run/crossvm)"

doing "a worker that is killed is not noticed"
begin_to_wait
before=$(worker | tr -d ' ')
kill -9 "$before"
until_true has_another_worker "$before"
event_arrives
is NRestarts 0 || fail "systemd has restarted it"

doing "nor is one that the kernel kills for memory"
begin_to_wait
before=$(worker | tr -d ' ')
pid=$(holder)
# Of all processes the kernel may choose only from these two: it is to choose the worker.
for process in /proc/[0-9]*; do
	case ${process#/proc/} in
	"$pid" | "$before") ;;
	*) echo -1000 >"$process/oom_score_adj" 2>/dev/null || true ;;
	esac
done
echo f >/proc/sysrq-trigger
until_true has_another_worker "$before"
grep -q '^oom_kill [1-9]' "$(group)/memory.events" || fail "no process was killed for memory"
sleep 2 # for systemd to notice
[ "$(holder)" = "$pid" ] || fail "the holder has ended"
is ActiveState active
event_arrives
is NRestarts 0 || fail "systemd has restarted it"

doing "a holder that is killed takes its worker along, and is started again"
begin_to_wait
pid=$(holder)
before=$(worker | tr -d ' ')
kill -9 "$pid"
until_true is_restarted "$pid"
[ ! -e "/proc/$before" ] || fail "the old worker is still there"
! wait "$waiting" || fail "the component has not noticed"
[ "$(wc -l <"$(group)/cgroup.procs")" -eq 3 ] || fail "more than holder, worker and closer are there"
begin_to_wait
event_arrives

doing "a holder that stands still is noticed, one that waits is not"
setting WatchdogSec=2s
systemctl restart crossvmd
pid=$(holder)
sleep 6
[ "$(holder)" = "$pid" ] || fail "a holder that was well has been restarted"
kill -STOP "$pid"
until_true is_restarted "$pid"
setting

doing "systemctl stop leaves nothing"
systemctl restart crossvmd
cgroup=$(group)
systemctl stop crossvmd
is ActiveState inactive || fail "it is $(property ActiveState)"
is Result success || fail "it has ended by $(property Result)"
[ ! -e /run/crossvm ] || fail "the folder is still there: $(ls -lA /run/crossvm)"
[ ! -e "$cgroup/cgroup.procs" ] || [ -z "$(cat "$cgroup/cgroup.procs")" ] || fail "processes are left"
until_true in_journal 'told to stop by SIGTERM from process 1, user 0'

doing "even if its processes stand still"
setting TimeoutStopSec=3s
systemctl start crossvmd
while read -r pid; do kill -STOP "$pid"; done <"$(group)/cgroup.procs"
systemctl stop crossvmd
! pidof crossvmd || fail "processes are left"
setting

doing "only a group reaches the sockets, if that is wanted as the unit says"
printf 'g clients -\n' | systemd-sysusers -
# shellcheck disable=SC2046 # words
setting $(sed -nE '/RuntimeDirectoryMode=0750/,/socket-group/{s/^# +//;s/GROUP/clients/;/ExecStart=./!p}' \
	/usr/local/lib/systemd/system/crossvmd.service | tr '\n' ' ') \
	"ExecStart=/usr/local/sbin/crossvmd --socket-dir /run/crossvm --socket-group clients /usr/local/etc/crossvm/system.yaml"
systemctl start crossvmd
[ "$(stat -c '%U %G %a' /run/crossvm)" = 'crossvm clients 750' ] ||
	fail "$(stat -c '%U %G %a' /run/crossvm)"
systemctl stop crossvmd
setting

doing "a wrong system file is not tried again"
echo 'connexions: []' >/usr/local/etc/crossvm/system.yaml
! systemctl start crossvmd || fail "it has started"
sleep 2
is ActiveState failed || fail "it is $(property ActiveState)"
is ExecMainStatus 2 || fail "it has ended with $(property ExecMainStatus)"
is NRestarts 0 || fail "systemd has tried it again"

trap - EXIT
echo "all promises kept"
