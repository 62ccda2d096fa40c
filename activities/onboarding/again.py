"""What a part that ended otherwise than it should is started from the next time: another file, or another signer."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from activities.files.reading import PlainFile
from activities.onboarding.content import PartContent, keep_part
from activities.onboarding.input import Sources, content_of
from activities.requests.input import PreparedRequest
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.model.onboarding import PartKind

_DEFAULTS: Final = ("kind", "requester", "owner", "who", "colleagues")
"""What another file need not say again."""


class NoSuchSigner(ValueError):
    """Nobody of this id is to sign it."""


@dataclass(frozen=True)
class RestartedPart:
    """A part of one onboarding, and what it was started from before."""

    store: Store
    home: StoragePrefix
    what: PartKind
    before: PartContent

    async def from_file(self, file: PlainFile, sources: Sources) -> str:
        """The reference of another file, which was checked in full; raises what `prepare` of its kind does."""
        content = file.plain
        if isinstance(content, dict):
            content = {**self._defaults, **{key: value for key, value in content.items() if key != "id"}}
            content = self._named(content)
        return await self._kept(file.saying(content), sources)

    async def with_signers(self, others: Mapping[str, str], sources: Sources) -> str:
        """The reference of the same with other signers, by the ids they had; `NoSuchSigner` for who is none of them.

        Repeated, it gives the same: who was exchanged already stays.
        """
        known = dict(self._signers)
        for old, new in others.items():
            if old not in known and new not in known:
                raise NoSuchSigner(f"{old} is no signer of it: {', '.join(known) or 'it has none'}")
        signers = [_exchanged(entry, others.get(id)) for id, entry in self._signers]
        documents = await self.before.read_documents(self.store)
        kept = self.before.model_copy(update={"file": self._named({**self.before.file, "signers": signers})})
        return await self._kept(kept.plain(self.home.id), replace(sources, documents=documents))

    def _named(self, file: dict[str, Any]) -> dict[str, Any]:
        """With the people in the place of the onboarding's words for them."""
        return self.before.words.in_file(file) if self.before.words else file

    @property
    def _defaults(self) -> dict[str, Any]:
        return {key: self.before.file[key] for key in _DEFAULTS if key in self.before.file}

    @property
    def _signers(self) -> list[tuple[str, Any]]:
        """Each by the id that the request knows them by."""
        entries = self.before.file.get("signers") or ()
        return [(one.get("person") or f"signer-{place}", one) for place, one in enumerate(entries, start=1)]

    async def _kept(self, file: PlainFile, sources: Sources) -> str:
        part = await sources.prepare(self.what, file)
        if part.overdue is not None:
            raise part.overdue
        if isinstance(part, PreparedRequest) and part.document is not None:
            await self.store.put_document(part.document)
        content = content_of({key: value for key, value in file.plain.items() if key != "id"}, part)
        content = content.model_copy(update={"words": self.before.words})
        digest = hashlib.sha256(content.model_dump_json().encode()).hexdigest()
        return await keep_part(self.store, self.home, f"part-{digest[:16]}", content)


def _exchanged(entry: Mapping[str, Any], new: str | None) -> Mapping[str, Any]:
    """Somebody else in the same place."""
    return entry if new is None else {**{key: entry[key] for key in ("order", "role") if key in entry}, "person": new}
