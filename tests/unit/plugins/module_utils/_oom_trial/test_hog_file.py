# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a trial: what is refused before, and why one did not start."""

import os
import shutil
import struct
import subprocess
import sys

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import (
    check_hog,
    explain_start_failure,
    read_linkage,
)


def test_accept_a_program(tmp_path, monkeypatch):
    assert check_hog("/bin/true") == "/bin/true"
    shutil.copy("/bin/true", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert check_hog("./true") == check_hog("true") == str(tmp_path / "true")


def test_refuse_what_is_no_program(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    for path, words in (
        (tmp_path / "missing", "missing is not a file: set it to the path of oom_hog, built for this host"),
        (tmp_path, "is not a file"),
        (plain, "plain is not executable: build it for this host and set mode 0755"),
    ):
        with pytest.raises(InputError, match=words):
            check_hog(str(path))


def test_name_a_noexec_mount(tmp_path):
    """The mount is in a mount namespace of its own."""
    code = (
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog\n"
        f"check_hog('{tmp_path}/hog')"
    )
    script = f'mount -t tmpfs -o noexec tmpfs {tmp_path} && cp /bin/true {tmp_path}/hog && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", code],
        check=False,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert (
        "hog is not executable: its file system is mounted noexec; put it elsewhere, such as below /usr/local/libexec"
        in done.stderr
    )


def test_accept_any_name_in_any_locale(tmp_path):
    """Python 3.6 encodes paths as ASCII with LC_ALL=C."""
    folder = os.fsencode(str(tmp_path)) + "/h\u00f6g".encode()
    os.mkdir(folder)
    shutil.copy(b"/bin/true", folder + b"/oom")
    code = (
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.started_program import start_actor\n"
        f"hog = '{tmp_path}/h\\u00f6g/oom'\n"
        "check_hog(hog)\n"
        "assert start_actor([hog, '\\u00e4']).wait() == (0, None)"
    )
    subprocess.check_call([sys.executable, "-c", code], env=dict(os.environ, LC_ALL="C"))


def elf(machine, order="<", loader=b""):
    """Return the start of a 64-bit ELF file."""
    magic = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + b"\1" + bytes(9)
    header = magic + struct.pack(order + "HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack(order + "IIQQQQQQ", 3 if loader else 1, 4, 120, 0, 0, len(loader), len(loader), 1)
    return header + segment + loader


with open("/proc/self/exe", "rb") as stream:
    MACHINE = struct.unpack_from("<H", stream.read(20), 18)[0]

CONTENTS = {
    "empty": (b"", "it is neither an ELF program nor a script"),
    "junk": (b"\0\1\2", "it is neither an ELF program nor a script"),
    "half a header": (b"\x7fELF\x02\x01", "it is neither an ELF program nor a script"),
    "another architecture": (elf(183 if MACHINE != 183 else 62), "it was built for "),
    "another byte order": (elf(MACHINE, ">"), "it was built for "),
    "an unknown architecture": (elf(9999), "it was built for ELF machine 9999, this host is"),
    "32 bits": (b"\x7fELF\x01" + elf(3)[5:60] + bytes(200), "it was built for i386"),
    "no such loader": (
        elf(MACHINE, loader=b"/lib/ld-none.so.9\0"),
        "its loader /lib/ld-none.so.9 does not exist here; build it on this host, or with -static",
    ),
    "nothing wrong": (elf(MACHINE), "its file shows no reason"),
    "a script": (b"#!/bin/sh\n", "its file shows no reason"),
    "no such interpreter": (b"#!/nonexistent/sh -e\n", "the interpreter in its first line does not exist"),
    "an interpreter without a name": (b"#!\n", "the interpreter in its first line does not exist"),
}


@pytest.mark.parametrize("content, words", CONTENTS.values(), ids=list(CONTENTS))
def test_explain_why_a_program_does_not_start(tmp_path, content, words):
    program = tmp_path / "hog"
    program.write_bytes(content)
    assert explain_start_failure(bytes(program)).startswith(words)


def test_name_a_folder_that_this_user_cannot_enter(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(0o700)
    shutil.copy("/bin/true", str(folder / "hog"))
    code = (
        "import os\n"
        "from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.hog_file import check_hog\n"
        "os.setuid(65534)\n"
        f"check_hog('{folder}/hog')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE, universal_newlines=True)
    assert (
        "hog cannot be reached, because a folder above it denies access to uid 65534: add become: true" in done.stderr
    )


def test_read_how_a_program_was_linked(tmp_path):
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    for option, linkage in (("-static", "static"), ("-O1", "dynamic")):
        subprocess.check_call(["cc", option, "-o", str(tmp_path / "empty"), str(source)])
        assert read_linkage(str(tmp_path / "empty")) == linkage
    assert read_linkage(str(source)) is read_linkage(str(tmp_path / "gone")) is None


def test_explain_a_program_that_is_gone(tmp_path):
    assert "cannot be read (No such file or directory)" in explain_start_failure(bytes(tmp_path / "gone"))


def test_suspect_selinux_only_where_it_is_enforced(tmp_path):
    enforce = tmp_path / "enforce"
    for flag, words in (("1", "SELinux may deny it, see ausearch -m avc"), ("0", "its file shows no reason")):
        enforce.write_text(flag)
        assert explain_start_failure(b"/bin/true", str(enforce)).startswith(words)
