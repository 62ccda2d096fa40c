"""A time-stamp authority by the `openssl` command, with a root of its own: `POST /tsa`, the root at `/tsa/ca.pem`."""

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LONGEST_QUERY = 4096
NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
ROOT = "-days 3650 -subj /CN=Sandbox-root -addext keyUsage=critical,keyCertSign"
COMMANDS = (
    f"req -x509 {NEW_KEY} -keyout ca.key -out ca.new {ROOT}",
    f"req {NEW_KEY} -keyout tsa.key -out tsa.csr -subj /CN=Sandbox-time-stamps",
    "x509 -req -in tsa.csr -CA ca.new -CAkey ca.key -CAcreateserial -out tsa.pem -days 3650 -extfile tsa.ext",
)
EXTENSIONS = "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
# Without `certs`: a reply has the signer's certificate alone, since some readers refuse the root beside it.
CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class TimeStampAuthority:
    """Made when it is first asked; with a folder it is the same after a restart."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._one = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [Route("/tsa", self.stamp, methods=["POST"]), Route("/tsa/ca.pem", self.root, methods=["GET"])]

    async def stamp(self, request: Request) -> Response:
        query = await request.body()
        if len(query) > LONGEST_QUERY or request.headers.get("content-type") != "application/timestamp-query":
            return JSONResponse({"detail": "expected a time-stamp query"}, 400)
        async with self._one:
            folder = await asyncio.to_thread(self._ready)
            reply = await asyncio.to_thread(_reply, folder, query)
        return Response(reply, media_type="application/timestamp-reply")

    async def root(self, _: Request) -> Response:
        async with self._one:
            folder = await asyncio.to_thread(self._ready)
        return Response((folder / "ca.pem").read_bytes(), media_type="application/x-pem-file")

    def _ready(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sandbox-tsa-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / "ca.pem").exists():
            (self._folder / "tsa.ext").write_text(EXTENSIONS)
            (self._folder / "tsa.cnf").write_text(CONFIG)
            for command in COMMANDS:
                _openssl(self._folder, command)
            (self._folder / "ca.new").replace(self._folder / "ca.pem")
        return self._folder


def _reply(folder: Path, query: bytes) -> bytes:
    (folder / "query.tsq").write_bytes(query)
    _openssl(folder, "ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr")
    return (folder / "reply.tsr").read_bytes()


def _openssl(folder: Path, command: str) -> None:
    # Its own configuration must not depend on this machine's.
    environment = {"PATH": os.environ.get("PATH", "/usr/bin"), "OPENSSL_CONF": "/dev/null"}
    words = ["openssl", *command.split()]
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, timeout=30)  # noqa: S603  ours
