"""Whole answers, kept in hand so that they can be recorded, replaced and maimed before they leave."""

import json
from dataclasses import dataclass, replace
from email.utils import formatdate
from math import ceil
from typing import Any

from deploy.sandbox.faults import ArmedFault, FaultKind
from deploy.sandbox.push.errors import USUAL_CODE, fcm_error

Header = tuple[bytes, bytes]

HUGE_BYTES = 12_000_000
DEFAULT_DATE_AHEAD = 2.0
HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
DETAILS = {
    400: "Bad request.",
    401: "Authentication credentials were not provided.",
    403: "You do not have permission to perform this action.",
    404: "Not found.",
    409: "The resource is in conflict with the request.",
    429: "Request was throttled. Expected available in {} seconds.",
    500: "A server error occurred.",
    502: "Bad gateway.",
    503: "Service temporarily unavailable, try again later.",
}


@dataclass(frozen=True)
class SandboxAnswer:
    """Status, headers without length and date, and the whole body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def with_headers(self, *more: Header) -> "SandboxAnswer":
        """The same answer with further headers."""
        return replace(self, headers=(*self.headers, *more))


def faulty(fault: ArmedFault, path: str, now: float) -> SandboxAnswer | None:
    """The answer a fault gives instead of the real one; None for faults that give none or keep the real one."""
    match fault.fault:
        case FaultKind.HTML:
            return _html(200, "Maintenance")
        case FaultKind.BAD_GATEWAY if fault.shape is None:
            return _html(502, "502 Bad Gateway")
        case FaultKind.HUGE:
            return _json(200, {"count": 0, "next": None, "previous": None, "results": [], "padding": "x" * HUGE_BYTES})
        case FaultKind.REDIRECT:
            target = fault.location or "/_sandbox/targets/redirected"
            return SandboxAnswer(302, ((b"location", target.encode()),), b"")
        case kind if kind.value.isdecimal():
            return _error(fault, int(kind.value), path, now)
        case _:
            return None


def _error(fault: ArmedFault, status: int, path: str, now: float) -> SandboxAnswer:
    shape = fault.shape or shape_of(path)
    detail = DETAILS[status].format(_wait(fault))
    if shape == "html":
        return _html(status, detail)
    answer = _json(status, _error_body(shape, status, detail, fault.error_code))
    if fault.retry_after is None:
        return answer
    value = formatdate(ceil(now + _wait(fault)), usegmt=True) if fault.retry_after == "date" else str(_wait(fault))
    return answer.with_headers((b"retry-after", value.encode()))


def shape_of(path: str) -> str:
    """The dialect in which the service behind a path words its errors."""
    if path.endswith("/oauth2/token"):
        return "oauth"
    if path.startswith("/v1/projects/"):
        return "fcm"
    return "appworks" if path.startswith("/deployments/") else "drf"


def _error_body(shape: str, status: int, detail: str, error_code: str | None) -> dict[str, Any]:
    match shape:
        case "oauth":
            error = "invalid_client" if status in {401, 403} else "temporarily_unavailable"
            return {"error": error, "error_description": detail}
        case "fcm":
            return fcm_error(status, detail, error_code or USUAL_CODE.get(status))
        case "apigee":
            return {"fault": {"faultstring": detail, "detail": {"errorcode": "steps.oauth.v2.FailedCall"}}}
        case "appworks":
            return {"key": "fault", "errorMessage": detail, "entity": None, "status": status}
        case _:
            return {"non_field_errors": [detail]} if status == 400 else {"detail": detail}


def _wait(fault: ArmedFault) -> int:
    if isinstance(fault.retry_after, int):
        return fault.retry_after
    return ceil(DEFAULT_DATE_AHEAD if fault.delay is None else fault.delay)


def _json(status: int, body: dict[str, Any]) -> SandboxAnswer:
    return SandboxAnswer(status, ((b"content-type", b"application/json"),), json.dumps(body).encode())


def _html(status: int, title: str) -> SandboxAnswer:
    return SandboxAnswer(status, ((b"content-type", b"text/html; charset=utf-8"),), HTML.format(title).encode())
