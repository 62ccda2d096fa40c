"""Reading a request body field by field, collecting errors as Django REST Framework words them."""

import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from deploy.sandbox.refusal import CoreRefusal

EMAIL = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_TEXT = 255
REQUIRED = "This field is required."


class Fields:
    """One JSON object; each reader returns a usable value or notes what is wrong and returns a neutral one."""

    def __init__(self, body: Any) -> None:
        self.errors: dict[str, Any] = {}
        if not isinstance(body, dict):
            kind = type(body).__name__
            raise CoreRefusal(400, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
        self._body: dict[str, Any] = body

    def given(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._body.get(name) is not None

    def raw(self, name: str) -> Any:
        """The value as it came."""
        return self._body.get(name)

    def fail(self, name: str, message: str) -> None:
        """Note an error of a field."""
        self.errors.setdefault(name, []).append(message)

    def check(self) -> None:
        """Raise `CoreRefusal` with everything that was noted."""
        if self.errors:
            raise CoreRefusal(400, self.errors)

    def text(self, name: str, *, required: bool = False, longest: int = LONGEST_TEXT) -> str | None:
        """A string of at most `longest` characters."""
        value = self._body.get(name)
        if value is None:
            if required:
                self.fail(name, REQUIRED)
            return None
        if not isinstance(value, str):
            self.fail(name, "Not a valid string.")
        elif UNSTORABLE.search(value):
            self.fail(name, "Null characters and halves of surrogate pairs are not allowed.")
        elif len(value) > longest:
            self.fail(name, f"Ensure this field has no more than {longest} characters.")
        elif required and not value:
            self.fail(name, "This field may not be blank.")
        else:
            return value
        return None

    def integer(self, name: str, *, least: int = 0) -> int | None:
        """A whole number of at least `least`."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(name, "A valid integer is required.")
            return None
        if value < least:
            self.fail(name, f"Ensure this value is greater than or equal to {least}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value = self._body.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(name, "Must be a valid boolean.")
            return default
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of the choices."""
        value = self._body.get(name)
        if value is None:
            return default
        if value not in choices:
            self.fail(name, f'"{value}" is not a valid choice.')
            return default
        return str(value)

    def url(self, name: str, *, required: bool = False) -> str | None:
        """An http or https address."""
        value = self.text(name, required=required, longest=2100)
        if value is not None and not is_url(value):
            self.fail(name, "Enter a valid URL.")
            return None
        return value

    def email(self, name: str, *, required: bool = False) -> str:
        """An e-mail address; empty when there is none."""
        value = self.text(name, required=required)
        if value is not None and not EMAIL.fullmatch(value):
            self.fail(name, "Enter a valid email address.")
        return value or ""


def is_url(text: str) -> bool:
    """Whether the text is an absolute http or https address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)


async def read_fields(request: Request) -> Fields:
    """The JSON object of a call; raises `CoreRefusal` for another media type or what is no JSON object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise CoreRefusal.because(415, f'Unsupported media type "{kind}" in request.')
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        raise CoreRefusal.because(400, "JSON parse error - the body is not valid JSON.") from None
    return Fields(body)
