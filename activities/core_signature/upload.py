"""What is made at Core Signature, on its way: JSON whose one long field is read, encoded and sent piece by piece."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Final, Protocol

from activities.lease import StillOurs, nobody_else

PIECE: Final = 3 << 16
"""Bytes of a document that are in memory at a time; of three bytes base64 makes four characters, without a rest."""
_FIELD: Final = "file_from_content"


class UploadContent(Protocol):
    """Bytes that are read when they are sent."""

    @property
    def size(self) -> int:
        """How many there are."""

    def pieces(self, length: int, through: Callable[[bytes], bytes] = ...) -> AsyncGenerator[bytes, None]:
        """All of them, so many at a time, each piece passed through something."""


class Upload:
    """The body of a request, with a document's content if there is any; read anew each time it is sent, as when a token
    was refused.

    Before each piece it is asked whether it is `still_ours` to send: what that raises breaks it off, and nothing that
    is broken off is made. So nothing is made on a word that is older than the wait for a turn or a token.
    """

    def __init__(
        self, fields: Mapping[str, object], content: UploadContent | None = None, still_ours: StillOurs = nobody_else
    ) -> None:
        head = json.dumps(fields).removesuffix("}")
        opened, closed = (f', "{_FIELD}": "', '"}') if content else ("", "}")
        self._head, self._tail = f"{head}{opened}".encode(), closed.encode()
        self._content = content
        self._still_ours = still_ours

    @property
    def headers(self) -> dict[str, str]:
        """What says how long it is: not every server takes a body that does not."""
        encoded = 4 * -(-self._content.size // 3) if self._content else 0
        length = len(self._head) + encoded + len(self._tail)
        return {"content-type": "application/json", "content-length": str(length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._still_ours()
        yield self._head
        if self._content:
            async with aclosing(self._content.pieces(PIECE, base64.b64encode)) as pieces:
                async for piece in pieces:
                    await self._still_ours()
                    yield piece
        await self._still_ours()
        yield self._tail
