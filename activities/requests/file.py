"""The request file as people write it (docs/files.md, The request file)."""

from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from activities.files.fields import Email, FileName, Id, LocaleTag, Message, Name, Phone, Url, Zone
from activities.files.reading import FileModel
from activities.person import Device, Reachable
from activities.requests.checks import RequestChecks
from activities.starting.file import AskingFile, PersonId, right
from workflows.model.subject import Role

_IN_FULL = ("name", "email", "zone", "locale", "phone", "devices")


def _checks(info: ValidationInfo) -> RequestChecks:
    if not isinstance(info.context, RequestChecks):
        raise TypeError("a request file is validated with RequestChecks")
    return info.context


class DocumentEntry(FileModel):
    """What is to be signed: a PDF beside the file, or a template of Core Signature."""

    file: FileName | None = None
    template: Url | None = None
    name: Name | None = None

    @field_validator("file")
    @classmethod
    def _can_be_sent(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None:
            _checks(info).document(file)
        return file

    @model_validator(mode="after")
    def _file_or_template(self) -> Self:
        if self.file is None and self.template is None:
            raise ValueError("needs either file or template")
        if self.file is not None and self.template is not None:
            raise ValueError("has file and template, but only one of them can be given")
        if self.template is not None and self.name is None:
            raise ValueError("needs a name, because it is made from a template")
        return self


class SignerEntry(FileModel):
    """Somebody who is asked: of the directory, or standing here in full."""

    person: Id | None = None
    name: Name | None = Field(default=None, repr=False)
    email: Email | None = Field(default=None, repr=False)
    zone: Zone | None = None
    locale: LocaleTag | None = None
    phone: Phone | None = Field(default=None, repr=False)
    devices: tuple[Device, ...] | None = Field(default=None, max_length=20)
    order: int | None = Field(default=None, ge=1, le=100)
    role: Role = Role.SIGN

    @property
    def in_full(self) -> Reachable | None:
        """The signer as they stand here, None for somebody of the directory."""
        if self.person is not None:
            return None
        return Reachable.model_validate(self.model_dump(include=set(_IN_FULL), exclude_unset=True, by_alias=True))

    @field_validator("person")
    @classmethod
    def _once(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is not None:
            checks = _checks(info)
            address = checks.person(id).email.casefold()
            checks.signs_once(id, f"{id} is a signer of this request already")
            checks.signs_once(address, "has the e-mail address of another signer of this request")
        return id

    @field_validator("email")
    @classmethod
    def _own_address(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email is not None:
            _checks(info).signs_once(email.casefold(), "is the e-mail address of another signer of this request")
        return email

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in _IN_FULL if getattr(self, name) is not None]
        if self.person is not None and given:
            raise ValueError(f"has person and {given[0]}: either person, or the signer in full")
        if self.person is None and (missing := [name for name in _IN_FULL[:3] if name not in given]):
            raise ValueError(f"needs person, or the signer in full ({', '.join(missing)} missing)")
        return self


class RequestFile(AskingFile):
    """A request: what is to be signed, by whom, until when."""

    document: DocumentEntry
    requester: PersonId
    signers: tuple[SignerEntry, ...] = Field(min_length=1, max_length=100)
    message: Message | None = None

    @field_validator("signers")
    @classmethod
    def _somebody_acts(cls, signers: tuple[SignerEntry, ...]) -> tuple[SignerEntry, ...]:
        if all(signer.role is Role.COPY for signer in signers):
            raise ValueError("needs at least one who signs or approves")
        return signers

    _right_people = field_validator("requester", "signers")(right)
