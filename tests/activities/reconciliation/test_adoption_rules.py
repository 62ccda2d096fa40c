"""By which rules documents that were sent by hand become requests, and what is listed for the operator."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from activities.files.reading import FileFaults
from activities.launch.doors import TrustedCaller
from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import Catalogue
from activities.reconciliation.adoption_rules import (
    RULES_AT_MOST,
    STARS_AT_MOST,
    AdoptionConfig,
    AdoptionRule,
    DocumentTraits,
    find_rule,
)
from activities.reconciliation.service import UNFIT_AT_MOST, UnmanagedDocuments, list_unfit
from starter.errors import Refusal
from starter.queries.adoption import adopt_by_hand
from tests.activities.reconciliation.test_adoption import (
    CHIEF,
    SENDER,
    adopting,
    id_of,
    read_start_input,
    send_by_hand,
)
from tests.activities.reconciliation.test_reconciliation import MINUTE, Office

TEMPLATE: Final = "https://core.test/api/v1/templates/t-1/"
NO_DOCUMENT: Final = "00000000-0000-4000-8000-000000000000"
RULES: Final = """rules:
  - {sender: "*@SALES.example", name: "NDA*", kind: contract, owner: legal-desk, tell: [{group: finance}]}
  - {template: "https://core.test/api/v1/templates/t-1", kind: contract, owner: legal-desk, tell: [{person: chair}]}
"""
CATCH_ALL: Final = "  - {kind: contract, owner: legal-desk}\n"
PEOPLE: Final = f"""
people:
  - {{id: legal-desk, name: Legal Desk, email: {SENDER}, zone: Europe/Amsterdam, groups: [finance]}}
  - {{id: chief-executive, name: Chief Executive, email: {CHIEF}, zone: Europe/Amsterdam}}
  - {{id: chair, name: Chair, email: chair@example.test, zone: Europe/Amsterdam}}
"""


def use_rules(back_office: Office, folder: Path, rules: str = RULES) -> None:
    """The office adopts by this file alone."""
    (folder / "people.yaml").write_text(PEOPLE)
    (folder / "rules.yaml").write_text(rules)
    assert back_office.adoption
    back_office.adoption = replace(back_office.adoption, config=AdoptionConfig(folder / "rules.yaml"))


async def test_who_sent_it_asks_for_it_if_the_directory_knows_them_else_the_owner_of_the_rule(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        use_rules(back_office, tmp_path)
        by_sales = await send_by_hand(back_office, name="NDA of Acme", sender="anna@sales.example")
        by_chair = await send_by_hand(back_office, name="Lease", sender="chair@example.test", template=TEMPLATE)
        assert set((await back_office.sweeps()).adopted) == {id_of(by_sales), id_of(by_chair)}
        of_sales, of_chair = [await read_start_input(back_office, document) for document in (by_sales, by_chair)]
        assert (of_sales.brief.requester, of_chair.brief.requester) == ("legal-desk", "chair")
        told = [[(target.group, target.person) for target in start.policy.handoff] for start in (of_sales, of_chair)]
        assert told == [[("finance", None)], [(None, "chair")]]


async def test_what_fits_none_is_listed_until_it_has_ended_or_an_operator_follows_it_up(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        use_rules(back_office, tmp_path)
        lease = await send_by_hand(back_office, name="Lease")
        foreign = await send_by_hand(back_office, name="Offer", sender="somebody@else.test")
        swept = await back_office.sweeps()
        assert (swept.adoptions, {refusal.document for refusal in swept.not_adopted}) == (0, {lease.uuid, foreign.uuid})
        unfit = await list_unfit(back_office.store)
        assert {refusal.document for refusal in unfit} == {lease.uuid, foreign.uuid}
        assert "request adopt" in unfit[0].why
        adoption = back_office.adoption
        assert adoption
        caller = TrustedCaller("operator (claimed)")
        adopted = await adopt_by_hand(
            adoption, back_office.signature.document_url(lease.uuid), "contract", "chair", caller
        )
        assert (adopted.id, adopted.document, adopted.created) == (id_of(lease), lease.uuid, True)
        assert (await read_start_input(back_office, lease)).brief.requester == "chair"
        again = await adopt_by_hand(adoption, lease.uuid, "contract", "legal-desk", caller)
        assert again == adopted.replace(created=False)
        assert [refusal.document for refusal in await list_unfit(back_office.store)] == [foreign.uuid]
        back_office.now = datetime.now(UTC) + MINUTE
        back_office.happens(None, "cancelled", document=foreign.uuid)
        await back_office.sweeps()
        assert await list_unfit(back_office.store) == ()


@pytest.mark.parametrize(
    ("document", "kind", "owner", "message"),
    [
        ("no uuid at all", "contract", "chair", "neither the uuid nor the address"),
        ("x" * 10_000, "contract", "chair", "neither the uuid nor the address"),
        ("", "lease", "chair", '"lease" is not a kind'),
        ("", "team-task", "chair", "team-task"),
        ("", "contract", "nobody", "the people file has no nobody"),
        (NO_DOCUMENT, "contract", "chair", "Core Signature answered 404"),
    ],
)
async def test_an_operator_hears_what_is_wrong_and_nothing_is_started(
    document: str, kind: str, owner: str, message: str, tmp_path: Path
) -> None:
    async with adopting(tmp_path) as back_office:
        use_rules(back_office, tmp_path)
        by_hand = await send_by_hand(back_office)
        assert back_office.adoption
        with pytest.raises(Refusal, match=message):
            await adopt_by_hand(back_office.adoption, document or by_hand.uuid, kind, owner, TrustedCaller())
        assert not await back_office.store.starts.find_known([f"signature-request:{id_of(by_hand)}"])


async def test_a_document_that_has_ended_is_not_followed_up_by_hand_either(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        by_hand = await send_by_hand(back_office)
        assert by_hand.request and back_office.adoption
        await back_office.signature.cancel(by_hand.request.uuid)
        with pytest.raises(Refusal, match="has ended"):
            await adopt_by_hand(back_office.adoption, by_hand.uuid, "contract", "legal-desk", TrustedCaller())


async def test_a_faulty_file_of_rules_has_all_wait_and_says_where(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        use_rules(back_office, tmp_path, RULES.replace("group: finance", "group: finances"))
        await send_by_hand(back_office)
        swept = await back_office.sweeps()
        [reason] = swept.not_yet
        assert (swept.adoptions, swept.waiting) == (0, 1)
        assert "rules.yaml:2" in reason.why and "finances" in reason.why
        use_rules(back_office, tmp_path, RULES + CATCH_ALL)
        assert (await back_office.sweeps()).adoptions == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{kind: lease, owner: chair}", '2: rules[0].kind: "lease" is not a kind'),
        ("{kind: contract, owner: chairs}", '2: rules[0].owner: "chairs" is not in'),
        ("{kind: contract, owner: chair, tell: [{person: x}]}", '2: rules[0].tell[0].person: "x" is not in'),
        ("{kind: contract, owner: chair, tell: [{group: x}]}", '2: rules[0].tell[0].group: the group "x" is not in'),
        ("{kind: contract, owner: chair, tell: [{}]}", "2: rules[0].tell[0]: needs exactly one of person, group"),
        ("{name: 'NDA[', kind: contract, owner: chair}", "2: rules[0].name: must be a pattern"),
        ("{sender: '', kind: contract, owner: chair}", "2: rules[0].sender: "),
        ("{sender: '*a*b*c*d*e*f', kind: contract, owner: chair}", "2: rules[0].sender: must be a pattern"),
        ("{template: t-1, kind: contract, owner: chair}", "2: rules[0].template: is not a URL"),
        ("{template: 'ftp://x.test/t', kind: contract, owner: chair}", "2: rules[0].template: must be an https URL"),
        ("{senders: a, kind: contract, owner: chair}", "2: rules[0].senders: unknown, did you mean sender?"),
        ("{kind: contract}", "2: rules[0].owner: is missing"),
    ],
)
async def test_what_is_wrong_with_a_rule_is_said_by_line(rule: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFaults, match=r"rules\.yaml:2") as caught:
        await load(tmp_path, f"rules:\n  - {rule}\n")
    assert message in str(caught.value)


async def load(folder: Path, rules: str) -> tuple[AdoptionRule, ...]:
    """The rules of a file, checked against our catalogue and people."""
    async with adopting(folder) as back_office:
        use_rules(back_office, folder, rules)
        assert back_office.adoption
        directory = FileDirectory(folder / "people.yaml", back_office.store)
        return await back_office.adoption.config.load(Catalogue.read(folder / "policies.yaml"), directory)


async def test_ten_times_as_many_rules_are_refused(tmp_path: Path) -> None:
    rules = "rules:\n" + CATCH_ALL * (10 * RULES_AT_MOST)
    with pytest.raises(FileFaults, match=f"more than {RULES_AT_MOST} entries"):
        await load(tmp_path, rules)


def test_ten_times_as_many_that_fit_none_are_listed_by_their_last() -> None:
    documents = UnmanagedDocuments()
    for number in range(10 * UNFIT_AT_MOST):
        documents = documents.add_documents({f"{number}": datetime.now(UTC)}).judge(f"{number}", "no rule fits it")
    assert list(documents.unfit) == [f"{number}" for number in range(9 * UNFIT_AT_MOST, 10 * UNFIT_AT_MOST)]


def test_a_pattern_of_many_stars_is_compared_in_no_time() -> None:
    rule = AdoptionRule(name="*a" * STARS_AT_MOST, kind="contract", owner="chair")
    assert find_rule((rule,), DocumentTraits(SENDER, "a" * 199 + "b", None, is_own=True)) is None


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({}, True),
        ({"sender": "anna@*"}, True),
        ({"sender": "ben@*"}, False),
        ({"name": "nda ?cme"}, True),
        ({"name": "[a-m]*"}, False),
        ({"template": TEMPLATE}, True),
        ({"template": TEMPLATE + "x"}, False),
        ({"sender": "anna@*", "name": "Lease"}, False),
    ],
)
def test_each_trait_that_a_rule_names_must_fit(rule: dict[str, str], *, fits: bool) -> None:
    traits = DocumentTraits("Anna@sales.example", "NDA Acme", TEMPLATE.rstrip("/"), is_own=True)
    written = AdoptionRule.model_validate({"kind": "contract", "owner": "chair", **rule})
    assert written.fits(traits) is fits


def test_a_rule_without_a_sender_is_for_our_own_people() -> None:
    traits = DocumentTraits("somebody@else.test", "NDA", None, is_own=False)
    assert not AdoptionRule(name="NDA", kind="contract", owner="chair").fits(traits)
    assert AdoptionRule(sender="*@else.test", kind="contract", owner="chair").fits(traits)
