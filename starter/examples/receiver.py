"""A receiver of hand-off calls: `SECRETS`, separated by spaces, and `PORT`; docs/hand-off.md says what it checks."""

import base64
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in os.environ["SECRETS"].split()]
handled_ids: set[str] = set()  # in your database


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), 1_000_000))
        id, timestamp, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        content = f"{id}.{timestamp}.".encode() + body
        valid = ["v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in KEYS]
        is_genuine = any(hmac.compare_digest(s.encode(), v.encode()) for s in signatures.split() for v in valid)
        is_fresh = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < 300
        if is_genuine and is_fresh and id not in handled_ids:
            print(json.loads(body)["type"], id, flush=True)  # your work
            handled_ids.add(id)
        self.send_response(204 if is_genuine and is_fresh else 401)
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
print("listening on", server.server_port, flush=True)
server.serve_forever()
