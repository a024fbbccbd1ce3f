# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a host returns for one of our modules, Ansible does not act upon it.

OOMGUARD_ANSIBLE_PLAYBOOK runs these tests with another ansible-core.
"""

import json

import pytest
from test_hostile_answers import COLLECTION, play

from ansible_collections.oomguard.linux.plugins.plugin_utils.module_action import drop_acted_upon

MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py"))
# Their action plugins keep the answer on the controller, and have a result of their own.
KEEPING = ["oom_apply_policy", "oom_check_variables", "oom_report_fleet", "oom_report_host", "oom_state_outcome"]
CHECKED = {"policy": {"panic": {"on_oom": "kill"}}, "asked": {"panic": True}}
ARGUMENTS = {
    "oom_apply_policy": {"checked": CHECKED, "playbook": "own"},
    "oom_check_variables": {"parts": ["oom"]},
    "oom_state_outcome": {"checked": CHECKED, "applied": {"panic": {"changed": False}}, "playbook": "own"},
}
STEERING = {
    "ansible_stats": {
        "per_host": False,
        "aggregate": False,
        "data": {"oom_protect_state": "absent", "ansible_connection": "local"},
    },
    "ansible_facts": {"steered": True, "discovered_interpreter_python": "/steered"},
    "ansible_job_id": "1.1",
    "add_host": {"host_name": "steered", "groups": ["all"]},
    "add_group": "steered",
    "_ansible_facts_cacheable": True,
    "_ansible_delegated_vars": {"steered": True},
}
ANSWER = {
    "changed": False,
    "msg": "an answer",
    "diff": {"before": "", "after": "x"},
    "results": [STEERING],  # as of a loop
    "panic": {"changed": False, **STEERING},
    **STEERING,
}
TELL = "{{ [steered is defined, ansible_facts, groups.all, 'steered' in groups, hostvars.other.steered is defined] }}"
NOTHING_STEERED = [False, {}, ["server", "other"], False, False]


def run_tasks(folder, tasks, *arguments, **keywords):
    """Run these tasks on a host whose modules all answer what steers Ansible."""
    steps = [{"name": f"Step {number}", **task} for number, task in enumerate(tasks)]
    steps.append({"name": "Tell", "ansible.builtin.debug": {"msg": TELL}})
    script = folder / "play.yml"
    script.write_text(
        json.dumps([{"name": "Ask", "hosts": "server", "gather_facts": False, "tasks": steps, **keywords}])
    )
    return play(folder, str(script), {"server": dict.fromkeys(MODULES, ANSWER), "other": {}}, *arguments)


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")], ids=["run", "check"])
def test_no_answer_steers_ansible(tmp_path, arguments):
    tasks = [{f"oomguard.linux.{module}": ARGUMENTS.get(module, {}), "register": "kept"} for module in MODULES]
    tasks += [{module: ARGUMENTS.get(module, {})} for module in MODULES]  # found by the keyword collections
    tasks.append({"oomguard.linux.oom_info": {}, "loop": [1, 2]})
    tasks.append({"oomguard.linux.oom_info": {}, "run_once": True, "delegate_to": "server", "delegate_facts": True})
    tasks.append({"ansible.builtin.debug": {"msg": "{{ kept.keys() | list }}"}})
    run = run_tasks(tmp_path, tasks, *arguments, collections=["oomguard.linux"])
    assert [msg for _host, _task, msg in run.results].count("an answer") == 2 * len(set(MODULES) - set(KEEPING)) + 1, (
        run.output[-3000:]
    )
    assert run.message("server", "Tell") == NOTHING_STEERED
    kept = set(run.message("server", f"Step {len(tasks) - 1}"))
    assert kept >= {"changed", "diff", "msg"}
    assert kept & set(STEERING) == set()
    # The statistics are those of oom_apply_policy itself.
    assert run.artifacts == {"oomguard_own_0_ok": 2, **({"oomguard_own_0_check": 2} if arguments else {})}


def test_interpreter_is_searched_once(tmp_path):
    """What Ansible itself finds stays a fact: without it, each task would search again."""
    python = str(tmp_path / "hosts" / "0" / "python")
    variables = {"ansible_python_interpreter": "auto_silent", "ansible_interpreter_python_fallback": [python]}
    tasks = [{"oomguard.linux.oom_info": {}, "vars": variables}]
    run = run_tasks(tmp_path, [*tasks, {"ansible.builtin.debug": {"msg": "{{ ansible_facts }}"}}])
    assert run.message("server", "Step 0") == "an answer"
    assert run.message("server", "Step 1") == {"discovered_interpreter_python": python}


def test_what_ansible_acts_upon_is_dropped():
    data = {"changed": True, "msg": "kept", "report": [], "warnings": ["kept"], "skipped": False}
    assert drop_acted_upon({**data, "ansible_facts": {}, "ansible_stats": {}, "ansible_new": 1, "add_host": {}}) == data
