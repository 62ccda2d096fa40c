"""How the processes of the laptop stack say that they do their work: over HTTP, or by a file."""

import asyncio
import http.client
from pathlib import Path
from urllib.parse import urlsplit

from deploy.processes import Probe

_PATIENCE = 2.0


def answers(url: str) -> Probe:
    """Ready when a GET of `url` is answered with 200."""

    async def probe() -> bool:
        return await asyncio.to_thread(_status, url) == http.client.OK

    return probe


def written(file: Path) -> Probe:
    """Ready when `file` exists."""

    async def probe() -> bool:
        return await asyncio.to_thread(file.is_file)

    return probe


def _status(url: str) -> int | None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
