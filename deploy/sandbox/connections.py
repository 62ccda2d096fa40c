"""How an answer leaves the sandbox, or does not: whole, slowly, in half, or as a torn connection."""

import asyncio
import socket
import struct
from collections.abc import Awaitable
from typing import cast

from starlette.types import Receive, Scope, Send

from deploy.sandbox.answers import SandboxAnswer
from deploy.sandbox.faults import ArmedFault, FaultKind

# SO_LINGER with zero seconds: closing sends RST instead of FIN and throws away what was still to be sent.
LINGER_NOT = struct.pack("ii", 1, 0)
DEFAULT_SLOW = 3.0
DEFAULT_DRIP = 1.0


class ClientLine:
    """The connection one request came over."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport = cast("asyncio.Transport | None", scope.get("state", {}).get("transport"))
        self._receive = receive
        self._send = send

    async def answer(self, answer: SandboxAnswer, fault: ArmedFault | None) -> None:
        """Send the answer the way the fault wants it sent."""
        match fault.fault if fault else None:
            case FaultKind.CUT | FaultKind.REFUSE:
                await self.tear()
            case FaultKind.TRUNCATE:
                await self._truncate(answer)
            case FaultKind.DRIP:
                await self._drip(answer, _delay(fault, DEFAULT_DRIP))
            case FaultKind.SLOW:
                if not await self._gone_within(_delay(fault, DEFAULT_SLOW)):
                    await self._whole(answer)
            case _:
                await self._whole(answer)

    async def tear(self) -> None:
        """Reset the connection without an answer."""
        if self._transport is None:
            raise ConnectionResetError("the sandbox tears the connection")
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._transport.abort()
        await self._disconnected()

    async def _whole(self, answer: SandboxAnswer) -> None:
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def _truncate(self, answer: SandboxAnswer) -> None:
        await self._start(answer)
        half = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        if self._transport is None:
            raise ConnectionResetError("the sandbox truncates the answer")
        # Closing flushes what was written: the client gets half a body and then the end of the stream.
        self._transport.close()
        await self._disconnected()

    async def _drip(self, answer: SandboxAnswer, pause: float) -> None:
        await self._start(answer)
        for byte in answer.body:
            await self._send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            if await self._gone_within(pause):
                return
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, answer: SandboxAnswer) -> None:
        length = (b"content-length", str(len(answer.body)).encode())
        # A bodiless status must not announce a length.
        headers = [*answer.headers] if answer.status in {204, 304} else [*answer.headers, length]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})

    async def _gone_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected()
        except TimeoutError:
            return False
        return True

    async def _disconnected(self) -> None:
        # The server takes a return without an answer for a crash, unless it has seen the client leave before.
        while (await cast("Awaitable[dict[str, object]]", self._receive()))["type"] != "http.disconnect":
            pass


def _delay(fault: ArmedFault | None, default: float) -> float:
    return default if fault is None or fault.delay is None else fault.delay
