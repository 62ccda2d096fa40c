"""The evidence pack of what has ended: all that is kept of it, by a manifest that is signed. It is made from the
database and the files alone, so that it is the same whenever and wherever it is made.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_jsonable_python

from activities.documents.files import SIGNED
from activities.errors import DocumentMissing
from activities.evidence import certificate
from activities.evidence.archive import PackPart, write_archive
from activities.evidence.campaign_parts import CampaignRecord
from activities.evidence.signing import EvidenceKey, canonical, sha256_of, statement
from activities.records.store import Store
from activities.records.user_texts import amendments_of
from workflows.follow_up.record import amended, completed
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.notifications import LogPage
from workflows.model.records import SettledRecord
from workflows.model.views import FollowUpShow

FORM: Final = 1
PREDICATE: Final = "urn:countersign:evidence-pack:1"
MANIFEST: Final = "manifest.json"
ENVELOPE: Final = "manifest.dsse.json"
RECORD: Final = "record.json"
SO_FAR: Final = "so-far.json"
AMENDMENTS: Final = "amendments/"
PEOPLE: Final = "people.json"
TEXTS: Final = "texts.json"
EVIDENCE: Final = "evidence.json"
REQUEST: Final = "request.json"
IDENTITIES: Final = "identities.jsonl"
FILLED_IN: Final = "fields.json"
HISTORY: Final = "history/"
PAYLOADS: Final = "payloads/"
SIGNED_DOCUMENT: Final = "signed.pdf"
SIGNING_LOG: Final = "signing-log.pdf"
PARTS: Final = "parts/"
DOCUMENTS: Final = "documents/"
_REMOVED: Final = "it was removed"
_RETENTION: Final = "not_kept: retention"
_ERASABLE: Final = (PEOPLE, TEXTS, IDENTITIES, REQUEST, FILLED_IN, SO_FAR, SIGNED_DOCUMENT, SIGNING_LOG)
_LINES: Final = "application/jsonl"
_SIGNED: Final = ("type", "id", "status", "finished", "amendment", "erasures", "documents", "removed")
"""What the signed statement says itself."""


class NotEnded(Exception):
    """It has no record: it still runs, or was broken off, or is unknown."""

    def __init__(self, workflow_name: WorkflowName) -> None:
        super().__init__(f"the {workflow_name.kind} {workflow_name.id} has no record: it still runs, or is not known")
        self.workflow_name = workflow_name


@dataclass(frozen=True)
class ExportedPack:
    """A pack that was written."""

    id: str
    type: str
    file: str
    sha256: str
    """Of the manifest."""
    bytes: int
    parts: int
    amendment: int
    erasures: int
    finished: bool


@dataclass
class _PackContent:
    """The parts of a pack, and what its manifest says beside them."""

    parts: list[PackPart] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Packer:
    """Makes packs with our key."""

    store: Store
    key: EvidenceKey

    async def export(
        self, workflow_name: WorkflowName, target: Path, *, documents: bool = False, so_far: FollowUpShow | None = None
    ) -> ExportedPack:
        """Write the pack of what has ended, or with `so_far` of what is known of it by now. Raises `NotEnded`,
        `StoreFailure`, and `OSError` for the target.
        """
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            gathered = await self._gathered(workflow_name, work, documents=documents, so_far=so_far)
            manifest = _manifest(workflow_name, gathered)
            sealed = await self._seal(workflow_name, manifest)
            size = await write_archive(target, [*gathered.parts, *sealed])
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return ExportedPack(
            id=workflow_name.id,
            type=str(workflow_name.kind),
            file=str(target),
            sha256=sha256_of(manifest),
            bytes=size,
            parts=len(gathered.parts),
            amendment=gathered.facts["amendment"],
            erasures=gathered.facts["erasures"],
            finished=gathered.facts["finished"],
        )

    async def _gathered(
        self, workflow_name: WorkflowName, work: Path, *, documents: bool, so_far: FollowUpShow | None
    ) -> _PackContent:
        gathered = _PackContent()
        content = await self.store.records.read(workflow_name.workflow_id)
        if content is None and so_far is None:
            raise NotEnded(workflow_name)
        show = json.loads(content)["show"] if content else json.loads(so_far.model_dump_json()) if so_far else {}
        erasures = [erasure._asdict() for erasure in await self.store.erasures.list_done(workflow_name.workflow_id)]
        gathered.facts |= {"status": show["status"], "finished": content is not None, "erasures": len(erasures)}
        if erasures:
            gathered.parts.append(PackPart.from_content("erasures.json", canonical(to_jsonable_python(erasures))))
        if content is None:
            gathered.parts.append(PackPart.from_content(SO_FAR, canonical(show)))
        async for part in self._amendments(workflow_name.workflow_id, gathered):
            gathered.parts.append(part)
        if content is not None:
            gathered.parts += await self._of_record(workflow_name.workflow_id, content)
        gathered.parts += await self._erasable(workflow_name.workflow_id)
        gathered.parts += await self._collect_kept(workflow_name.workflow_id)
        gathered.parts += [part async for part in self._of_provider(workflow_name.workflow_id, gathered)]
        if campaign := await CampaignRecord.from_show(self.store, workflow_name.workflow_id, show):
            gathered.parts += [part async for part in campaign.parts(self.store, work)]
            if documents:
                await self._of_members(campaign, gathered)
        for stage in show.get("stages", ()):
            await self._parts_of(stage, work, gathered, documents=documents, partly=so_far is not None)
        return gathered

    async def _amendments(self, workflow_id: str, gathered: _PackContent) -> AsyncIterator[PackPart]:
        number = 0
        async for contents in self.store.records.amendments(workflow_id):
            for content in contents:
                number = json.loads(content).get("number", number + 1)
                yield PackPart.from_content(f"{AMENDMENTS}{number:06d}.json", content)
        gathered.facts["amendment"] = number

    async def _of_record(self, workflow_id: str, content: bytes) -> list[PackPart]:
        """The record, and what a person reads more easily: all from record, pages and amendments."""
        record = SettledRecord.model_validate_json(content)
        pages = [LogPage.model_validate_json(page) for page in await self.store.log_pages.read(workflow_id)]
        view = amended(completed(record.show, pages), await amendments_of(self.store, workflow_id))
        view = await self.store.starts.with_actor(view)
        parts = {"timeline", "notifications", "escalations", "handoffs"}
        document = json.loads(view.model_dump_json(include=parts, by_alias=True))
        hand_offs = document.pop("handoffs")
        return [
            PackPart.from_content(RECORD, content),
            PackPart.from_content("timeline.json", canonical(document)),
            PackPart.from_content("hand-offs.json", canonical(hand_offs)),
            PackPart.from_content("certificate.html", certificate.page(view, record, sha256_of(content)), "text/html"),
        ]

    async def _erasable(self, workflow_id: str) -> list[PackPart]:
        """Names, addresses and texts: in parts of their own, for they can be erased."""
        in_full, asked_contents = (
            await self.store.people.read(workflow_id),
            await self.store.people.list_asked(workflow_id),
        )
        people = {
            "in_full": json.loads(in_full) if in_full else None,
            "asked": [json.loads(content) for content in sorted(asked_contents)],
        }
        refused = await self.store.people.refused(workflow_id)
        texts = {
            text.name: {"random": text.random.hex(), "sha256": text.sha256, "text": text.text}
            for text in await self.store.texts.all(workflow_id)
            if not _is_of(text.name, refused)
        }
        return [PackPart.from_content(PEOPLE, canonical(people)), PackPart.from_content(TEXTS, canonical(texts))]

    async def _collect_kept(self, workflow_id: str) -> list[PackPart]:
        """What was kept at the end beside the record; parts of it may have been erased."""
        content = await self.store.evidence.read(workflow_id)
        if content is None:
            return []
        parts = [PackPart.from_content(EVIDENCE, content)]
        evidence = json.loads(content)
        for name, value in (
            ("policy.json", evidence["request"].get("policy")),
            ("schedule.json", evidence.get("schedule")),
        ):
            if value is not None:
                parts.append(PackPart.from_content(name, canonical(value)))
        refused = await self.store.people.refused(workflow_id)
        for name in await self.store.evidence.parts(workflow_id):
            part = None if _is_of(name, refused) else await self.store.evidence.part(workflow_id, name)
            if part is not None:
                parts.append(PackPart.from_content(name_of(name)[0], part, name_of(name)[1]))
        return parts

    async def _of_provider(self, workflow_id: str, gathered: _PackContent) -> AsyncIterator[PackPart]:
        """The signed document, its log, and the provider's ids."""
        gathered.facts |= {"documents": 0, "removed": 0}
        signed = await self.store.evidence.signed(workflow_id)
        if signed is None:
            return
        if signed.provider is not None:
            yield PackPart.from_content("provider.json", canonical(dict(signed.provider)))
        for name, file in ((SIGNED_DOCUMENT, signed.document), (SIGNING_LOG, signed.log)):
            if file is None:
                if signed.why is not None:
                    gathered.lacks[name] = signed.why
                continue
            if signed.removed_at is not None:
                gathered.lacks[name] = _RETENTION
                gathered.facts["removed"] += 1
                continue
            try:
                yield PackPart.stored(name, await self.store.files.open(file.sha256, SIGNED), "application/pdf")
            except DocumentMissing:
                gathered.lacks[name] = _REMOVED
            else:
                gathered.facts["documents"] += 1

    async def _of_members(self, campaign: CampaignRecord, gathered: _PackContent) -> None:
        """The signed documents of a campaign's members; of those that have none their number."""
        if campaign.outcomes is None:
            gathered.lacks[DOCUMENTS] = "the campaign has not ended"
            return
        missing_count = 0
        async for batch in campaign.outcomes.lines.batches():
            requests = [outcome.request for outcome in batch if outcome.request]
            signed_by_id = await self.store.evidence.signed_of(
                [Kind.REQUEST.workflow_id(request) for request in requests]
            )
            for request in requests:
                signed = signed_by_id.get(Kind.REQUEST.workflow_id(request))
                if signed is None or signed.document is None:
                    missing_count += 1
                    continue
                name = f"{DOCUMENTS}{request}.pdf"
                if signed.removed_at is not None:
                    gathered.lacks[name] = _RETENTION
                    gathered.facts["removed"] += 1
                    continue
                try:
                    file = await self.store.files.open(signed.document.sha256, SIGNED)
                except DocumentMissing:
                    gathered.lacks[name] = _REMOVED
                    continue
                gathered.parts.append(PackPart.stored(name, file, "application/pdf"))
                gathered.facts["documents"] += 1
        if missing_count:
            gathered.lacks[DOCUMENTS] = (
                f"of {missing_count} requests none is kept: evidence: full of the kind keeps them"
            )

    async def _parts_of(
        self, stage: Mapping[str, Any], work: Path, gathered: _PackContent, *, documents: bool, partly: bool
    ) -> None:
        """Whole packs of an onboarding's parts."""
        lines = [line for name in ("agreements", "tasks", "steps") for line in stage.get(name, ())]
        for workflow_name in filter(None, (named(line["workflow"]) for line in lines if line.get("workflow"))):
            name = f"{PARTS}{workflow_name.id}.zip"
            try:
                exported = await self.export(workflow_name, work / f"{workflow_name.id}.zip", documents=documents)
            except NotEnded:
                if not partly:
                    raise
                gathered.lacks[name] = "has no record yet"
                continue
            file = work / f"{workflow_name.id}.zip"
            gathered.parts.append(PackPart(name, "application/zip", exported.bytes, _sha256(file), file))

    async def _seal(self, workflow_name: WorkflowName, manifest: bytes) -> list[PackPart]:
        """The manifest with its signature: the one made first, also under a later key."""
        sha256, facts = sha256_of(manifest), json.loads(manifest)
        envelope = await self.store.seals.read(sha256)
        if envelope is None:
            signed = statement(PREDICATE, {MANIFEST: sha256}, {name: facts[name] for name in _SIGNED})
            envelope = await self.store.seals.keep(sha256, self.key.envelope(signed))
        return [PackPart.from_content(MANIFEST, manifest), PackPart.from_content(ENVELOPE, envelope)]


def name_of(part: str) -> tuple[str, str]:
    """Name and type of a part of what was kept at the end (activities/records/evidence.py)."""
    prefix, _, number = part.partition("-")
    match prefix:
        case "file":
            return REQUEST, "application/json"
        case "fields":
            return FILLED_IN, "application/json"
        case "people":
            return IDENTITIES, _LINES
        case "history" | "payloads":
            return f"{prefix}/{number}.jsonl", _LINES
        case _:
            return f"kept/{part}", "application/octet-stream"


def _manifest(workflow_name: WorkflowName, gathered: _PackContent) -> bytes:
    return canonical(
        {
            "version": FORM,
            "id": workflow_name.id,
            "type": str(workflow_name.kind),
            "workflow_id": workflow_name.workflow_id,
            **gathered.facts,
            "parts": {
                part.name: {"sha256": part.sha256, "bytes": part.size, "media_type": part.media_type}
                for part in gathered.parts
            },
            "erasable": sorted(part.name for part in gathered.parts if _is_erasable(part.name)),
            "lacks": gathered.lacks,
        }
    )


def _is_of(name: str, starts: Collection[str]) -> bool:
    return any(f"-{start}" in name for start in starts)


def _is_erasable(name: str) -> bool:
    return name in _ERASABLE or name.startswith((PAYLOADS, DOCUMENTS))


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
