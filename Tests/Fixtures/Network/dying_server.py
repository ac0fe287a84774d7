"""A TLS server that answers so many handshakes and then is gone: dying_server.py CERTIFICATE KEY COUNT.

Prints its port.
"""

import socket
import ssl
import sys

certificate, key, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while count > 0:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as peer:
            peer.recv(1)
        count -= 1
    except OSError:
        pass
listener.close()
