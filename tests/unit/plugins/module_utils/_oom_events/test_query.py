# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which events the options select, and what is refused."""

import pytest
from event_lines import DOCKER, ID, SHOP, events_of, report

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import query as query_file
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.collector import Window
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import (
    Filter,
    Query,
    check_query,
    describe_window,
    parse_pins,
    parse_window,
)

NOW = 1795874400.0  # 2026-11-28T14:00:00Z
BOOTED = NOW - 8 * 3600
TODAY = "2026-11-28"


def query(**changes):
    options = dict.fromkeys(Query._fields)
    options.update(source="journal", paths=[], boot="current", limit=1)
    options.update(tasks=False, raw=False, untrusted=False, own_trials=False)
    return Query(**dict(options, **changes))


@pytest.mark.parametrize(
    "boot", ["current", "previous", "all", "0", "-2", "0" * 32, "01234567-89ab-cdef-0123-456789abcdef"]
)
def test_accept_a_boot(boot):
    check_query(query(boot=boot))


@pytest.mark.parametrize("boot", ["previus", "yesterday", "", "-", "1", "--all", "-99999", "0" * 31, "current\n"])
def test_refuse_what_is_no_boot(boot):
    with pytest.raises(InputError, match="is not a boot: set current, previous, all, or a boot id"):
        check_query(query(boot=boot))


@pytest.mark.parametrize("unit", ["shop", "shop.service", "postgresql@15-main", "a\\x2db", "session-4.scope"])
def test_accept_a_unit(unit):
    check_query(query(unit=unit))


@pytest.mark.parametrize("unit", ["/system.slice/a.service", "user.slice", "a b", "-x", "a\n"])
def test_refuse_what_is_no_unit(unit):
    with pytest.raises(InputError, match="is not the name of a service or scope: give one such as docker"):
        check_query(query(unit=unit))


def pins(**target):
    return parse_pins(query(what_if=[dict(dict(score=-500), **target)]), lambda name: frozenset([name * 2]))


@pytest.mark.parametrize(
    "target, value, ids",
    [
        (dict(unit="shop"), "shop.service", ()),
        (dict(unit="shop.service", process=None), "shop.service", ()),
        (dict(process="a b"), "a b", ()),
        (dict(pid=7), "7", ()),
        (dict(cgroup="/a/"), "/a", ()),
        (dict(cgroup="/"), "/", ()),
        (dict(container="web1"), "web1", ("web1web1",)),
        (dict(container=ID[:12]), ID[:12], ()),  # no engine has to be asked
    ],
)
def test_targets_of_what_if(target, value, ids):
    [pin] = pins(**target)
    assert (pin.value, pin.score, pin.container_ids) == (value, -500, frozenset(ids))


@pytest.mark.parametrize(
    "target, words",
    [
        ({}, r"what_if\[0\] selects nothing: set one of unit, process, pid, cgroup, container"),
        (dict(process=""), r"what_if\[0\] selects nothing"),
        (
            dict(process="x", score=1001),
            r"what_if\[0\]: process=x: score=1001 is out of range: set it to -1000 to 1000",
        ),
        (dict(unit="a b"), r"unit=a b is not the name of a service"),
        (dict(cgroup="a"), r"cgroup=a is not the path of a cgroup: begin it with /"),
        (dict(container="web 1"), r"container=web 1 is neither an id nor a name"),
    ],
)
def test_refuse_targets_of_what_if(target, words):
    with pytest.raises(InputError, match=words):
        pins(**target)


def test_no_what_if():
    assert parse_pins(query(), frozenset) == []


@pytest.mark.parametrize("container", ["web 1", "/web1", "-web", "x" * 300])
def test_refuse_what_is_no_container(container):
    with pytest.raises(InputError, match="is neither an id nor a name: give 12 or more digits"):
        check_query(query(container=container))


def test_refuse_an_empty_window():
    assert parse_window(query(since="-2h"), NOW) == Window(NOW - 7200, None)
    with pytest.raises(InputError, match="since=-1h is not before until=-2h, so no event can match: set since to"):
        parse_window(query(since="-1h", until="-2h"), NOW)


[EVENT] = events_of(report())
[IN_CONTAINER] = events_of(report(7, "app", limit=DOCKER))
[IN_SCOPE] = events_of(report(8, "leak", limit="/system.slice/leak.scope"))
[OF_USER] = events_of(report(9, "own", limit="/user.slice/user-1000.slice/leak.scope"))

FILTERS = {
    "none": ({}, "EVENT IN_CONTAINER IN_SCOPE OF_USER"),
    "victim": (dict(victim="app"), "IN_CONTAINER"),
    "unit": (dict(unit="shop"), "EVENT"),
    "whole unit": (dict(unit="shop.service"), "EVENT"),
    "scope": (dict(unit="leak.scope"), "IN_SCOPE"),
    "scope without its suffix": (dict(unit="leak"), ""),
    "scope of a container": (dict(unit=f"docker-{ID}.scope"), ""),
    "12 digits": (dict(container=ID[:12]), "IN_CONTAINER"),
    "id": (dict(container=ID), "IN_CONTAINER"),
    "11 digits": (dict(container=ID[:11]), ""),
    "name": (dict(container="web1"), "IN_CONTAINER"),
    "constraint": (dict(constraint="none"), ""),
    "killer": (dict(killer="kernel"), "EVENT IN_CONTAINER IN_SCOPE OF_USER"),
    "two": (dict(killer="kernel", unit="shop", victim="eat"), "EVENT"),
}


@pytest.mark.parametrize("filters, selected", FILTERS.values(), ids=list(FILTERS))
def test_select(filters, selected):
    chosen = Filter(query(**filters), frozenset([ID] if filters.get("container") == "web1" else []))
    events = dict(EVENT=EVENT, IN_CONTAINER=IN_CONTAINER, IN_SCOPE=IN_SCOPE, OF_USER=OF_USER)
    assert [name for name, event in events.items() if chosen.selects(event)] == selected.split()


def test_a_scope_is_suggested_for_its_name():
    chosen = Filter(query(unit="leak"), frozenset())
    assert not any([chosen.selects(EVENT), chosen.selects(IN_SCOPE)])
    assert chosen.advise() == (
        "unit=leak matches no kill, but leak.scope was killed: set unit to that name if you meant it"
    )


def test_select_own_trials_and_forged_events_only_if_asked():
    own, forged = dict(EVENT, own_trial=True), dict(EVENT, trusted=False)
    assert [Filter(query(), frozenset()).selects(event) for event in (own, forged)] == [False, False]
    asked = Filter(query(own_trials=True, untrusted=True), frozenset())
    assert [asked.selects(event) for event in (own, forged)] == [True, True]


ADVICE = {
    "unit": (dict(unit="shp"), "unit=shp matches no kill, but shop.service was killed: set unit to that name"),
    "victim": (dict(victim="eet"), "victim=eet matches no kill, but eat was killed: set victim to that name"),
    "nothing alike": (dict(unit="postgresql"), None),
    "right, but another filter": (dict(unit="shop", constraint="cpuset"), None),
    "container": (dict(container="web1"), "container=web1: no container engine of this host knows that name"),
    "id": (dict(container="0" * 12), None),
}


@pytest.mark.parametrize("filters, words", ADVICE.values(), ids=list(ADVICE))
def test_advise(filters, words):
    chosen = Filter(query(**filters), frozenset())
    assert not chosen.selects(EVENT)
    advice = chosen.advise()
    assert advice is None if words is None else words in advice


def test_compare_a_bounded_number_of_names(monkeypatch):
    monkeypatch.setattr(query_file, "_MOST_SEEN", 1)
    chosen = Filter(query(victim="app2"), frozenset())
    for event in (EVENT, IN_CONTAINER):
        chosen.selects(event)
    assert chosen.advise() is None


WINDOWS = {
    "boot": ({}, Window(None, None), "since 06:00Z (boot)"),
    "since before boot": ({}, Window(BOOTED - 9, None), "since 06:00Z (boot)"),
    "since": ({}, Window(NOW - 3600, None), "since 13:00Z"),
    "since and until": (
        dict(boot="all"),
        Window(NOW - 86400, NOW),
        "in all boots since 2026-11-27 14:00Z until 14:00Z",
    ),
    "previous": (dict(boot="previous"), Window(None, None), "in the previous boot"),
    "boot id": (dict(boot="0" * 32), Window(None, None), "in boot " + "0" * 32),
    "cursor": (dict(cursor="x"), Window(None, None), "since the last run"),
    "file": (dict(source="file", paths=["/var/log/kern.log\n"]), Window(None, None), "in /var/log/kern.log\\x0a"),
    "files": (dict(source="file", paths=["a", "b"]), Window(None, 0.0), "in 2 paths until 1970-01-01 00:00Z"),
    "pstore": (dict(source="pstore"), Window(None, None), "in pstore"),
    "kmsg": (dict(source="kmsg", boot="all"), Window(None, None), "in /dev/kmsg"),
}


@pytest.mark.parametrize("changes, window, words", WINDOWS.values(), ids=list(WINDOWS))
def test_describe_window(changes, window, words):
    assert describe_window(query(**changes), window, BOOTED, TODAY) == words


SCOPE = "/system.slice/shp.scope"


@pytest.mark.parametrize(
    "path, filters",
    [(SHOP, dict(unit="shop")), (DOCKER, dict(container=ID[:12])), (SCOPE, dict(unit="shp.scope"))],
)
def test_select_what_systemd_oomd_killed(path, filters):
    """It logs a cgroup, and no process."""
    [event] = events_of([f"Jul 25 14:31:34 host systemd-oomd[1]: Killed {path} due to memory pressure for / being 5%"])
    assert Filter(query(**filters), frozenset()).selects(event)
    assert not Filter(query(unit="other"), frozenset()).selects(event)
    similar = Filter(query(unit="shp"), frozenset())
    assert not similar.selects(event)
    assert (similar.advise() is None) is (path == DOCKER)


def test_unit_in_its_own_slice():
    [event] = events_of(report(limit="/system.slice/system-pg.slice/pg@1.service"))
    assert Filter(query(unit="pg@1"), frozenset()).selects(event)
    assert not Filter(query(unit=SHOP[14:]), frozenset()).selects(event)
