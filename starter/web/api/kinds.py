"""What differs between kinds in the API: their commands, with the bodies that they take, and what is shown of them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from activities.campaign.intake import CampaignFile
from activities.files.reading import FileModel
from activities.launch.request_file import RequestFile
from activities.launch.task_file import TaskFile
from activities.onboarding.file import OnboardingFile
from starter.queries import campaign, onboarding
from starter.temporal.connection import Context
from starter.web.api.starting import PartDecision
from workflows.command_words import Surface, offered
from workflows.kinds import Kind
from workflows.model.commands import COMMANDS, OURS, AnyCommand, Command, Decision, KnownBy, ReviewAnswer
from workflows.model.policy import ROUNDS_AT_MOST
from workflows.model.views import CampaignShow, Shown
from workflows.names import REVISE

Commands = Mapping[str, type[AnyCommand]]
API_COMMANDS: Final[Mapping[Kind, Commands]] = {
    kind: {name: COMMANDS[name] for name in offered(kind.spec.commands, Surface.API) if name != REVISE}
    for kind in (Kind.REQUEST, Kind.TASK, Kind.ONBOARDING, Kind.CAMPAIGN)
}
"""The last part of a command's address, and the command; `revise` comes with a file, by a route of its own. A part of
an onboarding is a request or task of its own.
"""
COMPOSED: Final[Mapping[Kind, Callable[[Context, str], Awaitable[BaseModel]]]] = {
    Kind.ONBOARDING: onboarding.show,
    Kind.CAMPAIGN: campaign.show,
}
"""How one is shown that is joined with its parts or members."""
VIEWS: Final[Mapping[Kind, type[BaseModel]]] = {Kind.CAMPAIGN: campaign.CampaignOverview}
"""What is shown, of a kind that is not shown by its view alone."""


FILES: Final[Mapping[Kind, type[FileModel]]] = {
    Kind.REQUEST: RequestFile,
    Kind.TASK: TaskFile,
    Kind.ONBOARDING: OnboardingFile,
    Kind.CAMPAIGN: CampaignFile,
}
"""The models by which a start is checked, as the command checks a file."""
_DOCUMENT: Final = {"base64": "JVBERi0xLjcKJSVFT0YK", "name": "Offer"}
EXAMPLES: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.REQUEST: {
        "id": "offer-4711",
        "kind": "offer-letter",
        "document": _DOCUMENT,
        "requester": "ada",
        "signers": [{"person": "bob"}, {"name": "Eve Ng", "email": "eve@example.com", "zone": "UTC", "locale": "en"}],
    },
    Kind.TASK: {
        "id": "account-4711",
        "kind": "team-task",
        "title": "Create the account",
        "who": {"person": "bob"},
        "owner": "ada",
    },
    Kind.ONBOARDING: {
        "id": "acme",
        "customer": {"name": "Acme", "person": "zoe"},
        "owner": "ada",
        "stages": [
            {
                "name": "agreements",
                "agreements": [
                    {"id": "nda", "kind": "nda", "document": _DOCUMENT, "signers": [{"person": "customer"}]}
                ],
            }
        ],
    },
    Kind.CAMPAIGN: {
        "id": "conduct-2027",
        "kind": "nda",
        "document": {**_DOCUMENT, "version": "2027.1"},
        "audience": {"people": ["bob", "zoe"]},
        "owner": "ada",
    },
}
"""The body of a start."""


def with_members(view: Shown) -> CampaignShow | None:
    """What has an audience, whose members commands name."""
    return view if isinstance(view, CampaignShow) else None


def body_of(command: type[AnyCommand]) -> type[BaseModel]:
    """The fields of a command that a caller gives; unknown ones are refused."""
    if command is Decision:
        return PartDecision
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in command.model_fields.items() if name not in OURS
    }
    if command is ReviewAnswer:
        fields["version"] = (int, Field(ge=1, le=ROUNDS_AT_MOST, description="The number of the version that was read"))
    return create_model(f"{command.__name__}Body", __config__=ConfigDict(frozen=True, extra="forbid"), **fields)


def command_of(command: type[AnyCommand], body: BaseModel, actor: str, known_by: KnownBy) -> AnyCommand:
    actor_field = "actor" if issubclass(command, Command) else "by"
    fields = {name: value for name, value in body if name in command.model_fields}
    return command.model_validate({**fields, actor_field: actor, "known_by": known_by})
