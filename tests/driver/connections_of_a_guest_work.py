#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a process relies on, with the layout of today and MSI."""

import re

from vm import Device, check, equal, run, wait_until

PAGE = Device("page", 4096)
ODD = Device("odd.size-1", 12288)
BIG = Device("big", 3 << 20)
BELL = Device("bell", 0)
READ_ONLY = Device("read-only", 12288, access="ro")
SLOTS = [[PAGE, ODD, BELL], [BIG], [READ_ONLY]]
DEVICES = [device for slot in SLOTS for device in slot]


def names_and_maps(guest, server):
    for device in DEVICES:
        uio = guest.uio(device.name)
        maps = [("registers", 4096), ("status", 4096)]
        if device.bytes:
            maps.insert(1, ("dataport", device.bytes))
        for number, (name, size) in enumerate(maps):
            equal(guest.attribute(uio, f"maps/map{number}/name"), name, device.name)
            equal(int(guest.attribute(uio, f"maps/map{number}/size"), 16), size, device.name)
        status, _ = guest.try_run(f"ls /sys/class/uio/{uio[5:]}/maps/map{len(maps)}")
        check(status != 0, f"{device.name} has more than {len(maps)} maps")


def attributes(guest, server):
    for device, access in ((ODD, "read-write"), (READ_ONLY, "read-only"), (BELL, "none")):
        uio = guest.uio(device.name)
        equal(guest.attribute(uio, "device/crossvm_access"), access, device.name)
        equal(guest.attribute(uio, "device/crossvm_connection_id"), str(device.id), device.name)
        equal(guest.attribute(uio, "device/crossvm_irq"), "msi", device.name)
        equal(guest.attribute(uio, "device/crossvm_layout"), "split", device.name)
        equal(guest.attribute(uio, "version"), "2", device.name)


def dataports(guest, server):
    for seed, device in enumerate((PAGE, ODD, BIG), 1):
        uio = guest.uio(device.name)
        guest.run(f"t fill {uio} 1 {device.bytes} {seed}")
        equal(server(f"check {device.name} {seed}"), "yes", f"pattern in {device.name} on the host")
        server(f"fill {device.name} {seed + 100}")
        guest.run(f"t check {uio} 1 {device.bytes} {seed + 100}")
        guest.run(f"t refuses_size {uio} 1 {device.bytes}")


def first_interface(guest, server):
    uio = guest.uio("odd.size-1")
    before = int(server("emits odd.size-1"))
    guest.run(f"t emit {uio}")
    guest.run(f"t emit {uio}")
    equal(int(server("emits odd.size-1")), before + 2, "emits")
    guest.run(f"t dataport_write {uio} 8192 'a line of text'")
    equal(guest.run(f"t dataport_read {uio} 8192"), "a line of text", "dataport")
    guest.start(f"t wait {uio}", "wait")
    server("events odd.size-1 1")
    guest.finish("wait")


def poll_and_read(guest, server):
    uio = guest.uio("bell")
    guest.start(f"t poll {uio}", "poll")
    server("events bell 1")
    guest.finish("poll")


def nothing_lost(guest, server):
    uio = guest.uio("bell")
    total = int(guest.run(f"t word {uio} {BELL.status_map} 128"))
    guest.start(f"t total {uio} {BELL.status_map} {total + 3000}", "total")
    for _ in range(300):
        server("events bell 10")
    guest.finish("total")


def peers_unasked(guest, server):
    uio = guest.uio("page")
    guest.start(f"t wait {uio}", "wait")
    events = guest.attribute(uio, "event")
    interrupts = "grep -w page /proc/interrupts | awk '{print $2 + $3}'"
    before = int(guest.run(interrupts))
    server("peer page 1 2")
    server("peer page 1 3")
    guest.run(f"until [ $({interrupts}) -gt {before} ]; do usleep 20000; done")
    equal(guest.attribute(uio, "event"), events, "count of wake-ups")
    server("events page 1")
    guest.finish("wait")


def peers_asked(guest, server):
    uio = guest.uio("page")
    guest.start(f"t watch {uio} {PAGE.status_map}", "watch")
    server("peer page 1 1")
    guest.finish("watch")


def open_is_told(guest, server):
    """Two files: peers see the first open and the last close."""
    uio = guest.uio("odd.size-1")
    wakes_for_peers = 2
    equal(server("control odd.size-1"), str(wakes_for_peers), "control while closed")
    guest.start(f"t hold {uio}", "first")
    guest.start(f"t hold {uio}", "second")
    equal(server("control odd.size-1"), str(wakes_for_peers | 1), "control while open")
    guest.end("first")
    equal(server("control odd.size-1"), str(wakes_for_peers | 1), "control with one file left")
    guest.end("second")
    equal(server("control odd.size-1"), str(wakes_for_peers), "control after the last close")


def read_only(guest, server):
    guest.run(f"t refuses {guest.uio('read-only')} 1")
    for device in DEVICES:
        guest.run(f"t refuses {guest.uio(device.name)} {device.status_map}")
    server("fill read-only 7")
    guest.run(f"t check {guest.uio('read-only')} 1 12288 7")
    before = int(server("emits read-only"))
    guest.run(f"t emit {guest.uio('read-only')}")
    equal(int(server("emits read-only")), before + 1, "emits of a read-only member")


def any_address(guest, server):
    """No kind of access is special, at no address: it is memory."""
    for device in (PAGE, ODD, BIG):
        guest.run(f"t unaligned {guest.uio(device.name)} 1 {device.bytes}")


def cached(guest, server):
    if guest.arch == "x86_64":
        cached_on_x86_64(guest)
    else:
        cached_on_aarch64(guest)


# As MAIR_EL1 has them: normal memory with write-back caches, without caches, and Device memory.
WRITE_BACK, NOT_CACHED, DEVICE = "ff", "44", ("00", "04", "08", "0c")


def cached_on_aarch64(guest):
    """As the processor has it. Without our module, sysfs has normal memory only in resourceN_wc."""
    guest.run("insmod /memory_type.ko")
    for device in DEVICES:
        uio = guest.uio(device.name)
        for number in range(device.status_map + 1):
            found = guest.run(f"t memory_type {uio} {number}")
            equal(found, WRITE_BACK, f"memory type of map {number} of {device.name}")
    memory = f"/sys/bus/pci/devices/{guest.pci(guest.uio('big'))[:-1]}1"
    guest.run("rmmod uio_crossvm")
    equal(guest.run(f"t memory_type {memory}/resource2_wc 0"), NOT_CACHED, "resource2_wc")
    guest.run(f"t unaligned {memory}/resource2_wc 0 {BIG.bytes}")
    found = guest.run(f"t memory_type {memory}/resource2 0")
    check(found in DEVICE, f"resource2 has memory type {found}: lib/pci.c need not avoid it")
    guest.run("insmod /uio_crossvm.ko")


def cached_on_x86_64(guest):
    """As the page table has it. Firmware calls the window for PCI uncached, and Linux believes."""
    uio = guest.uio("big")
    base = int(guest.attribute(uio, "maps/map1/addr"), 16)
    guest.start(f"taskset 1 t spin {uio} 1 {BIG.bytes}", "spin")  # on the CPU that QEMU shows
    flags = []

    def are_all_there():
        table = guest.monitor("human-monitor-command", {"command-line": "info tlb"})
        pages = re.findall(r"[0-9a-f]+: ([0-9a-f]+) (\S*U\S*)", table)
        flags[:] = [flag for page, flag in pages if base <= int(page, 16) < base + BIG.bytes]
        return len(flags) == BIG.bytes // 4096

    wait_until(are_all_there, "the mapping is not in the page table")
    guest.end("spin")
    # QEMU's letters: C for PCD, T for PWT.
    check(not any("C" in flag or "T" in flag for flag in flags), f"page table has {set(flags)}")


def by_name(guest, server):
    """With Debian's udev and the rule that we ship."""
    guest.run("systemd-udevd --daemon")
    guest.run("udevadm trigger --action=add --subsystem-match=uio && udevadm settle")
    for device in DEVICES:
        path = f"/dev/crossvm/{device.name}"
        equal("/dev/" + guest.run(f"basename $(readlink {path})"), guest.uio(device.name), path)
        equal(guest.run(f"stat -L -c '%G %a' {path}"), "crossvm 660", path)
    before = int(server("emits page"))
    guest.run("t as 1000 999 /bin/t emit /dev/crossvm/page")
    guest.run(f"t as 1000 999 /bin/t refuses /dev/crossvm/page {PAGE.status_map}")
    equal(int(server("emits page")), before + 1, "emits of a member of the group")
    status, output = guest.try_run("t as 1000 1000 /bin/t emit /dev/crossvm/page")
    check(status and "Permission denied" in output, f"others: {output}")


if __name__ == "__main__":
    run(
        [
            ("names and maps are those of the connection, sizes are exact", names_and_maps),
            ("sysfs tells access, id, interrupt and layout", attributes),
            ("guest and host see the same dataport, all of it and no more", dataports),
            ("a dataport can be accessed in any way, at any address", any_address),
            ("a dataport is cached memory, wherever firmware puts it", cached),
            ("programs of the first interface work", first_interface),
            ("poll and read agree about what is new", poll_and_read),
            ("of 3000 events none is lost", nothing_lost),
            ("a change of peers is no event for programs of the first interface", peers_unasked),
            ("a change of peers wakes who maps the status page", peers_asked),
            ("peers are told when the first process opens and the last closes", open_is_told),
            ("what must not be written cannot be, in any way", read_only),
            ("members of the group open devices by name, others do not", by_name),
        ],
        SLOTS,
    )
