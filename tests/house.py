# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Define the rules of docs/architecture.md on imports: python tests/house.py prints the pure files.

tests/unit/test_house.py checks the code against these rules. The coverage gate takes
its list of files from here.
"""

import ast
import os

PLUGINS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugins")
PACKAGE = "ansible_collections.oomguard.linux.plugins."

# What every folder below plugins may import of the collection, besides itself: folders, and
# single files.
SHARED = {"module_utils/_errors", "module_utils/_host"}
LOG = {"module_utils/_kernel_log", "module_utils/_oom_parser"}
KILLER = {"module_utils/_oom_killer"}
OTHERS = {"module_utils/_killers"}
FOLDERS_OF_MODULES = {
    "oom_apply_policy": set(),
    "oom_check_variables": set(),
    "oom_events": {"module_utils/_oom_events"},
    "oom_info": {"module_utils/_posture", "module_utils/_oom_score_adj"},
    "oom_policy": {"module_utils/_sysctl"},
    "oom_report_fleet": set(),
    # It has what two other modules return.
    "oom_report_host": {"module_utils/_oom_report_host", "module_utils/_posture", "module_utils/_oom_events"},
    "oom_score_adj": {"module_utils/_oom_score_adj"},
    # It does what three other modules do.
    "oom_site": {"module_utils/_oom_score_adj", "module_utils/_sysctl"},
    "oom_state_outcome": set(),
    "oom_trial": {"module_utils/_oom_trial"},
    "overcommit": {"module_utils/_sysctl"},
}
ARROWS = {
    "module_utils/_errors": set(),
    "module_utils/_host": {"module_utils/_errors"},
    "module_utils/_kernel_log": SHARED,
    # The arithmetic explains a logged kill, too. A log has none of the other facts.
    "module_utils/_oom_parser": SHARED | {"module_utils/_kernel_log", "module_utils/_oom_killer/badness.py"},
    "module_utils/_oom_killer": SHARED,
    "module_utils/_oom_events": SHARED | LOG,
    "module_utils/_killers": SHARED,
    # It compares what the kernel counted with what its log names.
    "module_utils/_oom_info": SHARED | KILLER | OTHERS | LOG,
    "module_utils/_oom_score_adj": SHARED | KILLER | OTHERS,
    "module_utils/_oom_report_host": SHARED | LOG | KILLER,
    "module_utils/_oom_trial": SHARED | LOG,
    # It shows what the writers would change. Their folders do not import each other.
    "module_utils/_posture": SHARED
    | KILLER
    | OTHERS
    | LOG
    | {"module_utils/_oom_info", "module_utils/_oom_score_adj", "module_utils/_sysctl"},
    "module_utils/_sysctl": SHARED,
    # The controller checks arguments by the rules of the modules, so only their pure files.
    "plugin_utils": LOG
    | {
        "module_utils/_errors",
        "module_utils/_host/cgroup_names.py",
        "module_utils/_host/text.py",
        "module_utils/_host/unit_files.py",
        "module_utils/_oom_score_adj/guards.py",
        "module_utils/_oom_score_adj/pin.py",
        "module_utils/_oom_score_adj/target_options.py",
        "module_utils/_oom_events/query.py",
        "module_utils/_oom_info/request.py",
        "module_utils/_oom_trial/design.py",
        "module_utils/_oom_trial/request.py",
        "module_utils/_sysctl/oom_policy.py",
        "module_utils/_sysctl/overcommit.py",
        "module_utils/_sysctl/plan.py",
    },
    "action": {"plugin_utils", "module_utils/_errors"},
    "filter": {"plugin_utils", "module_utils/_errors"},
    "lookup": {"plugin_utils", "module_utils/_errors"},
    "doc_fragments": set(),
}

# Values in, values out. Every file of a folder, or single files.
PURE = [
    "module_utils/_errors.py",
    "module_utils/_host/alike_names.py",
    "module_utils/_host/cgroup_memory.py",
    "module_utils/_host/cgroup_names.py",
    "module_utils/_host/meminfo.py",
    "module_utils/_host/process.py",
    "module_utils/_host/task_memory.py",
    "module_utils/_host/text.py",
    "module_utils/_host/unit_files.py",
    "module_utils/_killers/earlyoom.py",
    "module_utils/_killers/facts.py",
    "module_utils/_killers/known.py",
    "module_utils/_killers/meta_oomd.py",
    "module_utils/_killers/nohang.py",
    "module_utils/_killers/spared_programs.py",
    "module_utils/_killers/systemd_oomd.py",
    "module_utils/_killers/verdicts.py",
    "module_utils/_kernel_log/formats.py",
    "module_utils/_kernel_log/journal_format.py",
    "module_utils/_kernel_log/line_prefix.py",
    "module_utils/_kernel_log/record.py",
    "module_utils/_kernel_log/shipper_json.py",
    "module_utils/_kernel_log/timestamps.py",
    "module_utils/_oom_events/collector.py",
    "module_utils/_oom_events/cursor.py",
    "module_utils/_oom_events/kill_groups.py",
    "module_utils/_oom_events/owner.py",
    "module_utils/_oom_events/query.py",
    "module_utils/_oom_events/wording.py",
    "module_utils/_oom_info/advice.py",
    "module_utils/_oom_info/findings.py",
    "module_utils/_oom_info/fixes.py",
    "module_utils/_oom_info/report.py",
    "module_utils/_oom_info/request.py",
    "module_utils/_oom_killer/badness.py",
    "module_utils/_oom_killer/domains.py",
    "module_utils/_oom_killer/facts.py",
    "module_utils/_oom_killer/forecast.py",
    "module_utils/_oom_killer/ranking.py",
    "module_utils/_oom_killer/results.py",
    "module_utils/_oom_parser",
    "module_utils/_oom_report_host",
    "module_utils/_oom_score_adj/guards.py",
    "module_utils/_oom_score_adj/pin.py",
    "module_utils/_oom_score_adj/results.py",
    "module_utils/_oom_score_adj/target_options.py",
    "module_utils/_oom_score_adj/writes.py",
    "module_utils/_oom_trial/answer.py",
    "module_utils/_oom_trial/attribution.py",
    "module_utils/_oom_trial/design.py",
    "module_utils/_oom_trial/overcommit_verdict.py",
    "module_utils/_oom_trial/request.py",
    "module_utils/_oom_trial/verdict.py",
    "module_utils/_sysctl/boot_files.py",
    "module_utils/_sysctl/guards.py",
    "module_utils/_sysctl/oom_policy.py",
    "module_utils/_sysctl/overcommit.py",
    "module_utils/_sysctl/options.py",
    "module_utils/_sysctl/own_file.py",
    "module_utils/_sysctl/plan.py",
    "module_utils/_sysctl/removal.py",
    "module_utils/_sysctl/results.py",
]

# The standard modules that a pure file may import. None of them reads the host.
PURE_LIBRARY = {
    "abc",
    "calendar",
    "collections",
    "datetime",
    "difflib",
    "fnmatch",
    "functools",
    "heapq",
    "hashlib",
    "itertools",
    "json",
    "math",
    "operator",
    "posixpath",
    "re",
    "struct",
    "time",
    "types",
    "typing",
}
IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval"}


def python_files():
    """Return the path of every Python file below plugins, as in PURE."""
    found = []
    for folder, _folders, names in os.walk(PLUGINS):
        found += [os.path.relpath(os.path.join(folder, name), PLUGINS) for name in names if name.endswith(".py")]
    return sorted(found)


def pure_files():
    """Return the path of every pure file."""
    return [path for path in python_files() if path in PURE or os.path.dirname(path) in PURE]


def parse(path):
    """Return the syntax tree of a file below plugins."""
    with open(os.path.join(PLUGINS, path), encoding="utf-8") as stream:
        return ast.parse(stream.read(), path)


def imports(tree):
    """Yield the dotted name of every module that a file imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            for alias in node.names:
                name = package + "." + alias.name
                is_file = name.startswith(PACKAGE) and file_of(name) is not None
                yield name if is_file else package


def file_of(module):
    """Return the path below plugins of one of the collection's own modules, or None."""
    path = module[len(PACKAGE) :].replace(".", "/") + ".py"
    return path if os.path.isfile(os.path.join(PLUGINS, path)) else None


def own_imports(path):
    """Return the path of every file of the collection that a file imports."""
    own = [name for name in imports(parse(path)) if name.startswith(PACKAGE)]
    return sorted({file_of(name) or name for name in own})


def room_of(path):
    """Return the folder of a file, as in ARROWS; _errors.py counts as a folder of its own."""
    return path[: -len(".py")] if path == "module_utils/_errors.py" else os.path.dirname(path)


def forbidden_arrows(path):
    """Return the files that a file imports, but must not import."""
    room = room_of(path)
    if room == "modules":
        name = os.path.basename(path)[: -len(".py")]
        allowed = SHARED | LOG | KILLER | FOLDERS_OF_MODULES[name]
    else:
        allowed = ARROWS.get(room, set()) | {room}
    return [other for other in own_imports(path) if not allowed & {room_of(other), other}]


def impurities(path):
    """Return what a pure file imports or calls, but must not."""
    tree = parse(path)
    pure = pure_files()
    found = [name for name in imports(tree) if not name.startswith(PACKAGE) and name.split(".")[0] not in PURE_LIBRARY]
    found += [other for other in own_imports(path) if other not in pure]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found += [called.id for called in calls if isinstance(called, ast.Name) and called.id in IMPURE_BUILTINS]
    return sorted(set(found))


def definitions(path):
    """Return the names of the public functions and classes at the top of a file."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in parse(path).body if isinstance(node, kinds) and not node.name.startswith("_")]


if __name__ == "__main__":
    print(",".join("plugins/" + path for path in pure_files()))
