# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the verdicts of oom_verify for a host that ran out of memory.

The variables of the role are evaluated by Ansible's own templar.
"""

import inspect
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.unsafe_proxy import wrap_var
from remedies import find_remedy

ROLE = Path(__file__).resolve().parents[2] / "roles" / "oom_verify"

RESULTS = {
    "oom_verify_scope": "panic",
    "oom_verify_timeout": "60",
    "ansible_check_mode": False,
    "oom_verify_hog_path": "",
    "__oom_verify_folder": {"path": "/tmp/x"},
    "__oom_verify_policy": {
        "stdout_lines": ["1", "0", "10", "fi-rst", "6.1.0-50-amd64", "0", "host", "1"],
        "stderr": "",
        "msg": "",
    },
    "__oom_verify_boot_after": {"stdout": "sec-ond"},
    "__oom_verify_reboot": {"elapsed": 42, "rebooted": True},
    "__oom_verify_pstore": {"pstore_backend": None, "events": []},
    "__oom_protect_result": {"changed": False, "targets": [{"target": "unit=docker.service", "changed": False}]},
    "__oom_panic_result": {
        "changed": False,
        "before": {"live": {"vm.panic_on_oom": 1}},
        "after": {"live": {"vm.panic_on_oom": 1}},
    },
    "__oom_overcommit_result": {"changed": False, "skipped": True},
}
TIMED_OUT = {"elapsed": 97, "rebooted": True, "msg": "Timed out waiting for last boot time check (timeout=60)"}


def evaluate(template, results):
    loader = DataLoader()
    # Before ansible-core 2.19, every text may be a template, except what a host has returned.
    known = inspect.signature(loader.load_from_file).parameters
    trust = {"trusted_as_template": True} if "trusted_as_template" in known else {}
    role = loader.load_from_file(str(ROLE / "vars" / "main.yml"), **trust)
    return Templar(loader=loader, variables={**role, **wrap_var(results)}).template(role[template])


def pstore(name, outcome="panic"):
    return {"pstore_backend": "ramoops", "events": [{"outcome": outcome, "tasks": [{"name": name}]}]}


def evidence_for(**results):
    """Return the stored evidence for results that differ from RESULTS."""
    results = {**RESULTS, **{"__oom_" + name: value for name, value in results.items()}}
    outcome = evaluate("__oom_verify_panic_outcome", results)
    return {
        "outcome": outcome,
        **evaluate("__oom_verify_panic_facts", results),
        **evaluate("__oom_verify_panic_verdict", results),
        **evaluate("__oom_verify_panic_report", results),
    }


def verdict_for(**results):
    """Return the outcome, the verdict and the joined reasons."""
    evidence = evidence_for(**results)
    assert evidence["msg"] == f"{evidence['verdict']}: {evidence['reasons'][0]}"
    assert evidence["report"] == [evidence["msg"], *evidence["reasons"][1:]]
    if evidence["verdict"] != "proven":
        assert find_remedy(evidence["reasons"][0]), evidence["reasons"]
    return evidence["outcome"], evidence["verdict"], "; ".join(evidence["reasons"])


def test_panic_in_pstore_is_proven():
    hog = evaluate("__oom_verify_panic_hog", RESULTS)
    assert len(hog.encode()) <= 15
    outcome, verdict, reasons = verdict_for(verify_pstore=pstore(hog))
    assert (outcome, verdict) == ("panic", "proven")
    assert "back after 42 s" in reasons and "pstore has the record of the panic" in reasons and hog in reasons
    evidence = evidence_for(verify_pstore=pstore(hog))
    assert evidence["event"]["tasks"] == [{"name": hog}]
    assert (evidence["boot_id"], evidence["boot_id_after"]) == ("first", "second")
    assert evidence["kernel"] == "6.1.0-50-amd64"
    assert evidence["back_after_s"] == 42
    assert evidence["policy"] == {"vm.panic_on_oom": 1, "vm.overcommit_memory": 0, "kernel.panic": 10}


def test_boot_id_is_evidence_without_pstore():
    outcome, verdict, reasons = verdict_for()
    assert (outcome, verdict) == ("no_pstore", "proven")
    assert "this host has no pstore" in reasons
    assert evidence_for()["event"] is None


@pytest.mark.parametrize(
    "found",
    [pstore("oomguard-other"), {"pstore_backend": "efi_pstore", "events": []}],
    ids=["another panic", "empty"],
)
def test_pstore_without_this_panic_is_inconclusive(found):
    outcome, verdict, reasons = verdict_for(verify_pstore=found)
    assert (outcome, verdict) == ("no_evidence", "inconclusive")
    assert found["pstore_backend"] in reasons


def test_kill_is_not_a_panic():
    hog = evaluate("__oom_verify_panic_hog", RESULTS)
    assert verdict_for(verify_pstore=pstore(hog, outcome="kill"))[0] == "no_evidence"


@pytest.mark.parametrize("reboot", [TIMED_OUT, {"elapsed": 60}, {}], ids=["timed out", "waited", "no reason"])
def test_same_boot_is_refuted(reboot):
    outcome, verdict, reasons = verdict_for(verify_boot_after={"stdout": "fi-rst"}, verify_reboot=reboot)
    assert (outcome, verdict) == ("no_reboot", "refuted")
    assert "did not reboot within 60 s" in reasons and reboot.get("msg", "no reason was reported") in reasons


@pytest.mark.parametrize(
    "reboot, reason",
    [
        (TIMED_OUT, TIMED_OUT["msg"]),
        (
            {"elapsed": 60, "msg": "Timed out waiting for post-reboot test command (timeout=60)"},
            "post-reboot test command",
        ),
        ({"elapsed": 61}, "it took 61 s"),
        ({"msg": "the wait itself broke"}, "the wait itself broke"),
    ],
    ids=["timed out", "timed out at the bound", "took longer", "no time"],
)
@pytest.mark.parametrize("in_pstore", [True, False])
def test_late_host_is_refuted(reboot, reason, in_pstore):
    found = pstore(evaluate("__oom_verify_panic_hog", RESULTS)) if in_pstore else RESULTS["__oom_verify_pstore"]
    outcome, verdict, reasons = verdict_for(verify_reboot=reboot, verify_pstore=found)
    assert (outcome, verdict) == ("late", "refuted")
    assert "not back within 60 s" in reasons and reason in reasons


def test_template_in_a_message_stays_text():
    reasons = verdict_for(verify_boot_after={"stdout": "fi-rst"}, verify_reboot={"msg": "{{ 7 * 7 }}"})[2]
    assert "s ({{ 7 * 7 }}): look at its console" in reasons


def test_host_back_at_the_timeout_is_proven():
    assert verdict_for(verify_reboot={"elapsed": 60})[1] == "proven"


def sysctls(before, after):
    return {"changed": True, "before": {"live": before}, "after": {"live": after}}


PINS = {
    "changed": True,
    "targets": [{"target": "unit=docker.service", "changed": True}, {"target": "process=cron", "changed": False}],
}
SET = sysctls({"vm.panic_on_oom": 0, "kernel.panic": 10}, {"vm.panic_on_oom": 1, "kernel.panic": 10})
FILE = sysctls({"vm.overcommit_memory": 0}, {"vm.overcommit_memory": 0})
REFUSED = {"failed": True, "changed": False, "msg": "the host would hang"}


@pytest.mark.parametrize(
    "results, differs",
    [
        ({"protect_result": PINS}, ["oom_protect", "unit=docker.service"]),
        ({"panic_result": SET}, ["oom_panic", "vm.panic_on_oom"]),
        ({"overcommit_result": FILE}, ["oom_overcommit"]),
        ({"panic_result": REFUSED}, ["the host would hang"]),
        (
            {"protect_result": PINS, "panic_result": SET},
            ["oom_protect", "oom_panic", "unit=docker.service", "vm.panic_on_oom"],
        ),
    ],
    ids=["pins", "sysctls", "only a file", "refused", "both"],
)
@pytest.mark.parametrize("in_pstore", [True, False])
def test_changed_host_is_refuted_with_names(results, differs, in_pstore):
    found = pstore(evaluate("__oom_verify_panic_hog", RESULTS)) if in_pstore else RESULTS["__oom_verify_pstore"]
    outcome, verdict, reasons = verdict_for(verify_pstore=found, **results)
    assert (outcome, verdict) == ("not_as_declared", "refuted")
    assert ", ".join(differs) in reasons
    assert evidence_for(**results)["not_as_declared"] == differs


def test_host_without_declarations_is_as_declared():
    skipped = {"changed": False, "skipped": True}
    evidence = evidence_for(protect_result={"changed": False, "targets": []}, panic_result=skipped)
    assert (evidence["verdict"], evidence["not_as_declared"]) == ("proven", [])


def test_unreachable_host_is_refuted_with_evidence():
    away = {"unreachable": True, "changed": False, "msg": "Failed to connect to the host via ssh: No route to host"}
    results = {
        "verify_boot_after": away,
        "verify_reboot": TIMED_OUT,
        "verify_pstore": {"changed": False, "skipped": True},
    }
    outcome, verdict, reasons = verdict_for(**results)
    assert (outcome, verdict) == ("not_back", "refuted")
    assert "did not come back within 60 s" in reasons and "No route to host" in reasons
    evidence = evidence_for(**results)
    assert (evidence["boot_id"], evidence["boot_id_after"]) == ("first", None)
    assert [evidence[name] for name in ("not_as_declared", "pstore_backend", "event")] == [None] * 3


@pytest.mark.parametrize(
    "name", ["verify_pstore", "protect_result", "panic_result", "overcommit_result", "verify_script"]
)
def test_no_verdict_for_a_host_that_is_lost_after_it_came_back(name):
    """Without its answer, it would count as one without pstore, or as declared."""
    away = {"unreachable": True, "changed": False, "msg": "no route"}
    assert evaluate("__oom_verify_lost", RESULTS) == []
    assert evaluate("__oom_verify_lost", {**RESULTS, f"__oom_{name}": away}) == [away]


# --- what is refused before the panic -----------------------------------------------


LINES = RESULTS["__oom_verify_policy"]["stdout_lines"]
REFUSALS = {
    "nothing": ({}, ""),
    "a crash kernel reboots": ({2: "0", 5: "1"}, ""),
    "the sysctls cannot be read": (None, "its sysctls cannot be read (no such file): add become: true"),
    "a container": (
        {6: "container"},
        "it is a container, which cannot panic and reboot: run the trial on the host itself",
    ),
    "no panic": (
        {0: "0"},
        "vm.panic_on_oom is 0, so it would not panic: apply oom_panic with oom_panic_on_oom=panic first",
    ),
    "no memory": (
        {1: "2"},
        "vm.overcommit_memory is 2, so memory would be refused: apply oom_overcommit with oom_overcommit_mode=heuristic"
        " first",
    ),
    "no reboot": (
        {2: "0"},
        "kernel.panic is 0, so it would hang after the panic: apply oom_panic with oom_panic_reboot_after first",
    ),
    "a late reboot": (
        {2: "60"},
        "kernel.panic is 60, so it would not be back within 60 s: set a longer oom_verify_timeout",
    ),
    "the program does not start": (
        {7: "0"},
        "the program does not run here (no such file): set oom_verify_hog_path to oom_hog, built for this host",
    ),
}


@pytest.mark.parametrize("changes, refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_refuse_with_three_parts(changes, refusal):
    lines = [] if changes is None else [changes.get(number, line) for number, line in enumerate(LINES)]
    policy = {"stdout_lines": lines, "stderr": "no such file", "msg": ""}
    assert evaluate("__oom_verify_panic_refusal", {**RESULTS, "__oom_verify_policy": policy}) == refusal
    assert find_remedy(refusal) or not refusal


def test_a_check_says_that_a_run_would_fail():
    assert evaluate("__oom_verify_would_fail", RESULTS) == ""
    assert evaluate("__oom_verify_would_fail", {**RESULTS, "ansible_check_mode": True}) == "would fail: "
