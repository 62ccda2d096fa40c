"""The key of web push: made once, replaced by the word; whom push services may ask."""

from contextlib import closing
from pathlib import Path

import pytest

from starter.boot import clients
from starter.boot.web_push import ensure_web_push_key
from starter.cli.doctor import own
from starter.cli.doctor.health import PartHealth
from starter.config.settings import load
from starter.temporal.search_attributes import SetUpResult
from tests.starter.terminal import make_complete_environment


async def test_init_makes_a_key_once_and_the_next_one_by_the_word(tmp_path: Path) -> None:
    settings = load(environment=make_complete_environment(tmp_path))
    with closing(clients.store(settings)) as store:
        assert (await own.web_push(store, "mailto:a@b.test")).state is PartHealth.WARNING
        assert (await ensure_web_push_key(settings)).made is SetUpResult.CREATED
        assert (await ensure_web_push_key(settings)).made is SetUpResult.EXISTS
        [first] = await store.web_push_keys.read()
        assert (await ensure_web_push_key(settings, is_rotated=True)).made is SetUpResult.CREATED
        newest, earlier = await store.web_push_keys.read()
        assert (newest != first, earlier) == (True, first)
        part = await own.web_push(store, "mailto:a@b.test")
    assert (part.state, newest.public[:8] in part.says, "1 earlier" in part.says) == (PartHealth.OK, True, True)
    assert newest.private not in part.says


@pytest.mark.parametrize(
    ("changes", "contact"),
    [
        ({"CONTACT": "legal@example.test", "LINK_BASE": "https://sign.example"}, "mailto:legal@example.test"),
        ({"CONTACT": "call us", "LINK_BASE": "https://sign.example"}, "https://sign.example"),
        ({"CONTACT": "", "SIGNATURE_FROM_EMAIL": "desk@example.test"}, "mailto:desk@example.test"),
        ({"CONTACT": "", "LINK_BASE": "http://127.0.0.1:8080"}, "mailto:postmaster@localhost"),
    ],
)
def test_push_services_get_an_address_of_ours(tmp_path: Path, changes: dict[str, str], contact: str) -> None:
    named = {f"COUNTERSIGN_{name}": text for name, text in changes.items()}
    settings = load(
        environment={**make_complete_environment(tmp_path), "COUNTERSIGN_SIGNATURE_FROM_EMAIL": "", **named}
    )
    assert clients.web_push_config(settings).contact == contact
