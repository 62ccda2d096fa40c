"""A "no" in the vendor's words: the one exception that ends a call to the sandbox's Core Signature."""

from typing import Any


class CoreRefusal(Exception):
    """Becomes the answer with this HTTP status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body

    @classmethod
    def because(cls, status: int, detail: str) -> "CoreRefusal":
        """The usual shape: `{"detail": …}`."""
        return cls(status, {"detail": detail})

    @classmethod
    def missing(cls) -> "CoreRefusal":
        """Nothing is known under that address."""
        return cls.because(404, "Not found.")
