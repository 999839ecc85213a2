#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""INTx, in the layout of today: acknowledged, shared, level."""

from connections_of_a_guest_work import BELL, ODD, PAGE, first_interface, nothing_lost, peers_asked
from connections_of_a_guest_work import peers_unasked, poll_and_read, dataports
from vm import Device, check, equal, run

# There are four lines: the first device and the fifth share one.
SHARING = [PAGE, Device("shares", 4096)]
DEVICES = [PAGE, ODD, BELL, Device("big", 3 << 20), SHARING[1]]


def uses_intx(guest, server):
    for device in DEVICES:
        uio = guest.uio(device.name)
        equal(guest.attribute(uio, "device/crossvm_irq"), "intx", device.name)


def before_bind(guest, server):
    """The line would be asserted before anybody handles it, and some lines are shared."""
    guest.run("rmmod uio_crossvm")
    for device in DEVICES:
        server(f"silent {device.name} 3")
    guest.run("insmod /uio_crossvm.ko")
    for device in DEVICES:
        uio = guest.uio(device.name)
        guest.run(f"until [ $(cat /sys/class/uio/{uio[5:]}/event) -ge 1 ]; do usleep 20000; done")


def shared_line(guest, server):
    lines = guest.run("grep -E 'page.*shares|shares.*page' /proc/interrupts || true")
    check(lines, "page and shares have a line each")
    for device in SHARING:
        guest.start(f"t wait {guest.uio(device.name)}", device.name)
    for device in SHARING:
        server(f"events {device.name} 1")
        guest.finish(device.name)


if __name__ == "__main__":
    run(
        [
            ("without MSI the driver uses INTx", uses_intx),
            ("programs of the first interface work", first_interface),
            ("two devices share a line", shared_line),
            ("poll and read agree about what is new", poll_and_read),
            ("of 3000 events none is lost", nothing_lost),
            ("a change of peers is no event for programs of the first interface", peers_unasked),
            ("a change of peers wakes who maps the status page", peers_asked),
            ("guest and host see the same dataport, all of it and no more", dataports),
            ("events from before the driver was there wake", before_bind),
        ],
        [[device] for device in DEVICES],
        cmdline="pci=nomsi",
    )
