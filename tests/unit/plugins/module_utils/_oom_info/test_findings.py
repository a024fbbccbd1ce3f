# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import re

import pytest
import yaml
from snapshots import GIB, HOST, MIB, host_with, limited, task

from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService, UnboundPin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info import findings
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.findings import (
    LostPin,
    Policy,
    Posture,
    find_all,
    measure_killability,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.fixes import write_task
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.domains import measure_host
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.facts import KillCounts, PinnedUnit
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.forecast import Forecast
from ansible_collections.oomguard.linux.plugins.module_utils._oom_killer.results import describe_task

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 5, "docs", "findings.md")
CLEAN = {
    "vm.panic_on_oom": 0,
    "kernel.panic": 0,
    "kernel.panic_on_oops": 0,
    "vm.oom_dump_tasks": 1,
    "vm.oom_kill_allocating_task": 0,
    "vm.overcommit_memory": 0,
    "vm.overcommit_ratio": 50,
    "vm.overcommit_kbytes": 0,
    "vm.admin_reserve_kbytes": 8192,
    "vm.user_reserve_kbytes": 131072,
}
DAEMON = "/system.slice/web.service"
PINS = "oomguard.linux.oom_score_adj"


def posture_of(*tasks, live=None, boot=None, crash_kernel=False, pinned=(), unbound=(), lost=(), kills=(), **facts):
    tasks = tasks or (task("large", GIB), task("small", MIB))
    snapshot = host_with(*tasks, **facts)
    values = dict(CLEAN, **(live or {}))
    policy = Policy(values, dict(values, **(boot or {})), dict.fromkeys(values), crash_kernel)
    domain = measure_host(snapshot)
    death = Forecast(snapshot, snapshot.rule).predict_next(domain) if snapshot.rule else None
    killable = measure_killability(snapshot)
    posture = Posture(snapshot, policy, list(pinned), domain, death, killable, tuple(lost), unbound=list(unbound))
    return posture._replace(kills=KillCounts(*kills))


def find(*tasks, **facts):
    return find_all(posture_of(*tasks, **facts))


def read_task(fix):
    """Return the module and the arguments of a fix, as Ansible reads them."""
    ((module, arguments),) = yaml.safe_load(write_task(fix))[0].items()
    return module, arguments


def ids(*tasks, **facts):
    return [finding.id for finding in find(*tasks, **facts)]


def test_a_clean_host_has_none():
    assert ids() == []


@pytest.mark.parametrize(
    "live, facts, expected",
    [
        ({"vm.panic_on_oom": 1}, {}, ["panic_hangs"]),
        ({"vm.panic_on_oom": 1}, dict(crash_kernel=True), []),
        ({"vm.panic_on_oom": 1, "kernel.panic": 10}, {}, []),
        ({"vm.panic_on_oom": 2, "kernel.panic": -1}, {}, []),
        (
            {"vm.panic_on_oom": 2, "kernel.panic": 10},
            dict(cgroups=[limited("/a", MIB), limited("/b", None)]),
            ["panic_on_cgroup"],
        ),
        ({"vm.panic_on_oom": 1, "kernel.panic": 10}, dict(cgroups=[limited("/a", MIB)]), []),
        ({"vm.panic_on_oom": None}, {}, []),
    ],
)
def test_panics(live, facts, expected):
    assert ids(live=live, **facts) == expected


@pytest.mark.parametrize("score, expected", [(-500, ["allocating_task_ignores_pins"]), (0, []), (-1000, [])])
def test_pins_that_the_allocating_task_ignores(score, expected):
    """A process at -1000 is safe all the same, and one at 0 has no pin."""
    tasks = [task("large", GIB), task("pinned", MIB, score=score)]
    assert ids(*tasks, live={"vm.oom_kill_allocating_task": 1}) == expected


def unbound(number, killer="systemd-oomd", preference="omit", unit=True, now="none"):
    name = f"s{number}.service"
    service = PinnedService(name, name if unit else None, -900, "/system.slice/" + name, "x", preference=now)
    return UnboundPin(service, killer, "it never reads scores", f"it may kill {name}: set it", preference)


def test_pins_that_killers_ignore():
    """Each killer has one finding, with one task for all units that can have a preference."""
    pins = [unbound(number) for number in range(5)] + [unbound(7, "earlyoom", None), unbound(8, unit=False)]
    first, second = find(unbound=pins)
    assert (first.id, first.severity, first.object) == ("pin_ignored_by_killer", "medium", "systemd-oomd")
    assert first.message == (
        "6 pins do not count for systemd-oomd, which runs: s0.service, s1.service, s2.service and 3 more;"
        " it may kill s0.service: set it"
    )
    _module, options = read_task(first.fix)
    assert options["targets"][0] == {"unit": "s0.service", "score": -900, "managed_oom_preference": "omit"}
    assert len(options["targets"]) == 5
    assert (second.object, second.fix) == ("earlyoom", None)


def test_a_systemd_without_preferences():
    """A module would refuse one."""
    assert [one.fix for one in find(unbound=[unbound(1, now=None)])] == [None]


@pytest.mark.parametrize(
    "mode, committed_gib, expected",
    [(2, 3.7, ["overcommit_lockout"]), (2, 3, []), (0, 9, []), (2, 5, ["overcommit_lockout"])],
)
def test_lockout(mode, committed_gib, expected):
    host = HOST._replace(committed_kb=int(committed_gib * GIB))
    assert ids(live={"vm.overcommit_memory": mode}, host=host) == expected


def test_the_next_boot_differs():
    posture = posture_of(live={"vm.panic_on_oom": 0}, boot={"vm.panic_on_oom": 1, "kernel.panic": None})
    source = {"vm.panic_on_oom": "/etc/sysctl.d/50-x.conf line 3"}
    found = find_all(posture._replace(policy=posture.policy._replace(boot_value_from=source)))
    assert [(one.id, one.object) for one in found] == [("boot_differs", "vm.panic_on_oom")]
    assert "is 0, and 1 after the next boot (/etc/sysctl.d/50-x.conf line 3 sets it)" in found[0].message
    assert find(boot={"kernel.panic": 5})[0].message.endswith("(no file sets it)")


@pytest.mark.parametrize("key", list(CLEAN))
def test_each_difference_has_a_task_that_keeps_the_live_value(key):
    fix = find(live={key: 1}, boot={key: 0}, crash_kernel=True, host=HOST._replace(commit_limit_kb=99 * GIB))[0].fix
    module, options = read_task(fix)
    assert module in ("oomguard.linux.oom_policy", "oomguard.linux.overcommit")
    expected = {"on_oom": "panic", "reboot_after": 0} if key == "vm.panic_on_oom" else dict(options)
    assert options == expected and (len(options) == 1 or key == "vm.panic_on_oom")


RATIO, KBYTES = "vm.overcommit_ratio", "vm.overcommit_kbytes"


@pytest.mark.parametrize(
    "live, boot, expected",
    [
        ({RATIO: 80}, {RATIO: 50}, {"ratio": 80}),
        ({RATIO: 0, KBYTES: 999}, {RATIO: 50, KBYTES: 0}, {"kbytes": 999}),
        ({RATIO: 50, KBYTES: 0}, {RATIO: 0, KBYTES: 999}, {"ratio": 50}),
        ({RATIO: 0, KBYTES: 0}, {RATIO: 50, KBYTES: 0}, None),
    ],
    ids=["ratio", "kbytes live", "kbytes at boot", "neither"],
)
def test_of_two_that_zero_each_other_the_one_that_counts_is_kept(live, boot, expected):
    """The modules refuse 0 for both, as the kernel would promise nothing but swap."""
    fixes = [one.fix for one in find(live=live, boot=boot) if one.id == "boot_differs"]
    assert fixes
    assert [fix and read_task(fix)[1] for fix in fixes] == [expected] * len(fixes)


PANIC, ON_OOM = "kernel.panic", "vm.panic_on_oom"


@pytest.mark.parametrize(
    "live, boot, facts, expected",
    [
        ({ON_OOM: 0}, {ON_OOM: 1}, {}, {"on_oom": "kill"}),
        ({ON_OOM: 1, PANIC: 20}, {ON_OOM: 0}, {}, {"on_oom": "panic", "reboot_after": 20}),
        ({ON_OOM: 1, PANIC: 0}, {ON_OOM: 0}, {}, {"on_oom": "panic", "reboot_after": 10}),
        ({ON_OOM: 1, PANIC: 0}, {ON_OOM: 0}, dict(crash_kernel=True), {"on_oom": "panic", "reboot_after": 0}),
        ({ON_OOM: 0, PANIC: 0}, {ON_OOM: 0, PANIC: 5}, {}, {"reboot_after": 0}),
        ({ON_OOM: 0, PANIC: 0}, {ON_OOM: 1, PANIC: 5}, {}, {"on_oom": "kill", "reboot_after": 0}),
    ],
)
def test_a_kept_value_does_not_begin_to_hang_the_host(live, boot, facts, expected):
    fixes = [read_task(one.fix)[1] for one in find(live=live, boot=boot, **facts) if one.id == "boot_differs"]
    assert expected in fixes


@pytest.mark.parametrize("seconds, after", [(0, 10), (30, 30)])
def test_a_calmer_panic_reboots(seconds, after):
    live = {ON_OOM: 2, PANIC: seconds}
    [fix] = [one.fix for one in find(live=live, cgroups=[limited("/a", MIB)]) if one.id == "panic_on_cgroup"]
    assert read_task(fix)[1] == {"on_oom": "panic", "reboot_after": after}


def test_nothing_killable():
    immune = task("immune", 20 * MIB, score=-1000)
    found = find(task("large", MIB), immune, task("init", MIB, pid=1))
    assert [one.id for one in found] == ["nothing_killable"]
    assert "only 4 %" in found[0].message
    assert read_task(found[0].fix) == (PINS, {"pid": immune.pid, "score": -999})
    assert ids(task("large", 3 * MIB), task("immune", 20 * MIB, score=-1000)) == []


def test_as_many_become_killable_as_are_needed():
    """The largest first; a unit that we pinned by its drop-in, any other process by its pid."""
    web = task("web", 20 * MIB, score=-1000, cgroup=DAEMON)
    other, least = task("other", 10 * MIB, score=-1000), task("least", MIB, score=-1000)
    rest = [task("x", 5 * MIB), least, task("init", 300 * MIB, pid=1)]
    pinned = [pinned_unit(web, score=-1000, after_restart=-1000, own_preference="omit")]
    found = find(other, web, *rest, pinned=pinned)
    module, arguments = read_task(found[0].fix)
    assert (found[0].id, module) == ("nothing_killable", PINS)
    assert arguments["targets"] == [
        {"unit": "web.service", "score": -999, "managed_oom_preference": "omit"},
        {"pid": other.pid, "score": -999},
    ]
    assert "nothing_killable" in ids(other, web._replace(score=-999), *rest)
    assert "nothing_killable" not in ids(other._replace(score=-999), web._replace(score=-999), *rest)


def test_too_little_can_become_killable():
    found = find(task("x", MIB), task("immune", MIB, score=-1000), task("init", 500 * MIB, pid=1))
    assert [(one.id, one.fix) for one in found] == [("nothing_killable", None)]


def test_only_init_is_immune_and_large():
    found = find(task("small", MIB), task("init", 20 * MIB, pid=1))
    assert (found[0].id, found[0].fix) == ("nothing_killable", None)


def test_inherited_immunity():
    daemon = task("web", MIB, score=-1000, cgroup=DAEMON)
    heirs = [task("worker", MIB, score=-1000, parent=daemon.pid, cgroup=DAEMON) for _number in range(5)]
    found = find(daemon, *heirs, task("spared", GIB, parent=daemon.pid))
    assert [(one.id, one.object) for one in found] == [("inherited_immunity", describe_task(daemon))]
    assert "5 processes" in found[0].message and "and 2 more" in found[0].message
    assert read_task(found[0].fix) == (PINS, {"pid": daemon.pid, "score": -999, "children": "reset"})
    ours = find(daemon, *heirs, task("x", GIB), pinned=[pinned_unit(daemon, score=-1000, own_policy="continue")])
    fix = next(one.fix for one in ours if one.id == "inherited_immunity")
    assert read_task(fix)[1] == {
        "unit": "web.service",
        "score": -999,
        "oom_policy": "continue",
        "children": "reset",
    }


def test_children_of_init_inherit_nothing():
    """systemd gives each unit its own score."""
    init = task("systemd", MIB, pid=1, score=-1000)
    assert ids(init, task("udevd", MIB, score=-1000), task("large", GIB)) == []


def test_the_next_victim_is_protected():
    tasks = [task("pinned", 3 * GIB, score=-100, cgroup=DAEMON), task("small", MIB)]
    found = find(*tasks)
    assert [one.id for one in found] == ["next_victim_is_protected"]
    module, arguments = read_task(found[0].fix)
    assert (module, arguments["pid"], "unit" in arguments) == (PINS, tasks[0].pid, False)
    assert ", and is still the next victim of the host: it holds more" in found[0].message
    [close] = find(tasks[0]._replace(score=-1), task("close", 3 * GIB - 9 * MIB))
    assert ", and is still the next victim of the host (not certain): it holds more" in close.message
    assert predict(*tasks, score=arguments["score"]) == "small"
    assert predict(*tasks, score=arguments["score"] + 60) == "pinned"
    ours = find(*tasks, pinned=[pinned_unit(tasks[0], score=-100, after_restart=-100, own_preference="avoid")])
    assert read_task(ours[0].fix)[1] == {
        "unit": "web.service",
        "score": arguments["score"],
        "managed_oom_preference": "avoid",
    }


def predict(large, small, score):
    """Return what dies next if the large one has this score."""
    snapshot = host_with(large._replace(score=score), small)
    return Forecast(snapshot, snapshot.rule).predict_next(measure_host(snapshot)).victim.task.name


@pytest.mark.parametrize(
    "tasks",
    [
        [task("pinned", 3 * GIB, score=-999)],
        [task("pinned", 3 * GIB, score=-100), task("other", 2 * GIB, score=-50)],
        [task("pinned", 9 * GIB, score=-999), task("small", MIB)],
    ],
    ids=["the only one", "another pinned one would be next", "it is at -999"],
)
def test_no_score_spares_the_next_victim(tasks):
    found = [one for one in find(*tasks) if one.id == "next_victim_is_protected"]
    assert [one.fix for one in found] == [None]


def test_a_lost_pin_is_not_weakened_by_another_fix():
    """The process dies next only because it has lost its pin."""
    web = task("web", 3 * GIB, score=-100, cgroup=DAEMON)
    pinned = [pinned_unit(web, score=-1000, after_restart=-1000, own_policy="continue")]
    found = find(web, task("small", MIB), pinned=pinned)
    assert [one.id for one in found] == ["next_victim_is_protected", "pin_lost"]
    expected = {"unit": "web.service", "score": -1000, "oom_policy": "continue"}
    assert [read_task(one.fix)[1] for one in found] == [expected, expected]


def test_fixes_of_one_unit_do_not_undo_each_other():
    """A task removes from a drop-in what it does not name, so each names all of it."""
    web = task("web", MIB, score=0, cgroup=DAEMON)
    pinned = [pinned_unit(web, score=-900, after_restart=-900, oom_policy="stop", own_preference="avoid")]
    name = "web.service"
    service = PinnedService(name, name, 0, DAEMON, "web", preference="avoid")
    ignored = UnboundPin(service, "systemd-oomd", "x", "y", "omit")
    found = find(web, task("worker", MIB, cgroup=DAEMON), task("x", GIB), pinned=pinned, unbound=[ignored])
    assert sorted(one.id for one in found) == ["pin_ignored_by_killer", "pin_lost", "pin_undone_by_oom_policy"]
    expected = {"unit": name, "score": -900, "oom_policy": "continue", "managed_oom_preference": "omit"}
    assert [read_task(one.fix)[1] for one in found] == [expected] * 3


@pytest.mark.parametrize("policy, fixed", [("stop", "continue"), ("kill", "continue")])
def test_a_policy_that_the_task_of_the_unit_sets_is_left(policy, fixed):
    main = task("web", MIB, score=-500, cgroup=DAEMON)
    tasks = [main, task("worker", MIB, cgroup=DAEMON), task("x", GIB)]
    [found] = find(*tasks, pinned=[pinned_unit(main, oom_policy=policy)])
    assert read_task(found.fix)[1]["oom_policy"] == fixed
    [found] = find(*tasks, pinned=[pinned_unit(main, oom_policy=policy, own_policy=policy)])
    assert found.fix is None and "which its task asks for" in found.message


def test_a_group_kill_spares_what_is_immune():
    main = task("web", MIB, score=-1000, cgroup=DAEMON)
    tasks = [main, task("worker", MIB, cgroup=DAEMON), task("x", GIB)]
    facts = dict(score=-1000, after_restart=-1000)
    assert ids(*tasks, pinned=[pinned_unit(main, oom_policy="kill", **facts)]) == []
    assert ids(*tasks, pinned=[pinned_unit(main, oom_policy="stop", **facts)]) == ["pin_undone_by_oom_policy"]


def pinned_unit(main, **facts):
    values = dict(
        unit="web.service",
        score=-500,
        after_restart=-500,
        oom_policy="continue",
        main_pid=main.pid,
        control_group=DAEMON,
    )
    return PinnedUnit(**dict(values, **facts))


@pytest.mark.parametrize(
    "score, facts, expected",
    [
        (-500, {}, []),
        (0, {}, ["pin_lost"]),
        (-500, dict(after_restart=100), ["pin_not_lasting"]),
        (0, dict(after_restart=None), ["pin_not_lasting"]),
        (0, dict(main_pid=0), []),
        (-500, dict(oom_policy="stop"), ["pin_undone_by_oom_policy"]),
        (-500, dict(oom_policy="kill"), ["pin_undone_by_oom_policy"]),
        (300, dict(score=300, after_restart=300, oom_policy="stop"), []),
        (-500, dict(oom_policy=None), []),
    ],
)
def test_pins_of_units(score, facts, expected):
    main = task("web", MIB, score=score, cgroup=DAEMON)
    worker = task("worker", MIB, cgroup=DAEMON)
    assert ids(main, worker, task("large", GIB), pinned=[pinned_unit(main, **facts)]) == expected


@pytest.mark.parametrize(
    "scores, found",
    [([], False), ([0], True), ([-500], False), ([0, 0], True), ([0, -500], False)],
    ids=["none runs", "the next one", "the next one has it", "two", "one has it"],
)
def test_pins_by_a_name_that_the_next_process_lacks(scores, found):
    tasks = [task("haproxy", MIB, score=score) for score in scores]
    pids = tuple(one.pid for one in tasks)
    lost = [LostPin("process=haproxy", -500, (*pids, 999999))]  # one has ended before the snapshot
    posture = posture_of(*tasks, task("haproxy", GIB), lost=lost)
    findings = [one for one in find_all(posture) if one.id == "pin_lost"]
    assert [one.object for one in findings] == ["process=haproxy"] * found
    for one in findings:
        assert one.message.startswith("process=haproxy was pinned at -500, and that process has ended")
        assert write_task(one.fix) == '- oomguard.linux.oom_score_adj:\n    process: "haproxy"\n    score: -500\n'


def test_a_unit_of_one_process_is_not_undone():
    main = task("web", MIB, score=-500, cgroup=DAEMON)
    assert ids(main, task("large", GIB), pinned=[pinned_unit(main, oom_policy="stop")]) == []


def test_a_cgroup_that_hangs():
    found = find(cgroups=[limited("/a\nb", MIB, kill_disabled=True)])
    assert [(one.id, one.object) for one in found] == [("cgroup_hangs", "/a\\x0ab")]


@pytest.mark.parametrize("outer, expected", [(0, ["memory_protection_capped"]), (MIB, []), (None, [])])
def test_protection_that_is_capped(outer, expected):
    """None: version 1, or a kernel without memory.min."""
    cgroups = [limited("/a", None, min_kb=outer), limited("/a/b", None, min_kb=MIB)]
    assert ids(cgroups=cgroups) == expected


def test_what_is_not_known():
    assert ids(release="2.4.0") == ["rule_unknown"]
    assert ids(is_hidden=True) == ["processes_hidden"]
    assert ids(is_hidden=True, is_container=True) == ["processes_hidden"]


@pytest.mark.parametrize(
    "kills, expected",
    [((), []), ((3, 3), []), ((3, 4), []), ((3, 2), ["kills_unlogged"]), ((3, 0, 900), ["kills_unlogged"])],
)
def test_kills_that_the_log_does_not_name(kills, expected):
    """A kill after the count was read is in the log already."""
    assert ids(kills=kills) == expected


def test_the_message_on_kills_has_the_counts():
    assert "counted 5 kills since boot, and its log names 2 of them: look" in find(kills=(5, 2))[0].message
    assert "names 2 of them (900 older records were overwritten): look" in find(kills=(5, 2, 900))[0].message


def test_the_most_severe_come_first_and_there_is_an_end():
    cgroups = [limited("/a", None, min_kb=0), *(limited(f"/a/{number}", None, min_kb=4) for number in range(99))]
    found = find(live={"vm.panic_on_oom": 1}, cgroups=cgroups)
    assert len(found) == findings.MAX_FINDINGS
    assert [one.severity for one in found[:2]] == ["high", "low"]


def test_each_id_has_its_section():
    """Every id in the source has a heading in docs/findings.md, and every heading is an id."""
    with open(findings.__file__, encoding="utf-8") as stream:
        used = set(re.findall(r'yield Finding\(\s*"([a-z_]+)"', stream.read()))
    with open(DOCS, encoding="utf-8") as stream:
        described = set(re.findall(r"^## ([a-z_]+)$", stream.read(), re.MULTILINE))
    assert len(used) >= 15
    assert used | {findings.BOOT_DIFFERS} == described
