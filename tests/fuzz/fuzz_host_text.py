# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for names that mislead the readers of a host's text.

Usage: fuzz_host_text.py [--runs N] [--seed N] [--only RUN]

The kernel and systemd write this text, but users choose the names in it: of processes, cgroups and
mount points. Each run puts random names into such a text as the kernel writes it, and compares the
answer with what was put in. Text of which a user or an administrator writes all is random
throughout: there only the documented exceptions may leave the reader.
"""

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
import traceback

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, OomError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._host import unit_files
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import Account
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup import cgroup_hierarchies, read_oom_kills
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_memory import parse_cgroup_memory
from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import container_of, pod_of, unit_of
from ansible_collections.oomguard.linux.plugins.module_utils._host.machines import find_machine_cgroup
from ansible_collections.oomguard.linux.plugins.module_utils._host.meminfo import Meminfo
from ansible_collections.oomguard.linux.plugins.module_utils._host.process import parse_process, parse_thread
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.task_memory import parse_task_memory
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import (
    bytes_of,
    lines_of,
    printable,
    printable_name,
    printable_values,
    text_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.user_manager import UserManager
from ansible_collections.oomguard.linux.plugins.module_utils._killers.discovery import RegexMatcher
from ansible_collections.oomguard.linux.plugins.module_utils._killers.earlyoom import (
    parse_arguments_of_earlyoom,
    translate_regex,
)
from ansible_collections.oomguard.linux.plugins.module_utils._killers.facts import PinnedService
from ansible_collections.oomguard.linux.plugins.module_utils._killers.meta_oomd import judge_by_meta_oomd, parse_rules
from ansible_collections.oomguard.linux.plugins.module_utils._killers.nohang import parse_settings
from ansible_collections.oomguard.linux.plugins.module_utils._killers.spared_programs import (
    is_plain,
    read_spared,
    strip_ours,
    write_spared,
)
from ansible_collections.oomguard.linux.plugins.module_utils._sysctl import boot_files

MAX_FAILURES = 20

# What a user would put into a name, besides ordinary letters.
PIECES = [
    *(bytes([code]) for code in range(1, 256) if code not in b"\n/"),
    *(
        b" ",
        b"(",
        b")",
        b") S 1 ",
        b":",
        b",",
        b"0::",
        b"\\",
        b"\\040",
        b" - cgroup2 cgroup2 rw",
        b"\x1b[31m",
        b"\r",
        b"\f",
    ),
    *(
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xe2\x80\xae",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92\xa5",
        b"VmRSS: -9 kB",
    ),
    *(b"sshd", b".service", b".slice", b"user@1000.service", b"libpod-", b"docker-", b".scope", b"f" * 64, b"conmon-"),
    *(b"kubepods-burstable-pod", b"01234567_89ab_cdef_0123_456789abcdef", b"system.slice", b"oom_kill 9", b"max"),
]
HOSTILE_TEXT = [*PIECES, b"\n", b"/", b"="]
CONTROLS = {chr(code) for code in [*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0xFEFF]}
SYSCTLS = ["vm.overcommit_memory", "vm.overcommit_ratio", "vm.overcommit_kbytes", "vm.panic_on_oom", "kernel.panic"]


class Wrong(Exception):
    """A reader that did not return what was put in."""


def name(dice, longest=6):
    """Return a name as a user would choose it; it has no line feed and no slash."""
    return b"".join(dice.choices(PIECES, k=dice.randrange(longest + 1))) or b"x"


def garbage(dice):
    """Return bytes of every kind, also line feeds and slashes."""
    return b"".join(dice.choice(HOSTILE_TEXT) for _piece in range(dice.randrange(12)))


def path(dice):
    """Return the path of a cgroup."""
    return b"/" + b"/".join(name(dice, 3) for _part in range(dice.randrange(4)))


def expect(found, expected):
    """Raise Wrong if the two differ."""
    if found != expected:
        raise Wrong(f"{found!r} instead of {expected!r}")


# --- one function for each reader; fakes is a folder for those that read files ------------------


def check_text(dice, _fakes):
    """Check that bytes come back, that only line feeds end lines, and that no control is left."""
    raw = garbage(dice)
    expect(bytes_of(text_of(raw)), raw)
    expect([bytes_of(line) for line in lines_of(raw)], raw.split(b"\n")[: None if raw[-1:] not in (b"\n", b"") else -1])
    for text, allowed in ((printable(text_of(raw)), {"\n", "\t"}), (printable_name(text_of(raw)), set())):
        left = (CONTROLS & set(text)) - allowed
        if left:
            raise Wrong(f"{left!r} is left in {text!r}")
        text.encode("utf-8")
    [[key, value]] = printable_values({text_of(raw): [text_of(raw)]}).items()
    expect((key, value), (printable(text_of(raw)), [printable(text_of(raw))]))


def check_process(dice, _fakes):
    """Check that a name moves no field of a process (fs/proc/array.c:do_task_stat)."""
    comm, pid, parent = name(dice)[:15] or b"x", dice.randrange(1, 1 << 22), dice.randrange(1 << 22)
    start_time, pages = dice.randrange(1 << 60), dice.randrange(1 << 30)
    flags = dice.choice((0, 0x00200000, 0x00400040))
    stat = b"%d (%b) S %d 1 1 0 -1 %d 0 0 0 0 7 8 0 0 20 0 1 0 %d 0 %d 0 0\n" % (
        pid,
        comm,
        parent,
        flags,
        start_time,
        pages,
    )
    found = parse_process(stat, 4)
    expect(found[:6], (pid, printable_name(text_of(comm)), start_time, parent, flags == 0x00200000, pages * 4))
    expect(tuple(parse_thread(stat))[:3], (pid, "S", 15))


def check_task_memory(dice, _fakes):
    """Check that a name adds no line to a status (fs/proc/array.c:proc_task_name escapes it)."""
    comm = (name(dice)[:15] or b"x").replace(b"\\", b"\\\\")
    sizes = [dice.randrange(1 << 40) for _size in range(6)]
    keys = (b"VmRSS", b"RssAnon", b"RssFile", b"RssShmem", b"VmPTE", b"VmSwap")
    lines = [b"%b:\t%8d kB" % (key, size) for key, size in zip(keys, sizes)]
    uid = dice.randrange(1 << 32)
    head = [b"Name:\t" + comm, b"Umask:\t0022", b"Uid:\t1\t%d\t2\t3" % uid]
    status = b"\n".join([*head, *lines, b"Threads:\t1", b"CapEff:\t0000000000200000", b""])
    found = parse_task_memory(status)
    rss, anon, file, shmem, tables, swap = sizes
    expect(tuple(found), (uid, rss, anon, file, shmem, swap, tables, 0, True, ""))


def check_cgroup_memory(dice, _fakes):
    """Check that files of a cgroup are read, and that other text is a ValueError at most."""
    limit, usage = dice.randrange(1 << 50), dice.randrange(1 << 50)
    files = {"memory.max": b"%d\n" % limit, "memory.current": b"%d\n" % usage, "memory.stat": garbage(dice)}
    for version in (1, 2):
        try:
            found = parse_cgroup_memory(text_of(path(dice)), version, lambda key: files.get(key, b""))
        except ValueError:
            continue
        if version == 2:
            expect((found.limit_kb, found.usage_kb), (limit >> 10, usage >> 10))


def check_meminfo(dice, _fakes):
    """Check that lines of /proc/meminfo are read, and that a missing one is unsupported."""
    value = dice.randrange(1 << 50)
    keys = dice.sample(["MemTotal", "MemAvailable", "SwapFree", "CommitLimit", "Committed_AS", "HugePages_Total"], 3)
    meminfo = Meminfo(
        "".join(f"{key}:{' ' * dice.randrange(1, 9)}{value}{' kB' if key[0] != 'H' else ''}\n" for key in keys)
    )
    expect([meminfo[key] for key in keys], [value] * 3)
    try:
        meminfo["Missing"]
    except UnsupportedError:
        return
    raise Wrong("a line that is missing was found")


def check_cgroup_names(dice, _fakes):
    """Check that any path can be read, and that no name below a user's manager is a unit."""
    cgroup = text_of(path(dice))
    container_of(cgroup)
    pod_of(cgroup)
    unit_of([cgroup, text_of(path(dice))])
    below = text_of(b"/user.slice/user-1000.slice/user@1000.service" + path(dice))
    expect(unit_of([below]), None)
    expect(unit_of(["/system.slice/cron.service" + text_of(path(dice))]), "cron.service")


def escape_mount(raw):
    """Return a path as the kernel writes it into mountinfo (fs/proc_namespace.c:show_mountinfo)."""
    return b"".join(b"\\%03o" % code if code in b" \t\n\\" else bytes([code]) for code in raw)


def check_hierarchies(dice, fakes):
    """Check that a user's mount points do no harm, and that those of cgroups come back."""
    mounts = [(dice.choice((b"cgroup", b"cgroup2", b"fuse", b"ext4")), path(dice), path(dice)) for _mount in range(4)]
    lines = []
    for kind, root, point in mounts:
        options = b"rw,memory" if kind == b"cgroup" else b"rw"
        source = escape_mount(name(dice))
        fields = (escape_mount(root), escape_mount(point), kind, source, options)
        lines.append(b"31 23 0:27 %b %b rw,nosuid shared:4 - %b %b %b\n" % fields)
    write(fakes, "self/mountinfo", b"".join(lines))
    cgroup_hierarchies.cache_clear()
    found = cgroup_hierarchies(Procfs(fakes))
    expected = [
        (2 if kind == b"cgroup2" else 1, point, root) for kind, root, point in mounts if kind.startswith(b"cgroup")
    ]
    expect([(one.version, bytes_of(one.mount), bytes_of(one.root)) for one in found], expected)
    for one in found:
        inside = text_of(path(dice))
        one.path(one.directory(one.root + inside))


def check_process_dir(dice, fakes):
    """Check that no name of a process or cgroup changes what is read of the process."""
    comm, cgroup, words = name(dice)[:15], path(dice), [name(dice) for _word in range(3)]
    write(fakes, "7/status", b"Name:\t%b\nVmRSS:\t     100 kB\nVmSwap:\t      10 kB\n" % escape_name(comm))
    write(fakes, "7/cgroup", b"4:memory:%b\n0::%b\n" % (cgroup, cgroup))
    write(fakes, "7/cmdline", b"\0".join(words) + b"\0")
    write(fakes, "7/oom_score_adj", b"%d\n" % dice.randrange(-1000, 1001))
    with Procfs(fakes).open(7) as directory:
        expect(directory.memory_kb(), 110)
        expect([bytes_of(one) for one in directory.cgroups()], [cgroup, cgroup])
        expect(bytes_of(directory.command_line()), b" ".join(words))
        directory.score()


def escape_name(comm):
    """Return a name as /proc/PID/status has it (fs/proc/array.c:proc_task_name)."""
    return comm.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def check_oom_kills(dice, fakes):
    """Check that the counter of kills is found at any place."""
    kills = dice.randrange(1 << 40)
    lines = [b"low 0", b"high %d" % dice.randrange(9), b"max 3", b"oom 1", b"oom_kill %d" % kills, b"oom_group_kill 0"]
    dice.shuffle(lines)
    write(fakes, "cgroup/memory.events", b"\n".join(lines) + b"\n")
    expect(read_oom_kills(os.path.join(fakes, "cgroup"), "memory.events"), kills)
    write(fakes, "cgroup/memory.events", b"low 0\nhigh 0\n")
    expect(read_oom_kills(os.path.join(fakes, "cgroup"), "memory.events"), None)


def check_unit_files(dice, _fakes):
    """Check that any unit file can be read, and that a changed one has the new value."""
    parts = [
        "[Service]\n",
        "[Unit]\n",
        "OOMScoreAdjust=-5\n",
        "OOMScoreAdjust=\n",
        "OOMScoreAdjust=" + "9" * 5000 + "\n",
        "#",
        ";",
        "\\\n",
        " = ",
        "ExecStart=/x \\\n",
    ]
    text = "".join(dice.choice((dice.choice(parts), text_of(garbage(dice)))) for _part in range(dice.randrange(8)))
    unit_files.read_assignment(text, "OOMScoreAdjust")
    unit_files.resolve_assignment([text, text_of(garbage(dice))], "OOMScoreAdjust", unit_files.is_score)
    changed = unit_files.change_assignments(text, {"OOMScoreAdjust": "-300"})
    expect(unit_files.read_assignment(changed, "OOMScoreAdjust"), "-300")
    expect(unit_files.change_assignments(changed, {"OOMScoreAdjust": "-300"}), changed)
    removed = unit_files.change_assignments(changed, {"OOMScoreAdjust": None})
    expect(unit_files.read_assignment(removed or "", "OOMScoreAdjust"), None)


# --- users' managers, machines and killers ------------------------------------------


ACCOUNT = Account("me", os.geteuid(), os.getegid(), "/home/me")
SLICE = "/user.slice/user-7.slice/user@7.service"
MANAGER = Unit("user@7.service", [], "loaded", "active", "notify", 40, SLICE, "", [], True, 100, "continue")
LIKELY_VALUES = {
    "Id": ["a.service", "service", "b.slice"],
    "Names": ["a.service", "b.service a.service"],
    "LoadState": ["loaded", "not-found", "masked"],
    "ActiveState": ["active", "inactive", "failed"],
    "Type": ["simple", "notify-reload"],
    "MainPID": ["7", "0", "1"],
    "ControlGroup": [SLICE + "/app.slice/a.service", SLICE, "/system.slice/a.service", SLICE + "/../../x", "/", ""],
    "FragmentPath": ["/usr/lib/systemd/user/a.service", "etc/shadow", ""],
    "DropInPaths": ["", "/x.conf /y.conf"],
    "Delegate": ["yes", "no"],
    "OOMScoreAdjust": ["200", "-1000", "9" * 10, "9" * 11],
    "OOMPolicy": ["stop", "kill"],
    "ManagedOOMPreference": ["none", "omit"],
}


def check_user_manager(dice, fakes):
    """Check that a manager of a user can claim nothing beyond its own cgroup."""
    hostile = dice.choice((0.0, 0.1, 0.5))

    def value(key):
        return text_of(garbage(dice)) if dice.random() < hostile else dice.choice(LIKELY_VALUES[key])

    lines = [f"{key}={value(key)}" for key in LIKELY_VALUES if dice.random() >= hostile / 4]
    answers = {"show": "\n".join(lines) + dice.choice(("\n", "\n", "\n", "", "\n\nId=x\n"))}
    if dice.random() < hostile:
        answers["show"] = text_of(garbage(dice))
    manager = UserManager(ACCOUNT, MANAGER, False, fakes, lambda *command: lambda: answers[command[1]])
    try:
        unit = manager.units(["a.service"])["a.service"]
        manager.read_ahead(unit)
    except OomError:
        return
    expect((unit.id, unit.names), ("a.service", ["a.service"]))
    is_inside = unit.control_group.startswith(SLICE + "/") and ".." not in unit.control_group
    if not is_inside:
        expect((unit.control_group, unit.main_pid), ("", 0))
    if max(map(len, (unit.active_state, unit.type, unit.load_state))) > 30:
        raise Wrong(f"a long state: {unit}")


def check_machines(dice, fakes):
    """Check that a machine's file leads to the cgroup of its unit below slices, or nowhere."""
    unit = dice.choice(("machine-a.scope", "machine-a\\x2db.scope", text_of(name(dice))))
    lines = ["NAME=a", f"SCOPE={unit}", dice.choice(("LEADER=7", "LEADER=7", "LEADER=\u00b2", "LEADER=")), "UID=0"]
    lines = [text_of(garbage(dice)) if dice.random() < 0.1 else line for line in lines]
    above = dice.choice((b"/machine.slice", b"", b"/system.slice/a.service", path(dice)))
    cgroup = above + b"/" + bytes_of(unit) + dice.choice((b"", b"/x", b"y"))
    write(fakes, "machines/a", bytes_of("\n".join(lines)))
    write(fakes, "7/cgroup", b"0::%b\n" % cgroup.replace(b"\n", b""))
    try:
        found = find_machine_cgroup(Procfs(fakes), "a", os.path.join(fakes, "machines"))
    except OomError:
        return
    parts = found.split("/")[1:-1]
    if not all(part.endswith(".slice") for part in parts):
        raise Wrong(f"{found!r} is below what users may name")


EXPRESSIONS = [
    "^",
    "$",
    "(",
    ")",
    "[",
    "]",
    "a|b",
    "[:alpha:]",
    "[^]]",
    "\\<",
    "\\1",
    "(?:",
    "{2}",
    "*",
    "+",
    "x",
    "-",
    "\\",
]
WORDS = ["-r", "60", "--avoid", "--prefer=x", "--ignore", "--sort-by-rss", "-m", "5,3", "--", "-", "--a", "-g", "x", ""]


def check_killers(dice, _fakes):
    """Check that any configuration of a killer is read, and that what we write comes back."""
    words = [text_of(name(dice)) if dice.random() < 0.2 else dice.choice(WORDS) for _word in range(dice.randrange(8))]
    with contextlib.suppress(InputError):
        parse_arguments_of_earlyoom(words)
    expression = "".join(dice.choice(EXPRESSIONS) for _piece in range(dice.randrange(8)))
    translated = translate_regex(expression + text_of(garbage(dice)) if dice.random() < 0.2 else expression)
    if translated is not None:
        expect(RegexMatcher()(translated, "x") in (True, False, None), True)
    badness = dice.choice(("200", "+-5", "\u00b2", "9" * 5000, "x", ""))
    lines = ["ignore_positive_oom_score_adj = True\n", f"\n@BADNESS_ADJ_RE_NAME {badness} /// x\n", "#", "///", "\n"]
    text = "".join(text_of(garbage(dice)) if dice.random() < 0.2 else dice.choice(lines) for _line in range(6))
    with contextlib.suppress(InputError):
        parse_settings("/x", text)
    values = [None, [], {}, "a*", 1e400, [[]], {"actions": [{"name": "kill_x", "args": {"cgroup": "a*,/b/*"}}]}]
    rulesets = [dice.choice(values) for _value in range(3)]
    document = json.dumps({"rulesets": dice.choice((rulesets, *values))}) + dice.choice(("", "}", text))
    with contextlib.suppress(InputError):
        rules = parse_rules("/x", document)
        judge_by_meta_oomd(rules, PinnedService("x", None, -5, text_of(path(dice)), "x"), RegexMatcher())
    programs = [text_of(name(dice, 3))[:15], "java", "Web.Content"]
    by_unit = {f"{number}.service": [one] for number, one in enumerate(programs) if is_plain(one)}
    ignored = dice.choice((None, "^x$", printable_name(expression)))
    spared = read_spared(write_spared(by_unit, "/usr/bin/earlyoom -r 1", ignored))
    expect((spared.by_unit, spared.command, spared.ignored), (by_unit, "/usr/bin/earlyoom -r 1", ignored))
    expect(strip_ours(["-r", "--ignore", spared.expression], spared), ["-r"])


def check_boot_files(dice, _fakes):
    """Check that any sysctl file and command line can be read."""
    keys = [*SYSCTLS, "vm.*", "vm/overcommit_memory", "*", "-vm.*", "-vm.overcommit_memory", "[", "kernel/?anic"]
    values = ["0", "1", "2", " 0x1", "-1", "9" * 30, "010", "", "x", "1 2"]

    def line():
        if dice.random() < 0.3:
            return text_of(garbage(dice))
        return dice.choice(keys) + dice.choice(("=", " = ", "", "\t=\f")) + dice.choice(values)

    folders = [*boot_files.FOLDERS]
    files = {
        f"{dice.choice(folders)}/{dice.randrange(99)}-x.conf": "\n".join(line() for _line in range(4)) for _file in "ab"
    }
    files[boot_files.SYSCTL_CONF] = line()
    command_line = " ".join(
        dice.choice((line(), "panic=5", "oops=panic", "sysctl.vm.panic_on_oom=1")) for _word in "abc"
    )
    release = dice.choice(("6.1.0-42-amd64", "3.10", "7.0-rc1", text_of(name(dice))))
    sources = boot_files.BootSources(files, command_line, release, dice.random() < 0.5)
    found = boot_files.values_at_boot(SYSCTLS, sources, dice.random() < 0.5, dice.random() < 0.5)
    expect(sorted(found), sorted(SYSCTLS))
    for value in found.values():
        str(value)


CHECKS = (
    (check_user_manager, 8),
    (check_machines, 5),
    (check_killers, 5),
    (check_text, 20),
    (check_process, 25),
    (check_cgroup_names, 20),
    (check_unit_files, 10),
    (check_boot_files, 10),
    (check_meminfo, 5),
    (check_task_memory, 10),
    (check_cgroup_memory, 5),
    (check_hierarchies, 4),
    (check_process_dir, 4),
    (check_oom_kills, 2),
)


def write(folder, file, content):
    """Write a file below this folder."""
    with open(os.path.join(folder, file), "wb", buffering=0) as stream:
        stream.write(content)


def run_once(dice, fakes):
    """Do one run. Return the name of the check, and None or the text of the failure."""
    check = dice.choices([one for one, _share in CHECKS], [share for _one, share in CHECKS])[0]
    try:
        check(dice, fakes)
    except (Exception, OomError) as error:
        return check.__name__, "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return check.__name__, None


def main():
    """Run the given number of inputs; exit with 1 if any misled a reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    counts, failures, began = {}, {}, time.monotonic()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as fakes:
        for folder in ("self", "7", "cgroup", "machines", "run/systemd/system"):
            os.makedirs(os.path.join(fakes, folder))
        for number in range(options.runs) if options.only is None else [options.only]:
            check, text = run_once(random.Random(f"{seed}-{number}"), fakes)
            counts[check] = counts.get(check, 0) + 1
            if text:
                kind = (check, text.strip().rpartition("\n")[2].partition(":")[0])
                failures[kind] = failures.get(kind, 0) + 1
                if failures[kind] == 1:
                    print(f"\nrun {number}: {check}\n{text[-3000:]}", flush=True)
                if sum(failures.values()) >= MAX_FAILURES * 50 or len(failures) >= MAX_FAILURES:
                    break
    for check in sorted(counts):
        print(f"{counts[check]:9} {check}")
    for (check, error), count in sorted(failures.items()):
        print(f"{count:9} times {error} in {check}")
    print(f"result: {sum(counts.values())} runs in {time.monotonic() - began:.0f} s, {len(failures)} kinds of failure")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
