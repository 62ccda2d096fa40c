"""The grammar of single settings: URLs, durations, lists, secrets, keys. Faults never repeat the value, which may be a
misplaced secret.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretBytes, SecretStr
from pydantic_core import PydanticCustomError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]{22,128}")
SOURCE: Final = re.compile(r"[a-z0-9_]{1,20}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_ENDPOINT: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
SIGNING_KEY: Final = "whsec_"
"""Prefix of Standard Webhooks keys."""
KEY_CHARACTERS_AT_LEAST: Final = 16
"""Of a key that callers send in plain text."""
_RELAY: Final = re.compile(r"[A-Za-z0-9.+_-]*\*[A-Za-z0-9.+_-]*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LINK_SECRET_BYTES: Final = 32
LINK_SECRETS_AT_MOST: Final = 8
COMPANY_AT_MOST: Final = 60
CONTACT_AT_MOST: Final = 120
"""Characters of a name in every notice."""
_PAYLOAD_KEY_BYTES: Final = 32
_WEBHOOK_SECRET_BYTES: Final = range(24, 65)
"""Lengths in the Standard Webhooks specification."""


class Bind(NamedTuple):
    """Listening address; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True)
class PayloadKey:
    """An AES-256 key of the payload codec, and the id stored with what it encrypted."""

    id: str
    key: SecretBytes


def wrong(sentence: str) -> PydanticCustomError:
    """A fault whose text is exactly `sentence`."""
    return PydanticCustomError("setting", "{sentence}", {"sentence": sentence})


def is_loopback(host: str) -> bool:
    """Whether `host` is certainly this machine; names are not resolved."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    if not text:
        return text
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http") or not text.isprintable() or " " in text:
        raise wrong("must be an address like https://host or https://host:port")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise wrong("must be an address without user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise wrong("must begin with https:// (http:// is for loopback only)")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
"""https, or http to loopback; no trailing slash; empty is unset."""


def _origin(text: str) -> str:
    if urlsplit(text).path:
        raise wrong("must be an address without a path, as in the browser's address bar up to the first single /")
    return text.lower()


Origin = Annotated[str, AfterValidator(_address), AfterValidator(_origin)]
"""The same without a path."""


def _name(text: str) -> str:
    if len(text) > COMPANY_AT_MOST or not text.isprintable():
        raise wrong(f"must be at most {COMPANY_AT_MOST} characters that can be seen")
    return text.strip()


Name = Annotated[str, AfterValidator(_name)]


def _contact(text: str) -> str:
    if len(text) > CONTACT_AT_MOST or not text.isprintable():
        raise wrong(f"must be at most {CONTACT_AT_MOST} characters that can be seen")
    return text.strip()


Contact = Annotated[str, AfterValidator(_contact)]
"""One line shown to people; empty is unset."""


def _span(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", value)
    if not match:
        raise wrong("must be a duration like 10s, 5m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Span = Annotated[timedelta, BeforeValidator(_span)]


def _duration(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}[mhd]", value):
        raise wrong("must be a duration like 30m, 1h or 1d")
    return value


Duration = Annotated[str, AfterValidator(_duration)]
"""Of minutes, hours or days, which are days of a calendar."""


def _span_or_off(value: object) -> object:
    if value == "off":
        return None
    try:
        return _span(value)
    except PydanticCustomError as fault:
        raise wrong(f"{fault.message()}, or off") from None


SpanOrOff = Annotated[timedelta | None, BeforeValidator(_span_or_off)]


def _commas(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


Words = Annotated[tuple[str, ...], BeforeValidator(_commas)]


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in value)
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise wrong("must be a comma-separated list of host or host:port, without https://")
    return hosts


Hosts = Annotated[tuple[str, ...], BeforeValidator(_commas), AfterValidator(_hosts)]


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(network)) for network in value)
    except ValueError:
        raise wrong("must be a comma-separated list of IP addresses or networks like 10.0.0.0/8") from None


Networks = Annotated[tuple[str, ...], BeforeValidator(_commas), AfterValidator(_networks)]


def _endpoint(text: str) -> str:
    if not _ENDPOINT.fullmatch(text):
        raise wrong("must be 1-64 characters of A-Z a-z 0-9 -, a letter first and no - last")
    return text


EndpointName = Annotated[str, AfterValidator(_endpoint)]


def _header(text: str) -> str:
    if text and not _HEADER.fullmatch(text):
        raise wrong("must be the name of a header such as X-Remote-User")
    return text


HeaderName = Annotated[str, AfterValidator(_header)]


def _bind(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise wrong("must be host:port, for example 0.0.0.0:8080")
    return Bind(host.strip("[]"), int(port))


Listen = Annotated[Bind, BeforeValidator(_bind)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_commas)]


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(len(key.get_secret_value()) >= KEY_CHARACTERS_AT_LEAST for key in keys):
        raise wrong(f"must be keys of at least {KEY_CHARACTERS_AT_LEAST} characters, comma-separated")
    return keys


CallerKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(_commas), AfterValidator(_long_enough)]


def _segment(value: SecretStr) -> SecretStr:
    if value and not _SEGMENT.fullmatch(value.get_secret_value()):
        raise wrong("must be 22 to 128 letters, digits, '-' or '_' (at least 128 random bits)")
    return value


Segment = Annotated[SecretStr, AfterValidator(_segment)]


def _relay(pattern: str) -> str:
    if pattern and not _RELAY.fullmatch(pattern):
        raise wrong("must be an address with one *, before the @, such as *@relay.example")
    return pattern


RelayPattern = Annotated[str, AfterValidator(_relay)]


def _link_secret(value: SecretStr) -> SecretStr:
    if value and len(value.get_secret_value().encode()) < _LINK_SECRET_BYTES:
        raise wrong(f"must be at least {_LINK_SECRET_BYTES} bytes long, from a random source")
    return value


LinkSecret = Annotated[SecretStr, AfterValidator(_link_secret)]


def _link_secrets(value: object) -> object:
    if not isinstance(value, str):
        return value
    texts = [part.strip() for part in value.split(",") if part.strip()]
    if len(texts) > LINK_SECRETS_AT_MOST or len(set(texts)) < len(texts):
        raise wrong(f"must be at most {LINK_SECRETS_AT_MOST} different secrets, comma-separated")
    return tuple(_link_secret(SecretStr(text)) for text in texts)


LinkSecrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_link_secrets)]


def _named_pairs(value: str) -> list[tuple[str, str]]:
    pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    if not all(name.strip() and text.strip() for name, _, text in pairs):
        raise wrong("must be a comma-separated list of name=value pairs")
    return [(name.strip(), text.strip()) for name, _, text in pairs]


def _decoded(text: str) -> bytes:
    """The bytes of standard or url-safe base64, padded or not; empty if it is neither."""
    try:
        return base64.b64decode(text.translate({45: "+", 95: "/"}) + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _secrets_by_name(value: str) -> dict[str, tuple[SecretStr, ...]]:
    secrets: dict[str, tuple[SecretStr, ...]] = {}
    for name, secret in _named_pairs(value):
        secrets[name] = (*secrets.get(name, ()), SecretStr(secret))
    return secrets


def _is_signing_key(secret: SecretStr) -> bool:
    text = secret.get_secret_value()
    return text.startswith(SIGNING_KEY) and len(_decoded(text.removeprefix(SIGNING_KEY))) in _WEBHOOK_SECRET_BYTES


def _handoff_secrets(value: object) -> object:
    if not isinstance(value, str):
        return value
    secrets = _secrets_by_name(value)
    if not all(_is_signing_key(key) for keys in secrets.values() for key in keys):
        raise wrong("must be target=whsec_… pairs, each secret the base64 of 24 to 64 random bytes")
    return secrets


HandoffSecrets = Annotated[Mapping[str, tuple[SecretStr, ...]], BeforeValidator(_handoff_secrets)]


def _hook_secrets(value: object) -> object:
    if not isinstance(value, str):
        return value
    secrets = _secrets_by_name(value)
    if not all(SOURCE.fullmatch(source) for source in secrets):
        raise wrong("must name each source with at most 20 of a-z, 0-9 and '_'")
    texts = [key.get_secret_value() for keys in secrets.values() for key in keys]
    least = KEY_CHARACTERS_AT_LEAST
    if not all(
        _is_signing_key(SecretStr(text)) if text.startswith(SIGNING_KEY) else len(text) >= least for text in texts
    ):
        raise wrong("must be source=secret pairs, each whsec_… (24 to 64 random bytes) or at least 16 characters")
    return secrets


HookSecrets = Annotated[Mapping[str, tuple[SecretStr, ...]], BeforeValidator(_hook_secrets)]


def _payload_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    keys = [PayloadKey(name, SecretBytes(_decoded(text))) for name, text in _named_pairs(value)]
    if not all(_KEY_ID.fullmatch(key.id) and len(key.key) == _PAYLOAD_KEY_BYTES for key in keys):
        raise wrong("must be id=key pairs, each key the base64 of 32 random bytes, the encrypting one first")
    if len({key.id for key in keys}) < len(keys):
        raise wrong("must name each key id once")
    return tuple(keys)


PayloadKeys = Annotated[tuple[PayloadKey, ...], BeforeValidator(_payload_keys)]
