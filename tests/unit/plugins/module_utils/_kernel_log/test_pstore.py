# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Dumps of pstore: their parts, their order, and what cannot be read."""

import os

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import pstore
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.pstore import pstore_backend, pstore_dumps


def test_read_only_regular_files_up_to_a_bound(tmp_path, dump, monkeypatch):
    monkeypatch.setattr(pstore, "_LARGEST_DUMP", 40)
    folder = tmp_path / "sys/fs/pstore"
    path = dump(folder, "dmesg-efi-1", "Panic#1 Part1\n<4>[  1.0] a\rb\r\n" + "x" * 99, 10)
    os.mkfifo(str(folder / "dmesg-efi-2"))
    [(found, records)] = pstore_dumps(str(tmp_path))
    assert (found, [record.text for record in records][1:]) == (path, ["a\rb", "x" * 10])


def test_join_the_parts_of_each_panic(tmp_path, dump):
    kernel, kept = tmp_path / "sys/fs/pstore", tmp_path / "var/lib/systemd/pstore"
    dump(kernel, "dmesg-efi-2", "Panic#1 Part2\n<4>[  1.0] a\n<4>[  2.0] b\n", 10)
    last = dump(kernel, "dmesg-efi-1", "Panic#1 Part1\n<4>[  3.0] c\n", 10)
    whole = dump(kept, "17/dmesg.txt", "Panic#1 Part2\n<4>[  8.0] x\nPanic#1 Part1\n<4>[  9.0] y\n", 500)
    other = dump(kept, "17/dmesg-efi-3", "Panic#1 Part1\n<4>[  9.0] z\n", 500)
    dump(kernel, "console-ramoops-0", "<4>[  9.0] y\n", 1)
    dump(kernel, "dmesg-efi-9.enc.z", "\x9c\x01", 1)
    dumps = [
        (path, [record.text for record in records if "Panic#" not in record.text])
        for path, records in pstore_dumps(str(tmp_path))
    ]
    assert dumps == [(whole, ["x", "y"]), (other, ["z"]), (last, ["a", "b", "c"])]


def test_two_panics_with_one_part_each(tmp_path, dump):
    first = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n<4>[  3.0] a\n", 99)
    second = dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-1", "Panic#1 Part1\n<4>[  3.0] b\n", 10)
    assert [path for path, _records in pstore_dumps(str(tmp_path))] == [first, second]


def test_refuse_an_unreadable_folder(tmp_path, monkeypatch, dump):
    dump(tmp_path / "sys/fs/pstore", "dmesg-ramoops-0", "Panic#1 Part1\n", 1)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(AccessError, match=r"sys/fs/pstore cannot be read \(Permission denied\): make it readable"):
        list(pstore_dumps(str(tmp_path)))


@pytest.mark.parametrize("text, backend", [("ramoops\n", "ramoops"), ("(null)\n", None), (None, None)])
def test_read_the_backends_name(tmp_path, text, backend):
    if text:
        path = tmp_path / "sys/module/pstore/parameters/backend"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert pstore_backend(str(tmp_path)) == backend
