"""The base of everything that crosses a boundary."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; unknown fields are ignored so that old code reads new histories."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def having(self, **changes: object) -> Self:
        """The same value with `changes` applied; nothing is validated again, so pass the declared types."""
        return self.model_copy(update=changes)
