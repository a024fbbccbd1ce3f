# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook report, and the role in a play of a user, on hosts that answer what they like.

OOMGUARD_ANSIBLE_PLAYBOOK runs these tests with another ansible-core.
"""

import csv
import json
import os
import stat
import time

import jsonschema
import pytest
from report_answers import HOSTILE, answer, event, poison
from test_hostile_answers import COLLECTION, facts, play
from test_module_action import STEERING

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import pack_document

SCHEMA = json.loads((COLLECTION / "docs" / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
GONE = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1", "ansible_ssh_common_args": "-o ProxyCommand=false"}
HIGH = {**answer()["findings"][0], "severity": "high", "object": "vm.panic_on_oom"}


def report(folder, hosts, *arguments, playbook="oomguard.linux.report", number=0, **variables):
    """Run the playbook; hosts are the answers of the module, or the variables of a host."""
    place = folder / f"run-{number}"
    place.mkdir(parents=True)
    (place / "host_vars").mkdir()
    answers = {}
    for name, host in hosts.items():
        is_answer = isinstance(host, str) or not host or bool({"policy", "failed", "unreachable"} & set(host))
        answers[name] = {"oom_report_host": host} if is_answer else {}
        if not is_answer:
            (place / "host_vars" / f"{name}.json").write_text(json.dumps(host))
    (place / "group_vars").mkdir()
    settings = {"oom_report_dir": str(folder / "report"), **variables}
    (place / "group_vars" / "all.json").write_text(json.dumps(settings))
    plays = playbook if isinstance(playbook, list) else [{"ansible.builtin.import_playbook": playbook}]
    (place / "play.yml").write_text(json.dumps([{"name": "Run it", **one} for one in plays]))
    return play(place, str(place / "play.yml"), answers, *arguments)


def read(folder):
    """Return the hosts of the report by name, and check it against its schema."""
    document = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return {host["name"]: host for host in document["hosts"]}


def failed(run):
    """Return the hosts that count as failed in the recap."""
    lines = [line.split() for line in run.output.split("PLAY RECAP")[1].splitlines()]
    return {words[0] for words in lines if "failed=1" in words}


FLEET = {
    "web1": answer(event(1), event(2)),
    "web2": answer(findings=[]),
    "db1": answer(findings=[HIGH]),
    "blind": answer(findings=[], events=None, unread=["kills"]),
    "broken": {"failed": True, "msg": "/proc cannot be read\nTraceback"},
    "fault": {"failed": True, "exception": "Traceback (most recent call last):\n  File\nKeyError: 'what_if'\n"},
    "forged": {"unreachable": True, "msg": "no route"},
    "empty": {},
    "gone": GONE,
    "typo": {"oom_report_fail": ["high"]},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    return folder, report(folder, FLEET, oom_report_fail_on="high")


def test_every_host_has_its_last_line(fleet):
    folder, run = fleet
    assert f"{folder}/report/oom-report.html: 10 hosts" in run.output, run.output[-3000:]
    lines = run.lines()
    assert lines.pop("gone").startswith("failed: unreachable: "), run.output[-3000:]
    assert lines.pop("fault").startswith("failed: the module broke off: ")
    assert lines == {
        "web1": "findings: 1 finding, 1 medium; 2 kills, 2 new",
        "web2": "no_findings: 0 findings; 0 kills",
        "db1": "findings: 1 finding, 1 high; 0 kills; failed by oom_report_fail_on: high",
        "blind": "no_findings: 0 findings; 0 kills; not read: the log, the kills since boot",
        "broken": "failed: /proc cannot be read",
        "forged": "failed: unreachable: no route; start the host, or correct its address or its login",
        "empty": "failed: the host returned something else than the module oom_report_host does",
        "typo": "failed: arguments: oom_report_fail: did you mean oom_report_fail_on?",
    }
    assert failed(run) == {"db1", "broken", "fault", "forged", "empty", "gone", "typo"}


def test_every_host_is_on_the_report(fleet):
    folder, _run = fleet
    hosts = read(folder)
    assert {name: host["state"] for name, host in hosts.items()} == {
        "web1": "ok",
        "web2": "ok",
        "db1": "ok",
        "blind": "ok",
        "broken": "failed",
        "fault": "failed",
        "forged": "unreachable",
        "empty": "failed",
        "gone": "unreachable",
        "typo": "failed",
    }
    assert hosts["blind"]["unread"] == ["log", "kills"]
    assert hosts["broken"]["reason"] == "/proc cannot be read"
    assert hosts["typo"]["reason"].startswith("this run wrote no record of the host")
    assert [kill["name"] for kill in hosts["web1"]["events"]] == ["java", "java"]
    with open(folder / "report" / "events.csv", encoding="utf-8", newline="") as stream:
        assert [row["host"] for row in csv.DictReader(stream)] == ["web1", "web1"]


def test_artifacts_name_the_files(fleet):
    folder, run = fleet
    files = [str(folder / "report" / name) for name in ("oom-report.html", "report.json", "events.csv")]
    assert run.artifacts["oomguard_report_0_files"] == files
    assert (run.artifacts["oomguard_report_0_failed"], run.artifacts["oomguard_report_0_findings"]) == (6, 2)


def test_page_has_every_host(fleet):
    """Look at the file alone: test_report_page.py and tests/browser test what it shows."""
    folder, _run = fleet
    page = (folder / "report" / "oom-report.html").read_text(encoding="utf-8")
    document = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert pack_document(document) in page and "Content-Security-Policy" in page


def test_results_are_small(fleet):
    """Find no posture and no kills of a host in what passes Ansible's queue."""
    _folder, run = fleet
    assert max(len(json.dumps(msg)) for _host, _task, msg in run.results) < 1000


def test_files_are_private(fleet):
    folder, _run = fleet
    for path in [folder / "report", *(folder / "report").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert len(list((folder / "report" / "history").glob("*.json"))) == len(FLEET) - 1


def test_second_run_shows_what_changed(tmp_path):
    policy = {**answer()["policy"], "live": {"vm.panic_on_oom": 1, "kernel.panic": 10}}
    first = report(tmp_path, {"web": answer(event(1)), "db": answer(event(1)), "gone": answer(event(1))})
    assert first.lines()["web"] == "findings: 1 finding, 1 medium; 1 kill, 1 new"
    seen = read(tmp_path)["web"]["findings"][0]["first_seen"]
    second = report(
        tmp_path,
        {"web": answer(event(1), event(2), policy=policy), "db": answer(), "gone": GONE},
        number=1,
    )
    assert second.lines()["web"] == "findings: 1 finding, 1 medium; 2 kills, 1 new; 1 change"
    assert second.lines()["db"] == "findings: 1 finding, 1 medium; 1 kill"
    hosts = read(tmp_path)
    assert [(one["what"], one["before"], one["after"]) for one in hosts["web"]["changes"]] == [
        ("sysctl vm.panic_on_oom live", "0", "1")
    ]
    assert (hosts["web"]["findings"][0]["first_seen"], hosts["db"]["changes"]) == (seen, [])
    assert hosts["gone"]["state"] == "unreachable" and len(hosts["gone"]["events"]) == 1


def test_check_mode_reads_and_writes_nothing(tmp_path):
    run = report(tmp_path, {"web": answer(event(1), findings=[])}, "--check")
    line = "no_findings: 0 findings; 1 kill, 1 new (check mode: no record was written)"
    assert run.lines() == {"web": line}, run.output[-3000:]
    told = run.message("web", "Write the report of all hosts")
    assert told == "check mode, so no report was written (hosts: 1)"
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("hosts", [{"a": GONE, "b": GONE}, {"a": FLEET["broken"]}], ids=["unreachable", "failed"])
def test_no_host_can_be_read(tmp_path, hosts):
    run = report(tmp_path, hosts)
    assert set(run.words().values()) == {"failed"} and failed(run) == set(hosts), run.output[-3000:]
    assert {host["state"] for host in read(tmp_path).values()} <= {"unreachable", "failed"}
    assert set(read(tmp_path)) == set(hosts)


def test_limit_keeps_the_others_on_the_report(tmp_path):
    hosts = {"a": answer(event(1)), "b": answer(event(2))}
    report(tmp_path, hosts)
    time.sleep(1)  # times are to the second
    report(tmp_path, {**hosts, "c": answer()}, "--limit", "b", number=1)
    assert {name: host["state"] for name, host in read(tmp_path).items()} == {"a": "ok", "b": "ok"}
    document = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [host["name"] for host in document["hosts"] if host["read"] >= document["started"]] == ["b"]


ROLE = {
    "hosts": "all",
    "gather_facts": False,
    "tasks": [{"name": "Report", "ansible.builtin.import_role": {"name": "oomguard.linux.oom_report"}}],
}


def test_role_in_batches(tmp_path):
    """The report after the last batch has all hosts, and says of none that it was not read."""
    hosts = {"a": answer(event(1)), "b": GONE, "c": answer(findings=[HIGH]), "d": answer(), "e": FLEET["broken"]}
    run = report(
        tmp_path, hosts, playbook=[{**ROLE, "serial": 2, "max_fail_percentage": 100}], oom_report_fail_on=["high"]
    )
    assert failed(run) == {"b", "c", "e"}, run.output[-3000:]
    states = {name: host["state"] for name, host in read(tmp_path).items()}
    assert states == {"a": "ok", "b": "unreachable", "c": "ok", "d": "ok", "e": "failed"}
    assert not [
        host for host in read(tmp_path).values() if "this run" in host["reason"] or "the play" in host["reason"]
    ]


def test_a_play_that_ends_before_all_batches(tmp_path):
    """All hosts of a batch fail, so Ansible ends the play. The others have no lines to look at."""
    run = report(tmp_path, {"a": answer(), "b": FLEET["broken"], "c": answer()}, playbook=[{**ROLE, "serial": 1}])
    found = {name: (host["state"], host["reason"]) for name, host in read(tmp_path).items()}
    assert found["a"] == ("ok", ""), run.output[-3000:]
    assert found["b"] == ("failed", "/proc cannot be read")
    assert found["c"][0] == "failed" and found["c"][1].startswith("the play had not come to this host when the report")


def test_a_folder_of_its_own_is_refused(tmp_path):
    """Only the folder of the first host gets a report, so the others would be lost."""
    hosts = {
        "a": answer(event(1)),
        "b": {"oom_report_dir": str(tmp_path / "other")},
        "c": {"oom_report_history": "kept"},
    }
    run = report(tmp_path, {**hosts, "d": {"oom_report_dir": str(tmp_path / "x" / ".." / "report")}})
    lines = run.lines()
    wrong = (
        "for the first host, and a play writes one report: set the same for all hosts, or use a play for each folder"
    )
    assert lines["b"] == f"failed: report: oom_report_dir={tmp_path}/other is {tmp_path}/report {wrong}", run.output[
        -3000:
    ]
    assert lines["c"] == f"failed: report: oom_report_history=kept is {tmp_path}/report/history {wrong}"
    assert failed(run) == {"b", "c"}
    found = read(tmp_path)
    assert {name: host["state"] for name, host in found.items()} == {"a": "ok", "b": "failed", "c": "failed", "d": "ok"}
    assert found["b"]["reason"].endswith("see its lines in the output of the play")
    assert not (tmp_path / "other").exists() and not list(tmp_path.rglob("kept"))


def test_each_play_has_its_folder(tmp_path):
    """Also with batches, and under one name: the folders of a play are those of its first host."""
    hosts = {"a": answer(event(1)), "b": answer(event(2)), "c": answer(event(3))}
    plays = [
        {**ROLE, "hosts": hosts, "serial": 1, "vars": {"oom_report_dir": str(tmp_path / folder)}}
        for folder, hosts in (("report", "a,b"), ("second", "b,c"), ("report", "c"))
    ]
    run = report(tmp_path, hosts, playbook=plays)
    assert failed(run) == set(), run.output[-3000:]
    assert {name: host["state"] for name, host in read(tmp_path).items()} == dict.fromkeys("abc", "ok")
    second = json.loads((tmp_path / "second" / "report.json").read_text(encoding="utf-8"))
    assert [host["name"] for host in second["hosts"]] == ["b", "c"]


def test_role_refuses_wrong_variables(tmp_path):
    run = report(tmp_path, {"a": answer()}, playbook=[ROLE], oom_report_mode="0666", oom_report_dirr="x")
    assert "oom_report_mode=0666 is not possible: set 0600, 0640 or 0644, in quotes" in run.output.replace("\n", " ")
    assert "oom_report_dirr: did you mean oom_report_dir?" in run.output
    assert not (tmp_path / "report").exists()


def test_another_mode_and_history(tmp_path):
    history = str(tmp_path / "kept")
    report(tmp_path, {"a": answer()}, oom_report_mode="0644", oom_report_history=history)
    assert stat.S_IMODE((tmp_path / "report" / "report.json").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o755
    assert os.listdir(history) and stat.S_IMODE(os.stat(history).st_mode) == 0o700
    assert not (tmp_path / "report" / "history").exists()


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report").chmod(0o777)
    run = report(tmp_path, {"a": answer(), "b": GONE}, oom_report_history=str(tmp_path / "history"))
    line = f"failed: arguments: oom_report_dir={tmp_path}/report: other users may write to the folder "
    assert run.lines()["a"].startswith(line), run.output[-3000:]
    assert failed(run) == {"a", "b"}
    assert os.listdir(tmp_path / "report") == [] and not (tmp_path / "history").exists()


def test_a_host_cannot_choose_a_folder(tmp_path):
    """Facts of a host become variables, and would come before the inventory."""
    steps = [{"name": "Ask", "ansible.builtin.ping": {}}, *ROLE["tasks"]]
    place = tmp_path / "run"
    place.mkdir()
    (place / "play.yml").write_text(json.dumps([{**ROLE, "name": "Run it", "tasks": steps}]))
    hosts = {"a": {"oom_report_host": answer(), **facts(oom_report_history=str(tmp_path / "escaped"))}}
    run = play(place, str(place / "play.yml"), hosts)
    assert (
        "the host returned a fact named oom_report_history, and a host must not choose a folder"
        in run.output.replace("\n", " ")
    ), run.output[-3000:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


# Those that Ansible itself could act upon, or break at; test_report_answer.py has all of them.
STEERING_TEXTS = ("template", "jinja", "escape", "nul", "bidi", "separator", "emoji", "long", "list")


def test_hostile_hosts(tmp_path):
    """No answer steers Ansible, evaluates a template, or makes a run fail for the others."""
    hosts = {name: {**answer(event(1, text=HOSTILE[name]), msg=HOSTILE[name]), **STEERING} for name in STEERING_TEXTS}
    hosts["everywhere"] = poison(answer(event(1)), HOSTILE["template"])
    hosts["honest"] = answer(event(1))
    run = report(tmp_path, hosts)
    found = read(tmp_path)
    states = {name: host["state"] for name, host in found.items()}
    assert states == dict.fromkeys(hosts, "ok"), run.output[-3000:]
    assert set(run.artifacts) == {f"oomguard_report_0_{key}" for key in ("files", "hosts", "findings", "no_findings")}
    texts = (tmp_path / "report" / "report.json").read_text(encoding="utf-8")
    assert not {"\x1b", "\x00", "\u202e", "\u2028"} & set(texts)


def test_hosts_with_odd_names(tmp_path):
    """Each has a file and a row of its own, and none leaves the folder."""
    names = [
        "../../escaped",
        "a b",
        "A B",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "\u202egro.live",
        "x" * 400,
    ]
    run = report(tmp_path, {name: answer(event(number)) for number, name in enumerate(names)})
    assert set(run.lines()) == set(names), run.output[-3000:]
    found = read(tmp_path)
    assert len(found) == len(names) and {host["state"] for host in found.values()} == {"ok"}
    kills = [one["id"] for host in found.values() for one in host["events"]]
    assert len(set(kills)) == len(names)
    assert len(list((tmp_path / "report" / "history").glob("*.json"))) == len(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "run-0"]


# What a host prints in place of JSON that Python would write.
STRANGE = {
    "huge": f'{{"policy": {{}}, "findings": [], "unlogged_kills": {"9" * 10_000}}}',
    "infinity": '{"policy": {}, "findings": [], "unlogged_kills": 1e999999}',
    "nan": '{"policy": {}, "findings": [], "unlogged_kills": NaN}',
    "deep": f'{{"policy": {{}}, "findings": {"[" * 50_000 + "]" * 50_000}}}',
    "twice": '{"policy": {}, "policy": [], "findings": []}',
    "text": "no JSON",
    "nothing": "",
    "list": "[]",
    "megabytes": json.dumps(answer(*(event(n, text="x" * 5000) for n in range(2000)))),
    "surrogate": '{"policy": {"live": {}}, "findings": [], "lost": ["\\ud800"]}',
}


def test_strange_texts(tmp_path):
    """JSON that nobody can read is a failure of that host, with its last line."""
    run = report(tmp_path, STRANGE)
    states = {name: host["state"] for name, host in read(tmp_path).items()}
    states.pop("surrogate")  # some versions of ansible-core refuse it
    assert [name for name in states if states[name] == "ok"] == ["infinity", "megabytes", "nan"]
    assert set(run.lines()) == set(STRANGE), run.output[-3000:]
    assert read(tmp_path)["text"]["reason"].endswith("; the host printed: no JSON")
    assert run.lines()["text"].endswith("; the host printed: no JSON")
    assert len(read(tmp_path)["megabytes"]["events"]) > 50
    assert (tmp_path / "report" / "history" / "megabytes.json").stat().st_size <= 256 * 1024
