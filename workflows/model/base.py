"""The base of everything that crosses a boundary."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; unknown fields are ignored so that old code reads new histories."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def replace(self, **changes: object) -> Self:
        """The same value with `changes`, as `dataclasses.replace` does: a name that is no field is a `TypeError`.

        Nothing is validated again, so pass the declared types.
        """
        if strangers := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(strangers))}")
        return self.model_copy(update=changes)
