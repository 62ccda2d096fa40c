"""`countersign request plan` as it is typed: no server, no store, and a table that fits a terminal."""

import json
from io import StringIO
from pathlib import Path

import pytest

from starter.cli import plan as tables
from starter.cli.terminal import Terminal
from starter.plan import calendar
from tests.activities.launch.papers import Desk
from tests.starter.plan.test_calendar import SENT_AT
from tests.starter.terminal import type_

REQUEST = """\
id: msa-0042
kind: customer-contract
document: {file: msa.pdf, name: Master services agreement}
requester: legal-desk
signers: [{person: customer-signer}, {person: chief-executive}]
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    Desk(tmp_path)
    (tmp_path / "request.yaml").write_text(REQUEST, "utf-8")
    return {
        "COUNTERSIGN_PEOPLE": str(tmp_path / "people.yaml"),
        "COUNTERSIGN_POLICIES": str(tmp_path / "catalogue.yaml"),
        "COUNTERSIGN_DATA_DIR": str(tmp_path / "data"),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }


def test_it_needs_no_server_and_keeps_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    typed = type_("request", "plan", str(tmp_path / "request.yaml"), "--at", "2026-11-02", "--json", **environment)
    assert (typed.returncode, typed.stderr) == (0, "")
    plan_json = json.loads(typed.stdout)
    assert {"id", "kind", "document", "at", "due_at", "policy", "branches", "channels"} <= set(plan_json)
    assert plan_json["at"] == "2026-11-02T09:00:00Z"
    assert {"at", "local", "zone", "stage", "person", "to", "why", "layer", "suppressed"} <= set(
        plan_json["branches"][0]["lines"][0]
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--at", "soon", "soon is not a date, or an instant such as 2026-11-02T09:00+01:00"),
        ("--zone", "Europe/Amstrdam", "'Europe/Amstrdam' is no time zone, did you mean Europe/Amsterdam?"),
        (
            "--signs",
            "customer-signer",
            "Invalid value for --signs: customer-signer is not PERSON@+DURATION such as customer-signer@+2d\n",
        ),
    ],
)
def test_a_wrong_option_is_2_in_words(
    tmp_path: Path, environment: dict[str, str], option: str, text: str, message: str
) -> None:
    typed = type_("request", "plan", str(tmp_path / "request.yaml"), option, text, **environment)
    assert (typed.returncode, typed.stdout) == (2, "")
    assert message in typed.stderr


def test_a_policy_that_cannot_work_is_1_in_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "request.yaml"
    file.write_text(REQUEST + "policy: {escalation: {alternates: [legal-desk]}}\n", "utf-8")
    typed = type_("request", "plan", str(file), **environment)
    assert (typed.returncode, typed.stdout) == (1, "")
    assert typed.stderr == (
        f"{file}:6: policy.escalation.alternates: legal-desk asks for it and cannot be the alternate\n"
    )


def test_all_faults_of_the_people_file_are_told(tmp_path: Path, environment: dict[str, str]) -> None:
    people = tmp_path / "people.yaml"
    people.write_text("people:\n  - {id: a, name: A, email: a, zone: UTC}\n  - {id: b, name: B}\n", "utf-8")
    typed = type_("request", "plan", str(tmp_path / "request.yaml"), **environment)
    assert (typed.returncode, typed.stdout) == (1, "")
    assert typed.stderr.splitlines() == [
        f"{people}:2: people[0].email: is not an e-mail address",
        f"{people}:3: people[1].zone: is missing",
        f"{people}:3: people[1].phone: needs email or phone",
    ]


async def test_the_table_fits_a_terminal_and_names_nobody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    prepared = await desk.prepare()
    signing = calendar.signing(["customer-signer@+2d"])
    request_plan = await calendar.plan(prepared, desk.directory, SENT_AT, signing, calendar.zone_of("Europe/Amsterdam"))
    console = Terminal(width=80, file=StringIO(), force_terminal=True, color_system=None, now=SENT_AT)
    console.show(tables.of_plan(request_plan, calendar.zone_of("Europe/Amsterdam")))
    assert isinstance(console.file, StringIO)
    output = console.file.getvalue()
    assert max(map(len, output.splitlines())) <= 80
    assert "If customer-signer signs after 2 days, then nobody acts: expired" in output
    steps = [line.split() for line in output.splitlines() if "reminder-1" in line]
    assert [step[4:6] for step in steps] == [["reminder-1", "customer-signer"], ["reminder-1", "chief-executive"]]
    assert "times in CET (UTC+01:00)" in output
    joined_output = " ".join(output.split())
    assert "…" not in joined_output
    assert all(
        part in joined_output for branch in request_plan.branches for line in branch.lines for part in line.why.split()
    )
    assert all(
        f"[{line.layer}]" in joined_output for branch in request_plan.branches for line in branch.lines if line.layer
    )
    assert not any(personal in output for personal in ("@example", "Chief executive", "Customer signer"))


_LISTED = "is not listed in COUNTERSIGN_HANDOFF_HOSTS"
_HOSTS = "erp.example,crm.example,localhost"


@pytest.mark.parametrize("command", ["plan", "start"])
@pytest.mark.parametrize(
    ("url", "hosts", "message"),
    [
        ("https://erp.exampel/hooks/secret", _HOSTS, f"erp.exampel {_LISTED}, did you mean erp.example?"),
        ("https://other.test/", _HOSTS, f"other.test {_LISTED}, which has crm.example, erp.example, localhost"),
        ("https://10.1.2.3/", "", "10.1.2.3: a private address must be listed in COUNTERSIGN_HANDOFF_HOSTS"),
        ("http://127.0.0.1:9/", "", "127.0.0.1: plain http goes to a listed loopback address only"),
        ("http://127.0.0.1:9/", "127.0.0.1:9", None),
        ("https://erp.example/hooks", _HOSTS, None),
        ("https://10.1.2.3/", "10.1.2.3", None),
        ("https://anything.example/", "", None),
    ],
)
def test_a_target_that_would_never_be_called_is_refused_with_its_field(
    tmp_path: Path, environment: dict[str, str], command: str, url: str, hosts: str, message: str | None
) -> None:
    """What a name stands for is not looked up: whoever starts may know other names than the worker does."""
    file = tmp_path / "request.yaml"
    file.write_text(
        REQUEST + f"policy: {{handoff: [{{target: hr, person: legal-desk}}, {{target: erp, url: {url!r}}}]}}\n"
    )
    typed = type_("request", command, str(file), COUNTERSIGN_HANDOFF_HOSTS=hosts, **environment)
    if message:
        assert (typed.returncode, typed.stdout) == (1, "")
        assert typed.stderr == f"{file}:6: policy.handoff[1].url: {message}\n"
    else:
        assert "handoff" not in typed.stderr


def test_a_kind_whose_target_would_never_be_called_is_refused_by_itself_and_others_are_not(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    file, catalogue = tmp_path / "request.yaml", tmp_path / "catalogue.yaml"
    policy = "{handoff: [{target: erp, url: 'https://erp.example/'}]}"
    catalogue.write_text(f"kinds: {{customer-contract: {policy}, nda: {{}}}}\n")
    hosts = {"COUNTERSIGN_HANDOFF_HOSTS": "crm.test"}
    typed = type_("request", "plan", str(file), **hosts, **environment)
    reason = f"erp.example {_LISTED}, which has crm.test"
    assert typed.stderr == f"{file}:2: kind: customer-contract cannot be used: handoff[0].url: {reason}\n"
    file.write_text(REQUEST.replace("customer-contract", "nda"))
    assert type_("request", "plan", str(file), **hosts, **environment).returncode == 0
