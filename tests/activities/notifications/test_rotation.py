"""A rehearsal of docs/runbook.md, Rotating the secrets of links: 100 links are open, none dies before its secret."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.hand_off.downloads import DownloadLinks
from activities.keys import KeyRing
from activities.notifications.links import BadLink, SigningLinks
from activities.notifications.service import NotificationService
from activities.records.downloads import LinkName
from activities.records.evidence import KeptFileName
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from starter.cli.doctor import own
from starter.config.settings import load
from tests.activities.notifications.stage import pushes
from tests.activities.notifications.test_quiet import NOON, WHO
from tests.starter.terminal import make_complete_environment
from workflows.kinds import Kind
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.onboarding import Onboarding
from workflows.model.subject import Participant, Role

OLD, NEW = "o" * 32, "n" * 32
PEOPLE = (Participant(person=WHO, role=Role.DO),)
LINKS = 100


def links_of(secrets: str) -> SigningLinks:
    return SigningLinks("https://sign.example", KeyRing(map(SecretStr, secrets.split(","))))


async def send(service: NotificationService, number: int, stage: str) -> None:
    id = f"acme-{number}"
    order = NotificationOrder(key=f"{id}/{stage}/{WHO}", stage=stage, person=WHO, action=NoticeAction.OPEN)
    subject = Onboarding(id=id, kind="customer-onboarding", title="Acme", requester="legal-desk", people=PEOPLE).subject
    await service.deliver(Delivery(subject=subject, notices=(order,), now=NOON))


def is_open(links: SigningLinks, link: str) -> bool:
    try:
        links.open(link.rpartition("/")[2])
    except BadLink:
        return False
    return True


@pytest.mark.long
async def test_none_of_100_open_links_dies_in_a_rotation_and_those_of_a_struck_secret_do(
    a_worker: Callable[..., NotificationService], store: Store, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (tmp_path / "doctor").mkdir()
    environment = make_complete_environment(tmp_path / "doctor") | {"COUNTERSIGN_LINK_SECRET": ""}

    async def examine(secrets: str) -> str:
        rotating = {"COUNTERSIGN_LINK_SECRETS": secrets, "COUNTERSIGN_PERSON_ID_SECRET": OLD}
        return (await own.keys(load(environment=environment | rotating), store)).says

    before, read, written = a_worker(links=links_of(OLD)), f"{OLD},{NEW}", f"{NEW},{OLD}"
    for number in range(LINKS):
        await send(before, number, "link-0")
    old_links = [push["data"]["link"] for push in pushes(sandbox)]
    assert len({*old_links}) == LINKS
    assert await examine(read) == "open links by secret: 100, 0; they die with the secret that wrote them"
    assert all(is_open(links_of(secrets), link) for secrets in (read, written) for link in old_links)
    after = a_worker(links=links_of(written))
    for number in range(30):
        await send(after, number, "link-1")
    new_links = [push["data"]["link"] for push in pushes(sandbox)[LINKS:]]
    assert await examine(written) == "open links by secret: 30, 70; they die with the secret that wrote them"
    assert all(is_open(links_of(read), link) for link in new_links), "of a process that has not restarted yet"
    struck = links_of(NEW)
    assert not any(is_open(struck, link) for link in old_links)
    assert all(is_open(struck, link) for link in new_links)
    assert (await examine(NEW)).startswith("70 open links were written with a secret that is not in")


async def test_the_download_link_of_a_target_is_that_of_before_until_its_secret_is_struck(store: Store) -> None:
    name = LinkName(Kind.REQUEST.workflow_id("msa-0042"), "finance", KeptFileName.DOCUMENT)

    def downloads(*secrets: str) -> DownloadLinks:
        return DownloadLinks(store, "https://sign.example", KeyRing(map(SecretStr, secrets)), timedelta(days=7))

    old = await downloads(OLD).link(name, NOON)
    token = old.url.rpartition("/")[2]
    assert await downloads(NEW, OLD).link(name, NOON) == old
    assert await downloads(NEW, OLD).find(token, NOON)
    assert await downloads(NEW).find(token, NOON) is None
    new = await downloads(NEW).link(name, NOON)
    assert new != old and await downloads(NEW).find(new.url.rpartition("/")[2], NOON)
