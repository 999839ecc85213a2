#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients and servers of sockets that know nothing of crossvm, for the tests of forward.

Usage: socket_tool.py digest-server ADDRESS    read each client to its end, then answer its SHA-256
       socket_tool.py digest ADDRESS COUNT     send COUNT random bytes and the end; is the answer right?
       socket_tool.py flood-server ADDRESS     send zeros to each client, without end
       socket_tool.py stare ADDRESS            read a little, say so, read no more until stdin ends
       socket_tool.py drain ADDRESS            read to the end, and say how it came: end or reset

ADDRESS is tcp:PORT or unix:PATH. A server prints its address once it listens.
"""

import hashlib
import os
import socket
import sys
import threading


def parse(address):
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return socket.AF_UNIX, rest
    return socket.AF_INET, ("127.0.0.1", int(rest))


def connect(address):
    family, where = parse(address)
    client = socket.socket(family)
    client.settimeout(60)
    client.connect(where)
    return client


def read_all(client):
    digest = hashlib.sha256()
    while data := client.recv(65536):
        digest.update(data)
    return digest.hexdigest().encode()


def answer_digest(client):
    client.sendall(read_all(client))


def flood(client):
    try:
        while True:
            client.sendall(bytes(65536))
    except OSError:
        pass


def serve(address, handle):
    def handle_one(client):
        with client:
            handle(client)

    family, where = parse(address)
    server = socket.socket(family)
    server.bind(where)
    server.listen(64)
    if family == socket.AF_INET:
        address = f"tcp:{server.getsockname()[1]}"
    print(address, flush=True)
    while True:
        client, _ = server.accept()
        threading.Thread(target=handle_one, args=(client,), daemon=True).start()


def digest(address, count):
    data = os.urandom(int(count))
    with connect(address) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(64, socket.MSG_WAITALL)
        assert answer == hashlib.sha256(data).hexdigest().encode(), answer
        assert client.recv(1) == b""


def stare(address):
    with connect(address) as client:
        client.recv(1)
        print("connected", flush=True)
        sys.stdin.read()


def drain(address):
    try:
        with connect(address) as client:
            print("connected", flush=True)
            read_all(client)
        print("end")
    except ConnectionResetError:
        print("reset")


{
    "digest-server": lambda address: serve(address, answer_digest),
    "flood-server": lambda address: serve(address, flood),
    "digest": digest,
    "stare": stare,
    "drain": drain,
}[sys.argv[1]](*sys.argv[2:])
