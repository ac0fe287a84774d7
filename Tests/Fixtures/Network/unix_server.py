"""Answers on a Unix socket with what it was sent, after the sender has finished or sent an empty line.

usage: unix_server.py PATH
"""
import socketserver
import sys


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        data = b""
        while b"\n\n" not in data:
            piece = self.request.recv(65536)
            if not piece:
                break
            data += piece
        self.request.sendall(data)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


server = Server(sys.argv[1], Handler)
print(0, flush=True)
server.serve_forever()
