# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""End a module with its answer: a result with warnings, or one sentence on what failed."""

from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.oomguard.linux.plugins.module_utils._host.text import WOULD_FAIL, printable


class ModuleAnswer(NamedTuple):
    """Hold what a module returns, and its warnings. All texts are escaped."""

    result: Dict[str, Any]
    warnings: List[str]


def answer_failure(reason: str, check_mode: bool) -> ModuleAnswer:
    """Return the answer of a module that has refused or failed."""
    return ModuleAnswer(dict(failed=True, msg=printable(f"{WOULD_FAIL if check_mode else ''}{reason}")), [])


def join_answers(answers: Iterable[Tuple[str, ModuleAnswer]]) -> ModuleAnswer:
    """Return one answer for several parts in turn, up to the first that fails.

    C(answers) yields the name of each part with its answer, and then does the work of the next.
    """
    results: Dict[str, Any] = {}
    warnings: List[str] = []
    for name, (result, warned) in answers:
        results[name] = result
        warnings += [f"{name}: {warning}" for warning in warned]
        if result.get("failed"):
            break
    return ModuleAnswer({**results, **_summarize(results)}, warnings)


def _summarize(results: Dict[str, Any]) -> Dict[str, Any]:
    """Return C(changed), C(diff) and C(msg) of all parts, and C(failed) if one has failed."""
    diff: List[Any] = []
    for result in results.values():
        part = result.get("diff", [])
        diff += part if isinstance(part, list) else [part]
    summary: Dict[str, Any] = dict(changed=any(result.get("changed") for result in results.values()), diff=diff)
    for name, result in results.items():
        if result.get("failed"):
            is_check = result["msg"].startswith(WOULD_FAIL)
            reason = result["msg"][len(WOULD_FAIL) :] if is_check else result["msg"]
            return dict(summary, failed=True, msg=f"{WOULD_FAIL if is_check else ''}{name}: {reason}")
    return dict(summary, msg="; ".join(f"{name}: {result['msg']}" for name, result in results.items()))


def end_module(module: AnsibleModule, answer: ModuleAnswer) -> None:
    """End the module with this answer."""
    for warning in answer.warnings:
        module.warn(warning)
    if answer.result.get("failed"):
        module.fail_json(**answer.result)
    module.exit_json(**answer.result)
