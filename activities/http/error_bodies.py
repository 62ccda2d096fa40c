"""Texts and codes from error bodies, in the shapes of providers and gateways (docs/core-signature.md, Errors): OAuth,
Google, Apigee's `{"fault"}`, AppWorks, Django REST framework, HTML.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from workflows.model.rejections import in_one_line

_MOST_LINES: Final = 20
_DEEPEST: Final = 6
_MOST_OF_A_PAGE: Final = 300
_TAG: Final = re.compile(r"/?[a-z]*", re.IGNORECASE)
_UNSEEN: Final = ("script", "style")
BLANK: Final = "[redacted]"
LONGEST_TEXT: Final = 2048
"""The longest text of a provider that is kept: 2 KiB of UTF-8."""
_PATTERNS: Final = (
    re.compile(r"(?<=://)[^\s/@]{1,256}@"),  # credentials in an address
    re.compile(r"[^\s@<>\"'(),:;\[\]/][^\s@<>\"(),:;\[\]/]{0,63}@[^\s@<>\"'(),:;\[\]/?]{1,255}"),  # e-mail addresses
    re.compile(r"(?<=\?)[^\s\"'<>?]*=[^\s\"'<>]*"),  # queries of addresses
    re.compile(r"(?i)\b(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_.=-]{10,}"),  # JSON web tokens
    re.compile(r"\+\d[\d\s().-]{6,20}\d"),  # telephone numbers
    re.compile(r"[A-Za-z0-9_~+/=-]{40,}"),  # keys, device tokens, base64
)


@dataclass(frozen=True)
class Explanation:
    """An error body's text, not yet redacted, and its code, if any."""

    says: str
    error_code: str | None = None


def explain(body: bytes) -> Explanation:
    """Never raises; an unknown shape is quoted."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Explanation(_plain(text))
    if not isinstance(document, dict):
        return Explanation(_lines(document) or "no explanation")
    explanation = (
        _google(document) or _oauth(document) or _gateway(document) or _appworks(document) or _framework(document)
    )
    return explanation if explanation.says.strip() else replace(explanation, says="no explanation")


def redact(text: str, private: Iterable[str] = ()) -> str:
    """One printable line of at most 2 KiB, without the `private` strings, addresses, tokens and queries."""
    line = in_one_line(text)
    for secret in sorted((value for value in private if len(value) > 2), key=len, reverse=True):
        line = re.sub(re.escape(secret), BLANK, line, flags=re.IGNORECASE)
    for pattern in _PATTERNS:
        line = pattern.sub(BLANK, line)
    return clip(line.strip(), LONGEST_TEXT)


def clip(text: str, most_bytes: int) -> str:
    """At most `most_bytes` of UTF-8, cut between characters, with an ellipsis."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return encoded.decode()
    return encoded[: most_bytes - 3].decode("utf-8", "ignore") + "…"


def _plain(text: str) -> str:
    if not text:
        return "an empty body"
    if not text.startswith("<"):
        return text
    page_text = " ".join(html.unescape(_read_words(text)).split())
    return f"a page of HTML: {page_text[:_MOST_OF_A_PAGE]}"


def _read_words(page: str) -> str:
    # A page's title, else its words, in one pass, since bodies may be made to be slow.
    parts, unseen = [], ""
    for part in page.split("<"):
        inside, _, content = part.partition(">")
        tag = _TAG.match(inside)
        name = tag.group().casefold() if tag else ""
        if name == "title" and content.strip():
            return content
        if unseen and name != f"/{unseen}":
            continue
        unseen = name if name in _UNSEEN else ""
        parts.append("" if unseen else content)
    return " ".join(parts)


def _google(document: dict[str, Any]) -> Explanation | None:
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    details = [detail for detail in _listed(error.get("details")) if isinstance(detail, dict)]
    codes = [code for detail in details if isinstance(code := detail.get("errorCode"), str)]
    fields = [
        _violation(v) for detail in details for v in _listed(detail.get("fieldViolations")) if isinstance(v, dict)
    ]
    message = "; ".join([str(error.get("message") or "no message"), *fields])
    return Explanation(message, codes[0] if codes else _text(error.get("status")))


def _violation(violation: dict[str, Any]) -> str:
    return f"{violation.get('field')}: {violation.get('description')}"


def _oauth(document: dict[str, Any]) -> Explanation | None:
    error = document.get("error")
    if not isinstance(error, str):
        return None
    described = _text(document.get("error_description"))
    return Explanation(f"{error}: {described}" if described else error, error)


def _gateway(document: dict[str, Any]) -> Explanation | None:
    fault = document.get("fault")
    if not isinstance(fault, dict):
        return None
    detail = fault.get("detail")
    code = _text(detail.get("errorcode")) if isinstance(detail, dict) else None
    return Explanation(_text(fault.get("faultstring")) or "a fault of the gateway", code)


def _appworks(document: dict[str, Any]) -> Explanation | None:
    message = _text(document.get("errorMessage"))
    return Explanation(message, _text(document.get("key"))) if message else None


def _framework(document: dict[str, Any]) -> Explanation:
    detail = _text(document.get("detail"))
    if detail:
        return Explanation(detail, _text(document.get("code")))
    return Explanation(_lines(document.get("errors", document)) or "no explanation")


def _lines(value: object) -> str:
    """A few nested field errors as `signers[0].email: Enter a valid email address.`"""
    lines = []
    for path, text in _leaves(value, "", 0):
        lines.append(f"{path}: {text}" if path else text)
        if len(lines) == _MOST_LINES:
            break
    return "; ".join(lines)


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST or value in (None, "", {}, []):
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _leaves(inner, f"{path}.{name}".strip("."), depth + 1)
    elif isinstance(value, list):
        texts = all(isinstance(inner, str) for inner in value)
        for index, inner in enumerate(value):
            yield from _leaves(inner, path if texts else f"{path}[{index}]", depth + 1)
    else:
        yield path, str(value)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
