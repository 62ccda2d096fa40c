"""FCM's HTTP v1 send, the AppWorks Gateway, and cloud messaging."""

import base64
import hmac
import json
import re
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.http.errors import appworks_error
from deploy.sandbox.http.oauth import Tokens, bearer
from deploy.sandbox.push.browsers import BrowserPushApi
from deploy.sandbox.push.phones import FcmRefusal, PhoneNetwork, address_of
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import Push, new_uuid
from deploy.sandbox.state.state import SandboxState

TARGETS = ("token", "fid", "topic", "condition")
RESERVED_KEY = re.compile(r"from|message_type|(?:google|gcm).*")
TTL = re.compile(r"(\d+)(?:\.\d{1,9})?s")
TOPIC_NAME = re.compile(r"[A-Za-z0-9_.~%-]+")
WEB_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
MOST_BYTES = 4096
MOST_BYTES_TO_TOPICS = 2048
LONGEST_TTL = 2_419_200
LONGEST_COLLAPSE_ID = 64
Json = dict[str, Any]
Shape = dict[str, Any]
SENDER_PERMISSION = "Permission 'cloudmessaging.messages.create' denied on the project."
RECIPIENTS = ("users", "clientIds", "otdsGroups", "runtimes")
CONTENT = ("title", "summary", "data")
TEXTS = ("title", "summary", "collapseKey")


def validate(message: Json) -> None:
    """Raise `FcmRefusal` for the first broken rule."""
    for rule in (_one_target, _data, _android, _apns, _webpush, _size):
        rule(message)


def payload_bytes(message: Json) -> int:
    """Bytes of keys and values on the platform with the most."""
    common = text_bytes({name: message.get(name, {}) for name in ("notification", "data")})
    places = (
        ("android.notification", "android.data"),
        ("apns.payload",),
        ("webpush.notification", "webpush.data", "webpush.fcm_options"),
    )
    return common + max(sum(text_bytes(_value_at(message, path) or {}) for path in group) for group in places)


def text_bytes(value: Any) -> int:
    """UTF-8 bytes of all keys and values inside."""
    if isinstance(value, dict):
        return sum(text_bytes(key) + text_bytes(inner) for key, inner in value.items())
    if isinstance(value, list):
        return sum(text_bytes(item) for item in value)
    return len(str(value).encode(errors="surrogatepass"))


class FieldType(StrEnum):
    """A field's type in Google's terms."""

    TEXT = "TYPE_STRING"
    FLAG = "TYPE_BOOL"
    NUMBER = "TYPE_INT32"
    TEXTS = "list of TYPE_STRING"
    MAP = "map of TYPE_STRING"
    STRUCT = "google.protobuf.Struct"


def _texts(names: str) -> Shape:
    return dict.fromkeys(names.split(), FieldType.TEXT)


NOTIFICATION = _texts("title body image")
ANDROID_NOTIFICATION: Shape = {
    **_texts("title body icon color sound tag click_action channel_id image title_loc_key body_loc_key"),
    **_texts("notification_priority visibility event_time ticker proxy"),
    **dict.fromkeys(("title_loc_args", "body_loc_args", "vibrate_timings"), FieldType.TEXTS),
    **dict.fromkeys(("sticky", "local_only", "default_sound", "default_vibrate_timings"), FieldType.FLAG),
    "default_light_settings": FieldType.FLAG,
    "notification_count": FieldType.NUMBER,
    "light_settings": FieldType.STRUCT,
}
MESSAGE: Shape = {
    **_texts("name token fid topic condition"),
    "notification": NOTIFICATION,
    "data": FieldType.MAP,
    "android": {
        **_texts("collapse_key priority ttl restricted_package_name"),
        "data": FieldType.MAP,
        "direct_boot_ok": FieldType.FLAG,
        "fcm_options": _texts("analytics_label"),
        "notification": ANDROID_NOTIFICATION,
    },
    "apns": {"headers": FieldType.MAP, "payload": FieldType.STRUCT, "fcm_options": _texts("analytics_label image")},
    "webpush": {
        "headers": FieldType.MAP,
        "data": FieldType.MAP,
        "notification": FieldType.STRUCT,
        "fcm_options": _texts("link analytics_label"),
    },
    "fcm_options": _texts("analytics_label"),
}
REQUEST: Shape = {"validate_only": FieldType.FLAG, "message": MESSAGE}


def parse_request(value: Any, shape: Shape | FieldType = REQUEST, path: str = "") -> Any:
    """The value with known names in snake_case; `FcmRefusal` for an unknown name or a wrong type."""
    if isinstance(shape, FieldType):
        return _leaf(value, shape, path)
    if not isinstance(value, dict):
        raise FcmRefusal.unparsable(path, f"Invalid value at '{path}', an object is expected")
    read: Shape = {}
    for given_name, inner in value.items():
        name = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), given_name)
        if name not in shape:
            raise FcmRefusal.unparsable(path, f"Unknown name \"{given_name}\" at '{path}': Cannot find field.")
        if inner is not None:
            read[name] = parse_request(inner, shape[name], f"{path}.{name}".lstrip("."))
    return read


class FcmApi:
    """With a token endpoint of its own."""

    def __init__(self, state: SandboxState, phones: PhoneNetwork, tokens: Tokens) -> None:
        self._state = state
        self._phones = phones
        self._tokens = tokens

    def routes(self) -> list[Route]:
        return [
            Route("/push/oauth2/token", self._tokens.answer, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self.send, methods=["POST"]),
        ]

    async def send(self, request: Request) -> Response:
        """200 `{"name"}` once the device has the message, else FCM's error body."""
        message: Json = {}
        try:
            self._authorise(request)
            body = parse_request(await _json(request))
            message = body.get("message", {})
            return JSONResponse({"name": self._deliver(message, request, only_check=body.get("validate_only", False))})
        except FcmRefusal as refusal:
            facts = {"token": address_of(message), "status": refusal.status, "code": refusal.error_code}
            self._state.ledger.write(EntryType.PUSH_REFUSED, **facts)
            return JSONResponse(refusal.body(), refusal.status)

    def _authorise(self, request: Request) -> None:
        token = bearer(request)
        if token is None or not self._tokens.accepts(token):
            raise FcmRefusal(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
        if request.path_params["project"] != self._state.settings.push_project:
            raise FcmRefusal(403, SENDER_PERMISSION)

    def _deliver(self, message: Json, request: Request, *, only_check: bool) -> str:
        validate(message)
        person = self._phones.check_message(message) or "topic"
        prefix = f"projects/{request.path_params['project']}/messages/"
        if only_check:
            return prefix + "fake_message_id"
        return prefix + self._phones.receive(person, message).uuid


class AppWorksApi:
    """One message for many users, without results by device."""

    def __init__(self, state: SandboxState, phones: PhoneNetwork) -> None:
        self._state = state
        self._phones = phones

    def routes(self) -> list[Route]:
        return [Route("/deployments/notifications/{app}/fcm-push", self.send, methods=["POST"])]

    async def send(self, request: Request) -> Response:
        """200 `{"success": true}`, or `{key, errorMessage, entity, status}`."""
        settings = self._state.settings
        if not hmac.compare_digest(request.headers.get("otagappkey", "").encode(), settings.push_app_key.encode()):
            return self._refuse(401, "unauthorized", "The application key is missing or wrong.")
        if request.path_params["app"] != settings.push_app:
            return self._refuse(404, "app.unknown", "No such application is deployed.")
        try:
            body = await request.json()
        except ValueError:
            return self._refuse(400, "body.unreadable", "The body is not JSON.")
        if problem := _problem(body):
            return self._refuse(400, "request.invalid", problem)
        for user in body.get("users", []):
            self._phones.save(self._push(user, body))
        return JSONResponse({"success": True})

    def _push(self, user: str, body: Json) -> Push:
        data = {name: str(value) for name, value in body.get("data", {}).items()}
        inner = body.get("data", {}).get(self._state.settings.push_app, {})
        app_data = inner if isinstance(inner, dict) else {}
        return Push(
            at=self._state.settings.clock(),
            person=user,
            token=None,
            key=body.get("collapseKey"),
            title=body.get("title"),
            text=body.get("summary"),
            link=app_data.get("link") or data.get("link"),
            action=app_data.get("action") or data.get("action"),
            data=data,
            message=body,
        )

    def _refuse(self, status: int, key: str, message: str) -> Response:
        self._state.ledger.write(EntryType.PUSH_REFUSED, token=None, status=status, code=key)
        return JSONResponse(appworks_error(status, key, message), status)


class CloudMessagingApi:
    """One message to one or more destinations is a job; it arrives at once."""

    def __init__(self, state: SandboxState) -> None:
        self.delivery_state = "Sent"
        """Of every job: `Sent`, `Error`, or `Pending` for one that never ends."""
        self._state = state
        self._jobs: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            Route("/mra/v1/outbound/sms", self.send_sms, methods=["POST"]),
            Route("/mra/v1/outbound/emails", self.send_emails, methods=["POST"]),
            Route("/mra/v1/outbound/{kind}/status/{job}", self.job_state),
        ]

    async def send_sms(self, request: Request) -> Response:
        """200 `{"job_id"}` once every number has the SMS."""
        return await self._send(request, "sms", lambda body: body["sms_text"])

    async def send_emails(self, request: Request) -> Response:
        """200 `{"job_id"}` once every mailbox has the mail."""
        return await self._send(request, "email", lambda body: base64.b64decode(body["body"][0]["data"]).decode())

    async def job_state(self, request: Request) -> Response:
        if not self._is_authorised(request):
            return _refusal(401, "unauthorized")
        if request.path_params["job"] not in self._jobs:
            return _refusal(404, "no such job")
        state = self.delivery_state
        job_status = "Completed" if state in ("Sent", "Error") else "InProcess"
        return JSONResponse({"job_state": [job_status], "deliveries": [{"delivery_attempts": [{"state": state}]}]})

    async def _send(self, request: Request, kind: str, text_of: Any) -> Response:
        if not self._is_authorised(request):
            return _refusal(401, "unauthorized")
        try:
            body = await request.json()
            addresses = [destination[kind] for destination in body["destinations"]]
            text = text_of(body)
            subject = body["options"]["email_options"]["subject"] if kind == "email" else ""
        except (ValueError, KeyError, TypeError, IndexError):
            return _refusal(400, "the message is malformed")
        if not addresses or not all(isinstance(text_part, str) and text_part for text_part in [*addresses, text]):
            return _refusal(400, "a destination and a text are required")
        job = f"xsi-{new_uuid()}"
        self._jobs.add(job)
        link = next((url for url in text.split() if url.startswith(("https://", "http://"))), None)
        reference = request.headers.get("x-mra-submitid")
        for address in addresses:
            self._state.deliver_mail(address, kind=kind, subject=subject, text=text, path=link)
            self._state.ledger.write(EntryType.MESSAGE, job=job, kind=kind, to=address, text=text, reference=reference)
        return JSONResponse({"job_id": job})

    def _is_authorised(self, request: Request) -> bool:
        settings = self._state.settings
        pair = base64.b64encode(f"{settings.mra_user}:{settings.mra_password}".encode()).decode()
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {pair}".encode())


class PushServices:
    def __init__(self, state: SandboxState) -> None:
        settings = state.settings
        self.phones = PhoneNetwork(state)
        self.tokens = Tokens("push", settings.push_client_id, settings.push_client_secret, state)
        self.cloud_messaging = CloudMessagingApi(state)
        apps = FcmApi(state, self.phones, self.tokens), AppWorksApi(state, self.phones)
        self._apis = *apps, BrowserPushApi(state, self.phones), self.cloud_messaging

    def routes(self) -> list[Route]:
        return [route for api in self._apis for route in api.routes()]


def _one_target(message: Json) -> None:
    named_targets = [name for name in TARGETS if name in message]
    if len(named_targets) != 1:
        raise FcmRefusal.invalid("message", "Exactly one of token, fid, topic or condition is required.")
    if not message[named_targets[0]]:
        raise FcmRefusal.invalid(f"message.{named_targets[0]}", "The target must not be empty.")
    if "topic" in message and not TOPIC_NAME.fullmatch(message["topic"]):
        raise FcmRefusal.invalid("message.topic", "Malformed topic name.")


def _data(message: Json) -> None:
    for path in ("data", "android.data", "webpush.data"):
        for key in _value_at(message, path) or {}:
            if not key or RESERVED_KEY.fullmatch(key):
                raise FcmRefusal.invalid(f"message.{path}", f"Invalid data payload key: {key}")


def _android(message: Json) -> None:
    android = message.get("android", {})
    if android.get("priority", "NORMAL").upper() not in {"NORMAL", "HIGH"}:
        raise FcmRefusal.invalid("message.android.priority", "The priority must be NORMAL or HIGH.")
    ttl = android.get("ttl")
    match = TTL.fullmatch(ttl) if ttl is not None else None
    if ttl is not None and (match is None or int(match[1]) > LONGEST_TTL):
        raise FcmRefusal.invalid("message.android.ttl", "Invalid time to live.")


def _apns(message: Json) -> None:
    if "apns" not in message:
        return
    headers = {name.lower(): value for name, value in message["apns"].get("headers", {}).items()}
    if len(headers.get("apns-collapse-id", "").encode()) > LONGEST_COLLAPSE_ID:
        raise FcmRefusal.invalid("message.apns.headers", "apns-collapse-id is longer than 64 bytes.")
    priority = headers.get("apns-priority", "10")
    if priority not in {"1", "5", "10"}:
        raise FcmRefusal.invalid("message.apns.headers", "Invalid apns-priority.")
    is_shown = "notification" in message or bool(_value_at(message, "apns.payload.aps.alert"))
    if not is_shown and priority == "10":
        raise FcmRefusal.invalid("message.apns.headers", "A data-only message needs apns-priority 5.")


def _webpush(message: Json) -> None:
    link = _value_at(message, "webpush.fcm_options.link")
    if link is not None and (urlsplit(link).scheme != "https" or not urlsplit(link).hostname):
        raise FcmRefusal.invalid("message.webpush.fcm_options.link", "The link must be an https URL.")
    headers = {name.lower(): value for name, value in (_value_at(message, "webpush.headers") or {}).items()}
    if "topic" in headers and not WEB_TOPIC.fullmatch(headers["topic"]):
        raise FcmRefusal.invalid("message.webpush.headers", "Topic: at most 32 characters of the URL-safe alphabet.")
    if headers.get("urgency", "normal") not in {"very-low", "low", "normal", "high"}:
        raise FcmRefusal.invalid("message.webpush.headers", "Invalid Urgency.")
    if not headers.get("ttl", "0").isdecimal():
        raise FcmRefusal.invalid("message.webpush.headers", "Invalid TTL.")


def _size(message: Json) -> None:
    limit_bytes = MOST_BYTES if "token" in message or "fid" in message else MOST_BYTES_TO_TOPICS
    if payload_bytes(message) > limit_bytes:
        # The real service gives no FCM code with this one.
        raise FcmRefusal(400, f"Android message is too big: at most {limit_bytes} bytes.")


def _value_at(message: Json, path: str) -> Any:
    inner_value: Any = message
    for name in path.split("."):
        inner_value = inner_value.get(name) if isinstance(inner_value, dict) else None
    return inner_value


def _leaf(value: Any, kind: FieldType, path: str) -> Any:
    fits = {
        FieldType.TEXT: isinstance(value, str),
        FieldType.FLAG: isinstance(value, bool),
        FieldType.NUMBER: isinstance(value, int) and not isinstance(value, bool),
        FieldType.TEXTS: isinstance(value, list) and all(isinstance(item, str) for item in value),
        FieldType.MAP: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
        FieldType.STRUCT: isinstance(value, dict),
    }
    if not fits[kind]:
        raise FcmRefusal.unparsable(path, f"Invalid value at '{path}' ({kind.value})")
    return value


async def _json(request: Request) -> Any:
    try:
        body = await request.json()
        # JSON can contain half a surrogate pair, which Google's parser refuses.
        json.dumps(body, ensure_ascii=False).encode()
        return body
    except ValueError:
        raise FcmRefusal.unparsable("", "The body is not JSON.") from None


def _problem(body: Any) -> str | None:
    if not isinstance(body, dict):
        return "An object is expected."
    if not any(body.get(name) for name in CONTENT):
        return "One of title, summary and data is required."
    if not body.get("broadcast") and not any(body.get(name) for name in RECIPIENTS):
        return "At least one recipient is required."
    texts = [body[name] for name in TEXTS if body.get(name) is not None]
    users, data = body.get("users", []), body.get("data", {})
    if not isinstance(users, list) or not isinstance(data, dict):
        return "users has to be a list, data a map."
    if not all(isinstance(text, str) for text in [*texts, *users]):
        return "Texts and users have to be strings."
    return None


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
