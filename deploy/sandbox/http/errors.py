"""Refused calls, and error bodies in the dialect of each vendor."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
CANONICAL = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
}
USUAL_CODE = {
    400: "INVALID_ARGUMENT",
    403: "SENDER_ID_MISMATCH",
    404: "UNREGISTERED",
    429: "QUOTA_EXCEEDED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class HttpRefusal(Exception):
    """Becomes an answer with this HTTP status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body

    @classmethod
    def because(cls, status: int, detail: str) -> "HttpRefusal":
        """`{"detail": …}`."""
        return cls(status, {"detail": detail})

    @classmethod
    def missing(cls) -> "HttpRefusal":
        """404."""
        return cls.because(404, "Not found.")


async def read_body(request: Request, model: type[M]) -> M:
    """`HttpRefusal` names the wrong fields."""
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as problem:
        errors = [(*map(str, error["loc"]), error["msg"]) for error in problem.errors()]
        raise HttpRefusal.because(400, "; ".join(": ".join(error) for error in errors)) from None


def fcm_error(status: int, message: str, error_code: str | None = None, field: str | None = None) -> dict[str, Any]:
    """`{"error": {code, message, status, details}}`; `details` only if not empty."""
    details: list[dict[str, Any]] = []
    if error_code:
        details.append({"@type": FCM_ERROR, "errorCode": error_code})
    if field is not None:
        details.append({"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": message}]})
    canonical = CANONICAL.get(status, "UNKNOWN")
    error: dict[str, Any] = {"code": status, "message": message, "status": canonical}
    return {"error": {**error, "details": details} if details else error}


def appworks_error(status: int, key: str, message: str) -> dict[str, Any]:
    return {"key": key, "errorMessage": message, "entity": None, "status": status}


def apigee_error(code: str, message: str) -> dict[str, Any]:
    """Of the gateway before Core Signature."""
    return {"fault": {"faultstring": message, "detail": {"errorcode": code}}}


def dialect_of(path: str) -> str:
    """Whose errors a path answers with."""
    if path.endswith("/oauth2/token"):
        return "oauth"
    if path.startswith("/v1/projects/"):
        return "fcm"
    return "appworks" if path.startswith("/deployments/") else "drf"


def error_body(dialect: str, status: int, detail: str, error_code: str | None) -> dict[str, Any]:
    match dialect:
        case "oauth":
            error = "invalid_client" if status in {401, 403} else "temporarily_unavailable"
            return {"error": error, "error_description": detail}
        case "fcm":
            return fcm_error(status, detail, error_code or USUAL_CODE.get(status))
        case "apigee":
            return apigee_error("steps.oauth.v2.FailedCall", detail)
        case "appworks":
            return appworks_error(status, "fault", detail)
        case _:
            return {"non_field_errors": [detail]} if status == 400 else {"detail": detail}
