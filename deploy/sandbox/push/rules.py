"""What FCM refuses although the JSON is well formed."""

import re
from typing import Any
from urllib.parse import urlsplit

from deploy.sandbox.push.errors import FcmRefused

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


def validate(message: Json) -> None:
    """Raise `FcmRefused` for the first rule the message breaks."""
    for rule in (_one_target, _data, _android, _apns, _webpush, _size):
        rule(message)


def _one_target(message: Json) -> None:
    given = [name for name in TARGETS if name in message]
    if len(given) != 1:
        raise FcmRefused.invalid("message", "Exactly one of token, fid, topic or condition is required.")
    if not message[given[0]]:
        raise FcmRefused.invalid(f"message.{given[0]}", "The target must not be empty.")
    if "topic" in message and not TOPIC_NAME.fullmatch(message["topic"]):
        raise FcmRefused.invalid("message.topic", "Malformed topic name.")


def _data(message: Json) -> None:
    for place in ("data", "android.data", "webpush.data"):
        for key in _at(message, place) or {}:
            if not key or RESERVED_KEY.fullmatch(key):
                raise FcmRefused.invalid(f"message.{place}", f"Invalid data payload key: {key}")


def _android(message: Json) -> None:
    android = message.get("android", {})
    if android.get("priority", "NORMAL").upper() not in {"NORMAL", "HIGH"}:
        raise FcmRefused.invalid("message.android.priority", "The priority must be NORMAL or HIGH.")
    ttl = android.get("ttl")
    match = TTL.fullmatch(ttl) if ttl is not None else None
    if ttl is not None and (match is None or int(match[1]) > LONGEST_TTL):
        raise FcmRefused.invalid("message.android.ttl", "Invalid time to live.")


def _apns(message: Json) -> None:
    if "apns" not in message:
        return
    headers = {name.lower(): value for name, value in message["apns"].get("headers", {}).items()}
    if len(headers.get("apns-collapse-id", "").encode()) > LONGEST_COLLAPSE_ID:
        raise FcmRefused.invalid("message.apns.headers", "apns-collapse-id is longer than 64 bytes.")
    priority = headers.get("apns-priority", "10")
    if priority not in {"1", "5", "10"}:
        raise FcmRefused.invalid("message.apns.headers", "Invalid apns-priority.")
    shown = "notification" in message or bool(_at(message, "apns.payload.aps.alert"))
    if not shown and priority == "10":
        raise FcmRefused.invalid("message.apns.headers", "A data-only message needs apns-priority 5.")


def _webpush(message: Json) -> None:
    link = _at(message, "webpush.fcm_options.link")
    if link is not None and (urlsplit(link).scheme != "https" or not urlsplit(link).hostname):
        raise FcmRefused.invalid("message.webpush.fcm_options.link", "The link must be an https URL.")
    headers = {name.lower(): value for name, value in (_at(message, "webpush.headers") or {}).items()}
    if "topic" in headers and not WEB_TOPIC.fullmatch(headers["topic"]):
        raise FcmRefused.invalid("message.webpush.headers", "Topic: at most 32 characters of the URL-safe alphabet.")
    if headers.get("urgency", "normal") not in {"very-low", "low", "normal", "high"}:
        raise FcmRefused.invalid("message.webpush.headers", "Invalid Urgency.")
    if not headers.get("ttl", "0").isdecimal():
        raise FcmRefused.invalid("message.webpush.headers", "Invalid TTL.")


def _size(message: Json) -> None:
    most = MOST_BYTES if "token" in message or "fid" in message else MOST_BYTES_TO_TOPICS
    if payload_bytes(message) > most:
        # The real service gives no FCM code with this one.
        raise FcmRefused(400, f"Android message is too big: at most {most} bytes.")


def payload_bytes(message: Json) -> int:
    """Bytes of keys and values that the most loaded platform would carry."""
    common = weight({name: message.get(name, {}) for name in ("notification", "data")})
    places = (
        ("android.notification", "android.data"),
        ("apns.payload",),
        ("webpush.notification", "webpush.data", "webpush.fcm_options"),
    )
    return common + max(sum(weight(_at(message, place) or {}) for place in group) for group in places)


def weight(value: Any) -> int:
    """UTF-8 bytes of all keys and values inside."""
    if isinstance(value, dict):
        return sum(weight(key) + weight(inner) for key, inner in value.items())
    if isinstance(value, list):
        return sum(weight(item) for item in value)
    return len(str(value).encode(errors="surrogatepass"))


def _at(message: Json, path: str) -> Any:
    found: Any = message
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
