# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a user gains nothing. The id of each attack is the name of its script in files/."""

import hashlib
import json
import os
import re

import pytest

testinfra_hosts = ["ansible://all"]

# Controls that must not reach a terminal, and lone surrogates, which stand for bytes.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")
FORGED_PID = 424242


@pytest.fixture(scope="module")
def saved(host):
    """Return a function that returns the results that one play has saved for this host."""
    name = host.backend.get_hostname()

    def load(part):
        path = os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", f"{name}.{part}.json")
        with open(path) as stream:
            return json.load(stream)

    return load


def load_trial(host, folder):
    """Return the evidence of the last trial on this host whose evidence is in this folder."""
    path = os.path.join("evidence", folder, f"{host.backend.get_hostname()}.json")
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], path)) as stream:
        return json.load(stream)


def report(result):
    """Return what an attack has reported; fail if it did not even start."""
    assert result["rc"] == 0, result["stderr"]
    return json.loads(result["stdout"])


def succeeded(result):
    """Return whether a module call gave an answer that is not a failure."""
    return not result.get("failed")


def refused(result):
    """Return whether a module call ended with a sentence: in time, and without a traceback."""
    words = json.dumps([result.get("msg"), result.get("exception"), result.get("module_stderr")])
    return bool(result.get("failed")) and not re.search(
        "Traceback|MODULE FAILURE|Timed out|timed out|See stdout", words
    )


def answered(result):
    """Return whether a module call gave an answer, or a refusal with a sentence."""
    return succeeded(result) or refused(result)


def pids_of(result):
    """Return the pids that a call has written to."""
    return {process["pid"] for target in result.get("targets", []) for process in target["processes"]}


# --- A: names, pid files, containers ------------------------------------------------


class TestIdentity:
    """A: what selects a process is not what a user calls it."""

    @pytest.fixture
    def identity(self, saved):
        return saved("identity")

    @pytest.fixture
    def attacks(self, identity):
        return {name: report(result) for name, result in zip(("A2", "A3", "A4", "A5"), identity["named"]["results"])}

    @pytest.fixture
    def selected(self, identity):
        """Return the calls by selector and score."""
        calls = {}
        for result in identity["selected"]["results"]:
            item = dict(result["item"])
            key = next(key for key in ("container", "pidfile", "process", "pattern") if key in item)
            calls[f"{key}={os.path.basename(item[key])}", item["score"]] = result
        return calls

    def test_a1_cgroup_with_a_second_line(self, identity):
        report(identity["A1"])
        assert succeeded(identity["A1_reset"])
        assert identity["scores"]["jobs"] == -300
        assert identity["scores"]["A1.pid"] in (0, 100, 200)  # what systemd gives to services of users, or the kernel

    @pytest.mark.parametrize(
        "name, selector, score",
        [
            ("batch", "batch", -900),
            ("superbatch", "superbatch", -901),
            ("batch", hashlib.sha256(b"batch").hexdigest(), -902),
        ],
    )
    def test_a2_container_of_a_user(self, attacks, selected, identity, name, selector, score):
        call = selected[f"container={selector}", score]
        assert answered(call)
        assert attacks["A2"][name]["pid"] not in pids_of(call)
        assert identity["scores"][f"A2.{name}.pid"] >= 0

    def test_a3_container_of_root_that_runs(self, identity, attacks, selected):
        assert identity["real"]["rc"] == 0, identity["real"]["stderr"]
        call = selected["container=real", -500]
        assert succeeded(call)
        assert int(identity["real"]["stdout_lines"][-1]) in pids_of(call)
        assert attacks["A3"]["pid"] not in pids_of(call)
        assert identity["scores"]["A3.pid"] >= 0

    def test_a3_container_of_root_that_is_gone(self, identity, attacks):
        assert refused(identity["A3_gone"])
        assert identity["scores_after"]["A3.pid"] >= 0

    @pytest.mark.parametrize("name, score", [("own", -910), ("squared", -912), ("fifo", -913), ("stale", -914)])
    def test_a4_pid_file(self, selected, identity, name, score):
        call = selected[f"pidfile={name}.pid", score]
        assert answered(call), call.get("msg")
        assert pids_of(call) == set()
        assert identity["scores"]["A4.pid"] >= 0
        assert identity["scores"]["A4.stale_pid"] >= 0

    def test_a4_pid_of_root_in_a_file_of_a_user(self, selected, identity):
        assert answered(selected["pidfile=root.pid", 1000])
        assert identity["scores"]["target"] == 0

    @pytest.mark.parametrize("selector, score", [("process=containerd", -920), ("pattern=dockerd", -921)])
    def test_a5_name_of_a_daemon(self, attacks, selected, selector, score):
        call = selected[selector, score]
        assert answered(call)
        assert not pids_of(call) & set(attacks["A5"]["pids"].values())

    @pytest.mark.parametrize("name", ["dockerd", "mysqld"])
    def test_a5_profiles(self, identity, name):
        assert identity["scores_after"][f"A5.pids.{name}"] >= 0

    def test_a5_what_was_passed_over_is_reported(self, selected):
        [target] = selected["process=containerd", -920]["targets"]
        assert target["skipped_foreign"]

    def test_a5_on_purpose(self, attacks, selected):
        call = selected["process=containerd", -922]
        assert pids_of(call) == {attacks["A5"]["pids"]["containerd"]}

    def test_rootless_container(self, identity, selected):
        """A container of a user is selected only with that user in users."""
        if identity["rootless"]["rc"] != 0:
            pytest.skip(f"podman did not run without root: {identity['rootless']['stderr'][-300:]}")
        pid = int(identity["rootless"]["stdout_lines"][-1])
        assert answered(selected["container=own", -923])
        assert pids_of(selected["container=own", -923]) == set()
        assert pid in pids_of(selected["container=own", -924])


# --- B: runs that hang or are refused -----------------------------------------------


class TestHindrance:
    """B: no process, cgroup or lock of a user keeps root from its work."""

    @pytest.fixture
    def hindrance(self, saved):
        return saved("hindrance")

    @pytest.mark.parametrize("call", [0, 1])
    def test_b1_endless_arguments(self, hindrance, call):
        report(hindrance["B1"])
        assert succeeded(hindrance["B1_calls"]["results"][call])

    def test_b2_parent_that_waits_in_vfork(self, hindrance):
        """The process cannot be proven to have the score, and yet the daemon of root is pinned."""
        report(hindrance["B2"])
        call = hindrance["B2_call"]
        assert succeeded(call), call.get("msg")
        assert [process["after"] for process in call["targets"][0]["processes"]] == [-202]

    def test_b3_fuse(self, hindrance):
        if not report(hindrance["B3_B4"]["results"][0])["mounted"]:
            pytest.skip("the user could not mount a file system (fuse)")

    @pytest.mark.parametrize("call", [0, 1, 2])
    def test_b3_names_and_b4_depth(self, hindrance, call):
        for attack in hindrance["B3_B4"]["results"]:
            report(attack)
        assert succeeded(hindrance["B3_calls"]["results"][call]), hindrance["B3_calls"]["results"][call].get("msg")

    def test_b3_b4_events(self, hindrance):
        assert succeeded(hindrance["B3_events"]), hindrance["B3_events"].get("msg")

    def test_b3_b4_policy(self, hindrance):
        assert answered(hindrance["B3_policy"]), hindrance["B3_policy"].get("msg")

    @pytest.mark.parametrize("call", [0, 1, 2, 3])
    def test_b5_lock_kubelet_and_killer(self, hindrance, call):
        report(hindrance["B5"])
        assert succeeded(hindrance["B5_overcommit"]["results"][call]), hindrance["B5_overcommit"]["results"][call].get(
            "msg"
        )

    def test_b5_process_called_sshd(self, hindrance):
        assert succeeded(hindrance["B5_pin"]), hindrance["B5_pin"].get("msg")


# --- C, G: evidence and messages ----------------------------------------------------


class TestEvidence:
    """C: a forged kill is not trusted, and a real one is neither hidden nor blamed on others."""

    @pytest.fixture
    def evidence(self, saved):
        return saved("evidence")

    @pytest.mark.parametrize("source", [0, 1])
    def test_c1_cgroup_with_the_words_of_a_kill(self, evidence, source):
        facts = report(evidence["forged"]["results"][0])
        call = evidence["C_events"]["results"][source]
        assert succeeded(call), call.get("msg")
        [event] = [one for one in call["events"] if any(victim["pid"] == facts["pid"] for victim in one["victims"])]
        [victim] = event["victims"]
        assert (event["trusted"], event["constraint"]) == (True, "memcg")
        assert victim["unit"] != "mysql.service"
        assert victim["cgroup"] in (facts["cgroup"], None)
        assert event["memcg"] is None or event["memcg"]["path"] in (facts["cgroup"], None)

    @pytest.mark.parametrize("source", [0, 1, 2, 3])
    def test_c2_forged_kills(self, evidence, source):
        report(evidence["forged"]["results"][1])
        call = evidence["C_events"]["results"][source]
        assert succeeded(call), call.get("msg")
        forged = [one for one in call["events"] if any(victim["pid"] == FORGED_PID for victim in one["victims"])]
        assert forged or source < 2  # they reached the files, with untrusted=true they are returned
        assert [one for one in forged if one["trusted"]] == []

    def test_c3_kill_in_a_cgroup_that_is_not_text(self, evidence):
        pid = report(evidence["C3"])["pid"]
        assert succeeded(evidence["C3_events"]), evidence["C3_events"].get("msg")
        assert pid in {victim["pid"] for event in evidence["C3_events"]["events"] for victim in event["victims"]}

    def test_c4_kills_elsewhere_during_a_trial(self, host, saved):
        report(saved("evidence")["C4"])
        trial = load_trial(host, "C4")
        assert trial["verdict"] == "proven", trial["reasons"]

    def test_g_policy(self, evidence):
        assert answered(evidence["G_policy"]), evidence["G_policy"].get("msg")
        assert answered(evidence["G_pin"]), evidence["G_pin"].get("msg")


@pytest.mark.parametrize("part", ["identity", "hindrance", "evidence", "crowd"])
def test_g_messages_are_printable(saved, part):
    """No text that a module returns changes an administrator's terminal."""
    found = []

    def visit(value, where):
        if isinstance(value, dict):
            for key, one in value.items():
                if key not in ("item", "invocation", "stdout", "stderr", "stdout_lines", "stderr_lines", "cmd"):
                    visit(key, where)
                    visit(one, f"{where}.{key}")
        elif isinstance(value, list):
            for number, one in enumerate(value):
                visit(one, f"{where}[{number}]")
        elif isinstance(value, str) and UNPRINTABLE.search(value):
            found.append((where, value))

    visit(saved(part), part)
    assert found == []


# --- fifty of each kind -------------------------------------------------------------


class TestCrowd:
    """Fifty hostile processes and cgroups of each kind change no result; their cost is printed."""

    @pytest.fixture
    def crowd(self, saved):
        return saved("crowd")

    def test_same_state(self, crowd):
        assert crowd["state"]["crowded"] == crowd["state"]["quiet"]

    def test_same_events(self, crowd):
        quiet, crowded = (crowd["events"][name]["events"] for name in ("quiet", "crowded"))
        assert [event["id"] for event in crowded] == [event["id"] for event in quiet]
        assert crowded == quiet

    @pytest.mark.parametrize("name", ["quiet", "crowded"])
    def test_same_verdict(self, host, name):
        assert load_trial(host, name)["verdict"] == "proven"

    def test_cost(self, host, crowd, capsys):
        with capsys.disabled():
            for name, (quiet, crowded) in crowd["seconds"].items():
                quiet, crowded = float(quiet), float(crowded)
                ratio = crowded / quiet
                where = f"{host.backend.get_hostname()}: {name}"
                print(f"\n{where} takes {quiet:.1f} s, in the crowd {crowded:.1f} s: {ratio:.2f} times")
