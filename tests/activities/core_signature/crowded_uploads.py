"""`python -m tests.activities.core_signature.crowded_uploads N`: N uploads of 20 MB at once, to a server that counts.

The server is a process of its own; what is said is of the uploading one: the memory that it grew by at its highest, and
the longest that its loop computed at a stretch.
"""

import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from activities.core_signature import orders
from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.records.store import Store
from tests.activities.core_signature.requests import brief, mock_config

MEGABYTES = 20
_KILOBYTES_IN_ONE = 1024


@dataclass(frozen=True)
class UploadCost:
    """What uploads cost; times in seconds."""

    received: int
    megabytes: float
    longest_turn: float


def measure_in_own_process(uploads: int) -> UploadCost:
    """What so many at once cost; another process's, since one never gives its memory back."""
    command = [sys.executable, "-m", __name__, str(uploads)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  our own words
    return UploadCost(**json.loads(process.stdout))


async def crowd(count: int) -> UploadCost:
    """What so many uploads at once cost."""
    with tempfile.TemporaryDirectory() as folder:
        store, sha256 = Store(folder), await _stored(Path(folder))
        async with run_counting_server() as url:
            client = CoreSignatureClient(_config(url))
            await client.check_token()
            memory_before, turns = _peak(), Turns()
            turns.look()
            fields = orders.document_body(brief(sha256), client.config)

            async def upload() -> int:
                document = await client.create_document(fields, await store.files.open(sha256))
                return int(document.name == "whole")

            received = sum(await asyncio.gather(*(upload() for _ in range(count))))
            await client.aclose()
            return UploadCost(received, _peak() - memory_before, turns.longest)


async def _stored(folder: Path) -> str:
    # Written without the store: what its writing takes would hide what reading does.
    digest = hashlib.sha256()
    (folder / "documents").mkdir()
    with (folder / "documents" / "written").open("wb") as file:
        for _ in range(MEGABYTES):
            piece = b"%PDF" * (1 << 18)
            digest.update(piece)
            file.write(piece)
    (folder / "documents" / "written").rename(folder / "documents" / digest.hexdigest())
    return digest.hexdigest()


class Turns:
    """How long the loop computed at a stretch, at most, since it was told to look; what waits costs nothing."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._run = asyncio.Handle._run

    def look(self) -> None:
        """Look at each turn from now on."""
        run = self._run

        def timed(handle: asyncio.Handle) -> None:
            started_at = time.thread_time()
            run(handle)
            self.longest = max(self.longest, time.thread_time() - started_at)

        asyncio.Handle._run = timed  # type: ignore[assignment,method-assign]


def _peak() -> float:
    # Not `ru_maxrss`: it begins with what the process had that started this one.
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / _KILOBYTES_IN_ONE


@asynccontextmanager
async def run_counting_server() -> AsyncIterator[str]:
    """The address of a server that throws away what it gets and says whether it was whole."""
    command = [sys.executable, "-m", __spec__.name, "serve"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await _head(reader):
        remaining_bytes = int(
            next(line.split(b":")[1] for line in head.lower().splitlines() if b"content-length" in line)
        )
        last = b""
        while remaining_bytes:
            last = await reader.read(min(remaining_bytes, 1 << 16))
            remaining_bytes -= len(last)
        token = b"/token" in head.splitlines()[0]
        completeness = "whole" if last.endswith(b'"}') else "cut"
        answer = (
            {"access_token": "t", "expires_in": 900} if token else {"uuid": "d", "name": completeness, "status": "co"}
        )
        body = json.dumps(answer).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
    writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _config(url: str) -> CoreSignatureConfig:
    config = mock_config()
    return replace(config, url=url, credentials=replace(config.credentials, token_url=f"{url}/token"))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(_serve())
    print(json.dumps(asdict(asyncio.run(crowd(int(sys.argv[1]))))))
