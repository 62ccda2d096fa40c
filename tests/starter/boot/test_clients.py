"""Which setting goes where: every client of a process is made from settings alone."""

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.core_signature.client import CoreSignatureConfig
from activities.http.oauth import Credentials, Grant, TokenAuth
from activities.notifications.config import FcmConfig
from activities.notifications.links import LinkUse
from activities.notifications.push_services import AppWorksPush, FcmPush
from activities.records.devices import device_hash
from activities.records.processes import ProcessRole
from activities.records.store import Store
from starter.boot import clients
from starter.boot.clients import UnusableFile
from starter.config.settings import Need, Settings, load

PEOPLE = """
people:
  - id: legal-desk
    name: Legal desk
    email: legal-desk@acme.test
    zone: Europe/Amsterdam
    devices: [{token: legal-desk~1, platform: android}]
"""
SEGMENT = "s" * 22
WHSEC = "whsec_" + base64.b64encode(bytes(24)).decode()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """All that a worker must be told."""
    (tmp_path / "people.yaml").write_text(PEOPLE)
    variables = {
        "SIGNATURE_URL": "https://sign.example",
        "SIGNATURE_TOKEN_URL": "https://login.example/token",
        "SIGNATURE_CLIENT_ID": "us",
        "SIGNATURE_CLIENT_SECRET": "secret",
        "PUSH_URL": "https://push.example",
        "PUSH_PROJECT": "project",
        "PUSH_TOKEN_URL": "https://login.example/push",
        "PUSH_CLIENT_ID": "pusher",
        "PUSH_CLIENT_SECRET": "push-secret",
        "WEBHOOK_URL": "https://receiver.example/",
        "WEBHOOK_SEGMENT": SEGMENT,
        "LINK_BASE": "https://receiver.example",
        "LINK_SECRET": "l" * 32,
        "PEOPLE": str(tmp_path / "people.yaml"),
        "DATA_DIR": str(tmp_path),
    }
    return {"TEMPORAL_ADDRESS": "127.0.0.1:7233", **{f"COUNTERSIGN_{name}": text for name, text in variables.items()}}


def settings(environment: dict[str, str], **changes: str) -> Settings:
    needs = (Need.SIGNATURE, Need.PUSH, Need.CALLBACKS, Need.LINKS, Need.PEOPLE)
    return load(*needs, environment={**environment, **{f"COUNTERSIGN_{name}": text for name, text in changes.items()}})


async def test_a_process_opens_all_its_clients_without_a_call(environment: dict[str, str]) -> None:
    async with clients.opened(settings(environment)) as opened:
        assert isinstance(opened.push, FcmPush)
        person = await opened.directory.person("legal-desk")
        assert [device.token for device in await opened.directory.devices(person)] == ["legal-desk~1"]
        assert opened.links.link("msa-42", "legal-desk", LinkUse.SIGN).startswith("https://receiver.example/open/")
        assert opened.signature.document_url("d") == "https://sign.example/api/v1/documents/d/"


async def test_cloud_messaging_is_opened_when_it_is_set(environment: dict[str, str]) -> None:
    async with clients.opened(settings(environment)) as opened:
        assert opened.messaging is None
    account = {"MRA_URL": "https://api.example", "MRA_USER": "us", "MRA_PASSWORD": "secret"}
    async with clients.opened(settings(environment, **account)) as opened:
        assert opened.messaging is not None


def test_what_is_unset_keeps_the_clients_defaults(environment: dict[str, str]) -> None:
    credentials = Credentials("https://login.example/token", "us", SecretStr("secret"))
    callback_url = f"https://receiver.example/callbacks/core-signature/{SEGMENT}"
    expected = CoreSignatureConfig(
        "https://sign.example",
        credentials,
        callback_url=callback_url,
        signed_page="https://receiver.example/open/signed",
    )
    assert clients.signature_config(settings(environment)) == expected


def test_what_a_tenant_answers_differently_reaches_the_client(environment: dict[str, str]) -> None:
    config = clients.signature_config(
        settings(
            environment,
            SIGNATURE_TOKEN_AUTH="json",
            SIGNATURE_GRANT="password",
            SIGNATURE_USERNAME="sender",
            SIGNATURE_PASSWORD="pass",
            SIGNATURE_SUBSCRIPTION="acme",
            SIGNATURE_DIALECT="signrequest",
            SIGNATURE_SIGNER_NAME_STYLE="first_last",
            SIGNATURE_LIST_LAG="15s",
            SIGNATURE_PAGE_SIZE="50",
            SIGNATURE_CANCEL_PATHS="stop",
            SIGNATURE_CALLBACK_STYLE="subscription",
            SIGNATURE_STATUS_MAILS="off",
        )
    )
    assert not config.status_mails
    credentials = config.credentials
    assert (credentials.token_auth, credentials.grant) == (TokenAuth.JSON, Grant.PASSWORD)
    assert credentials.parameters == {"username": "sender", "password": "pass", "subscription": "acme"}
    assert (config.dialect, config.name_style, config.list_lag) == ("signrequest", "first_last", 15)
    assert (config.page_size, config.cancel_paths, config.callback_url) == (50, ("stop",), None)
    assert config.resend_paths == CoreSignatureConfig("", credentials).resend_paths


async def test_with_push_off_nobody_has_a_device(environment: dict[str, str]) -> None:
    """A signer with a device gets no mail of Core Signature: without push nobody would tell them anything."""
    async with clients.opened(settings(environment, PUSH_DIALECT="off")) as opened:
        assert opened.push is None
        person = await opened.directory.person("legal-desk")
        assert await opened.directory.devices(person) == ()


async def test_the_gateway_is_spoken_to_when_it_is_named(environment: dict[str, str]) -> None:
    changes = {"PUSH_DIALECT": "appworks", "PUSH_APP": "countersign", "PUSH_APP_KEY": "key"}
    async with clients.opened(settings(environment, **changes)) as opened:
        assert isinstance(opened.push, AppWorksPush)


def test_the_credentials_of_push_are_its_own(environment: dict[str, str]) -> None:
    config = clients.push_config(settings(environment).push)
    credentials = Credentials("https://login.example/push", "pusher", SecretStr("push-secret"))
    assert config == FcmConfig("https://push.example", "project", credentials)


def test_a_faulty_key_file_is_one_line_that_names_the_setting(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"private_key": "canary"}')
    changes = {"PUSH_AUTH": "google_service_account", "PUSH_CREDENTIALS_FILE": str(tmp_path / "key.json")}
    with pytest.raises(UnusableFile) as refused:
        clients.push_config(settings(environment, **changes).push)
    assert str(refused.value).startswith("COUNTERSIGN_PUSH_CREDENTIALS_FILE: ")
    assert "canary" not in str(refused.value)


def test_hand_off_secrets_reach_the_caller(environment: dict[str, str]) -> None:
    config = clients.downstream_config(settings(environment, HANDOFF_SECRETS=f"erp={WHSEC},erp={WHSEC}"))
    assert [secret.get_secret_value() for secret in config.secrets["erp"]] == [WHSEC, WHSEC]


async def test_the_store_of_the_directory_is_the_store_of_the_process(environment: dict[str, str]) -> None:
    worker_settings = settings(environment)
    store = Store(worker_settings.store_url, worker_settings.database_url)
    directory = clients.directory(worker_settings, store)
    person = await directory.person("legal-desk")
    await directory.mark_gone(person, person.devices[0], "UNREGISTERED")
    assert await directory.devices(person) == ()
    dead = (await store.devices.read_person("legal-desk", ["legal-desk~1"])).marks.get(device_hash("legal-desk~1"))
    assert dead


def test_a_process_says_which_files_it_runs_with_now(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    mapping, people = tmp_path / "hooks" / "crm.yaml", tmp_path / "people.yaml"
    mapping.write_text("a")
    worker_settings = settings(environment, HOOK_MAPPINGS=str(tmp_path / "hooks"))
    first, worker = (clients.running(worker_settings, role, "me") for role in (ProcessRole.WEB, ProcessRole.WORKER))
    assert (first.people, first.catalogue) == (worker.people, worker.catalogue)
    assert (bool(first.mappings), worker.mappings) == (True, "")
    mapping.write_text("other")
    people.write_text(f"{PEOPLE}# changed")
    later = clients.running(worker_settings, ProcessRole.WEB, "me")
    assert (later.people != first.people, later.mappings != first.mappings) == (True, True)
    people.unlink()
    assert clients.running(worker_settings, ProcessRole.WEB, "me").people == "unreadable"
