"""A directory that pushes into the endpoint, as Entra's and Okta's documentation show their requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from starlette.applications import Starlette

from activities.records.store import Store
from starter.web.scim.endpoint import ScimEndpoint

BASE: Final = "https://sign.example"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True)
class PushingDirectory:
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        answer = await self.client.request(method, path, json=body, **more)
        assert answer.status_code < 500, (method, path, answer.text)
        return answer

    async def find(self, path: str, filter: str) -> list[dict[str, Any]]:
        answer = (await self.call("GET", path, params={"filter": filter})).json()
        assert answer["totalResults"] == len(answer["Resources"])
        resources: list[dict[str, Any]] = answer["Resources"]
        return resources

    async def add_user(self, id: str, **attributes: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/Users", user_of(id, **attributes))
        assert answer.status_code == 201, answer.text
        user: dict[str, Any] = answer.json()
        return user

    async def add_group(self, name: str, *members: str) -> dict[str, Any]:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": member} for member in members]}
        answer = await self.call("POST", "/Groups", body)
        assert answer.status_code == 201, answer.text
        group: dict[str, Any] = answer.json()
        return group

    async def patch(self, path: str, *operations: dict[str, Any], **more: Any) -> httpx.Response:
        return await self.call("PATCH", path, {"schemas": [PATCH], "Operations": operations}, **more)


@asynccontextmanager
async def pushing(store: Store, *, may: str = "directory", **endpoint: Any) -> AsyncIterator[PushingDirectory]:
    token = await store.tokens.make("entra", [may], "cli:test", datetime.now(UTC))
    app = Starlette(routes=ScimEndpoint(store, BASE, **endpoint).routes())
    app.router.redirect_slashes = False
    transport = httpx.ASGITransport(app)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/scim+json"}
    async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/scim/v2", headers=headers) as client:
        yield PushingDirectory(client)


def user_of(id: str, **attributes: Any) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE],
        "userName": f"{id}@company.example",
        "externalId": id,
        "displayName": f"Person {id}",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": f"{id}@company.example"}],
        **attributes,
    }
