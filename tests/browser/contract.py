"""A contract of the example under a name of its own, started and asked about by the functions of the commands.

The commands themselves are typed in tests/stack: a process for each look would take longer than the page looked at.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.request import urlopen

from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from starter.cli import start_files
from starter.config import settings
from starter.config.settings import Need, Settings
from starter.queries import commands
from starter.temporal.connection import Context, opened
from tests.faults.town import eventually
from tests.stack.laptop import Laptop
from workflows.model.commands import Cancellation

CUSTOMER, EXECUTIVE, LEGAL = "customer-signer", "chief-executive", "legal-desk"
CUSTOMER_MAIL, EXECUTIVE_MAIL = "customer-signer@customer.test", "chief-executive@supplier.test"
_NAME: Final = "Master services agreement"
_SENT: Final = "se"


@dataclass(frozen=True)
class Contract:
    """One request for two signers in order: the customer, then the chief executive."""

    laptop: Laptop
    id: str
    document: str

    @classmethod
    async def start(
        cls,
        laptop: Laptop,
        id: str,
        document: str | None = None,
        first: str | None = None,
        *,
        policy: str = "",
        swap: tuple[str, str] = ("", ""),
    ) -> Self:
        """Start it and wait until it is sent; `first` signs in the customer's place, `policy` is one more line, `swap`
        replaces a text of the file.
        """
        contract = cls(laptop, id, document or f"Agreement {id}")
        file = laptop.request(id)
        text = file.read_text().replace(_NAME, f'"{contract.document}"').replace(*swap)
        text = text.replace("policy:\n", f"policy:\n  {policy}\n")
        file.write_text(text.replace(f"person: {CUSTOMER}", first) if first else text)
        prepared = await start_files.read(contract._settings, str(file))
        async with contract._context() as opened:
            assert (await start_files.start(opened, prepared)).created
        await eventually(contract._is_sent)
        return contract

    async def wait_for_view(self, is_reached: Callable[[Any], Any] = bool) -> Any:
        """What `request show --json` prints once it says what is waited for; fails with what it printed last."""
        view: Any = None
        async with self._context() as opened:

            async def read_view() -> bool:
                nonlocal view
                view = to_jsonable_python(await start_files.show(opened, self.id), by_alias=True)
                return bool(is_reached(view))

            try:
                await eventually(read_view)
            except AssertionError:
                raise AssertionError(f"not reached: {json.dumps(view)}") from None
            return view

    async def cancel(self) -> None:
        """End it as the legal desk would."""
        async with self._context() as opened:
            await commands.make(opened, self.id, Cancellation(reason="no longer needed", actor=LEGAL))

    def link(self, person: str, use: LinkUse = LinkUse.SIGN) -> str:
        """What stands in a notice to this person."""
        addresses = self.laptop.addresses
        return SigningLinks(
            addresses["receiver"], KeyRing([SecretStr(addresses["env"]["COUNTERSIGN_LINK_SECRET"])])
        ).link(self.id, person, use)

    async def signing_page(self, mail: str) -> str:
        """Core Signature's own page for the signer with this address."""
        document = (await asyncio.to_thread(self._ask_sandbox, f"/_sandbox/documents?external_id={self.id}"))[0]
        signer = next(candidate for candidate in document["signers"] if candidate["email"] == mail)
        return f"{self.laptop.addresses['sandbox']}/sign/{signer['uuid']}"

    async def hash_at_core_signature(self) -> Any:
        """The SHA-256 of its document there."""
        return (await asyncio.to_thread(self._ask_sandbox, f"/_sandbox/documents?external_id={self.id}"))[0][
            "security_hash"
        ]

    async def ledger(self) -> list[Any]:
        """What the sandbox has written down about this contract."""
        entries = await asyncio.to_thread(self._ask_sandbox, "/_sandbox/ledger")
        return [entry for entry in entries if self.id in json.dumps(entry)]

    @property
    def _settings(self) -> Settings:
        return settings.load(Need.PEOPLE, environment=self.laptop.addresses["env"])

    def _context(self) -> AbstractAsyncContextManager[Context]:
        return opened(self._settings)

    async def _is_sent(self) -> bool:
        documents = await asyncio.to_thread(self._ask_sandbox, f"/_sandbox/documents?external_id={self.id}")
        return any(document["status"] == _SENT for document in documents)

    def _ask_sandbox(self, path: str) -> Any:
        with urlopen(f"{self.laptop.addresses['sandbox']}{path}") as answer:  # noqa: S310  our own sandbox
            return json.load(answer)


def state_of(view: Any, person: str) -> str:
    """How a signer stands, as `request show --json` says it."""
    return next(str(line["state"]) for line in view["signers"] if line["person"] == person)
