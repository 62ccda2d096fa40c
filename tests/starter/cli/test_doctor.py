"""What `doctor` says of settings, store and workers; the parts that need the whole stack are in tests/stack."""

import asyncio
import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from pydantic import SecretBytes
from temporalio.client import Client
from temporalio.worker import Worker

from activities.evidence.signing import EvidenceKey
from activities.people.devices import Devices
from activities.people.person import Platform, PushDevice
from activities.records.store import Store
from deploy.sandbox.core_signature.api import EVENT_TYPES
from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from starter.boot.subscriptions import EVENTS
from starter.cli.doctor.examination import examine
from starter.cli.doctor.health import PartHealth, SetUpPart, fine, looked
from starter.cli.doctor.own import database, evidence_key, files, ids, people, policies
from starter.cli.doctor.temporal import worker
from starter.config.settings import load
from starter.config.values import PayloadKey
from starter.temporal.codec import data_converter
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment
from tests.starter.web.issuing import open_issuer
from tests.versions.stage import eventually
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.campaign.workflow import AcknowledgementCampaignWorkflow
from workflows.model.signature import WITHOUT_EFFECT
from workflows.names import BATCH_QUEUE, CAMPAIGN_QUEUE, QUEUES, SWEEP_QUEUE, URGENT_SIGNATURE_QUEUE, WORKFLOW_QUEUE
from workflows.signature.workflow import SignatureRequestWorkflow


async def examine_part(environment: dict[str, str], name: str) -> SetUpPart:
    """One part of a whole examination, of a machine on which nothing runs."""
    examined = await examine(load(environment={"TEMPORAL_ADDRESS": "127.0.0.1:1", **environment}))
    [part] = [setup_part for setup_part in examined.parts if setup_part.part == name]
    return part


async def test_where_nothing_is_set_there_is_one_cause_and_not_a_line_for_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [only] = (await examine(load(environment={}))).parts
    assert (only.part, only.state) == ("stack", PartHealth.WRONG)
    assert "no `countersign dev` runs in this folder or above it" in only.says


async def test_a_stack_that_is_gone_is_one_cause_as_well(tmp_path: Path) -> None:
    note = {"temporal": "127.0.0.1:1", "web_ui": "", "sandbox": "", "receiver": "", "env": {}}
    (tmp_path / "dev.json").write_text(json.dumps({**note, "env": {"TEMPORAL_ADDRESS": "127.0.0.1:1"}}))
    [only] = (await examine(load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path)}))).parts
    assert "the stack of `countersign dev` is gone; start it again" in only.says


async def test_a_stack_that_another_server_of_the_shell_hides_is_the_one_part_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text("{}")
    examination = await examine(
        load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path), "TEMPORAL_ADDRESS": "127.0.0.1:9"})
    )
    (only,) = examination.parts
    assert only.says.startswith(f"TEMPORAL_ADDRESS is set, so the stack of {tmp_path} is not meant: unset it, or type")


async def test_a_store_that_works_says_who_can_see_it(tmp_path: Path) -> None:
    store = Store((tmp_path / "kept").as_uri())
    part, database_part = await files(store), await database(store)
    assert (part.state, database_part.state) == (PartHealth.OK, PartHealth.OK)
    assert part.says.startswith(f"file://{tmp_path}/kept is written and read; processes on other machines")
    assert database_part.says.startswith(
        f"sqlite:///{tmp_path}/kept/countersign.sqlite3 is reached, and has the schema"
    )
    shared = Store("memory://shared", store.database.address)
    assert (await files(shared)).says == "memory:///shared is written and read"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///dev/null/store", "the store cannot be used: Not a directory"),
        ("nosuch://bucket", "COUNTERSIGN_STORE: must be a path or an fsspec URL such as s3://bucket/folder"),
    ],
)
async def test_a_store_that_does_not_work_hides_no_other_part(url: str, message: str) -> None:
    part = await examine_part({"COUNTERSIGN_STORE": url}, "store")
    assert (part.state, part.says) == (PartHealth.WRONG, message)
    assert "no Temporal server" in (await examine_part({"COUNTERSIGN_STORE": url}, "temporal")).says


def test_a_store_that_hangs_is_told_and_nobody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what runs `doctor`: asyncio would, at its end, for the thread."""
    back = threading.Event()
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda *_, **__: back.wait())
    try:
        part = asyncio.run(files(Store("memory://away", f"sqlite:///{tmp_path}/it"), seconds=0))
    finally:
        back.set()
    assert (part.state, part.says) == (
        PartHealth.WRONG,
        "memory:///away does not answer within 0 s: is it mounted, or reachable, here?",
    )


async def test_a_payload_whose_key_is_not_here_is_a_part_that_is_wrong_and_hides_no_other() -> None:
    sealed = await data_converter((PayloadKey("2026-a", SecretBytes(bytes(32))),)).encode(["asked"])

    async def look() -> SetUpPart:
        await data_converter(()).decode(sealed)
        return fine("worker", "1 at work")

    part = await looked("worker", look)
    assert (part.state, part.says) == (
        PartHealth.WRONG,
        "a payload is encrypted under key '2026-a': set COUNTERSIGN_PAYLOAD_KEYS",
    )


@pytest.mark.parametrize(
    "name", ["LINK_BASE", "LINK_SECRET", "WEBHOOK_URL", "WEBHOOK_SEGMENT", "WEBHOOK_SECRETS", "PEOPLE"]
)
async def test_what_worker_or_receiver_would_not_start_without_is_wrong(name: str, tmp_path: Path) -> None:
    everything = make_complete_environment(tmp_path)
    assert (await examine_part(everything, "settings")).state is PartHealth.OK
    del everything[f"COUNTERSIGN_{name}"]
    part = await examine_part(everything, "settings")
    assert part.state is PartHealth.WRONG
    assert part.says.startswith(f"COUNTERSIGN_{name}: is missing")


@pytest.mark.parametrize(
    ("mails", "untold"),
    [("on", "requester and alternates nothing"), ("off", "requester, alternates, and signers of an ending, nothing")],
)
async def test_without_cloud_messaging_it_is_said_who_is_told_nothing(tmp_path: Path, mails: str, untold: str) -> None:
    part = await examine_part(
        make_complete_environment(tmp_path) | {"COUNTERSIGN_SIGNATURE_STATUS_MAILS": mails}, "cloud messaging"
    )
    assert part.state is PartHealth.WARNING
    assert part.says.endswith(untold)


async def test_half_an_account_of_cloud_messaging_is_wrong(tmp_path: Path) -> None:
    half = make_complete_environment(tmp_path) | {"COUNTERSIGN_MRA_URL": "http://127.0.0.1:1"}
    for name in ("settings", "cloud messaging"):
        part = await examine_part(half, name)
        assert part.state is PartHealth.WRONG
        assert "COUNTERSIGN_MRA_USER: is missing" in part.says


@pytest.mark.parametrize(("password", "state"), [("", PartHealth.OK), ("guessed", PartHealth.WRONG)])
async def test_cloud_messaging_is_tried_without_sending_anything(
    tmp_path: Path, password: str, state: PartHealth
) -> None:
    async with running(SandboxSettings()) as sandbox:
        settings = sandbox.state.settings
        account = {"URL": sandbox.url, "USER": settings.mra_user, "PASSWORD": password or settings.mra_password}
        named = {f"COUNTERSIGN_MRA_{name}": text for name, text in account.items()}
        part = await examine_part(make_complete_environment(tmp_path) | named, "cloud messaging")
    assert part.state is state
    assert sandbox.state.database.mails.values() == []


async def test_it_says_how_core_signature_is_asked_to_call(tmp_path: Path) -> None:
    part = await examine_part(make_complete_environment(tmp_path), "callbacks")
    assert (part.state, part.says.partition(";")[0]) == (PartHealth.OK, "asked for with each document")


@pytest.mark.parametrize("address", ["temporal.example:7233", "10.0.0.7:7233", "[2001:db8::7]:7233"])
async def test_without_keys_a_temporal_elsewhere_is_warned_of_with_what_its_histories_show(address: str) -> None:
    part = await examine_part(
        {"TEMPORAL_ADDRESS": address, "COUNTERSIGN_LINK_BASE": "https://sign.example"}, "encryption"
    )
    assert (part.state, address.rpartition(":")[0].strip("[]") in part.says) == (PartHealth.WARNING, True)
    assert "the names of documents, and what people write (messages, questions, answers, reasons)" in part.says
    assert "never names, addresses, device tokens or signing pages" in part.says


@pytest.mark.parametrize("address", ["127.0.0.1:7233", "localhost:7233", "[::1]:7233"])
async def test_without_keys_a_temporal_on_this_machine_is_no_worry(address: str) -> None:
    part = await examine_part(
        {"TEMPORAL_ADDRESS": address, "COUNTERSIGN_LINK_BASE": "https://sign.example"}, "encryption"
    )
    assert (part.state, part.says) == (PartHealth.OK, "off, and Temporal is on this machine")


async def test_with_keys_it_says_which_one_encrypts() -> None:
    keys = f"2026-b={base64.b64encode(bytes(range(32))).decode()},2026-a={base64.b64encode(bytes(32)).decode()}"
    part = await examine_part(
        {"TEMPORAL_ADDRESS": "temporal.example:7233", "COUNTERSIGN_PAYLOAD_KEYS": keys}, "encryption"
    )
    assert (part.state, part.says) == (PartHealth.OK, "payloads are encrypted with the key 2026-b")


def test_the_events_to_subscribe_to_are_those_that_a_request_is_told_of() -> None:
    assert set(EVENTS) == set(EVENT_TYPES) - set(WITHOUT_EFFECT)


@pytest.mark.parametrize(("max_age", "state"), [("149m", PartHealth.WARNING), ("150m", PartHealth.OK)])
async def test_a_window_shorter_than_the_provider_s_repeats_is_warned_of(max_age: str, state: PartHealth) -> None:
    part = await examine_part({"COUNTERSIGN_WEBHOOK_MAX_AGE": max_age}, "callbacks")
    assert part.state is state
    assert ("the last repeats are refused" in part.says) is (state is PartHealth.WARNING)


CATALOGUE = """
kinds:
  base: {handoff: [{target: erp, url: "https://erp.example/told"}, {target: desk, person: legal-desk}]}
  nda: {extends: base, handoff: [{target: crm, url: "https://crm.example/told"}]}
  letter: {extends: base}
"""


@pytest.mark.parametrize(
    ("secrets", "state", "message"),
    [
        ("", PartHealth.WARNING, "COUNTERSIGN_HANDOFF_SECRETS is empty: calls to crm, erp go unsigned"),
        ("crm", PartHealth.WARNING, "COUNTERSIGN_HANDOFF_SECRETS has no secret for erp: calls to it go unsigned"),
        (
            "cmr erp",
            PartHealth.WARNING,
            "COUNTERSIGN_HANDOFF_SECRETS has no secret for crm: calls to it go unsigned; "
            "no kind of the catalogue calls cmr, only a request file may",
        ),
        ("crm erp", PartHealth.OK, "calls are signed for crm, erp"),
        (
            "crm desk erp",
            PartHealth.OK,
            "calls are signed for crm, desk, erp; no kind of the catalogue calls desk, only a request file may",
        ),
    ],
)
async def test_targets_and_secrets_that_do_not_meet_are_named(
    secrets: str, state: PartHealth, message: str, tmp_path: Path
) -> None:
    (tmp_path / "policies.yaml").write_text(CATALOGUE)
    whsec = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    part = await examine_part(
        {
            "COUNTERSIGN_POLICIES": str(tmp_path / "policies.yaml"),
            "COUNTERSIGN_HANDOFF_SECRETS": ",".join(f"{target}={whsec}" for target in secrets.split()),
        },
        "hand-off",
    )
    assert (part.state, part.says) == (state, message)


async def test_a_catalogue_that_calls_nobody_leaves_the_secrets_alone() -> None:
    part = await examine_part({}, "hand-off")
    assert part.says == "COUNTERSIGN_HANDOFF_SECRETS is empty: calls to other systems go unsigned"


@pytest.mark.parametrize(
    ("oncall", "state"), [("", PartHealth.WARNING), ("a", PartHealth.WARNING), ("b", PartHealth.WRONG)]
)
async def test_a_person_on_call_whom_nobody_knows_would_hear_of_nothing(
    oncall: str, state: PartHealth, tmp_path: Path
) -> None:
    part = await examine_part(make_complete_environment(tmp_path) | {"COUNTERSIGN_ONCALL": oncall}, "people")
    assert (part.state, "has no b, who is notified of problems" in part.says) == (state, state is PartHealth.WRONG)


async def test_devices_that_apps_have_registered_count_as_those_of_the_people_file(tmp_path: Path) -> None:
    settings = load(environment=make_complete_environment(tmp_path))
    file = tmp_path / "people.yaml"
    written = [f"{{id: p{n}, name: P, email: p{n}@example.com, zone: Europe/Amsterdam}}" for n in range(20)]
    file.write_text(f"people: [{', '.join(written)}]\n")
    store = Store(settings.store_url, settings.database_url)
    assert (await people(file, store=store)).says == f"{file}: 20 people, 20 without a device (they get mail only)"
    for id in ("p1", "p2", "somebody-who-left"):
        device = PushDevice(token=f"token-of-{id}", platform=Platform.ANDROID)
        await Devices(store).register(id, device, datetime.now(UTC))
    assert (await people(file, store=store)).says == f"{file}: 20 people, 18 without a device (they get mail only)"
    slow = await people(file, store=store, seconds=0)
    assert slow.says == f"{file}: 20 people, 20 without a device in it; the store is too slow to count those of apps"


@pytest.mark.parametrize(
    ("kind", "requester", "state", "message"),
    [
        ("lease", "a", PartHealth.OK, "become lease of their senders"),
        ("rent", "a", PartHealth.WRONG, "has no kind rent (COUNTERSIGN_ADOPT_KIND)"),
        ("lease", "b", PartHealth.WRONG, "has no b (COUNTERSIGN_ADOPT_REQUESTER)"),
    ],
)
async def test_what_is_adopted_needs_a_kind_and_a_requester_that_there_are(
    kind: str, requester: str, state: PartHealth, message: str, tmp_path: Path
) -> None:
    (tmp_path / "policies.yaml").write_text("kinds:\n  lease: {window: 10d}\n")
    adopts = {"COUNTERSIGN_ADOPT": "on", "COUNTERSIGN_ADOPT_KIND": kind, "COUNTERSIGN_ADOPT_REQUESTER": requester}
    policies = {"COUNTERSIGN_POLICIES": str(tmp_path / "policies.yaml")}
    part = await examine_part(make_complete_environment(tmp_path) | adopts | policies, "adoption")
    assert (part.state, message in part.says) == (state, True)


async def test_faults_of_the_rules_of_adoption_are_said_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("kinds:\n  lease: {window: 10d}\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {kind: rent, owner: a}\n  - {kind: lease, owner: z, name: '['}\n")
    settings = {"COUNTERSIGN_ADOPT": "on", "COUNTERSIGN_ADOPT_RULES": str(rules)}
    environment = make_complete_environment(tmp_path) | settings
    environment["COUNTERSIGN_POLICIES"] = str(tmp_path / "policies.yaml")
    part = await examine_part(environment, "adoption")
    assert (part.state, "rules.yaml:3: rules[1].name: must be a pattern" in part.says) == (PartHealth.WRONG, True)
    rules.write_text("rules:\n  - {kind: rent, owner: a}\n  - {kind: lease, owner: z}\n")
    part = await examine_part(environment, "adoption")
    assert "rules.yaml:2: rules[0].kind" in part.says and "rules.yaml:3: rules[1].owner" in part.says
    rules.write_text("rules:\n  - {kind: lease, owner: a}\n")
    assert (await examine_part(environment, "adoption")).state is PartHealth.OK


@pytest.mark.real_server
async def test_a_worker_that_asks_no_more_is_not_at_work(dev_server: str) -> None:
    client, activities = await own_namespace(dev_server), World().signatures.activities()
    walks = Worker(
        client, task_queue=CAMPAIGN_QUEUE, workflows=[AcknowledgementCampaignWorkflow], activities=activities
    )
    batches, sweeps = (Worker(client, task_queue=queue, activities=activities) for queue in (BATCH_QUEUE, SWEEP_QUEUE))
    async with workers(client, World()), walks, batches, sweeps:
        assert await eventually(lambda: is_worker_reported(client, f"no worker polls {URGENT_SIGNATURE_QUEUE}:"))
        async with Worker(client, task_queue=URGENT_SIGNATURE_QUEUE, activities=activities):
            assert await eventually(lambda: is_worker_reported(client, "1 at work"))
        later = await worker(client, datetime.now(UTC) + timedelta(minutes=2))
    assert later.state is PartHealth.WRONG
    assert later.says.startswith(
        "no worker polls countersign, countersign-campaigns, countersign-batches, countersign-core-"
    )


async def test_who_reads_what_is_encrypted_in_the_web_ui_is_told(tmp_path: Path) -> None:
    key = {"COUNTERSIGN_PAYLOAD_KEYS": f"k={base64.b64encode(bytes(32)).decode()}"}
    assert (await examine_part(make_complete_environment(tmp_path), "codec")).says.endswith(
        "shows payloads, which are not encrypted"
    )
    assert (await examine_part(make_complete_environment(tmp_path) | key, "codec")).says.endswith("shows ciphertext")
    on = {**key, "COUNTERSIGN_CODEC": "on", "COUNTERSIGN_CODEC_ORIGIN": "https://ui.test"}
    on |= {"COUNTERSIGN_OPERATORS": "ops", "COUNTERSIGN_OIDC_AUDIENCE": "us", "COUNTERSIGN_CODEC_TOKEN": "t" * 16}
    async with open_issuer() as issuer:
        environment = {**make_complete_environment(tmp_path), **on, "COUNTERSIGN_OIDC_ISSUER": issuer.url}
        assert (await examine_part(environment, "codec")).says == (
            f"pages of https://ui.test decrypt for members of ops, by tokens of {issuer.url}, which has 1 key, "
            "and whoever has COUNTERSIGN_CODEC_TOKEN"
        )
        issuer.is_away = True
        part = await examine_part(environment, "codec")
    assert (part.state, part.says.startswith("OpenID issuer answered 503")) == (PartHealth.WRONG, True)


async def test_whether_people_can_sign_in_with_the_company_account(tmp_path: Path) -> None:
    assert (await examine_part(make_complete_environment(tmp_path), "sign-in")).state is PartHealth.OK
    client = {"COUNTERSIGN_OIDC_CLIENT_ID": "countersign", "COUNTERSIGN_SIGN_IN": "oidc"}
    async with running() as sandbox:
        issuer = {"COUNTERSIGN_OIDC_ISSUER": sandbox.oidc.issuer}
        part = await examine_part({**make_complete_environment(tmp_path), **client, **issuer}, "sign-in")
        assert (part.state, part.says) == (PartHealth.OK, f"at the desk by accounts of {sandbox.oidc.issuer}")
        sandbox.oidc.base_url = "https://other.example"
        part = await examine_part({**make_complete_environment(tmp_path), **client, **issuer}, "sign-in")
        assert (part.state, "is not of this issuer" in part.says) == (PartHealth.WRONG, True)
    async with open_issuer() as bare:
        issuer = {"COUNTERSIGN_OIDC_ISSUER": bare.url}
        part = await examine_part({**make_complete_environment(tmp_path), **client, **issuer}, "sign-in")
    assert (part.state, "names no end points" in part.says) == (PartHealth.WRONG, True)


@pytest.mark.real_server
async def test_a_pool_on_which_nobody_works_is_named_with_the_worker_that_is_missing(dev_server: str) -> None:
    client, activities = await own_namespace(dev_server), World().signatures.activities()
    sweeps = Worker(client, task_queue=SWEEP_QUEUE, activities=activities)
    async with (
        workers(client, World()),
        Worker(client, task_queue=URGENT_SIGNATURE_QUEUE, activities=activities),
        sweeps,
    ):
        assert await eventually(
            lambda: is_worker_reported(
                client,
                "no worker polls countersign-campaigns, countersign-batches: "
                "start `countersign worker --queues campaigns`;",
            )
        )


@pytest.mark.real_server
async def test_a_queue_on_which_nobody_works_is_named(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    async with Worker(client, task_queue=WORKFLOW_QUEUE, workflows=[SignatureRequestWorkflow]):
        idle = f"no worker polls {', '.join(queue for queue in QUEUES if queue != WORKFLOW_QUEUE)}:"
        assert await eventually(lambda: is_worker_reported(client, idle))


async def is_worker_reported(client: Client, message: str) -> bool:
    return (await worker(client)).says.startswith(message)


async def test_ids_that_tell_the_name_and_a_missing_key_of_evidence_are_said(tmp_path: Path) -> None:
    file, line = tmp_path / "people.yaml", "{{id: {}, name: Ada Lovelace, email: a@example.com, zone: Europe/Berlin}}"
    for id, shows_name in (("lovelace_a", True), ("e-4711", False)):
        file.write_text(f"people: [{line.format(id)}]")
        part = await ids(file)
        assert ("1 have a word of the person's name" in part.says, "Ada" in part.says) == (shows_name, False)
    settings = load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path)})
    assert (evidence_key(settings).state, "countersign init" in evidence_key(settings).says) == (
        PartHealth.WARNING,
        True,
    )
    EvidenceKey.ensure(settings.evidence_key)
    assert evidence_key(settings).state is PartHealth.OK


async def test_who_is_named_by_may_start_in_vain_is_said(tmp_path: Path) -> None:
    kinds, people_file = tmp_path / "policies.yaml", tmp_path / "people.yaml"
    kinds.write_text("kinds: {lease: {may_start: [{group: sales}, {group: staff}, {person: eve}, {person: ada}]}}")
    people_file.write_text("people: [{id: ada, name: Ada, email: ada@example.com, zone: UTC, groups: [staff]}]")
    message = f"{kinds}: 1 kinds; may_start names eve, the group sales, whom the people file does not have"
    assert await policies(kinds, people_file) == fine("policies", message)
    assert await policies(kinds, None) == fine("policies", f"{kinds}: 1 kinds")
