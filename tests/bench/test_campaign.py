"""The bench of a campaign: its arithmetic; itself it is run by `.ci/run`, with 300 people."""

from tests.bench.campaign import Measured


def test_what_the_floor_has_too_is_compared_and_the_rest_has_an_aim_of_its_own() -> None:
    found = Measured(1_000, {"rate": 45.0, "settle_s": 61.0, "signed_per_second": 9.0}, {"rate": 50.0})
    assert found.as_json() == {
        "campaign.rate": {"ours": 45.0, "people": 1_000, "floor": 50.0, "ratio": 0.9},
        "campaign.settle_s": {"ours": 61.0, "people": 1_000},
        "campaign.signed_per_second": {"ours": 9.0, "people": 1_000},
    }
    people, rate, settle, signed, *_ = found.in_words().plain.splitlines()
    assert people == "1,000 people"
    assert rate == "campaign.rate: 45 beside 50, 0.90 × (aim ≥ 0.9 ×)"
    assert settle == "campaign.settle_s: 61 (aim ≤ 60)"
    assert signed == "campaign.signed_per_second: 9"
