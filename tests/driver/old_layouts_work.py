#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The single layout, and devices of revision 1 as seL4's first device was."""

from vm import Device, equal, run

SINGLE = Device("single", 8192, layout="single")
SINGLE_BELL = Device("single-bell", 0, layout="single")
SINGLE_INTX = Device("single-intx", 12288, layout="single", irq="intx")
SINGLE_READ_ONLY = Device("single-ro", 4096, layout="single", access="ro")
FIRST = Device("first", 16384, layout="revision1", irq="intx")
FIRST_BELL = Device("first-bell", 0, layout="revision1", irq="intx")
EXTENDED = [SINGLE, SINGLE_BELL, SINGLE_INTX, SINGLE_READ_ONLY]
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


if __name__ == "__main__":
    run(
        [
            ("each layout has the maps that it should have", maps),
            ("sysfs tells layout, interrupt and revision", attributes),
            ("guest and host see the same dataport, all of it and no more", dataports),
            ("programs of the first interface work", first_interface),
            ("of 500 events none is lost", nothing_lost),
            ("the event counter of revision 1 is cleared", acknowledged),
            ("events from before the driver was there wake", before_bind),
            ("what must not be written cannot be, in any way", read_only),
            ("devices can be rebound", rebind),
            ("a device works on after a reset", reset),
        ],
        [[SINGLE, SINGLE_BELL], [SINGLE_INTX], [SINGLE_READ_ONLY], [FIRST], [FIRST_BELL]],
    )
