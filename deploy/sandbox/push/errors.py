"""FCM's error bodies."""

from typing import Any

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


class FcmRefused(Exception):
    """A refusal with FCM's HTTP status and body; `error_code` is FCM's own code, where there is one."""

    def __init__(self, status: int, message: str, error_code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code
        self.field = field

    @classmethod
    def unparsable(cls, field: str, description: str) -> "FcmRefused":
        """The JSON parser's refusal, which carries no FCM code."""
        return cls(400, f"Invalid JSON payload received. {description}", None, field)

    @classmethod
    def invalid(cls, field: str, description: str) -> "FcmRefused":
        """FCM's own refusal of a field."""
        return cls(400, description, "INVALID_ARGUMENT", field)

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return fcm_error(self.status, self.message, self.error_code, self.field)


def fcm_error(status: int, message: str, error_code: str | None = None, field: str | None = None) -> dict[str, Any]:
    """`{"error": {code, message, status, details}}`; `details` only when there is something to say."""
    details: list[dict[str, Any]] = []
    if error_code:
        details.append({"@type": FCM_ERROR, "errorCode": error_code})
    if field is not None:
        details.append({"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": message}]})
    canonical = CANONICAL.get(status, "UNKNOWN")
    error: dict[str, Any] = {"code": status, "message": message, "status": canonical}
    return {"error": {**error, "details": details} if details else error}
