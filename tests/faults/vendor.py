"""The sandbox as a test uses it: faults are armed, signers sign, the ledger is read, all over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from types import TracebackType
from typing import Any, Final, Self

import httpx

Entry = dict[str, Any]

PROVIDER: Final = "/api/v1/"
"""What begins so is Core Signature's."""
DOCUMENTS: Final = "/api/v1/documents/"
REQUESTS: Final = "/api/v1/signature-requests/"
CALLBACK: Final = "CALLBACK"
"""The method that faults of callbacks are armed for; their path is the type of the event."""
SENDS: Final = "*/messages:send"


@dataclass(frozen=True)
class Waiting:
    """A signer whose turn it is at the vendor's."""

    request: str
    signer: str


class Vendor:
    """One sandbox at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def arm(self, fault: str, path: str, **fields: object) -> None:
        """Arm one fault; see deploy/sandbox/state/faults.py for `more`."""
        answer = await self._http.post("/_sandbox/faults", json={"fault": fault, "path": path, **fields})
        answer.raise_for_status()

    async def disarm(self) -> None:
        """No fault from now on."""
        (await self._http.delete("/_sandbox/faults")).raise_for_status()

    async def mark(self, token: str, state: str) -> None:
        """Say what the push service thinks of a device."""
        (await self._http.post("/_sandbox/devices", json={"token": token, "state": state})).raise_for_status()

    async def ledger(self, entry_type: str | None = None, after_entry: int = 0, /, **facts: object) -> list[Entry]:
        """The entries of one type with these facts, in order; those of `request` are calls."""
        entries: list[Entry] = (await self._http.get("/_sandbox/ledger", params={"after": after_entry})).json()
        return [
            entry
            for entry in entries
            if entry_type in (None, entry["type"]) and all(entry.get(name) == fact for name, fact in facts.items())
        ]

    async def last(self) -> int:
        """The number of the newest entry."""
        entries = await self.ledger()
        return int(entries[-1]["n"]) if entries else 0

    async def pushes(self, request: str, stage: str | None = None) -> list[Entry]:
        """What phones took about a request."""
        pushes = [entry for entry in await self.ledger("push") if entry["data"].get("request") == request]
        return [entry for entry in pushes if stage in (None, entry["data"]["stage"])]

    async def screen(self, person: str, request: str) -> dict[str, list[Entry]]:
        """The notices about a request that stand on each phone of a person now."""
        phones: dict[str, list[Entry]] = (await self._http.get(f"/_sandbox/phones/{person}")).json()
        notices_by_token = {
            token: [notice for notice in notices if notice["data"]["request"] == request]
            for token, notices in phones.items()
        }
        return {token: notices for token, notices in notices_by_token.items() if notices}

    async def documents(self, request: str | None = None) -> list[Entry]:
        """The documents, of one request or all, with their signers."""
        documents: list[Entry] = (
            await self._http.get("/_sandbox/documents", params={"external_id": request} if request else {})
        ).json()
        return documents

    async def waiting(self, request: str | None = None) -> list[Waiting]:
        """Everyone whose turn it is."""
        return [
            Waiting(document["external_id"], signer["uuid"])
            for document in await self.documents(request)
            if document["status"] in ("se", "vi")
            for signer in document["signers"]
            if signer["turn"]
        ]

    async def delete(self, request: str) -> None:
        """Delete the document of a request, as its owner can in the vendor's own pages."""
        for document in await self.documents(request):
            (await self._http.post(f"/_sandbox/documents/{document['uuid']}/delete")).raise_for_status()

    async def view(self, waiting: Waiting) -> None:
        """Look at the document without signing it."""
        (await self._http.post(f"/_sandbox/signers/{waiting.signer}/view")).raise_for_status()

    async def sign(self, waiting: Waiting) -> bool:
        """Sign; False when somebody or something was faster."""
        return (await self._http.post(f"/_sandbox/signers/{waiting.signer}/sign")).is_success

    async def decline(self, waiting: Waiting, reason: str) -> None:
        """Decline, and say why."""
        (
            await self._http.post(f"/_sandbox/signers/{waiting.signer}/decline", json={"reason": reason})
        ).raise_for_status()


def instant(entry: Entry) -> datetime:
    """When an entry of the ledger happened."""
    return datetime.fromisoformat(entry["at"])


def between(entries: Sequence[Entry]) -> list[float]:
    """The seconds between one entry and the next."""
    instants = [instant(entry) for entry in entries]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(instants)]
