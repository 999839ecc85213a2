#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""INTx, in the layout of today: acknowledged, shared, level."""

from connections_of_a_guest_work import BELL, ODD, PAGE, first_interface, nothing_lost, peers_asked
from connections_of_a_guest_work import peers_unasked, poll_and_read, dataports
from events_pass_by_a_doorbell import OPEN, PEER_CHANGES, emits_are
from vm import Device, check, equal, run

# There are four lines: the first device and the fifth share one.
SHARING = [PAGE, Device("shares", 4096)]
DEVICES = [PAGE, ODD, BELL, Device("big", 3 << 20), SHARING[1]]
DEAF = Device("deaf", 0, layout="doorbell")


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


def rings_only(guest, server):
    """A doorbell has MSI-X or nothing: others are told not to ring, and are rung."""
    uio = guest.uio("deaf")
    equal(guest.attribute(uio, "device/crossvm_irq"), "intx", "deaf")
    equal(guest.attribute(uio, "device/crossvm_doorbell"), "yes", "deaf")
    guest.start(f"t hold_map {uio} {DEAF.status_map + 1}", "with")
    equal(int(server("control deaf")), PEER_CHANGES | OPEN, "control")
    guest.end("with")
    guest.start(f"t wait {uio}", "wait")
    server("events deaf 1")
    guest.finish("wait")
    server("listens deaf 1")
    emits_are(guest, server, DEAF, by_doorbell=True)
    server("listens deaf 0")
    emits_are(guest, server, DEAF, by_doorbell=False)


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
            ("a doorbell is rung, but not listened at", rings_only),
        ],
        [[device] for device in [*DEVICES, DEAF]],
        cmdline="pci=nomsi",
    )
