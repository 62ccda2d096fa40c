"""A document as it lies in the store: never whole in memory, and never given out to its end unless it is the one."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from activities.store.failures import DocumentDamaged
from activities.store.objects import Objects


@dataclass(frozen=True)
class StoredDocument:
    """The `size` bytes that were there when it was looked for under this hash."""

    objects: Objects
    name: str
    sha256: str
    size: int

    async def pieces(self, length: int, through: Callable[[bytes], bytes] = bytes) -> AsyncGenerator[bytes, None]:
        """The bytes, `length` at a time and each piece passed `through` something, all in threads.

        The last piece is held back until the hash of all is known: `DocumentDamaged` instead of it.
        """
        told = hashlib.sha256()

        def counted(piece: bytes) -> bytes:
            told.update(piece)
            return through(piece)

        held = b""
        async with aclosing(self.objects.pieces(self.name, length, counted)) as pieces:
            async for piece in pieces:
                if held:
                    yield held
                held = piece
        if told.hexdigest() != self.sha256:
            raise DocumentDamaged(self.sha256)
        yield held
