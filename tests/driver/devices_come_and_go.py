#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Devices are bound, unbound, removed, found again and unplugged, also under open files."""

from vm import Device, Guest, Skipped, check, equal, run, wait_until

STAYS = Device("stays", 12288)
GOES = Device("goes", 3 << 20)
SLOTS = [[STAYS], [GOES]]
DRIVER = "/sys/bus/pci/drivers/uio_crossvm"


def works(guest, server, device):
    uio = guest.uio(device.name)
    guest.start(f"t wait {uio}", "works")
    server(f"events {device.name} 1")
    guest.finish("works")
    emits = int(server(f"emits {device.name}"))
    guest.run(f"t emit {uio}")
    equal(int(server(f"emits {device.name}")), emits + 1, "emits")
    server(f"fill {device.name} 5")
    guest.run(f"t check {uio} 1 {device.bytes} 5")


def functions_of(guest, device):
    events = guest.pci(guest.uio(device.name))
    return events, events[:-1] + "1"


def rebind(guest, server):
    """Each of the two functions is unbound and bound first, in turn."""
    events, memory = functions_of(guest, STAYS)
    guest.run(
        f"""events() {{ echo {events} > {DRIVER}/$1; }}
        memory() {{ echo {memory} > {DRIVER}_memory/$1; }}
        bad=0
        for i in $(seq 50); do
            case $((i % 4)) in
            0) events unbind; memory unbind; events bind; memory bind ;;
            1) events unbind; memory unbind; memory bind; events bind ;;
            2) memory unbind; [ ! -d {DRIVER}/{events}/uio ] || bad=1; memory bind ;;
            3) events unbind; events bind ;;
            esac
            [ -d {DRIVER}/{events}/uio ] || bad=1
        done
        [ $bad = 0 ]"""
    )
    works(guest, server, STAYS)
    works(guest, server, GOES)


def open_rebind(guest, server):
    """The old file is dead, a new one is not, and both are there at the same time."""
    events, _ = functions_of(guest, STAYS)
    for i in range(10):
        guest.start(f"t outlive {guest.uio('stays')} {STAYS.bytes}", "outlive")
        equal(server("control stays"), "3", "control while open")
        guest.run(f"echo {events} > {DRIVER}/unbind")
        equal(server("control stays"), "0", "control after unbind")
        guest.run(f"echo {events} > {DRIVER}/bind")
        guest.finish("outlive")
    works(guest, server, STAYS)


def remove_and_rescan(guest, server):
    events, memory = functions_of(guest, STAYS)
    for first, second in ((events, memory), (memory, events)):
        guest.start(f"t outlive {guest.uio('stays')} {STAYS.bytes}", "outlive")
        guest.run(f"echo 1 > /sys/bus/pci/devices/{first}/remove")
        guest.finish("outlive")
        guest.run(f"echo 1 > /sys/bus/pci/devices/{second}/remove")
        guest.run("echo 1 > /sys/bus/pci/rescan")
        works(guest, server, STAYS)


def unload(guest, server):
    uio = guest.uio("stays")
    guest.start(f"t hold {uio}", "hold")
    status, _ = guest.try_run("rmmod uio_crossvm")
    check(status != 0, "the module was unloaded under an open file")
    guest.end("hold")
    for _ in range(5):
        guest.run("rmmod uio_crossvm")
        guest.run("insmod /uio_crossvm.ko")
    works(guest, server, STAYS)


def before_probe(guest, server):
    """The host interrupts for none of them: the driver must look for itself."""
    guest.run("rmmod uio_crossvm")
    server("silent stays 3")
    guest.run("insmod /uio_crossvm.ko")
    equal(guest.attribute(guest.uio("stays"), "event"), "1", "count of wake-ups")


def memory_does_not_grow(guest, server):
    events, _ = functions_of(guest, STAYS)
    cycle = f"""for i in $(seq 100); do
            echo {events} > {DRIVER}/unbind
            echo {events} > {DRIVER}/bind
        done"""
    used = "/^(Slab|VmallocUsed|PageTables)/ {sum += $2} END {print sum}"
    measure = f"sync; echo 3 > /proc/sys/vm/drop_caches; awk '{used}' /proc/meminfo"
    guest.run(cycle)
    before = int(guest.run(measure))
    for _ in range(3):
        guest.run(cycle)
    after = int(guest.run(measure))
    # Less than a page for each time.
    check(after - before < 300, f"300 times bound and unbound took {after - before} KiB")


def plugged(guest, device):
    parts = guest.monitor("qom-list", {"path": "/machine/peripheral"})
    return any(part["name"].startswith(device.name + "-") for part in parts)


def unplug(guest, server):
    """Both functions at once, under a reader; afterwards the address space is another's."""
    guest.start(f"t outlive {guest.uio('goes')} {GOES.bytes}", "outlive")
    guest.monitor("device_del", {"id": "goes-0"})
    guest.finish("outlive")
    there = "grep -lx 0xa11. /sys/bus/pci/devices/*/device | wc -l"
    wait_until(lambda: guest.run(there) == "2", "the functions are still there")
    # With native hotplug the guest has let go some seconds before it switches the slot off.
    wait_until(lambda: not plugged(guest, GOES), "QEMU still has the functions")
    works(guest, server, STAYS)


def plug(guest, server):
    for function in reversed(Guest.functions(server, 1, [GOES])):
        guest.monitor("device_add", function)
    find = "grep -qx goes /sys/class/uio/*/name"
    wait_until(lambda: guest.try_run(find)[0] == 0, "no device came")
    works(guest, server, GOES)


def suspend(guest, server):
    """The host forgets what the driver told it, and an event comes that nobody is woken for."""
    if guest.arch == "aarch64":
        # Only its firmware could suspend it, and QEMU's answers NOT_SUPPORTED.
        states = guest.run("cat /sys/power/mem_sleep")
        equal(states, "[s2idle]", "ways to sleep: write this test for them")
        raise Skipped("QEMU's virt machine has no suspend: there is nothing to come back from")
    guest.start(f"t poll {guest.uio('stays')}", "poll")
    guest.run("(sleep 1; echo mem >/sys/power/state; echo awake) >/dev/console 2>&1 &")
    is_suspended = lambda: guest.monitor("query-status")["status"] == "suspended"
    wait_until(is_suspended, "the guest has not gone to sleep")
    server("silent stays 1")
    guest.monitor("system_wakeup")
    guest.read_until(rb"awake\n")  # the console sleeps, too
    guest.finish("poll")
    equal(server("control stays"), "2", "control after sleep")
    works(guest, server, STAYS)
    works(guest, server, GOES)


if __name__ == "__main__":
    run(
        [
            ("a device can be rebound fifty times, its functions in any order", rebind),
            ("unbinding under an open file ends its reads and mappings", open_rebind),
            ("so does removing either function first, and a rescan finds them", remove_and_rescan),
            ("the module cannot be unloaded under an open file, and can after", unload),
            ("events from before the driver was there wake", before_probe),
            ("no memory is lost in binding and unbinding", memory_does_not_grow),
            ("unplugging under an open file ends its reads and mappings", unplug),
            ("a device that is plugged in works", plug),
            ("after the guest has slept all is as before", suspend),
        ],
        SLOTS,
        cmdline="slub_debug=FZP",  # poison freed memory, and look after it
    )
