"""The demo is true: real durations, every step seen on a real stack, and a step that does not show is told."""

import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

import deploy
from activities.records.store import Store
from deploy.demo import proof
from deploy.demo import telling as folders
from deploy.demo.scene import HtmlPage
from deploy.demo.telling import STORY, DemoResult, StepResult, StoryReport, verdict
from deploy.local.folder import DataFolder
from starter.boot import processes as modules
from starter.errors import Exit, Refusal
from tests.activities.evidence.kept import keep_signed_request, key_in, packer
from tests.stack.laptop import ENDS_WITHIN, READY_WITHIN, Laptop, clean, countersign, eventually

EXAMPLES = Path(deploy.__file__).with_name("examples")


@pytest.mark.long
@pytest.mark.real_server
def test_every_step_of_the_story_is_seen(tmp_path: Path) -> None:
    typed = countersign("demo", "--json", TMPDIR=str(tmp_path))
    assert typed.stdout, typed.stderr
    demo_result = json.loads(typed.stdout)
    assert [step for step in demo_result["steps"] if not (step["seen"] and step["at"])][:1] == []
    assert (typed.returncode, demo_result["ok"]) == (0, True)
    assert [step["name"] for step in demo_result["steps"]] == [step.name for step in STORY]
    dates = [step["at"] for step in demo_result["steps"]]
    assert dates == sorted(dates)
    [folder] = tmp_path.glob("countersign-demo-*")
    written = [file for file in folder.rglob("*") if file.is_file()]
    assert {"msa.yaml", "kept.json", "worker.log"} <= {file.name for file in written}
    assert [file for file in written if stat.S_IMODE(file.stat().st_mode) & 0o077] == []


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.parametrize(
    ("ending", "code"),
    [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_demo_that_is_told_to_end_before_it_is_up_leaves_none_of_its_processes(
    ending: signal.Signals, code: Exit, tmp_path: Path
) -> None:
    with demo_with(tmp_path, "logs/*.log") as demo:
        children = eventually(demo.children)
        assert demo.end(ending) < ENDS_WITHIN
        assert demo.process.returncode == code
        assert children and not [pid for pid in children if Path(f"/proc/{pid}").exists()]
        assert not (demo.folder / "dev.json").exists()


async def test_evidence_that_was_changed_or_that_another_key_signed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        workflow_name = await keep_signed_request(store)
        await packer(store, tmp_path).export(workflow_name, tmp_path / "pack.zip")
    pack, keys = tmp_path / "pack.zip", tmp_path / "evidence.pem.pub"
    monkeypatch.setattr(proof, "executable", lambda: None)
    verification = await proof.describe_verification(pack, keys)
    assert (
        verification == "by countersign, the sixty lines of Python; not by verify.html in Chromium: there is none here"
    )
    key_in(tmp_path / "other")
    with pytest.raises(Refusal, match="a pack that holds for countersign"):
        await proof.describe_verification(pack, tmp_path / "other" / "evidence.pem.pub")
    pack.write_bytes(pack.read_bytes().replace(b"Annex B", b"Annex C"))
    with pytest.raises(Refusal, match=r"a pack that holds for countersign, but saw texts.json"):
        await proof.describe_verification(pack, keys)


def test_a_date_says_of_which_clock_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    instant = datetime(2026, 12, 1, 9, 14, tzinfo=ZoneInfo("Europe/Amsterdam"))
    StoryReport(quiet=False).step(
        StepResult(name="reminded", seen=True, at=instant, says="Tuesday 09:14 at the office")
    )
    assert capsys.readouterr().out.startswith("Tue 01 Dec 08:14 UTC ✓ Tuesday 09:14 at the office")


def _hear_ctrl_c() -> None:
    """As at a terminal: what a shell runs in the background ignores Ctrl-C, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def demo_with(tmp_path: Path, file: str) -> Iterator[Laptop]:
    """A demo that has just written this file into its folder: with `dev.json` its stack is ready."""
    with subprocess.Popen(  # noqa: S603  our own command
        modules.command("starter", "demo", "--keep"),
        env={**clean(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=_hear_ctrl_c,  # noqa: PLW1509  it only sets a signal
    ) as process:
        try:
            assert eventually(lambda: list(tmp_path.glob(f"countersign-demo-*/{file}")), READY_WITHIN)
            [folder] = tmp_path.glob("countersign-demo-*")
            yield Laptop(folder, process)
        finally:
            process.kill()


def test_only_the_newest_demo_and_those_that_run_keep_their_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "countersign-demo-link").symlink_to(elsewhere)
    finished_folder, running_folder, beginning_folder = (folders.fresh() for _ in range(3))
    with DataFolder(finished_folder).taken():
        (finished_folder / "kept.json").write_text("{}")
    with DataFolder(running_folder).taken():
        new = folders.fresh()
    assert {path for path in tmp_path.iterdir() if path.name.startswith("countersign-demo-")} == {
        *(running_folder, beginning_folder, new),
        tmp_path / "countersign-demo-link",
    }
    assert elsewhere.exists()


def test_every_duration_in_the_examples_is_whole_days() -> None:
    durations = [
        duration
        for file in EXAMPLES.glob("*.yaml")
        for duration in re.findall(r"\b(?:window|first|every|after|or|warnings):\s*\[?([0-9]+[a-z]+)", file.read_text())
    ]
    assert durations
    assert all(re.fullmatch(r"[1-9][0-9]*[dw]", duration) for duration in durations), durations


def test_the_form_that_is_pressed_is_the_first_with_its_first_button() -> None:
    page = HtmlPage(
        "http://127.0.0.1/sign",
        200,
        '<form method="get"><input name="q"></form><form method="post" action="/go"><input type="hidden" name="t" '
        'value="1"><button name="choice" value="sign">Sign</button><button name="choice" value="no">No</button></form>'
        '<form method="post"><input name="other"></form>',
    )
    assert (page.form.action, page.form.fields) == ("/go", {"t": "1", "choice": "sign"})


def test_a_page_without_a_button_is_said_by_its_title() -> None:
    with pytest.raises(Refusal, match=r"a page with nothing to press \(404, Gone\)"):
        _ = HtmlPage("http://127.0.0.1/", 404, "<title>Gone</title>").form


def test_a_story_with_a_step_that_was_not_seen_names_it() -> None:
    demo_result = DemoResult(ok=False, seconds=3, steps=(StepResult(name="hr told", seen=False),))
    console = Console(file=StringIO())
    with console.capture() as captured:
        console.print(verdict(demo_result))
    assert "Not seen: hr told" in captured.get()
