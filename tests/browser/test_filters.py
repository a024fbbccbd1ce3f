# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters leave the right rows, and the hash of the URL brings them back."""

import re
from urllib.parse import parse_qs, urlencode

import pytest
from chromium import wait_until_ready, wait_until_shown
from expected import csv_row, list_events, select_events, select_findings, select_hosts
from shown import read_caption, read_rows, save_csv

# What is chosen: arguments of select_events(), and the severity.
CHOICES = [
    {"q": "redis"},
    {"q": "REDIS fra"},
    {"q": "limit"},
    {"q": "2445"},
    {"q": "nothing-matches-this"},
    {"q": "pin_lost"},
    {"host": "web"},
    {"host": "ams.example"},
    {"unit": "shop/"},
    {"unit": "redis-server.service"},
    {"killer": "kernel"},
    {"killer": "earlyoom"},
    {"killer": "no_kill"},
    {"killer": "forged"},
    {"severity": "high"},
    {"severity": "low"},
    {"severity": "medium", "q": "pinned"},
    {"since": "2026-11-10T00:00:00Z"},
    {"until": "2026-11-10T12:00:00Z"},
    {"since": "2026-11-05T00:00:00Z", "until": "2026-11-25T00:00:00Z", "killer": "kernel", "host": "a", "q": "e"},
    {"q": "oomd", "unit": "service", "severity": "medium"},
]


def hash_of(choice):
    keys = {"since": "from", "until": "to"}
    return "#" + urlencode({keys.get(key, key): value for key, value in choice.items()})


def check_rows(page, fleet, choice):
    """Check the rows of all tables against the document."""
    without_severity = {key: value for key, value in choice.items() if key != "severity"}
    events = select_events(fleet, **without_severity)
    assert save_csv(page) == [csv_row(host, event) for host, event in events]
    assert len(read_rows(page, "kills")) == len(events)
    about_hosts = {key: value for key, value in choice.items() if key in ("q", "host", "severity")}
    hosts = {row[0].split("\n")[0] for row in read_rows(page, "hosts")}
    assert hosts == {host["name"] for host in select_hosts(fleet, **about_hosts)}
    findings = select_findings(fleet, **about_hosts)
    if findings:
        assert read_caption(page, "findings").startswith(f"{len(findings)} finding")
    else:
        wait_until_shown(page)
        assert page.locator("#findings-table .empty").count() == 1


@pytest.fixture(scope="module")
def page(shared_opener, fleet):
    return shared_opener.open(fleet)


def go_to(page, state):
    """Choose a state by the hash, as somebody does who edits the URL."""
    page.evaluate(
        """state => new Promise(done => {
            const before = location.hash;
            addEventListener("hashchange", done, { once: true });
            location.hash = state;
            if (location.hash === before) done();
        })""",
        state,
    )
    wait_until_shown(page)


@pytest.mark.parametrize("choice", CHOICES, ids=hash_of)
def test_hash_filters(page, fleet, choice):
    go_to(page, hash_of(choice))
    check_rows(page, fleet, choice)


@pytest.mark.parametrize("choice", CHOICES[-2:], ids=hash_of)
def test_hash_filters_a_new_page(opener, fleet, choice):
    check_rows(opener.open(fleet, hash_of(choice)), fleet, choice)


def test_bounds_of_time(page, fleet):
    """An event at the start of the range is in it, and one at the end is not."""
    times = sorted(event["time"] for _host, event in list_events(fleet) if event["time"])
    choice = {"since": times[10], "until": times[40]}
    go_to(page, hash_of(choice))
    assert len(save_csv(page)) == 30
    check_rows(page, fleet, choice)


def test_the_choices_differ(fleet):
    numbers = [len(select_events(fleet, **{k: v for k, v in one.items() if k != "severity"})) for one in CHOICES]
    assert len(set(numbers)) > 6 and len(list_events(fleet)) not in numbers[:3]


def test_typed_filters_come_back_after_a_reload(opener, fleet):
    page = opener.open(fleet)
    page.get_by_label("Search everything").press_sequentially("service")
    page.get_by_label("Host", exact=True).fill("e")
    page.get_by_label("Unit or container").fill("service")
    page.get_by_label("Killed by").select_option("kernel")
    page.get_by_label("From (UTC)").fill("2026-11-02T00:00")
    page.get_by_label("To (UTC)").fill("2026-11-28T12:30")
    page.locator("#kills-table").get_by_role("button", name="Host").click()
    page.wait_for_timeout(400)
    choice = {
        "q": "service",
        "host": "e",
        "unit": "service",
        "killer": "kernel",
        "since": "2026-11-02T00:00:00Z",
        "until": "2026-11-28T12:30:00Z",
    }
    shown = read_rows(page, "kills")
    assert len(shown) == len(select_events(fleet, **choice)) > 0
    assert [row[1] for row in shown] == sorted((row[1] for row in shown), key=natural)
    page.wait_for_timeout(400)
    before = page.url
    page.reload()
    wait_until_ready(page)
    assert page.url == before
    assert page.get_by_label("From (UTC)").input_value() == "2026-11-02T00:00"
    assert page.get_by_label("Killed by").input_value() == "kernel"
    check_rows(page, fleet, choice)


def natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def test_clear(opener, fleet):
    page = opener.open(fleet, "#q=redis&killer=kernel&severity=high&theme=dark&kills=name.2&open=")
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_timeout(400)
    assert page.url.partition("#")[2] == "theme=dark"
    check_rows(page, fleet, {})


def test_no_time_is_marked_before_one_is_chosen(page):
    go_to(page, "#")
    page.wait_for_selector("main[aria-busy=false]", state="attached")
    marked = page.locator("#chart .u-select")
    assert marked.evaluate("one => [one.offsetWidth, getComputedStyle(one).borderLeftWidth]") == [0, "0px"]


def test_brush(page, fleet):
    go_to(page, "#")
    box = page.locator("#chart .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    chosen = parse_qs(page.url.partition("#")[2])
    [since], [until] = chosen["from"], chosen["to"]
    assert since.endswith("T00:00:00Z") and "2026-11-07" < since < "2026-11-10"
    assert until.endswith("T00:00:00Z") and "2026-11-12" < until < "2026-11-16"
    check_rows(page, fleet, {"since": since, "until": until})
    assert page.locator("#chart .u-select").bounding_box()["width"] > 100
    page.locator("#chart .u-over").dblclick()
    check_rows(page, fleet, {})


def test_a_time_of_the_chart_s_table(page, fleet):
    go_to(page, "#")
    page.locator("#chart-table summary").press("Enter")
    page.get_by_role("button", name="2026-11-15").press("Enter")
    check_rows(page, fleet, {"since": "2026-11-15T00:00:00Z", "until": "2026-11-16T00:00:00Z"})


def test_legend(page, fleet):
    go_to(page, "#")
    key = page.locator("#chart-legend").get_by_role("button", name="systemd-oomd")
    key.click()
    check_rows(page, fleet, {"killer": "systemd-oomd"})
    assert key.get_attribute("aria-pressed") == "true"
    key.click()
    check_rows(page, fleet, {})


def test_a_kind_of_finding(page, fleet):
    go_to(page, "#")
    page.locator("#findings-table thead button").first.press("Enter")
    name = page.locator("#findings-table thead button").first.inner_text()
    check_rows(page, fleet, {"q": name})


BROKEN_HASHES = [
    "#",
    "#q",
    "#=&=&&",
    "#q=%",
    "#q=%ff%fe",
    "#__proto__=1&constructor=2&hasOwnProperty=3",
    "#killer=__proto__&severity=constructor&theme=toString",
    "#from=yesterday&to=9999999999999",
    "#from=2026-13-45T99:99Z&to=-1",
    "#kills=__proto__.2&hosts=constructor",
    "#kills=-name.0&hosts=.&changes=name.-1&findings=x.1e9",
    "#open=__proto__",
    "#open=%00%ff<script>",
    "#theme=<script>",
    "#q=" + "%20" * 20000,
]


@pytest.mark.parametrize("broken", BROKEN_HASHES, ids=lambda text: text[:40])
def test_broken_hash(page, fleet, broken):
    go_to(page, broken)
    assert len(save_csv(page)) in (len(list_events(fleet)), 0)
    assert page.locator("#sentence").inner_text()
    go_to(page, "#host=")
    assert len(save_csv(page)) == len(list_events(fleet))


def test_page_beyond_the_last(opener, fleet):
    page = opener.open(fleet, "#kills=-time.999999")
    assert page.locator("#kills-table .pager button").last.get_attribute("aria-disabled") == "true"
    assert page.locator("#kills-table .pages").text_content() == "51 to 60 of 60"


def test_theme(opener, fleet):
    page = opener.open(fleet, color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(background)
    assert light != dark
    page.wait_for_timeout(400)
    page.reload()
    wait_until_ready(page)
    assert page.evaluate(background) == dark
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(background) == light


def test_a_system_in_dark(opener, fleet):
    page = opener.open(fleet, color_scheme="dark")
    assert page.get_by_role("button", name="Light").is_visible()
