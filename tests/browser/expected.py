# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work out what the page of a document must show, from the document alone."""

from decimal import ROUND_HALF_UP, Decimal

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_document import guard_cell

KILLERS = ["kernel", "systemd-oomd", "earlyoom", "nohang", "oomd"]
UNITS = ["KiB", "MiB", "GiB", "TiB"]


def list_events(document):
    """Return (host, event) of the whole fleet: the newest first, those without a time last."""
    pairs = [(host, event) for host in document["hosts"] for event in host["events"]]
    dated = [pair for pair in pairs if pair[1]["time"] is not None]
    undated = [pair for pair in pairs if pair[1]["time"] is None]
    return sorted(dated, key=lambda pair: pair[1]["time"], reverse=True) + undated


def category_of(event):
    if event["trusted"] is False:
        return "forged"
    if event["outcome"] not in ("kill", "group_kill"):
        return "no_kill"
    return event["killer"] if event["killer"] in KILLERS else "other"


def is_kill(event):
    return category_of(event) not in ("forged", "no_kill")


def contains(values, word):
    return any(word.lower() in value.lower() for value in values if value is not None)


def select_events(document, q="", host="", unit="", killer="", since=None, until=None):
    """Return (host, event) of the events that filters leave, in the order of the page."""
    return [
        (one, event)
        for one, event in list_events(document)
        if contains([one["name"]], host)
        and (not unit or contains([event["unit"], event["container"], event["pod"]], unit))
        and (not killer or category_of(event) == killer)
        and (since is None or (event["time"] is not None and event["time"] >= since))
        and (until is None or (event["time"] is not None and event["time"] < until))
        and all(
            contains([one["name"], *searched_texts(event)], word) or word == str(event["pid"]) for word in q.split()
        )
    ]


def searched_texts(event):
    """Return the texts that a search reads: a pid is found by itself, not as a part of a text."""
    marked = event["text"].replace(f"{event['name']}[{event['pid']}]", "")
    return [*(event[key] for key in SEARCHED), marked]


SEARCHED = ["name", "unit", "container", "pod", "killer", "runner_up"]


def matches_host(host, q):
    victim = host["next_victim"] or {}
    own = [host["name"], host["kernel"], host["reason"], *(victim.get(key) for key in ("name", "unit", "container"))]
    return all(contains(own, word) for word in q.split()) or any(
        matches_finding(host, one, q) for one in host["findings"]
    )


def matches_finding(host, finding, q):
    texts = [host["name"], finding["id"], finding["object"], finding["message"]]
    return all(contains(texts, word) for word in q.split())


def select_hosts(document, q="", host="", severity=""):
    return [
        one
        for one in document["hosts"]
        if contains([one["name"]], host)
        and (not q or matches_host(one, q))
        and (not severity or any(finding["severity"] == severity for finding in one["findings"]))
    ]


def select_findings(document, q="", host="", severity=""):
    return [
        (one, finding)
        for one in document["hosts"]
        for finding in one["findings"]
        if contains([one["name"]], host)
        and (not severity or finding["severity"] == severity)
        and (not q or matches_finding(one, finding, q))
    ]


def format_size(kb):
    if kb is None:
        return "unknown"
    value, unit = Decimal(kb), 0
    while abs(value) >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    step = "1" if unit == 0 or abs(value) >= 100 else "0.1" if abs(value) >= 10 else "0.01"
    return f"{value.quantize(Decimal(step), ROUND_HALF_UP)} {UNITS[unit]}"


def format_time(text):
    return "no time" if text is None else text.replace("T", " ")[:19]


def csv_row(host, event):
    """Return the row of an event in the file that a person saves."""
    cells = {"host": host["name"], **event}
    del cells["trusted"]
    row = {key: "" if value is None else csv_cell(value) for key, value in cells.items()}
    row["trusted"] = {True: "true", False: "false", None: ""}[event["trusted"]]
    return row


def csv_cell(value):
    return str(guard_cell(value))
