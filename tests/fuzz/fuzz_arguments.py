# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for arguments that end a module in a traceback.

Usage: fuzz_arguments.py [--runs N] [--seed N] [--only RUN]

Every run calls main() of one module in check mode, as Ansible does. It must end with an answer or
with a failure that has a message, within a bound of time. An audit hook (PEP 578) holds check mode
to its promise: a module that writes, signals, or starts a program other than those that only read,
fails too. The seed is printed; each run has its own generator, so --seed and --only repeat one run.
In half of the runs the host seems to have systemd, with a systemctl that answers anything, and two
processes have the names of killers: so targets by unit, instances and users' services are reached.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import yaml
from ansible.module_utils import basic

from ansible_collections.oomguard.linux.plugins.module_utils._host import user_manager
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd

PLUGINS = "ansible_collections.oomguard.linux.plugins.modules."
MODULES = ("oom_score_adj", "oom_events", "oom_info", "overcommit", "oom_policy", "oom_trial", "oom_site")
SECONDS = 30  # for one run; the slowest legitimate one takes about one
MAX_FAILURES = 20

READING_PROGRAMS = {"systemctl", "journalctl", "loginctl", "machinectl", "systemd-detect-virt", "getconf", "sysctl"}
WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "shutil.rmtree",
    "signal.pthread_kill",
}

SELECTORS = ("unit", "process", "pattern", "pid", "pidfile", "cgroup", "container", "machine", "user_unit")
TARGET_ONLY = ("score", "persistent", "oom_policy", "managed_oom_preference")

# Values that get past the first checks.
LIKELY = {
    "unit": ["docker", "sshd.service", "cron", "postgresql@*", "user@0", "earlyoom"],
    "user": ["root", "root", "nobody", "nosuch"],
    "machine": ["web", "qemu-1-vm"],
    "process": ["python3", "init", "sh", "bash"],
    "pattern": ["sleep", "python[0-9]", "^/", "x{1,3}"],
    "pid": [os.getpid(), os.getppid(), 1, 2],
    "cgroup": ["/x", "/user.slice", "/system.slice/docker.service", "/docker"],
    "container": ["box", "f" * 64, "0123456789ab"],
    "users": [["root"], ["nobody", "nosuch"], ["0"]],
    "score": [-1000, -999, -500, 0, 300, 1000],
    "mode": ["heuristic", "always", "never", 0, 1, 2],
    "ratio": [1, 50, 90, 100],
    "kbytes": [1, 1 << 20, 1 << 40],
    "min_killable_percent": [0, 10, 100],
    "headroom_percent": [0, 10, 99],
    "rollback_seconds": [1, 30],
    "reboot_after": [0, 10, -1],
    "file": ["/etc/sysctl.d/60-oomguard-fuzz.conf"],
    "since": ["-1h", "2026-01-01", "1700000000"],
    "until": ["-1m", "2026-01-01T00:00:00Z"],
    "memory_limit": ["32M", "64M", "1G"],
    "timeout": [1, 60],
    "limit": [0, 1, 100],
}


SYSTEMCTL = """#!/bin/sh
case "$*" in *list-units*) cat '{folder}/units'; exit;; esac
seen=
for word do
    if [ "$seen" ]; then printf 'Id=%s\\nNames=%s\\n' "$word" "$word"; cat '{folder}/properties'; echo; fi
    if [ "$word" = -- ]; then seen=1; fi
done
[ "$seen" ] || cat '{folder}/manager'
"""
PROPERTIES = {
    "LoadState": ["loaded", "loaded", "not-found", "masked"],
    "ActiveState": ["active", "inactive", "failed", "reloading"],
    "Type": ["simple", "oneshot", "x" * 100],
    "MainPID": ["0", "1", str(os.getpid()), "4194304", "9" * 12],
    "ControlGroup": ["/", "", "/system.slice/x.service", "/user.slice/user-0.slice/user@0.service/app.slice/a"],
    "FragmentPath": ["", "/etc/passwd", "/nonexistent", "/dev/zero", "etc/x", "/" + "x" * 5000],
    "DropInPaths": ["", "/etc/hosts /etc/hosts", "/dev/full"],
    "Delegate": ["no", "yes"],
    "OOMScoreAdjust": ["0", "-900", "x", "9" * 5000],
    "OOMPolicy": ["stop", "continue", "x"],
    "ManagedOOMPreference": ["none", "omit", ""],
}


class Broken(BaseException):
    """A promise that was broken; no handler of a module catches it."""


class Watch:
    """An audit hook that is active while a module runs."""

    def __init__(self):
        self.active = False
        self.broken = None
        self._children = set()  # that a module has forked, and may end
        sys.addaudithook(self._check)

    @contextlib.contextmanager
    def watching(self):
        """Raise Broken for what the calls inside should not have done."""
        self.active, self.broken = True, None
        write, fork = os.write, os.fork

        def fork_in_vain():
            """Fork a child that only probes: it ends at once."""
            pid = fork()
            if pid == 0:
                os._exit(1)
            self._children.add(pid)
            return pid

        os.write, os.fork = self._refuse_write, fork_in_vain
        try:
            yield
        finally:
            self.active, os.write, os.fork = False, write, fork
        if self.broken:
            raise Broken(self.broken)

    def _refuse_write(self, descriptor, data):
        self.broken = f"check mode writes {data[:200]!r} to descriptor {descriptor}"
        raise Broken(self.broken)

    def _check(self, event, arguments):
        if not self.active:
            return
        problem = self._find_problem(event, arguments)
        if problem:
            self.broken = problem
            raise Broken(problem)

    def _find_problem(self, event, arguments):
        if event == "open":
            path, _mode, flags = arguments
            if isinstance(path, int) or path == os.devnull or not (flags or 0) & WRITING_FLAGS:
                return None
            # Only opening shows whether a sysctl could be written. Writes are refused below.
            is_probe = os.fsdecode(path).startswith("/proc/sys/") and flags & WRITING_FLAGS == os.O_WRONLY
            return None if is_probe else f"check mode opens {path!r} for writing"
        if event == "subprocess.Popen":
            program = os.path.basename(os.fsdecode(arguments[1][0] if arguments[1] else arguments[0]))
            return None if program in READING_PROGRAMS else f"check mode starts {arguments[1]!r}"
        if event in ("os.kill", "os.killpg") and arguments[0] in self._children:
            return None
        return f"check mode calls {event}{arguments!r}" if event in CHANGES else None


class FakeSystemd:
    """A systemctl before all others in PATH, and two processes with the names of killers."""

    def __init__(self, folder):
        self._folder = folder
        self._runs = Systemd.runs
        program = os.path.join(folder, "systemctl")
        with open(program, "w", encoding="utf-8") as stream:
            stream.write(SYSTEMCTL.format(folder=folder))
        os.chmod(program, 0o755)
        os.environ["PATH"] = folder + ":" + os.environ["PATH"]
        user_manager._PATH = folder + ":" + user_manager._PATH
        self._killers = []
        for name in ("earlyoom", "nohang"):
            os.symlink(shutil.which("sleep"), os.path.join(folder, name))
            self._killers.append(subprocess.Popen([os.path.join(folder, name), "100000"]))

    def change(self, dice):
        """Choose what systemctl answers in the next run, and whether systemd runs."""
        hostile = dice.choice((0.0, 0.1, 0.5))
        values = {key: dice.choice(ones) if dice.random() < hostile else ones[0] for key, ones in PROPERTIES.items()}
        values["MainPID"] = dice.choice(PROPERTIES["MainPID"])
        lines = [f"{key}={value}\n" for key, value in values.items() if dice.random() >= hostile / 5]
        self._write("properties", "".join(lines))
        self._write("units", dice.choice(("", "postgresql@a.service loaded active running x\n", "x\n", "cut")))
        self._write("manager", dice.choice(("Version=252\nDefaultOOMScoreAdjust=0\n", "", "DefaultOOMScoreAdjust=x\n")))
        runs = dice.random() < 0.5
        Systemd.runs = (lambda _self: True) if runs else self._runs

    def _write(self, name, text):
        with open(os.path.join(self._folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def end(self):
        """End the processes."""
        Systemd.runs = self._runs
        for process in self._killers:
            process.kill()
            process.wait()


class Generator:
    """Makes argument sets from a module's documentation."""

    def __init__(self, folder):
        self.texts = [
            "",
            " ",
            "\0",
            "a\0b",
            "/proc/1\0/x",
            "\n",
            "x\r\ny",
            "\x1b[31m",
            "\x0b\x0c\x1c\x85\u2028",
            "\udcff\udc80",
            "\u202e",
            "\u00b2",
            "\u0663",
            "-1",
            "+5",
            "1e3",
            "0x10",
            "9" * 30,
            "9" * 4200,  # Ansible itself cannot return a number of more than 4,300 digits
            "-" + "9" * 4200,
            "nan",
            "{{ 7 * 7 }}",
            "%s%n",
            "a" * 70000,
            "--help",
            "-n",
            "..",
            "/",
            "//",
            "/../..",
            "~",
            "~nosuch/x",
            "$HOME",
            "null",
            "true",
            "[",
            "(" * 200,
            "(" * 5000,
            "(a+)+$",
            "(.*a){20}",
            "a{1,99999999999999999999}",
            "(?P<x>a)(?P=y)",
            "\\",
            "(?i",
            "[z-a]",
            "x|",
            "sleep",
            "python3",
            "init",
            "a" * 12,
            "0123456789ab",
            "f" * 64,
            "docker",
            "ssh@.service",
            "user@1000.service",
            "x.slice",
            "\\x2d.service",
            "-.mount",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59+23:59",
            "-1h",
            "-" + "9" * 30 + "h",
            "1 week ago",
            "1700000000",
            "current",
            "all",
            "-0",
            "kmsg||s=1|",
            "journal|x|s=;i=|",
            "|" * 20,
            "64M",
            "1B",
            "-1K",
            "1e400",
            "8Z",
        ]
        self._hostility = 0.0
        self.paths = self._make_paths(folder)
        self.numbers = [
            0,
            1,
            -1,
            2,
            3,
            50,
            100,
            101,
            999,
            -999,
            1000,
            -1000,
            1001,
            -1001,
            2**31,
            2**63,
            -(2**63),
            2**64,
        ]
        self.numbers += [10**400, -(10**400), 0.5, 1.0, -0.0, 1e308, os.getpid(), 4194304]
        self.others = [None, True, False, [], {}, [[]], [None], [{}], {"a": {"b": []}}, [1, "x", None], {"": ""}]
        cgroups = ["/" + entry.name for entry in os.scandir("/sys/fs/cgroup") if entry.is_dir()]
        self.likely = dict(LIKELY, hog=[os.path.join(folder, "hog")], cgroup_parent=["/sys/fs/cgroup", folder])
        self.likely.update(cgroup=[*LIKELY["cgroup"], *cgroups], pidfile=[os.path.join(folder, "own.pid")])
        self.options = {}
        for name in MODULES:
            module = importlib.import_module(PLUGINS + name)
            self.options[name] = yaml.safe_load(module.DOCUMENTATION)["options"]

    def _make_paths(self, folder):
        """Make files that are not what a path should lead to."""
        contents = {
            "empty": b"",
            "pid": b"1\n",
            "own.pid": b"%d\n" % os.getpid(),
            "squared": "\u00b2\n".encode(),
            "huge.pid": b"9" * 5000,
            "negative.pid": b"-1\n",
            "binary": bytes(range(256)) * 20,
            "cut.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
            "cut.xz": b"\xfd7zXZ\x00\x00\x04",
            "journal.json": b'{"MESSAGE": [1, 2], "__REALTIME_TIMESTAMP": "x", "_TRANSPORT": "kernel"}\n{"a":\n',
            "export": b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff",
            "deep.json": b"[" * 20000,
            "kill.log": b"Out of memory: Killed process 99999999999999999999999 (x) total-vm:9kB, anon-rss:3kB\n",
            "sysctl.conf": b"vm.overcommit_memory = 0x\n-vm.*\n[\n" + bytes(range(1, 256)),
        }
        for name, content in contents.items():
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(content)
        with open(os.path.join(folder, "sparse"), "wb") as stream:
            stream.truncate(1 << 40)
        # A program for a trial that never runs: the audit hook refuses to start it.
        with open(os.path.join(folder, "hog"), "wb") as stream:
            stream.write(b"#!/bin/false\n")
            os.fchmod(stream.fileno(), 0o755)
        os.mkfifo(os.path.join(folder, "fifo"))
        os.mkdir(os.path.join(folder, "folder"))
        os.symlink("loop", os.path.join(folder, "loop"))
        os.symlink("nowhere", os.path.join(folder, "dangling"))
        paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        # Not /proc/kmsg: reading it takes messages away from others.
        paths += [
            "/dev/null",
            "/dev/zero",
            "/dev/full",
            "/dev/tty",
            "/dev/ptmx",
            "/proc/self/mem",
            "/proc/1",
            "/proc/sys",
        ]
        paths += ["/nonexistent/x", "x/y", folder + "/*", folder + "/[", folder + "/**", "/" * 5000, "/" + "a" * 300]
        paths += ["/etc/sysctl.d/60-x.conf", "/etc/sysctl.d/../passwd", "/run/sysctl.d/a.conf", "/etc/sysctl.conf"]
        return [*paths, folder + "/n\udcff\n\x1b"]

    def arguments(self, dice, module):
        """Return a random argument set of this module, hostile throughout or in one value."""
        self._hostility = dice.choice((0.02, 0.1, 0.3, 0.7))
        return self._options(dice, self.options[module], dice.choice((0.1, 0.2, 0.4, 0.8)))

    def _options(self, dice, options, share):
        chosen = {name: self._value(dice, name, option) for name, option in options.items() if dice.random() < share}
        required = [name for name, option in options.items() if option.get("required") and name not in chosen]
        for name in required:
            if dice.random() < 0.9:
                chosen[name] = self._value(dice, name, options[name])
        if "score" in options and dice.random() < 0.9:
            self._select_once(dice, chosen, options)
        if dice.random() < 0.02:
            chosen[dice.choice(self.texts[:20])] = dice.choice(self.texts)
        return chosen

    def _select_once(self, dice, chosen, options):
        """Leave one selector in a target, or targets alone, and give it a score or state=absent."""
        present = [name for name in SELECTORS if name in chosen]
        if "targets" in chosen and dice.random() < 0.5:
            present.append("targets")
        kept = dice.choice(present or [name for name in SELECTORS if name in options])
        for name in (*SELECTORS, "targets", *(TARGET_ONLY if kept == "targets" else ())):
            if name != kept:
                chosen.pop(name, None)
        if kept not in chosen:
            chosen[kept] = self._value(dice, kept, options[kept])
        if kept != "targets" and chosen.get("state") == "absent":
            chosen.pop("score", None)
        elif kept != "targets":
            chosen.setdefault("score", dice.choice((-500, 0, 1000)))

    def _value(self, dice, name, option):
        if dice.random() < self._hostility:
            return dice.choice(dice.choice((self.texts, self.paths, self.numbers, self.others)))
        if name in self.likely and dice.random() < 0.7:
            return dice.choice(self.likely[name])
        kind = option.get("type", "str")
        if option.get("choices") and dice.random() < 0.8:
            return dice.choice(option["choices"])
        if kind == "dict" or (kind == "list" and option.get("suboptions")):
            count = dice.choice((1, 1, 2, 3, 30))
            items = [self._options(dice, option.get("suboptions") or {}, 0.3) for _number in range(count)]
            return items if kind == "list" else items[0]
        if kind == "list":
            pool = self.paths if option.get("elements") == "path" else self.texts
            return [dice.choice(pool) for _number in range(dice.choice((0, 1, 1, 2, 5)))]
        pools = {"path": self.paths, "int": self.numbers, "float": self.numbers, "bool": [True, False, "yes", 0]}
        return dice.choice(pools.get(kind, self.texts))


def run_module(watch, name, arguments):
    """Run a module's main() in check mode and return its answer; raise what else it ends with.

    With no_log, Ansible does not log each call to syslog.
    """
    options = dict(arguments, _ansible_check_mode=True, _ansible_diff=True, _ansible_no_log=True)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and later
    module = importlib.import_module(PLUGINS + name)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()), watch.watching():
        try:
            module.main()
        except SystemExit:
            pass
        else:
            raise Broken("main() returned without an answer")
    return json.loads(output.getvalue())


def check_answer(answer):
    """Raise Broken if an answer is a failure without a sentence, or has what JSON cannot carry."""
    if answer.get("failed") and not (isinstance(answer.get("msg"), str) and answer["msg"].strip()):
        raise Broken(f"a failure without a message: {answer}")
    words = json.dumps({key: value for key, value in answer.items() if key != "invocation"})
    if "Traceback (most recent call last)" in words or "exception" in answer:
        raise Broken(f"a traceback in the answer: {words[:2000]}")


def stop_run(_number, _frame):
    raise Broken(f"no end within {SECONDS} s")


def is_of_ansible(error):
    """Return whether Ansible itself could not take the arguments, before the module saw them."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(
        frame.name == "__init__" and frame.filename.endswith("ansible/module_utils/basic.py") for frame in frames
    )


def place_of(error):
    """Return where an error was raised, which tells one failure from another."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/plugins/" in frame.filename]
    where = f"{frames[-1].filename.rpartition('/plugins/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}"


def run_once(watch, generator, systemd, seed, number):
    """Do one run. Return the kind of its end, and for a broken promise its text."""
    dice = random.Random(f"{seed}-{number}")
    systemd.change(dice)
    name = dice.choice(MODULES)
    arguments = generator.arguments(dice, name)
    signal.alarm(SECONDS)
    try:
        answer = run_module(watch, name, arguments)
        check_answer(answer)
        return f"{name} {'failed' if answer.get('failed') else 'ok'}", None
    except (Exception, Broken) as error:
        if is_of_ansible(error):
            return f"{name} refused by Ansible: {type(error).__name__}", None
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return f"{name} {place_of(error)}", f"run {number}: {name} {arguments!r}"[:3000] + f"\n{text[-3000:]}"
    finally:
        signal.alarm(0)


def main():
    """Run the given number of argument sets; exit with 1 if any broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    numbers = range(options.runs) if options.only is None else [options.only]
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGALRM, stop_run)
    counts, failures, began = {}, {}, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as programs:
        watch, generator, systemd = Watch(), Generator(folder), FakeSystemd(programs)
        try:
            for number in numbers:
                kind, text = run_once(watch, generator, systemd, seed, number)
                counts[kind] = counts.get(kind, 0) + 1
                if text and kind not in failures:
                    failures[kind] = text
                    print(f"\n{text}", flush=True)
                if len(failures) >= MAX_FAILURES:
                    break
        finally:
            systemd.end()
    for kind in sorted(counts):
        print(f"{counts[kind]:7} {kind}")
    print(f"result: {sum(counts.values())} runs in {time.monotonic() - began:.0f} s, {len(failures)} kinds of failure")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
