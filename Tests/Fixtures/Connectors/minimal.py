#!/usr/bin/python3 -I
"""A connector without an SDK, written from spec/handshake.md, spec/protocol.md and proto/ alone: Hello, Ping, Shutdown.

It shows that the protocol can be spoken with a language's standard library, and the tests start it in every profile.
"""
import os
import socket
import struct
import sys

NAME = "python"
COOKIE = "trstctl-plugin-6f2d1c"
LIMIT = 4 << 20
HELLO, PING, SHUTDOWN = 16, 25, 26
OK, UNIMPLEMENTED = 0, 12


class Violation(Exception):
    """The host broke the protocol; the text is the violation's name in spec/protocol.md."""


# --- protobuf, as much as is needed: https://protobuf.dev/programming-guides/encoding

def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def integer(field, number):
    return varint(field << 3) + varint(number)


def chunk(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def read_varint(data, at):
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Violation("invalid-message")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def fields(data):
    """Every (number, value) of a message, in order: integers, or bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, at = read_varint(data, at)
            if size is None or at + size > len(data):
                raise Violation("invalid-message")
            value, at = data[at:at + size], at + size
        yield key >> 3, value


# --- the protocol

def answer(method, request):
    """The result of a method of the host, or None for one that is not offered."""
    if method == PING:
        payload = [value for number, value in fields(request) if number == 1]
        return chunk(1, payload[-1]) if payload else b""
    if method == SHUTDOWN:
        return b""
    if method == HELLO:
        versions = []
        for number, value in fields(request):
            if number == 1 and isinstance(value, int):
                versions.append(value)
            elif number == 1:  # packed
                at = 0
                while at < len(value):
                    version, at = read_varint(value, at)
                    versions.append(version)
        implementation = chunk(1, b"trstctl-connector-" + NAME.encode()) + chunk(2, b"1")
        description = chunk(1, NAME.encode()) + chunk(2, b"Answers Ping.")
        agreed = 1 if 1 in versions else 0
        return integer(1, agreed) + chunk(2, varint(1)) + chunk(3, implementation) + chunk(6, description)
    return None


def serve(stream):
    last = 0
    while True:
        prefix = stream.read(4)
        if not prefix:
            return  # the host is gone
        if len(prefix) < 4:
            raise Violation("frame-truncated")
        (length,) = struct.unpack(">I", prefix)
        if length == 0 or length > LIMIT:
            raise Violation("frame-empty" if length == 0 else "frame-too-long")
        frame = stream.read(length)
        if len(frame) < length:
            raise Violation("frame-truncated")
        identifier, kind, body = 0, 0, b""
        for number, value in fields(frame):
            if number == 1:
                identifier = value
            elif number in (2, 3, 4):
                kind, body = number, value
        if identifier == 0:
            raise Violation("id-zero")
        if kind == 4 and identifier <= last:
            continue  # every call is answered before the next frame is read, so a Cancel comes too late
        if kind != 2:
            raise Violation({3: "unexpected-reply", 4: "unexpected-cancel"}.get(kind, "unknown-kind"))
        if identifier <= last:
            raise Violation("id-not-increasing")
        method, request = 0, b""
        for number, value in fields(body):
            if number >= 16:
                method, request = number, value
        if last == 0 and method != HELLO:
            raise Violation("call-before-hello")
        if last != 0 and method == HELLO:
            raise Violation("second-hello")
        last = identifier
        result = answer(method, request)
        if result is None:
            reply = chunk(1, integer(1, UNIMPLEMENTED) + chunk(2, b"method %d is not offered" % method))
        else:
            reply = chunk(1, integer(1, OK)) + chunk(method, result)
        message = integer(1, identifier) + chunk(3, reply)
        stream.write(struct.pack(">I", len(message)) + message)
        stream.flush()
        if method == SHUTDOWN:
            return


def main():
    if os.environ.get("TRSTCTL_PLUGIN_COOKIE") != COOKIE:
        print(f"trstctl-connector-{NAME} is started by trstctl", file=sys.stderr)
        return 2
    path = os.environ["TRSTCTL_PLUGIN_SOCKET_DIR"] + "/s"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    print("TRSTCTL-PLUGIN-V1", path, flush=True)
    host = int(os.environ.get("TRSTCTL_HOST_UID", -1))
    while True:
        connection, _ = listener.accept()
        _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if host == -1 or user in (host, 65534):
            break
        connection.close()
    listener.close()
    try:
        with connection.makefile("rwb") as stream:
            serve(stream)
    except Violation as violation:
        print(f"the host broke the protocol: {violation}", file=sys.stderr)
        return 70
    return 0


sys.exit(main())
