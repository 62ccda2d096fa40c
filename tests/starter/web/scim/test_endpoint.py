"""The endpoint refuses what is not meant for it, in SCIM's own errors, and keeps to its bounds."""

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from activities.people.pushed import derive
from activities.people.rights import TokenRights
from activities.records.allowances import Rate
from activities.records.directory import PushedPerson
from activities.records.store import Store
from starter.web.api.door import JSON_AT_MOST
from starter.web.http.bodies import MOST_VALUES
from starter.web.scim.queries import FILTER_AT_MOST, OPERATIONS_AT_MOST, PATH_AT_MOST
from starter.web.scim.resources import PAGE_AT_MOST
from tests.starter.web.scim.directory import ENTERPRISE, ERROR, GROUP, PATCH, USER, PushingDirectory, pushing, user_of

PATCHED = {"op": "replace", "path": "displayName", "value": "Other"}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer", 401), ("Bearer nonsense", 401), ("Basic Y3N0XzE6", 401), ("Bearer cst_" + "A" * 43, 401)],
)
async def test_nobody_pushes_without_its_token(directory: PushingDirectory, authorization: str, status: int) -> None:
    for method, path in (("GET", "/Users"), ("POST", "/Users"), ("GET", "/Schemas"), ("DELETE", "/Users/ada")):
        answer = await directory.call(method, path, headers={"authorization": authorization})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (status, "Bearer")
        assert (answer.json()["schemas"], answer.json()["status"]) == ([ERROR], str(status))


@pytest.mark.parametrize("may", ["read", "start", "change"])
async def test_tokens_of_other_programs_push_nobody(store: Store, may: str) -> None:
    async with pushing(store, may=may) as directory:
        assert (await directory.call("POST", "/Users", user_of("ada"))).status_code == 403


async def test_a_revoked_token_ends_at_once(directory: PushingDirectory, store: Store) -> None:
    await directory.add_user("ada")
    await store.tokens.revoke("entra", datetime.now(UTC))
    assert (await directory.call("GET", "/Users/ada")).status_code == 401


@pytest.mark.parametrize("written", ["directory:nda", "directory@ada"])
def test_the_right_to_push_has_no_limits(written: str) -> None:
    with pytest.raises(ValueError, match="has no limits"):
        TokenRights.read([written])


@pytest.mark.parametrize(
    ("body", "status", "keyword"),
    [
        (b"", 400, "invalidSyntax"),
        (b"{", 400, "invalidSyntax"),
        (b"[]", 400, "invalidSyntax"),
        (b"null", 400, "invalidSyntax"),
        (b'{"userName": NaN}', 400, "invalidValue"),
        (b"[" * 100_000, 400, "invalidSyntax"),
        (b'{"userName": "a", "userName": "b"}', 400, "invalidSyntax"),
        (b'{"userName": "\\ud800@x.example"}', 400, "invalidSyntax"),
        (b'{"userName": "\\u0000@x.example"}', 400, "invalidSyntax"),
        (b'{"userName": 1e999}', 400, "invalidValue"),
        (b'{"userName": ' + b"9" * 5_000 + b"}", 400, "invalidSyntax"),
        (b'{"userName": {"a": 1}}', 400, "invalidValue"),
        (b'{"userName": ""}', 400, "invalidValue"),
        (b"\xff\xfe", 400, "invalidSyntax"),
        (b'{"userName": "' + b"a" * 10_000 + b'@x.example"}', 400, "invalidValue"),
        (b'{"userName": "a@x.example", "emails": [' + b"{}," * 500 + b"{}]}", 400, "invalidValue"),
        (b'{"userName": "a@x.example", "emails": {"value": 3}}', 400, "invalidValue"),
    ],
)
async def test_nonsense_is_refused_in_scims_own_words(
    directory: PushingDirectory, body: bytes, status: int, keyword: str
) -> None:
    await directory.add_user("ada")
    for method, path in (("POST", "/Users"), ("PUT", "/Users/ada"), ("POST", "/Groups"), ("PATCH", "/Users/ada")):
        answer = await directory.client.request(method, path, content=body)
        assert (answer.status_code, answer.json()["schemas"]) == (400, [ERROR]), (method, path)
    answer = await directory.client.post("/Users", content=body)
    assert (answer.status_code, answer.json().get("scimType")) == (status, keyword)


@pytest.mark.parametrize(
    "operations",
    [
        [],
        None,
        [{"op": "explode", "path": "active"}],
        [{"op": "remove"}],
        [{"op": "replace", "path": "active"}],
        [{"op": "replace", "path": "active", "value": "perhaps"}],
        [{"op": "replace", "path": "userName", "value": None}],
        [{"op": "remove", "path": "userName"}],
        [{"op": "replace", "path": "emails[", "value": "a"}],
        [{"op": "replace", "path": "emails[type eq", "value": "a"}],
        [{"op": "add", "path": 'emails[type sw "z" or (value eq "no")].value', "value": "a@x.example"}],
        [{"op": "replace", "path": "id", "value": "other"}],
        [{"op": "replace", "value": "active"}],
        [{"op": "replace", "path": 7, "value": "a"}],
        ["replace"],
        [{"op": "replace", "path": "emails", "value": []}, {"op": "replace", "path": "userName", "value": "ada"}],
    ],
)
async def test_operations_that_mean_nothing_change_nothing(directory: PushingDirectory, operations: Any) -> None:
    user = await directory.add_user("ada")
    answer = await directory.call("PATCH", "/Users/ada", {"schemas": [PATCH], "Operations": operations})
    assert (answer.status_code, answer.json()["schemas"]) == (400, [ERROR])
    assert (await directory.call("GET", "/Users/ada")).json() == user


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
        {"op": "add", "path": "members", "value": ["bob"]},
        {"op": "add", "path": "members", "value": [{}]},
        {"op": "add", "path": "members", "value": 5},
        {"op": "add", "path": 'members[value eq "ada"]', "value": {"value": "bob"}},
        {"op": "replace", "path": "displayName", "value": "???"},
        {"op": "replace", "path": "displayName", "value": {"a": 1}},
        {"op": "remove", "path": "displayName"},
        {"op": "remove", "path": "id"},
    ],
)
async def test_operations_on_a_group_are_checked_too(directory: PushingDirectory, operation: dict[str, Any]) -> None:
    await directory.add_user("ada")
    group = await directory.add_group("legal", "ada")
    answer = await directory.patch(f"/Groups/{group['id']}", operation)
    assert (answer.status_code, answer.json()["schemas"]) == (400, [ERROR])
    assert (await directory.call("GET", f"/Groups/{group['id']}")).json() == group


@pytest.mark.parametrize(
    "filter",
    [
        "userName",
        'userName co "a"',
        'userName eq "a" or externalId eq "b"',
        'not (userName eq "a")',
        'userName eq "a" and userName eq "b"',
        'password eq "a"',
        "userName eq true",
        'userName eq "a" and',
        'userName eq "\\u0000"',
        'userName eq "\\ud800"',
        'userName eq "' + "a" * FILTER_AT_MOST * 10 + '"',
        " and ".join(['userName eq "a"'] * 1_000),
        '"' * 900,
    ],
)
async def test_other_filters_than_directories_send_are_refused(directory: PushingDirectory, filter: str) -> None:
    for path in ("/Users", "/Groups"):
        answer = await directory.call("GET", path, params={"filter": filter})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


@pytest.mark.parametrize(
    "path", ["displayName", "name.familyName", "emails", 'emails[type eq "work"].value', f"{ENTERPRISE}:department"]
)
@pytest.mark.parametrize("operation", [{"op": "remove"}, {"op": "Replace", "value": None}])
async def test_an_attribute_is_removed(directory: PushingDirectory, path: str, operation: dict[str, Any]) -> None:
    names = {"familyName": "Lovelace", "givenName": "Ada"}
    phone = {"value": "+31612345678", "type": "work"}
    await directory.add_user("ada", name=names, phoneNumbers=[phone], **{ENTERPRISE: {"department": "Legal"}})
    changed = await directory.patch("/Users/ada", {**operation, "path": path})
    assert changed.status_code in (200, 400)
    assert operation["op"] != "remove" or changed.status_code == 200


@pytest.mark.parametrize("path", ["/Users/%00", "/Users/a%0Ab", "/Users/..%2fb", "/Groups/" + "a" * 5_000, "/Me", "/x"])
async def test_addresses_of_nothing_are_not_there(directory: PushingDirectory, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await directory.call(method, path, user_of("ada"))
        assert answer.status_code in (400, 404), (method, answer.text)
        assert answer.json()["schemas"] == [ERROR]


async def test_a_user_name_is_of_one_user(directory: PushingDirectory) -> None:
    await directory.add_user("ada")
    await directory.add_user("bob")
    for method, path in (("POST", "/Users"), ("PUT", "/Users/bob")):
        answer = await directory.call(method, path, user_of("ada", userName="ADA@Company.example"))
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    answer = await directory.patch("/Users/bob", {"op": "replace", "path": "userName", "value": "ada@company.example"})
    assert answer.status_code == 409
    await directory.add_group("Legal Team")
    answer = await directory.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "legal  team"})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")


async def test_of_two_changes_of_one_version_the_second_is_refused(directory: PushingDirectory) -> None:
    user = await directory.add_user("ada")
    version = {"if-match": user["meta"]["version"]}
    answers = await asyncio.gather(
        *(
            directory.patch("/Users/ada", {**PATCHED, "value": f"Name {number}"}, headers=version)
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 9]
    assert (await directory.call("DELETE", "/Users/ada", headers=version)).status_code == 412
    answers = await asyncio.gather(
        *(
            directory.patch("/Users/ada", {"op": "add", "path": "phoneNumbers", "value": [{"value": f"+4930{n}00000"}]})
            for n in range(4)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    user = (await directory.call("GET", "/Users/ada")).json()
    assert len(user["phoneNumbers"]) == 4, "without a version each change is made on what is there then"
    headers = {"if-none-match": user["meta"]["version"]}
    assert (await directory.call("GET", "/Users/ada", headers=headers)).status_code == 304
    same = await directory.call("PUT", "/Users/ada", user)
    assert same.headers["etag"] == user["meta"]["version"], "what changes nothing makes no version"


async def test_users_come_in_pages(directory: PushingDirectory) -> None:
    for number in range(7):
        await directory.add_user(f"p{number}")
    for first, count, ids in (
        (1, 3, "012"),
        (6, 3, "56"),
        (-4, 2, "01"),
        (8, 9, ""),
        (1, 0, ""),
        (1, 9_999, "0123456"),
    ):
        answer = (await directory.call("GET", "/Users", params={"startIndex": first, "count": count})).json()
        assert [user["id"] for user in answer["Resources"]] == [f"p{number}" for number in ids]
        assert (answer["totalResults"], answer["itemsPerPage"]) == (7, len(ids))
    answer = await directory.call("GET", "/Users", params={"count": "many"})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    answer = await directory.call("GET", "/Users", params={"attributes": "userName", "count": 1})
    assert set(answer.json()["Resources"][0]) == {"schemas", "id", "userName"}


@pytest.mark.long
async def test_a_page_has_no_more_than_its_bound(directory: PushingDirectory, store: Store) -> None:
    users = [PushedPerson(user_of(f"p{number}"), f"p{number}", None, True) for number in range(10 * PAGE_AT_MOST)]
    now = datetime.now(UTC)
    await asyncio.gather(*(store.directory.add_user(user, derive, user.user_name, now) for user in users))
    answer = (await directory.call("GET", "/Users", params={"count": 10 * PAGE_AT_MOST})).json()
    assert (answer["totalResults"], len(answer["Resources"])) == (10 * PAGE_AT_MOST, PAGE_AT_MOST)


@pytest.mark.parametrize("path", ["/Users/ada", "/Groups/g-1"])
@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "add", "path": "displayName", "value": "a"}] * OPERATIONS_AT_MOST * 10,
        [{"op": "add", "path": "emails[" + "(" * PATH_AT_MOST * 10, "value": "a"}],
        [{"op": "remove", "path": "members[" + "not (" * 90 + "value pr" + ")" * 90 + "]"}],
    ],
    ids=["many", "long", "deep"],
)
async def test_operations_have_a_bound(
    directory: PushingDirectory, path: str, operations: list[dict[str, Any]]
) -> None:
    await directory.add_user("ada")
    started_at = time.process_time()
    answer = await directory.patch(path, *operations)
    assert answer.status_code in (400, 404)
    assert time.process_time() - started_at < 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"schemas": ["' + USER.encode() + b'"], "x": "' + b"a" * JSON_AT_MOST * 10 + b'"}',
        b'{"members": [' + b"1," * MOST_VALUES * 100 + b"1]}",
    ],
    ids=["long", "crowded"],
)
async def test_large_bodies_are_refused_before_they_are_built(directory: PushingDirectory, body: bytes) -> None:
    answer = await directory.client.post("/Groups", content=body)
    assert (answer.status_code, answer.json()["schemas"]) == (413 if len(body) > JSON_AT_MOST else 400, [ERROR])


async def test_calls_beyond_the_rate_wait(store: Store) -> None:
    async with pushing(store, rate=Rate(burst=5, per_second=0.001)) as directory:
        statuses = [(await directory.call("GET", "/Users")).status_code for _ in range(50)]
        assert statuses == [200] * 5 + [429] * 45
        answer = await directory.call("GET", "/Users")
        assert int(answer.headers["retry-after"]) > 1
        assert answer.json()["schemas"] == [ERROR]


async def test_it_describes_itself(directory: PushingDirectory) -> None:
    config = (await directory.call("GET", "/ServiceProviderConfig")).json()
    assert (config["patch"], config["etag"], config["filter"]) == (
        {"supported": True},
        {"supported": True},
        {"supported": True, "maxResults": PAGE_AT_MOST},
    )
    kinds = (await directory.call("GET", "/ResourceTypes")).json()["Resources"]
    assert [kind["endpoint"] for kind in kinds] == ["/Users", "/Groups"]
    schemas = (await directory.call("GET", "/Schemas")).json()["Resources"]
    for path in (*(f"/Schemas/{schema['id']}" for schema in schemas), "/ResourceTypes/User"):
        assert (await directory.call("GET", path)).status_code == 200
    assert (await directory.call("GET", "/Schemas", params={"filter": 'id eq "a"'})).status_code == 403
    assert (await directory.call("POST", "/Schemas", {})).status_code == 405


async def test_logs_name_nobody_who_is_pushed(directory: PushingDirectory, store: Store) -> None:
    with capture_logs() as logs:
        await directory.add_user("ada")
        await directory.call("POST", "/Users", user_of("ada"))
        await directory.call("GET", "/Users", params={"filter": 'userName eq "ada@company.example'})
        await directory.patch("/Users/ada", {"op": "replace", "path": "displayName", "value": "Person ada" * 1_000})
        await directory.call("POST", "/Users", user_of("bob", emails="ada@company.example"))
        store.close()
        answer = await directory.client.get("/Users/ada")
    assert answer.status_code in (200, 503)
    assert not re.search("company.example|Person", repr(logs))
