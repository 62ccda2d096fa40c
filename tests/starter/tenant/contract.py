"""A tenant's recorded answers as a contract: our client can read each of them, and the sandbox answers alike."""

import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig, Dialect, NameStyle
from activities.core_signature.wire import WireDocument, WireEvent, WireRequest, WireSigner
from activities.http.client import ServiceFailure
from activities.http.oauth import Credentials
from starter.tenant.listener import TEST_SECRET, judge_callback
from starter.tenant.recording import Exchange, Recording
from starter.tenant.scrubbing import FOREIGN, HOST
from starter.web.receivers.callbacks import CallbackRules

Json = dict[str, Any]
_API: Final = "/api/v1"


async def unread(seen: Recording) -> list[str]:
    """The answers that our client does not read as they are, each with what it made of it."""
    found = []
    for one in seen.calls("core"):
        if one.status is not None and (why := await _misread(seen, one)):
            found.append(f"{one.step}: {one.method} {_template(one.path)} {one.status}: {why}")
    return found


async def _misread(seen: Recording, one: Exchange) -> str:
    call = _call(one)
    if call is None or isinstance(one.body, str):
        return ""
    async with aclosing(_client(seen, one)) as client:
        try:
            made = await call(client)
        except ServiceFailure as failure:
            same = {failure.status, one.status} <= {404, 405} or failure.status == one.status
            return "" if same and not one.ok else str(failure)
    return "" if made == _meant(one) else f"read as {made!r}, meant is {_meant(one)!r}"


def _call(one: Exchange) -> Callable[[CoreSignatureClient], Awaitable[Any]] | None:
    """The client's call of this path; its result as `_meant` says it. None for calls that only a trial makes."""
    path = one.path.removeprefix(_API)
    uuid = path.split("/")[2] if path.count("/") > 2 else ""
    resource = path.split("/")[1]
    requests = ("signature-requests", "signrequests")

    async def document(client: CoreSignatureClient) -> object:
        return _of_document(await client.document(uuid))

    async def created(client: CoreSignatureClient) -> object:
        return _of_document(await client.create_document({}))

    async def documents(client: CoreSignatureClient) -> object:
        return [_of_document(each) for each in await client.documents_of(one.query["external_id"])]

    async def request(client: CoreSignatureClient) -> object:
        return _of_request(await (client.create_request({}) if one.method == "POST" else client.request(uuid)))

    async def events(client: CoreSignatureClient) -> object:
        return [(each.uuid, each.event_type, bool(each.timestamp)) for each in (await client.events()).found]

    async def acted(client: CoreSignatureClient) -> object:
        await client.cancel(uuid)
        return "done"

    async def deleted(client: CoreSignatureClient) -> object:
        await client.delete_document(uuid)
        return "done"

    calls: dict[tuple[str, str, bool], Callable[[CoreSignatureClient], Awaitable[Any]]] = {
        ("GET", "documents", True): document,
        ("POST", "documents", False): created,
        ("DELETE", "documents", True): deleted,
        ("GET", "events", False): events,
        **{("GET", name, True): request for name in requests},
        **{("POST", name, False): request for name in requests},
        **{("POST", name, True): acted for name in requests},
    }
    if "external_id" in one.query:
        calls["GET", "documents", False] = documents
    return calls.get((one.method, resource, bool(uuid)))


def _client(seen: Recording, one: Exchange) -> CoreSignatureClient:
    """A client of a tenant that gives this one answer."""
    known, body = seen.settings, one.body
    if isinstance(body, dict) and "next" in body:
        body = {**body, "next": None}
    action = one.path.rstrip("/").rpartition("/")[2]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "token_type": "Bearer", "expires_in": 900})
        if one.method == "POST" and request.method == "GET":  # whether the request of an action exists at all
            return httpx.Response(200, json={"uuid": "x", "signers": []})
        content = b"" if body is None else json.dumps(body).encode()
        return httpx.Response(one.status or 500, content=content, headers={"content-type": "application/json"})

    config = CoreSignatureConfig(
        url=f"https://{HOST}",
        credentials=Credentials(f"https://{HOST}/token", "id", SecretStr("secret")),
        dialect=Dialect(known["dialect"]),
        name_style=NameStyle(known["name_style"]),
        cancel_paths=(action,),
    )
    return CoreSignatureClient(config, transport=httpx.MockTransport(answer))


def _meant(one: Exchange) -> object:
    told = one.answer
    path = one.path.removeprefix(_API)
    if "results" in told:
        made = _raw_event if path.startswith("/events/") else _raw_document
        return [made(each) for each in one.results]
    if path.startswith("/documents/") and one.method != "DELETE":
        return _raw_document(told)
    return "done" if one.method == "DELETE" or path.count("/") > 3 else _raw_request(told)


def _raw_document(told: Mapping[str, Any]) -> object:
    request = told.get("signrequest") or told.get("signature_request")
    return (told.get("uuid"), told.get("status"), told.get("external_id"), _raw_request(request) if request else None)


def _raw_request(told: Mapping[str, Any]) -> object:
    signers = [
        (one.get("email"), one.get("order"), bool(one.get("signed")), bool(one.get("declined")))
        for one in told["signers"]
    ]
    return (told.get("uuid"), signers)


def _raw_event(told: Mapping[str, Any]) -> object:
    return (str(told.get("uuid")), str(told.get("event_type")), bool(told.get("timestamp")))


def _of_document(document: WireDocument) -> object:
    request = document.request
    return (document.uuid, document.status, document.external_id, _of_request(request) if request else None)


def _of_request(request: WireRequest) -> object:
    return (request.uuid, [(one.email, one.order, one.signed, one.declined) for one in request.signers])


def misjudged(seen: Recording) -> list[str]:
    """Callbacks of which our web process would think otherwise than it did then."""
    rules = CallbackRules((SecretStr(TEST_SECRET),), unsigned=seen.settings["mode"] == "none")
    verdicts = [(call.answer["verdict"], _judge_now(rules, call.sent)) for call in seen.calls("callback")]
    return [f"{then} then, {now} now" for then, now in verdicts if then != now]


def _judge_now(rules: CallbackRules, body: Json) -> str:
    """At the instant of its event."""
    event_time = str(body.get("event_time", ""))
    at = datetime.fromtimestamp(int(event_time) if event_time.isdecimal() else 0, UTC)
    return judge_callback(rules, {"content-type": "application/json"}, json.dumps(body).encode(), at)


READ: Final[Mapping[str, frozenset[str]]] = {
    "document": frozenset(
        {*WireDocument.model_fields, "signrequest", "url", "pdf", "security_hash", "signing_log"} - {"request"}
    ),
    "request": frozenset({*WireRequest.model_fields, "url"}),
    "signer": frozenset(WireSigner.model_fields),
    "event": frozenset({*WireEvent.model_fields} - {"external_id", "unsaid"}),
    "list": frozenset({"count", "next", "results"}),
    "token": frozenset({"access_token", "token_type", "expires_in"}),
    "callback": frozenset({"uuid", "event_type", "event_time", "event_hash", "document", "signer"}),
}
"""The keys that we read, of each thing that a tenant answers with."""


def unlike(tenant: Recording, sandbox: Recording) -> list[str]:
    """Where a tenant answers otherwise than the sandbox in what we read: a key that never comes, or another type."""
    theirs, ours = shapes(tenant), shapes(sandbox)
    found = []
    for thing, keys in READ.items():
        for key in sorted(keys & ours[thing].keys() if thing in theirs else ()):
            here, there = ours[thing][key], theirs[thing].get(key)
            if there is None:
                found.append(f"{thing}: {key} never comes")
            elif here and there and not here & there:
                found.append(f"{thing}: {key} is {'/'.join(sorted(there))}, at the sandbox {'/'.join(sorted(here))}")
    words = {"paths": {_template(one.path) for one in sandbox.calls("core") if one.ok}}
    found += [
        f"{path} is unknown to the sandbox"
        for path in sorted({_template(one.path) for one in tenant.calls("core") if one.ok} - words["paths"])
    ]
    return found


def unknown(tenant: Recording, sandbox: Recording) -> list[str]:
    """Keys that a tenant answers with and the sandbox does not: nothing reads them."""
    theirs, ours = shapes(tenant), shapes(sandbox)
    return [f"{thing}: {key}" for thing in theirs for key in sorted(theirs[thing].keys() - ours[thing].keys())]


def shapes(seen: Recording) -> dict[str, dict[str, set[str]]]:
    """The JSON types of each key of each thing, null aside."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for thing, told in _things(seen):
        for key, value in told.items():
            found[thing][key] |= {_kind(value)} - {"null"}
    return found


def _things(seen: Recording) -> Iterator[tuple[str, Json]]:
    for one in seen.exchanges:
        if one.ok and one.service == "token":
            yield "token", dict(one.answer)
        if one.ok and one.service == "core":
            yield from _of_answer(one)
    yield from (("callback", call.sent) for call in seen.calls("callback"))


def _of_answer(one: Exchange) -> Iterator[tuple[str, Json]]:
    resource = one.path.removeprefix(_API).split("/")[1]
    thing = {"documents": "document", "events": "event"}.get(resource, "request")
    told: Iterable[Json] = [dict(one.answer)] if one.answer else []
    if "results" in one.answer:
        yield "list", dict(one.answer)
        told = [each for each in one.results if each.get("external_id") != FOREIGN]
    for each in told:
        if "uuid" in each:
            yield thing, each
            yield from _inside(each)


def _inside(told: Json) -> Iterator[tuple[str, Json]]:
    request = told.get("signrequest") or told.get("signature_request") or told
    if isinstance(request, dict) and isinstance(request.get("signers"), list):
        if request is not told:
            yield "request", request
        yield from (("signer", one) for one in request["signers"])


_KINDS: Final = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _KINDS[type(value)]


def _template(path: str) -> str:
    return re.sub(r"/text-\d+", "/{uuid}", path)
