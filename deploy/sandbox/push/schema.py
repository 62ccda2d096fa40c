"""The shape of an FCM v1 message: which fields there are and what they hold.

Google's JSON parser takes snake_case and camelCase and rejects what it does not know; so does `parsed`.
"""

import re
from enum import StrEnum
from typing import Any

from deploy.sandbox.push.errors import FcmRefused


class Kind(StrEnum):
    """What a field holds, as Google names it."""

    TEXT = "TYPE_STRING"
    FLAG = "TYPE_BOOL"
    NUMBER = "TYPE_INT32"
    TEXTS = "list of TYPE_STRING"
    MAP = "map of TYPE_STRING"
    STRUCT = "google.protobuf.Struct"


Shape = dict[str, Any]


def _texts(names: str) -> Shape:
    return dict.fromkeys(names.split(), Kind.TEXT)


NOTIFICATION = _texts("title body image")
ANDROID_NOTIFICATION: Shape = {
    **_texts("title body icon color sound tag click_action channel_id image title_loc_key body_loc_key"),
    **_texts("notification_priority visibility event_time ticker proxy"),
    **dict.fromkeys(("title_loc_args", "body_loc_args", "vibrate_timings"), Kind.TEXTS),
    **dict.fromkeys(("sticky", "local_only", "default_sound", "default_vibrate_timings"), Kind.FLAG),
    "default_light_settings": Kind.FLAG,
    "notification_count": Kind.NUMBER,
    "light_settings": Kind.STRUCT,
}
MESSAGE: Shape = {
    **_texts("name token fid topic condition"),
    "notification": NOTIFICATION,
    "data": Kind.MAP,
    "android": {
        **_texts("collapse_key priority ttl restricted_package_name"),
        "data": Kind.MAP,
        "direct_boot_ok": Kind.FLAG,
        "fcm_options": _texts("analytics_label"),
        "notification": ANDROID_NOTIFICATION,
    },
    "apns": {"headers": Kind.MAP, "payload": Kind.STRUCT, "fcm_options": _texts("analytics_label image")},
    "webpush": {
        "headers": Kind.MAP,
        "data": Kind.MAP,
        "notification": Kind.STRUCT,
        "fcm_options": _texts("link analytics_label"),
    },
    "fcm_options": _texts("analytics_label"),
}
REQUEST: Shape = {"validate_only": Kind.FLAG, "message": MESSAGE}


def parsed(value: Any, shape: Shape | Kind = REQUEST, path: str = "") -> Any:
    """The value with known names in snake_case; raises `FcmRefused` for an unknown name or a wrong type."""
    if isinstance(shape, Kind):
        return _leaf(value, shape, path)
    if not isinstance(value, dict):
        raise FcmRefused.unparsable(path, f"Invalid value at '{path}', an object is expected")
    read: Shape = {}
    for given, inner in value.items():
        name = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), given)
        if name not in shape:
            raise FcmRefused.unparsable(path, f"Unknown name \"{given}\" at '{path}': Cannot find field.")
        if inner is not None:
            read[name] = parsed(inner, shape[name], f"{path}.{name}".lstrip("."))
    return read


def _leaf(value: Any, kind: Kind, path: str) -> Any:
    fits = {
        Kind.TEXT: isinstance(value, str),
        Kind.FLAG: isinstance(value, bool),
        Kind.NUMBER: isinstance(value, int) and not isinstance(value, bool),
        Kind.TEXTS: isinstance(value, list) and all(isinstance(item, str) for item in value),
        Kind.MAP: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
        Kind.STRUCT: isinstance(value, dict),
    }
    if not fits[kind]:
        raise FcmRefused.unparsable(path, f"Invalid value at '{path}' ({kind.value})")
    return value
