"""Implements the port `EvidenceService`: at the end of a request, what Core Signature has of it and what we know of it
are fetched and kept, each once.
"""

import asyncio
import hashlib
from collections.abc import Awaitable
from dataclasses import replace
from itertools import islice
from typing import Final

import rfc8785
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.core_signature.documents import DocumentReader, signers_of
from activities.core_signature.downloads import DocumentDownloads, FileRefused
from activities.core_signature.signers import SignerSnapshots, folded
from activities.core_signature.wire import WireDocument, WireFile
from activities.evidence import history
from activities.evidence.content import (
    PEOPLE,
    EvidenceContent,
    IdentityLine,
    KeptIdentity,
    canonical,
    line,
    lines,
    salt,
)
from activities.evidence.erasure import carry_out
from activities.evidence.history import HistoryEnd, RunHistory
from activities.people.directory import Directory, UnknownPerson
from activities.records.evidence import FIELDS, SignedDocument, SignedFile, file_part
from activities.records.store import Store
from activities.temporal.failures import failing_as_application_errors
from workflows.kinds import Kind
from workflows.model.evidence import EvidenceOrder, KeptFile, KeptFiles
from workflows.model.schedule import Schedule
from workflows.model.subject import Code, Roster
from workflows.names import adopted_document
from workflows.ports import EvidenceService
from workflows.signature.state import SignatureInput

FOR_THE_REST: Final = 10.0
"""Seconds of an attempt that are left for what is not a download."""
_PLANS: Final = "plan_schedule"
FIELDS_AT_MOST: Final = 500
"""Fields of one document that are kept: the first ones."""
VALUE_CHARACTERS_AT_MOST: Final = 4_000
"""Characters of a value that are kept, as many as a request file may fill in."""


class EvidenceKeeper(EvidenceService):
    def __init__(
        self, reader: DocumentReader, downloads: DocumentDownloads, store: Store, directory: Directory, temporal: Client
    ) -> None:
        self._reader = reader
        self._downloads = downloads
        self._store = store
        self._directory = directory
        self._temporal = temporal

    async def keep(self, order: EvidenceOrder) -> KeptFiles:
        """Both are tried, whatever becomes of the other."""
        info = activity.info()
        began_at, allowed = asyncio.get_running_loop().time(), info.start_to_close_timeout
        until = began_at + (allowed.total_seconds() if allowed else 60.0) - FOR_THE_REST
        signed, why = await asyncio.gather(self._theirs(order, info, until), _why_not(self._ours(order, info)))
        # An attempt days after the end: somebody may have been erased meanwhile.
        erased = await _why_not(self._erased_again(info.workflow_id or ""))
        files = KeptFiles(document=_kept(signed.document), signing_log=_kept(signed.log))
        missing = signed.why or why or erased
        if missing is None:
            return files
        raise ApplicationError(missing, files.model_dump(exclude_none=True), type=Code.EVIDENCE)

    # --- what the provider has

    async def _theirs(self, order: EvidenceOrder, info: activity.Info, until: float) -> SignedDocument:
        """What is kept by now, and why something is missing, which the store says as well."""
        if order.document is None:
            return SignedDocument()
        workflow_id, at, before = info.workflow_id or "", info.scheduled_time, SignedDocument()

        async def fetched() -> None:
            nonlocal before
            before = await self._store.evidence.signed(workflow_id) or before
            if before.at is None or before.why is not None:
                before = await self._fetched(order, _id_of(info), before, until)
            await self._store.evidence.keep_signed(workflow_id, replace(before, keep_until=order.until), at)

        if (why := await _why_not(fetched())) is None:
            return before
        signed = replace(before, why=why, keep_until=order.until)
        await _why_not(self._store.evidence.keep_signed(workflow_id, signed, at))
        return signed

    async def _fetched(
        self, order: EvidenceOrder, request: str, before: SignedDocument, until: float
    ) -> SignedDocument:
        """Links last some minutes, and each reading renews them."""
        read = await self._reader.existing(Roster(id=request, people=()), order.document or "")
        if not order.log_only and (fields := filled_in(read)):
            await self._store.evidence.keep_part(Kind.REQUEST.workflow_id(request), FIELDS, rfc8785.dumps(fields))
        faults: list[str] = []

        async def fetch(what: str, file: WireFile, there: SignedFile | None) -> SignedFile | None:
            if there is not None:
                return there
            try:
                if read.processing:
                    raise FileRefused("is still being made at Core Signature")
                left = until - asyncio.get_running_loop().time()
                return await self._downloads.fetch(file, max(1.0, left))
            except FileRefused as refused:
                faults.append(f"the {what} {refused}")
                return None

        log = fetch("signing log", read.signing_log or WireFile(), before.log)
        wanted = [log] if order.log_only else [log, fetch("signed document", read, before.document)]
        kept, *signed = await asyncio.gather(*wanted)
        provider = before.provider or await self._ids(request, read)
        return SignedDocument(signed[0] if signed else None, kept, provider, before.at, "; ".join(faults) or None)

    async def _ids(self, request: str, read: WireDocument) -> dict[str, object]:
        places = await SignerSnapshots(self._store).of(request)
        people = {folded(place.email): place.person for place in places}
        signers = (
            {"person": people[folded(one.email)], "uuid": one.uuid}
            for one in signers_of(read)
            if one.uuid and folded(one.email) in people
        )
        return {
            "document": read.uuid,
            "request": read.request.uuid if read.request else None,
            "signers": list(signers),
        }

    # --- what we know

    async def _ours(self, order: EvidenceOrder, info: activity.Info) -> None:
        workflow_id = info.workflow_id or ""
        if await self._store.evidence.read(workflow_id) is None:
            await self._gathered(workflow_id, order, info)

    async def _erased_again(self, workflow_id: str) -> None:
        erasures = await self._store.erasures.of(workflow_id)
        for erasure in erasures:
            await carry_out(self._store, erasure)
        if erasures:
            await self._store.database.empty_log()

    async def _gathered(self, workflow_id: str, order: EvidenceOrder, info: activity.Info) -> None:
        until = HistoryEnd(info.workflow_run_id or "", info.activity_id)
        runs = await history.histories(self._temporal, workflow_id, until)
        given = await self._given(runs, until)
        people = (given.brief.requester, *(one.person for one in given.brief.people), *order.people)
        identities = [await self._identity(one, workflow_id) for one in dict.fromkeys(people)]
        file = file_part(given.fingerprint)
        content = EvidenceContent(
            workflow_id=workflow_id,
            at=info.scheduled_time,
            fingerprint=given.fingerprint,
            file=file if await self._store.evidence.part(workflow_id, file) is not None else None,
            adopted=adopted_document(_id_of(info)) is not None,
            request=given.replace(carried=None).model_dump(mode="json", by_alias=True, exclude={"carried"}),
            schedule=await self._schedule(runs, given),
            people=tuple(KeptIdentity(person=one.person, sha256=_hash(line(one))) for one in identities),
            runs=tuple(one.run for one in runs),
        )
        parts = {PEOPLE: lines([line(one) for one in identities])}
        for run in runs:
            parts |= run.parts
        await self._store.evidence.keep(workflow_id, canonical(content), parts, info.scheduled_time)

    async def _identity(self, person: str, workflow_id: str) -> IdentityLine:
        random = salt().hex()
        try:
            known = await self._directory.person(person, workflow_id)
        except UnknownPerson:
            return IdentityLine(person=person, random=random, known=False)
        return IdentityLine(
            person=person,
            random=random,
            name=known.name,
            email=known.email,
            department=known.department,
            manager=known.manager,
        )

    async def _given(self, runs: list[RunHistory], until: HistoryEnd) -> SignatureInput:
        """The input of the present run."""
        [events] = [one.events for one in runs if one.run.run_id == until.run_id]
        began = events[0].workflow_execution_started_event_attributes
        [given] = await self._temporal.data_converter.decode(began.input.payloads, [SignatureInput])
        return SignatureInput.model_validate(given)

    async def _schedule(self, runs: list[RunHistory], given: SignatureInput) -> Schedule | None:
        found = await history.last_result(self._temporal.data_converter, runs, _PLANS)
        if found is not None:
            return Schedule.model_validate_json(found)
        return given.carried.plan.schedule if given.carried else None


def filled_in(document: WireDocument) -> list[dict[str, str | bool]]:
    """What its signers put into tags that have an id, `{id, value}` each, in their order, equal ones once."""
    found = ((one.external_id, one.value) for signer in signers_of(document) for one in signer.inputs)
    known = ((_readable(id), _readable(value)) for id, value in found if id and value not in (None, ""))
    return [{"id": str(id), "value": value} for id, value in islice(dict.fromkeys(known), FIELDS_AT_MOST)]


def _readable(value: str | bool | None) -> str | bool:
    """Cut, and without halves of characters, which JSON can carry and UTF-8 cannot."""
    cut = value[:VALUE_CHARACTERS_AT_MOST].encode(errors="replace").decode() if isinstance(value, str) else value
    return cut or False


def _id_of(info: activity.Info) -> str:
    return (info.workflow_id or "").removeprefix(Kind.REQUEST.workflow_id(""))


async def _why_not(work: Awaitable[object]) -> str | None:
    """Why it failed, in words without personal data; None if it did not."""
    try:
        with failing_as_application_errors():
            await work
    except ApplicationError as failure:
        return failure.message
    return None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _kept(file: SignedFile | None) -> KeptFile | None:
    return KeptFile(sha256=file.sha256, bytes=file.bytes) if file else None
