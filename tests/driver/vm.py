# SPDX-License-Identifier: BSD-2-Clause
"""Guests and devices for the tests of the guest driver, and the frame that runs such tests.

A test program calls run() with a list of (sentence, function); it prints TAP. A guest is a QEMU
with a shell on its serial console; the devices are those of device_server. Whatever happens, both
end with the test program.
"""

import base64
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PATIENCE = 300  # seconds until a hang is called one; nothing else depends on time


class Failure(Exception):
    """Something that a test asserts does not hold."""


class Skipped(Exception):
    """Why a test cannot run in this guest."""


class Ended(Failure):
    """The guest has."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(found, wanted, what):
    check(found == wanted, f"{what}: {found!r}, not {wanted!r}")


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < end, what)
        time.sleep(0.02)


def die_with_parent():
    """Let the kernel end a child when this process ends, whatever ends it."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def setup(script, *arguments):
    result = subprocess.run(
        [os.path.join(TOP, "setup", script), *arguments], stdout=subprocess.PIPE, check=True
    )
    return result.stdout.decode().strip()


class Device:
    """One connection of the guest. bytes 0: events only.

    In the layout "doorbell" it has one, unless the guest is not given that function.
    """

    count = 0

    def __init__(self, name, bytes, layout="split", access="rw", irq="msi", functions=None):
        Device.count += 1
        self.name = name
        self.id = 0x1234 + (Device.count << 16)  # config space shows only what they have in common
        if layout == "doorbell":
            self.id = 0x1234 + Device.count  # its position has few bits
        self.bytes = bytes
        self.layout = layout
        self.access = access
        self.irq = irq
        self.status_map = 2 if bytes else 1
        self.functions = functions or {"split": 2, "doorbell": 3}.get(layout, 1)

    def argument(self):
        return f"{self.name}:{self.id}:{self.layout}:{self.bytes}:{self.access}:{self.irq}"


class Server:
    """Serves devices; call it with a command of device_server."""

    def __init__(self, program, directory, devices):
        self.directory = directory
        self.process = subprocess.Popen(
            [program, directory, *(device.argument() for device in devices)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        self.answer()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        check(ready, "device_server is silent")
        line = self.process.stdout.readline().decode().split()
        check(line and line[0] == "ok", "device_server has ended")
        return line[1] if len(line) > 1 else ""

    def __call__(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def socket(self, device, function):
        return os.path.join(self.directory, f"{device.name}.{function}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Machine:
    """What differs between the architectures of guests."""

    def __init__(self, arch):
        x86 = arch == "x86_64"
        self.arch = arch
        self.console = "ttyS0" if x86 else "ttyAMA0"
        self.loader = "lib64/ld-linux-x86-64.so.2" if x86 else "lib/ld-linux-aarch64.so.1"
        # Pointer authentication as the architecture has it is slow to emulate.
        self.arguments = ["-M", "q35"] if x86 else [
            "-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"
        ]


def add_libraries(program, source, target):
    """Copy the libraries that a program needs, for whatever architecture it is."""
    listing = subprocess.run(["readelf", "-dW", program], stdout=subprocess.PIPE, check=True)
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", listing.stdout.decode()):
        library = os.path.join(source, name)
        if os.path.exists(library) and not os.path.exists(os.path.join(target, name)):
            shutil.copy(library, target)
            add_libraries(library, source, target)


def add_udev(root, machine):
    """Debian's udev with its libraries, our rule, and a group crossvm."""
    data = os.environ.get("CROSSVM_DATA", os.path.join(TOP, "build"))
    udev = os.path.join(data, "udev-" + machine.arch)
    setup("fetch-debs", "--suite", "bookworm", "--arch", machine.arch, "--into", udev, "udev")
    libraries = f"lib/{machine.arch}-linux-gnu"
    for folder in (os.path.dirname(machine.loader), libraries, "etc/udev/rules.d"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    shutil.copy(os.path.join(udev, machine.loader), os.path.join(root, machine.loader))
    shutil.copy(os.path.join(udev, "bin/udevadm"), os.path.join(root, "bin/systemd-udevd"))
    os.symlink("systemd-udevd", os.path.join(root, "bin/udevadm"))
    add_libraries(os.path.join(udev, "bin/udevadm"), os.path.join(udev, libraries),
                  os.path.join(root, libraries))
    rule = os.path.join(TOP, "driver/linux/60-crossvm.rules")
    shutil.copy(rule, os.path.join(root, "etc/udev/rules.d"))
    with open(os.path.join(root, "etc/group"), "w", encoding="ascii") as group:
        group.write("root:x:0:\ncrossvm:x:999:\n")


def build_initramfs(directory, config):
    """Busybox, UIO, the module and guest_tool, and a shell on the serial console."""
    arch = config.machine.arch
    kernel = setup("vm/kernel", arch, config.suite)
    root = os.path.join(directory, "root")
    for folder in ("bin", "dev", "proc", "sys", "tmp", "etc", "run"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(setup("vm/busybox", arch), os.path.join(root, "bin/busybox"))
    shutil.copy(setup("vm/module", arch, config.suite), os.path.join(root, "uio_crossvm.ko"))
    if arch == "aarch64":
        module = setup("vm/module", arch, config.suite, os.path.join(HERE, "memory_type"))
        shutil.copy(module, os.path.join(root, "memory_type.ko"))
    shutil.copy(config.tool, os.path.join(root, "bin/t"))
    add_udev(root, config.machine)
    uio = os.path.join(kernel, "modules/kernel/drivers/uio/uio.ko")
    if os.path.exists(uio):
        shutil.copy(uio, root)
    else:
        with open(os.path.join(root, "uio.ko"), "wb") as out:
            subprocess.run(["xz", "-dc", uio + ".xz"], stdout=out, check=True)
    shutil.copy(os.path.join(HERE, "guest_init"), os.path.join(root, "init"))
    image = os.path.join(directory, "initramfs")
    with open(image, "wb") as out:
        subprocess.run(
            "find . | cpio -o -H newc --quiet --owner=0:0",
            shell=True,
            cwd=root,
            stdout=out,
            check=True,
        )
    return os.path.join(kernel, "vmlinuz"), image


class Guest:
    """A virtual machine whose console takes one command at a time."""

    def __init__(self, config, server, slots, directory, arguments):
        machine = config.machine
        vmlinuz, image = build_initramfs(directory, config)
        self.arch = machine.arch
        self.control = os.path.join(directory, "qmp")
        command = [setup("vm/qemu", machine.arch), *machine.arguments, "-accel", "tcg"]
        command += ["-m", "256", "-smp", config.cpus]
        command += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
        command += ["-qmp", f"unix:{self.control},server=on,wait=off"]
        command += ["-kernel", vmlinuz, "-initrd", image]
        command += ["-append", f"console={machine.console} quiet panic=-1 {config.cmdline}"]
        for number, slot in enumerate(slots):
            command += self.slot_arguments(server, number, slot)
        command += arguments
        self.log = open(os.path.join(directory, "console.log"), "wb+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent
        )
        self.buffer = b""
        self.read_until(rb"@ready@\n")

    @staticmethod
    def slot_arguments(server, number, devices):
        """A root port with a slot, so that it can be unplugged, and the functions in it."""
        arguments = ["-device", f"pcie-root-port,id=port{number},chassis={number + 1}"]
        functions = Guest.functions(server, number, devices)
        for device in devices:
            if device.functions > 2:
                path = server.socket(device, 2)
                arguments += ["-chardev", f"socket,id={device.name}-doorbell,path={path}"]
        for function in reversed(functions):
            arguments += ["-device", json.dumps(function)]
        return arguments

    @staticmethod
    def functions(server, number, devices):
        """All events functions come first: none has its memory function beside it.

        But where there is a doorbell, the functions of a connection follow each other.
        """
        places = [(device, part) for device in devices for part in range(device.functions)]
        if all(device.functions < 3 for device in devices):
            places.sort(key=lambda place: place[1])
        return [
            {
                "id": f"{device.name}-{part}",
                "bus": f"port{number}",
                "addr": f"0.{place}",
                "multifunction": place == 0 and len(places) > 1,
                **Guest.driver(server, device, part),
            }
            for place, (device, part) in enumerate(places)
        ]

    @staticmethod
    def driver(server, device, part):
        if part == 2:
            return {"driver": "ivshmem-doorbell", "chardev": f"{device.name}-doorbell", "vectors": 1}
        socket = {"type": "unix", "path": server.socket(device, part)}
        return {"driver": "vfio-user-pci", "socket": socket}

    def read_until(self, end):
        """Console output up to a match of a pattern, and the match."""
        limit = time.monotonic() + PATIENCE
        while not (match := re.search(end, self.buffer)):
            left = limit - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            tail = self.buffer[-4000:].decode(errors="replace")
            check(ready, f"the guest is silent; its console ends {tail}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Ended(f"the guest has ended: {tail}")
            self.log.write(data)
            self.buffer += data.replace(b"\r", b"")
        before = self.buffer[: match.start()].decode(errors="replace")
        self.buffer = self.buffer[match.end() :]
        return before, match

    def try_run(self, command):
        """Run a shell command, return its exit status and output."""
        self.process.stdin.write(base64.b64encode(command.encode()) + b"\n")
        self.process.stdin.flush()
        output, end = self.read_until(rb"@(\d+)@\n")
        return int(end[1]), output.strip()

    def run(self, command):
        status, output = self.try_run(command)
        check(status == 0, f"in the guest: '{command}' ended with {status}: {output}")
        return output

    def start(self, command, job):
        """Run a command beside the console; returns when it says 'opened'."""
        self.run(f"{command} >/tmp/{job} 2>&1 & echo $! >/tmp/{job}.pid")
        self.wait_for(job, "opened")

    def wait_for(self, job, word):
        self.run(
            f"""until grep -q {word} /tmp/{job}; do
                [ -d /proc/$(cat /tmp/{job}.pid) ] || break
                usleep 20000
            done
            grep {word} /tmp/{job} || {{ cat /tmp/{job}; false; }}"""
        )

    def finish(self, job):
        """Wait for it to end; its exit status must be 0. Returns its output."""
        return self.run(f"wait $(cat /tmp/{job}.pid); status=$?; cat /tmp/{job}; [ $status = 0 ]")

    def end(self, job):
        """Kill a job."""
        self.run(f"kill $(cat /tmp/{job}.pid); wait $(cat /tmp/{job}.pid); true")

    def uio(self, name):
        """The /dev/uioN of a connection."""
        found = self.run(f"grep -lx '{name}' /sys/class/uio/*/name || true").split("/")
        check(len(found) == 6, f"no one UIO device is named {name}")
        return "/dev/" + found[4]

    def attribute(self, device, path):
        return self.run(f"cat /sys/class/uio/{device[5:]}/{path}")

    def pci(self, device):
        """The PCI address of the events function behind a /dev/uioN."""
        return self.run(f"basename $(readlink /sys/class/uio/{device[5:]}/device)")

    def monitor(self, command, arguments=None):
        """Ask QEMU, return its answer."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.control)
        with connection, connection.makefile("rw") as stream:
            stream.readline()
            ask = {"execute": command, "arguments": arguments or {}}
            for request in ({"execute": "qmp_capabilities"}, ask):
                stream.write(json.dumps(request))
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
                check("return" in answer, f"QEMU: {command}: {answer}")
        return answer["return"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Config:
    """The command line: device_server, guest_tool, its architecture, processors, kernel's suite."""

    def __init__(self, cmdline):
        self.server, self.tool, arch, self.cpus, self.suite = sys.argv[1:6]
        self.machine = Machine(arch)
        self.cmdline = cmdline


def no_complaints(guest, server):
    """Of what the kernel says there, nothing is said when all is well."""
    bad = "WARNING|BUG|Oops|Call Trace|nobody cared|refcount|lockdep"
    equal(guest.run(f"dmesg | grep -E '{bad}' || true"), "", "kernel log")


def run(tests, slots, cmdline="", arguments=()):
    """Boot a guest with the devices, a list for each slot; run the tests, print TAP, exit.

    cmdline and arguments are what its kernel and QEMU get besides.
    """
    config = Config(cmdline)
    failed = 0
    print(f"1..{len(tests) + 1}", flush=True)
    with tempfile.TemporaryDirectory(prefix="crossvm-driver-") as directory:
        server = Server(config.server, directory, [device for slot in slots for device in slot])
        guest = Guest(config, server, slots, directory, arguments)
        try:
            tests = tests + [("the kernel has not complained", no_complaints)]
            for number, (sentence, function) in enumerate(tests, 1):
                try:
                    function(guest, server)
                    print(f"ok {number} - {sentence}", flush=True)
                except Skipped as reason:
                    print(f"ok {number} - {sentence} # SKIP {reason}", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"not ok {number} - {sentence}", flush=True)
                    text = str(error) if isinstance(error, Failure) else traceback.format_exc()
                    print("\n".join("# " + line for line in text.splitlines()), flush=True)
                    if isinstance(error, Ended):
                        print("Bail out! The guest has ended.", flush=True)
                        break
        finally:
            guest.close()
            server.close()
    sys.exit(1 if failed else 0)
