"""The page of a hand-off target behind its own token: deliveries and answers, a test event, replay of what is dead.

The token is given in a form, never in an address. A sealed cookie remembers its hash, which is looked up at each visit.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.files.reading import FileFaults
from activities.hand_off.http_call import send_ping
from activities.http.client import make_client
from activities.notifications.links import BadSeal, Seal
from activities.people.language import Language, phrase
from activities.people.reader import Reader
from activities.people.rights import May, Rights
from activities.policies.catalogue import Catalogue
from activities.records.allowances import Rate
from activities.records.hand_offs import Delivery, Place
from activities.records.store import Store
from activities.records.tokens import sha256_of
from starter.boot import clients
from starter.config.settings import Settings
from starter.queries import targets as replays
from starter.queries.targets import DeadTarget, ReplayedDead, ReplayResult, targets_of
from starter.temporal.codec import CodecError
from starter.temporal.connection import Context, TemporalRefused
from starter.web.allowances import Allowances, Buckets, SharedBuckets
from starter.web.forms import FormFault, FormGuard
from starter.web.rendering import OURS, Brand, Frame, Renderer, Tab
from starter.web.serving import holder_of
from starter.web.status import Chip, Look
from workflows.kinds import named
from workflows.model.commands import KnownBy, Replay
from workflows.model.hand_off import HandoffResult, HandoffState
from workflows.model.policy import Target
from workflows.names import handoff_key, webhook_id

PATH: Final = "/target"
LONGEST_SESSION: Final = timedelta(hours=8)
TRIES_OF_AN_ADDRESS: Final = Rate(burst=10, per_second=1 / 60)
"""Tokens that do not count."""
PRESSES_OF_A_TOKEN: Final = Rate(burst=10, per_second=0.2)
SHOWN_AT_MOST: Final = 50
"""Deliveries of a page."""
TESTED_AT_MOST: Final = 10
"""Addresses of a target that get a test event."""
REPLAYED_AT_MOST: Final = 100
"""Dead deliveries replayed for one click; the next one goes on."""
REPLAYING_SECONDS_AT_MOST: Final = 20.0
"""For one click: browsers and proxies wait about half a minute."""
_COOKIE: Final = "countersign-target"
_ENTER: Final = "target"
_BEHIND: Final = (TemporalRefused, RPCError, TimeoutError, ConnectionError, CodecError, RuntimeError, StoreFailure)
_LOGGER: Final = structlog.get_logger("countersign.target")

Ping = Callable[[Target], Awaitable[HandoffResult]]
"""Sends a test event to one address of a target."""


@dataclass(frozen=True)
class TargetVisitor:
    """A token, and the targets whose page it opens; `name` identifies its forms."""

    token: str
    targets: tuple[str, ...]
    name: str

    @property
    def actor(self) -> str:
        return f"token:{self.token}"


@dataclass(frozen=True)
class DeliveryRow:
    """`message` is the `webhook-id` of its calls, `why` what was answered last, if it was not accepted."""

    id: str
    reference: str
    target: str
    message: str
    about: str
    state: Chip
    why: str
    attempts: int
    at: str
    dead: bool


@dataclass(frozen=True)
class Told:
    """What came of a button."""

    done: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


STATES: Final = {
    HandoffState.PENDING: phrase("tried again"),
    HandoffState.DONE: phrase("accepted"),
    HandoffState.FAILED: phrase("failed"),
    HandoffState.DEAD: phrase("given up"),
}
LOOKS: Final = {
    HandoffState.PENDING: Look.NEAR,
    HandoffState.DONE: Look.GOOD,
    HandoffState.FAILED: Look.BAD,
    HandoffState.DEAD: Look.BAD,
}


class TargetSessions:
    """Sealed cookies: the hash of the token, and since when."""

    def __init__(self, store: Store, secret: SecretStr, base: str, clock: Callable[[], datetime]) -> None:
        parts = urlsplit(base)
        self.root: Final = f"{parts.path.rstrip('/')}{PATH}"
        self._secure = parts.scheme == "https"
        self._seal = Seal(secret, b"countersign/target/session/v1")
        self._store = store
        self._clock = clock

    async def visitor(self, request: Request) -> TargetVisitor | None:
        """Raises `StoreFailure`."""
        cookie = request.cookies.get(_COOKIE, "")
        try:
            sha256, _, since = self._seal.open(cookie).partition("\n")
        except BadSeal:
            return None
        age = self._clock().timestamp() - int(since or 0)
        if not 0 <= age < LONGEST_SESSION.total_seconds():
            return None
        name = base64.urlsafe_b64encode(hashlib.sha256(cookie.encode()).digest()).decode()
        return await self._of(sha256, name)

    async def of_token(self, token: str) -> TargetVisitor | None:
        """Whose it is; its use is noted."""
        found = await self._of(sha256_of(token), "")
        if found:
            await self._store.tokens.used(found.token, self._clock())
        return found

    async def _of(self, sha256: str, name: str) -> TargetVisitor | None:
        found = await self._store.tokens.find_hashed(sha256)
        targets = tuple(right.of for right in Rights.read(found.may).to(May.TARGET)) if found else ()
        return TargetVisitor(found.name, targets, name) if found and targets else None

    def begin(self, response: Response, token: str) -> None:
        text = f"{sha256_of(token)}\n{int(self._clock().timestamp())}"
        response.set_cookie(
            _COOKIE,
            self._seal.seal(text),
            max_age=int(LONGEST_SESSION.total_seconds()),
            path=self.root,
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(_COOKIE, path=self.root, secure=self._secure, httponly=True, samesite="strict")


class TargetPages:
    """`/target` and below; `policies` is the catalogue's path."""

    def __init__(
        self,
        context: Context,
        guard: FormGuard,
        ping: Ping,
        *,
        secret: SecretStr,
        base: str,
        policies: Path,
        brand: Brand = OURS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._guard = guard
        self._ping = ping
        self._policies = policies
        self._clock = clock
        self._sessions = TargetSessions(context.store, secret, base, clock)
        self._renderer = Renderer(brand, desk=self._sessions.root)
        self._allowances = Allowances(context.store, clock)
        self._tries = Buckets(TRIES_OF_AN_ADDRESS, clock)
        self._presses = SharedBuckets(context.store, "press of a target", PRESSES_OF_A_TOKEN, clock)

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PATH, self._guarded(self.front), methods=["GET"]),
            Route(PATH, self._guarded(self.enter), methods=["POST"]),
            Route(f"{PATH}/sign-out", self._guarded(self.leave), methods=["POST"]),
            Route(f"{PATH}/{{name}}", self._guarded(self.show), methods=["GET"]),
            Route(f"{PATH}/{{name}}/test", self._guarded(self.test), methods=["POST"]),
            Route(f"{PATH}/{{name}}/replay", self._guarded(self.replay), methods=["POST"]),
        ]

    def _guarded(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Within the rate limit of an address; what is away is said."""

        async def answer(request: Request) -> Response:
            if self._allowances.address(request):
                return self._card(request, 429, TOO_OFTEN)
            try:
                return await handle(request)
            except _BEHIND as error:
                _LOGGER.warning("a page of a target cannot be shown", why=str(error), kind=type(error).__name__)
                return self._card(request, 503, AWAY)

        return answer

    async def front(self, request: Request) -> Response:
        visitor = await self._sessions.visitor(request)
        return self._renderer.to_desk(visitor.targets[0]) if visitor else self._card(request, 200)

    async def enter(self, request: Request) -> Response:
        """With a token in the form; those that do not count are few from one address."""
        address = holder_of(request.client.host) if request.client else ""
        if self._tries.look(address):
            return self._card(request, 429, TOO_OFTEN)
        form = await self._guard.posted(_ENTER, request)
        if isinstance(form, FormFault):
            return self._card(request, 403, FOREIGN)
        token = form.get("access", "").strip()
        visitor = await self._sessions.of_token(token)
        if visitor is None:
            self._tries.wait(address)
            return self._card(request, 403, NOT_COUNTED)
        answer = self._renderer.to_desk(visitor.targets[0])
        self._sessions.begin(answer, token)
        return answer

    async def leave(self, request: Request) -> Response:
        visitor = await self._sessions.visitor(request)
        answer = self._renderer.to_desk()
        if visitor and not isinstance(await self._guard.posted(visitor.name, request), FormFault):
            self._sessions.end(answer)
        return answer

    async def show(self, request: Request) -> Response:
        visitor = await self._of_target(request)
        return await self._page(request, visitor) if visitor else self._renderer.to_desk()

    async def test(self, request: Request) -> Response:
        return await self._pressed(request, self._test)

    async def replay(self, request: Request) -> Response:
        return await self._pressed(request, self._replay)

    async def _of_target(self, request: Request) -> TargetVisitor | None:
        """None without a token that counts and is for this target."""
        visitor = await self._sessions.visitor(request)
        return visitor if visitor and request.path_params["name"] in visitor.targets else None

    async def _pressed(
        self, request: Request, act: Callable[[Request, TargetVisitor, dict[str, str]], Awaitable[Told]]
    ) -> Response:
        visitor = await self._of_target(request)
        if visitor is None:
            return self._renderer.to_desk()
        form = await self._guard.posted(visitor.name, request)
        if isinstance(form, FormFault):
            return self._card(request, 403, FOREIGN)
        if await self._presses.wait(visitor.token):
            return self._card(request, 429, TOO_OFTEN)
        return await self._page(request, visitor, await act(request, visitor, form))

    async def _test(self, request: Request, visitor: TargetVisitor, form: dict[str, str]) -> Told:
        """A test event to each address that the catalogue has of the target."""
        say, name = _language(request).say, request.path_params["name"]
        try:
            known = await asyncio.to_thread(lambda: targets_of(Catalogue.read(self._policies)))
        except FileFaults:
            return Told(wrong=(say(NO_CATALOGUE),))
        addresses = [one for one in known if one.name == name and one.url][:TESTED_AT_MOST]
        results = await asyncio.gather(*map(self._ping, addresses))
        if not results:
            return Told(wrong=(say("The catalogue has no address of {name} that could be called.", name=name),))
        hosts = [urlsplit(one.url or "").hostname or "" for one in addresses]
        pairs = list(zip(hosts, results, strict=True))
        return Told(
            tuple(say("{host} has accepted a test event.", host=host) for host, one in pairs if one.ok),
            tuple(
                say("{host} has not accepted a test event: {why}.", host=host, why=one.why or "")
                for host, one in pairs
                if not one.ok
            ),
        )

    async def _replay(self, request: Request, visitor: TargetVisitor, form: dict[str, str]) -> Told:
        """One dead delivery, or all, some at a time."""
        language = _language(request)
        one = form.get("delivery", "")
        chosen = self._one(request, one) if one else self._all(request)
        came = ReplayedDead()

        def so_far(found: ReplayedDead) -> None:
            nonlocal came
            came = found

        async def again(dead: DeadTarget) -> ReplayResult:
            wanted = Replay(actor=visitor.actor, known_by=KnownBy.TOKEN, target=dead.target)
            return await replays.replay(self._context, dead, wanted)

        try:
            async with asyncio.timeout(REPLAYING_SECONDS_AT_MOST):
                await replays.replay_each(chosen, again, so_far)
        except TimeoutError:
            done, wrong = _came(came, language)
            return Told(done, (*wrong, language.say("It took too long: press the button again to go on.")))
        return Told(*_came(came, language))

    async def _one(self, request: Request, delivery: str) -> AsyncIterator[DeadTarget]:
        """A delivery of this target by its `DeliveryRow.id`, if it is dead."""
        workflow_id, _, target = delivery.partition(" ")
        found = await self._context.store.hand_offs.delivery(workflow_id, target)
        what = named(workflow_id)
        if what and found and found.state is HandoffState.DEAD:
            dead = DeadTarget(what, found.target, found.at)
            if dead.name == request.path_params["name"]:
                yield dead

    async def _all(self, request: Request) -> AsyncIterator[DeadTarget]:
        count = 0
        async for dead in replays.all_dead(self._context, target=request.path_params["name"]):
            if count == REPLAYED_AT_MOST:
                return
            count += 1
            yield dead

    async def _page(self, request: Request, visitor: TargetVisitor, told: Told | None = None) -> Response:
        language, name = _language(request), request.path_params["name"]
        reader, now = Reader.unknown(language), self._clock()
        after = _place(request.query_params.get("from", ""))
        found = await self._context.store.hand_offs.of_target(name, SHOWN_AT_MOST + 1, after)
        shown, told = found[:SHOWN_AT_MOST], told or Told()
        rows = [_row(one, reader, now) for one in shown]
        return self._renderer.page(
            "target.html",
            language,
            frame=Frame(visitor.token, _tabs(visitor, name), self._guard.token(visitor.name), leave=True, person=False),
            name=name,
            rows=rows,
            dead=any(row.dead for row in rows),
            more=quote(_written(shown[-1].place)) if len(found) > len(shown) else "",
            done=told.done,
            wrong=told.wrong,
            replayed_at_most=REPLAYED_AT_MOST,
        )

    def _card(self, request: Request, status: int, why: str = "") -> Response:
        """The form for a token, with why something was not done."""
        language = _language(request)
        return self._renderer.page(
            "target_token.html",
            language,
            frame=Frame(),
            status=status,
            token=self._guard.token(_ENTER),
            why=language.say(why) if why else "",
        )


TOO_OFTEN: Final = phrase("That was too often. Please try again in a minute.")
AWAY: Final = phrase("This page cannot be shown at the moment. Please try again in a minute.")
FOREIGN: Final = phrase("This was not done: open the page again, and send its form.")
NOT_COUNTED: Final = phrase("This token is not valid, or is for no target.")
NO_CATALOGUE: Final = phrase("The catalogue cannot be read at the moment.")


def _language(request: Request) -> Language:
    return Language.accepted(request.headers.get("accept-language", ""))


def _tabs(visitor: TargetVisitor, here: str) -> tuple[Tab, ...]:
    return tuple(Tab(one, one, one == here) for one in visitor.targets)


def _row(one: Delivery, reader: Reader, now: datetime) -> DeliveryRow:
    what = named(one.workflow_id)
    reference = what.reference if what else one.workflow_id
    return DeliveryRow(
        id=f"{one.workflow_id} {one.target}",
        reference=reference,
        target=one.target,
        message=webhook_id(handoff_key(reference, one.target)),
        about=", ".join(filter(None, (one.kind, one.status))),
        state=Chip(reader.language.say(STATES[one.state]), LOOKS[one.state]),
        why=one.why or "",
        attempts=one.attempts,
        at=reader.shortly(one.at, now),
        dead=one.state is HandoffState.DEAD,
    )


def _written(place: Place) -> str:
    return f"{place.at.isoformat()} {place.workflow_id} {place.target}"


def _place(written: str) -> Place | None:
    """None for nonsense: then the newest are shown."""
    parts = written.split(" ")
    try:
        at = datetime.fromisoformat(parts[0])
    except ValueError:
        return None
    return Place(at, *parts[1:]) if len(parts) == 3 and at.tzinfo else None


def _came(came: ReplayedDead, language: Language) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was told, and what was not."""
    say_count = language.say_count
    done = say_count("{count} delivery was accepted.", "{count} deliveries were accepted.", came.told)
    tried = say_count(
        "{count} delivery was not accepted yet and is tried again.",
        "{count} deliveries were not accepted yet and are tried again.",
        came.tried,
    )
    refused = say_count("{count} delivery cannot be replayed.", "{count} deliveries cannot be replayed.", came.refused)
    left = say_count(
        "{count} delivery was left: nothing was accepted.",
        "{count} deliveries were left: nothing was accepted.",
        came.left,
    )
    wrong = ((came.tried, tried), (came.refused, refused), (came.left, left))
    if not came.seen:
        return (language.say("Nothing is dead."),), ()
    return (done,) if came.told else (), tuple(words for count, words in wrong if count)


def target_pages(settings: Settings, context: Context, guard: FormGuard, *, brand: Brand) -> TargetPages:
    async def ping(target: Target) -> HandoffResult:
        async with make_client() as calls:
            return await send_ping(clients.downstream(settings, calls), target)

    return TargetPages(
        context,
        guard,
        ping,
        secret=settings.link_secret,
        base=settings.link_base,
        policies=settings.policies,
        brand=brand,
    )
