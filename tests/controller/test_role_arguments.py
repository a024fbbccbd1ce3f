# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert variables into arguments, and refuse wrong ones."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import (
    SELECTOR_OPTIONS,
    TARGET_OPTIONS,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.role_arguments import ASKING, parse_arguments
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import load_parts


def arguments_of(part, **given):
    arguments, errors = parse_arguments(part, {f"{part}_{option}": value for option, value in given.items()})
    assert errors == []
    return arguments


def error_of(part, **given):
    _arguments, errors = parse_arguments(part, {f"{part}_{option}": value for option, value in given.items()})
    [error] = errors
    return error


# --- types and defaults -------------------------------------------------------------


@pytest.mark.parametrize("part", load_parts())
@pytest.mark.parametrize("empty", ["", None])
def test_empty_text_and_null_mean_unset(part, empty):
    """AWX sends empty text for a question without an answer; ansible-core may make it null."""
    unset, errors = parse_arguments(part, {})
    assert errors == [] and unset.get("asked", False) is False
    assert parse_arguments(part, dict.fromkeys(load_parts()[part], empty)) == (unset, [])


def test_defaults_have_their_types():
    assert arguments_of("oom_panic") == {
        "state": "present",
        "persistent": True,
        "file": "/etc/sysctl.d/60-oomguard-policy.conf",
        "rollback_seconds": 30,
        "force": False,
        "asked": False,
    }


@pytest.mark.parametrize(
    "part, option, value, converted",
    [
        ("oom_panic", "reboot_after", "5", 5),
        ("oom_panic", "reboot_after", 5, 5),
        ("oom_panic", "reboot_after", 0, 0),
        ("oom_panic", "reboot_after", "-1", -1),
        ("oom_panic", "reboot_after", 5.0, 5),
        ("oom_panic", "reboot_after", " +5.0 ", 5),
        ("oom_panic", "dump_tasks", "false", False),
        ("oom_panic", "dump_tasks", "yes", True),
        ("oom_panic", "dump_tasks", 0, False),
        ("oom_panic", "on_oom", "panic", "panic"),
        ("oom_overcommit", "mode", 2, "2"),
        ("oom_overcommit", "mode", "never", "never"),
        ("oom_protect", "profiles", "containers,database", ["containers", "database"]),
        ("oom_protect", "profiles", "containers, database , ", ["containers", "database"]),
        ("oom_protect", "profiles", ["", "containers", None, "containers"], ["containers"]),
        ("oom", "hosts", ["a", "b"], ["a", "b"]),
        ("oom", "fail_on_drift", "true", True),
        ("oom_events", "limit", "7", 7),
        ("oom_events", "paths", "/var/log/kern.log*", ["/var/log/kern.log*"]),
        ("oom_verify", "hog_path", "~/hog", "~/hog"),  # of the host, not of the controller
    ],
)
def test_value_gets_its_type(part, option, value, converted):
    found = arguments_of(part, **{option: value})[option]
    assert (found, type(found)) == (converted, type(converted))


def test_options_that_ask_are_options_of_the_roles():
    for part, options in ASKING.items():
        assert {f"{part}_{option}" for option in options} <= set(load_parts()[part])
        for option in options:
            value = {"profiles": "database", "targets": [{"unit": "x", "score": 1}], "mode": "always"}.get(option, "1")
            assert arguments_of(part, **{option: "kill" if option == "on_oom" else value})["asked"] is True


@pytest.mark.parametrize("part", ["oom_panic", "oom_overcommit"])
def test_absent_needs_nothing_else_and_drops_the_values(part):
    given = {"oom_panic": {"on_oom": "panic", "dump_tasks": False}, "oom_overcommit": {"mode": "never"}}[part]
    alone = arguments_of(part, state="absent")
    assert alone == arguments_of(part, state="absent", **given)
    assert alone["asked"] is True and "file" not in alone and not set(alone) & set(ASKING[part])
    assert arguments_of(part, state="absent", file="/etc/sysctl.d/90-x.conf")["file"] == "/etc/sysctl.d/90-x.conf"


# --- errors: what, value, remedy ------------------------------------------------------

X = {"unit": "x", "score": 1}
WRONG = {
    "one folder for two things": (
        "oom_report",
        {"dir": "oom-report/", "history": "./oom-report"},
        "oom_report_history=./oom-report is the folder of the report, too",
    ),
    "a folder of everybody": ("oom_report", {"dir": "/tmp"}, "oom_report_dir=/tmp: other users may write"),
    "a history below a file": (
        "oom_report",
        {"history": "/dev/null/x"},
        "oom_report_history=/dev/null/x: the folder /dev/null/x cannot be opened: Not a directory: choose another",
    ),
    # types
    "no number": (
        "oom_panic",
        {"reboot_after": "soon"},
        "oom_panic_reboot_after=soon is not a whole number: set a whole",
    ),
    "half a number": ("oom_panic", {"reboot_after": 1.5}, "oom_panic_reboot_after=1.5 is not a whole number"),
    "a switch": ("oom_panic", {"reboot_after": True}, "oom_panic_reboot_after=True is not a whole number"),
    "no switch": ("oom_panic", {"force": "perhaps"}, "oom_panic_force=perhaps is not true or false: set true or false"),
    **{
        f"{text} as a number": ("oom_panic", {"reboot_after": text}, f"oom_panic_reboot_after={text} is not a whole")
        for text in ("1e999999999", "1e2", "Infinity", "NaN", "5.1", "1" * 21, "1_0", "٣")
    },
    "a process named on": (
        "oom_protect",
        {"targets": [{"process": True, "score": 1}]},
        "oom_protect_targets[0].process=True is true or false: put the text in quotes",
    ),
    "a path": ("oom_panic", {"file": False}, "oom_panic_file=False is true or false: put the text in quotes"),
    "a text of a list": ("oom_events", {"paths": [True]}, "oom_events_paths=True is true or false: put the text in"),
    "an infinite number": ("oom_panic", {"reboot_after": float("inf")}, "oom_panic_reboot_after=inf is not a whole"),
    "a list": ("oom_panic", {"file": ["x"]}, "oom_panic_file=['x'] is not text"),
    "a mapping": (
        "oom_protect",
        {"targets": {"unit": "x"}},
        "oom_protect_targets={'unit': 'x'} is not a list: set a list",
    ),
    "no mapping": ("oom_protect", {"targets": ["x"]}, "oom_protect_targets[0]=x is not a mapping of options"),
    "score": ("oom_protect", {"targets": [{"unit": "x", "score": "low"}]}, "oom_protect_targets[0].score=low is not a"),
    "of a group": ("oom_protect", {"targets_web": 7}, "oom_protect_targets_web[0]=7 is not a mapping of options"),
    "long": ("oom_panic", {"reboot_after": "9" * 400 + "x"}, "oom_panic_reboot_after=" + "9" * 79 + "…"),
    "escaped": (
        "oom_panic",
        {"on_oom": "\x1b[31m"},
        "oom_panic_on_oom=\\x1b[31m is not possible: choose from kill, panic",
    ),
    # choices and names
    "choice": ("oom_panic", {"on_oom": "kil"}, "oom_panic_on_oom=kil is not possible: did you mean kill?"),
    "far choice": ("oom_panic", {"on_oom": "reboot"}, "is not possible: choose from kill, panic, panic_always"),
    "profile": (
        "oom_protect",
        {"profiles": "contaners"},
        "oom_protect_profiles=contaners is not possible: did you mean",
    ),
    "profile of a group": (
        "oom_protect",
        {"profiles": ["database"], "profiles_web": ["desktop"]},
        "oom_protect_profiles_web=desktop is not possible: choose from containers, kubernetes_node, database",
    ),
    "option": (
        "oom_protect",
        {"targets": [{"unit": "x", "scor": 1}]},
        "oom_protect_targets[0] has no option scor: did you",
    ),
    "far option": (
        "oom_protect",
        {"targets": [{"nice": 1}]},
        "oom_protect_targets[0] has no option nice: choose from unit",
    ),
    "state": (
        "oom_protect",
        {"targets": [{**X, "state": "absnt"}]},
        "oom_protect_targets[0].state=absnt is not possible",
    ),
    # targets
    "no selector": (
        "oom_protect",
        {"targets": [X, {"score": 1}]},
        "oom_protect_targets[1] selects nothing: set one of unit",
    ),
    "empty selector": (
        "oom_protect",
        {"targets": [{"unit": "", "score": 1}]},
        "oom_protect_targets[0] selects nothing",
    ),
    "two selectors": (
        "oom_protect",
        {"targets_web": [{**X, "pid": 7}]},
        "oom_protect_targets_web[0] has unit and pid: keep one of them",
    ),
    "no score": (
        "oom_protect",
        {"targets": [{"unit": "x"}]},
        "oom_protect_targets[0]: unit=x: score is missing: set it",
    ),
    "range": (
        "oom_protect",
        {"targets": [{"unit": "x", "score": -1001}]},
        "oom_protect_targets[0]: unit=x: score -1001 is",
    ),
    "drop-in": ("oom_protect", {"targets": [{"pid": 7, "score": 1, "persistent": True}]}, "only a unit can be pinned"),
    "drop-in off": (
        "oom_protect",
        {"persistent": False, "targets": [{**X, "oom_policy": "stop"}]},
        "oom_policy needs the drop-in of a unit",
    ),
    # ranges
    "percent": (
        "oom_protect",
        {"min_killable_percent": 101},
        "oom_protect_min_killable_percent=101 is out of range",
    ),
    "headroom": (
        "oom_overcommit",
        {"headroom_percent": -1},
        "oom_overcommit_headroom_percent=-1 is out of range",
    ),
    "reboot": ("oom_panic", {"reboot_after": 1 << 31}, "oom_panic_reboot_after=2147483648 is out of range"),
    "ratio": ("oom_overcommit", {"ratio": "0"}, "oom_overcommit_ratio=0 lets the kernel promise only swap"),
    "both": (
        "oom_overcommit",
        {"ratio": 5, "kbytes": "7"},
        "oom_overcommit_ratio=5 and oom_overcommit_kbytes=7 exclude",
    ),
    "reserve": (
        "oom_overcommit",
        {"admin_reserve_kbytes": -1},
        "oom_overcommit_admin_reserve_kbytes=-1 is out of range",
    ),
    "seconds": (
        "oom_overcommit",
        {"rollback_seconds": 0},
        "oom_overcommit_rollback_seconds=0 is out of range",
    ),
    "seconds of panic": ("oom_panic", {"rollback_seconds": 3601}, "oom_panic_rollback_seconds=3601 is out of range"),
    # files
    "folder": (
        "oom_panic",
        {"file": "/etc/x.conf"},
        "oom_panic_file=/etc/x.conf would not be read at boot; name a file in",
    ),
    "ending": ("oom_overcommit", {"file": "/etc/sysctl.d/x"}, "oom_overcommit_file=/etc/sysctl.d/x would not be read"),
    # playbooks
    "drift": ("oom", {"fail_on_drift": "maybe"}, "oom_fail_on_drift=maybe is not true or false"),
    "killer": (
        "oom_events",
        {"killer": "earlyom"},
        "oom_events_killer=earlyom is not possible: did you mean earlyoom?",
    ),
    "no time": ("oom_events", {"since": "yesterday"}, "oom_events_since=yesterday is not a time: give ISO 8601"),
    "no time at all": (
        "oom_events",
        {"since": "-1h", "until": "-2h"},
        "oom_events_since=-1h is not before oom_events_until=-2h, so no event can match: set since",
    ),
    "no kills": ("oom_events", {"limit": 0}, "oom_events_limit=0 is too small: set at least 1"),
    "no boot": ("oom_events", {"boot": "last"}, "oom_events_boot=last is not a boot: set current, previous, all"),
    "boot of a file": (
        "oom_events",
        {"boot": "previous", "paths": "/var/log/kern.log"},
        "oom_events_boot=previous needs the journal: oom_events_source=file cannot select a boot",
    ),
    "no paths": ("oom_events", {"source": "file"}, "oom_events_source=file needs paths: name at least one file"),
    "no service": (
        "oom_events",
        {"unit": "user.slice"},
        "oom_events_unit=user.slice is not the name of a service",
    ),
    "no container": ("oom_events", {"container": "/web"}, "oom_events_container=/web is neither an id nor a name"),
    "no domain": (
        "oom_info",
        {"domain": "foo"},
        "oom_info_domain=foo is no domain: set host, or a dictionary with exactly one of cgroup, unit, container",
    ),
    "two domains": (
        "oom_info",
        {"domain": {"cgroup": "/a", "unit": "b"}},
        "oom_info_domain={'cgroup': '/a', 'unit': 'b'} is no domain: set host, or a dictionary with exactly one of",
    ),
    "half a domain": (
        "oom_info",
        {"domain": '{"cgroup":'},
        'oom_info_domain={"cgroup": is no JSON: on a command line write everything as one JSON text, such as'
        """ '{"oom_info_domain": {"cgroup": "/a"}}'""",
    ),
    "half a mapping": (
        "oom_info",
        {"grower": '{"pid":'},
        'oom_info_grower={"pid": is not a mapping of options: with -e write everything as one JSON text, such as'
        """ -e '{"oom_info_grower": ...}'""",
    ),
    "half a list": (
        "oom_protect",
        {"targets": '[{"unit":'},
        'oom_protect_targets[0]=[{"unit": is not a mapping of options: with -e write everything as one JSON text, such'
        """ as -e '{"oom_protect_targets": ...}'""",
    ),
    "top": ("oom_info", {"top": 5000}, "oom_info_top=5000 is out of range, 0 to 1000; set a number in it"),
    "no grower": ("oom_info", {"grower": {}}, "oom_info_grower selects nothing: set one of unit, process, pattern"),
    "two growers": ("oom_info", {"grower": {"pid": 1, "unit": "x"}}, "oom_info_grower has unit and pid: keep one of"),
    "two targets of what_if": (
        "oom_info",
        {"what_if": [{**X}, {"pid": 1, "unit": "x", "score": 1}]},
        "oom_info_what_if[1] has unit and pid: keep one of them",
    ),
    "no score of what_if": (
        "oom_info",
        {"what_if": [{"pid": 1}]},
        "oom_info_what_if[0]: pid=1: score is missing: set it, or state: absent beside the selector",
    ),
    # verify
    "no size": ("oom_verify", {"memory_limit": "big"}, "oom_verify_memory_limit=big is not a size: write it in bytes"),
    "too small a limit": (
        "oom_verify",
        {"memory_limit": "7M"},
        "oom_verify_memory_limit=7M is too small for scores that differ by 900: set at least 8M",
    ),
    "no seconds": ("oom_verify", {"timeout": 0}, "oom_verify_timeout=0 is out of range: set it to 1 to 3595 seconds"),
    "score out of range": ("oom_verify", {"hog_score": "1001"}, "oom_verify_hog_score=1001 is out of range: set it"),
    "no difference": (
        "oom_verify",
        {"pinned_score": -10},
        "oom_verify_pinned_score=-10 is too close to oom_verify_hog_score=0: set it at least 50 below",
    ),
    "no path": ("oom_verify", {"hog_path": "/x\0"}, "oom_verify_hog_path='/x\\x00' holds a character"),
}


RIGHT = [
    ("oom_events", {"boot": "previous"}),  # with the journal; the host has to refuse it where it has none
    ("oom_events", {"since": "-2d", "until": "-1d", "unit": "docker", "limit": "5"}),
    ("oom_info", {"domain": {"unit": "app"}, "grower": {"machine": "vm1"}, "top": "0"}),
    ("oom_info", {"domain": '{"container": "web"}', "what_if": [X, {"pid": "7", "state": "absent"}]}),
    (
        "oom_info",
        {"what_if": [{"user_unit": {"user": "a", "unit": "b"}, "score": 5, "managed_oom_preference": "avoid"}]},
    ),
    ("oom_verify", {"scope": "host", "memory_limit": "7M"}),  # only the scope cgroup has a limit
    ("oom_verify", {"scope": "panic", "pinned_score": 0}),  # the scopes panic and overcommit have no scores
    ("oom_verify", {"timeout": "", "hog_path": "", "cgroup_parent": ""}),
]


def test_info_takes_every_option_of_the_module():
    options = load_parts()["oom_info"]
    assert set(options["oom_info_grower"]["options"]) == set(SELECTOR_OPTIONS)
    assert set(options["oom_info_what_if"]["options"]) == set(TARGET_OPTIONS)


@pytest.mark.parametrize("part, given", RIGHT)
def test_right_arguments(part, given):
    assert parse_arguments(part, {f"{part}_{option}": value for option, value in given.items()})[1] == []


@pytest.mark.parametrize("part, given, error", WRONG.values(), ids=list(WRONG))
def test_wrong_arguments(part, given, error):
    assert error in error_of(part, **given)


def test_every_wrong_variable_is_named():
    given = {"oom_panic_on_oom": "kil", "oom_panic_reboot_after": "soon", "oom_panic_force": True}
    arguments, errors = parse_arguments("oom_panic", given)
    assert [error.split("=")[0] for error in errors] == ["oom_panic_on_oom", "oom_panic_reboot_after"]
    assert arguments["force"] is True


# --- lists of groups ----------------------------------------------------------------


def test_profiles_of_groups_add_up():
    found = arguments_of(
        "oom_protect",
        profiles=["containers"],
        profiles_web=["monitoring", "containers"],
        profiles_databases="database",
        profiles_empty="",
        profiles_none=None,
        profiles_nothing=[],
    )
    assert found["profiles"] == ["containers", "database", "monitoring"]


def test_targets_of_groups_add_up():
    found = arguments_of(
        "oom_protect",
        targets_web=[{"unit": "haproxy", "score": "-500"}],
        targets=[{"process": "x", "score": 1}],
        targets_empty="",
    )
    assert found["targets"] == [
        {"process": "x", "score": 1, "state": "present"},
        {"unit": "haproxy", "score": -500, "state": "present"},
    ]


def test_a_list_without_a_base_counts():
    assert arguments_of("oom_protect", profiles_web=["database"])["profiles"] == ["database"]


def test_duplicates_that_agree_are_one_target():
    found = arguments_of(
        "oom_protect",
        targets=[{"unit": "haproxy.service", "score": -500}],
        targets_a=[{"unit": "haproxy", "score": "-500", "oom_policy": "continue"}],
        targets_b=[{"unit": "haproxy", "missing": "ignore", "state": "present"}],
    )
    assert found["targets"] == [
        {
            "unit": "haproxy.service",
            "score": -500,
            "oom_policy": "continue",
            "missing": "ignore",
            "state": "present",
        }
    ]


def test_other_objects_are_kept():
    targets = [{"unit": "x", "score": 1}, {"process": "x", "score": 2}, {"container": "x", "score": 3}]
    found = arguments_of("oom_protect", targets=targets)["targets"]
    assert found == [{**target, "state": "present"} for target in targets]


CONTRADICTIONS = {
    "score": (
        {
            "targets_web": [{"unit": "haproxy", "score": -500}],
            "targets_db": [{"unit": "haproxy.service", "score": -900}],
        },
        "oom_protect_targets_db[0] has score=-900 for unit=haproxy, and oom_protect_targets_web[0] has score=-500:"
        " use one value in both",
    ),
    "in one list": (
        {"targets": [{"pid": 7, "score": 1}, {"pid": "7", "score": 2}]},
        "oom_protect_targets[0] has score=1 for pid=7, and oom_protect_targets[1] has score=2: use one value in both",
    ),
    "state": (
        {"targets": [{"unit": "x", "state": "absent"}], "targets_a": [{"unit": "x", "state": "present", "score": 1}]},
        "oom_protect_targets[0] has state=absent for unit=x, and oom_protect_targets_a[0] has state=present",
    ),
    "default state": (
        {"targets": [{"unit": "x", "state": "absent"}], "targets_a": [{"unit": "x", "score": 1}]},
        "oom_protect_targets[0] has state=absent for unit=x, and oom_protect_targets_a[0] has state=present",
    ),
    "policy": (
        {"targets": [{**X, "oom_policy": "stop"}], "targets_a": [{**X, "oom_policy": "continue"}]},
        "oom_protect_targets[0] has oom_policy=stop for unit=x, and oom_protect_targets_a[0] has oom_policy=continue",
    ),
}


@pytest.mark.parametrize("given, error", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
def test_contradictions_name_both_variables_and_values(given, error):
    assert error_of("oom_protect", **given).startswith(error)


def test_absent_takes_back_what_has_no_score():
    found = arguments_of("oom_protect", state="absent", targets=[{"unit": "x"}, {"pid": 7, "score": 5}])
    assert (found["state"], found["asked"], len(found["targets"])) == ("absent", True, 2)


def test_values_are_not_changed():
    given = {
        "oom_protect_targets": [{"unit": "x", "score": "1"}],
        "oom_protect_targets_a": [{"unit": "x", "force": True}],
    }
    parse_arguments("oom_protect", given)
    assert given["oom_protect_targets"] == [{"unit": "x", "score": "1"}]


def test_services_of_users_are_targets():
    one = {"user_unit": {"user": "deploy", "unit": "shop.service"}, "score": -300}
    [target] = arguments_of("oom_protect", targets=[one])["targets"]
    assert target == {**one, "state": "present"}
    _arguments, errors = parse_arguments(
        "oom_protect",
        {
            "oom_protect_targets": [one],
            "oom_protect_targets_web": [{"user_unit": {"user": "deploy", "unit": "shop"}, "score": -200}],
        },
    )
    assert "use one value in both" in errors[0]


@pytest.mark.parametrize(
    "user_unit, words",
    [
        ({"unit": "shop"}, "user is missing: set it to a login name"),
        ({"user": "a/b", "unit": "shop"}, "is not a login name: set it to one of getent passwd"),
        ({"user": "deploy"}, "unit is missing"),
        ({"user": "deploy", "unit": "shop", "scop": "user"}, "did you mean scope?"),
        ({"user": "deploy", "unit": "shop", "scope": "all"}, "did you mean all_users?"),
    ],
)
def test_services_of_users_that_are_not_complete(user_unit, words):
    assert words in error_of("oom_protect", targets=[{"user_unit": user_unit, "score": -300}])
