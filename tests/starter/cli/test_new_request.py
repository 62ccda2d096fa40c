"""`request new`: what is written is right as it stands, and stays right when what it only mentions is used."""

import json
import re
from pathlib import Path

import pytest

from activities.files.reading import FileText
from activities.launch.doors import CheckContext
from activities.launch.request_file import prepare_request
from activities.policies.catalogue import Catalogue
from starter.cli.new import written
from tests.activities.launch.papers import CATALOGUE, NOW, PDF, PEOPLE, Desk
from tests.markdown import ROOT
from tests.starter.terminal import make_complete_environment, type_

SHIPPED = Catalogue.read(ROOT / "starter" / "policies.yaml")


@pytest.mark.parametrize("kind", [kind for kind in SHIPPED.kinds if SHIPPED.resolve(kind).policy.expires])
@pytest.mark.parametrize("used", [False, True], ids=["as it stands", "with the policy it mentions"])
async def test_what_is_written_loads(kind: str, used: bool, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    signers = ("chair", "chief-executive")
    text = written(kind, SHIPPED.resolve(kind), name="a.yaml", requester="legal-desk", signers=signers)
    if used:
        head, policy = text.split("# policy:")
        text = f"{head}policy:{re.sub('^# ', '', policy, flags=re.M)}"
    (tmp_path / "document.pdf").write_bytes(PDF)
    file = FileText("a.yaml", tmp_path, text)
    prepared = await prepare_request(file, CheckContext(SHIPPED, desk.directory, NOW))
    brief = prepared.request.brief
    assert (brief.kind, brief.requester) == (kind, "legal-desk")
    assert [participant.person for participant in brief.people] == ["chair", "chief-executive"]
    assert prepared.request.policy == SHIPPED.resolve(kind).policy


def test_the_word_writes_it_once_and_the_command_plans_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = make_complete_environment(tmp_path)
    (tmp_path / "people.yaml").write_text(PEOPLE)
    (tmp_path / "policies.yaml").write_text(CATALOGUE)
    (tmp_path / "document.pdf").write_bytes(PDF)
    environment["COUNTERSIGN_POLICIES"] = str(tmp_path / "policies.yaml")
    first_run = type_("request", "new", "customer-contract", "--json", **environment)
    assert json.loads(first_run.stdout) == {"file": "customer-contract.yaml", "kind": "customer-contract"}
    assert type_("request", "plan", "customer-contract.yaml", **environment).returncode == 0
    second_run = type_("request", "new", "customer-contract", **environment)
    assert (second_run.returncode, second_run.stderr) == (
        1, "customer-contract.yaml is there already: name another file with --output\n",
    )  # fmt: skip
    unknown = type_("request", "new", "customer-contrat", **environment)
    assert unknown.stderr == '"customer-contrat" is not a kind of policies.yaml, did you mean customer-contract?\n'
    strange = type_("request", "new", "nda", "--json", **environment)
    assert strange.stderr.startswith('"nda" is not a kind of policies.yaml; it has ')
    assert "customer-contract" in strange.stderr
    assert "task" not in strange.stderr and "onboarding" not in strange.stderr, "what no request can be of"
