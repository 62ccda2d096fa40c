"""Receives device registrations from the company's app back end, and what the app reports of notifications
(docs/devices.md, docs/app.md).

Answers contain no address. Only 503 asks to be called again.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from activities.errors import StoreFailure
from activities.files.fields import DeviceToken
from activities.metrics import APP_EVENTS, DEVICES
from activities.people.devices import Devices
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.people.person import Person, Platform, PushDevice
from activities.records.app_pushes import AppPushes, ReportedEvent
from starter.web.http import bodies
from workflows.model.notifications import AppEventType

PATH: Final = "/devices/{person}"
EVENTS_PATH: Final = f"{PATH}/events"
BYTES_AT_MOST: Final = 16 * 1024
"""The push address alone has up to 4,096."""
EVENTS_AT_MOST: Final = 500
"""Of one call."""
EVENTS_BYTES_AT_MOST: Final = 128 * 1024
"""An event has some 150."""
CALLS_AT_ONCE: Final = 100
_LOGGER: Final = structlog.get_logger("countersign.devices")


class DeviceCallOutcome(bodies.CallOutcome):
    """The answer's status and the reason counted."""

    REGISTERED = (201, "registered")
    SEEN = (200, "seen")
    NOTED = (200, "noted")
    GONE = (200, "gone")
    WITHDRAWN = (200, "withdrawn")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    FORGED = (401, "forged")
    OFF = (404, "off")
    UNKNOWN_PERSON = (404, "unknown_person")
    TOO_LARGE = (413, "too_large")
    NOT_JSON = (415, "not_json")
    NOT_KEPT = (503, "not_kept")
    BUSY = (503, "busy")


class Registration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["token", "fid"] = "token"
    value: Annotated[DeviceToken, Field(repr=False)]
    platform: Platform
    registered_at: AwareDatetime | None = None
    """When the app was registered; else now."""
    replaces: Annotated[DeviceToken | None, Field(repr=False)] = None
    """The phone's former address, which gets nothing any more."""

    @property
    def device(self) -> PushDevice:
        of_kind = {self.kind: self.value}
        return PushDevice.model_validate({**of_kind, "platform": self.platform}).model_copy(
            update={"registered_at": self.registered_at}
        )


class Withdrawal(BaseModel):
    """May contain the fields of the registration."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: Annotated[DeviceToken, Field(repr=False)]


class Event(BaseModel):
    """`key` and `stage` are those of the push's data, `device` is the answer's to the registration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: AppEventType
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
    stage: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
    device: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    at: AwareDatetime

    @property
    def reported(self) -> ReportedEvent:
        return ReportedEvent(self.type, self.key, self.stage, self.device, self.at)


class EventReport(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[tuple[Event, ...], Field(max_length=EVENTS_AT_MOST)]


class _CallSpec(NamedTuple):
    """What a method's body is; `content` in words."""

    model: type[Registration | Withdrawal | EventReport]
    content: str
    bytes_at_most: int = BYTES_AT_MOST


_CALLS: Final = {
    "PUT": _CallSpec(Registration, "one device"),
    "DELETE": _CallSpec(Withdrawal, "one device"),
    "POST": _CallSpec(EventReport, "events", EVENTS_BYTES_AT_MOST),
}


@dataclass(frozen=True)
class DeviceAnswer:
    outcome: DeviceCallOutcome
    says: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def saying(cls, outcome: DeviceCallOutcome, sentence: str) -> "DeviceAnswer":
        return cls(outcome, {"says": sentence})


class DeviceReceiver:
    """Without keys there is no such address."""

    def __init__(
        self,
        keys: tuple[SecretStr, ...],
        devices: Devices,
        directory: Directory,
        app_pushes: AppPushes,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        body_seconds: float = bodies.BODY_SECONDS,
    ) -> None:
        self._keys = keys
        self._devices = devices
        self._directory = directory
        self._app_pushes = app_pushes
        self._tally = bodies.CallCounter(DEVICES, DeviceCallOutcome)
        self._clock = clock
        self._body_seconds = body_seconds
        self._at_once = 0

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, self.answer, methods=["PUT", "DELETE"]),
            Route(EVENTS_PATH, self.answer, methods=["POST"]),
        ]

    async def answer(self, request: Request) -> Response:
        answer = await self._received(request)
        outcome = answer.outcome
        self._tally.count(outcome)
        headers = bodies.HEADERS | ({"connection": "close"} if outcome.hangs_up else {})
        if outcome is DeviceCallOutcome.FORGED:
            headers |= {"www-authenticate": "Bearer"}
        return JSONResponse({"outcome": outcome.reason, **answer.says}, outcome.status, headers)

    async def _received(self, request: Request) -> DeviceAnswer:
        if not self._keys:
            return DeviceAnswer(DeviceCallOutcome.OFF)
        if not self._is_ours(request.headers.get("authorization", "")):
            return DeviceAnswer(DeviceCallOutcome.FORGED)
        if not bodies.is_json(request.headers.get("content-type", "application/json")):
            return DeviceAnswer.saying(DeviceCallOutcome.NOT_JSON, "the body must be application/json")
        if self._at_once >= CALLS_AT_ONCE:
            return DeviceAnswer(DeviceCallOutcome.BUSY)
        self._at_once += 1
        try:
            spec = _CALLS[request.method]
            body = await bodies.read_body(request.receive, limit=spec.bytes_at_most, seconds=self._body_seconds)
            if isinstance(body, bodies.BodyFault):
                return DeviceAnswer(DeviceCallOutcome.of_fault(body))
            return await self._handle(request.path_params["person"], spec, body)
        finally:
            self._at_once -= 1

    def _is_ours(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        given_bytes = token.strip().encode("utf-8", "replace")
        # All are compared before one counts, so that the time taken does not tell which it was.
        matches = [hmac.compare_digest(key.get_secret_value().encode(), given_bytes) for key in self._keys]
        return scheme.lower() == "bearer" and any(matches)

    async def _handle(self, person: str, spec: _CallSpec, body: bytes) -> DeviceAnswer:
        try:
            call = spec.model.model_validate(bodies.parse_object(body))
        except bodies.NotReadable as fault:
            return DeviceAnswer.saying(
                DeviceCallOutcome.MALFORMED, f"the body is {fault}: an object of {spec.content} is wanted"
            )
        except ValidationError as fault:
            return DeviceAnswer.saying(DeviceCallOutcome.MALFORMED, _in_words(fault))
        try:
            owner = await self._directory.person(person)
            return await self._keep(owner, call)
        except UnknownPerson:
            return DeviceAnswer.saying(
                DeviceCallOutcome.UNKNOWN_PERSON, "nobody of the people file has this id: call again once one has"
            )
        except (StoreFailure, DirectoryFailure) as failure:
            _LOGGER.warning("device or event not kept", why=str(failure))
            return DeviceAnswer(DeviceCallOutcome.NOT_KEPT)

    async def _keep(self, person: Person, call: Registration | Withdrawal | EventReport) -> DeviceAnswer:
        now = self._clock()
        if isinstance(call, EventReport):
            return await self._note_events(person, call, now)
        if isinstance(call, Withdrawal):
            return DeviceAnswer(
                DeviceCallOutcome.WITHDRAWN, {"device": await self._devices.withdraw(person, call.value, now)}
            )
        registered = await self._devices.register(person.id, call.device, now)
        if call.replaces and call.replaces != call.value:
            await self._devices.supersede(person, call.replaces, now)
        details = {"device": registered.device, **({"moved": True} if registered.has_moved else {})}
        if registered.reason:
            sentence = f"nothing is sent there: {registered.reason} since; without registered_at it is registered anew"
            return DeviceAnswer(DeviceCallOutcome.GONE, {**details, "says": sentence})
        return DeviceAnswer(DeviceCallOutcome.REGISTERED if registered.new else DeviceCallOutcome.SEEN, details)

    async def _note_events(self, person: Person, report: EventReport, now: datetime) -> DeviceAnswer:
        events = [event.reported for event in report.events]
        counts = (await self._app_pushes.report(person.id, events, now))._asdict()
        for outcome, count in counts.items():
            APP_EVENTS.add(count, outcome=outcome)
        return DeviceAnswer(DeviceCallOutcome.NOTED, counts)


def _in_words(fault: ValidationError) -> str:
    """Wrong fields and what would be right, without a value."""
    errors = fault.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, error['loc']))}: {_explain(error['type'], error['msg'])}" for error in errors[:10]
    )


def _explain(type: str, message: str) -> str:
    match type:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known"
        case _:
            return message.removeprefix("Value error, ").replace("Input should be", "must be")
