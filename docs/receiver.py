import base64, hmac, json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRETS = [base64.b64decode(one.removeprefix("whsec_")) for one in os.environ["SECRETS"].split()]
seen = set()  # in your database


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), 1_000_000))
        id, at, given = (self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        content = f"{id}.{at}.".encode() + body
        right = ["v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in SECRETS]
        genuine = any(hmac.compare_digest(one.encode(), mine.encode()) for one in given.split() for mine in right)
        fresh = at.isdecimal() and abs(time.time() - int(at)) < 300
        if genuine and fresh and id not in seen:
            print(json.loads(body)["type"], id, flush=True)  # your work
            seen.add(id)
        self.send_response(204 if genuine and fresh else 401)
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
print("listening on", server.server_port, flush=True)
server.serve_forever()
