"""The receiver of what other systems send to begin onboardings: verify, map, start, answer. It keeps nothing itself.

A caller hears what is wrong by the names of fields, and no value: whoever set the mapping up sees more with
`countersign onboard map`. 503 asks to be called again, and nothing else does.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from temporalio.client import Client
from temporalio.service import RPCError

from activities.directory import Directory, DirectoryFailure
from activities.files.reading import FileFaults, PlainFile
from activities.onboarding.input import PreparedOnboarding, fingerprint_of, prepare_onboarding
from activities.policies.catalogue import Catalogue
from activities.requests.documents import LocalDocuments
from activities.starting import path
from activities.store.failures import StoreFailure
from activities.store.store import Store
from starter import clients
from starter.callback.bounded_json import NotReadable, parse
from starter.callback.receiver import ALTOGETHER_AT_MOST, HEADERS, HELD_AT_MOST, MOST_BYTES
from starter.error_types import Refusal
from starter.hooks.changed import ChangedDeals, OtherContent
from starter.hooks.genuine import is_genuine
from starter.hooks.mapping import MappedOnboarding, MappingFailed, SourceMapping
from starter.outcomes import CallCounter, CallOutcome
from starter.request_bodies import BODY_SECONDS, BodyFault, Incoming
from starter.settings import Settings
from workflows.kinds import Kind, WorkflowName

PATH: Final = "/hooks/onboarding/{source}"
CALLS_AT_ONCE: Final = 500
"""Of those that are complete and genuine: a stranger who stalls takes none of these places."""
STARTS_AT_ONCE: Final = 20
"""Of those that hold; each may check hundreds of parts. The others wait."""
START_SECONDS: Final = 15.0
"""For one start, and the wait for it."""
_LOGGER: Final = structlog.get_logger("countersign.hooks")
_AWAY: Final = (RPCError, StoreFailure, DirectoryFailure, RuntimeError, OSError)
"""What passes; a lazy client that finds no server raises `RuntimeError`, and a time-out is an `OSError`."""


class HookCallOutcome(CallOutcome):
    """What becomes of a call: the answer's status and the reason it is counted under."""

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

    @property
    def hangs_up(self) -> bool:
        """Whether the connection ends: what was not read to its end must not be taken for a next request."""
        return self in (
            HookCallOutcome.STALLED,
            HookCallOutcome.TOO_LARGE,
            HookCallOutcome.UNKNOWN_SOURCE,
            HookCallOutcome.BUSY,
        )


_FAULTS: Final = {
    BodyFault.TOO_LARGE: HookCallOutcome.TOO_LARGE,
    BodyFault.STALLED: HookCallOutcome.STALLED,
    BodyFault.CROWDED: HookCallOutcome.BUSY,
}


@dataclass(frozen=True)
class HookAnswer:
    """What a caller is told."""

    outcome: HookCallOutcome
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HookSource:
    """A system that may call: what vouches for it, and what its JSON becomes."""

    secrets: tuple[SecretStr, ...]
    mapping: SourceMapping

    @classmethod
    def all_of(cls, settings: Settings) -> dict[str, Self]:
        """Every source that has a secret; `FileFaults` for its mapping, `Refusal` when there is no folder of them."""
        secrets, folder = settings.hook.secrets, settings.hook.mappings
        if secrets and folder is None:
            raise Refusal("COUNTERSIGN_HOOK_MAPPINGS: is missing: COUNTERSIGN_HOOK_SECRETS names sources")
        return {one: cls(of, SourceMapping.read(folder or Path(), one)) for one, of in secrets.items()}


@dataclass(frozen=True)
class Starting:
    """What an onboarding is checked against, and started with."""

    settings: Settings
    client: Client
    store: Store
    directory: Directory
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def start(self, source: str, taken: MappedOnboarding) -> path.StartResult:
        """Start or recognise it; raises what the start path does, once the owner is asked about other content.

        One that was started is recognised as well when the deal, or what it is checked against, is not right any more.
        """
        onboarding, others = WorkflowName(Kind.ONBOARDING, taken.id), tuple[str, ...]()
        try:
            prepared = await checked(self.settings, self.directory, taken.file, now=self.clock())
        except FileFaults as faults:
            digest = await self._fingerprint(taken.file, faults)
            starting = path.recognise(self.client, self.store, onboarding, digest, faults)
        else:
            digest, others = prepared.given.fingerprint, (prepared.content.owner, prepared.content.deputy)
            starting = path.start(self.client, self.store, prepared)
        try:
            return await starting
        except path.IdTaken:
            catalogue = await asyncio.to_thread(Catalogue.read, self.settings.policies)
            changed = ChangedDeals(self.client, self.store, self.directory, catalogue)
            other = OtherContent(onboarding, digest, taken.deal, source, others)
            await changed.tell(other, now=self.clock())
            raise

    async def _fingerprint(self, file: PlainFile, faults: FileFaults) -> str:
        """That of a file with faults, which are raised when it has none."""
        try:
            return await asyncio.to_thread(fingerprint_of, file, LocalDocuments(self.settings.signature.max_upload_mb))
        except ValueError:
            raise faults from None


async def checked(
    settings: Settings, directory: Directory, file: PlainFile, *, now: datetime | None = None
) -> PreparedOnboarding:
    """Check an onboarding that a mapping has made, as of now or of another instant; raises what `prepare_onboarding`
    does.
    """
    return await prepare_onboarding(
        file,
        catalogue=await asyncio.to_thread(clients.catalogue, settings),
        directory=directory,
        now=now or datetime.now(UTC),
        documents=LocalDocuments(settings.signature.max_upload_mb),
        templates=settings.policies.parent,
    )


class Hooks:
    """Decides over calls, and starts what those that hold ask for."""

    def __init__(
        self,
        sources: Mapping[str, HookSource],
        starting: Starting,
        tally: CallCounter,
        *,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._sources = sources
        self._starting = starting
        self._tally = tally
        self._body_seconds = body_seconds
        self._at_once = 0
        self._incoming = Incoming("bodies of deals", ALTOGETHER_AT_MOST, HELD_AT_MOST)
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        """The address of the calls."""
        return [Route(PATH, self.answer, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        """The answer to a call as it comes from the network."""
        answer = await self._received(request)
        outcome = answer.outcome
        self._tally.count(outcome)
        headers = HEADERS | ({"connection": "close"} if outcome.hangs_up else {})
        return JSONResponse({"outcome": outcome.reason, **answer.says}, outcome.status, headers)

    async def _received(self, request: Request) -> HookAnswer:
        source = self._sources.get(request.path_params["source"])
        if source is None:
            return HookAnswer(HookCallOutcome.UNKNOWN_SOURCE)
        taken = await self._judged(source, request)
        if isinstance(taken, HookAnswer):
            return taken
        if self._at_once >= CALLS_AT_ONCE:
            return HookAnswer(HookCallOutcome.BUSY)
        self._at_once += 1
        try:
            return await self._started(source.mapping, taken)
        finally:
            self._at_once -= 1

    async def _judged(self, source: HookSource, request: Request) -> MappedOnboarding | HookAnswer:
        """Judged at once, so that nobody has the body any more while an onboarding is started."""
        body = await self._incoming.read(request, limit=MOST_BYTES, seconds=self._body_seconds)
        if isinstance(body, BodyFault):
            return HookAnswer(_FAULTS[body])
        mapping, now = source.mapping, self._starting.clock()
        if not is_genuine(request.headers, body, source.secrets, header=mapping.says.signature, now=now):
            return HookAnswer(HookCallOutcome.FORGED)
        try:
            taken = mapping.file_of(parse(body))
        except NotReadable as refusal:
            return HookAnswer(HookCallOutcome.MALFORMED, {"says": str(refusal)})
        except MappingFailed as refusal:
            return HookAnswer(HookCallOutcome.NOT_TAKEN, {"says": str(refusal)})
        return HookAnswer(HookCallOutcome.IGNORED) if taken is None else taken

    async def _started(self, mapping: SourceMapping, taken: MappedOnboarding) -> HookAnswer:
        try:
            async with asyncio.timeout(START_SECONDS), self._starts:
                started = await self._starting.start(mapping.source, taken)
        except FileFaults as faults:
            return _refused(mapping, faults)
        except path.IdTaken:
            return HookAnswer(HookCallOutcome.OTHER_CONTENT, {"id": taken.id})
        except path.BrokenOff:
            return HookAnswer(HookCallOutcome.BROKEN_OFF, {"id": taken.id})
        except _AWAY as error:
            _LOGGER.warning("onboarding not started", onboarding=taken.id, why=type(error).__name__)
            return HookAnswer(HookCallOutcome.NOT_STARTED)
        outcome = HookCallOutcome.CREATED if started.created else HookCallOutcome.KNOWN
        return HookAnswer(outcome, {"id": started.id, "created": started.created})


def _refused(mapping: SourceMapping, faults: FileFaults) -> HookAnswer:
    """By the names of the fields; a fault of our own catalogue, people or template is not the caller's."""
    fields = list(dict.fromkeys(one.path for one in faults.faults if one.file == mapping.file.name))
    if fields:
        return HookAnswer(HookCallOutcome.REFUSED, {"fields": fields})
    _LOGGER.error("onboarding not started", source=mapping.source, why=faults.in_short)
    return HookAnswer(HookCallOutcome.NOT_STARTED)
