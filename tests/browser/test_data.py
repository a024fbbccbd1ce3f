# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that what the page shows equals the data."""

import re
from collections import Counter

import pytest
from expected import category_of, csv_row, format_size, format_time, is_kill, list_events
from generated_fleet import generate_fleet
from shown import read_caption, read_rows, save_csv


@pytest.fixture(scope="module")
def page(shared_opener, fleet):
    return shared_opener.open(fleet)


OUTCOMES = {
    "panic": "the kernel panicked",
    "no_killable": "nothing could be killed",
    "incomplete": "the log does not show it",
}
REASONS = {"none": "host out of memory", "memcg": "memory limit", None: "decision of a program"}


def numbers_of(text):
    return [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", text)]


@pytest.mark.parametrize(("hosts", "events"), [(30, 2), (1, 1), (300, 2)])
def test_sentence(opener, hosts, events):
    document = generate_fleet(hosts, events, even=False)
    shown = opener.open(document).locator("#sentence").inner_text()
    kills = [(host["name"], event) for host, event in list_events(document) if is_kill(event)]
    unlogged = sum(host["unlogged_kills"] or 0 for host in document["hosts"])
    changes = sum(len(host["changes"]) for host in document["hosts"])
    severe = [host for host in document["hosts"] if any(one["severity"] == "high" for one in host["findings"])]
    silent = [host for host in document["hosts"] if host["state"] != "ok"]
    expected = [len(kills), len({name for name, _event in kills}), hosts, 30, len(severe), len(silent)]
    assert numbers_of(shown) == expected + [number for number in (unlogged, changes) if number]


def test_kills(page, fleet):
    rows = read_rows(page, "kills")
    events = list_events(fleet)
    assert [row[0] for row in rows] == [format_time(event["time"]) for _host, event in events]
    assert [row[1] for row in rows] == [host["name"] for host, _event in events]
    for row, (_host, event) in zip(rows, events):
        assert row[2].startswith(OUTCOMES.get(event["outcome"], event["name"]))
        assert ("more" in row[2]) == (event["victims_count"] > 1)
        assert row[3].split("\n")[0] == (event["container"] or event["pod"] or event["unit"])
        limit = f" of {format_size(event['limit_kb'])}" if event["limit_kb"] else ""
        reason = REASONS[event["constraint"]] if event["outcome"] != "incomplete" else "the log does not say"
        assert row[4] == "\n".join(filter(None, [reason + limit, event["why"]]))
        assert row[5].split()[0] == event["killer"]
        assert ("not from the kernel" in row[5]) == (event["trusted"] is False)
        margin = event["margin_kb"] and f"{format_size(event['margin_kb'])} behind"
        if event["margin_kb"] and event["margin_kb"] < 0:
            margin = f"{format_size(-event['margin_kb'])} worse, but passed over"
        assert row[6] == "\n".join(filter(None, [event["runner_up"] or "none in the log", margin]))
        answers = {"same": "same victim", "other": "another victim"}
        assert row[7].split("\n")[0] == answers.get(event["with_todays_pins"], "not known")
    kills = sum(map(is_kill, (event for _host, event in events)))
    assert numbers_of(read_caption(page, "kills")) == [kills, len(events) - kills]


def test_csv(page, fleet):
    rows = save_csv(page)
    assert rows == [csv_row(host, event) for host, event in list_events(fleet)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time", lambda _host, event: event["time"]),
        ("host", lambda host, _event: host["name"]),
        ("name", lambda _host, event: event["name"]),
        (
            "killer",
            lambda _host, event: ["kernel", "systemd-oomd", "earlyoom", "nohang", "no_kill", "forged"].index(
                category_of(event)
            ),
        ),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
def test_sorted(opener, column, value, descending):
    document = generate_fleet(9, 4)  # hosts with one digit: by letters and by numbers the order is the same
    page = opener.open(document, f"#kills={'-' if descending else ''}{column}")
    known = [pair for pair in list_events(document) if value(*pair) is not None]
    ordered = sorted(known, key=lambda pair: value(*pair), reverse=descending)
    ordered += [pair for pair in list_events(document) if value(*pair) is None]
    shown = [(row[0], row[1]) for row in read_rows(page, "kills")]
    assert shown == [(format_time(event["time"]), host["name"]) for host, event in ordered]
    sort = page.locator(f"#kills-table th.{column}").get_attribute("aria-sort")
    assert sort == ("descending" if descending else "ascending")


def test_chart_numbers(page, fleet):
    page.click("#chart-table summary")
    page.locator("#chart-table table").wait_for()
    heads = page.locator("#chart-table thead th").all_inner_texts()
    rows = page.locator("#chart-table table").evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText))"
    )
    labels = {"no kill": "no_kill", "not from the kernel": "forged", "another killer": "other"}
    shown = Counter()
    for day, *numbers in rows:
        shown.update({(day, labels.get(head, head)): int(number) for head, number in zip(heads[1:], numbers)})
    expected = Counter((event["time"][:10], category_of(event)) for _host, event in list_events(fleet) if event["time"])
    assert +shown == expected
    legend = {
        re.sub(r" [\d,]+$", "", text): numbers_of(text)[-1]
        for text in page.locator("#chart-legend button").all_inner_texts()
    }
    of_all = Counter(category_of(event) for _host, event in list_events(fleet))
    assert {labels.get(label, label): number for label, number in legend.items()} == of_all


def test_findings(opener):
    document = generate_fleet(150, 0)
    page = opener.open(document)
    heads = page.locator("#findings-table thead th[data-severity]")
    ids = heads.locator("button").all_inner_texts()
    counts = dict(zip(ids, map(int, heads.locator(".number").all_inner_texts())))
    found = {(host["name"], one["id"], one["severity"]) for host in document["hosts"] for one in host["findings"]}
    assert counts == Counter(identifier for _host, identifier, _severity in found)
    shown = set()
    following = page.locator("#findings-table .pager button").last
    while True:
        for summary in page.locator("#findings-table summary").all():
            summary.click()
        for names in page.locator("#findings-table details").all():
            names.locator("ul").wait_for()
        for names, cells in page.locator("#findings-table tbody").evaluate(
            "body => [...body.rows].map(row => [[...row.cells[0].querySelectorAll('button')].map(one => one.innerText),"
            " [...row.cells].slice(1).map(cell => cell.innerText)])"
        ):
            shown |= {(name, one, cell) for name in names for one, cell in zip(ids, cells) if cell}
        if following.get_attribute("aria-disabled") == "true":
            break
        following.click()
    assert shown == found


def test_hosts(page, fleet):
    rows = {row[0].split("\n")[0]: row for row in read_rows(page, "hosts")}
    assert set(rows) == {host["name"] for host in fleet["hosts"]}
    for host in fleet["hosts"]:
        row, victim = rows[host["name"]], host["next_victim"]
        assert (host["reason"] in row[0]) and ("did not answer" in row[0]) == (host["state"] == "unreachable")
        counts = Counter(one["severity"] for one in host["findings"])
        assert (
            row[1].split("\n") == [f"{counts[one]} {one}" for one in ("high", "medium", "low") if counts[one]]
            or row[1] == "none"
        )
        assert int(row[2]) == sum(map(is_kill, host["events"]))
        assert row[3].split()[0] == victim["name"] and ("likely" in row[3]) == (not victim["certain"])
        assert row[4] == format_size(victim["margin_kb"])
        assert row[5] == f"{format_size(host['room_kb'])} of {format_size(host['limit_kb'])}"
        assert row[7].split("\n")[0] == format_time(host["read"])[:16]
        assert ("before" in row[7]) == (host["read"] < "2026-11-28T07:00:00Z")
        assert row[6] == ("unknown" if host["unlogged_kills"] is None else str(host["unlogged_kills"]))


def test_hosts_that_need_attention_first(opener, fleet):
    def rank(host):
        counts = Counter(one["severity"] for one in host["findings"])
        return (
            host["state"] != "ok",
            counts["high"],
            counts["medium"],
            counts["low"],
            sum(map(is_kill, host["events"])),
        )

    shown = [row[0].split("\n")[0] for row in read_rows(opener.open(fleet), "hosts")]
    assert shown == [host["name"] for host in sorted(fleet["hosts"], key=rank, reverse=True)]


def test_unlogged_and_changes(page, fleet):
    unlogged = {row[0]: (row[1], row[2]) for row in read_rows(page, "unlogged")}
    hosts = [host for host in fleet["hosts"] if host["unlogged_kills"] or host["lost"]]
    assert unlogged == {
        host["name"]: (str(host["unlogged_kills"] or "unknown"), "\n".join(host["lost"])) for host in hosts
    }
    changes = [(change, host["name"]) for host in fleet["hosts"] for change in host["changes"]]
    changes.sort(key=lambda pair: pair[0]["seen"], reverse=True)
    shown = [(row[0][:16], *row[1:]) for row in read_rows(page, "changes")]
    assert shown == [
        (format_time(change["seen"])[:16], name, change["what"], change["before"] or "none", change["after"] or "none")
        for change, name in changes
    ]


def test_drawer(opener, fleet):
    host = max(fleet["hosts"], key=lambda one: len(one["events"]) + 100 * len(one["findings"]))
    page = opener.open(fleet, "#q=nothing-matches-this")
    page.evaluate("name => { location.hash = new URLSearchParams({open: name}).toString() }", host["name"])
    dialog = page.get_by_role("dialog", name=host["name"])
    dialog.wait_for()
    text = dialog.inner_text()
    for finding in host["findings"]:
        assert finding["message"] in text and finding["id"] in text
    fixes = [finding["fix"] for finding in host["findings"] if finding["fix"]]
    assert dialog.locator("pre").evaluate_all("all => all.map(one => one.textContent)") == fixes
    for one in host["pins"] + host["killers"] + host["sysctls"]:
        assert one["name"] in text
    lines = dialog.locator(".events > li").all_inner_texts()
    assert len(lines) == len(host["events"])
    for line, event in zip(lines, host["events"]):
        assert event["text"] in line and format_time(event["time"]) in line


def test_unknown_values(opener):
    document = generate_fleet(3, 1)
    host = document["hosts"][0]
    host.update(dict.fromkeys(["read", "kernel", "next_victim", "room_kb", "limit_kb", "unlogged_kills"]))
    host.update({key: [] for key in ("sysctls", "pins", "killers", "findings", "changes", "lost", "events")})
    host.update(state="unreachable", reason="No route to host")
    page = opener.open(document, f"#open={host['name']}")
    [row] = [row for row in read_rows(page, "hosts") if row[0].startswith(host["name"])]
    assert row[3:] == ["not known", "unknown", "unknown", "unknown", "no time"]
    assert "It never answered." in page.locator("#drawer").inner_text()


@pytest.mark.parametrize(("live", "shown"), [(1, "the host panics"), (2, "the host panics"), (0, "not known")])
def test_a_host_that_panics_has_no_next_victim(opener, live, shown):
    document = generate_fleet(1, 0)
    [host] = document["hosts"]
    policy = {"name": "vm.panic_on_oom", "live": live, "boot": live, "boot_value_from": None}
    host.update(next_victim=None, sysctls=[policy])
    page = opener.open(document, f"#open={host['name']}")
    [row] = read_rows(page, "hosts")
    assert row[3] == shown
    assert ("none: the host panics" in page.locator("#drawer").inner_text()) == (live > 0)


def test_hosts_whose_log_was_not_read(opener):
    """No kill is no all-clear then, and the sentence about the fleet says so."""
    document = generate_fleet(3, 0)
    for host in document["hosts"]:
        host.update(state="ok", reason="", unread=["log", "kills"])
    document["hosts"][0].update(state="unreachable", reason="No route to host")
    page = opener.open(document)
    assert "; 2 hosts whose log was not read" in page.locator("#sentence").inner_text()


@pytest.mark.parametrize(
    ("search", "shown"),
    [
        ("", {"kills": "No kill was read.", "findings": "No host has a finding.", "changes": "No change was seen."}),
        ("#q=x-y-z", {"hosts": "No host matches."}),
    ],
)
def test_a_quiet_fleet_does_not_look_filtered(opener, search, shown):
    document = generate_fleet(2, 0)
    for host in document["hosts"]:
        host.update(findings=[], changes=[], events=[])
    page = opener.open(document, search)
    assert {key: page.locator(f"#{key}-table .empty").inner_text() for key in shown} == shown


def test_no_match_is_said_as_such(opener, fleet):
    page = opener.open(fleet, "#q=nothing-matches-this")
    words = {key: page.locator(f"#{key}-table .empty").inner_text() for key in ("kills", "hosts", "findings")}
    assert words == {"kills": "No kill matches.", "hosts": "No host matches.", "findings": "No finding matches."}


def test_empty_fleet(opener):
    document = {**generate_fleet(1, 0), "hosts": []}
    page = opener.open(document)
    assert numbers_of(page.locator("#sentence").inner_text()) == [0, 0, 0, 30, 0, 0]
    for key in ("kills", "hosts", "unlogged", "changes"):
        assert read_rows(page, key) == []
    assert save_csv(page) == []
