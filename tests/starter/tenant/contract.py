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
from starter.tenant.recording import HttpExchange, Recording
from starter.tenant.scrubbing import FOREIGN, HOST
from starter.web.receivers.callbacks import CallbackRules

Json = dict[str, Any]
_API: Final = "/api/v1"


async def list_misread_answers(recording: Recording) -> list[str]:
    """The answers that our client does not read as they are, each with what it made of it."""
    misreadings = []
    for exchange in recording.calls("core"):
        if exchange.status is not None and (difference := await _misread(recording, exchange)):
            misreadings.append(
                f"{exchange.step}: {exchange.method} {_template(exchange.path)} {exchange.status}: {difference}"
            )
    return misreadings


async def _misread(recording: Recording, exchange: HttpExchange) -> str:
    call = _call(exchange)
    if call is None or isinstance(exchange.body, str):
        return ""
    async with aclosing(_client(recording, exchange)) as client:
        try:
            result = await call(client)
        except ServiceFailure as failure:
            is_same_status = {failure.status, exchange.status} <= {404, 405} or failure.status == exchange.status
            return "" if is_same_status and not exchange.ok else str(failure)
    return "" if result == _meant(exchange) else f"read as {result!r}, meant is {_meant(exchange)!r}"


def _call(exchange: HttpExchange) -> Callable[[CoreSignatureClient], Awaitable[Any]] | None:
    """The client's call of this path; its result as `_meant` says it. None for calls that only a trial makes."""
    path = exchange.path.removeprefix(_API)
    uuid = path.split("/")[2] if path.count("/") > 2 else ""
    resource = path.split("/")[1]
    requests = ("signature-requests", "signrequests")

    async def document(client: CoreSignatureClient) -> object:
        return _of_document(await client.document(uuid))

    async def created(client: CoreSignatureClient) -> object:
        return _of_document(await client.create_document({}))

    async def documents(client: CoreSignatureClient) -> object:
        return [
            _of_document(wire_document) for wire_document in await client.documents_of(exchange.query["external_id"])
        ]

    async def request(client: CoreSignatureClient) -> object:
        return _of_request(await (client.create_request({}) if exchange.method == "POST" else client.request(uuid)))

    async def events(client: CoreSignatureClient) -> object:
        return [(event.uuid, event.event_type, bool(event.timestamp)) for event in (await client.events()).resources]

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
    if "external_id" in exchange.query:
        calls["GET", "documents", False] = documents
    return calls.get((exchange.method, resource, bool(uuid)))


def _client(recording: Recording, exchange: HttpExchange) -> CoreSignatureClient:
    """A client of a tenant that gives this one answer."""
    settings, body = recording.settings, exchange.body
    if isinstance(body, dict) and "next" in body:
        body = {**body, "next": None}
    action = exchange.path.rstrip("/").rpartition("/")[2]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "token_type": "Bearer", "expires_in": 900})
        if exchange.method == "POST" and request.method == "GET":  # whether the request of an action exists at all
            return httpx.Response(200, json={"uuid": "x", "signers": []})
        content = b"" if body is None else json.dumps(body).encode()
        return httpx.Response(exchange.status or 500, content=content, headers={"content-type": "application/json"})

    config = CoreSignatureConfig(
        url=f"https://{HOST}",
        credentials=Credentials(f"https://{HOST}/token", "id", SecretStr("secret")),
        dialect=Dialect(settings["dialect"]),
        name_style=NameStyle(settings["name_style"]),
        cancel_paths=(action,),
    )
    return CoreSignatureClient(config, transport=httpx.MockTransport(answer))


def _meant(exchange: HttpExchange) -> object:
    answer = exchange.answer
    path = exchange.path.removeprefix(_API)
    if "results" in answer:
        convert = _raw_event if path.startswith("/events/") else _raw_document
        return [convert(result) for result in exchange.results]
    if path.startswith("/documents/") and exchange.method != "DELETE":
        return _raw_document(answer)
    return "done" if exchange.method == "DELETE" or path.count("/") > 3 else _raw_request(answer)


def _raw_document(document: Mapping[str, Any]) -> object:
    request = document.get("signrequest") or document.get("signature_request")
    return (
        document.get("uuid"),
        document.get("status"),
        document.get("external_id"),
        _raw_request(request) if request else None,
    )


def _raw_request(request: Mapping[str, Any]) -> object:
    signers = [
        (signer.get("email"), signer.get("order"), bool(signer.get("signed")), bool(signer.get("declined")))
        for signer in request["signers"]
    ]
    return (request.get("uuid"), signers)


def _raw_event(event: Mapping[str, Any]) -> object:
    return (str(event.get("uuid")), str(event.get("event_type")), bool(event.get("timestamp")))


def _of_document(document: WireDocument) -> object:
    request = document.request
    return (document.uuid, document.status, document.external_id, _of_request(request) if request else None)


def _of_request(request: WireRequest) -> object:
    return (request.uuid, [(signer.email, signer.order, signer.signed, signer.declined) for signer in request.signers])


def list_changed_verdicts(recording: Recording) -> list[str]:
    """Callbacks of which our web process would think otherwise than it did then."""
    rules = CallbackRules((SecretStr(TEST_SECRET),), unsigned=recording.settings["mode"] == "none")
    verdicts = [(call.answer["verdict"], _judge_now(rules, call.sent)) for call in recording.calls("callback")]
    return [f"{past_verdict} then, {now} now" for past_verdict, now in verdicts if past_verdict != now]


def _judge_now(rules: CallbackRules, body: Json) -> str:
    """At the instant of its event."""
    event_time = str(body.get("event_time", ""))
    instant = datetime.fromtimestamp(int(event_time) if event_time.isdecimal() else 0, UTC)
    return judge_callback(rules, {"content-type": "application/json"}, json.dumps(body).encode(), instant)


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


def list_differences(tenant: Recording, sandbox: Recording) -> list[str]:
    """Where a tenant answers otherwise than the sandbox in what we read: a key that never comes, or another type."""
    tenant_shapes, sandbox_shapes = shapes(tenant), shapes(sandbox)
    differences = []
    for object_type, keys in READ.items():
        for key in sorted(keys & sandbox_shapes[object_type].keys() if object_type in tenant_shapes else ()):
            sandbox_types, tenant_types = sandbox_shapes[object_type][key], tenant_shapes[object_type].get(key)
            if tenant_types is None:
                differences.append(f"{object_type}: {key} never comes")
            elif sandbox_types and tenant_types and not sandbox_types & tenant_types:
                at_tenant, at_sandbox = "/".join(sorted(tenant_types)), "/".join(sorted(sandbox_types))
                differences.append(f"{object_type}: {key} is {at_tenant}, at the sandbox {at_sandbox}")
    sandbox_paths = {_template(exchange.path) for exchange in sandbox.calls("core") if exchange.ok}
    differences += [
        f"{path} is unknown to the sandbox"
        for path in sorted(
            {_template(exchange.path) for exchange in tenant.calls("core") if exchange.ok} - sandbox_paths
        )
    ]
    return differences


def list_unknown_keys(tenant: Recording, sandbox: Recording) -> list[str]:
    """Keys that a tenant answers with and the sandbox does not: nothing reads them."""
    tenant_shapes, sandbox_shapes = shapes(tenant), shapes(sandbox)
    return [
        f"{object_type}: {key}"
        for object_type in tenant_shapes
        for key in sorted(tenant_shapes[object_type].keys() - sandbox_shapes[object_type].keys())
    ]


def shapes(recording: Recording) -> dict[str, dict[str, set[str]]]:
    """The JSON types of each key of each thing, null aside."""
    types_by_key: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for object_type, content in _list_objects(recording):
        for key, value in content.items():
            types_by_key[object_type][key] |= {_kind(value)} - {"null"}
    return types_by_key


def _list_objects(recording: Recording) -> Iterator[tuple[str, Json]]:
    for exchange in recording.exchanges:
        if exchange.ok and exchange.service == "token":
            yield "token", dict(exchange.answer)
        if exchange.ok and exchange.service == "core":
            yield from _of_answer(exchange)
    yield from (("callback", call.sent) for call in recording.calls("callback"))


def _of_answer(exchange: HttpExchange) -> Iterator[tuple[str, Json]]:
    resource = exchange.path.removeprefix(_API).split("/")[1]
    object_type = {"documents": "document", "events": "event"}.get(resource, "request")
    objects: Iterable[Json] = [dict(exchange.answer)] if exchange.answer else []
    if "results" in exchange.answer:
        yield "list", dict(exchange.answer)
        objects = [result for result in exchange.results if result.get("external_id") != FOREIGN]
    for content in objects:
        if "uuid" in content:
            yield object_type, content
            yield from _inside(content)


def _inside(content: Json) -> Iterator[tuple[str, Json]]:
    request = content.get("signrequest") or content.get("signature_request") or content
    if isinstance(request, dict) and isinstance(request.get("signers"), list):
        if request is not content:
            yield "request", request
        yield from (("signer", signer) for signer in request["signers"])


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
