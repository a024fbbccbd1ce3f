# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are refused unread, and the bounds of what compressed files unpack to."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import zlib

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log import streams
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files import LogFile, expand_paths
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.streams import Budget, OpenFile

KILL = b"Out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:3kB, file-rss:2kB\n"


def test_refuse_what_is_not_a_log(tmp_path):
    os.mkfifo(str(tmp_path / "fifo"))
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "kmsg").symlink_to("/proc/self/status")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.write(KILL)
        stream.truncate(1 << 40)
    for path, words in (
        (tmp_path / "fifo", "fifo is not a file"),
        (tmp_path / "link", "link is not a file"),
        (tmp_path / "kmsg", "kmsg is in /proc, not a log file: use source=kmsg"),
        (tmp_path / "sparse", r"sparse is sparse: 1099511627776 bytes, of which \d+ are on disk: copy what it holds"),
    ):
        with pytest.raises(InputError, match=words):
            LogFile(str(path))


def test_refuse_a_file_that_was_replaced_by_a_fifo(tmp_path, monkeypatch):
    path = tmp_path / "kern.log"
    path.write_bytes(KILL)
    found = os.stat(str(path))
    path.unlink()
    os.mkfifo(str(path))
    monkeypatch.setattr(streams.os, "stat", lambda _path: found)
    with pytest.raises(InputError, match=r"kern\.log is not a file"):
        LogFile(str(path))


@pytest.mark.parametrize("path", ["/a\0b", "/a\0*", "/no/such/\x1b[31m"])
def test_refuse_odd_paths(path):
    with pytest.raises((InputError, NotFoundError)) as raised:
        [LogFile(one) for one in expand_paths([path])]
    assert "\0" not in str(raised.value) and "\x1b" not in str(raised.value)


@pytest.mark.parametrize("name", ["kern-\u00e9.log", "kern-\udcff.log"])
def test_read_paths_of_any_locale(tmp_path, name, monkeypatch):
    """With LC_ALL=C Python 3.6 opens no path that is not ASCII, unless it is bytes."""
    with open(os.path.join(os.fsencode(str(tmp_path)), name.encode("utf-8", "surrogateescape")), "wb") as stream:
        stream.write(KILL)
    for pattern in (f"{tmp_path}/{name}", f"{tmp_path}/*"):
        [path] = expand_paths([pattern])
        assert path == f"{tmp_path}/{name}"
        assert len(list(LogFile(path).records())) == 1


def test_refuse_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.files.MAX_FILES", 1)
    for name in "ab":
        (tmp_path / name).write_bytes(KILL)
    with pytest.raises(InputError, match="paths match more than 1 files: name fewer"):
        expand_paths([f"{tmp_path}/*"])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_bound_what_all_files_unpack_to(tmp_path, compress):
    (tmp_path / "a.log").write_bytes(compress(KILL + b"a" * (8 << 20)))
    budget = Budget(4 << 20)
    log = LogFile(str(tmp_path / "a.log"), budget=budget)
    assert len(list(log.records())) >= 1
    assert "a.log was not read to its end: compressed files unpack to more than 4 GiB" in log.damage
    log = LogFile(str(tmp_path / "a.log"), budget=budget)
    assert (list(log.records()), log.mark()) == ([], None)
    assert "a.log was not read to its end" in log.damage


def test_count_the_lines_of_a_compressed_file(tmp_path):
    (tmp_path / "a.log").write_bytes(gzip.compress(b"\n" * 100000))
    log = LogFile(str(tmp_path / "a.log"), budget=Budget(1 << 20))
    assert len(list(log.records())) < 20000
    assert "a.log was not read to its end" in log.damage


def test_bound_the_memory_of_xz(tmp_path):
    # The size of the dictionary stands in the header of the block: 0x16 is 8 MiB, 0x27 3 GiB.
    packed = lzma.compress(KILL, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20}])
    header = bytearray(packed[12:24])
    header[4] = 0x27
    header[8:12] = zlib.crc32(bytes(header[:8])).to_bytes(4, "little")
    (tmp_path / "kern.log").write_bytes(packed[:12] + bytes(header) + packed[24:])
    log = LogFile(str(tmp_path / "kern.log"))
    assert list(log.records()) == []
    assert "kern.log is truncated or damaged: Memory usage limit exceeded" in log.list_losses()[0]


def test_read_all_streams_of_xz(tmp_path):
    path = tmp_path / "kern.log"
    path.write_bytes(lzma.compress(KILL) + b"\0" * 4 + lzma.compress(KILL * 2) + b"no stream")
    assert len(list(LogFile(str(path)).records())) == 3


def test_go_to_an_offset_in_a_compressed_file(tmp_path):
    path = tmp_path / "kern.log"
    path.write_bytes(gzip.compress(b"a" * 70000 + KILL))
    with OpenFile(str(path), Budget()) as opened:
        opened.seek(70000)
        assert opened.stream.readline() == KILL
        opened.seek(1 << 30)
        assert opened.stream.readline() == b""


def test_read_a_file_as_it_was_when_it_was_opened(tmp_path):
    """A writer that is faster than the reader does not keep it busy for ever."""
    path = tmp_path / "kern.log"
    path.write_bytes(KILL)
    found = 0
    for _record in LogFile(str(path)).records():
        found += 1
        with path.open("ab") as stream:
            stream.write(KILL)
    assert found == 1


def test_read_nothing_from_an_empty_file(tmp_path):
    (tmp_path / "kern.log").write_bytes(b"")
    assert list(LogFile(str(tmp_path / "kern.log")).records()) == []


def pack_with(*command):
    return lambda content: subprocess.run(command, input=content, check=True, stdout=subprocess.PIPE).stdout


FORMS = {
    "gzip": gzip.compress,
    "several gzip": lambda content: gzip.compress(content[:5000000]) + gzip.compress(content[5000000:]) + b"\0" * 512,
    "xz": lambda content: lzma.compress(content, preset=0),
    "bzip2": bz2.compress,
    "zstd": pack_with("zstd", "-qc"),
    "UTF-16": lambda content: content.decode().encode("utf-16"),
}
needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")


@pytest.mark.parametrize(
    "pack", [pytest.param(pack, marks=needs_zstd if form == "zstd" else (), id=form) for form, pack in FORMS.items()]
)
def test_search_what_is_packed(tmp_path, pack):
    """Of a large packed file, too, only the lines around words are read."""
    filler = b"".join(b"Nov 23 04:43:46 host kernel: [%12.6f] usb 1-1: new device\n" % (n / 100) for n in range(100000))
    content = KILL + filler + KILL.replace(b"7 (x)", b"8 (y)") + filler + KILL.replace(b"7 (x)", b"9 (z)")
    (tmp_path / "packed").write_bytes(pack(content))
    (tmp_path / "plain").write_bytes(content)
    packed, plain = LogFile(str(tmp_path / "packed")), LogFile(str(tmp_path / "plain"))
    lines = [record.raw for record in packed.records()]
    assert [line for line in lines if "Killed" in line] == [r.raw for r in plain.records() if "Killed" in r.raw]
    assert len(lines) < 60000 and packed.damage is None
    assert packed.mark().offset == len(content)
    again = LogFile(str(tmp_path / "packed"), [packed.mark()])
    assert list(again.records()) == []


def test_name_what_cannot_be_decompressed(tmp_path, monkeypatch):
    for name, module, content in (("lzma", "xz", lzma.compress(KILL)), ("bz2", "bzip2", bz2.compress(KILL))):
        monkeypatch.setattr(streams, name, None)
        (tmp_path / "kern.log").write_bytes(content)
        with pytest.raises(
            UnsupportedError, match=f"kern.log is compressed with {module}, but Python .* has no {name}"
        ):
            LogFile(str(tmp_path / "kern.log"))
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "kern.log").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(UnsupportedError, match=r"compressed with zstd, but zstd cannot be started.*: install zstd"):
        LogFile(str(tmp_path / "kern.log"))


@needs_zstd
def test_damaged_zstd(tmp_path):
    packed = FORMS["zstd"](KILL + os.urandom(400000).hex().encode() + b"\n" + KILL)
    (tmp_path / "kern.log").write_bytes(packed[: len(packed) // 2])
    log = LogFile(str(tmp_path / "kern.log"))
    assert len(list(log.records())) >= 1
    assert "kern.log is truncated or damaged: zstd" in log.damage


def test_damage_far_behind_the_beginning(tmp_path):
    """What was read before the damage is searched and returned."""
    content = b"x y\n" * 3000000 + KILL + os.urandom(4000000).hex().encode()
    packed = gzip.compress(content)
    (tmp_path / "kern.log").write_bytes(packed[: len(packed) - 1000000])
    log = LogFile(str(tmp_path / "kern.log"))
    assert [record.raw for record in log.records() if "Killed" in record.raw] == [KILL.decode().strip()]
    assert "is truncated or damaged" in log.damage


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
@pytest.mark.parametrize("mark, form", [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
def test_unpack_text_in_utf_16(tmp_path, pack, mark, form):
    path = tmp_path / "kern.log.packed"
    path.write_bytes(pack(mark + KILL.decode().encode(form) * 3))
    log = LogFile(str(path))
    assert [record.text for record in log.records()] == [KILL.decode().rstrip()] * 3
    assert log.list_losses() == []


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"\xff\xfe", b"\xff\xfex"])
def test_unpack_short_texts(tmp_path, content):
    path = tmp_path / "kern.log.gz"
    path.write_bytes(gzip.compress(content))
    assert len(list(LogFile(str(path)).records())) == (len(content) % 2)
