"""Many requests of one start: checked all before the first, started side by side, and harmless to repeat."""

import asyncio
import csv
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.files.reading import FileFaults
from activities.files.table import Table
from starter.boot import processes as modules
from starter.cli import start_files
from starter.config.settings import load
from tests import prompt
from tests.activities.launch.papers import CATALOGUE, PDF, PEOPLE
from tests.glances import glances
from tests.servers import real_server
from tests.starter.terminal import make_complete_environment, type_
from workflows.kinds import Kind
from workflows.names import BULK_NOTICE

TEMPLATE = """\
id: nda-{number}
kind: customer-contract
document: {file: papers/nda.pdf, name: "NDA {number}"}
requester: legal-desk
signers: [{name: "{name}", email: "{email}", zone: Europe/Amsterdam}]
"""


def make_rows(number: int) -> str:
    lines = (f"{n};=Person {n};person{n}@example.com" for n in range(number))
    return "\n".join(["number;name;email", *lines])


def run_module(module: str, *arguments: str, **environment: str) -> "CompletedProcess[str]":
    """What came of a program in the environment of the test."""
    return prompt.run(module, *arguments, environment={**modules.environment(), **environment})


async def wait_for_ids(client: Client, query: str, at_least: int) -> list[str]:
    """The ids that visibility, which comes after what it tells of, has for a query once there are so many."""
    for pause in glances():
        ids = [run.id async for run in client.list_workflows(query)]
        if len(ids) >= at_least:
            return ids
        await asyncio.sleep(pause)
    raise AssertionError(ids)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which somebody types, with its settings in the environment."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "papers" / "nda.pdf").write_bytes(PDF)
    (tmp_path / "templates" / "nda.yaml").write_text(TEMPLATE)
    (tmp_path / "rows.csv").write_bytes(make_rows(40).encode("utf-16"))
    for name, text in make_complete_environment(tmp_path).items():
        monkeypatch.setenv(name, text)
    (tmp_path / "people.yaml").write_text(PEOPLE)
    (tmp_path / "policies.yaml").write_text(CATALOGUE)
    monkeypatch.setenv("COUNTERSIGN_POLICIES", str(tmp_path / "policies.yaml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_start(office: Path, *arguments: str, **environment: str) -> "CompletedProcess[str]":
    defaults = {**make_complete_environment(office), "COUNTERSIGN_POLICIES": str(office / "policies.yaml")}
    (office / "people.yaml").write_text(PEOPLE)
    return type_("request", "start", *arguments, **defaults, **environment)


def test_what_could_not_be_started_any_more_is_refused_by_a_dry_run_as_well(office: Path) -> None:
    (office / "templates" / "late.yaml").write_text(f"{TEMPLATE}due: 2020-01-01\n")
    dry = type_start(office, "--template", "templates/late.yaml", "--csv", "rows.csv", "--dry-run")
    assert (dry.returncode, dry.stdout) == (1, "")
    assert "due: lies in the past" in dry.stderr.splitlines()[0]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client() -> AsyncIterator[Client]:
    """A server for all stories of this file."""
    async with real_server() as env:
        yield env.client


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.asyncio(loop_scope="module")
async def test_a_table_is_started_once_however_often_and_each_row_has_its_id_and_result(
    office: Path, client: Client
) -> None:
    start = ("--template", "templates/nda.yaml", "--csv", "rows.csv")
    environment = {"TEMPORAL_ADDRESS": client.service_client.config.target_host}
    dry = type_start(office, *start, "--dry-run", **environment)
    first = type_start(office, *start, **environment)
    (office / "rows.csv").write_bytes(make_rows(41).replace("person7@", "other@").encode("utf-16"))
    second = type_start(office, *start, "--json", **environment)
    started = await wait_for_ids(client, "WorkflowId STARTS_WITH 'signature-request:nda-'", 41)
    assert (dry.returncode, dry.stdout.splitlines()[0]) == (
        0,
        "All correct: 40 requests would be started; nothing was started",
    )
    assert "legal-desk\t1\t40" in dry.stdout.splitlines(), "one when they are sent, and one of each ending"
    assert "and 21 more people, 1 at most each" in dry.stdout
    notice_ids = await wait_for_ids(client, f"WorkflowType = '{BULK_NOTICE}'", 2)
    summaries = [await (await client.get_workflow_handle(id).describe()).static_summary() for id in notice_ids]
    assert {"sent at once: 40", "sent at once: 1"} <= {str(summary) for summary in summaries}
    assert (first.returncode, first.stdout) == (0, "40 started\n")
    assert first.stderr == "each row, its id and its link: rows.started.csv\n"
    answers = json.loads(second.stdout)
    assert second.returncode == 1, "one row is another request now"
    assert [answer["created"] for answer in answers] == [False] * 40 + [True]
    assert answers[7]["run_id"] is None and answers[7]["says"].startswith("nda-7 is the id of another request")
    assert len(started) == 41
    with (office / "rows.started.csv").open(encoding="utf-8-sig", newline="") as stream:
        result = list(csv.DictReader(stream, delimiter=";"))
    assert [row["request"] for row in result] == [f"nda-{n}" for n in range(41)]
    assert {row["result"] for row in result[:7]} == {"was there before"}
    assert (result[40]["result"], result[40]["name"]) == ("started", "'=Person 40")


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.asyncio(loop_scope="module")
async def test_several_files_are_answered_with_the_id_and_the_link_of_each(office: Path, client: Client) -> None:
    for name in ("a", "b", "c"):
        text = (
            f"id: several-{name}\nkind: customer-contract\ndocument: {{file: papers/nda.pdf}}\nrequester: legal-desk\n"
        )
        (office / f"{name}.yaml").write_text(f"{text}signers: [{{person: chair}}]\n")
    environment = {
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "COUNTERSIGN_WEB_UI": "http://127.0.0.1:9",
    }
    started = type_start(office, "a.yaml", "b.yaml", "c.yaml", **environment)
    assert (started.returncode, started.stderr) == (0, "")
    head, _, *rows = started.stdout.splitlines()
    assert (head, [row.split("\t")[:2] for row in rows]) == (
        "3 started",
        [[f"several-{name}", "started"] for name in ("a", "b", "c")],
    )
    assert all(row.split("\t")[2].startswith("http://127.0.0.1:9/") for row in rows)


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.asyncio(loop_scope="module")
async def test_a_program_starts_requests_as_the_command_does(office: Path, client: Client) -> None:
    (office / "order-4711.pdf").write_bytes(PDF)
    (office / "orders.json").write_text('[{"number": "4711", "name": "Anna", "email": "anna@example.com"}]')
    (office / "wrong.json").write_text('[{"number": "4712", "name": "Anna", "email": "anna"}]')
    environment = {"TEMPORAL_ADDRESS": client.service_client.config.target_host}
    example = "starter.examples.start_from_orders"
    processes = [run_module(example, file, **environment) for file in ("orders.json", "orders.json", "wrong.json")]
    assert [process.stdout for process in processes] == ["order-4711 started\n", "order-4711 was there before\n", ""]
    assert [process.returncode for process in processes] == [0, 0, 1]
    assert processes[2].stderr.startswith(
        "request:1: document.file: order-4712.pdf is not a file in the folder of this file"
    )


async def test_everything_that_is_wrong_with_any_row_is_told_before_anything_is_started(office: Path) -> None:
    (office / "rows.csv").write_text("number,name,email\n1,A,nobody\n1,B,b@example.com\n1,C,c@example.com\n3,,d@x.nl\n")
    with pytest.raises(FileFaults) as refused:
        await start_files.read_table(load(), Kind.REQUEST, "templates/nda.yaml", Table.read(Path("rows.csv")))
    assert str(refused.value) == (
        "rows.csv:2: signers[0].email: is not an e-mail address\n"
        "rows.csv:4: id: nda-1 is the id of another request of this start, too\n"
        "rows.csv:5: signers[0]: needs group, person, or somebody in full (name missing)"
    )


async def test_files_may_have_several_documents_each_with_its_lines(office: Path) -> None:
    shutil.copy("papers/nda.pdf", "msa.pdf")
    document = "kind: customer-contract\ndocument: {file: msa.pdf}\nrequester: legal-desk\nsigners: [{person: chair}]\n"
    (office / "two.yaml").write_text(f"# two\n---\nid: a\n{document}---\nid: b\n{document}...\n")
    (office / "three.yaml").write_text(f"id: c\n{document}")
    prepared = await start_files.read_rows_files(load(), Kind.REQUEST, ["two.yaml", "three.yaml"])
    assert [request.id for request in prepared] == ["a", "b", "c"]
    (office / "two.yaml").write_text(f"id: a\n{document}---\nid: b\n{document.replace('chair', 'chiar')}")
    with pytest.raises(FileFaults, match=r'^two.yaml:11: signers\[0\].person: "chiar" is not in people.yaml, did you '):
        await start_files.read_rows_files(load(), Kind.REQUEST, ["two.yaml", "three.yaml"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one or more files, or --template with --csv"),
        (("a.yaml", "--template", "b.yaml", "--csv", "c.csv"), "give one or more files, or --template with --csv"),
        (("--template", "b.yaml"), "--template and --csv go together"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    process = type_("request", "start", *arguments)
    assert (process.returncode, process.stdout) == (2, "")
    assert message in process.stderr
