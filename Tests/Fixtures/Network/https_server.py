"""A small HTTPS server for tests, on an ephemeral loopback port that it prints.

usage: https_server.py CERTIFICATE KEY [AUTHORITY OF CLIENT CERTIFICATES]
"""
import http.server
import json
import ssl
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/token":
            form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
            state = self.server.state
            state["tokens"] += 1
            state["form"] = {name: values[0] for name, values in form.items()}
            # Escaped as JSON allows: a reader has to resolve it.
            token = '{"expires_in": 3600, "token_type": "Bearer", "access_token": "token-%d\\/of=the+server"}'
            self.answer(200, (token % state["tokens"]).encode())
            return
        if url.path == "/latest/api/token" and self.command == "PUT":
            fine = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") == "300"
            self.answer(200 if fine else 400, b"session-of-the-machine")
            return
        if url.path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.headers.get("X-aws-ec2-metadata-token") != "session-of-the-machine":
                self.answer(401, b"")
            elif url.path.endswith("/"):
                self.answer(200, b"role-of-the-machine")
            else:
                keys = {"AccessKeyId": "AKIDMACHINE", "SecretAccessKey": "secret-of-the-machine", "Token": "token//=="}
                self.answer(200, json.dumps({"Code": "Success", "Nested": [{"a": [1, None]}], **keys}).encode())
            return
        if url.path == "/metadata/identity/oauth2/token":
            query = urllib.parse.parse_qs(url.query)
            fine = self.headers.get("Metadata") == "true" and query["resource"] == ["https://vault.azure.net/"]
            body = {"access_token": "bearer-token-of-the-user", "expires_in": "3599", "token_type": "Bearer"}
            self.answer(200 if fine else 400, json.dumps(body).encode())
            return
        if url.path == "/computeMetadata/v1/instance/service-accounts/default/token":
            fine = self.headers.get("Metadata-Flavor") == "Google" and url.query in ("", "scopes=a%2Cb")
            body = {"access_token": "bearer-token-of-the-user", "expires_in": 3599, "token_type": "Bearer"}
            flavor = [] if self.server.state["tokens"] else [("Metadata-Flavor", "Google")]
            self.answer(200 if fine else 400, json.dumps(body).encode(), flavor)
            return
        if url.path == "/state":
            self.answer(200, json.dumps(self.server.state).encode())
            return
        subject = ""
        peer = self.connection.getpeercert() if hasattr(self.connection, "getpeercert") else None
        if peer:
            subject = peer["subject"][0][0][1]
        # What authenticates is told apart, never told back.
        seen = dict(self.headers.items())
        expected = {
            "Basic dXNlcjpwYXNzd29yZC1vZi10aGUtdXNlcg==": "basic",
            "Bearer bearer-token-of-the-user": "bearer",
            "Bearer token-1/of=the+server": "token",
        }
        seen["Authorization"] = expected.get(seen.get("Authorization"), "none")
        seen["X-Key"] = "key" if seen.get("X-Key") == "header-key-of-the-user" else "none"
        report = {
            "method": self.command, "path": self.path, "headers": seen, "body": body.decode("latin-1"),
            "client": subject, "name": getattr(self.server, "asked", ""),
        }
        self.answer(200, json.dumps(report).encode(), [("Set-Cookie", "session=of-the-server; Path=/")])

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.state = {"tokens": 0, "form": {}}
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    context.sni_callback = lambda connection, name, _: setattr(server, "asked", name)
    if len(sys.argv) > 3:
        context.load_verify_locations(sys.argv[3])
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
