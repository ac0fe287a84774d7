"""Servers that begin TLS in the middle of another protocol, written from the documents of these protocols.

usage: starttls_server.py PROTOCOL MODE CERTIFICATE KEY

Modes: `fine`; `refuses` the wish for TLS; `silent` about offering it; `injects` bytes behind its agreement; `garbage`
instead of the protocol; `endless` talk; `closes` after the first word. The port is printed.
"""
import socket
import ssl
import sys

protocol, mode, certificate, key = sys.argv[1:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
OID = b"1.3.6.1.4.1.1466.20037"


class Refused(Exception):
    pass


def line(connection):
    text = b""
    while not text.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise Refused("closed")
        text += piece
    return text.strip()


def exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise Refused("closed")
        data += piece
    return data


def agree(connection, answer):
    connection.sendall(answer + (b"injected\r\n" if mode == "injects" else b""))


def smtp(connection):
    # RFC 5321 and RFC 3207.
    connection.sendall(b"220-mail.example\r\n220 ESMTP\r\n")
    while True:
        word = line(connection).upper()
        if word.startswith(b"EHLO "):
            offer = b"250-X\r\n" if mode == "silent" else b"250-STARTTLS\r\n"
            connection.sendall(b"250-mail.example\r\n" + offer + b"250 HELP\r\n")
        elif word == b"STARTTLS":
            if mode == "refuses":
                connection.sendall(b"454 TLS not available\r\n")
                raise Refused()
            return agree(connection, b"220 Go ahead\r\n")
        else:
            raise Refused(word)


def imap(connection):
    # RFC 9051; clients may ask for the capabilities first.
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
    while True:
        tag, _, word = line(connection).partition(b" ")
        if word.upper() == b"CAPABILITY":
            connection.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + b" OK done\r\n")
        elif word.upper() == b"STARTTLS":
            connection.sendall(b"* BYE not really\r\n" if mode == "fine" else b"")
            if mode in ("refuses", "silent"):
                connection.sendall(tag + b" BAD no TLS\r\n")
                raise Refused()
            return agree(connection, tag + b" OK begin\r\n")
        else:
            raise Refused(word)


def pop3(connection):
    # RFC 1939 and RFC 2595.
    connection.sendall(b"+OK POP3 ready\r\n")
    while True:
        word = line(connection).upper()
        if word == b"CAPA":
            connection.sendall(b"+OK\r\nSTLS\r\n.\r\n")
        elif word == b"STLS":
            if mode in ("refuses", "silent"):
                connection.sendall(b"-ERR no TLS\r\n")
                raise Refused()
            return agree(connection, b"+OK begin\r\n")
        else:
            raise Refused(word)


def ldap(connection):
    # RFC 4511: a BER message with short lengths, the answer with a long one.
    head = exactly(connection, 2)
    if head[0] != 0x30 or OID not in exactly(connection, head[1]):
        raise Refused(head)
    code = 52 if mode in ("refuses", "silent") else 0
    operation = bytes([0x0A, 1, code, 4, 0, 4, 0])
    body = bytes([2, 1, 1, 0x78, 0x81, len(operation)]) + operation
    agree(connection, bytes([0x30, 0x84, 0, 0, 0, len(body)]) + body)


def postgres(connection):
    # https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest
    if exactly(connection, 8) != bytes([0, 0, 0, 8, 4, 210, 22, 47]):
        raise Refused()
    agree(connection, b"N" if mode in ("refuses", "silent") else b"S")


def mysql(connection):
    # Protocol::HandshakeV10 and Protocol::SSLRequest
    low = 0xF7FF if mode in ("refuses", "silent") else 0xFFFF
    greeting = (
        b"\x0a8.0.30\0" + b"\x01\0\0\0" + b"12345678" + b"\0" + low.to_bytes(2, "little") + b"\x2d" + b"\x02\0"
        + b"\xff\xdf" + b"\x15" + b"\0" * 10 + b"123456789012\0" + b"caching_sha2_password\0"
    )
    agree(connection, len(greeting).to_bytes(3, "little") + b"\0" + greeting)
    head = exactly(connection, 4)
    request = exactly(connection, head[0])
    if head != b"\x20\0\0\x01" or not request[1] & 8 or request[9:] != b"\0" * 23:
        raise Refused(request)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with connection:
            connection.settimeout(60)
            if mode == "garbage":
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 2)
                connection.recv(1)
                continue
            if mode == "endless":
                word = {"smtp": b"220-more\r\n", "imap": b"* more\r\n"}.get(protocol, b"\x0a" * 64)
                if protocol == "imap":
                    connection.sendall(b"* OK\r\n")
                if protocol == "mysql":
                    word = b"\xff\xff\x00\x00" + word
                if protocol == "ldap":
                    word = b"\x30\x84\x00\x00\xff\xff" + word
                while True:
                    connection.sendall(word * 64)
            if mode == "closes":
                continue
            globals()[protocol](connection)
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
    except (Refused, OSError):
        pass
