"""The report of a trial: what holds, what differs and which setting mends it, what was not seen."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from starter.tenant.facts import FactFinding, Verdict
from starter.tenant.recording import ANSWERS, REPORT

_HEADS: Final = {Verdict.DIFFERS: "Differs", Verdict.HOLDS: "Holds", Verdict.NOT_SEEN: "Not seen"}


def counts(findings: Iterable[FactFinding]) -> str:
    """All in one line."""
    found = [finding.verdict for finding in findings]
    words = {"hold": Verdict.HOLDS, "differ": Verdict.DIFFERS, "were not seen": Verdict.NOT_SEEN}
    return ", ".join(f"{found.count(one)} {word}" for word, one in words.items())


def mends(finding: FactFinding) -> str:
    """What a difference was, and what mends it."""
    return " → ".join(filter(None, (finding.says, ", ".join(finding.settings))))


def write_report(folder: Path, findings: Sequence[FactFinding], left: Sequence[str]) -> None:
    """The report, without names, addresses and secrets, as the findings are."""
    (folder / REPORT).write_text("\n".join(_lines(findings, left)) + "\n")


def _lines(findings: Sequence[FactFinding], left: Sequence[str]) -> Iterator[str]:
    yield "# Trial of a tenant"
    yield ""
    yield f"{counts(findings)}. The ids are those of docs/core-signature.md; the answers are in `{ANSWERS}`, and"
    yield "`make test TENANT=<this folder>` plays them to our client and compares them with the sandbox."
    for verdict, head in _HEADS.items():
        those = [finding for finding in findings if finding.verdict is verdict]
        yield from ("", f"## {head}", "")
        if those:
            yield from ("| Id | Fact | Seen | Setting |", "| --- | --- | --- | --- |")
        for one in those:
            cells = (one.id, one.fact, one.says, ", ".join(f"`{name}`" for name in one.settings))
            yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
    yield from ("", "## Left behind", "")
    yield from (f"- {one}" for one in left or ("nothing",))
