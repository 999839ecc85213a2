#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections with a doorbell: counts, rings, and functions that come and go."""

from devices_come_and_go import DRIVER
from vm import Device, Skipped, check, equal, run, wait_until

PAIR = Device("pair", 12288, layout="doorbell")
BELL = Device("bell", 0, layout="doorbell")
# The host offers a doorbell, but QEMU was started without it.
WITHOUT = Device("without", 4096, layout="doorbell", functions=2)
SLOTS = [[PAIR, BELL], [WITHOUT]]
FOREIGN = [
    "-object", "memory-backend-ram,id=foreign,size=4096,share=on",
    "-device", "ivshmem-plain,memdev=foreign",
]
OPEN, PEER_CHANGES, DOORBELL = 1, 2, 4
EMIT = 0x54494D45


def functions_of(guest, device):
    """The three functions of a connection follow each other."""
    events = guest.pci(guest.uio(device.name))
    return [events[:-1] + str(int(events[-1]) + part) for part in range(3)]


def emits_are(guest, server, device, by_doorbell):
    """Where an event goes that the guest emits."""
    emits, rung = int(server(f"emits {device.name}")), int(server(f"rung {device.name}"))
    server(f"rings {device.name}")
    guest.run(f"t write {guest.uio(device.name)} {EMIT}")
    equal(int(server(f"rings {device.name}")), int(by_doorbell), "rings")
    equal(int(server(f"rung {device.name}")), rung + by_doorbell, "count in the page")
    equal(int(server(f"emits {device.name}")), emits + (not by_doorbell), "emits by the register")


def listens(guest, server, device):
    """Only while a process counts what comes by the doorbell: others would be woken for nothing."""
    uio = guest.uio(device.name)
    control = lambda: int(server(f"control {device.name}"))
    equal(control(), PEER_CHANGES, "control while closed")
    guest.start(f"t hold {uio}", "first_interface")
    equal(control(), PEER_CHANGES | OPEN, "control while open")
    guest.start(f"t hold_map {uio} {device.status_map}", "without")
    equal(control(), PEER_CHANGES | OPEN, "control while the status page is mapped")
    guest.start(f"t hold_map {uio} {device.status_map + 1}", "with")
    equal(control(), PEER_CHANGES | OPEN | DOORBELL, "control while the doorbell's page is")
    for job in ("with", "without", "first_interface"):
        guest.end(job)
    equal(control(), PEER_CHANGES, "control while closed again")


def works(guest, server, device):
    uio = guest.uio(device.name)
    listens(guest, server, device)
    for command in ("ring", "events"):
        guest.start(f"t wait {uio}", "works")
        server(f"{command} {device.name} 1")
        guest.finish("works")
    server(f"listens {device.name} 1")
    emits_are(guest, server, device, by_doorbell=True)
    server(f"listens {device.name} 0")
    emits_are(guest, server, device, by_doorbell=False)


def has_ring(guest, device):
    """Only where firmware gives the registers a page of their own can processes map them."""
    return "ring" in guest.run(f"cat /sys/class/uio/{guest.uio(device.name)[5:]}/maps/map*/name")


def processes_ring(guest, server):
    if not has_ring(guest, PAIR):
        raise Skipped("the doorbell's registers share a page")
    for device in (PAIR, BELL):
        rung = int(server(f"rung {device.name}"))
        server(f"rings {device.name}")
        ring = device.status_map + 2
        guest.run(f"t ring {guest.uio(device.name)} {ring} {device.id << 1}")
        equal(server(f"rings {device.name}"), "1", "rings")
        equal(int(server(f"rung {device.name}")), rung + 1, "count in the page")
        guest.run(f"t refuses_size {guest.uio(device.name)} {ring} 8192")


def is_shown(guest, server):
    for device in (PAIR, BELL):
        uio = guest.uio(device.name)
        equal(guest.attribute(uio, "device/crossvm_doorbell"), "yes", device.name)
        equal(guest.attribute(uio, f"maps/map{device.status_map}/name"), "status", device.name)
        doorbell = device.status_map + 1
        equal(guest.attribute(uio, f"maps/map{doorbell}/name"), "doorbell", device.name)
        equal(int(guest.attribute(uio, f"maps/map{doorbell}/size"), 16), 4096, device.name)
        guest.run(f"t refuses {uio} {doorbell}")
        equal(has_ring(guest, device), guest.arch == "x86_64", "a page for the registers alone")
        listens(guest, server, device)


def rings_wake(guest, server):
    """With the right count, whichever way the events come."""
    uio = guest.uio("pair")
    guest.start(f"t sum {uio} {PAIR.status_map} 3300", "sum")
    for _ in range(300):
        server("ring pair 10")
        server("events pair 1")
    guest.finish("sum")


def spurious_rings(guest, server):
    """They are no events: who is woken finds that nothing was counted."""
    uio = guest.uio("bell")
    rung = server("rung bell")
    guest.start(f"t wait {uio}", "wait")
    server("ring bell 0")
    guest.finish("wait")
    equal(server("rung bell"), rung, "count in the page")
    guest.start(f"t sum {uio} {BELL.status_map} 1", "sum")
    server("ring bell 0")
    server("ring bell 1")
    guest.finish("sum")


def both_work(guest, server):
    works(guest, server, PAIR)
    works(guest, server, BELL)


def first_interface(guest, server):
    """A store to the register reaches everybody, as it always has."""
    server("listens pair 1")
    emits = int(server("emits pair"))
    server("rings pair")
    guest.run(f"t emit {guest.uio('pair')}")
    equal(int(server("emits pair")), emits + 1, "emits by the register")
    equal(server("rings pair"), "0", "rings")
    server("listens pair 0")
    for value in (0, 1, 2):
        status, output = guest.try_run(f"t write {guest.uio('pair')} {value}")
        check(status and "Invalid argument" in output, f"write of {value}: {output}")
    equal(int(server("emits pair")), emits + 1, "emits by the register")


def works_without(guest, server, device):
    uio = guest.uio(device.name)
    equal(guest.attribute(uio, "device/crossvm_doorbell"), "no", device.name)
    names = guest.run(f"cat /sys/class/uio/{uio[5:]}/maps/map*/name").split()
    check("doorbell" not in names, f"maps {names}")
    equal(server(f"control {device.name}"), str(PEER_CHANGES), "control")
    guest.start(f"t wait {uio}", "wait")
    server(f"events {device.name} 1")
    guest.finish("wait")
    server(f"listens {device.name} 1")
    emits_are(guest, server, device, by_doorbell=False)
    server(f"listens {device.name} 0")


def old_command_line(guest, server):
    works_without(guest, server, WITHOUT)


def foreign(guest, server):
    """It is for some other driver, and was not even looked at."""
    found = guest.run(
        """cd /sys/bus/pci/devices
        for i in *; do
            [ $(cat $i/vendor)$(cat $i/device) = 0x1af40x1110 ] || continue
            [ -e $i/driver ] || echo $i $(cat $i/enable)
        done"""
    ).split()
    equal(len(found), 2, f"ivshmem devices without a driver: {found}")
    equal(found[1], "0", "enabled")
    equal(guest.run(f"dmesg | grep {found[0]} | grep crossvm || true"), "", "kernel log")


def rebind(guest, server):
    """Each of the three is unbound and bound first, in turn; the connection comes with the last."""
    parts = functions_of(guest, PAIR)
    names = ("", "_memory", "_doorbell")
    drivers = [DRIVER + name for name in names]
    for i, (part, driver) in enumerate(zip(parts, drivers)):
        guest.start(f"t outlive {guest.uio('pair')} {PAIR.bytes}", "outlive")
        guest.run(f"echo {part} > {driver}/unbind")
        equal(server("control pair"), "0", f"control after unbind of function {i}")
        guest.run(f"echo {part} > {driver}/bind")
        guest.finish("outlive")
        works(guest, server, PAIR)
    cycle = "\n".join(
        f"(echo {parts[i]} > {drivers[i]}/unbind); [ ! -d {DRIVER}/{parts[0]}/uio ] || bad=1"
        for i in (2, 0, 1)
    )
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        binding = "\n".join(f"echo {parts[i]} > {drivers[i]}/bind" for i in order)
        guest.run(
            f"""bad=0
            for i in $(seq 10); do
                {cycle}
                {binding}
                [ -d {DRIVER}/{parts[0]}/uio ] || bad=1
            done
            [ $bad = 0 ]"""
        )
    both_work(guest, server)


def removed(guest, server):
    """Without it the connection is gone until its events function is bound again."""
    events, _, doorbell = functions_of(guest, PAIR)
    guest.start(f"t outlive {guest.uio('pair')} {PAIR.bytes}", "outlive")
    guest.run(f"echo 1 > /sys/bus/pci/devices/{doorbell}/remove")
    guest.finish("outlive")
    guest.run(f"echo {events} > {DRIVER}/unbind; echo {events} > {DRIVER}/bind")
    works_without(guest, server, PAIR)
    guest.run("echo 1 > /sys/bus/pci/rescan")
    works_without(guest, server, PAIR)
    guest.run(f"echo {events} > {DRIVER}/unbind; echo {events} > {DRIVER}/bind")
    both_work(guest, server)


def before_probe(guest, server):
    """Nobody hears the ring: the driver must look for itself."""
    guest.run("rmmod uio_crossvm")
    server("ring pair 3")
    guest.run("insmod /uio_crossvm.ko")
    check(int(guest.attribute(guest.uio("pair"), "event")) > 0, "no wake-up")
    both_work(guest, server)


def suspend(guest, server):
    """QEMU takes the ring while the guest sleeps, and it comes to nothing."""
    if guest.arch == "aarch64":
        raise Skipped("QEMU's virt machine has no suspend: there is nothing to come back from")
    guest.start(f"t poll {guest.uio('pair')}", "poll")
    guest.run("(sleep 1; echo mem >/sys/power/state; echo awake) >/dev/console 2>&1 &")
    is_suspended = lambda: guest.monitor("query-status")["status"] == "suspended"
    wait_until(is_suspended, "the guest has not gone to sleep")
    server("ring pair 1")
    guest.monitor("system_wakeup")
    guest.read_until(rb"awake\n")  # the console sleeps, too
    guest.finish("poll")
    both_work(guest, server)


if __name__ == "__main__":
    run(
        [
            ("a doorbell is shown, and is for reading only", is_shown),
            ("of 3300 events by doorbell and register none is lost", rings_wake),
            ("a ring without an event is none", spurious_rings),
            ("an emit goes by the doorbell while the other member listens", both_work),
            ("a process can ring by itself", processes_ring),
            ("an emit of the first interface goes by the register", first_interface),
            ("a guest without the function works as before", old_command_line),
            ("another ivshmem device is left alone", foreign),
            ("its functions can be bound in any order", rebind),
            ("without the doorbell its connection works when bound again", removed),
            ("events from before the driver was there wake", before_probe),
            ("after the guest has slept all is as before", suspend),
        ],
        SLOTS,
        cmdline="slub_debug=FZP",  # poison freed memory, and look after it
        arguments=FOREIGN,
    )
