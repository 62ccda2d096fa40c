"""Every key of a part takes effect, or is refused by its name: none is dropped or overwritten in silence."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.files.reading import FileFaults
from activities.launch.request_file import RequestFile
from activities.launch.task_file import TaskFile
from activities.onboarding.intake import PreparedOnboarding
from tests.workflows.onboarding.stage import CUSTOMER, OWNER, House, a_file, an_agreement, start_onboarding

IN_FULL = {"name": "Zoë Ek", "email": "zoe@elsewhere.example", "zone": "Europe/Stockholm"}
LISTS: Final[dict[str, type[RequestFile | TaskFile]]] = {
    "agreements": RequestFile,
    "tasks": TaskFile,
    "steps": TaskFile,
}
MINIMAL: Final[dict[str, dict[str, Any]]] = {
    "agreements": an_agreement(),
    "tasks": {"title": "Create the account", "who": {"person": "operations-desk"}},
    "steps": {"title": "Where do the invoices go?"},
}
WHO: Final[tuple[dict[str, Any], ...]] = (
    {"person": "customer"},
    {"person": CUSTOMER},
    {"person": "customer-colleague"},
    {"person": "operations-desk"},
    {"person": "nobody-x"},
    {"group": "all"},
    IN_FULL,
    {"email": IN_FULL["email"]},
)
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "id": ("own",),
    "kind": ("contract", "short", "team-task", "customer-step"),
    "due": ("2099-01-01", "2026-12-31"),
    "policy": ({"urgent": True}, {"tell_requester": {"started": True}}),
    "subscribers": (["customer-onboarding:acme"], ["task:another"]),
    "document": ({"file": "msa.pdf", "name": "Another agreement"},),
    "requester": (OWNER, "chair", "nobody-x"),
    "reviewers": ([{"person": "chair"}], [{"person": "nobody-x"}]),
    "signers": ([{"person": "customer"}], [{"person": "chair", "order": 4}], [{"person": "nobody-x"}]),
    "prefill": ({"order-number": "4711"},),
    "message": ("Please sign before the kick-off.",),
    "title": ("Another title",),
    "text": ("With the data of the order form.",),
    "who": WHO,
    "owner": (OWNER, "chair", "nobody-x"),
    "within": ("5d",),
    "answer": ({"label": "Where do the invoices go?", "lines": 4},),
    "colleagues": ([{"person": "customer-colleague"}], [{"person": "nobody-x"}]),
    "team": ("operations", "nobody-x"),
    "tell_customer": (True, False),
    "delegate": (True, False),
}
"""What a key may say, right and wrong; those of all kinds of parts together."""


def test_no_key_that_a_part_may_have_is_left_out_of_this_test() -> None:
    fields = {name for model in LISTS.values() for name in model.model_fields}
    assert fields | {"team", "tell_customer", "delegate"} == VALUES.keys()


async def prepare_with_part(list_name: str, part: dict[str, Any], folder: Path) -> PreparedOnboarding:
    customer = {"name": "Acme", "person": CUSTOMER, "colleagues": [{"person": "customer-colleague"}, IN_FULL]}
    return await House(folder).prepared(a_file({"name": "only", list_name: [part]}, customer=customer))


def has_effect(onboarding: PreparedOnboarding, key: str, value: Any) -> bool:  # noqa: PLR0911  a row each
    """Whether what a part says is in what it is started from, or in what the workflow knows of it."""
    (plan,), (content,) = onboarding.workflow_input.stages[0].parts, onboarding.content.parts.values()
    part, file_value = next(iter(onboarding.parts.values())), content.file.get(key)
    match key:
        case "id":
            return bool(plan.id == value)
        case "team":
            return bool(content.file["who"] == {"person": "operations-desk"} and plan.team == value)
        case "tell_customer":
            return plan.tell_customer is value
        case "delegate":
            return ("colleagues" in content.file) is value
        case "signers":
            return file_value == ([{"person": CUSTOMER}] if value == [{"person": "customer"}] else value)
        case "who" if value == {"person": "customer"}:
            return file_value == {"person": CUSTOMER} and part.workflow_input.subject.people[0].person == CUSTOMER
        case "who" if value == {"email": IN_FULL["email"]}:
            return file_value == IN_FULL
        case "who" if "person" in value:
            people = tuple(participant.person for participant in part.workflow_input.subject.people)
            return file_value == value and plan.asked == people == (value["person"],)
        case _:
            return bool(file_value == value)


@st.composite
def parts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A part of some kind with some keys, whoever they are for."""
    list_name = draw(st.sampled_from(sorted(LISTS)))
    keys = draw(st.sets(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
    return list_name, {key: draw(st.sampled_from(VALUES[key])) for key in sorted(keys)}


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(parts())
def test_each_key_of_a_part_takes_effect_or_is_refused_by_its_name(drawn: tuple[str, dict[str, Any]]) -> None:
    list_name, written = drawn
    minimal = {key: value for key, value in MINIMAL[list_name].items() if (key, "team") != ("who", *written)}
    with tempfile.TemporaryDirectory() as folder:
        try:
            onboarding = asyncio.run(prepare_with_part(list_name, minimal | written, Path(folder)))
        except FileFaults as refusal:
            for fault in refusal.faults:
                assert any(f"{list_name}[0].{key}" in fault.path or key in fault.says for key in written), fault
            return
    silent = {key: value for key, value in written.items() if not has_effect(onboarding, key, value)}
    assert not silent, f"{list_name}: {silent} had no effect and was not refused"


@pytest.mark.parametrize("list_name", LISTS)
@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALUES.items() for value in values])
async def test_each_key_alone_takes_effect_or_is_refused_by_its_name(
    list_name: str, key: str, value: Any, tmp_path: Path
) -> None:
    minimal = {name: field_value for name, field_value in MINIMAL[list_name].items() if (name, key) != ("who", "team")}
    try:
        onboarding = await prepare_with_part(list_name, minimal | {key: value}, tmp_path)
    except FileFaults as refusal:
        assert all(f"{list_name}[0].{key}" in fault.path or key in fault.says for fault in refusal.faults), (
            refusal.faults
        )
    else:
        assert has_effect(onboarding, key, value)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"who": {"person": "nobody-x"}}, ".who: must be the customer or one of customer.colleagues: customer, "),
        ({"team": "operations"}, ".team: is for a task, not for a step"),
        ({"delegate": True, "colleagues": []}, ": has colleagues and delegate, but only one"),
    ],
)
async def test_what_a_step_cannot_have_is_refused_with_what_would_be_right(
    step: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FileFaults) as refusal:
        await prepare_with_part("steps", MINIMAL["steps"] | step, tmp_path)
    assert [f"stages[0].steps[0]{message}" in str(fault) for fault in refusal.value.faults] == [True]


async def test_a_team_and_who_of_a_task_cannot_both_be_given(tmp_path: Path) -> None:
    with pytest.raises(FileFaults) as refusal:
        await prepare_with_part("tasks", MINIMAL["tasks"] | {"team": "operations"}, tmp_path)
    assert "stages[0].tasks[0]: has team and who, but only one" in str(refusal.value)


async def test_a_step_of_a_colleague_asks_them_and_may_be_given_to_the_customer(tmp_path: Path) -> None:
    step = MINIMAL["steps"] | {"who": {"person": "customer-colleague"}, "delegate": True}
    async with start_onboarding(tmp_path, a_file({"name": "only", "steps": [step]})) as onboarding_story:
        await onboarding_story.wait_until_notified(
            await onboarding_story.wait_for_workflow("step-1"), "ready", "customer-colleague"
        )
        assert not onboarding_story.stages_sent_to(CUSTOMER)
        assert [waiting_person.person for waiting_person in (await onboarding_story.read_view()).waiting_for] == [
            "customer-colleague"
        ]
    assert onboarding_story.workflow_input.stages[0].parts[0].asked == ("customer-colleague",)


@pytest.mark.parametrize("tells_requester", [True, False])
async def test_the_owner_hears_that_a_part_has_begun_when_its_own_file_says_so(
    tmp_path: Path, tells_requester: bool
) -> None:
    agreement = an_agreement() | ({"policy": {"tell_requester": {"started": True}}} if tells_requester else {})
    async with start_onboarding(tmp_path, a_file({"name": "only", "agreements": [agreement]})) as onboarding_story:
        await onboarding_story.wait_until_notified(
            await onboarding_story.wait_for_workflow("agreement-1"), "ready", CUSTOMER
        )
        assert (("follow", OWNER) in onboarding_story.notices_of("signature-request:acme.1.1")) is tells_requester
