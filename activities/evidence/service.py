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
        deadline = began_at + (allowed.total_seconds() if allowed else 60.0) - FOR_THE_REST
        signed, own_fault = await asyncio.gather(
            self._theirs(order, info, deadline), _why_not(self._keep_own(order, info))
        )
        # An attempt days after the end: somebody may have been erased meanwhile.
        erased = await _why_not(self._erased_again(info.workflow_id or ""))
        files = KeptFiles(document=_kept_file(signed.document), signing_log=_kept_file(signed.log))
        missing = signed.why or own_fault or erased
        if missing is None:
            return files
        raise ApplicationError(missing, files.model_dump(exclude_none=True), type=Code.EVIDENCE)

    # --- what the provider has

    async def _theirs(self, order: EvidenceOrder, info: activity.Info, deadline: float) -> SignedDocument:
        """What is kept by now, and why something is missing, which the store says as well."""
        if order.document is None:
            return SignedDocument()
        workflow_id, kept_at, stored = info.workflow_id or "", info.scheduled_time, SignedDocument()

        async def fetched() -> None:
            nonlocal stored
            stored = await self._store.evidence.signed(workflow_id) or stored
            if stored.at is None or stored.why is not None:
                stored = await self._fetched(order, _id_of(info), stored, deadline)
            await self._store.evidence.keep_signed(workflow_id, replace(stored, keep_until=order.until), kept_at)

        if (fault := await _why_not(fetched())) is None:
            return stored
        signed = replace(stored, why=fault, keep_until=order.until)
        await _why_not(self._store.evidence.keep_signed(workflow_id, signed, kept_at))
        return signed

    async def _fetched(
        self, order: EvidenceOrder, request: str, stored: SignedDocument, deadline: float
    ) -> SignedDocument:
        """Links last some minutes, and each reading renews them."""
        read = await self._reader.existing(Roster(id=request, people=()), order.document or "")
        if not order.log_only and (fields := filled_in(read)):
            await self._store.evidence.keep_part(Kind.REQUEST.workflow_id(request), FIELDS, rfc8785.dumps(fields))
        faults: list[str] = []

        async def fetch(label: str, file: WireFile, stored_file: SignedFile | None) -> SignedFile | None:
            if stored_file is not None:
                return stored_file
            try:
                if read.processing:
                    raise FileRefused("is still being made at Core Signature")
                remaining = deadline - asyncio.get_running_loop().time()
                return await self._downloads.fetch(file, max(1.0, remaining))
            except FileRefused as refused:
                faults.append(f"the {label} {refused}")
                return None

        log = fetch("signing log", read.signing_log or WireFile(), stored.log)
        fetches = [log] if order.log_only else [log, fetch("signed document", read, stored.document)]
        log_file, *signed = await asyncio.gather(*fetches)
        provider = stored.provider or await self._ids(request, read)
        return SignedDocument(signed[0] if signed else None, log_file, provider, stored.at, "; ".join(faults) or None)

    async def _ids(self, request: str, read: WireDocument) -> dict[str, object]:
        places = await SignerSnapshots(self._store).read_snapshots(request)
        people = {folded(snapshot.email): snapshot.person for snapshot in places}
        signers = (
            {"person": people[folded(signer.email)], "uuid": signer.uuid}
            for signer in signers_of(read)
            if signer.uuid and folded(signer.email) in people
        )
        return {
            "document": read.uuid,
            "request": read.request.uuid if read.request else None,
            "signers": list(signers),
        }

    # --- what we know

    async def _keep_own(self, order: EvidenceOrder, info: activity.Info) -> None:
        workflow_id = info.workflow_id or ""
        if await self._store.evidence.read(workflow_id) is None:
            await self._gathered(workflow_id, order, info)

    async def _erased_again(self, workflow_id: str) -> None:
        erasures = await self._store.erasures.list_done(workflow_id)
        for erasure in erasures:
            await carry_out(self._store, erasure)
        if erasures:
            await self._store.database.empty_log()

    async def _gathered(self, workflow_id: str, order: EvidenceOrder, info: activity.Info) -> None:
        end = HistoryEnd(info.workflow_run_id or "", info.activity_id)
        runs = await history.histories(self._temporal, workflow_id, end)
        signature_input = await self._read_input(runs, end)
        people = (
            signature_input.brief.requester,
            *(participant.person for participant in signature_input.brief.people),
            *order.people,
        )
        identities = [await self._identity(person, workflow_id) for person in dict.fromkeys(people)]
        file = file_part(signature_input.fingerprint)
        content = EvidenceContent(
            workflow_id=workflow_id,
            at=info.scheduled_time,
            fingerprint=signature_input.fingerprint,
            file=file if await self._store.evidence.part(workflow_id, file) is not None else None,
            adopted=adopted_document(_id_of(info)) is not None,
            request=signature_input.replace(carried=None).model_dump(mode="json", by_alias=True, exclude={"carried"}),
            schedule=await self._schedule(runs, signature_input),
            people=tuple(KeptIdentity(person=identity.person, sha256=_hash(line(identity))) for identity in identities),
            runs=tuple(run.run for run in runs),
        )
        parts = {PEOPLE: lines([line(identity) for identity in identities])}
        for run in runs:
            parts |= run.parts
        await self._store.evidence.keep(workflow_id, canonical(content), parts, info.scheduled_time)

    async def _identity(self, person: str, workflow_id: str) -> IdentityLine:
        random = salt().hex()
        try:
            profile = await self._directory.person(person, workflow_id)
        except UnknownPerson:
            return IdentityLine(person=person, random=random, known=False)
        return IdentityLine(
            person=person,
            random=random,
            name=profile.name,
            email=profile.email,
            department=profile.department,
            manager=profile.manager,
        )

    async def _read_input(self, runs: list[RunHistory], end: HistoryEnd) -> SignatureInput:
        """The input of the present run."""
        [events] = [run.events for run in runs if run.run.run_id == end.run_id]
        began = events[0].workflow_execution_started_event_attributes
        [signature_input] = await self._temporal.data_converter.decode(began.input.payloads, [SignatureInput])
        return SignatureInput.model_validate(signature_input)

    async def _schedule(self, runs: list[RunHistory], signature_input: SignatureInput) -> Schedule | None:
        content = await history.last_result(self._temporal.data_converter, runs, _PLANS)
        if content is not None:
            return Schedule.model_validate_json(content)
        return signature_input.carried.plan.schedule if signature_input.carried else None


def filled_in(document: WireDocument) -> list[dict[str, str | bool]]:
    """What its signers put into tags that have an id, `{id, value}` each, in their order, equal ones once."""
    inputs = (
        (tag_input.external_id, tag_input.value) for signer in signers_of(document) for tag_input in signer.inputs
    )
    fields = ((_readable(id), _readable(value)) for id, value in inputs if id and value not in (None, ""))
    return [{"id": str(id), "value": value} for id, value in islice(dict.fromkeys(fields), FIELDS_AT_MOST)]


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


def _kept_file(file: SignedFile | None) -> KeptFile | None:
    return KeptFile(sha256=file.sha256, bytes=file.bytes) if file else None
