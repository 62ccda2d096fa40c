"""The links to a customer's page that staff may make, and how one is made anew."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.notifications.links import LinkUse
from starter.errors import Refusal
from starter.queries.onboarding import PREVIEW_FOR, page_link, preview_link
from tests.starter.web.pages.test_journey_pages import ACME, COLLEAGUE, make_onboarding_view, request, set_views
from tests.starter.web.paging import FIRST, NOW, PUBLIC, SECOND, phone, text_of


async def test_a_link_is_the_same_until_it_is_made_anew_for_one_person(tmp_path: Path) -> None:
    async with phone(tmp_path) as site:
        set_views(site, make_onboarding_view(), request(1, FIRST))
        first = await page_link(site.store, site.links, make_onboarding_view(), None, renew=False)
        assert first.link == site.links.link(ACME, FIRST, LinkUse.VIEW)
        other_link = await page_link(site.store, site.links, make_onboarding_view(), COLLEAGUE, renew=False)
        anew = await page_link(site.store, site.links, make_onboarding_view(), FIRST, renew=True)
        assert (await page_link(site.store, site.links, make_onboarding_view(), FIRST, renew=False)) == anew != first
        answers = [
            await site.open(personal_link.link.removeprefix(PUBLIC)) for personal_link in (first, anew, other_link)
        ]
        assert [answer.status_code for answer in answers] == [410, 200, 200]
        last = await page_link(site.store, site.links, make_onboarding_view(), FIRST, renew=True)
        assert (await site.open(anew.link.removeprefix(PUBLIC))).status_code == 410
        assert (await site.open(last.link.removeprefix(PUBLIC))).status_code == 200


async def test_a_preview_closes_soon_and_survives_a_new_link_of_the_customer(tmp_path: Path) -> None:
    async with phone(tmp_path) as site:
        set_views(site, make_onboarding_view(), request(1, FIRST))
        preview = preview_link(site.links, make_onboarding_view(), now=NOW)
        await page_link(site.store, site.links, make_onboarding_view(), FIRST, renew=True)
        assert preview.until == NOW + PREVIEW_FOR <= NOW + timedelta(hours=1)
        page = await site.open(preview.link.removeprefix(PUBLIC))
        assert "A preview of what the customer sees." in text_of(page.text)
        expired_preview = preview_link(site.links, make_onboarding_view(), now=NOW - PREVIEW_FOR)
        assert (await site.open(expired_preview.link.removeprefix(PUBLIC))).status_code == 410


async def test_nobody_but_the_customer_s_people_gets_a_link(tmp_path: Path) -> None:
    async with phone(tmp_path) as site:
        with pytest.raises(Refusal, match=f"{SECOND} is none of the customer's people"):
            await page_link(site.store, site.links, make_onboarding_view(), SECOND, renew=True)
        with pytest.raises(Refusal, match="nobody says who its customer is"):
            preview_link(site.links, make_onboarding_view(customer=""))
