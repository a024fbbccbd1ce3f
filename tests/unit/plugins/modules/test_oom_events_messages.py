# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error and warning of oom_events says what failed, which value, and what to do."""

import ast
import errno
import gzip
import os
import re

import pytest
from ansible.module_utils import basic
from event_lines import kmsg, report

from ansible_collections.oomguard.linux.plugins.module_utils._host import container_names
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import journal, pstore, streams
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events import gather

# The remedy is the last part, and begins with what to do.
REMEDY = re.compile(
    r"[:;,] (?:or )?(?:set|remove|name|give|keep|use|add|load|read|install|grant|ran as uid|check it|copy|decompress"
    r"|make it|begin it|value of)\b"
)


class Case:
    """How a message is provoked, the value that it names, and words of its remedy."""

    def __init__(self, value, remedy, options=None, prepare=None):
        self.value = value
        self.remedy = remedy
        self.options = options or {}
        self.prepare = prepare


def deny(number):
    """Let the kernel deny opening a log."""

    def prepare(monkeypatch, folder):
        opens = os.open

        def denied(path, *args, **kwargs):
            if os.fsdecode(path).startswith(("/dev/kmsg", str(folder))):
                raise OSError(number, os.strerror(number))
            return opens(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", denied)
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    return prepare


def hide_journal(monkeypatch, folder):
    (folder / "log/0123").mkdir(parents=True)
    (folder / "log/0123/system.journal").write_text("")
    monkeypatch.setattr(journal, "JOURNALS", [str(folder / "log")])
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def journalctl(script):
    """Replace journalctl by a script; without one it is missing."""

    def prepare(monkeypatch, folder):
        monkeypatch.setattr(gather, "has_journal", lambda: True)
        monkeypatch.setenv("PATH", str(folder))
        if script:
            (folder / "journalctl").write_text("#!/bin/sh\n" + script)
            (folder / "journalctl").chmod(0o755)

    return prepare


def empty_pstore(monkeypatch, folder):
    monkeypatch.setattr(pstore, "PSTORE", [str(folder)])
    monkeypatch.setattr(gather, "pstore_backend", lambda: None)


def denied_pstore(monkeypatch, folder):
    def walk(top, onerror):
        onerror(PermissionError(errno.EACCES, "Permission denied", top))
        return []

    monkeypatch.setattr(os, "walk", walk)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def unlogged(monkeypatch, _folder):
    monkeypatch.setattr(Procfs, "oom_kills", lambda _procfs: 1 << 40)
    monkeypatch.setattr(gather, "oom_kills_by_cgroup", lambda _procfs: {})
    monkeypatch.setattr(gather, "has_journal", lambda: True)


def no_containers(monkeypatch, _folder):
    monkeypatch.setattr(container_names, "find_container_ids", lambda _name: set())


def small_budget(monkeypatch, folder):
    monkeypatch.setattr(gather, "Budget", lambda: streams.Budget(10))
    (folder / "kern.log").write_bytes(gzip.compress(b"x" * 100000))


def no_lzma(monkeypatch, folder):
    monkeypatch.setattr(streams, "lzma", None)
    (folder / "kern.log").write_bytes(b"\xfd7zXZ\x00x")


def sparse(_monkeypatch, folder):
    os.truncate(str(folder / "kern.log"), 1 << 30)


HOST = gather._read_machine_id()
LOG = dict(paths=["FOLDER/kern.log"])
ERRORS = {
    "typo in a choice": Case("jurnal", "must be one of: auto, journal", dict(source="jurnal")),
    "limit": Case("limit=0", "set at least 1", dict(LOG, limit=0)),
    "since": Case("since=yesterday", "give ISO 8601", dict(LOG, since="yesterday")),
    "until": Case("until=2026-11-23", "give ISO 8601", dict(LOG, until="2026-11-23")),
    "no zone": Case("2026-11-23T04:43:45", "with a zone", dict(LOG, since="2026-11-23T04:43:45")),
    "empty window": Case("since=-1h", "set since to an earlier time", dict(LOG, since="-1h", until="-2h")),
    "boot": Case("boot=previus", "set current, previous, all", dict(boot="previus")),
    "boot of another source": Case(
        "boot=previous", "set source=journal, or remove boot", dict(source="kmsg", boot="previous")
    ),
    "cursor": Case("cursor='hello'", "use the cursor of an earlier run", dict(source="kmsg", cursor="hello")),
    "cursor of another host": Case(
        "machine id elsewhere", "keep one cursor for each host", dict(cursor=f"kmsg|elsewhere|{'0' * 32}:7|")
    ),
    "cursor of another source": Case(
        "source=journal", "keep one cursor for each source", dict(source="kmsg", cursor=f"journal|{HOST}|s=1|")
    ),
    "cursor and since": Case("cursor", "remove since, until and boot", dict(source="kmsg", cursor="x", since="-1h")),
    "cursor of pstore": Case("source=pstore", "set source=journal", dict(source="pstore", cursor="x")),
    "unit": Case("unit=user.slice", "give one such as docker", dict(LOG, unit="user.slice")),
    "container": Case("container=/web", "give 12 or more digits", dict(LOG, container="/web")),
    "paths missing": Case("source=file", "name at least one file", dict(source="file")),
    "paths too many": Case("source=kmsg", "remove paths, or set source=file", dict(LOG, source="kmsg")),
    "no file": Case("/nonexistent", "name a file on the managed host", dict(paths=["/nonexistent"])),
    "no match": Case("/nonexistent/*", "name files on the managed host", dict(paths=["/nonexistent/*"])),
    "folder": Case("FOLDER", "name a file, or a glob", dict(paths=["FOLDER"])),
    "NUL": Case("\\x00", "remove it", dict(paths=["/a\0b"])),
    "proc": Case("/proc/kmsg", "use source=kmsg", dict(paths=["/proc/kmsg"])),
    "file denied": Case("kern.log", "ran as uid 1000: add become: true", LOG, deny(errno.EACCES)),
    "file broken": Case("kern.log", "name a log file that can be read", LOG, deny(errno.EIO)),
    "sparse": Case("1073741824", "copy what it holds", LOG, sparse),
    "xz without lzma": Case("kern.log", "decompress the file first", LOG, no_lzma),
    "kmsg denied": Case("/dev/kmsg", "ran as uid 1000: add become: true", dict(source="kmsg"), deny(errno.EPERM)),
    "kmsg missing": Case("/dev/kmsg", "set source=journal, or paths", dict(source="kmsg"), deny(errno.ENOENT)),
    "no journal": Case(
        "/run/log/journal",
        "set source=kmsg for the current boot, or paths",
        dict(source="journal"),
        lambda monkeypatch, _folder: monkeypatch.setattr(gather, "has_journal", lambda: False),
    ),
    "journal denied": Case(
        "system.journal", "add become: true, or join the group", dict(source="journal"), hide_journal
    ),
    "no journalctl": Case(
        "journalctl", "install journalctl, or set source=kmsg", dict(source="journal"), journalctl("")
    ),
    "unknown boot": Case(
        "boot=" + "0" * 32,
        "check it with journalctl --list-boots",
        dict(source="journal", boot="0" * 32),
        journalctl("echo 'No such boot ID in journal' >&2; exit 1\n"),
    ),
    "nothing in pstore": Case("source=pstore", "load a backend such as", dict(source="pstore"), empty_pstore),
    "pstore denied": Case("/sys/fs/pstore", "add become: true", dict(source="pstore"), denied_pstore),
}


def provoke(run_module, monkeypatch, tmp_path, case, check_mode=False):
    (tmp_path / "kern.log").write_text("\n".join(kmsg([report()])) + "\n")
    options = {
        key: [path.replace("FOLDER", str(tmp_path)) for path in value] if key == "paths" else value
        for key, value in case.options.items()
    }
    with monkeypatch.context() as context:
        if case.prepare:
            case.prepare(context, tmp_path)
        return run_module("oom_events", check_mode=check_mode, **options)


def has_three_parts(message, case, tmp_path):
    value = case.value.replace("FOLDER", str(tmp_path))
    assert value in message and case.remedy in message
    assert "\n" not in message and len(message) < 500


@pytest.mark.parametrize("check_mode", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("case", ERRORS.values(), ids=list(ERRORS))
def test_error_has_three_parts(run_module, monkeypatch, tmp_path, case, check_mode):
    answer = provoke(run_module, monkeypatch, tmp_path, case, check_mode)
    assert answer["failed"]
    has_three_parts(answer["msg"], case, tmp_path)


WARNINGS = {
    "unlogged": Case("counts.unlogged=", "read source=journal, or the log files", dict(source="kmsg"), unlogged),
    "similar unit": Case("unit=shpo", "set unit to that name", dict(LOG, unit="shpo")),
    "similar victim": Case("victim=eet", "set victim to that name", dict(LOG, victim="eet")),
    "container": Case("container=web1", "give the first 12 digits", dict(LOG, container="web1"), no_containers),
    "auto without the journal": Case("source=kmsg instead", "add become: true", {}, hide_journal),
}


@pytest.mark.parametrize("case", WARNINGS.values(), ids=list(WARNINGS))
def test_warning_has_three_parts(run_module, monkeypatch, tmp_path, case):
    warned = []  # the answer also has the warnings of earlier runs in this process
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    assert not provoke(run_module, monkeypatch, tmp_path, case).get("failed")
    has_three_parts(next(text for text in warned if case.value in text), case, tmp_path)


def test_file_that_unpacks_to_too_much(run_module, monkeypatch, tmp_path):
    """It is no error: the files after it are read."""
    answer = provoke(run_module, monkeypatch, tmp_path, Case("", "", LOG, small_budget))
    [reason] = answer["lost"]["files"]
    assert "kern.log was not read to its end" in reason and "decompress them first, or name fewer" in reason


ROOMS = ("_oom_events", "_kernel_log/journal.", "_kernel_log/kmsg", "_kernel_log/pstore")


def raised_texts():
    """Yield the text of each error that these files raise themselves, with its place."""
    utils = os.path.dirname(os.path.dirname(gather.__file__))
    for folder, _folders, names in os.walk(utils):
        for name in sorted(names):
            path = os.path.join(folder, name)
            where = os.path.relpath(path, utils)
            if name.endswith(".py") and (where.startswith(ROOMS) or where == "_kernel_log/streams.py"):
                with open(path, encoding="utf-8") as stream:
                    tree = ast.parse(stream.read())
                for node in ast.walk(tree):
                    called = node.exc if isinstance(node, ast.Raise) else None
                    if isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.args:
                        parts = getattr(called.args[0], "values", [called.args[0]])
                        yield f"{where}:{node.lineno}", "".join(text_of_part(part) for part in parts)


def text_of_part(part):
    """Return the text of a constant, and VALUE for anything else; Python 3.6 calls it Str."""
    text = getattr(part, "value", getattr(part, "s", None))
    return text if isinstance(text, str) else "VALUE"


INNER = ("Compressed file ended", "VALUE is truncated or damaged")  # become the reason in lost.files
ADVICE = (": VALUE", ": VALUE, or join the group systemd-journal")  # of advise_access()


def test_no_error_without_a_remedy():
    """Each text names what to do in the source, so that a new one cannot be forgotten here."""
    texts = list(raised_texts())
    assert len(texts) >= 20
    for place, text in texts:
        if text != "VALUE" and not text.startswith(INNER):
            assert REMEDY.search(text) or text.endswith((": VALUE", ": VALUE, or join the group systemd-journal")), (
                place
            )
