# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Convert the variables of a role or playbook into arguments, and refuse wrong ones.

What can be checked without the host is checked here, by the rules of the modules themselves: a
playbook of several roles then changes nothing if the last of them could not run. Empty text and
null mean unset, because AWX sends them for questions without an answer.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple, cast

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import strip_suffix
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import check_path_text
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import refuse_contradictions
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import SELECTORS, parse_target
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.design import check_design
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    TrialRequest,
    check_trial_request,
    parse_size_kb,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.oom_policy import oom_policy_sysctls
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.overcommit import (
    check_headroom_percent,
    overcommit_sysctls,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl.plan import (
    SysctlPolicy,
    SysctlRequest,
    check_request,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import cut_text, cut_texts
from ansible_collections.oomguard.linux.plugins.plugin_utils.misspelt_names import suggest_name
from ansible_collections.oomguard.linux.plugins.plugin_utils.profile_targets import combine_targets
from ansible_collections.oomguard.linux.plugins.plugin_utils.variables import (
    ADDED_LISTS,
    check_names,
    is_addition,
    load_parts,
    read_values,
)

# The options that ask a role for something. With none of them it has nothing to do.
ASKING = {
    "oom_protect": ("profiles", "targets"),
    "oom_panic": ("on_oom", "reboot_after", "kill_allocating_task", "dump_tasks", "panic_on_oops"),
    "oom_overcommit": ("mode", "ratio", "kbytes", "admin_reserve_kbytes", "user_reserve_kbytes"),
}
_KINDS = {
    "bool": "true or false",
    "dict": "a mapping of options",
    "int": "a whole number",
    "list": "a list",
    "path": "text",
    "str": "text",
}
_VALUE_LENGTH = 80
# Ansible would also convert 1e1000000, which takes minutes, and Infinity.
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,20}(\.0{1,20})?\s*", re.ASCII)


def check_variables(
    variables: Mapping[str, Any], template: Callable[[Any], Any], parts: Iterable[str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the arguments of each of these parts, and everything that is wrong.

    All names of variables are checked, and the values of these parts. Errors are bounded texts.
    """
    parts = list(parts)
    values, unread = read_values(variables, template, parts)
    parsed = {part: parse_arguments(part, values) for part in parts}
    errors = [*check_names(variables), *unread, *chain.from_iterable(wrong for _arguments, wrong in parsed.values())]
    return {part: arguments for part, (arguments, _wrong) in parsed.items()}, cut_texts(errors)


def parse_arguments(part: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a part by option, and an error for each variable that is wrong.

    C(given) are the variables of a host. An option that is unset has its default, or is missing.
    C(asked) says whether any option asks the role for something.
    """
    arguments: dict[str, Any] = {}
    errors = []
    for variable, option in load_parts()[part].items():
        try:
            value = _read_variable(variable, option, given)
        except InputError as error:
            errors.append(str(error))
            continue
        if value is not None:
            arguments[variable[len(part) + 1 :]] = value
    if not errors and part in _FINISH:
        try:
            _FINISH[part](arguments)
        except InputError as error:
            errors.append(name_variables(part, str(error)))
    return arguments, errors


# --- one variable -----------------------------------------------------------------


def _read_variable(variable: str, option: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Return the value of a variable, or its default. Raises InputError."""
    if variable not in ADDED_LISTS:
        value = given.get(variable)
        return option.get("default") if _is_empty(value) else _convert(variable, option, value)
    names = [variable, *sorted(name for name in given if is_addition(name, variable))]
    lists = {name: _convert(name, option, given[name]) for name in names if not _is_empty(given.get(name))}
    if option["elements"] != "dict":
        return list(dict.fromkeys(chain.from_iterable(lists.values())))
    return _merge_targets(
        _NamedTarget(f"{name}[{number}]", target)
        for name, targets in lists.items()
        for number, target in enumerate(targets)
    )


def _to_int(value: Any) -> int:
    """Return a whole number, also of C(5.0), which Ansible refuses before ansible-core 2.19."""
    return int(value.partition(".")[0]) if isinstance(value, str) else int(value)


# A path is one of the managed host, so nothing of the controller is put into it.
_VALIDATORS = {**DEFAULT_TYPE_VALIDATORS, "int": _to_int, "path": DEFAULT_TYPE_VALIDATORS["str"]}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value == "")


def _convert(name: str, option: Mapping[str, Any], value: Any) -> Any:
    """Return a value with the type of its option. Raises InputError."""
    kind = option.get("type", "str")
    if kind == "raw":
        return value
    if kind in ("str", "path") and isinstance(value, bool):
        raise InputError(f"{name}={_show(value)} is true or false: put the text in quotes, as in 'on', 'yes' or 'true'")
    try:
        if not _may_be(kind, value):
            raise TypeError
        converted = _VALIDATORS[kind](value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}={_show(value)} is not {_KINDS[kind]}: {_advise(name, kind, value)}") from None
    if kind == "list":
        return _convert_elements(name, option, converted)
    if kind == "dict":
        return _convert_keys(name, option["options"], converted)
    if "choices" in option and converted not in option["choices"]:
        raise InputError(f"{name}={_show(value)} is not possible: {_suggest(str(value), option['choices'])}")
    return converted


def _advise(name: str, kind: str, value: Any) -> str:
    """Return what to do about a value of another type than C(kind)."""
    if kind == "dict" and isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        # Of -e 'a={"b": 1}' Ansible makes a={"b": and 1}.
        [variable] = re.findall(r"\A\w+", name)
        return f"with -e write everything as one JSON text, such as -e '{{\"{variable}\": ...}}'"
    return f"set {_KINDS[kind]}, or leave it out"


def _may_be(kind: str, value: Any) -> bool:
    """Return false for what Ansible would convert, but nobody can have meant."""
    if kind == "int":
        if isinstance(value, str):
            return _WHOLE_NUMBER.fullmatch(value) is not None
        return not isinstance(value, bool) and not (isinstance(value, float) and not value.is_integer())
    if kind in ("str", "path"):
        return isinstance(value, (str, int, float))
    return True


def _convert_elements(name: str, option: Mapping[str, Any], values: Iterable[Any]) -> list[Any]:
    element = {**option, "type": option.get("elements", "str")}
    # "database, monitoring" is split at the comma alone.
    values = [value.strip() if isinstance(value, str) else value for value in values]
    return [
        _convert(f"{name}[{number}]" if element["type"] == "dict" else name, element, value)
        for number, value in enumerate(values)
        if not _is_empty(value)
    ]


def _convert_keys(name: str, options: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    for key in value:
        if key not in options:
            raise InputError(f"{name} has no option {_show(key)}: {_suggest(str(key), options)}")
    return {key: _convert(f"{name}.{key}", options[key], one) for key, one in value.items() if not _is_empty(one)}


def _suggest(value: str, choices: Iterable[str]) -> str:
    near = suggest_name(value, choices)
    return f"did you mean {near}?" if near else f"choose from {', '.join(choices)}"


def _show(value: Any) -> str:
    return cut_text(value, _VALUE_LENGTH)


# --- targets of several lists -------------------------------------------------------


class _NamedTarget(NamedTuple):
    """A target and where it stands, such as C(oom_protect_targets_web[0])."""

    name: str
    target: dict[str, Any]


def _merge_targets(named: Iterable[_NamedTarget]) -> list[_NamedTarget]:
    """Return one target for each object. Raises InputError if two ask for different things."""
    merged: dict[tuple[str, Any], _NamedTarget] = {}
    for name, options in named:
        target = {"state": "present", **options}
        selected = _select(name, target)
        other = merged.get(selected, _NamedTarget(name, {}))
        for key in sorted(target.keys() & other.target.keys() - {selected[0]}):
            if target[key] != other.target[key]:
                raise InputError(
                    f"{other.name} has {key}={_show(other.target[key])} for {selected[0]}={_show(selected[1])}, and"
                    f" {name} has {key}={_show(target[key])}: use one value in both"
                )
        merged[selected] = _NamedTarget(other.name, {**target, **other.target})
    return list(merged.values())


def _select(name: str, target: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the only selector of a target and its value. Raises InputError."""
    selectors = [key for key in SELECTORS if key in target]
    if len(selectors) != 1:
        problem = f"has {' and '.join(selectors)}: keep one of them" if selectors else _NO_SELECTOR
        raise InputError(f"{name} {problem}")
    [selector] = selectors
    value = target[selector]
    if selector == "user_unit":
        return selector, (value.get("user"), strip_suffix(value.get("unit") or ""), value.get("scope"))
    return selector, strip_suffix(value) if selector == "unit" else value


_NO_SELECTOR = f"selects nothing: set one of {', '.join(SELECTORS)}"


# --- the rules of the modules -------------------------------------------------------


def _finish_protect(arguments: dict[str, Any]) -> None:
    """Check the arguments of oom_protect. Raises InputError."""
    percent = arguments["min_killable_percent"]
    if not 0 <= percent <= 100:
        raise InputError(f"min_killable_percent={_show(percent)} is out of range; set 0 to 100")
    named, arguments["targets"] = arguments["targets"], [target for _name, target in arguments["targets"]]
    options = load_parts()["oom_protect"]["oom_protect_targets"]["options"]
    defaults = {key: option.get("default") for key, option in options.items()}
    planned = combine_targets(arguments["targets"], {}, [], arguments["persistent"], arguments["state"])
    for (name, _target), target in zip(named, planned):
        try:
            refuse_contradictions(parse_target({**defaults, **target}))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    _set_asked("oom_protect", arguments)


def _finish_panic(arguments: dict[str, Any]) -> None:
    """Check the arguments of oom_panic. Raises InputError."""
    _finish_sysctls("oom_panic", arguments)
    values = [arguments.get(option) for option in ASKING["oom_panic"]]
    if values != [None] * len(values):
        oom_policy_sysctls(*values)


def _finish_overcommit(arguments: dict[str, Any]) -> None:
    """Check the arguments of oom_overcommit. Raises InputError."""
    _finish_sysctls("oom_overcommit", arguments)
    check_headroom_percent(arguments["headroom_percent"])
    values = [arguments.get(option) for option in ASKING["oom_overcommit"]]
    if values != [None] * len(values):
        overcommit_sysctls(*values)


def _finish_sysctls(part: str, arguments: dict[str, Any]) -> None:
    """Check what both roles for sysctls have, and drop what does not count when they undo."""
    no_policy = cast(SysctlPolicy, None)  # the time and the file are checked without it
    check_request(SysctlRequest(no_policy, True, arguments["file"], arguments["rollback_seconds"]))
    _set_asked(part, arguments)
    if arguments["state"] == "absent":
        arguments["asked"] = True
        for option in ASKING[part]:
            arguments.pop(option, None)
        # Without a file the module takes back every file of ours.
        if arguments["file"] == load_parts()[part][f"{part}_file"]["default"]:
            del arguments["file"]


def _finish_verify(arguments: dict[str, Any]) -> None:
    """Check the arguments of oom_verify. Raises InputError."""
    scope, pinned_score, hog_score = (arguments[option] for option in ("scope", "pinned_score", "hog_score"))
    check_path_text("hog_path", arguments.get("hog_path", ""))
    limit_kb = parse_size_kb("memory_limit", arguments["memory_limit"])
    check_trial_request(
        TrialRequest(
            hog="",
            scope=scope,
            allow_host_oom=arguments["allow_disruption"],
            memory_limit_kb=limit_kb,
            pinned_score=pinned_score,
            hog_score=hog_score,
            timeout=arguments.get("timeout", 1),  # without one, the role has one for each scope
            manager=arguments["manager"],
            cgroup_parent=arguments.get("cgroup_parent"),
        )
    )
    if scope == "cgroup":
        check_design(pinned_score, hog_score, limit_kb, scope)


def _finish_events(arguments: dict[str, Any]) -> None:
    """Check the arguments of the playbook events. Raises InputError."""
    # No other part needs these, and each task of each host has a process that would import them.
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.query import (
        Query,
        check_query,
        parse_window,
    )

    source = arguments["source"]
    if source == "auto":  # what it reads without paths is decided on the host, and the journal has every option
        source = "file" if arguments["paths"] else "journal"
    query = Query(**{**dict.fromkeys(Query._fields), **arguments, "source": source})
    check_query(query)
    parse_window(query, time.time())


def _finish_info(arguments: dict[str, Any]) -> None:
    """Check the arguments of the playbook info. Raises InputError."""
    # As for oom_events: no other part needs these.
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_info.request import check_top, parse_domain
    from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.target_options import TARGET_OPTIONS

    parse_domain(arguments["domain"], "oom_info_domain")
    check_top(arguments["top"], "oom_info_top")
    if "grower" in arguments:
        _select("oom_info_grower", arguments["grower"])
    defaults = {key: option.get("default") for key, option in TARGET_OPTIONS.items()}
    for number, target in enumerate(arguments["what_if"]):
        name = f"oom_info_what_if[{number}]"
        _select(name, target)
        try:
            refuse_contradictions(parse_target({**defaults, **target}))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


def _finish_report(arguments: dict[str, Any]) -> None:
    """Check the arguments of oom_report. Raises InputError."""
    # As for oom_events: no other part needs these.
    from ansible_collections.oomguard.linux.plugins.plugin_utils.report_folder import ReportFolder
    from ansible_collections.oomguard.linux.plugins.plugin_utils.report_history import parse_mode
    from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import parse_since

    parse_since(arguments["since"], time.time())
    parse_mode(arguments["mode"])
    history = arguments.get("history")
    # There the record of a host named report would be report.json.
    if history and os.path.realpath(history) == os.path.realpath(arguments["dir"]):
        raise InputError(f"history={_show(history)} is the folder of the report, too: choose a folder of its own")
    # Before any host is read: its record would be the first file in a folder that is refused.
    for option, path in (("dir", arguments["dir"]), ("history", history or os.path.join(arguments["dir"], "history"))):
        try:
            with ReportFolder(path) as folder:
                folder.check_writable()
        except OomError as error:
            raise InputError(f"{option}={_show(path)}: {error}") from None


def _set_asked(part: str, arguments: dict[str, Any]) -> None:
    arguments["asked"] = any(arguments.get(option) not in (None, []) for option in ASKING[part])


_FINISH: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "oom_protect": _finish_protect,
    "oom_panic": _finish_panic,
    "oom_overcommit": _finish_overcommit,
    "oom_verify": _finish_verify,
    "oom_events": _finish_events,
    "oom_info": _finish_info,
    "oom_report": _finish_report,
}


def name_variables(part: str, text: str) -> str:
    """Return an error of a module with its options as the variables of the role.

    An option is a word with a value behind it, or one with a C(_). Names of sysctls end in the same
    words.
    """
    options = [name[len(part) + 1 :] for name in load_parts()[part]]
    names = [rf"(?:{'|'.join(options)})(?==)", *(option for option in options if "_" in option)]
    return re.sub(rf"(?<![\w.])({'|'.join(names)})(?!\w)", rf"{part}_\1", text)
