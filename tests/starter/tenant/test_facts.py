"""The facts of a trial and docs/core-signature.md agree."""

import re
from typing import Any, Final

import pytest

from starter.config.settings import named_fields
from starter.tenant.facts import FACTS, Verdict, judged
from starter.tenant.recording import Exchange, Recording
from tests.markdown import ROOT

PAGE: Final = (ROOT / "docs" / "core-signature.md").read_text()
CODE: Final = (ROOT / "starter" / "tenant" / "facts.py").read_text()
ON_THE_PAGE: Final = re.findall(r"^(?:- \*\*|\| )([A-Z]\d+)(?:\*\*| \|)", PAGE, re.M)
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


def test_every_fact_of_the_page_has_an_id_that_a_trial_knows_and_the_other_way_round() -> None:
    assert sorted(ON_THE_PAGE) == sorted(set(ON_THE_PAGE)), "an id stands for one fact"
    assert set(ON_THE_PAGE) == FACTS.keys()


@pytest.mark.parametrize("section", _ASSUMING)
def test_no_fact_of_the_page_lacks_an_id(section: str) -> None:
    """Give it the next free one of its section, and a judge, or `untried`, in starter/tenant/facts.py."""
    [text] = [part for part in re.split(r"^## \d+\. ", PAGE, flags=re.M) if part.startswith(section)]
    assert re.findall(r"^- (?!\*\*[A-Z]\d+\*\* ).*", text, re.M) == []


def test_a_setting_that_mends_a_fact_exists_and_stands_on_the_page() -> None:
    known = {name for name, _ in named_fields()}
    named = set(re.findall(r'"((?:SIGNATURE|WEBHOOK|PUSH|MRA)_[A-Z_]+)"', CODE))
    assert named <= known
    missing = [
        name
        for name in sorted(named)
        if f"COUNTERSIGN_{name}" not in PAGE and f"`_{name.split('_', 1)[1]}`" not in PAGE
    ]
    assert missing == []


def test_of_nothing_nothing_was_seen() -> None:
    assert {one.verdict for one in judged(Recording())} == {Verdict.NOT_SEEN}


@pytest.mark.parametrize(
    "body", [None, [], "text", {"results": [None, 3, {"document": 7}]}, {"signrequest": {"signers": [{}]}}]
)
def test_an_answer_that_nobody_has_foreseen_ends_no_trial(body: Any) -> None:
    steps = (
        "token",
        "errors",
        "create",
        "ask",
        "list",
        "read",
        "events",
        "cancel",
        "second",
        "sign",
        "download",
        "push",
    )
    paths = (
        "/token",
        "/api/v1/documents/",
        "/api/v1/documents/x/",
        "/api/v1/events/",
        "/api/v1/signature-requests/x/cancel/",
    )
    calls = [
        Exchange(step=step, service=service, method=method, path=path, status=status, body=body, sent=body)
        for step in steps
        for path in paths
        for method in ("GET", "POST")
        for service in ("core", "push", "token")
        for status in (200, 400, None)
    ]
    assert len(judged(Recording(exchanges=tuple(calls), human="signed", settings={"push": "fcm_v1"}))) == len(FACTS)
