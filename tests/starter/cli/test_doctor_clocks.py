"""`countersign doctor` on clocks: whose is wrong, by how much and in which direction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from starter.cli.doctor import own as vendors
from starter.cli.doctor.health import PartHealth


@asynccontextmanager
async def service(now: datetime, status: str = "200 OK") -> AsyncIterator[str]:
    """One whose clock stands at `now`: two calls never see different seconds."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(now, usegmt=True)
        writer.write(f"HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        (-12, "the clock of this receiver is 12 minutes behind Core Signature's"),
        (26 * 60, "the clock of this receiver is 1560 minutes ahead of Core Signature's"),
        (0, "answers here"),
        (1, "the clock of this receiver is 60 s ahead of Core Signature's"),
        (-1, "the clock of this receiver is 60 s behind Core Signature's"),
    ],
)
async def test_the_receiver_s_own_clock_is_compared_not_this_machine_s(minutes: int, message: str) -> None:
    elsewhere = datetime.now(UTC) + timedelta(days=3)
    async with (
        service(elsewhere + timedelta(minutes=minutes)) as receiver_url,
        service(elsewhere) as core_signature_url,
    ):
        part = await vendors.receiver(receiver_url, core_signature_url)
    assert message in part.says
    assert part.state is (
        PartHealth.OK if "answers" in message else PartHealth.WARNING if abs(minutes) < 2 else PartHealth.WRONG
    )


async def test_a_core_signature_that_is_away_says_nothing_of_the_receiver() -> None:
    now = datetime.now(UTC)
    async with service(now) as receiver_url, service(now, "404 Not Found") as core_signature_url:
        assert (await vendors.receiver(receiver_url, core_signature_url)).state is PartHealth.OK
