"""A page of somebody else, open in the same browser, can do nothing with the page, nor with `serve`."""

from __future__ import annotations

import pytest

from tests.kit.browser import Chromium, expect
from tests.kit.other_site import OtherSite
from tests.kit.page_house import PageHouse

pytestmark = pytest.mark.judge

_HEAD = "<!doctype html><html lang=en><meta charset=utf-8><title>Somebody else</title>"
_FORM = """\
<form method=post enctype=text/plain action="{url}/turns" target=hole>
<input name='{{"prompt": "of a hostile form", "ignored": "' value='"}}'></form><iframe name=hole></iframe>
<script>document.forms[0].submit()</script>"""
_SCRIPT = """\
<script>
const ways = [
  ["/turns", {{method: "POST", mode: "no-cors", credentials: "include", body: '{{"prompt": "of a hostile script"}}'}}],
  ["/turns", {{method: "POST", credentials: "include", headers: {{"content-type": "application/json"}},
    body: '{{"prompt": "of a hostile script"}}'}}],
  ["/turns", {{credentials: "include"}}],
  ["/page/session", {{method: "POST", mode: "no-cors", credentials: "include", body: "{{}}"}}],
];
Promise.all(ways.map(([path, options]) => fetch("{url}" + path, options)
  .then(answer => answer.type === "opaque" ? "opaque" : answer.text(), error => "refused")))
  .then(found => document.querySelector("output").textContent = found.join(" "));
</script><output></output>"""


def test_it_cannot_be_shown_in_a_frame(chromium: Chromium, house: PageHouse) -> None:
    frame = f"{_HEAD}<h1>Win a prize</h1><iframe src='{house.url}/' width=900 height=600></iframe>"
    with OtherSite({"/": frame}) as site, chromium.tab() as tab:
        tab.page.goto(site.url)
        expect(tab.page.get_by_role("heading", name="Win a prize")).to_be_visible()
        framed = tab.page.frames[-1]
        framed.wait_for_load_state()
        assert framed.url.startswith("chrome-error:")
        tab.page.evaluate("0")
        assert any("frame-ancestors" in complaint for complaint in tab.complaints)


def test_its_forms_and_scripts_change_nothing_and_learn_nothing_while_a_session_is_open(
    chromium: Chromium, house: PageHouse
) -> None:
    before = len(house.home.turn_ids)
    pages = {"/form": _HEAD + _FORM.format(url=house.url), "/script": _HEAD + _SCRIPT.format(url=house.url)}
    # Both names, as a cookie with SameSite=Strict goes along where the site is the same: to all ports of 127.0.0.1.
    with OtherSite(pages) as site, chromium.tab() as tab:
        tab.page.goto(house.url)
        expect(tab.page.get_by_role("main")).to_be_visible()
        for origin in (site.url, site.url.replace("localhost", "127.0.0.1")):
            with tab.page.context.expect_event("response", lambda answer: answer.url.endswith("/turns")) as answered:
                tab.page.goto(f"{origin}/form")
            assert answered.value.status == 403
            tab.page.goto(f"{origin}/script")
            expect(tab.page.locator("output")).to_have_text("refused refused refused refused")
    assert len(house.home.turn_ids) == before
