"""Receives calls of other systems that start onboardings: verify, map, start, answer.

Callers hear wrong fields by name, never a value; `countersign onboard map` shows more. Only 503 asks to be called
again.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import structlog
from pydantic import SecretStr
from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, PlainFile
from activities.files.yaml_lines import Parsed
from activities.launch import launch
from activities.launch.doors import Clock, Intake, TrustedCaller, wall_clock
from activities.launch.intake import asked_of
from activities.metrics import HOOKS
from activities.onboarding.intake import PreparedOnboarding, fingerprint_of
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.people.language import phrase
from activities.people.reader import language_of
from activities.records.store import Store
from activities.temporal import executions
from starter.boot import clients
from starter.config.settings import Settings
from starter.config.values import SIGNING_KEY
from starter.errors import Refusal
from starter.web.http import bodies
from starter.web.intake.hook_mapping import MappedOnboarding, MappingFailed, SourceMapping
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import KnownBy
from workflows.model.records import SettledRecord
from workflows.names import REQUESTER
from workflows.onboarding.state import DECISION

SIGNATURE_HEADERS: Final = ("x-signature", "x-hub-signature-256")
"""Unless the mapping names another."""
APART_AT_MOST: Final = timedelta(minutes=5)
"""Between our clock and a caller's, for Standard Webhooks."""
SIGNATURES_AT_MOST: Final = 10
"""Of one call; several while a secret is rotated."""
_BEARER: Final = "bearer "
_ALGORITHM: Final = "sha256="
TOLD_AT_MOST: Final = 20
"""About one onboarding."""
_LOGGER: Final = structlog.get_logger("countersign.hooks")
_TITLE: Final = phrase("Decide: {id} has changed in {source}")
_TEXT: Final = phrase(
    "Deal {deal} of {source} sent other content than this onboarding was started from, or what {source} sends is read "
    "otherwise by now. {standing}"
)
_PLEASE_LOOK: Final = phrase("Please look at the deal, and at the page of {id} at the desk.")
_LIVES: Final = phrase("The onboarding goes on as it was started.")
_HAS_ENDED: Final = phrase("The onboarding has ended, and nothing of it changes.")
PATH: Final = "/hooks/onboarding/{source}"
CALLS_AT_ONCE: Final = 500
"""Complete and genuine ones; stalled strangers take no place."""
STARTS_AT_ONCE: Final = 20
"""Each may check hundreds of parts. Others wait."""
START_SECONDS: Final = 15.0
"""For a start and its wait."""
_AWAY: Final = (RPCError, StoreFailure, DirectoryFailure, RuntimeError, OSError)
"""Temporary; a lazy client without a server raises `RuntimeError`."""


def is_genuine(
    headers: Mapping[str, str], body: bytes, secrets: Iterable[SecretStr], *, header: str | None, now: datetime
) -> bool:
    """Whether one of `secrets` signed the body; header names are lower-case."""
    signatures = [
        signature.encode("utf-8", "replace")
        for signature in _signatures(headers, (header.lower(),) if header else SIGNATURE_HEADERS)
    ]
    expected = [
        signature for secret in secrets for signature in _expected(secret.get_secret_value(), headers, body, now)
    ]
    # All are compared before one counts, so that the time taken does not tell which it was.
    matches = [hmac.compare_digest(candidate.encode(), signature) for candidate in expected for signature in signatures]
    return any(matches)


@dataclass(frozen=True)
class OtherContent:
    """A deal sent again with content that its onboarding was not started from."""

    onboarding: WorkflowName
    fingerprint: str
    deal: str
    source: str
    alternates: tuple[str, ...]
    """People above the owner, where known."""


@dataclass(frozen=True)
class ChangedDeals:
    client: Client
    store: Store
    directory: Directory
    intake: Intake

    async def tell(self, changed_content: OtherContent, *, now: datetime) -> None:
        """Ask the current owner of the onboarding; raises what a start raises.

        An owner who cannot be asked is logged: the caller can do nothing.
        """
        onboarding = changed_content.onboarding
        id_prefix = f"{onboarding.id}.changed-"
        earlier = await self.client.count_workflows(f"WorkflowId STARTS_WITH '{Kind.TASK.workflow_id(id_prefix)}'")
        if earlier.count >= TOLD_AT_MOST:
            _LOGGER.warning("deal changed too often to tell of it again", onboarding=onboarding.id)
            return
        owner, lives = await self._standing(onboarding.workflow_id)
        alternates = changed_content.alternates or await self._list_superiors(owner)
        say = (await language_of(self.directory, owner, onboarding.workflow_id)).say
        explanation = say(
            _TEXT,
            deal=changed_content.deal,
            source=changed_content.source,
            standing=say(_LIVES if lives else _HAS_ENDED),
        )
        task = {
            "id": f"{id_prefix}{changed_content.fingerprint[:12]}",
            "kind": DECISION,
            "title": say(_TITLE, id=onboarding.id, source=changed_content.source),
            "text": f"{explanation}\n\n{say(_PLEASE_LOOK, id=onboarding.id)}",
            "who": asked_of(owner),
            "owner": next((alternate for alternate in alternates if alternate != owner), owner),
        }
        file = PlainFile("deal", Path(), Parsed(task, {}, ()))
        try:
            admitted = await self.intake.check(Kind.TASK, file, now=now)
            await admitted.start(self.client, self.store, parent=onboarding.workflow_id)
        except FileFaults as faults:
            _LOGGER.error("deal changed and nobody can be asked", onboarding=onboarding.id, why=faults.in_short)
        except (launch.IdTaken, launch.BrokenOff):
            """They were asked before, with somebody else to hear of it, or somebody has put an end to it."""

    async def _list_superiors(self, owner: str) -> tuple[str, ...]:
        """Who is told when the owner's decision waits."""
        try:
            person = await self.directory.person(owner)
        except UnknownPerson:
            return ()
        return tuple(filter(None, (person.manager, person.delegate)))

    async def _standing(self, workflow_id: str) -> tuple[str, bool]:
        """The owner, and whether it is open."""
        if record := await self.store.records.read(workflow_id):
            return SettledRecord.model_validate_json(record).show.requester, False
        run = await executions.described(self.client, workflow_id)
        return run.search_attributes.get(REQUESTER) or "", run.status.open


class HookCallOutcome(bodies.CallOutcome):
    """The answer's status and the reason counted."""

    CREATED = (201, "created")
    KNOWN = (200, "known")
    IGNORED = (200, "ignored")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    NOT_TAKEN = (400, "not_taken")
    FORGED = (401, "forged")
    UNKNOWN_SOURCE = (404, "unknown_source")
    OTHER_CONTENT = (409, "other_content")
    BROKEN_OFF = (409, "broken_off")
    TOO_LARGE = (413, "too_large")
    REFUSED = (422, "refused")
    NOT_STARTED = (503, "not_started")
    BUSY = (503, "busy")


@dataclass(frozen=True)
class HookAnswer:
    outcome: HookCallOutcome
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HookSource:
    """A system that may call: its secrets and mapping."""

    secrets: tuple[SecretStr, ...]
    mapping: SourceMapping

    @classmethod
    def all_of(cls, settings: Settings) -> dict[str, Self]:
        """All sources with a secret; raises `FileFaults` or `Refusal`."""
        secrets, folder = settings.hook.secrets, settings.hook.mappings
        if secrets and folder is None:
            raise Refusal("COUNTERSIGN_HOOK_MAPPINGS: is missing: COUNTERSIGN_HOOK_SECRETS names sources")
        return {
            source: cls(source_secrets, SourceMapping.read(folder or Path(), source))
            for source, source_secrets in secrets.items()
        }


@dataclass(frozen=True)
class OnboardingStarter:
    settings: Settings
    client: Client
    store: Store
    directory: Directory
    clock: Clock = wall_clock

    @property
    def documents(self) -> LocalDocuments:
        return LocalDocuments(self.settings.signature.max_upload_mb)

    @property
    def intake(self) -> Intake:
        return clients.intake(self.settings, self.directory, self.clock)

    async def start(self, source: str, mapped: MappedOnboarding) -> launch.StartResult:
        """Start, or recognise a started one even if the deal has become invalid; then its owner is asked about new
        content.
        """
        onboarding, hearers = WorkflowName(Kind.ONBOARDING, mapped.id), tuple[str, ...]()
        try:
            admitted = await self.intake.check(
                Kind.ONBOARDING, mapped.file, self.documents, TrustedCaller(KnownBy.HOOK.actor(source))
            )
        except FileFaults as faults:
            digest = await self._fingerprint(mapped.file, faults)
            starting = launch.recognise(self.client, self.store, onboarding, digest, faults)
        else:
            prepared: PreparedOnboarding = admitted.prepared
            digest, hearers = prepared.workflow_input.fingerprint, (prepared.content.owner, prepared.content.deputy)
            starting = admitted.start(self.client, self.store)
        try:
            return await starting
        except launch.IdTaken:
            changed = ChangedDeals(self.client, self.store, self.directory, self.intake)
            changed_content = OtherContent(onboarding, digest, mapped.deal, source, hearers)
            await changed.tell(changed_content, now=self.clock())
            raise

    async def _fingerprint(self, file: PlainFile, faults: FileFaults) -> str:
        """Raises the faults of a file that has none."""
        try:
            return await asyncio.to_thread(fingerprint_of, file, self.documents)
        except ValueError:
            raise faults from None


class Hooks:
    def __init__(
        self,
        sources: Mapping[str, HookSource],
        starting: OnboardingStarter,
        *,
        body_seconds: float = bodies.BODY_SECONDS,
    ) -> None:
        self._sources = sources
        self._starting = starting
        self._tally = bodies.CallCounter(HOOKS, HookCallOutcome)
        self._body_seconds = body_seconds
        self._at_once = 0
        self._incoming = bodies.IncomingBodies(bodies.ALTOGETHER_AT_MOST, bodies.HELD_AT_MOST)
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, self.answer, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        answer = await self._received(request)
        outcome = answer.outcome
        self._tally.count(outcome)
        headers = bodies.HEADERS | ({"connection": "close"} if outcome.hangs_up else {})
        return JSONResponse({"outcome": outcome.reason, **answer.says}, outcome.status, headers)

    async def _received(self, request: Request) -> HookAnswer:
        source = self._sources.get(request.path_params["source"])
        if source is None:
            return HookAnswer(HookCallOutcome.UNKNOWN_SOURCE)
        mapped = await self._judged(source, request)
        if isinstance(mapped, HookAnswer):
            return mapped
        if self._at_once >= CALLS_AT_ONCE:
            return HookAnswer(HookCallOutcome.BUSY)
        self._at_once += 1
        try:
            return await self._start_onboarding(source.mapping, mapped)
        finally:
            self._at_once -= 1

    async def _judged(self, source: HookSource, request: Request) -> MappedOnboarding | HookAnswer:
        """Verifies at once, so that the body is freed before the start."""
        body = await self._incoming.read(request, limit=bodies.MOST_BYTES, seconds=self._body_seconds)
        if isinstance(body, bodies.BodyFault):
            return HookAnswer(HookCallOutcome.of_fault(body))
        mapping, now = source.mapping, self._starting.clock()
        if not is_genuine(request.headers, body, source.secrets, header=mapping.says.signature, now=now):
            return HookAnswer(HookCallOutcome.FORGED)
        try:
            mapped = mapping.file_of(bodies.parse(body))
        except bodies.NotReadable as refusal:
            return HookAnswer(HookCallOutcome.MALFORMED, {"says": str(refusal)})
        except MappingFailed as refusal:
            return HookAnswer(HookCallOutcome.NOT_TAKEN, {"says": str(refusal)})
        return HookAnswer(HookCallOutcome.IGNORED) if mapped is None else mapped

    async def _start_onboarding(self, mapping: SourceMapping, mapped: MappedOnboarding) -> HookAnswer:
        try:
            async with asyncio.timeout(START_SECONDS), self._starts:
                started = await self._starting.start(mapping.source, mapped)
        except FileFaults as faults:
            return _answer_to_faults(mapping, faults)
        except launch.IdTaken:
            return HookAnswer(HookCallOutcome.OTHER_CONTENT, {"id": mapped.id})
        except launch.BrokenOff:
            return HookAnswer(HookCallOutcome.BROKEN_OFF, {"id": mapped.id})
        except _AWAY as error:
            _LOGGER.warning("onboarding not started", onboarding=mapped.id, why=type(error).__name__)
            return HookAnswer(HookCallOutcome.NOT_STARTED)
        outcome = HookCallOutcome.CREATED if started.created else HookCallOutcome.KNOWN
        return HookAnswer(outcome, {"id": started.id, "created": started.created})


def _signatures(headers: Mapping[str, str], signed_in: Iterable[str]) -> Iterator[str]:
    bearer = headers.get("authorization", "")
    if bearer[: len(_BEARER)].lower() == _BEARER:
        yield f"{_BEARER}{bearer[len(_BEARER) :].strip()}"
    for name in signed_in:
        if signature := headers.get(name, "").strip():
            yield f"{_ALGORITHM}{signature.removeprefix(_ALGORITHM)}"
    yield from headers.get("webhook-signature", "").split(" ", SIGNATURES_AT_MOST)[:SIGNATURES_AT_MOST]


def _expected(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Iterator[str]:
    """The signatures that this secret may give, kept apart by scheme."""
    yield f"{_BEARER}{secret}"
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    yield f"{_ALGORITHM}{digest.hex()}"
    yield f"{_ALGORITHM}{base64.b64encode(digest).decode()}"
    sent = _instant(headers.get("webhook-timestamp", ""))
    text = _text(body)
    if secret.startswith(SIGNING_KEY) and sent and abs(now - sent) <= APART_AT_MOST and text is not None:
        yield Webhook(secret).sign(msg_id=headers.get("webhook-id", ""), timestamp=sent, data=text)


def _text(body: bytes) -> str | None:
    """None stays None: as text it would have another body's signature."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _instant(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) <= 11 else None


def _answer_to_faults(mapping: SourceMapping, faults: FileFaults) -> HookAnswer:
    """Names the fields; faults of our own files are not the caller's."""
    fields = list(dict.fromkeys(fault.path for fault in faults.faults if fault.file == mapping.file.name))
    if fields:
        return HookAnswer(HookCallOutcome.REFUSED, {"fields": fields})
    _LOGGER.error("onboarding not started", source=mapping.source, why=faults.in_short)
    return HookAnswer(HookCallOutcome.NOT_STARTED)
