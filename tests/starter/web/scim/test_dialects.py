"""Entra and Okta push people and groups, each in its own dialect (their documentation of provisioning by SCIM)."""

from typing import Any

import pytest

from activities.people.database_directory import DatabaseDirectory
from activities.people.person import Person
from activities.records.store import Store
from tests.starter.web.scim.directory import ENTERPRISE, GROUP, USER, PushingDirectory, user_of

MANAGER = f"{ENTERPRISE}:manager"


async def test_entra_adds_changes_and_disables_a_user(directory: PushingDirectory, store: Store) -> None:
    assert await directory.find("/Users", 'userName eq "t.user@company.example"') == []
    boss = await directory.add_user("boss")
    body = {
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "T.User@company.example",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "t.user@company.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Test User", "familyName": "User", "givenName": "Test"},
        "roles": [],
    }
    answer = await directory.call("POST", "/Users", body)
    id = answer.json()["id"]
    assert (answer.status_code, id, answer.headers["location"]) == (
        201,
        "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        f"https://sign.example/scim/v2/Users/{id}",
    )
    assert [user["id"] for user in await directory.find("/Users", 'userName eq "t.user@COMPANY.example"')] == [id]
    assert [user["id"] for user in await directory.find("/Users", f'externalId eq "{id}"')] == [id]
    answer = await directory.patch(
        f"/Users/{id}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updated@company.example"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": "displayName", "value": "Test Updated"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+49 (0)30 1234-567"},
        {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "DE"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Legal"},
        {"op": "Add", "path": MANAGER, "value": boss["id"]},
    )
    assert answer.status_code == 200
    person = await person_of(store, id)
    assert (person.name, person.email, person.phone) == ("Test Updated", "updated@company.example", "+49301234567")
    assert (person.department, person.manager, person.zone) == ("Legal", "boss", "UTC")
    assert [user["id"] for user in await directory.find("/Users", f'id eq "{id}" and manager eq "boss"')] == [id]
    answer = await directory.patch(f"/Users/{id}", {"op": "Replace", "path": "active", "value": "False"})
    assert answer.json()["active"] is False
    assert await DatabaseDirectory(store).present(id) is None
    answer = await directory.patch(f"/Users/{id}", {"op": "Replace", "path": "active", "value": "True"})
    assert answer.json()["active"] is True
    assert (await directory.call("DELETE", f"/Users/{id}")).status_code == 204
    assert (await directory.call("GET", f"/Users/{id}")).status_code == 404
    assert await directory.find("/Users", 'userName eq "t.user@company.example"') == []


@pytest.mark.parametrize(
    "manager",
    [
        {"op": "Add", "path": MANAGER, "value": "boss"},
        {"op": "Add", "path": MANAGER, "value": {"value": "boss"}},
        {"op": "Replace", "path": MANAGER, "value": [{"$ref": "../Users/boss", "value": "boss"}]},
        {"op": "replace", "path": f"{MANAGER}.value", "value": "boss"},
        {"op": "replace", "value": {MANAGER: {"value": "boss"}}},
        {"op": "replace", "value": {ENTERPRISE: {"manager": {"value": "boss"}}}},
    ],
)
async def test_a_manager_is_written_in_each_of_these_forms(
    directory: PushingDirectory, store: Store, manager: dict[str, Any]
) -> None:
    await directory.add_user("boss")
    await directory.add_user("ada")
    assert (await directory.patch("/Users/ada", manager)).json()[ENTERPRISE] == {"manager": {"value": "boss"}}
    assert await store.directory.reports("boss") == ("ada",)
    answer = await directory.patch("/Users/ada", {"op": "Remove", "path": MANAGER})
    assert ENTERPRISE not in answer.json()
    assert await store.directory.reports("boss") == ()


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": "active", "value": False},
        {"op": "replace", "value": {"active": False}},
        {"op": "Replace", "value": {"active": "false"}},
        {"op": "Replace", "path": "active", "value": [{"$ref": None, "value": "False"}]},
        {"op": "Add", "path": "active", "value": "False"},
        {"op": "replace", "path": f"{USER}:active", "value": False},
    ],
)
async def test_somebody_is_disabled_in_each_of_these_forms(
    directory: PushingDirectory, operation: dict[str, Any]
) -> None:
    await directory.add_user("ada")
    assert (await directory.patch("/Users/ada", operation)).json()["active"] is False


async def test_entra_finds_a_group_without_its_members_and_changes_them(directory: PushingDirectory) -> None:
    for id in ("ada", "bob", "cleo"):
        await directory.add_user(id)
    body = {"schemas": [GROUP], "displayName": "Legal Team", "externalId": "8aa1a0c0", "members": []}
    id = (await directory.call("POST", "/Groups", body)).json()["id"]
    parameters = {"filter": 'displayName eq "Legal Team"', "excludedAttributes": "members"}
    added = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "ada"}, {"value": "bob"}]}
    answer = await directory.patch(f"/Groups/{id}", added)
    assert (answer.status_code, answer.content) == (204, b"")
    [group] = (await directory.call("GET", "/Groups", params=parameters)).json()["Resources"]
    assert (group["id"], "members" in group) == (id, False)
    assert [found["id"] for found in await directory.find("/Groups", f'id eq "{id}" and members eq "ada"')] == [id]
    assert await directory.find("/Groups", f'id eq "{id}" and members eq "cleo"') == []
    await directory.patch(f"/Groups/{id}", {"op": "Remove", "path": "members", "value": [{"value": "ada"}]})
    await directory.patch(f"/Groups/{id}", {"op": "Remove", "path": 'members[value eq "nobody"]'})
    assert await members_of(directory, id) == ["bob"]
    await directory.patch(f"/Groups/{id}", {"op": "Replace", "path": "displayName", "value": "Legal Affairs"})
    assert [group["id"] for group in await directory.find("/Groups", 'displayName eq "Legal Affairs"')] == [id]


async def test_okta_replaces_users_and_groups(directory: PushingDirectory) -> None:
    assert (await directory.call("GET", "/Users", params={"startIndex": 1, "count": 2})).json()["totalResults"] == 0
    body = {
        "schemas": [USER],
        "userName": "test.user@company.example",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@company.example", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    user = (await directory.call("POST", "/Users", body)).json()
    assert "password" not in user
    path = f"/Users/{user['id']}"
    answer = await directory.call("PUT", path, {**body, "id": user["id"], "displayName": "Another Name"})
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Another Name")
    answer = await directory.call("PUT", path, {**body, "id": user["id"], "active": False})
    assert answer.json()["active"] is False
    without_state = {name: content for name, content in body.items() if name != "active"}
    assert (await directory.call("PUT", path, without_state)).json()["active"] is False, "nobody returns by omission"
    group = {"schemas": [GROUP], "displayName": "Test SCIMv2", "members": []}
    id = (await directory.call("POST", "/Groups", group)).json()["id"]
    operations: list[dict[str, Any]] = [
        {"op": "remove", "path": f'members[value eq "{user["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": user["id"], "display": "test.user@company.example"}]},
    ]
    await directory.patch(f"/Groups/{id}", *operations)
    assert await members_of(directory, id) == [user["id"]]
    await directory.patch(f"/Groups/{id}", {"op": "replace", "value": {"id": id, "displayName": "Test SCIMv3"}})
    assert (await directory.call("GET", f"/Groups/{id}")).json()["displayName"] == "Test SCIMv3"
    await directory.patch(f"/Groups/{id}", {"op": "replace", "path": "members", "value": []})
    assert await members_of(directory, id) == []
    answer = await directory.call("PUT", f"/Groups/{id}", {**group, "members": [{"value": user["id"]}]})
    assert answer.json()["members"] == [{"value": user["id"]}]
    assert (await directory.call("DELETE", f"/Groups/{id}")).status_code == 204


async def test_a_person_keeps_what_can_be_used(directory: PushingDirectory, store: Store) -> None:
    fields = {"timezone": "Moon/Crater", "preferredLanguage": "de-DE,en;q=0.5"}
    await directory.add_user("ada", phoneNumbers=[{"value": "555 1234", "type": "work"}], **fields)
    person = await person_of(store, "ada")
    assert (person.zone, person.locale, person.phone) == ("UTC", "de-DE", None)
    answer = await directory.call("POST", "/Users", user_of("bob", userName="bob", emails=[]))
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert "emails" in answer.json()["detail"]


async def members_of(directory: PushingDirectory, id: str) -> list[str]:
    group = (await directory.call("GET", f"/Groups/{id}")).json()
    return [member["value"] for member in group.get("members", [])]


async def person_of(store: Store, id: str) -> Person:
    return await DatabaseDirectory(store).person(id)
