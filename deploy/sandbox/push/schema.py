"""The shape of an FCM v1 message: which fields there are and what they hold.

Google's JSON parser takes snake_case and camelCase and rejects what it does not know; so does `parsed`.
"""

import re
from enum import StrEnum
from typing import Any

from deploy.sandbox.push.errors import FcmRefused


class FieldType(StrEnum):
    """What a field holds, as Google names it."""

    TEXT = "TYPE_STRING"
    FLAG = "TYPE_BOOL"
    NUMBER = "TYPE_INT32"
    TEXTS = "list of TYPE_STRING"
    MAP = "map of TYPE_STRING"
    STRUCT = "google.protobuf.Struct"


Shape = dict[str, Any]


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


def parsed(value: Any, shape: Shape | FieldType = REQUEST, path: str = "") -> Any:
    """The value with known names in snake_case; raises `FcmRefused` for an unknown name or a wrong type."""
    if isinstance(shape, FieldType):
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
        raise FcmRefused.unparsable(path, f"Invalid value at '{path}' ({kind.value})")
    return value
