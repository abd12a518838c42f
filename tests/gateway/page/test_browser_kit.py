"""The browser of the tests sees what a page must not do: else the tests of the page would find nothing, ever."""

from __future__ import annotations

import pytest

from tests.kit import node_clients
from tests.kit.browser import PHONE, Chromium, expect
from tests.kit.other_site import OtherSite

pytestmark = pytest.mark.judge

STRICT = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'"}
HEAD = "<!doctype html><html lang=en><meta charset=utf-8><title>A page</title>"


def test_a_request_to_another_origin_an_error_and_a_breach_of_the_policy_are_seen(chromium: Chromium) -> None:
    page = f"{HEAD}<main><h1>Shown</h1><img src=http://127.0.0.1:9/x.png alt=x></main>"
    breach = f"{HEAD}<main><h1>Shown</h1><img src=/x.png alt=x></main><script>1</script><script src=/a.js></script>"
    with OtherSite({"/": page}) as plain, chromium.tab() as tab:
        tab.page.goto(plain.url)
        expect(tab.page.get_by_role("heading")).to_have_text("Shown")
        assert tab.foreign_requests(plain.url) == ["http://127.0.0.1:9/x.png"]
        assert any("ERR_" in complaint for complaint in tab.complaints)
    with OtherSite({"/": breach, "/a.js": "undefined.x"}, STRICT) as strict, chromium.tab() as tab:
        tab.page.goto(strict.url)
        assert tab.foreign_requests(strict.url) == []
        assert any("Content Security Policy" in complaint for complaint in tab.complaints)
        assert any("undefined" in complaint for complaint in tab.complaints)


def test_a_complaint_that_is_expected_is_no_failure_however_late_it_comes_and_every_other_is(
    chromium: Chromium,
) -> None:
    with OtherSite({"/": f"{HEAD}<main><h1>Shown</h1></main>"}) as site, chromium.tab() as tab:
        tab.page.goto(site.url)
        tab.forgive("404")
        tab.page.evaluate("fetch('/nosuch').then(() => console.error('something else'))")
        assert [each for each in tab.violations(site.url) if "favicon" not in each] == ["something else"]
        assert any("404" in complaint for complaint in tab.complaints)


def test_faults_for_those_who_cannot_see_and_a_page_wider_than_a_phone_are_seen_under_a_strict_policy(
    chromium: Chromium,
) -> None:
    if reason := node_clients.absence():
        pytest.skip(reason)
    bad = f"{HEAD}<main><h1>Shown</h1><input><pre>{'wide ' * 99}</pre></main>"
    good = f"{HEAD}<main><h1>Shown</h1><label>Name <input></label></main>"
    with OtherSite({"/bad": bad, "/good": good}, STRICT) as site, chromium.tab(size=PHONE) as tab:
        tab.page.goto(f"{site.url}/bad")
        assert [(each.impact, each.rule) for each in tab.faults()] == [("critical", "label")]
        assert tab.is_too_wide()
        tab.page.goto(f"{site.url}/good")
        assert tab.faults() == []
        assert not tab.is_too_wide()
