# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the playbooks and roles with right and wrong variables, as a person would.

Each host of a run has variables of its own, so one run tries many mistakes. The variable
OOMGUARD_ANSIBLE_PLAYBOOK runs these tests with another ansible-core.
"""

import json
import re

import pytest
from test_hostile_answers import RECORDER, play

PIN = {"changed": True, "targets": [{"changed": True}]}
ANSWERS = {
    "oom_score_adj": PIN,
    "oom_policy": {"changed": True},
    "overcommit": {"changed": False},
    "oom_site": {"changed": True, "protect": PIN, "panic": {"changed": True}, "overcommit": {"changed": False}},
    "oom_events": {"changed": False, "report": ["14:54:58Z  a line", "\x1b[31m"], "summary": [], "counts": {}},
}


def run(folder, playbook, hosts, *arguments, answers=None, **options):
    """Run a playbook or a list of plays; hosts are the variables of each host."""
    for name, variables in hosts.items():
        path = folder / "host_vars" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(variables))
    if isinstance(playbook, str):
        playbook = [{"name": "Run it", "ansible.builtin.import_playbook": playbook}]
    (folder / "play.yml").write_text(json.dumps(playbook))
    return play(folder, str(folder / "play.yml"), dict.fromkeys(hosts, answers or ANSWERS), *arguments, **options)


# --- typical mistakes ---------------------------------------------------------------

# The variables of a host, and its last line behind "failed: arguments: ".
MISTAKES = {
    "typo": ({"oom_protect_profile": ["containers"]}, "oom_protect_profile: did you mean oom_protect_profiles?"),
    "typo-in-prefix": ({"oom_overcomit_mode": "never"}, "oom_overcomit_mode: did you mean oom_overcommit_mode?"),
    "typo-of-playbook": ({"oom_host": "web"}, "oom_host: did you mean oom_hosts?"),
    "profile": (
        {"oom_protect_profiles": ["contaners"]},
        "oom_protect_profiles=contaners is not possible: did you mean containers?",
    ),
    "option": (
        {"oom_protect_targets": [{"unit": "haproxy", "scor": -500}]},
        "oom_protect_targets[0] has no option scor: did you mean score?",
    ),
    "type": (
        {"oom_panic_reboot_after": "soon"},
        "oom_panic_reboot_after=soon is not a whole number: set a whole number, or leave it out",
    ),
    "contradiction": (
        {
            "oom_protect_targets_web": [{"unit": "haproxy", "score": -500}],
            "oom_protect_targets_lb": [{"unit": "haproxy", "score": -900}],
        },
        "oom_protect_targets_lb[0] has score=-900 for unit=haproxy, and oom_protect_targets_web[0] has score=-500:"
        " use one value in both",
    ),
    "last-of-three": (
        {"oom_protect_profiles": ["database"], "oom_panic_on_oom": "kill", "oom_overcommit_ratio": 0},
        "oom_overcommit_ratio=0 lets the kernel promise only swap:",
    ),
    "file": (
        {"oom_panic_on_oom": "kill", "oom_panic_file": "/etc/panic.conf"},
        "oom_panic_file=/etc/panic.conf would not be read at boot; name a file in /etc/sysctl.d that ends with .conf",
    ),
    "undefined": (
        {"oom_protect_targets": "{{ own_targets }}"},
        "oom_protect_targets: ",
    ),
}
RIGHT = {
    "right": (
        {
            "oom_protect_profiles": "",
            "oom_protect_profiles_web": "database",
            "oom_panic_reboot_after": "5",
            "oom_panic_on_oom": "panic",
            "oom_panic_force": "",
            "oom_overcommit_ratio": None,
            "oom_killer_team": "x",
            "oomph": "{{ undefined_name }}",
        },
        "changed: 1 pin, panic policy",
    ),
    "nothing": (
        {"oom_killer_team": "x"},
        "nothing_asked: set oom_protect_profiles, oom_protect_targets, oom_panic_on_oom",
    ),
    "absent": ({"oom_panic_state": "absent"}, "changed: panic policy"),
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    hosts = {name: variables for name, (variables, _line) in {**MISTAKES, **RIGHT}.items()}
    return run(tmp_path_factory.mktemp("mistakes"), "oomguard.linux.site", hosts)


@pytest.mark.parametrize("name", MISTAKES)
def test_one_line_names_the_remedy(mistaken, name):
    line = mistaken.lines()[name]
    assert line.startswith(f"failed: arguments: {MISTAKES[name][1]}"), mistaken.output[-3000:]
    assert mistaken.artifacts["oomguard_site_0_hosts"][name] == line
    assert ("own_targets" in line) == (name == "undefined")


@pytest.mark.parametrize("name", MISTAKES)
def test_nothing_is_changed_before_all_is_checked(mistaken, name):
    tasks = [task for host, task, _msg in mistaken.results if host == name]
    assert tasks == [
        "Check all variables before anything is changed",
        "Add the failed host to the job's statistics",
        "Report the outcome of this host",
    ]


@pytest.mark.parametrize("name", RIGHT)
def test_right_variables(mistaken, name):
    assert mistaken.lines()[name].startswith(RIGHT[name][1]), mistaken.output[-3000:]


# --- extra variables, roles in a play, tags, drift ------------------------------------


def test_typo_in_extra_variables(tmp_path):
    line = "failed: arguments: oom_protct_profiles: did you mean oom_protect_profiles?"
    ran = run(tmp_path, "oomguard.linux.protect", {"web": {}}, "--extra-vars", "oom_protct_profiles=containers")
    assert ran.lines() == {"web": line}


@pytest.mark.parametrize(
    "role, variable, meant",
    [
        ("oom_protect", "oom_protect_profile", "oom_protect_profiles"),
        ("oom_panic", "oom_panic_on_ooom", "oom_panic_on_oom"),
        ("oom_overcommit", "oom_protct_targets", "oom_protect_targets"),
    ],
)
def test_typo_where_a_role_is_imported(tmp_path, role, variable, meant):
    task = {
        "name": "Import",
        "ansible.builtin.import_role": {"name": f"oomguard.linux.{role}"},
        "vars": {variable: "x"},
    }
    ran = run(tmp_path, [{"name": "Import", "hosts": "all", "gather_facts": False, "tasks": [task]}], {"web": {}})
    tasks = [(task.split(" : ")[1], msg) for _host, task, msg in ran.results]
    assert tasks[1:] == [("Check the variables before anything is changed", f"{variable}: did you mean {meant}?")]


def test_empty_text_where_a_role_is_imported(tmp_path):
    """Ansible itself would refuse empty text for a number: rolespec_validate leaves it to us."""
    task = {
        "name": "Import",
        "ansible.builtin.import_role": {"name": "oomguard.linux.oom_panic", "rolespec_validate": False},
        "vars": {"oom_panic_reboot_after": "", "oom_panic_on_oom": "", "oom_panic_dump_tasks": "true"},
    }
    plays = [{"name": "Import", "hosts": "all", "gather_facts": False, "tasks": [task]}]
    ran = run(tmp_path, plays, {"web": {}})
    assert "changed=1" in ran.output and "failed=0" in ran.output, ran.output[-3000:]


@pytest.mark.parametrize(
    "tags, line",
    {
        "--tags protect": "changed: 1 pin",
        "--tags panic": "changed: panic policy",
        "--tags protect,panic": "changed: 1 pin, panic policy",
        "--skip-tags panic": "changed: 1 pin",
        "--tags overcommit": "nothing_asked: set oom_overcommit_mode, ",
        "--skip-tags protect,panic,overcommit": "nothing_asked: no task has these tags",
    }.items(),
    ids=str,
)
def test_tags_select_parts(tmp_path, tags, line):
    hosts = {
        "right": {"oom_protect_profiles": "database", "oom_panic_on_oom": "kill"},
        "wrong": {"oom_protect_profiles": "database", "oom_panic_on_oom": "kil"},
    }
    ran = run(tmp_path, "oomguard.linux.site", hosts, *tags.split())
    assert ran.lines()["right"].startswith(line), ran.output[-3000:]
    assert {**ran.lines(), "right": ""} == {
        "right": "",
        "wrong": "failed: arguments: oom_panic_on_oom=kil is not possible: did you mean kill?",
    }, ran.output[-3000:]


SITE = {"name": "Run it", "ansible.builtin.import_playbook": "oomguard.linux.site"}


def test_the_tag_always_of_an_import_chooses_all_parts(tmp_path):
    ran = run(tmp_path, [{**SITE, "tags": "always"}], {"web": {"oom_protect_profiles": "database"}}, "--tags", "web")
    assert ran.lines() == {"web": "changed: 1 pin"}, ran.output[-3000:]


def test_no_outcome_of_an_earlier_play_hides_a_refusal(tmp_path):
    plays = [{**SITE, "vars": {"oom_protect_profiles": "database"}}, {**SITE, "vars": {"oom_panic_on_oom": "kil"}}]
    ran = run(tmp_path, plays, {"web": {}})
    line = "failed: arguments: oom_panic_on_oom=kil is not possible: did you mean kill?"
    assert ran.lines() == {"web": line}, ran.output[-3000:]
    assert ran.artifacts == {
        "oomguard_site_0_changed": 1,
        "oomguard_site_0_failed": 1,
        "oomguard_site_0_hosts": {"web": line},
    }


def test_changes_before_a_part_that_fails_are_shown_and_counted(tmp_path):
    missing = {"target": "unit=redis", "found": False, "changed": False}
    pins = {**PIN, "targets": [*PIN["targets"], missing]}
    answer = {"failed": True, "changed": True, "protect": pins, "panic": {"failed": True, "msg": "no such file"}}
    answers = {"oom_site": {**answer, "diff": [{"before": "one\n", "after": "two\n"}]}}
    asked = {"oom_protect_profiles": "database", "oom_panic_on_oom": "kill"}
    ran = run(tmp_path, "oomguard.linux.site", {"web": asked}, "--diff", answers=answers)
    assert ran.lines() == {"web": "failed: panic: no such file; changed 1 pin"}, ran.output[-3000:]
    assert "+two" in ran.output and "changed=1" in ran.output and "unit=redis" not in ran.output


@pytest.mark.parametrize(
    "task",
    ["Pin the daemons, set the panic policy and the overcommit policy", "Report the outcome of this host"],
)
def test_a_run_that_starts_behind_the_check_fails(tmp_path, task):
    hosts = {"web": {"oom_protect_profiles": "database"}}
    ran = run(tmp_path, "oomguard.linux.site", hosts, "--start-at-task", task)
    assert ran.lines() == {"web": "failed: arguments: the variables were not checked"}, ran.output[-3000:]
    assert "failed=1" in ran.output


@pytest.mark.parametrize("playbook, tag", [("site", "foo"), ("undo", "events"), ("verify", "protect")])
def test_tags_that_no_task_has(tmp_path, playbook, tag):
    ran = run(tmp_path, f"oomguard.linux.{playbook}", {"web": {"oom_protect_profiles": "database"}}, "--tags", tag)
    assert ran.lines() == {"web": "nothing_asked: no task has these tags"}, ran.output[-3000:]
    assert "failed=0" in ran.output


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_drift_fails_after_the_statistics_are_set(tmp_path, check):
    lost = {"changed": False, "not_lasting": [{"unit": "redis-server", "reason": "99-colleague.conf wins"}]}
    variables = {"oom_protect_profiles": "database", "oom_fail_on_drift": "true"}
    ran = run(
        tmp_path,
        "oomguard.linux.protect",
        {"web": variables},
        *(["--check"] if check else []),
        answers={"oom_score_adj": lost},
    )
    line = "not_lasting: redis-server (99-colleague.conf wins)"
    counts = {"oomguard_protect_0_not_lasting": 1, **({"oomguard_protect_0_check": 1} if check else {})}
    assert ran.artifacts == {**counts, "oomguard_protect_0_hosts": {"web": line}}
    assert ran.lines() == {"web": line} and f"failed={int(check)}" in ran.output


NOTHING_ASKED = {
    "site": ("site", [], "nothing_asked: set oom_protect_profiles, "),
    "site with other tags": ("site", ["--tags", "foo"], "nothing_asked: no task has these tags"),
    "overcommit in check mode": ("overcommit", ["--check"], "nothing_asked: set oom_overcommit_mode, "),
    "events with other tags": ("events", ["--tags", "foo"], "nothing_asked: no task of the tag events ran"),
}


@pytest.mark.parametrize("fails", [False, True], ids=["default", "fails"])
@pytest.mark.parametrize("playbook, arguments, line", NOTHING_ASKED.values(), ids=list(NOTHING_ASKED))
def test_nothing_asked_fails_if_each_host_shall_have_a_policy(tmp_path, playbook, arguments, line, fails):
    variables = {"oom_fail_on_nothing_asked": "true"} if fails else {}
    ran = run(tmp_path, f"oomguard.linux.{playbook}", {"web": variables}, *arguments)
    assert ran.lines()["web"].startswith(line) and f"failed={int(fails)}" in ran.output, ran.output[-3000:]
    assert ran.artifacts[f"oomguard_{playbook}_0_nothing_asked"] == 1


SLOW_ACTION = """
import time
from ansible_collections.oomguard.linux.plugins.action.oom_apply_policy import ActionModule
def sleep(self, policy, variables):
    time.sleep(20)
ActionModule._apply = sleep
"""


def test_site_counts_a_task_that_was_stopped(tmp_path):
    (tmp_path / "ansible.cfg").write_text("[defaults]\ntask_timeout = 3\n")
    ran = run(tmp_path, "oomguard.linux.site", {"web": {"oom_panic_on_oom": "kill"}}, recorder=RECORDER + SLOW_ACTION)
    assert re.search("Timed out|expected time frame", ran.lines()["web"]), ran.output[-3000:]
    assert ran.artifacts["oomguard_site_0_failed"] == 1 and "failed=1" in ran.output


def test_check_that_would_fail(tmp_path):
    answer = {"failed": True, "msg": "would fail: ran as uid 1000: add become: true"}
    variables = {"oom_protect_profiles": "database"}
    ran = run(tmp_path, "oomguard.linux.protect", {"web": variables}, "--check", answers={"oom_score_adj": answer})
    assert ran.lines() == {"web": "would_fail: protect: ran as uid 1000: add become: true"}, ran.output[-3000:]


@pytest.mark.parametrize("playbook", ["site", "events", "info", "verify", "report"])
def test_unreachable_host_has_a_last_line(tmp_path, playbook):
    gone = {
        "ansible_connection": "ssh",
        "ansible_host": "192.0.2.1",
        "ansible_ssh_common_args": "-o ProxyCommand=false",
    }
    variables = {**gone, "oom_protect_profiles": "database", "oom_panic_on_oom": "kill", "oom_verify_hog_path": "/x"}
    variables["oom_report_dir"] = str(tmp_path / "report")
    ran = run(tmp_path, f"oomguard.linux.{playbook}", {"web": variables})
    assert ran.lines()["web"].startswith("failed: unreachable: "), ran.output[-3000:]
    assert "failed=1" in ran.output and ran.artifacts[f"oomguard_{playbook}_0_failed"] == 1


# A connection that is lost for ever once a command has the host's variable lost_at in it.
LOSSY = """
DOCUMENTATION = '''
name: lossy
short_description: A local connection that is lost
description: A local connection that is lost.
extends_documentation_fragment: connection_pipelining
options:
  lost_at:
    description: What a command has in it that never reaches the host.
    vars: [{name: lost_at}]
  lost:
    description: A file that exists once the connection is lost.
    vars: [{name: lost}]
'''
import os
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection
class Connection(LocalConnection):
    transport = "lossy"
    def exec_command(self, cmd, in_data=None, sudoable=True):
        if self.get_option("lost_at") in cmd or os.path.exists(self.get_option("lost")):
            open(self.get_option("lost"), "w").close()
            raise AnsibleConnectionFailure("the host went away")
        return super().exec_command(cmd, in_data, sudoable)
"""
LOST_AT = {
    "before": "AnsiballZ_ping",
    "folder": "AnsiballZ_tempfile",
    "compiler": "oom_hog.c",
    "trial": "AnsiballZ_oom_trial",
}


def test_host_that_is_lost_during_verify_has_a_last_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # nothing can remove the folder of a host that is lost
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins" / "lossy.py").write_text(LOSSY)
    hosts = {
        name: {
            "ansible_connection": "lossy",
            "lost_at": place,
            "lost": str(tmp_path / f"lost-{name}"),
            "oom_verify_evidence_dir": str(tmp_path / "evidence"),
        }
        for name, place in LOST_AT.items()
    }
    ran = run(tmp_path, "oomguard.linux.verify", hosts)
    line = "failed: unreachable: the host went away; start the host, or correct its address or its login"
    if "[before]: UNREACHABLE!" not in ran.output:  # older ansible-core cleans up after a task, and fails at that
        line = "failed: the host went away"
    assert ran.lines() == dict.fromkeys(LOST_AT, line), ran.output[-5000:]
    assert ran.artifacts["oomguard_verify_0_failed"] == len(LOST_AT) and ran.output.count("failed=1") == len(LOST_AT)
    assert not (tmp_path / "evidence").exists()


def test_host_that_is_lost_during_site_has_a_last_line(tmp_path):
    """Also where Ansible cleans up after the task, and the host is lost by then."""
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins" / "lossy.py").write_text(LOSSY)
    lossy = {"ansible_connection": "lossy", "lost_at": "AnsiballZ_oom_site", "lost": str(tmp_path / "lost")}
    ran = run(tmp_path, "oomguard.linux.site", {"web": {**lossy, "oom_protect_profiles": "database"}})
    line = "failed: unreachable: the host went away; start the host, or correct its address or its login"
    assert ran.lines() == {"web": line}, ran.output[-5000:]
    assert ran.artifacts == {"oomguard_site_0_failed": 1, "oomguard_site_0_hosts": {"web": line}}
    assert "failed=1" in ran.output and "unreachable=0" in ran.output


WRONG_BEFORE_THE_HOST = {
    "verify": ({"oom_verify_memory_limit": "7M"}, "oom_verify_memory_limit=7M is too small for scores"),
    "events": ({"oom_events_since": "yesterday"}, "oom_events_since=yesterday is not a time"),
    "info": ({"oom_info_domain": "foo"}, "oom_info_domain=foo is no domain: set host"),
    "report": ({"oom_report_since": "yesterday"}, "oom_report_since=yesterday is not a time"),
}


@pytest.mark.parametrize("playbook", WRONG_BEFORE_THE_HOST)
def test_wrong_value_is_refused_before_the_host_is_asked(tmp_path, playbook):
    variables, words = WRONG_BEFORE_THE_HOST[playbook]
    ran = run(tmp_path, f"oomguard.linux.{playbook}", {"web": variables})
    assert ran.lines()["web"].startswith(f"failed: arguments: {words}"), ran.output[-3000:]
    assert [task for _host, task, _msg in ran.results if re.search("Connect|Read |Predict", task)] == []


# --- events ---------------------------------------------------------------------------


def test_events_are_printed_line_by_line(tmp_path):
    kills = [{"unit": "a", "kills": 3}, {"unit": "b", "kills": 2}]
    answer = {**ANSWERS["oom_events"], "summary": kills}
    ran = run(tmp_path, "oomguard.linux.events", {"web": {}}, answers={"oom_events": answer})
    assert ran.lines() == {"web": "kills: 5 in 2 units"}, ran.output[-3000:]
    [shown] = [msg for _host, task, msg in ran.results if task.startswith("Show what was killed")]
    assert shown == ["14:54:58Z  a line", "\\x1b[31m"]


REPORTS = {
    "text": ("line", []),
    "mapping": ({"a": "b"}, []),
    "number": (7, []),
    "null": (None, []),
    "not-texts": ([{"a": 1}, ["b"], 7, "line"], ["line"]),
    "long": (["line"] * 300_000, ["line"] * 20),
}


def test_reports_of_strange_types(tmp_path):
    usual = ANSWERS["oom_events"]
    answers = {name: {"oom_events": {**usual, "report": report}} for name, (report, _shown) in REPORTS.items()}
    ran = play(tmp_path, "oomguard.linux.events", answers)
    shown = {host: msg for host, task, msg in ran.results if task.startswith("Show what was killed")}
    assert shown == {name: lines for name, (_report, lines) in REPORTS.items()}, ran.output[-3000:]
    assert ran.words() == dict.fromkeys(REPORTS, "no_kills")


@pytest.mark.parametrize("tags", [("--tags", "protect"), ("--skip-tags", "events")], ids=" ".join)
def test_events_that_tags_leave_out(tmp_path, tags):
    ran = run(tmp_path, "oomguard.linux.events", {"web": {}, "typo": {"oom_events_sorce": "kmsg"}}, *tags)
    assert ran.lines() == {
        "web": "nothing_asked: no task of the tag events ran",
        "typo": "failed: arguments: oom_events_sorce: did you mean oom_events_source?",
    }, ran.output[-3000:]


def test_events_that_cannot_be_read(tmp_path):
    answer = {"failed": True, "msg": "source=journal: this host has no journal: set source=kmsg"}
    hosts = {"web": {}, "typo": {"oom_events_sorce": "kmsg"}}
    ran = run(tmp_path, "oomguard.linux.events", hosts, answers={"oom_events": answer})
    assert ran.lines() == {
        "web": "failed: source=journal: this host has no journal: set source=kmsg",
        "typo": "failed: arguments: oom_events_sorce: did you mean oom_events_source?",
    }


# --- info -----------------------------------------------------------------------------


def test_info_prints_the_report_and_fails_on_severe_findings(tmp_path):
    answer = {
        "changed": False,
        "report": ["a line"],
        "msg": "next victim of the host: x[7]; 1 finding",
        "findings": [{"severity": "medium"}],
    }
    hosts = {
        "web": {},
        "db": {"oom_info_fail_on": "high", "oom_info_domain": "", "oom_info_grower": {"unit": "app"}},
        "strict": {"oom_info_fail_on": "medium", "oom_info_what_if": [{"unit": "app", "score": "5"}]},
        "typo": {"oom_info_fail": "high"},
        "wrong": {"oom_info_what_if": [{"unit": "app", "scor": 5}]},
    }
    ran = run(tmp_path, "oomguard.linux.info", hosts, answers={"oom_info": answer})
    line = "findings: next victim of the host: x[7]; 1 finding, 1 medium"
    assert ran.lines() == {
        "web": line,
        "db": line,
        "strict": f"{line}; failed by oom_info_fail_on: medium",
        "typo": "failed: arguments: oom_info_fail: did you mean oom_info_fail_on?",
        "wrong": "failed: arguments: oom_info_what_if[0] has no option scor: did you mean score?",
    }, ran.output[-3000:]
    failed = [host for host in hosts if re.search(rf"^{host} .*failed=1", ran.output, re.MULTILINE)]
    assert failed == ["strict", "typo", "wrong"]
    assert next(msg for _host, task, msg in ran.results if task.startswith("Show the prediction")) == ["a line"]
    assert ran.artifacts["oomguard_info_0_findings"] == 3


def test_info_that_tags_leave_out(tmp_path):
    ran = run(tmp_path, "oomguard.linux.info", {"web": {}}, "--tags", "events")
    assert ran.lines() == {"web": "nothing_asked: no task of the tag info ran"}, ran.output[-3000:]


# --- undo -----------------------------------------------------------------------------


def test_undo_says_how_many_lines_it_leaves_out(tmp_path):
    answers = {
        name: {**ANSWERS, "oom_score_adj": {**PIN, "report": ["line"] * lines}, "oom_policy": {"changed": False}}
        for name, lines in {"few": 60, "many": 67}.items()
    }
    ran = play(tmp_path, "oomguard.linux.undo", answers)
    shown = {host: msg for host, task, msg in ran.results if task == "List what is taken back"}
    assert shown == {"few": ["line"] * 60, "many": ["line"] * 60 + ["... and 7 more"]}, ran.output[-3000:]


# --- verify ---------------------------------------------------------------------------


def test_verify_says_why_it_failed(tmp_path):
    trial = {"failed": True, "changed": False, "msg": "needs a memory cgroup. More text.\nTraceback"}
    hosts = {
        "trial": {"oom_verify_hog_path": "/bin/true", "oom_verify_evidence_dir": ""},
        "consent": {"oom_verify_scope": "host", "oom_verify_hog_path": "/bin/true"},
        "typo": {"oom_verfy_scope": "host"},
    }
    ran = run(tmp_path, "oomguard.linux.verify", hosts, answers={"oom_trial": trial})
    lines = ran.lines()
    assert lines["trial"] == "failed: needs a memory cgroup. More text.", ran.output[-3000:]
    assert "set oom_verify_allow_disruption=true to allow that" in lines["consent"]
    assert lines["typo"] == "failed: arguments: oom_verfy_scope: did you mean oom_verify_scope?"
    assert ran.artifacts["oomguard_verify_0_hosts"] == lines and ran.artifacts["oomguard_verify_0_failed"] == 3


# --- the outcome of a workflow in AWX ---------------------------------------------------

PROVEN = {"oomguard_verify_9_hosts": {"web": "proven: a", "db": "proven: a"}}
FAILED = "failed: protect: x"
WORKFLOWS = {
    "fewer jobs audited than applied": (
        {"oomguard_site_1_check": 1, "oomguard_site_3_hosts": {"web": FAILED}, "oomguard_site_4_ok": 1},
        {"web": FAILED, "db": "ok"},
    ),
    "more jobs audited than applied": (
        {
            "oomguard_site_1_check": 1,
            "oomguard_site_2_check": 1,
            "oomguard_site_2_hosts": {"db": "would_change: 1 pin"},
            "oomguard_site_3_hosts": {"web": FAILED},
        },
        {"web": FAILED, "db": "ok"},
    ),
    "batches": (
        {
            "oomguard_site_1_check": 2,
            "oomguard_site_1_hosts": {"web": FAILED, "db": "would_change: 1 pin"},
            "oomguard_site_10_hosts": {"db": "changed: 1 pin"},
            "oomguard_site_10_ok": 1,
        },
        {"web": "ok", "db": "ok"},
    ),
}


@pytest.mark.parametrize("artifacts, lines", WORKFLOWS.values(), ids=list(WORKFLOWS))
def test_outcome_of_a_workflow_is_that_of_the_jobs_that_applied(tmp_path, artifacts, lines):
    extra = json.dumps({**artifacts, **PROVEN})
    ran = run(tmp_path, "oomguard.linux.awx_outcome", {"web": {}, "db": {}}, "--extra-vars", extra)
    assert ran.lines() == lines, ran.output[-3000:]


def test_nothing_asked_fails_a_workflow_if_each_host_shall_have_a_policy(tmp_path):
    line = "nothing_asked: set oom_protect_profiles"
    artifacts = {"oomguard_site_3_hosts": {"web": line, "db": line}, "oomguard_site_3_nothing_asked": 2, **PROVEN}
    hosts = {"web": {"oom_fail_on_nothing_asked": True}, "db": {}}
    ran = run(tmp_path, "oomguard.linux.awx_outcome", hosts, "--extra-vars", json.dumps(artifacts))
    assert ran.lines() == {"web": f"failed: {line}", "db": "ok"}, ran.output[-3000:]
