"""An HTTP proxy that knows CONNECT only, written from RFC 9110 section 9.3.6.

usage: connect_proxy.py MODE LOG USER:PASSWORD|- [NAME=PORT ...]

A NAME leads to that port of this machine. Modes: `fine`; a status, which every request is answered with; `injects`
bytes behind its agreement; `garbage` instead of HTTP; `endless` header lines; `closes` without a word; `early` sends an
informational answer first. Each request's first line and credentials are a line of LOG. The port is printed.
"""
import base64
import socket
import sys
import threading

mode, log, user = sys.argv[1:4]
names = dict(pair.split("=") for pair in sys.argv[4:])
expected = "" if user == "-" else "Basic " + base64.b64encode(user.encode()).decode()


def pump(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(connection):
    with connection:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = connection.recv(1)
            if not piece:
                return
            head += piece
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        credentials = fields.get("proxy-authorization", "")
        with open(log, "a", encoding="latin-1") as file:
            file.write(f"{lines[0]}|{fields.get('host')}|{sorted(fields)}|{credentials}\n")
        if mode.isdigit():
            connection.sendall(f"HTTP/1.1 {mode} No\r\nContent-Length: 4\r\n\r\nnope".encode())
        elif mode == "garbage":
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n")
        elif mode == "endless":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X: y\r\n" * 64)
        elif mode == "line":
            while True:
                connection.sendall(b"HTTP/1.1 200 OK" * 64)
        elif mode == "early":
            while True:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 64)
        elif mode == "closes":
            pass
        elif credentials != expected:
            connection.sendall(b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\n\r\n')
        else:
            method, target, _ = lines[0].split(" ")
            name, _, port = target.rpartition(":")
            if method != "CONNECT":
                connection.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", int(names.get(name, port)))) as peer:
                # The length means nothing here, and some proxies send it.
                answer = b"HTTP/1.0 200 Connection established\r\nContent-Length: 0\r\n\r\n"
                connection.sendall(answer + (b"\x16\x03\x03" if mode == "injects" else b""))
                threading.Thread(target=pump, args=(peer, connection), daemon=True).start()
                pump(connection, peer)


def guarded(connection):
    try:
        serve(connection)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()
