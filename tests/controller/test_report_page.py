# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packing of the report's page, and the files that it is made of."""

import base64
import gzip
import hashlib
import json
import re

import pytest
from generated_fleet import generate_fleet

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import (
    FILES,
    LISTS,
    MOST_ROWS,
    SCRIPTS,
    TEXT_LENGTH,
    pack_document,
    render_page,
)


def unpack(packed):
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def texts_of(column):
    """Return the texts of a packed column, for each row."""
    texts, following = [], 0
    for place in column["places"]:
        texts.append(None if place < 0 else column["values"][place - 1 if place else following])
        following += place == 0
    return texts


def steps_of(column):
    values, previous = [], 0
    for step in column:
        previous += step or 0
        values.append(None if step is None else previous)
    return values


def make_document(**host):
    empty = {"name": "web1", "state": "ok", "reason": "", **{key: [] for key in LISTS}}
    return {"version": 1, "made": "2026-11-29T07:00:00Z", "since": "2026-10-30T07:00:00Z", "hosts": [{**empty, **host}]}


def test_vendored_library():
    """The files are those of the package of npm whose version and hash uPlot.json states."""
    stated = json.loads((FILES / "vendor" / "uPlot.json").read_text(encoding="utf-8"))
    found = {path.name for path in (FILES / "vendor").iterdir()} - {"uPlot.json"}
    assert found == set(stated["files"])
    for name, expected in stated["files"].items():
        assert hashlib.sha256((FILES / "vendor" / name).read_bytes()).hexdigest() == expected
    assert f"(v{stated['version']})" in (FILES / "vendor" / "uPlot.iife.min.js").read_text(encoding="utf-8")[:100]
    assert "MIT" in (FILES / "vendor" / "uPlot.LICENSE.txt").read_text(encoding="utf-8")[:40]


def test_all_files_are_in_the_page():
    own = {path.name for path in FILES.iterdir() if path.is_file()}
    assert own == {*SCRIPTS, "page.css", "page.html"}
    page = render_page(make_document())
    for name in own - {"page.html"}:
        assert (FILES / name).read_text(encoding="utf-8") in page


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_markup(name):
    text = (FILES / name).read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|srcdoc|<!--|</script", text
    )
    assert not re.search(r"https?://(?!www\.(?:gnu|w3)\.org/)", text)


def test_policy_names_each_script_and_style():
    page = render_page(make_document())
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    parts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert (len(parts), len(styles)) == (2, 2)
    for text in parts + styles:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert not re.findall(r"<(?:link|img|iframe)\b|<script[^>]*\bsrc=", page.replace(parts[0], ""))


def test_words_are_only_in_the_data():
    words = "</script><b>Zq7"
    page = render_page(make_document(name=words, kernel=words, lost=[words]))
    assert "Zq7" not in page
    [packed] = re.findall(r'id="data">([A-Za-z0-9+/=]+)</script>', page)
    assert texts_of(unpack(packed)["tables"]["hosts"]["texts"]["name"]) == [words]


def test_round_trip():
    document = generate_fleet(20, 5, seed=3)
    tables = unpack(pack_document(document))["tables"]
    hosts = steps_of(tables["findings"]["steps"]["host"])
    shown = list(zip(hosts, *(texts_of(tables["findings"]["texts"][key]) for key in ("id", "message", "fix"))))
    assert shown == [
        (number, one["id"], one["message"], one["fix"])
        for number, host in enumerate(document["hosts"])
        for one in host["findings"]
    ]
    events = sorted(
        (
            (event["time"] or "", -number, event["pid"], event["trusted"])
            for number, host in enumerate(document["hosts"])
            for event in host["events"]
        ),
        key=lambda event: event[:2],
        reverse=True,
    )
    packed = tables["events"]
    assert list(zip(steps_of(packed["steps"]["host"]), packed["pid"])) == [
        (-number, pid) for _time, number, pid, _trusted in events
    ]
    assert packed["trusted"] == [None if trusted is None else int(trusted) for *_others, trusted in events]


def test_names_in_texts_are_marks():
    """Texts of an event get marks for its victim and its runner-up, and never for other text."""
    event = {"name": "a", "pid": 7, "runner_up": "b[8]", "text": "killed a[7]", "why": "a[7], not b[8] or a[77] \x01"}
    event["with_todays_pins_text"] = None
    columns = unpack(pack_document(make_document(events=[event, {"text": "a[7]", "name": "a"}])))["tables"]["events"][
        "texts"
    ]
    assert columns["text"]["values"] == ["killed \x01", "a[7]"]
    assert columns["why"]["values"] == ["\x01, not \x02 or a[77] \\x01"]
    assert columns["with_todays_pins_text"] == {"values": [], "places": [-1, -1]}


def test_same_document_same_page():
    assert render_page(generate_fleet(5, 5)) == render_page(generate_fleet(5, 5))


@pytest.mark.parametrize(
    "value", [None, 5, 1.5, True, [], {}, "x", "\ud800", "0000-99-99T99:99:99Z", 2**70, [None], [{}], [5]]
)
def test_any_value(value):
    """A value of another type than the schema's is unknown, and never an error."""
    keys = ["name", "state", "reason", "read", "kernel", "next_victim", "room_kb", "unlogged_kills", *LISTS]
    packed = unpack(pack_document(make_document(**dict.fromkeys(keys, value))))
    assert packed["tables"]["hosts"]["steps"]["read"] == [None]
    assert packed["tables"]["hosts"]["room_kb"] == ([5] if value == 5 else [None])
    assert unpack(pack_document({"made": value, "since": value, "hosts": value}))["tables"]["hosts"]["room_kb"] in (
        [],
        [None],
    )


def test_bounds():
    document = make_document(lost=["x" * 10 * TEXT_LENGTH] * (MOST_ROWS + 7))
    packed = unpack(pack_document(document))
    [text] = packed["tables"]["lost"]["texts"]["text"]["values"]
    assert len(text) == TEXT_LENGTH and text.endswith("\u2026")
    assert len(packed["tables"]["lost"]["texts"]["text"]["places"]) == MOST_ROWS
    assert packed["left_out"] == 7


def test_size():
    """The page of 1,000 hosts with 50 events each; bench_page.py measures the time."""
    page = render_page(generate_fleet(1000, 50))
    assert len(page.encode()) < 4_000_000
