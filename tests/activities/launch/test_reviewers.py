"""Reviewers in a request file: who they are, by person and by group, and who cannot be one."""

from pathlib import Path
from typing import Any

import pytest

from activities.launch.launch import start_of
from activities.records.cover_sheet import CoverSheet
from tests.activities.launch.papers import NOW, PEOPLE, Desk, faults
from workflows.model.signature import Reviewer
from workflows.model.subject import Status

SECURITY = """
  - {id: eve, name: Eve, email: eve@acme.example, zone: Europe/Amsterdam, groups: [security, board]}
  - {id: sam, name: Sam, email: sam@acme.example, zone: Europe/Amsterdam, groups: [security]}
  - {id: solo, name: Solo, email: solo@acme.example, zone: Europe/Amsterdam, groups: [alone]}
"""


@pytest.fixture
def office(tmp_path: Path) -> Desk:
    return Desk(tmp_path, PEOPLE.rstrip() + SECURITY)


async def test_people_and_groups_become_reviewers_each_once(office: Desk) -> None:
    entries = [{"person": "chair"}, {"group": "security"}, {"group": "board", "rule": "all", "order": 2}]
    prepared = await office.prepare(reviewers=entries)
    assert prepared.request.brief.reviewers == (
        Reviewer(person="chair", order=1),
        Reviewer(person="eve", order=2, team="security"),
        Reviewer(person="sam", order=2, team="security"),
    )
    signature_input = prepared.request
    assert (signature_input.first_status, signature_input.first_stage, signature_input.first_turn) == (
        Status.REVIEW,
        "reviewing",
        ("chair",),
    )
    assert set(start_of(signature_input, None, NOW).people) >= {"chair", "eve", "sam", "customer-signer"}


async def test_a_signer_may_review_and_the_cover_sheet_is_there_from_the_start(office: Desk) -> None:
    prepared = await office.prepare(reviewers=[{"person": "chief-executive"}])
    assert prepared.request.brief.reviewers == (Reviewer(person="chief-executive", order=1),)
    await prepared.store_for_pages(office.store, await prepared.store_input(office.store))
    cover = await CoverSheet.read(office.store, prepared.id)
    assert cover is not None and cover.sha256 == prepared.request.brief.document.sha256
    without_reviewers = await office.prepare(id="other")
    await without_reviewers.store_for_pages(office.store, without_reviewers.workflow_input)
    assert await CoverSheet.read(office.store, "other") is None


@pytest.mark.parametrize(
    ("reviewers", "message"),
    [
        ([{"person": "legal-desk"}], "legal-desk asks for it, and nobody reviews their own request"),
        ([{"person": "chair"}, {"person": "chair"}], "chair is a reviewer of this request already"),
        ([{"group": "nobody"}], "nobody"),
        ([{"person": "chair", "rule": "all"}], "has a rule, which goes with group only"),
        ([{}], "needs exactly one of person, group"),
    ],
)
async def test_what_cannot_review_is_refused_at_its_field(office: Desk, reviewers: list[Any], message: str) -> None:
    [fault] = await faults(office, reviewers=reviewers)
    assert "reviewers[" in fault and message in fault


async def test_a_group_of_the_requester_alone_and_a_template_are_refused(office: Desk) -> None:
    [alone] = await faults(office, requester="solo", reviewers=[{"group": "alone"}])
    assert "in the group alone is nobody but whoever asks" in alone
    template = {"template": "https://sign.example/templates/1/", "name": "MSA"}
    [fault] = await faults(office, document=template, reviewers=[{"person": "chair"}])
    assert "of a template there is no document before it is sent" in fault


async def test_the_kind_says_how_often_and_how_long(office: Desk) -> None:
    prepared = await office.prepare(reviewers=[{"person": "chair"}], policy={"review": {"most": 2, "within": "2d"}})
    assert (prepared.request.policy.review.most, prepared.request.policy.review.within) == (2, "2d")
    [fault] = await faults(office, policy={"review": {"within": "soon"}})
    assert "must be a duration such as 2d, or a share" in fault


async def test_nobody_of_a_group_that_asks_reviews_it(office: Desk) -> None:
    asking = {"group": "security"}
    [fault] = await faults(office, requester=asking, reviewers=[{"person": "eve"}])
    assert "eve asks for it, and nobody reviews their own request" in fault
    [nobody] = await faults(office, requester=asking, reviewers=[{"group": "board"}])
    assert "in the group board is nobody but whoever asks" in nobody
