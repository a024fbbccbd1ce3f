# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that answer what they like: nothing that a host returns has power over the controller.

Each test runs a playbook on this machine with ansible-playbook. A host is a local connection whose
Python is a script: for some modules it prints a prepared answer instead of running them.
"""

import json
import math
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from report_answers import EXECUTED, HOSTILE

COLLECTION = Path(__file__).resolve().parents[2]
# The variable runs these tests with another ansible-core, because template engines differ.
ANSIBLE_PLAYBOOK = os.environ.get("OOMGUARD_ANSIBLE_PLAYBOOK") or str(
    Path(sys.executable).with_name("ansible-playbook")
)

RECORDER = """
import json, os
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "aggregate", "recorder"
    def v2_runner_on_ok(self, result):
        self.record(result)
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record(result)
    def record(self, result):
        task = getattr(result, "task", None) or result._task
        returned = getattr(result, "result", None) or result._result
        host = getattr(result, "host", None) or result._host
        self.write([host.get_name(), task.get_name(), returned.get("msg")])
    def v2_playbook_on_stats(self, stats):
        self.write(stats.custom.get("_run", {}))
    def write(self, value):
        with open(os.environ["RECORD"], "a") as stream:
            stream.write(json.dumps(value) + "\\n")
"""


class Run(NamedTuple):
    """What a finished playbook left."""

    artifacts: dict[str, Any]
    results: list[tuple[str, str, Any]]  # host, task, msg
    output: str
    was_evaluated: bool  # a template of a host

    def lines(self):
        """Return the last line of each host."""
        return {host: msg for host, task, msg in self.results if task == "Report the outcome of this host"}

    def words(self):
        """Return the outcome of each host."""
        return {host: line.split(":")[0] for host, line in self.lines().items()}

    def message(self, host, task):
        return next(msg for one, name, msg in self.results if (one, name.split(" : ")[-1]) == (host, task))


def make_python(folder, answers):
    """Write a Python that prints prepared answers, or texts as they are, and return its path."""
    folder.mkdir(parents=True)
    cases = []
    for module, answer in answers.items():
        path = folder / module
        path.write_text(answer if isinstance(answer, str) else json.dumps(answer))
        cases.append(f"*AnsiballZ_{module}.py*) exec cat {shlex.quote(str(path))};;\n")
    python = folder / "python"
    real = shlex.quote(sys.executable)
    python.write_text(f'#!/bin/sh\ncase "$*" in\n{"".join(cases)}esac\nexec {real} "$@"\n')
    python.chmod(0o700)
    return str(python)


def play(folder, playbook, hosts, *arguments, recorder=RECORDER):
    """Run a playbook; hosts are the answers of each host by module."""
    variables = {
        name: {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": make_python(folder / "hosts" / str(number), answers),
        }
        for number, (name, answers) in enumerate(hosts.items())
    }
    inventory = {"all": {"hosts": list(hosts)}, "_meta": {"hostvars": variables}}
    script = folder / "inventory"
    script.write_text(f"#!{sys.executable}\nprint({json.dumps(inventory)!r})\n")
    script.chmod(0o700)
    (folder / "callbacks").mkdir()
    (folder / "callbacks" / "recorder.py").write_text(recorder)
    (folder / "ansible_collections" / "oomguard").mkdir(parents=True)
    (folder / "ansible_collections" / "oomguard" / "linux").symlink_to(COLLECTION)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    environment.update(
        ANSIBLE_CALLBACKS_ENABLED="recorder",
        ANSIBLE_CALLBACK_PLUGINS=str(folder / "callbacks"),
        ANSIBLE_COLLECTIONS_PATH=str(folder),
        ANSIBLE_HOME=str(folder / "home"),
        ANSIBLE_FORKS="4",
        RECORD=str(folder / "record"),
    )
    finished = subprocess.run(
        [ANSIBLE_PLAYBOOK, "--inventory", str(script), playbook, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        check=False,  # hostile hosts fail
    )
    record = folder / "record"  # not there if the run ended before its first play
    records = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else [{}]
    output = finished.stdout.decode("utf-8", "replace")
    return Run(records[-1], [tuple(record) for record in records[:-1]], output, EXECUTED.exists())


def trial(**answer):
    """Return the answers of a host whose trial module prints this."""
    usual = {"changed": False, "verdict": "proven", "reasons": ["a reason"], "report": ["a report"], "kernel": "6.1"}
    return {"oom_trial": {**usual, **answer}}


def facts(**variables):
    """Return the answers of a host whose ping, a module of Ansible's own, prints these facts."""
    return {"ping": {"ping": "pong", "ansible_facts": variables}}


LONG = 5_000_000
MARK = HOSTILE["template"]
ESCAPE = "\x1b]0;owned\x07\r\nok: [server]\u202e"


def bury(value, levels):
    """Return a value below many lists."""
    for _level in range(levels):
        value = [value]
    return value


# --- what a trial returns ---------------------------------------------------------

ANSWERS = {
    "honest": (trial(), "proven"),
    "refuting": (trial(verdict="refuted"), "refuted"),
    "key-of-the-map": (trial(verdict="hosts"), "inconclusive"),
    "other-outcome": (trial(verdict="changed"), "inconclusive"),
    "verdict-list": (trial(verdict=["proven"]), "inconclusive"),
    "verdict-text-of-list": (trial(verdict="['proven']"), "inconclusive"),
    "verdict-null": (trial(verdict=None), "inconclusive"),
    "verdict-long": (trial(verdict="v" * LONG), "inconclusive"),
    "reasons-long": (trial(reasons=["r" * LONG], report=["r" * LONG]), "proven"),
    "reasons-many": (trial(verdict="refuted", reasons=["r"] * 200_000, report=["r"] * 200_000), "refuted"),
    "reasons-number": (trial(verdict="refuted", reasons=7, report={"a": 1}), "refuted"),
    "reasons-text-of-dict": (trial(reasons=["{'a': 1}"]), "proven"),
    "nothing-else": ({"oom_trial": {"changed": False}}, "inconclusive"),
    "deep": (trial(runs=bury("x", 60)), "proven"),
    "escapes": (trial(verdict=ESCAPE, reasons=[ESCAPE], report=[ESCAPE], kernel=ESCAPE), "inconclusive"),
    "jinja": (trial(verdict=MARK, reasons=[MARK], report=[MARK], kernel=MARK, **{MARK: MARK}), "inconclusive"),
    "jinja-proven": (trial(reasons=[MARK], report=[MARK]), "proven"),
    "failed-text": (trial(failed=MARK, msg=MARK), "failed"),
    "key-from-facts": ({**trial(verdict="refuted"), **facts(awx_job_id="hosts")}, "refuted"),
    "scope-from-facts": (trial(ansible_facts={"oom_verify_scope": "../../escaped/scope"}), "proven"),
}


# To store evidence takes most of the time.
STORED = ["honest", "verdict-long", "reasons-long", "reasons-many", "deep", "escapes", "jinja", "scope-from-facts"]


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Return the folder and the run of the playbook verify on hosts with these answers."""
    folder = tmp_path_factory.mktemp("answers")
    stored = json.dumps([*STORED, "folder-from-facts"])
    variables = {
        "oom_verify_hog_path": "/bin/true",
        "oom_verify_evidence_dir": f"{{{{ '{folder}/kept/evidence' if inventory_hostname in {stored} else '' }}}}",
    }
    hosts = {name: answers for name, (answers, _word) in ANSWERS.items()}
    hosts["folder-from-facts"] = {**trial(), **facts(oom_verify_evidence_dir=str(folder / "escaped"))}
    # The folder is no extra variable here: that would come before any fact.
    play_file = folder / "play.yml"
    play_file.write_text(
        json.dumps(
            [{"name": "Run it", "ansible.builtin.import_playbook": "oomguard.linux.verify"}],
        )
    )
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.json").write_text(json.dumps(variables))
    return folder, play(folder, str(play_file), hosts)


@pytest.mark.parametrize("name", ANSWERS)
def test_outcome_is_a_known_word(answered, name):
    _folder, run = answered
    assert run.words().get(name) == ANSWERS[name][1], run.output[-3000:]


def test_counts_and_names_of_all_hosts_are_kept(answered):
    _folder, run = answered
    words = list(run.words().values())
    names = run.artifacts.pop("oomguard_verify_0_hosts")
    assert run.artifacts == {f"oomguard_verify_0_{word}": words.count(word) for word in set(words)}
    assert set(run.artifacts) == {
        f"oomguard_verify_0_{word}" for word in ("proven", "refuted", "inconclusive", "failed")
    }
    assert names["key-of-the-map"] == "inconclusive: the host returned an unknown verdict: hosts; a reason"
    assert {name: names[name] for name in names} == {name: line for name, line in run.lines().items() if ":" in line}
    run.artifacts["oomguard_verify_0_hosts"] = names


def test_texts_are_bounded_and_printable(answered):
    _folder, run = answered
    shown = list(run.lines().values()) + list(run.artifacts["oomguard_verify_0_hosts"].values())
    assert max(map(len, shown)) < 330
    assert [text for text in shown if not text.isprintable()] == []
    assert run.lines()["reasons-long"].endswith("r…")
    for host in ANSWERS:
        task = "Report the verdict, and fail unless it is proven"
        messages = [msg for name, title, msg in run.results if name == host and title.endswith(task)]
        assert [len(json.dumps(msg)) for msg in messages if len(json.dumps(msg)) > 25_000] == []
        assert all("\x1b" not in json.dumps(msg, ensure_ascii=False) for msg in messages)


def test_a_template_that_is_evaluated_would_be_seen(tmp_path):
    (tmp_path / "play.yml").write_text(
        json.dumps(
            [
                {
                    "name": "Evaluate it",
                    "hosts": "all",
                    "gather_facts": False,
                    "tasks": [{"name": "Evaluate it", "ansible.builtin.debug": {"msg": MARK}}],
                }
            ]
        )
    )
    assert play(tmp_path, str(tmp_path / "play.yml"), {"server": {}}).was_evaluated
    EXECUTED.unlink()


def test_no_template_is_evaluated(answered):
    _folder, run = answered
    assert not run.was_evaluated
    assert "lookup('ansible.builtin.pipe'" in run.lines()["jinja"]
    assert "lookup('ansible.builtin.pipe'" in run.lines()["jinja-proven"]


def read_evidence(folder):
    files = [path for path in folder.iterdir() if not path.is_symlink()]
    return {json.loads(path.read_text())["host"]: (path, json.loads(path.read_text())) for path in files}


def test_evidence_is_bounded(answered):
    folder, _run = answered
    evidence = read_evidence(folder / "kept" / "evidence")
    assert set(evidence) == set(STORED)
    assert max(path.stat().st_size for path, _content in evidence.values()) <= 256 * 1024
    assert {content["verdict"] for _path, content in evidence.values()} == {"proven", "refuted", "inconclusive"}
    for name in ("reasons-long", "reasons-many", "deep"):
        assert "too long" in evidence[name][1]["cut"], name
    assert evidence["reasons-long"][1]["verdict"] == "proven"
    _path, honest = evidence["honest"]
    assert "cut" not in honest and (honest["kernel"], honest["boot_id"], honest["scope"]) == ("6.1", None, "cgroup")
    assert honest["started"] < honest["ended"] and honest["collection_version"][0].isdigit()
    assert evidence["escapes"][1]["kernel"] == "\\x1b]0;owned\\x07\\x0d\nok: [server]\\u202e"


def test_evidence_stays_in_its_folder(answered):
    folder, run = answered
    evidence = folder / "kept" / "evidence"
    assert not (folder / "escaped").exists() and list((folder / "kept").iterdir()) == [evidence]
    assert run.words()["folder-from-facts"] == "proven"
    assert "a host must not choose a folder on the controller" in run.message(
        "folder-from-facts", "Refuse a folder that the host itself has named"
    )
    [path] = evidence.glob("honest.cgroup.*.json")
    assert os.readlink(evidence / "honest.json") == path.name
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(evidence.stat().st_mode)) == (0o644, 0o755)
    assert len(list(evidence.glob("scope-from-facts.cgroup.*.json"))) == 1


# --- names of hosts ---------------------------------------------------------------


def read_core_version():
    """Return the version of the ansible-core that is tested, as (2, 18)."""
    output = subprocess.run([ANSIBLE_PLAYBOOK, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
    major, minor = re.search(r"core (\d+)\.(\d+)", output).groups()
    return int(major), int(minor)


# Before 2.19, ansible-core itself evaluates templates in names of the inventory, wherever a name is
# used, as in its ssh plugin.
NAMES = [MARK] if read_core_version() >= (2, 19) else []
NAMES += ["../../escaped/boot", "web/1", "web%2f1", "web1", "Web1", "..", "\x1b[31mred", "x" * 600]


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Return the folder and the run of the playbook verify on hosts with these names."""
    folder = tmp_path_factory.mktemp("names")
    evidence = folder / "kept" / "evidence"
    evidence.mkdir(parents=True)
    (folder / "kept" / "victim").write_text("kept")
    (evidence / "web1.json").symlink_to(folder / "kept" / "victim")
    (folder / "kept" / "folder").mkdir()
    (evidence / "web%2f1.json").symlink_to(folder / "kept" / "folder")
    (evidence / "%2e..json").write_text("of a former version")
    arguments = [
        "--extra-vars",
        json.dumps({"oom_verify_hog_path": "/bin/true", "oom_verify_evidence_dir": str(evidence)}),
    ]
    return folder, play(folder, "oomguard.linux.verify", dict.fromkeys(NAMES, trial()), *arguments)


def test_every_host_has_its_own_file(named):
    folder, run = named
    assert run.words() == dict.fromkeys(NAMES, "proven"), run.output[-3000:]
    evidence = folder / "kept" / "evidence"
    files = [path.name for path in evidence.iterdir() if path.is_file() and not path.is_symlink()]
    links = [path.name for path in evidence.iterdir() if path.is_symlink()]
    assert len({name.lower() for name in files}) == len(files) == len(NAMES)
    assert len({name.lower() for name in links}) == len(links) == len(NAMES)
    assert sorted(os.readlink(evidence / link) for link in links) == sorted(files)
    assert max(map(len, files)) < 200
    assert {path.name for path in (folder / "kept").iterdir()} == {"evidence", "victim", "folder"}
    assert not (folder / "escaped").exists() and not (folder.parent / "escaped").exists()


def test_links_are_not_followed(named):
    folder, _run = named
    assert (folder / "kept" / "victim").read_text() == "kept"
    assert list((folder / "kept" / "folder").iterdir()) == []


def test_names_are_keys_of_the_map(named):
    _folder, run = named
    names = run.artifacts["oomguard_verify_0_hosts"]
    assert run.artifacts["oomguard_verify_0_proven"] == len(names) == len(NAMES)
    assert max(map(len, names)) <= 253 and all(name.isprintable() for name in names)
    assert {"../../escaped/boot", "web/1", "web1", "Web1", ".."} < set(names)


# --- other playbooks --------------------------------------------------------------


def test_check_mode_believes_no_verdict(tmp_path):
    arguments = ["--check", "--extra-vars", "oom_verify_hog_path=/bin/true"]
    run = play(tmp_path, "oomguard.linux.verify", {"server": trial()}, *arguments)
    assert run.artifacts == {"oomguard_verify_0_checked": 1, "oomguard_verify_0_check": 1}, run.output[-3000:]


def test_job_number_comes_from_the_job(tmp_path):
    arguments = ["--check", "--extra-vars", "oom_verify_hog_path=/bin/true awx_job_id=42"]
    run = play(tmp_path, "oomguard.linux.verify", {"server": {**trial(), **facts(awx_job_id=7)}}, *arguments)
    assert run.artifacts == {"oomguard_verify_42_checked": 1, "oomguard_verify_42_check": 1}, run.output[-3000:]


PROTECTED = {
    "changed": ({"changed": MARK, "targets": MARK}, "changed: pins"),
    "counted": ({"changed": True, "targets": [{"changed": True}, {"changed": MARK}, {}, MARK]}, "changed: 2 pins"),
    "failed": ({"failed": True, "changed": "hosts", "msg": MARK}, f"failed: protect: {MARK}"),
    "failed-long": ({"failed": True, "msg": "m" * LONG}, "failed: protect: " + "m" * 290),
    "failed-escape": ({"failed": True, "msg": ESCAPE}, "failed: protect: \\x1b]0;owned\\x07"),
    "no-module": ("hosts", "failed: protect: "),
    "lost": (
        {"changed": False, "not_lasting": [{"unit": ESCAPE, "reason": MARK}, MARK, {"target": "x", "reason": "y"}]},
        "not_lasting: \\x1b]0;owned\\x07\\x0d\\x0aok: [server]\\u202e ({{ lookup",
    ),
    "lost-many": (
        {"changed": False, "not_lasting": [{"unit": "u" * 5000, "reason": "r"}] * 1000},
        "not_lasting: " + "u" * 290,
    ),
    "skipped": ({"changed": False, "skipped": True}, "nothing_asked: "),
    "unreachable": (
        {"unreachable": True, "msg": MARK},
        f"failed: unreachable: {MARK}; start the host, or correct its address or its login",
    ),
    "other-types": ({"changed": False, "not_lasting": {"unit": 7}, "targets": 7}, "ok"),
    "variables": (
        {"changed": False, "ansible_facts": {"oom_protect_profile": "x", "oom_fail_on_drift": True, "oom_hosts": "x"}},
        "ok",
    ),
}


def test_outcome_of_protect(tmp_path):
    hosts = {name: {"oom_score_adj": answer} for name, (answer, _line) in PROTECTED.items()}
    run = play(tmp_path, "oomguard.linux.protect", hosts, "--extra-vars", "oom_protect_profiles=database")
    lines = run.lines()
    assert {name: lines[name].startswith(line) for name, (_answer, line) in PROTECTED.items()} == dict.fromkeys(
        PROTECTED, True
    ), lines
    assert max(len(line) for line in lines.values()) < 320 and all(line.isprintable() for line in lines.values())
    words = list(run.words().values())
    del run.artifacts["oomguard_protect_0_hosts"]
    assert run.artifacts == {f"oomguard_protect_0_{word}": words.count(word) for word in set(words)}


def test_facts_fail_or_steer_no_other_host(tmp_path):
    """A host that returns facts with our names can change only what happens to itself."""
    steering = {
        "oom_protect_profile": "misspelt",
        "oom_protect_targets_evil": [{"unit": "sshd", "score": -1000}],
        "oom_hosts": "none",
        "ansible_check_mode": False,
        "__oomguard_parts": [],
    }
    play_file = tmp_path / "play.yml"
    play_file.write_text(
        json.dumps(
            [
                {
                    "name": "Gather facts",
                    "hosts": "all",
                    "gather_facts": False,
                    "tasks": [{"name": "Gather", "ansible.builtin.setup": {}}],
                },
                {"name": "Apply", "ansible.builtin.import_playbook": "oomguard.linux.site"},
            ]
        )
    )
    answered = {"oom_site": {"changed": True, "protect": {"changed": True, "targets": [{"changed": True}]}}}
    hosts = {
        "hostile": {"setup": {"ansible_facts": steering}, **answered},
        "honest": {"setup": {"ansible_facts": {}}, **answered},
    }
    run = play(tmp_path, str(play_file), hosts, "--check", "--extra-vars", "oom_protect_profiles=database")
    assert run.lines()["honest"] == "would_change: 1 pin", run.output[-3000:]
    assert run.lines()["hostile"] == "failed: arguments: oom_protect_profile: did you mean oom_protect_profiles?"


# --- what a host returns for a whole policy ----------------------------------------

SAME = {"changed": False}
PIN = {"changed": True, "targets": [{"changed": True}]}
NO_RESULT = "the host did not return what the module oom_site returns; check its Python, and what its login prints"
UNREADABLE = "the answer of the host cannot be read"
POLICIES = {
    "honest": ({"protect": PIN, "panic": SAME}, "changed: 1 pin"),
    "skipped": ({"protect": PIN, "panic": SAME, "skipped": True}, "changed: 1 pin"),
    "loop": ({"protect": SAME, "panic": SAME, "results": [{"skipped": True}]}, "ok"),
    "statistics": ({"protect": SAME, "panic": SAME, "ansible_stats": {"data": {"oomguard_site_0_hosts": 1}}}, "ok"),
    "outcome": ({"protect": SAME, "panic": SAME, "outcome": "hosts", "detail": MARK, "msg": MARK}, "ok"),
    "part-missing": ({"protect": PIN}, f"failed: panic: {NO_RESULT}; changed 1 pin"),
    "part-skipped": ({"protect": {"skipped": True}, "panic": SAME}, f"failed: protect: {NO_RESULT}"),
    "parts-of-other-types": ({"protect": [PIN], "panic": "ok"}, f"failed: protect: {NO_RESULT}"),
    "infinity": ({"protect": {**PIN, "x": math.inf}, "panic": SAME}, f"failed: {UNREADABLE}"),
    "infinity-failed": ({"failed": True, "protect": {"failed": True, "x": math.inf}}, f"failed: {UNREADABLE}"),
    "unasked-part": ({"protect": SAME, "panic": SAME, "overcommit": {"changed": True}}, "ok"),
    "failed-long": ({"failed": True, "protect": {"failed": True, "msg": ESCAPE + "x" * LONG}}, "failed: protect: "),
    "broken": ("Traceback " + ESCAPE, "failed: "),
}


def test_answers_to_a_policy(tmp_path):
    play_file = tmp_path / "play.yml"
    play_file.write_text(json.dumps([{"name": "Run it", "ansible.builtin.import_playbook": "oomguard.linux.site"}]))
    asked = json.dumps({"oom_protect_profiles": ["database"], "oom_panic_on_oom": "kill"})
    hosts = {name: {"oom_site": answer} for name, (answer, _line) in POLICIES.items()}
    run = play(tmp_path, str(play_file), hosts, "--extra-vars", asked)
    lines = run.lines()
    assert set(lines) == set(POLICIES), run.output[-3000:]
    for name, (_answer, line) in POLICIES.items():
        assert lines[name] == line or (line.endswith(": ") and lines[name].startswith(line)), lines[name]
    assert all(line.isprintable() and len(line) < 400 for line in lines.values())
    words = list(run.words().values())
    names = run.artifacts.pop("oomguard_site_0_hosts")
    assert run.artifacts == {f"oomguard_site_0_{word}": words.count(word) for word in set(words)}
    assert names == {name: line for name, line in lines.items() if line != "ok"}
