"""Users and groups as the company's directory pushes them: the attributes that Countersign uses, and no others."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    Context,
    ETag,
    Extension,
    Filter,
    Meta,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    Returned,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from activities.people.pushed import ENTERPRISE, wanted_id
from activities.records.directory import DirectoryPersonRow, GroupRow, PushedPerson

PAGE_AT_MOST: Final = 200
"""Resources of one answer."""
_TEXT_AT_MOST: Final = 1_000
_SEVERAL_AT_MOST: Final = 50
POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""What Entra and Okta send beyond the specification is understood, and attributes that nobody needs are dropped."""


def _unwrap(content: Any) -> Any:
    """Entra writes some single values as a list of one object."""
    if isinstance(content, list) and len(content) == 1:
        return _unwrap(content[0])
    return content.get("value") if isinstance(content, dict) and "value" in content else content


def _wrap_id(content: Any) -> Any:
    """Entra writes a manager as its id, too."""
    content = _unwrap(content)
    return {"value": content} if isinstance(content, str) else content


def _limit(most: int) -> AfterValidator:
    """Unlike `Field(max_length=…)` it lets an attribute be removed, which is then None."""

    def check(content: Any) -> Any:
        if content is not None and len(content) > most:
            raise ValueError(f"there are more than {most:,}")
        return content

    return AfterValidator(check)


_Single = BeforeValidator(_unwrap)
_Text = Annotated[str | None, _Single, _limit(_TEXT_AT_MOST)]


class UserName(ComplexAttribute):
    formatted: _Text = None
    family_name: _Text = None
    given_name: _Text = None


class Contact(ComplexAttribute):
    """An e-mail address or telephone number."""

    value: _Text = None
    type: _Text = None
    primary: bool | None = None


class User(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[_Text, Required.true, Uniqueness.server] = None
    name: UserName | None = None
    display_name: _Text = None
    emails: Annotated[list[Contact] | None, _limit(_SEVERAL_AT_MOST)] = None
    phone_numbers: Annotated[list[Contact] | None, _limit(_SEVERAL_AT_MOST)] = None
    preferred_language: _Text = None
    locale: _Text = None
    timezone: _Text = None
    active: Annotated[bool | None, _Single] = None


class Manager(ComplexAttribute):
    value: Annotated[_Text, CaseExact.true] = None
    """The id of a user."""


class EnterpriseUser(Extension):
    __schema__ = URN(ENTERPRISE)

    department: _Text = None
    manager: Annotated[Manager | None, BeforeValidator(_wrap_id)] = None


class GroupMember(ComplexAttribute):
    value: Annotated[_Text, Mutability.immutable, CaseExact.true] = None
    """The id of a user."""
    ref: Annotated[Reference["User"] | None, Mutability.immutable, Returned.never] = None


class UserGroup(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[_Text, Required.true] = None
    members: list[GroupMember] | None = None


EnterprisePerson: Any = User.__class_getitem__(EnterpriseUser)
PROVIDER: Final = ScimProvider(
    models=[User, EnterpriseUser, UserGroup],
    resource_types=[ResourceType.from_resource(EnterprisePerson), ResourceType.from_resource(UserGroup)],
    config=ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=PAGE_AT_MOST),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token of countersign token new NAME --may directory",
                primary=True,
            )
        ],
    ),
    policy=POLICY,
)


def version_of(row: DirectoryPersonRow | GroupRow) -> str:
    """Its entity tag."""
    return f'W/"{row.version}"'


def user_of(row: DirectoryPersonRow, root: str) -> Any:
    """The user of a row; `root` is the address of the endpoint."""
    user = EnterprisePerson.model_validate(dict(row.resource or {}))
    user.id, user.meta = row.id, _meta(row, "User", f"{root}/Users/{row.id}")
    return user


def group_of(row: GroupRow, root: str) -> UserGroup:
    members = [GroupMember(value=member) for member in row.members]
    group = UserGroup(
        id=row.id, external_id=row.external_id or None, display_name=row.display_name, members=members or None
    )
    group.meta = _meta(row, "Group", f"{root}/Groups/{row.id}")
    return group


def pushed_person(user: Any) -> PushedPerson:
    """What is kept of a user."""
    user.schemas = [str(User.__schema__), *([ENTERPRISE] if user[EnterpriseUser] else [])]
    resource = user.model_dump(scim_ctx=Context.DEFAULT)
    kept: Mapping[str, Any] = {name: content for name, content in resource.items() if name not in ("id", "meta")}
    return PushedPerson(
        kept, str(user.user_name).casefold(), user.external_id, bool(user.active), wanted_id(user.external_id)
    )


def _meta(row: DirectoryPersonRow | GroupRow, type: str, location: str) -> Meta:
    return Meta(
        resource_type=type,
        created=row.made_at,
        last_modified=row.changed_at,
        location=location,
        version=version_of(row),
    )
