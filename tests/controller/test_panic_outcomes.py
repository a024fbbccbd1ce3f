# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What oom_verify makes of what its tasks saw when a host ran out of memory: its variables are evaluated as Ansible does."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).resolve().parents[2] / "roles" / "oom_verify"

SEEN = {
    "oom_verify_scope": "panic",
    "oom_verify_timeout": "60",
    "__oom_verify_policy": {"stdout_lines": ["1", "0", "10", "0"]},
    "__oom_verify_boot_before": {"stdout": "first"},
    "__oom_verify_boot_after": {"stdout": "second"},
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


def evaluate(template, seen):
    loader = DataLoader()
    role = loader.load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)
    return Templar(loader=loader, variables={**role, **seen}).template(role[template])


def pstore(name, outcome="panic"):
    return {"pstore_backend": "ramoops", "events": [{"outcome": outcome, "tasks": [{"name": name}]}]}


def trial(**seen):
    """What is stored as evidence, when tasks saw something else than SEEN."""
    seen = {**SEEN, **{"__oom_" + name: value for name, value in seen.items()}}
    outcome = evaluate("__oom_verify_panic_outcome", seen)
    return {
        "outcome": outcome,
        **evaluate("__oom_verify_panic_facts", seen),
        **evaluate("__oom_verify_panic_verdicts", seen)[outcome],
    }


def told(**seen):
    """The outcome, the verdict and its reasons."""
    judged = trial(**seen)
    assert judged["report"] == judged["reasons"]
    return judged["outcome"], judged["verdict"], "; ".join(judged["reasons"])


def test_a_panic_that_pstore_has_is_proven():
    hog = evaluate("__oom_verify_panic_hog", SEEN)
    assert len(hog.encode()) <= 15
    outcome, verdict, reasons = told(verify_pstore=pstore(hog))
    assert (outcome, verdict) == ("panic", "proven")
    assert "back after 42 s" in reasons and "pstore has the panic" in reasons and hog in reasons
    evidence = trial(verify_pstore=pstore(hog))
    assert evidence["event"]["tasks"] == [{"name": hog}]
    assert evidence["boot_id"] == {"before": "first", "after": "second"}
    assert evidence["back_after_s"] == 42
    assert evidence["policy"] == {"vm.panic_on_oom": 1, "vm.overcommit_memory": 0, "kernel.panic": 10}


def test_without_pstore_the_boot_id_is_evidence_and_that_is_said():
    outcome, verdict, reasons = told()
    assert (outcome, verdict) == ("no_pstore", "proven")
    assert "there is no pstore on this host" in reasons
    assert trial()["event"] is None


@pytest.mark.parametrize(
    "seen",
    [pstore("oomguard-other"), {"pstore_backend": "efi_pstore", "events": []}],
    ids=["of another panic", "of nothing"],
)
def test_a_pstore_that_tells_of_something_else_is_inconclusive(seen):
    outcome, verdict, reasons = told(verify_pstore=seen)
    assert (outcome, verdict) == ("no_evidence", "inconclusive")
    assert seen["pstore_backend"] in reasons


def test_a_kill_is_no_panic():
    assert told(verify_pstore=pstore(evaluate("__oom_verify_panic_hog", SEEN), outcome="kill"))[0] == "no_evidence"


@pytest.mark.parametrize("reboot", [TIMED_OUT, {"elapsed": 60}, {}], ids=["timed out", "waited", "nothing known"])
def test_the_same_boot_is_refuted(reboot):
    outcome, verdict, reasons = told(verify_boot_after={"stdout": "first"}, verify_reboot=reboot)
    assert (outcome, verdict) == ("no_reboot", "refuted")
    assert "did not reboot within 60 s" in reasons and reboot.get("msg", "nothing else is known") in reasons


@pytest.mark.parametrize(
    "reboot, why",
    [
        (TIMED_OUT, TIMED_OUT["msg"]),
        (
            {"elapsed": 60, "msg": "Timed out waiting for post-reboot test command (timeout=60)"},
            "post-reboot test command",
        ),
        ({"elapsed": 61}, "it took 61 s"),
        ({"msg": "the wait itself broke"}, "the wait itself broke"),
    ],
    ids=["timed out", "timed out at the bound", "took longer", "no time is known"],
)
@pytest.mark.parametrize("evidence", [True, False])
def test_a_host_that_is_back_too_late_is_refuted(reboot, why, evidence):
    seen = pstore(evaluate("__oom_verify_panic_hog", SEEN)) if evidence else SEEN["__oom_verify_pstore"]
    outcome, verdict, reasons = told(verify_reboot=reboot, verify_pstore=seen)
    assert (outcome, verdict) == ("late", "refuted")
    assert "not back within 60 s" in reasons and why in reasons


def test_a_host_that_is_back_just_in_time_is_proven():
    assert told(verify_reboot={"elapsed": 60})[1] == "proven"


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
    "asked, differs",
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
@pytest.mark.parametrize("evidence", [True, False])
def test_a_host_that_came_back_changed_is_refuted_by_name(asked, differs, evidence):
    seen = pstore(evaluate("__oom_verify_panic_hog", SEEN)) if evidence else SEEN["__oom_verify_pstore"]
    outcome, verdict, reasons = told(verify_pstore=seen, **asked)
    assert (outcome, verdict) == ("not_as_declared", "refuted")
    assert ", ".join(differs) in reasons
    assert trial(**asked)["not_as_declared"] == differs


def test_a_host_of_which_nothing_is_declared_is_as_declared():
    skipped = {"changed": False, "skipped": True}
    evidence = trial(protect_result={"changed": False, "targets": []}, panic_result=skipped)
    assert (evidence["verdict"], evidence["not_as_declared"]) == ("proven", [])


def test_a_host_that_stays_away_is_refuted_and_has_evidence():
    away = {"unreachable": True, "changed": False, "msg": "Failed to connect to the host via ssh: No route to host"}
    seen = {"verify_boot_after": away, "verify_reboot": TIMED_OUT, "verify_pstore": {"changed": False, "skipped": True}}
    outcome, verdict, reasons = told(**seen)
    assert (outcome, verdict) == ("not_back", "refuted")
    assert "did not come back within 60 s" in reasons and "No route to host" in reasons
    evidence = trial(**seen)
    assert evidence["boot_id"] == {"before": "first", "after": None}
    assert [evidence[name] for name in ("not_as_declared", "pstore_backend", "event")] == [None] * 3
