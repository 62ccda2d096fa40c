"""A device of somebody: where a push can be sent (docs/files.md, A device)."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from activities.files.fields import DeviceToken
from activities.files.moments import UTC_ZONE, Moment, begin
from activities.files.reading import FileModel


class Platform(StrEnum):
    """What a device runs."""

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


class AddressKind(StrEnum):
    """What FCM calls the address of a device: apps are moving from registration tokens to installation ids."""

    TOKEN = "token"  # noqa: S105  a word, no secret
    FID = "fid"


UNSEEN_FOR: Final = timedelta(days=30)
"""A device whose app was not seen for so long may be in a drawer: it is sent to, and somebody is told besides."""


class PushDevice(FileModel):
    """Where a push can be sent; its address is a secret and is never shown."""

    token: DeviceToken | None = Field(default=None, repr=False)
    fid: DeviceToken | None = Field(default=None, repr=False)
    platform: Platform
    registered_at: Moment | None = None
    """When the app last registered it; later than what a burial knew of, it lives again."""
    seen_at: Moment | None = None
    """When the app was last seen on it, where anybody knows."""

    @property
    def kind(self) -> AddressKind:
        """What its address is."""
        return AddressKind.TOKEN if self.token is not None else AddressKind.FID

    @property
    def value(self) -> str:
        """Its address."""
        return self.token or self.fid or ""

    @property
    def registered(self) -> datetime | None:
        """The instant it was last registered; a bare date begins in UTC."""
        return begin(self.registered_at, UTC_ZONE) if self.registered_at else None

    @property
    def seen(self) -> datetime | None:
        """The instant the app was last seen on it; a bare date begins in UTC."""
        return begin(self.seen_at, UTC_ZONE) if self.seen_at else None

    def unseen(self, now: datetime) -> bool:
        """Whether nobody can rely on it: its app was not seen for long. What says nothing of that is relied on."""
        return self.seen is not None and now - self.seen >= UNSEEN_FOR

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.token is None) is (self.fid is None):
            raise ValueError("needs exactly one of token, fid")
        return self
