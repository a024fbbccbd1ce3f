# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work out the outcome of a host from the results of its modules."""

import pytest

from ansible_collections.oomguard.linux.plugins.filter.applied_outcome import FilterModule as Applied
from ansible_collections.oomguard.linux.plugins.filter.failed_outcome import FilterModule as Failed
from ansible_collections.oomguard.linux.plugins.filter.findings_outcome import FilterModule as Findings
from ansible_collections.oomguard.linux.plugins.filter.kills_outcome import FilterModule as Kills
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import OUTCOMES, first_line, state_outcome
from ansible_collections.oomguard.linux.plugins.plugin_utils.play_outcomes import (
    has_failed,
    list_severe,
    split_policy,
    state_applied,
    state_failure,
    state_findings,
    state_kills,
)

CHECKED = {"changed": False, "msg": "All assertions passed"}
OK = {"changed": False}
SKIPPED = {"changed": False, "skipped": True}
PINS = {"changed": True, "targets": [{"changed": True}, {"changed": False}, {"changed": True}, {"changed": True}]}
PIN = {"changed": True, "targets": [{"changed": True}]}
KILLER = {"changed": True, "target": "drop_in=/etc/systemd/system/earlyoom.service.d/zz-oomguard.conf"}
POLICY = {"changed": True}
LOST = {
    "changed": False,
    "not_lasting": [{"target": "unit=r", "unit": "r.service", "reason": "99-x.conf wins"}],
}
UNBOUND = {
    "changed": False,
    "not_binding": [
        {"target": "unit=r", "unit": "r.service", "killer": "systemd-oomd", "reason": "systemd-oomd never reads scores"}
    ],
}
NO_UNIT = {"changed": False, "not_lasting": [{"target": "process=x", "unit": None, "reason": "has no unit"}]}
SYSCTL = {"changed": False, "not_lasting": [{"target": "vm.panic_on_oom", "unit": None, "reason": "99-x.conf wins"}]}
FAILED = {"failed": True, "changed": False, "msg": "uid 1000: add become: true\nMore text."}
WOULD = {"failed": True, "changed": False, "msg": "would fail: uid 1000: add become: true"}
UNREACHABLE = {"unreachable": True, "changed": False, "msg": "Failed to connect to the host via ssh: no route"}

ASK_PROTECT = "set oom_protect_profiles or oom_protect_targets"
NO_TAGS = "no task has these tags"
ASK_PANIC = (
    "set oom_panic_on_oom, oom_panic_reboot_after, oom_panic_kill_allocating_task, oom_panic_dump_tasks or"
    " oom_panic_panic_on_oops"
)
ASK_SITE = (
    "set oom_protect_profiles, oom_protect_targets, oom_panic_on_oom, oom_panic_reboot_after, oom_overcommit_mode or"
    " oom_overcommit_ratio"
)

APPLIED = {
    "nothing changed": ({"protect": OK}, False, "ok", ""),
    "one pin": ({"protect": PIN}, False, "changed", "1 pin"),
    "a unit by two names": (
        {
            "protect": {
                "changed": True,
                "targets": [{"changed": True, "unit": "redis-server.service"}] * 2 + [{"changed": True}],
            }
        },
        False,
        "changed",
        "2 pins",
    ),
    "a pin, and a killer that spares its program": (
        {"protect": {"changed": True, "targets": [{"changed": True, "unit": "redis.service"}, KILLER]}},
        False,
        "changed",
        "1 pin, arguments of another killer",
    ),
    "only a killer": (
        {"protect": {"changed": True, "targets": [KILLER]}},
        True,
        "would_change",
        "arguments of another killer",
    ),
    "pins and policies": (
        {"protect": PINS, "panic": POLICY, "overcommit": POLICY},
        False,
        "changed",
        "3 pins, panic policy, overcommit policy",
    ),
    "would change": ({"protect": PINS, "panic": SKIPPED}, True, "would_change", "3 pins"),
    "would change the next victim": (
        {"protect": {**PINS, "next_victim": {"text": "next victim now a[1], with these pins b[2]"}}, "panic": POLICY},
        True,
        "would_change",
        "3 pins, panic policy; next victim now a[1], with these pins b[2]",
    ),
    "a failure behind changes": (
        {"protect": PINS, "panic": POLICY, "overcommit": {"failed": True, "msg": "no"}},
        False,
        "failed",
        "overcommit: no; changed 3 pins, panic policy",
    ),
    "a reason with options": (
        {"panic": {"failed": True, "msg": "vm.panic_on_oom=1: set reboot_after, such as 10 (force=true overrides)"}},
        False,
        "failed",
        "panic: vm.panic_on_oom=1: set oom_panic_reboot_after, such as 10 (oom_panic_force=true overrides)",
    ),
    "a failed check behind changes": (
        {"protect": PINS, "panic": SKIPPED, "overcommit": {"failed": True, "msg": "would fail: no"}},
        True,
        "would_fail",
        "overcommit: no; would change 3 pins",
    ),
    "no next victim": ({"protect": {**PINS, "next_victim": None}}, True, "would_change", "3 pins"),
    "no text of a next victim": ({"protect": {**PINS, "next_victim": {"text": None}}}, True, "would_change", "3 pins"),
    "a next victim that is no fact": ({"protect": {**PINS, "next_victim": ["x"]}}, True, "would_change", "3 pins"),
    "nothing asked of one": ({"protect": SKIPPED}, False, "nothing_asked", ASK_PROTECT),
    "nothing asked of panic": ({"panic": SKIPPED}, True, "nothing_asked", ASK_PANIC),
    "nothing asked of site": (
        {"protect": SKIPPED, "panic": SKIPPED, "overcommit": SKIPPED},
        False,
        "nothing_asked",
        ASK_SITE,
    ),
    "no daemon is here": (
        {"protect": {"changed": False, "targets": [{"found": False, "drop_in": None}] * 3}},
        False,
        "ok",
        "none of the daemons to pin is on this host",
    ),
    "one daemon of three is here": (
        {"protect": {"changed": False, "targets": [{"found": False, "drop_in": None}, {"found": True}]}},
        False,
        "ok",
        "",
    ),
    "one daemon does not run now": (
        {"protect": {"changed": False, "targets": [{"found": False, "drop_in": {"path": "x"}}]}},
        True,
        "ok",
        "",
    ),
    "one of three asked": ({"protect": SKIPPED, "panic": OK, "overcommit": SKIPPED}, False, "ok", ""),
    "left out by tags": ({"protect": PIN, "panic": {}, "overcommit": {}}, False, "changed", "1 pin"),
    "all left out by tags": ({"protect": {}, "panic": {}, "overcommit": {}}, False, "nothing_asked", NO_TAGS),
    "asked one left out": ({"protect": SKIPPED, "panic": {}}, False, "nothing_asked", ASK_PROTECT),
    "lost": ({"protect": LOST}, False, "not_lasting", "r (99-x.conf wins)"),
    "lost in check mode": ({"protect": LOST}, True, "not_lasting", "r (99-x.conf wins)"),
    "lost and changed": (
        {"protect": {**PINS, **LOST, "changed": True}, "panic": POLICY},
        False,
        "not_lasting",
        "r (99-x.conf wins); changed 3 pins, panic policy",
    ),
    "lost and would change": (
        {"protect": LOST, "panic": POLICY},
        True,
        "not_lasting",
        "r (99-x.conf wins); would change panic policy",
    ),
    "unbound": ({"protect": UNBOUND}, False, "not_binding", "r (systemd-oomd never reads scores)"),
    "unbound and changed": (
        {"protect": dict(UNBOUND, changed=True)},
        False,
        "not_binding",
        "r (systemd-oomd never reads scores); changed pins",
    ),
    "unbound, and a run would change something": (
        {"protect": dict(UNBOUND, changed=True)},
        True,
        "would_change",
        "pins; not binding: r (systemd-oomd never reads scores)",
    ),
    "unbound in check mode": ({"protect": UNBOUND}, True, "not_binding", "r (systemd-oomd never reads scores)"),
    "lost and unbound": (
        {"protect": {**UNBOUND, **LOST}},
        False,
        "not_lasting",
        "r (99-x.conf wins); not binding: r (systemd-oomd never reads scores)",
    ),
    "lost, unbound, changed, and another next victim": (
        {"protect": {**PINS, **UNBOUND, **LOST, "changed": True, "next_victim": {"text": "next victim x"}}},
        True,
        "not_lasting",
        "r (99-x.conf wins); not binding: r (systemd-oomd never reads scores); would change 3 pins; next victim x",
    ),
    "unbound, and a prediction": (
        {"protect": {**UNBOUND, "next_victim": {"text": "next victim x"}}},
        True,
        "not_binding",
        "r (systemd-oomd never reads scores); next victim x",
    ),
    "lost, and another next victim": (
        {"protect": {**PINS, **LOST, "changed": True, "next_victim": {"text": "next victim now \x1b[1m" + "x" * 999}}},
        True,
        "not_lasting",
        "r (99-x.conf wins); would change 3 pins; next victim now \\x1b[1m" + "x" * (300 - 24) + "…",
    ),
    "lost sysctl": ({"protect": OK, "panic": SYSCTL}, False, "not_lasting", "vm.panic_on_oom (99-x.conf wins)"),
    "many lost": (
        {"protect": {"not_lasting": [{"unit": f"u{number}", "reason": "r"} for number in range(5)]}},
        False,
        "not_lasting",
        "u0 (r), u1 (r), u2 (r) and 2 more",
    ),
    "a process has no unit": ({"protect": NO_UNIT}, False, "ok", ""),
    "failed": ({"protect": FAILED, "panic": {}}, False, "failed", "protect: uid 1000: add become: true"),
    "the second failed": (
        {"protect": PIN, "panic": FAILED},
        False,
        "failed",
        "panic: uid 1000: add become: true; changed 1 pin",
    ),
    "failed in check mode": ({"protect": FAILED}, True, "failed", "protect: uid 1000: add become: true"),
    "would fail": ({"protect": WOULD}, True, "would_fail", "protect: uid 1000: add become: true"),
    "would fail, but ran": (
        {"protect": WOULD},
        False,
        "failed",
        "protect: would fail: uid 1000: add become: true",
    ),
    "unreachable": (
        {"protect": UNREACHABLE, "panic": SKIPPED},
        False,
        "failed",
        "unreachable: Failed to connect to the host via ssh: no route"
        "; start the host, or correct its address or its login",
    ),
}


@pytest.mark.parametrize("results, check_mode, outcome, detail", APPLIED.values(), ids=list(APPLIED))
def test_applied(results, check_mode, outcome, detail):
    results = {"arguments": CHECKED, **results}
    assert state_applied(results, check_mode) == (outcome, detail) and outcome in OUTCOMES
    found = Applied().filters()["applied_outcome"](results, check_mode)
    assert found == {"outcome": outcome, "detail": detail}


def test_wrong_arguments():
    wrong = {"failed": True, "msg": "oom_protect_profile: did you mean oom_protect_profiles?"}
    assert state_applied({"arguments": wrong, "protect": {}}, True) == (
        "failed",
        "arguments: oom_protect_profile: did you mean oom_protect_profiles?",
    )


def test_arguments_that_were_not_checked():
    assert state_applied({"arguments": {}, "protect": {}}, False) == (
        "failed",
        "arguments: the variables were not checked",
    )


def test_kills_of_own_trials_alone():
    assert state_kills({"summary": [], "counts": {"own_trials": 2}}) == ("no_kills", "2 kills of own trials left out")


HOSTILE = ["text", 7, None, [], ["x"], {"targets": "x", "changed": "x"}, {"not_lasting": [7, None, {}], "changed": []}]


@pytest.mark.parametrize("answer", HOSTILE, ids=str)
def test_strange_results_have_a_known_outcome(answer):
    assert state_applied({"arguments": CHECKED, "protect": answer}, False)[0] in OUTCOMES
    assert state_failure("protect", answer, True)[0] == "failed"
    assert state_kills(answer) == ("no_kills", "")
    assert state_findings(answer) == ("no_findings", "")
    assert list_severe(answer, "low") == []


@pytest.mark.parametrize(
    "text, line",
    [
        ("uid 1000: add become: true", "uid 1000: add become: true"),
        ("systemd is no manager here (no /run/systemd/system). Add it.",) * 2,
        ("100... (more than 20 digits) is out of range",) * 2,
        ("e.g. x",) * 2,
        ("did you mean x? Or y?",) * 2,
        ("MODULE FAILURE\nSee stdout", "MODULE FAILURE"),
        ("  a\r\nb", "a"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("x" * 5_000_000, "x" * 299 + "…"),
        ("", ""),
        (None, "None"),
    ],
)
def test_first_line(text, line):
    assert first_line(text) == line


def test_failed_filter():
    state = Failed().filters()["failed_outcome"]
    assert state(FAILED) == {"outcome": "failed", "detail": "uid 1000: add become: true"}
    assert state(WOULD, True, "trial") == {
        "outcome": "would_fail",
        "detail": "trial: uid 1000: add become: true",
    }
    assert state({}) == {"outcome": "failed", "detail": "no reason was given"}


@pytest.mark.parametrize(
    "message, found",
    [
        ("Task failed: x", ("failed", "x")),
        ("Task failed: Module failed: would fail: Action failed: x", ("would_fail", "Action failed: x")),
        ("Task failed: Action failed: x", ("failed", "x")),
        ("x. Task failed: y", ("failed", "x. Task failed: y")),
        (
            "Task failed: Missing sudo password",
            ("failed", "Missing sudo password; run with --ask-become-pass, or set ansible_become_password"),
        ),
        ("Missing sudo password of x", ("failed", "Missing sudo password of x")),
    ],
)
def test_prefixes_of_ansible_are_no_reason(message, found):
    assert state_failure("", {"msg": message}, True) == found


NO_JSON = "Module result deserialization failed: No start of json char found"
PYENV = "pyenv: python3.13: command not found"
CLOSED = "Shared connection to 192.0.2.1 closed."


@pytest.mark.parametrize(
    "stderr, stdout, words",
    [
        (f"{PYENV}\n\n", "", PYENV),
        (f"\nThe `python3.13' command exists in these versions:\r\n  {PYENV}\r\n{CLOSED}\r\n", "x", PYENV),
        (f"{CLOSED}\r\n", f"\r\n{PYENV}\r\n", PYENV),
        ("", "no JSON", "no JSON"),
        ("a\x1b[31m{{ b }}\u202e", "", "a\\x1b[31m{{ b }}\\u202e"),
        ("y" + "x" * 5_000_000, "", "x" * 99 + "…"),
        ("", '{"policy": 1', ""),
        ("", "", ""),
        (None, ["x"], ""),
        (7, {"x": "y"}, ""),
        ("\n" * 5_000_000, None, ""),
    ],
)
def test_what_a_host_printed_in_place_of_an_answer(stderr, stdout, words):
    """Without it nobody sees that the host has no Python that runs."""
    result = {"failed": True, "msg": NO_JSON, "module_stderr": stderr, "module_stdout": stdout, "rc": 127}
    reason = f"{NO_JSON}; the host printed: {words}" if words else NO_JSON
    assert state_failure("", result, False) == ("failed", reason)
    assert state_applied({"arguments": CHECKED, "protect": result}, False) == ("failed", f"protect: {reason}")


def test_what_a_host_printed_is_said_once_and_fits():
    printed = {"module_stderr": f"Traceback\n{PYENV}"}
    assert state_failure("", {"msg": f"x {PYENV}", **printed}, False)[1] == f"x {PYENV}"
    detail = state_failure("protect", {"msg": "x" * 5000, **printed}, False)[1]
    assert state_outcome("failed", detail)["line"].endswith(f"x…; the host printed: {PYENV}")


def kill(number, **place):
    return {"name": "eat", "unit": None, "container": None, "cgroup": None, "kills": number, **place}


@pytest.mark.parametrize(
    "summary, unlogged, outcome, detail",
    [
        ([], 0, "no_kills", ""),
        ([], 930, "no_kills", "930 kills not in the log"),
        ([kill(1, unit="a")], 0, "kills", "1 in 1 unit"),
        ([kill(3, unit="a"), kill(2, unit="b")], 0, "kills", "5 in 2 units"),
        ([kill(3, unit="a", cgroup="/a"), kill(2, container="b")], 0, "kills", "5 in 1 unit and 1 container"),
        ([kill(3, unit="a"), kill(2, unit="a", name="drink")], 0, "kills", "5 in 1 unit"),
        ([kill(3, unit="a"), kill(2, unit="a", container="b")], 0, "kills", "5 in 1 unit and 1 container"),
        ([kill(1, unit=["a"]), kill(1, unit={})], 0, "kills", "2 in 1 unit and 1 other program"),
        ([kill(1, cgroup="/x"), kill(1)], 1, "kills", "2 in 1 other cgroup and 1 other program; 1 kill not in the log"),
        ([kill(2, cgroup="/x")], 0, "kills", "2 in 1 cgroup"),
        (
            [kill(1, unit="a"), kill(1, container="b"), kill(1, cgroup="/x")],
            0,
            "kills",
            "3 in 1 unit, 1 container and 1 other cgroup",
        ),
        ([kill("x", unit="a"), kill(-7, unit="a"), kill(10**30, unit="a"), "x"], "x", "no_kills", ""),
    ],
)
def test_kills(summary, unlogged, outcome, detail):
    result = {"changed": False, "summary": summary, "counts": {"unlogged": unlogged}}
    assert state_kills(result) == (outcome, detail) and outcome in OUTCOMES
    assert Kills().filters()["kills_outcome"](result) == {"outcome": outcome, "detail": detail}


def test_forged_events_are_said():
    counts = {"unlogged": 0, "untrusted": 2}
    assert state_kills({"summary": [], "counts": counts}) == ("no_kills", "2 events not written by the kernel")
    assert state_kills({"summary": [kill(1, unit="a")], "counts": counts})[1] == (
        "1 in 1 unit; 2 events not written by the kernel"
    )


def test_remedy_of_a_long_reason_is_kept():
    result = {"unreachable": True, "msg": "Timeout (12s) waiting for privilege escalation prompt:\nmore"}
    assert "escalation prompt; start the host" in state_failure("protect", result, False)[1]
    _outcome, detail = state_failure("protect", {"unreachable": True, "msg": "x" * 5000}, False)
    assert detail.endswith("x…; start the host, or correct its address or its login")
    assert state_outcome("failed", detail)["detail"] == detail


NEXT = "next victim of the host: java[2210], certain"


@pytest.mark.parametrize(
    "severities, fail_on, said, shown",
    [
        ([], "low", "; no findings", ""),
        (["low"], "", "; 1 finding", "; 1 finding, 1 low"),
        (["low"], "medium", "; 1 finding", "; 1 finding, 1 low"),
        (["low"], "low", "; 1 finding", "; 1 finding, 1 low; failed by oom_info_fail_on: low"),
        (
            ["low", "high", "low", "medium"],
            "medium",
            "; 4 findings, 1 high",
            "; 4 findings, 1 high, 1 medium, 2 low; failed by oom_info_fail_on: high, medium",
        ),
        (["high"], "low", "", "; 1 finding, 1 high; failed by oom_info_fail_on: high"),
        (["severe", None, 7, ["high"], {}], "low", "; 7 findings, 7 high", "; 5 findings"),
    ],
)
def test_findings(severities, fail_on, said, shown):
    """The line of a host counts each severity, and names those that made it fail."""
    result = {"changed": False, "msg": NEXT + said, "findings": [{"severity": severity} for severity in severities]}
    found = Findings().filters()["findings_outcome"](result, fail_on)
    outcome = "findings" if severities else "no_findings"
    assert found == {"outcome": outcome, "detail": NEXT + shown, "is_severe": "failed by" in shown}
    assert outcome in OUTCOMES


def test_what_made_a_host_fail_is_in_its_line():
    """A host may choose names as long as it likes: they are cut, and the severities are not."""
    result = {"msg": "next victim of the host: " + "x" * 5000, "findings": [{"severity": "low"}] * 3}
    outcome, detail = state_findings(result, "low")
    assert state_outcome(outcome, detail)["line"].endswith("x…; 3 findings, 3 low; failed by oom_info_fail_on: low")


def test_entries_without_end_cost_no_time():
    """Each of them is escaped and cut, and a host may return a million."""
    entries = [{"unit": f"u{number}.service", "reason": "x"} for number in range(200000)]
    outcome, detail = state_applied({"arguments": {"changed": False}, "protect": {"not_binding": entries}}, False)
    assert (outcome, detail) == ("not_binding", "u0 (x), u1 (x), u2 (x) and 9997 more")


# --- one call for all parts ---------------------------------------------------------

ASKED = {"asked": {"protect": True, "panic": False}}
NO_RESULT = "the host did not return what the module oom_site returns; check its Python, and what its login prints"
POLICIES = {
    "nothing changed": (ASKED, {"changed": False, "protect": OK}, ("ok", "")),
    "a part changed": (ASKED, {"changed": True, "protect": PIN}, ("changed", "1 pin")),
    "what nobody asked for does not count": (ASKED, {"protect": OK, "panic": POLICY, "overcommit": POLICY}, ("ok", "")),
    "a part failed": (
        ASKED,
        {"failed": True, "msg": "protect: uid 1000", "protect": FAILED},
        ("failed", "protect: uid 1000: add become: true"),
    ),
    "a part before the failed one changed": (
        {"asked": {"protect": True, "panic": True, "overcommit": True}},
        {"failed": True, "msg": "x", "protect": PIN, "panic": FAILED},
        ("failed", "panic: uid 1000: add become: true; changed 1 pin"),
    ),
    "the module broke off": (ASKED, {"failed": True, "msg": "no Python"}, ("failed", "no Python")),
    "the host was lost": (
        ASKED,
        {"unreachable": True, "msg": "no route"},
        ("failed", "unreachable: no route; start the host, or correct its address or its login"),
    ),
    "no part in the answer": (ASKED, {"changed": False}, ("failed", f"protect: {NO_RESULT}")),
    "a part of another type": (ASKED, {"protect": [1]}, ("failed", f"protect: {NO_RESULT}")),
    "a part that the host calls left out": (ASKED, {"protect": {"skipped": True}}, ("failed", f"protect: {NO_RESULT}")),
    "the host was not asked": (ASKED, {}, ("failed", "protect: the policy was not applied")),
    "tags": ({"asked": {}}, {}, ("nothing_asked", NO_TAGS)),
    "nothing asked": ({"asked": {"protect": False}}, {}, ("nothing_asked", ASK_PROTECT)),
    "wrong variables": (
        {"failed": True, "msg": "oom_hos: did you mean oom_hosts?"},
        {},
        ("failed", "arguments: oom_hos: did you mean oom_hosts?"),
    ),
}


@pytest.mark.parametrize("checked, policy, outcome", POLICIES.values(), ids=list(POLICIES))
def test_policy_in_one_call(checked, policy, outcome):
    results = split_policy(checked, policy)
    assert state_applied(results, False) == outcome
    assert has_failed(results) == (outcome[0] == "failed")
