"""The secret of the ids of people described in full: another is refused while there are such ids."""

from contextlib import closing
from pathlib import Path

import pytest

from activities.records.store import Store
from starter.boot import clients
from starter.boot.person_ids import OtherIds, ensure_secret_of_ids, keep_secret_of_ids, wait_for_database
from starter.cli.doctor import own
from starter.cli.doctor.health import PartHealth
from starter.config.settings import Settings, load
from starter.temporal.search_attributes import SetUpResult
from tests.starter.terminal import make_complete_environment, type_
from workflows.kinds import Kind

OLD, NEW = "o" * 32, "n" * 32


def settings_with(folder: Path, **secrets: str) -> Settings:
    environment = make_complete_environment(folder) | {"COUNTERSIGN_LINK_SECRET": ""}
    return load(environment=environment | {f"COUNTERSIGN_{name}": text for name, text in secrets.items()})


async def keep_somebody_in_full(store: Store) -> None:
    await store.people.keep(Kind.REQUEST.workflow_id("msa-0042"), "f" * 32, b"{}")


async def test_a_start_that_would_change_the_ids_is_refused_until_their_secret_is_named(tmp_path: Path) -> None:
    before, after = settings_with(tmp_path, LINK_SECRET=OLD), settings_with(tmp_path, LINK_SECRETS=f"{NEW},{OLD}")
    named = settings_with(tmp_path, LINK_SECRETS=NEW, PERSON_ID_SECRET=OLD)
    with closing(clients.store(before)) as store:
        assert await wait_for_database(before, store)
        await keep_somebody_in_full(store)
        with pytest.raises(OtherIds, match=r"erasure would miss them: set COUNTERSIGN_PERSON_ID_SECRET to the secret"):
            await wait_for_database(after, store)
        examined = await own.keys(after, store)
        assert examined.state is PartHealth.WRONG and "COUNTERSIGN_PERSON_ID_SECRET" in examined.says
        assert await wait_for_database(named, store)
    assert (await ensure_secret_of_ids(after)).made is SetUpResult.FAILED
    assert (await ensure_secret_of_ids(named)).made is SetUpResult.EXISTS


async def test_an_erasure_with_another_secret_is_refused(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, LINK_SECRET=OLD)
    with closing(clients.store(settings)) as store:
        await keep_secret_of_ids(settings, store)
        await keep_somebody_in_full(store)
    environment = make_complete_environment(tmp_path) | {"COUNTERSIGN_LINK_SECRET": NEW}
    refused = type_("audit", "erase", "--person", "p-0123456789ab", "--reason", "asked", "--dry-run", **environment)
    assert refused.returncode == 1 and "erasure would miss them" in refused.stderr


async def test_without_anybody_in_full_the_secret_may_change(tmp_path: Path) -> None:
    before, after = settings_with(tmp_path, LINK_SECRET=OLD), settings_with(tmp_path, LINK_SECRET=NEW)
    with closing(clients.store(before)) as store:
        made = [await keep_secret_of_ids(settings, store) for settings in (before, before, after, after)]
    assert made == [SetUpResult.CREATED, SetUpResult.EXISTS, SetUpResult.MENDED, SetUpResult.EXISTS]


def test_ids_and_passwords_stay_the_same_when_the_secrets_of_links_change(tmp_path: Path) -> None:
    before = settings_with(tmp_path, LINK_SECRET=OLD)
    after = settings_with(tmp_path, LINK_SECRETS=f"{NEW},{OLD}", PERSON_ID_SECRET=OLD)
    assert after.secret_of_ids == before.secret_of_ids
    passwords = [clients.signer_passwords(settings).derive("msa-0042", "chief") for settings in (before, after)]
    assert passwords[0] == passwords[1]
