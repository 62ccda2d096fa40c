"""The life of a campaign: everybody of a frozen audience is asked, and each stands once in its record."""

from pathlib import Path

from tests.campaigns.stage import OWNER, a_file, campaign, staff
from workflows.model.subject import Status


async def test_everybody_is_asked_once_and_stands_in_the_record_with_an_outcome(tmp_path: Path) -> None:
    async with campaign(tmp_path, a_file(), staff("ada", "bo", "cas")) as it:
        opened = await it.opened()
        assert opened.frozen is not None
        assert (opened.frozen.rows, opened.frozen.errors) == (3, 0)
        assert [it.told(person) for person in ("ada", "bo", "cas")] == [["ready"]] * 3
        await it.signs("ada")
        await it.signs("bo", Status.DECLINED)
        await it.days_pass(30)
        ended = await it.handle.result()
        lines = await it.lines()
    assert ended.outcome is Status.DONE
    assert {person: line.status for person, line in lines.items()} == {
        "ada": "acknowledged",
        "bo": "declined",
        "cas": "expired",
    }
    assert (ended.counts.acknowledged, ended.counts.declined, ended.counts.expired) == (1, 1, 1)
    assert it.told(OWNER).count("settled") == 1
