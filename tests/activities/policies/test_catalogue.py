"""The catalogue and its cascade: what merges, what replaces, what is removed, what is refused."""

import json
from pathlib import Path
from typing import get_args

import pytest

from activities.files.reading import FileFaults
from activities.people.language import LANGUAGES, Language
from activities.policies.catalogue import ALWAYS_THERE, Catalogue, UnknownKind
from activities.policies.catalogue import _parsed as parsing
from activities.policies.policy_file import Occasion, PolicyLayer
from tests.golden.schemas import FOLDER
from workflows.model.policy import Escalation, EscalationAction, Overdue, Policy, Reminders, Target
from workflows.model.subject import Status

_SHIPPED = Path(__file__).parents[3] / "starter" / "policies.yaml"
_KINDS = {
    "sales-contract",
    "procurement-agreement",
    "legal-document",
    "customer-contract",
    "offer-letter",
    "compliance-acknowledgement",
    "renewal-agreement",
    "executive-approval",
    "onboarding-exception",
    "emergency-procurement",
    "hr-policy",
    "equipment-agreement",
    "travel-authorization",
    "code-of-conduct",
    "policy-acknowledgement",
    "annual-certification",
    "team-task",
    "customer-onboarding",
    "customer-step",
    "onboarding-decision",
}


def catalogue(tmp_path: Path, *kinds: str) -> Catalogue:
    path = tmp_path / "catalogue.yaml"
    path.write_text("\n".join(["kinds:", *("  " + kind for kind in kinds)]), "utf-8")
    return Catalogue.read(path)


def resolved(tmp_path: Path, layer: str, **override: object) -> Policy:
    kinds = catalogue(tmp_path, "base: {window: 60d, reminders: {first: 1d}, warnings: [3d]}", f"kind: {layer}")
    return kinds.resolve("kind", PolicyLayer.model_validate(override) if override else None).policy


def faults(tmp_path: Path, *kinds: str) -> str:
    with pytest.raises(FileFaults) as caught:
        catalogue(tmp_path, *kinds)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_an_empty_kind_is_the_defaults(tmp_path: Path) -> None:
    assert catalogue(tmp_path, "kind: {}").resolve("kind").policy == Policy(hours="working")


def test_maps_merge_and_lists_replace(tmp_path: Path) -> None:
    policy = resolved(tmp_path, "{extends: base, reminders: {every: 2d}}", reminders={"most": 9}, warnings=["4h"])
    assert policy.window == "60d"
    assert policy.reminders == Reminders(first="1d", every="2d", most=9)
    assert policy.warnings == ("4h",)


def test_null_removes(tmp_path: Path) -> None:
    policy = resolved(tmp_path, "{extends: base, reminders: null, warnings: null}", escalation=None, handoff=None)
    assert (policy.reminders, policy.warnings, policy.escalation, policy.handoff) == (None, (), None, ())


def test_null_removes_one_of_the_triggers(tmp_path: Path) -> None:
    assert resolved(tmp_path, "{escalation: {or: null}}").escalation == Escalation(after="used-up", or_=None)
    assert resolved(tmp_path, "{escalation: {after: null, or: 5d}}").escalation == Escalation(after="5d", or_=None)
    assert resolved(tmp_path, "{escalation: {after: null}}").escalation == Escalation(after="60%", or_=None)


def test_without_any_trigger_an_escalation_is_refused(tmp_path: Path) -> None:
    assert "kinds.kind.escalation: needs after or or" in faults(tmp_path, "kind: {escalation: {after: null, or: null}}")


def test_what_is_removed_can_be_given_again(tmp_path: Path) -> None:
    escalation = resolved(tmp_path, "{extends: base, escalation: null}", escalation={"after": "2d"}).escalation
    assert escalation == Escalation(after="2d")


def test_hand_off_targets(tmp_path: Path) -> None:
    layer = (
        "{handoff: [{target: hr, person: hr-desk}, {target: erp, url: 'https://erp.example/h', personal: true, "
        "on: [signed, declined]}, {target: next, workflow: 'customer-onboarding:acme'}]}"
    )
    assert resolved(tmp_path, layer).handoff == (
        Target(target="hr", person="hr-desk"),
        Target(target="erp", url="https://erp.example/h", personal=True, on=(Status.SIGNED, Status.DECLINED)),
        Target(target="next", workflow="customer-onboarding:acme"),
    )


def test_a_target_may_be_told_of_each_ending_that_the_schemas_know() -> None:
    events = [json.loads(file.read_text())["properties"] for file in FOLDER.glob("*.json")]
    outcomes = {outcome for fields in events for outcome in fields.get("outcome", {}).get("enum", ())}
    assert {str(occasion) for occasion in get_args(Occasion)} == outcomes | {"escalated"}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (
            "kind: {extends: bsae}",
            "catalogue.yaml:3: kinds.kind.extends: bsae is not a kind of this file, did you mean base?",
        ),
        ("kind: {extends: kind}", "kinds.kind.extends: goes round in a circle: kind → kind"),
        ("kind: {windw: 3d}", "kinds.kind.windw: unknown, did you mean window?"),
        ("kind: {window: 3 days}", "window: must be a duration such as 90m, 4h, 3d or 2w"),
        ("kind: {window: 9999w}", "window: is longer than two years"),
        ("kind: {keep: 7w}", "keep: must be a time of days, months or years such as 90d, 18m or 7y, at most 100 years"),
        (
            "kind: {keep: 101y}",
            "keep: must be a time of days, months or years such as 90d, 18m or 7y, at most 100 years",
        ),
        ("kind: {window: 30}", "window: must be a text, not a number (put it in quotes)"),
        ("kind: {reminders: {most: 0}}", "reminders.most: must be at least 1"),
        ("kind: {escalation: {after: soon}}", "escalation.after: must be a duration such as 2d, a share"),
        ("kind: {escalation: {or: 100%}}", "escalation.or: must be a duration such as 2d, a share"),
        ("kind: {escalation: {to: [boss]}}", "escalation.to[0]: must be one of 'alternates', 'delegate' or 'manager'"),
        ('kind: {hours: "18:00-09:00"}', "hours: must be working, any or hours such as"),
        ("kind: {hours: always}", "hours: must be working, any or hours such as"),
        ("kind: {snooze: 21}", "snooze: must be at most 20"),
        ("kind: {self_delegate: perhaps}", "self_delegate: must be true or false, not a text"),
        ("kind: {snooze: true}", "snooze: must be a whole number, not true or false"),
        ("kind: {self_delegate: 1}", "self_delegate: must be true or false, not a number"),
        ("kind: {warnings: [2d, 1d, 2d]}", "warnings: 2d is given twice"),
        (
            "kind: {tell_requester: {signed: digest}}",
            "tell_requester.signed: digest is not yet supported; true tells of",
        ),
        ("kind: {tell_requester: {signed: perhaps}}", "tell_requester.signed: must be true or false, not a text"),
        ("kind: {tell_requester: {declined: false}}", "tell_requester.declined: unknown"),
        ("kind: {fallback_after: soon}", "fallback_after: must be a duration such as 90m, 4h, 3d or 2w"),
        (
            "kind: {window: 2d, fallback_after: 2d}",
            "fallback_after: 2 days is too late: the due date comes after 2 days",
        ),
        ("kind: {escalation: {action: replace}}", "escalation.action: must be one of 'notify' or 'reassign'"),
        ("kind: {handoff: [{target: t, start: {}}]}", "handoff[0].start: needs exactly one of onboarding"),
        ("kind: {handoff: [{target: t, start: {onboarding: f.yaml, workflow: W}}]}", "start: needs exactly one of"),
        ("kind: {handoff: [{target: t, start: {workflow: W}}]}", "handoff[0].start: needs workflow and queue together"),
        ("kind: {handoff: [{target: t, start: {onboarding: f.yaml, queue: q}}]}", "start: needs workflow and queue"),
        (
            "kind: {handoff: [{target: t, start: {workflow: W, queue: q, fields: {a: b}}}]}",
            "start: has fields, which go into the places of an onboarding's file",
        ),
        (
            "kind: {handoff: [{target: t, start: {workflow: SignatureRequest, queue: countersign}}]}",
            "start.queue: is a queue of our own: an onboarding is started by onboarding",
        ),
        (
            "kind: {handoff: [{target: t, start: {onboarding: f.yaml, fields: {"
            + ", ".join(f"a{number}: b" for number in range(500))
            + "}}}]}",
            "start.fields: has more than 50 entries",
        ),
        (
            "kind: {handoff: [{target: t, start: {onboarding: ../secrets.yaml}}]}",
            "start.onboarding: must be the name of a .yaml or .json file beside the catalogue, without a folder",
        ),
        (
            "kind: {handoff: [{target: t, start: {onboarding: no.yaml}}]}",
            "handoff[0].start.onboarding: no.yaml: cannot be read: No such file",
        ),
        (
            "kind: {handoff: [{target: a.b, start: {workflow: W, queue: q}}]}",
            "handoff[0]: a.b has a dot: what starts a workflow has none",
        ),
        ("kind: {handoff: [{target: t, nexus: {endpoint: e}}]}", "handoff[0].nexus.service: is missing"),
        (
            "kind: {handoff: [{target: t, nexus: {endpoint: -e, service: s, operation: o}}]}",
            "handoff[0].nexus.endpoint: must be the name of a Nexus endpoint",
        ),
        ("kind: {handoff: [{target: t, person: p, format: cloudevents}]}", "handoff[0].format: goes with url only"),
        ("kind: {handoff: [{target: t, url: 'https://a.example', format: xml}]}", "one of 'standard' or 'cloudevents'"),
        (
            "kind: {handoff: [{target: t, person: p, on: [viewed]}]}",
            "on[0]: must be one of 'signed', 'done', 'done_with_errors', 'waived', 'declined', 'expired', 'cancelled', "
            "'failed' or 'escalated'",
        ),
        ("kind: {handoff: [{target: t, person: p, personal: true}]}", "handoff[0].personal: goes with url only"),
        ("kind: {handoff: [{target: t, group: g, personal: true}]}", "handoff[0].personal: goes with url only"),
        ("kind: {handoff: [{target: t, workflow: w, personal: true}]}", "handoff[0].personal: goes with url only"),
        (f"{'k' * 88}: {{}}", "must be 1-87 characters"),
        (
            "kind: {handoff: [{target: t}]}",
            "handoff[0]: needs exactly one of person, group, url, workflow, start, nexus",
        ),
        ("kind: {handoff: [{target: t, person: p, group: g}]}", "handoff[0]: needs exactly one of"),
        ("kind: {handoff: [{target: t, person: p}, {target: t, person: q}]}", "handoff: t is given twice"),
        ("kind: {handoff: [{target: t, url: 'http://erp.example/h'}]}", "handoff[0].url: must be an https URL"),
        ("kind: {handoff: [{target: t, url: 'https://u:p@erp.example/h'}]}", "url: must be a URL without user name"),
    ],
)
def test_refused(tmp_path: Path, kind: str, fault: str) -> None:
    assert fault in faults(tmp_path, "base: {}", kind)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (
            "{window: 10d, reminders: {first: 3d, every: 3d, most: 4}}",
            "reminders: the last of 4 comes after 12 days, but the due date after 10 days",
        ),
        ("{extends: base, reminders: {most: 11}}", "reminders: the last of 11 comes after 33 days, but the due date"),
        ("{window: 1d, warnings: [4h, 2d]}", "warnings: 2 days before the due date is before the request is sent"),
        (
            "{extends: base, escalation: {after: 5w}}",
            "escalation.after: 5 weeks is too late: the due date comes after",
        ),
        ("{escalation: {or: 31d}}", "escalation.or: 31 days is too late"),
        ("{reminders: null, escalation: {or: null}}", "escalation.after: never comes, because there are no reminders"),
        ("{escalation: {to: [alternates]}}", "escalation: has nobody to escalate to: name alternates or a fallback"),
        ("{escalation: {to: []}}", "escalation: has nobody to escalate to"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_the_reason(tmp_path: Path, kind: str, fault: str) -> None:
    assert fault in faults(tmp_path, "base: {window: 30d}", f"kind: {kind}")


@pytest.mark.parametrize(
    "kind",
    [
        "{extends: base, window: 5d}",
        "{extends: base, window: 12h, escalation: {after: 4h}}",
        "{escalation: {to: [], fallback: chair}}",
        "{reminders: null}",
    ],
)
def test_what_a_higher_layer_cuts_short_can_work(tmp_path: Path, kind: str) -> None:
    assert catalogue(tmp_path, "base: {window: 30d, reminders: {every: 3d}, warnings: [2d]}", f"kind: {kind}")


def test_every_value_knows_the_layer_it_comes_from(tmp_path: Path) -> None:
    kinds = catalogue(tmp_path, "base: {window: 30d, reminders: {every: 2d}}", "kind: {extends: base, warnings: [1d]}")
    override = PolicyLayer.model_validate({"reminders": {"most": 2}, "escalation": None})
    resolved_policy = kinds.resolve("kind", override)
    fields = ("window", "reminders.every", "reminders.most", "reminders.first", "warnings", "escalation.after", "hours")
    assert {field: resolved_policy.layer(field) for field in fields} == {
        "window": "base",
        "reminders.every": "base",
        "reminders.most": "request",
        "reminders.first": "default",
        "warnings": "kind",
        "escalation.after": "request",
        "hours": "default",
    }


def test_what_is_accepted_travels(tmp_path: Path) -> None:
    policy = resolved(
        tmp_path,
        "{hours: '08:00-12:00', snooze: 1, self_delegate: true, escalation: {action: reassign}}",
        snooze=None,
    )
    assert (policy.hours, policy.snooze, policy.self_delegate) == ("08:00-12:00", 0, True)
    assert policy.escalation is not None
    assert policy.escalation.action is EscalationAction.REASSIGN


def test_a_circle_that_only_others_walk_is_told_of_all_who_reach_it(tmp_path: Path) -> None:
    messages = faults(tmp_path, "a: {extends: b}", "b: {extends: c}", "c: {extends: b}")
    assert messages.count("goes round in a circle") == 3


def test_a_chain_of_kinds_without_end_is_refused(tmp_path: Path) -> None:
    chain = [f"k{number}: {{extends: k{number + 1}}}" for number in range(1200)]
    assert "kinds.k0.extends: has more than 20 kinds above it" in faults(tmp_path, *chain, "k1200: {}")
    assert catalogue(tmp_path, *chain[-20:], "k1200: {window: 7d}").resolve("k1180").policy.window == "7d"


def test_a_kind_that_cannot_work_is_told_beside_one_that_cannot_be_read(tmp_path: Path) -> None:
    messages = faults(
        tmp_path,
        "a: {windo: 5d}",
        "b: {escalation: {to: []}}",
        "c: {extends: a, escalation: {to: []}}",
        "d: {window: 1d, warnings: [2d, 3d]}",
    )
    assert [line.partition(": ")[2].split(",")[0] for line in messages.split("\n")] == [
        "kinds.a.windo: unknown",
        "kinds.b.escalation: has nobody to escalate to: name alternates or a fallback",
        "kinds.d.warnings: 2 days before the due date is before the request is sent: the due date comes after 1 day",
        "kinds.d.warnings: 3 days before the due date is before the request is sent: the due date comes after 1 day",
    ]


def test_an_unknown_kind_comes_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UnknownKind, match=r'"basis" is not a kind of catalogue.yaml, did you mean base'):
        catalogue(tmp_path, "base: {}").resolve("basis")


def test_the_shipped_catalogue_has_the_kinds_and_resolves_them_all() -> None:
    shipped = Catalogue.read(_SHIPPED)
    assert {*shipped.kinds} == {"base", *_KINDS}
    policies = {kind: shipped.resolve(kind).policy for kind in shipped.kinds}
    assert policies["base"] == Policy(hours="working")
    assert policies["customer-contract"].window == "90d"
    assert {kind for kind, policy in policies.items() if policy.urgent} == {
        "executive-approval",
        "onboarding-exception",
        "emergency-procurement",
    }
    assert {kind for kind, policy in policies.items() if policy.fallback_after} == {
        kind for kind, policy in policies.items() if policy.urgent
    }, "an unopened push of what is urgent is followed by another way"


def test_each_shipped_kind_has_its_sentence_of_reason() -> None:
    lines = _SHIPPED.read_text("utf-8").split("\n")
    for kind in _KINDS:
        reason = lines[lines.index(f"  {kind}:") - 1].strip()
        assert reason.startswith("# ")
        assert reason.endswith(".")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("{overdue: {}}", "kinds.kind.overdue: the first comes 3 days after the due date, but it closes 0 days after"),
        (
            "{grace: 2d, overdue: {every: 2d}}",
            "overdue: the first comes 2 days after the due date, but it closes 2 days",
        ),
        ("{grace: 30d, overdue: {every: 4h}}", "overdue.every: makes 180 reminders, because it closes 30 days after"),
        ("{grace: 7d, overdue: {every: 1d, most: 101}}", "overdue.most: "),
        ("{grace: 0w}", "grace: must be a duration such as 90m, 4h, 3d or 2w, or 0d"),
        ("{warnings: [0d, 1d, 0d]}", "warnings: 0d is given twice"),
    ],
)
def test_an_overdue_phase_that_cannot_work_is_refused(tmp_path: Path, kind: str, fault: str) -> None:
    assert fault in faults(tmp_path, f"kind: {kind}")


def test_the_overdue_phase_merges_and_is_removed_like_the_rest(tmp_path: Path) -> None:
    kinds = catalogue(tmp_path, "base: {grace: 7d, overdue: {every: 2d, most: 2}}", "kind: {extends: base}")

    def overridden(**policy: object) -> Policy:
        return kinds.resolve("kind", PolicyLayer.model_validate(policy)).policy

    assert overridden(overdue={"most": None}).overdue == Overdue(every="2d", most=None, escalate=True)
    assert (overridden(overdue=None).overdue, overridden(overdue=None).grace) == (None, "7d")
    assert overridden(grace=None).grace == "0d"
    assert not list(kinds.faults("kind", PolicyLayer.model_validate({"grace": "0d"})))


@pytest.mark.parametrize("kind", ["compliance-acknowledgement", "policy-acknowledgement", "annual-certification"])
def test_acknowledgements_are_followed_up_after_their_due_date(kind: str) -> None:
    policy = Catalogue.read(_SHIPPED).resolve(kind).policy
    assert (policy.grace, policy.overdue, policy.warnings[-1]) == ("7d", Overdue(every="3d"), "0d")


def test_nothing_else_of_the_catalogue_stays_open_after_its_due_date() -> None:
    shipped = Catalogue.read(_SHIPPED)
    late = {kind for kind in shipped.kinds if shipped.resolve(kind).policy.grace != "0d"}
    assert late == {"compliance-acknowledgement", "code-of-conduct", "policy-acknowledgement", "annual-certification"}


def test_kinds_that_never_close_are_offered_only_where_they_may_be_used() -> None:
    shipped = Catalogue.read(_SHIPPED)
    with pytest.raises(UnknownKind, match="team-task"):
        shipped.require_kind("nda")
    with pytest.raises(UnknownKind) as offered:
        shipped.require_kind("nda", closes=True)
    assert not any(kind in str(offered.value) for kind in ("team-task", "customer-step", "customer-onboarding"))
    with pytest.raises(UnknownKind, match="did you mean team-task"):
        shipped.require_kind("team-tsk")


def test_whoever_knows_no_kind_is_told_twenty_of_two_hundred() -> None:
    kinds = {f"kind-{number:03}": None for number in range(200)}
    message = str(UnknownKind("quite-another", kinds, "policies.yaml"))
    assert message.startswith('"quite-another" is not a kind of policies.yaml; it has kind-000, kind-001, ')
    assert message.endswith(", kind-019, and 180 more")
    assert str(UnknownKind("quite-another", dict.fromkeys(list(kinds)[:21]))).endswith(", kind-019, kind-020")


def test_kinds_that_every_catalogue_has_are_as_the_shipped_one_says(tmp_path: Path) -> None:
    shipped, other_catalogue = Catalogue.read(_SHIPPED), catalogue(tmp_path, "contract: {}")
    assert other_catalogue.kinds == ("contract",)
    for kind in ALWAYS_THERE:
        assert other_catalogue.resolve(kind).policy == shipped.resolve(kind).policy
    own_catalogue = catalogue(tmp_path, "customer-step: {window: 30d}")
    assert own_catalogue.resolve("customer-step").policy.window == "30d"


def test_a_catalogue_is_parsed_once_and_anew_as_soon_as_it_says_something_else(tmp_path: Path) -> None:
    first = catalogue(tmp_path, "contract: {window: 60d}")
    parsed = parsing.cache_info().misses
    later_reads = [Catalogue.read(tmp_path / "catalogue.yaml") for _ in range(10)]
    assert parsing.cache_info().misses == parsed
    assert {parsed_catalogue.resolve("contract").policy for parsed_catalogue in (first, *later_reads)} == {
        first.resolve("contract").policy
    }
    changed = catalogue(tmp_path, "contract: {window: 61d}")
    assert changed.resolve("contract").policy.window == "61d"


def test_a_kind_is_called_by_its_label_in_the_language_of_its_reader_and_never_by_its_id(tmp_path: Path) -> None:
    kinds = catalogue(
        tmp_path,
        "base: {label: {en: Agreement, de: Vereinbarung}}",
        "sales_deal.v2: {extends: base}",
        "team-task: {label: {fr: Chose}}",
    )
    english, german, dutch = (Language.from_tag(code) for code in ("en", "de-AT", "nl"))
    assert [kinds.label("base", language) for language in (english, german, dutch)] == [
        "Agreement",
        "Vereinbarung",
        "Agreement",
    ]
    assert kinds.label("sales_deal.v2", german) == "Sales deal v2", "a label is of its kind alone"
    assert kinds.label("team-task", german) == "Chose"
    assert kinds.label("customer-step", german) == "Schritt für den Kunden"
    assert kinds.label("left-the-file", german) == "Left the file"


def test_every_kind_that_is_shipped_has_a_label_in_all_languages() -> None:
    kinds = Catalogue.read(_SHIPPED)
    for code in LANGUAGES:
        labels = [kinds.label(kind, Language.from_tag(code)) for kind in (*kinds.kinds, *ALWAYS_THERE)]
        assert not {*labels} & {*kinds.kinds, *ALWAYS_THERE}
    for code in LANGUAGES[1:]:
        untranslated = [
            kind
            for kind in _KINDS
            if kinds.label(kind, Language.from_tag(code)) == kinds.label(kind, Language.english())
        ]
        assert untranslated == []


def test_who_may_start_comes_from_the_nearest_layer_and_is_no_policy_of_a_request(tmp_path: Path) -> None:
    kinds = (
        "base: {may_start: [{group: sales}, {person: legal-desk}]}",
        "offer: {extends: base}",
        "gift: {extends: offer, may_start: everyone}",
        "decision: {extends: gift, may_start: null}",
        "other: {}",
    )
    read = catalogue(tmp_path, *kinds)
    assert [(starter.group, starter.person) for starter in read.starters("offer")] == [
        ("sales", None),
        (None, "legal-desk"),
    ]
    assert [starter.everyone for starter in read.starters("gift")] == [True]
    assert read.starters("decision") == read.starters("other") == ()
    assert "may_start" not in read.resolve("offer").policy.model_dump()


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("sales", "may_start: must be everyone, or a list such as [{group: sales}, {person: legal-desk}]"),
        ("[{team: sales}]", "may_start[0].team: unknown"),
        ("[{group: sales, person: ada}]", "may_start[0]: needs exactly one of person, group"),
        ("[{}]", "may_start[0]: needs exactly one of person, group"),
        (f"[{', '.join(['{group: g}'] * 1_000)}]", "may_start: has more than 100 entries"),
    ],
)
def test_who_may_start_is_refused_by_its_place(tmp_path: Path, written: str, fault: str) -> None:
    assert fault in faults(tmp_path, "base: {}", f"kind: {{may_start: {written}}}")


def test_a_label_that_cannot_be_read_is_refused_by_its_place(tmp_path: Path) -> None:
    assert faults(tmp_path, "one: {label: {}}") == (
        "catalogue.yaml:2: kinds.one.label: needs the label in one language at least, such as {en: Customer contract}"
    )
    assert "kinds.one.label.du: unknown, known are en, nl, de, fr, es" in faults(
        tmp_path, "one: {label: {du: Vertrag}}"
    )
    assert "kinds.one.label.en: is empty" in faults(tmp_path, 'one: {label: {en: " "}}')


def test_a_kind_is_visible_to_the_groups_of_the_nearest_kind_that_says_so(tmp_path: Path) -> None:
    kinds = catalogue(
        tmp_path,
        "base: {visible_to: [{group: support}, {group: legal}]}",
        "nda: {extends: base}",
        "offer: {extends: base, visible_to: [{group: sales}]}",
        "secret: {extends: base, visible_to: null}",
        "plain: {}",
    )
    assert kinds.visible_to("nda") == {"support", "legal"}
    assert kinds.visible_to("offer") == {"sales"}
    assert kinds.visible_to("secret") == kinds.visible_to("plain") == frozenset()
    assert kinds.resolve("nda").policy == kinds.resolve("plain").policy, "it is no part of a policy"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("visible_to: support", "visible_to"),
        ("visible_to: [{person: ada}]", "visible_to[0].person: unknown"),
        ("visible_to: [{group: a b}]", "visible_to[0].group: must be 1-100 characters"),
        (f"visible_to: [{', '.join(['{group: g}'] * 21)}]", "visible_to"),
    ],
)
def test_who_may_look_is_a_list_of_groups(tmp_path: Path, written: str, message: str) -> None:
    assert message in faults(tmp_path, f"base: {{{written}}}")
