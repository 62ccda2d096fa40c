"""The page "I am away" behind a link: entered on the phone, without a sign-in, by people of the directory alone."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Final

import httpx
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from starter.temporal.connection import Context
from starter.web.absences import AwayForms
from starter.web.acting.forms import FormGuard
from starter.web.app import make_app
from starter.web.http.serving import with_peer
from starter.web.intake.catalogue import KindCatalogue
from starter.web.pages.away import AwayPages
from tests.starter.web.desk.office import CATALOGUE
from tests.starter.web.paging import CHAIR, DUTCH, FIRST, LINK_SECRET, PEOPLE, PUBLIC, REQUEST

LINKS: Final = SigningLinks(PUBLIC, KeyRing([LINK_SECRET]))
TODAY: Final = datetime.now(UTC).date()
FIELDS: Final = {"act": "enter", "from": TODAY.isoformat(), "until": (TODAY + timedelta(days=7)).isoformat()}


class Phone:
    def __init__(self, http: httpx.AsyncClient, store: Store) -> None:
        self.http = http
        self.store = store

    async def open(self, person: str, use: LinkUse = LinkUse.SIGN) -> httpx.Response:
        ref = LINKS.link(REQUEST, person, use).rpartition("/")[2]
        return await self.http.get(f"/away/{ref}")

    async def press(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Follows where the answer leads."""
        token = re.findall(r'name="token" value="([^"]*)"', page.text)[-1]
        return await self.http.post(page.url.path, data={"token": unescape(token), **fields})


@asynccontextmanager
async def phone(folder: Path) -> AsyncIterator[Phone]:
    (folder / "people.yaml").write_text(PEOPLE)
    store = Store((folder / "store").as_uri())
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    directory = FileDirectory(folder / "people.yaml", store)
    forms = AwayForms(Context(nowhere, store), directory, KindCatalogue(CATALOGUE))
    app = with_peer(make_app(AwayPages(LINKS, forms, FormGuard(KeyRing([LINK_SECRET]), PUBLIC)).routes()))
    transport = httpx.ASGITransport(app, client=("10.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC, follow_redirects=True) as http:
        yield Phone(http, store)
    store.close()


@pytest_asyncio.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        yield opened_phone


async def test_it_is_entered_on_the_phone_and_ended_there(visitor: Phone) -> None:
    page = await visitor.open(FIRST)
    assert "Customer Deputy, as usual" in page.text, "the delegate of the people file"
    assert f'href="../open/{page.url.path.rpartition("/")[2]}"' in page.text, "the way back"
    page_after = await visitor.press(page, **FIELDS)
    assert "The absence is entered." in page_after.text
    [row] = await visitor.store.absences.for_person(FIRST, datetime.now(UTC))
    assert (row.acts, row.entered_by) == (None, f"link:{FIRST}")
    assert "The absence is ended." in (await visitor.press(page_after, act="end", absence=row.id)).text
    assert await visitor.store.absences.for_person(FIRST, datetime.now(UTC)) == []


async def test_it_speaks_the_language_of_its_reader(visitor: Phone) -> None:
    page = await visitor.open(DUTCH)
    assert "Ik ben afwezig" in page.text
    assert "This was not done" not in (await visitor.press(page, **FIELDS, acts="nobody")).text


async def test_only_whoever_the_link_is_for_enters_anything(visitor: Phone) -> None:
    assert (await visitor.open(FIRST, LinkUse.PREVIEW)).status_code == 404
    assert (await visitor.open("p-0123456789ab")).status_code == 404
    assert (await visitor.http.get("/away/nonsense")).status_code == 404
    page = await visitor.open(CHAIR)
    forged = await visitor.http.post(page.url.path, data={"token": "forged", **FIELDS})
    assert forged.status_code == 403
    assert await visitor.store.absences.coming(datetime.now(UTC)) == []


async def test_while_the_database_is_away_nothing_is_entered_and_it_is_said(visitor: Phone, tmp_path: Path) -> None:
    page = await visitor.open(CHAIR)
    shutil.move(tmp_path / "store" / "countersign.sqlite3", tmp_path / "elsewhere")
    refused = await visitor.press(page, **FIELDS)
    assert refused.status_code == 503
    assert "Nothing is lost" in refused.text
    shutil.move(tmp_path / "elsewhere", tmp_path / "store" / "countersign.sqlite3")
    assert await visitor.store.absences.coming(datetime.now(UTC)) == []
