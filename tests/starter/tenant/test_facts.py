"""The facts of a trial and docs/core-signature.md agree."""

import re
from typing import Any, Final

import pytest

from starter.config.settings import named_fields
from starter.tenant.facts import FACTS, Verdict, judge_recording
from starter.tenant.recording import HttpExchange, Recording
from tests.markdown import ROOT

PAGE: Final = (ROOT / "docs" / "core-signature.md").read_text()
FIRST_HOUR: Final = (ROOT / "docs" / "tenant.md").read_text()
IDS_ON_THE_PAGE: Final = re.findall(r"^(?:- \*\*|\| )([A-Z]\d+)(?:\*\*| \|)", PAGE, re.M)
_ASSUMING: Final = (
    "Tokens",
    "Lists",
    "Documents",
    "Requests",
    "Signers",
    "Events",
    "FCM",
    "AppWorks",
    "Cloud messaging",
)


def test_every_fact_that_a_trial_judges_has_its_id_on_the_page() -> None:
    assert sorted(IDS_ON_THE_PAGE) == sorted(set(IDS_ON_THE_PAGE)), "an id stands for one fact"
    assert FACTS.keys() <= set(IDS_ON_THE_PAGE)


def test_the_first_hour_lists_every_fact_with_its_settings() -> None:
    rows = re.findall(r"^\| ([A-Z]\d+) \|.*?\|(.*)\|$", FIRST_HOUR, re.M)
    listed = {id: tuple(re.findall(r"`COUNTERSIGN_([A-Z_]+)`", settings)) for id, settings in rows}
    assert listed == {id: fact.settings for id, fact in FACTS.items()}


@pytest.mark.parametrize("section", _ASSUMING)
def test_no_fact_of_the_page_lacks_an_id(section: str) -> None:
    """Give it the next free one of its section."""
    [text] = [part for part in re.split(r"^## \d+\. ", PAGE, flags=re.M) if part.startswith(section)]
    assert re.findall(r"^- (?!\*\*[A-Z]\d+\*\* ).*", text, re.M) == []


def test_a_setting_that_mends_a_fact_exists() -> None:
    assert {name for fact in FACTS.values() for name in fact.settings} <= {name for name, _ in named_fields()}


def test_of_an_empty_recording_nothing_was_seen() -> None:
    assert {finding.verdict for finding in judge_recording(Recording())} == {Verdict.NOT_SEEN}


@pytest.mark.parametrize(
    "body", [None, [], "text", {"results": [None, 3, {"document": 7}]}, {"signrequest": {"signers": [{}]}}]
)
def test_an_unforeseen_answer_ends_no_trial(body: Any) -> None:
    steps = (
        "token",
        "create",
        "list",
        "ask",
        "read",
        "events",
        "twice",
        "cancel",
        "second",
        "sign",
        "download",
        "push",
    )
    paths = ("/token", "/api/v1/documents/", "/api/v1/documents/x/", "/api/v1/signature-requests/x/cancel/", "pdf")
    calls = [
        HttpExchange(step=step, service=service, method=method, path=path, status=status, body=body, sent=body)
        for step in steps
        for path in paths
        for method in ("GET", "POST")
        for service in ("core", "push", "token", "callback", "file")
        for status in (200, 400, None)
    ]
    assert len(judge_recording(Recording(exchanges=tuple(calls), settings={"push": "fcm_v1"}))) == len(FACTS)
