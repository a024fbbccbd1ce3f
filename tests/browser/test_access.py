# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People who use a keyboard or a screen reader get all of the page."""

import pytest
from chromium import wait_until_shown
from generated_fleet import generate_fleet

FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"


def list_violations(page, axe_script):
    """Return what axe-core finds wrong with what the page shows now."""
    page.evaluate(axe_script)
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


def show_everything(page):
    """Give everything a layout, so that axe sees what is below the screen, too."""
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 12000})
    page.wait_for_timeout(300)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe(opener, fleet, axe_script, scheme, width):
    page = opener.open(fleet, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.click("#chart-table summary")
    for summary in page.locator("section summary").all()[1:]:
        summary.click()
    show_everything(page)
    assert list_violations(page, axe_script) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_drawer(opener, fleet, axe_script, scheme):
    host = max(fleet["hosts"], key=lambda one: len(one["findings"]))
    page = opener.open(fleet, f"#open={host['name']}", color_scheme=scheme)
    show_everything(page)
    assert list_violations(page, axe_script) == []


def test_axe_empty(opener, axe_script):
    page = opener.open({**generate_fleet(1, 0), "hosts": []})
    show_everything(page)
    assert list_violations(page, axe_script) == []


def test_axe_notices(opener, fleet, axe_script):
    """A check that finds nothing proves nothing."""
    page = opener.open(fleet)
    page.evaluate("document.querySelector('#csv').textContent = ''")
    assert [one[0] for one in list_violations(page, axe_script)] == ["button-name"]


def test_tab_reaches_everything(opener, fleet):
    page = opener.open(fleet, viewport={"width": 1400, "height": 12000})
    page.wait_for_timeout(300)
    page.evaluate(
        "selector => [...document.querySelectorAll(selector)]"
        ".forEach((one, number) => { one.dataset.place = number; })",
        FOCUSABLE,
    )
    wanted = page.evaluate(
        "selector => [...document.querySelectorAll(selector)]"
        ".filter(one => one.checkVisibility({contentVisibilityAuto: true}) && !one.closest('dialog'))"
        ".map(one => one.dataset.place)",
        FOCUSABLE,
    )
    page.evaluate("window.reached = []; addEventListener('focusin', event => reached.push(event.target.dataset.place))")
    # A field for a time takes several tabs, one for each of its parts.
    for _tab in range(len(wanted) + 24):
        page.keyboard.press("Tab")
    reached = page.evaluate("reached")
    assert set(wanted) <= set(reached)
    assert len(wanted) > 80


def test_drawer_by_keyboard(opener, fleet):
    page = opener.open(fleet)
    button = page.locator("#kills-table tbody th button").first
    name = button.inner_text()
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=name)
    dialog.wait_for()
    for _tab in range(12):
        page.keyboard.press("Tab")
        # The browser's own buttons may get the focus, but not what is behind the dialog.
        assert page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.innerText") == name
    page.wait_for_timeout(300)
    assert "open=" not in page.url


@pytest.mark.parametrize(
    "place", ["#findings-table thead button", "#chart-table tbody button", "#findings-table .pager button"]
)
def test_focus_stays_where_it_is(opener, place):
    """Its table is made anew by what the button does."""
    page = opener.open(generate_fleet(2000, 2))
    page.click("#chart-table summary")
    button = page.locator(place).last
    name = button.inner_text()
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    wait_until_shown(page)
    assert page.evaluate("document.activeElement.innerText") == name


def test_skip_link(opener, fleet):
    page = opener.open(fleet)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "kills-heading"
    assert "#" not in page.url


def test_sentence_leads_to_sections(opener, fleet):
    page = opener.open(fleet)
    page.locator("#sentence button").nth(1).press("Enter")
    assert page.evaluate("document.activeElement.id") == "findings-heading"
    assert page.locator("#findings-heading").bounding_box()["y"] > 60  # not below the filters


def test_says_what_is_left(opener, fleet):
    page = opener.open(fleet)
    page.locator("#q").fill("nothing-matches-this")
    page.wait_for_timeout(200)
    assert page.get_by_role("status").last.text_content() == "0 kills. 0 hosts, 0 findings, 0 changes."


def test_tables_have_names_and_headings(opener, fleet):
    page = opener.open(fleet)
    page.click("#chart-table summary")
    page.locator("#chart-table table").wait_for()
    tables = page.locator("main table")
    assert tables.count() == 7
    for table in tables.all():
        assert table.locator("caption").text_content().strip()
        heads = table.locator("thead th[scope=col]").count()
        assert heads == table.locator("thead th").count() > 1
        bodies = table.locator("tbody tr")
        for row in bodies.all()[:3]:
            cells = row.locator("th[scope=row], td")
            assert cells.count() == heads or row.locator(".empty").count() == 1


def test_copy_a_fix(opener, fleet):
    host = next(one for one in fleet["hosts"] if any(finding["fix"] for finding in one["findings"]))
    page = opener.open(fleet, f"#open={host['name']}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the task").first.click()
    page.wait_for_timeout(200)
    fix = next(finding["fix"] for finding in host["findings"] if finding["fix"])
    assert page.evaluate("navigator.clipboard.readText()") == fix
