#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The single layout, and devices of revision 1 as seL4's first device was.

What guest software for that device relies on holds with our driver, and with one that asks of the
device what drivers of those days ask (first_uio).
"""

import base64
import os
import subprocess
import sys

from vm import HERE, Device, check, equal, run, setup

SINGLE = Device("single", 8192, layout="single")
SINGLE_BELL = Device("single-bell", 0, layout="single")
SINGLE_INTX = Device("single-intx", 12288, layout="single", irq="intx")
SHARING = [
    Device("longest.name-of-47-characters_" + 17 * "x", 4096, layout="single", irq="intx"),
    Device("shares", 0, layout="single", irq="intx"),
]
SINGLE_READ_ONLY = Device("single-ro", 4096, layout="single", access="ro")
FIRST = Device("first", 16384, layout="revision1", irq="intx")
FIRST_BELL = Device("first-bell", 0, layout="revision1", irq="intx")
EXTENDED = [SINGLE, SINGLE_BELL, *SHARING, SINGLE_INTX, SINGLE_READ_ONLY]
REVISION_1 = [FIRST, FIRST_BELL]


def maps(guest, server):
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        names = ["registers"] + (["dataport"] if device.bytes else [])
        names += ["status"] if device in EXTENDED else []
        found = guest.run(f"cat /sys/class/uio/{uio[5:]}/maps/map*/name").split()
        equal(found, names, f"maps of {device.name}")
        equal(int(guest.attribute(uio, "maps/map0/size"), 16), 4096, device.name)
        if device.bytes:
            size = int(guest.attribute(uio, "maps/map1/size"), 16)
            equal(size, device.bytes, f"dataport of {device.name}")


def attributes(guest, server):
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        equal(guest.attribute(uio, "device/crossvm_layout"), "single", device.name)
        equal(guest.attribute(uio, "device/crossvm_irq"), device.irq, device.name)
        equal(guest.attribute(uio, "version"), "2" if device in EXTENDED else "1", device.name)


def dataports(guest, server):
    for seed, device in enumerate((SINGLE, SINGLE_INTX, FIRST), 1):
        uio = guest.uio(device.name)
        guest.run(f"t fill {uio} 1 {device.bytes} {seed}")
        equal(server(f"check {device.name} {seed}"), "yes", f"pattern in {device.name}")
        server(f"fill {device.name} {seed + 100}")
        guest.run(f"t check {uio} 1 {device.bytes} {seed + 100}")
        guest.run(f"t refuses_size {uio} 1 {device.bytes}")


def first_interface(guest, server):
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        emits = int(server(f"emits {device.name}"))
        guest.run(f"t emit {uio}")
        equal(int(server(f"emits {device.name}")), emits + 1, f"emits of {device.name}")
        guest.start(f"t wait {uio}", "wait")
        server(f"events {device.name} 1")
        guest.finish("wait")
        guest.start(f"t poll {uio}", "poll")
        server(f"events {device.name} 1")
        guest.finish("poll")


def emits_of_any_width(guest, server):
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        emits = int(server(f"emits {device.name}"))
        guest.run(f"t emit {uio}; t store {uio} 0 0 0x12345678; t store {uio} 0 0 0")
        equal(int(server(f"emits {device.name}")), emits + 3, f"emits of {device.name}")


def count_register(guest, server):
    """By MSI nobody but a program looks at it. It covers what was read, not what came later."""
    for device in (SINGLE, SINGLE_BELL):
        uio = guest.uio(device.name)
        guest.run(f"t word {uio} 0 4; t store {uio} 0 4 0")
        equal(guest.run(f"t word {uio} 0 4"), "0", f"count of {device.name}")
        server(f"events {device.name} 3")
        equal(guest.run(f"t word {uio} 0 4"), "3", f"count of {device.name}")
        server(f"events {device.name} 2")
        guest.run(f"t store {uio} 0 4 0xffffffff")
        equal(guest.run(f"t word {uio} 0 4"), "2", f"count of {device.name} after a write")
        guest.run(f"t store {uio} 0 4 0")
        equal(guest.run(f"t word {uio} 0 4"), "0", f"count of {device.name} after the last write")


def shared_line(guest, server):
    """Two devices assert one line, alone and at once; each wakes its own reader."""
    lines = guest.run("cat /proc/interrupts").splitlines()
    names = [{device.name for device in SHARING if device.name in line} for line in lines]
    check({device.name for device in SHARING} in names, "the two have a line each")
    for order in (SHARING[:1], SHARING[1:], SHARING):
        for device in order:
            guest.start(f"t wait {guest.uio(device.name)}", device.name)
        for device in order:
            server(f"events {device.name} 1")
        for device in order:
            guest.finish(device.name)


def nothing_lost(guest, server):
    for device in EXTENDED:
        uio = guest.uio(device.name)
        total = int(guest.run(f"t word {uio} {device.status_map} 128"))
        guest.start(f"t total {uio} {device.status_map} {total + 500}", "total")
        for _ in range(100):
            server(f"events {device.name} 5")
        guest.finish("total")


def acknowledged(guest, server):
    """A revision 1 device counts in a register, which the driver clears."""
    for device in REVISION_1:
        uio = guest.uio(device.name)
        for _ in range(20):
            guest.start(f"t wait {uio}", "wait")
            server(f"events {device.name} 3")
            guest.finish("wait")
        guest.run(f"until [ $(t word {uio} 0 4) = 0 ]; do usleep 20000; done")


def before_bind(guest, server):
    guest.run("rmmod uio_crossvm")
    for device in EXTENDED + REVISION_1:
        server(f"silent {device.name} 2")
    guest.run("insmod /uio_crossvm.ko")
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        guest.run(f"until [ $(cat /sys/class/uio/{uio[5:]}/event) -ge 1 ]; do usleep 20000; done")


def read_only(guest, server):
    guest.run(f"t refuses {guest.uio('single-ro')} 1")
    for device in EXTENDED:
        guest.run(f"t refuses {guest.uio(device.name)} {device.status_map}")


def rebind(guest, server):
    driver = "/sys/bus/pci/drivers/uio_crossvm"
    for device in (SINGLE, FIRST):
        address = guest.pci(guest.uio(device.name))
        again = f"echo {address} > {driver}/unbind; echo {address} > {driver}/bind"
        guest.run(f"for i in $(seq 20); do {again}; done")
    first_interface(guest, server)


def reset(guest, server):
    """By way of the bus, as a device that is alone in its slot can be."""
    for device in (SINGLE_INTX, FIRST):
        uio = guest.uio(device.name)
        guest.start(f"t poll {uio}", "poll")
        control = server(f"control {device.name}")
        guest.run(f"echo 1 > /sys/class/uio/{uio[5:]}/device/reset")
        equal(server(f"control {device.name}"), control, f"control of {device.name}")
        server(f"events {device.name} 1")
        guest.finish("poll")


def put(guest, path, destination):
    """Copy a file into the guest. Its console takes lines of less than 4 KiB."""
    with open(path, "rb") as file:
        content = base64.b64encode(file.read()).decode()
    guest.run(f"rm -f {destination}.b64")
    for at in range(0, len(content), 2000):
        guest.run(f"echo {content[at:at + 2000]} >> {destination}.b64")
    guest.run(f"base64 -d {destination}.b64 > {destination}")


def first_driver(guest, server):
    """From here on first_uio has the devices."""
    arch = guest.run("uname -m")
    suite = sys.argv[-1] if len(sys.argv) > 3 else "bookworm"
    module = setup("vm/module", arch, suite, os.path.join(HERE, "first_uio"))
    stripped = os.path.join(server.directory, "first_uio.ko")
    prefix = "" if arch == os.uname().machine else f"{arch}-linux-gnu-"
    subprocess.run([f"{prefix}strip", "--strip-debug", "-o", stripped, module], check=True)
    put(guest, stripped, "/first_uio.ko")
    guest.run("rmmod uio_crossvm; insmod /first_uio.ko")


def maps_of_first_driver(guest, server):
    """BAR0 has two pages, whose second one is nothing or the status page."""
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        sizes = guest.run(f"cat /sys/class/uio/{uio[5:]}/maps/map*/size").split()
        dataport = 1 << (device.bytes - 1).bit_length() if device.bytes else None
        wanted = [8192] + ([dataport] if dataport else [])
        equal([int(size, 16) for size in sizes], wanted, f"maps of {device.name}")


def handled_counts(guest, server):
    """A handler that knows the count alone leaves nothing pending, so the line is let go of."""
    for device in EXTENDED + REVISION_1:
        uio = guest.uio(device.name)
        for _ in range(10):
            guest.start(f"t wait {uio}", "wait")
            server(f"events {device.name} 7")
            guest.finish("wait")
        guest.run(f"until [ $(t word {uio} 0 4) = 0 ]; do usleep 20000; done")


if __name__ == "__main__":
    run(
        [
            ("each layout has the maps that it should have", maps),
            ("sysfs tells layout, interrupt and revision", attributes),
            ("guest and host see the same dataport, all of it and no more", dataports),
            ("programs of the first interface work", first_interface),
            ("stores of any width emit", emits_of_any_width),
            ("the count covers what was read", count_register),
            ("two devices share a line", shared_line),
            ("of 500 events none is lost", nothing_lost),
            ("the event counter of revision 1 is cleared", acknowledged),
            ("events from before the driver was there wake", before_bind),
            ("what must not be written cannot be, in any way", read_only),
            ("devices can be rebound", rebind),
            ("a device works on after a reset", reset),
            ("a driver of the first interface takes the devices", first_driver),
            ("it has maps in the size of BARs", maps_of_first_driver),
            ("programs of the first interface work with it", first_interface),
            ("stores of any width emit with it", emits_of_any_width),
            ("two devices share a line with it", shared_line),
            ("the count that it reads and clears is enough", handled_counts),
        ],
        [
            [SINGLE, SINGLE_BELL, *SHARING],
            [SINGLE_INTX],
            [SINGLE_READ_ONLY],
            [FIRST],
            [FIRST_BELL],
        ],
    )
