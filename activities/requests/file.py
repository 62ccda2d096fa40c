"""The request file as people write it (docs/files.md, The request file)."""

from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from activities.files.fields import FileName, Message, Name, Url
from activities.files.reading import FileModel
from activities.requests.checks import RequestChecks
from activities.starting.file import AskingFile, PersonId, SomebodyEntry, right
from workflows.model.subject import Role
from workflows.names import adopted_document


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


class SignerEntry(SomebodyEntry):
    """A signer; Core Signature could not tell two of one address apart."""

    order: int | None = Field(default=None, ge=1, le=100)
    role: Role = Role.SIGN

    @field_validator("person")
    @classmethod
    def _once(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is not None:
            checks = _checks(info)
            address = checks.person(id).email.casefold()
            checks.once(id, f"{id} is a signer of this request already")
            checks.once(address, "has the e-mail address of another signer of this request")
        return id

    @field_validator("email")
    @classmethod
    def _own_address(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email is not None:
            _checks(info).once(email.casefold(), "is the e-mail address of another signer of this request")
        return email


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

    @field_validator("id")
    @classmethod
    def _not_adopted(cls, id: str | None) -> str | None:
        if id is not None and adopted_document(id):
            raise ValueError(
                f"{id} is the id of a document that was sent at Core Signature by hand and is followed up from there "
                f"(countersign request show {id}); choose another one"
            )
        return id

    _right_people = field_validator("requester", "signers")(right)
