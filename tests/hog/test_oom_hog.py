# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program oom_hog: every option, every exit code, its output, and its end."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import Procfs


def run(hog, *options, cgroup=None, before=None, prefix=()):
    """Run the program, in a cgroup if one is given; return exit code, JSON lines and errors."""

    def prepare():
        if cgroup:
            with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
                procs.write("0")
        if before:
            before()

    done = subprocess.run(
        [*prefix, hog, *options], preexec_fn=prepare, check=False, capture_output=True, text=True, timeout=120
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def own_score():
    """Return the score of the tests themselves: a desktop session may run at 200."""
    with open("/proc/self/oom_score_adj") as score:
        return int(score.read())


# --- the ways it ends --------------------------------------------------------------


def test_survive_with_enough_memory(hog):
    code, lines, errors = run(hog, "--size", "5M", "--host", "--name", "my hog")
    assert (code, errors) == (0, "")
    assert [line.pop("pid", None) is not None for line in lines] == [True, False, False]
    assert lines == [
        {"phase": "start", "name": "my hog", "score": own_score(), "size_kb": 5120, "domain_kb": None},
        {"phase": "allocated", "kb": 5120},
        {"phase": "survived", "kb": 5120},
    ]


def test_killed_at_the_limit_of_its_cgroup(hog, small_domain):
    code, lines, _errors = run(hog, "--size", "64M", cgroup=small_domain)
    assert code == -signal.SIGKILL
    assert [line["phase"] for line in lines] == ["start"]
    assert lines[0]["domain_kb"] == 32 * 1024
    assert small_domain.oom_kills() == 1


def test_report_enomem(hog):
    def little_address_space():
        resource.setrlimit(resource.RLIMIT_AS, (24 << 20, 24 << 20))

    code, lines, _errors = run(hog, "--size", "64M", "--host", before=little_address_space)
    assert code == 12
    assert lines[-1]["phase"] == "enomem"
    assert 0 < lines[-1]["kb"] < 24 * 1024


def test_refuse_the_whole_host(hog):
    code, lines, errors = run(hog, "--size", "1M")
    assert code == 3
    assert lines == [{"phase": "refused", "reason": errors.strip().partition(": ")[2]}]
    assert "no memory cgroup limits this process" in errors


def test_refuse_a_large_domain(hog, small_domain):
    code, _lines, errors = run(hog, "--size", "1M", "--max-domain", "31M", cgroup=small_domain)
    assert code == 3
    assert "the memory domain of 32768 KiB is larger than --max-domain 31744 KiB" in errors
    assert run(hog, "--size", "1M", "--max-domain", "32M", cgroup=small_domain)[0] == 0


def test_respect_the_limit_of_a_cgroup_above(hog, small_domain):
    inner = os.path.join(small_domain.directory, "inner")
    if small_domain.version == 2:
        with open(os.path.join(small_domain.directory, "cgroup.subtree_control"), "w") as control:
            control.write("+memory")
    os.mkdir(inner)

    def join():
        with open(os.path.join(inner, "cgroup.procs"), "w") as procs:
            procs.write("0")

    code, lines, _errors = run(hog, "--size", "1M", before=join)
    assert (code, lines[0]["domain_kb"]) == (0, 32 * 1024)


def test_lower_the_score_with_the_capability(hog):
    lower = str(own_score() - 1)
    code, lines, errors = run(hog, "--size", "1M", "--host", "--score", lower)
    if Procfs().has_cap_sys_resource():
        assert (code, lines[0]["score"]) == (0, int(lower))
    else:
        assert (code, lines) == (4, []), errors


def test_exit_4_for_a_denied_score(hog):
    """Lower the score without the capability, which the test drops first."""
    drop = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--")
    prefix = drop if Procfs().has_cap_sys_resource() else ()
    code, lines, errors = run(hog, "--size", "1M", "--host", "--score", "-5", prefix=prefix)
    assert (code, lines) == (4, [])
    assert "--score -5 was denied: Permission denied; lowering needs CAP_SYS_RESOURCE" in errors


def test_set_and_read_back_a_score(hog):
    code, lines, _errors = run(hog, "--size", "1M", "--host", "--score", "999")
    assert (code, lines[0]["score"]) == (0, 999)


def test_end_by_sigalrm_at_the_deadline(hog):
    assert run(hog, "--size", "1M", "--host", "--hold", "60", "--deadline", "1")[0] == -signal.SIGALRM


def test_end_at_the_deadline_without_a_kill(hog, small_domain):
    """Wait at the limit with no kill: version 1 disables the killer, version 2 spares -1000."""
    if small_domain.version == 1:
        with open(os.path.join(small_domain.directory, "memory.oom_control"), "w") as control:
            control.write("1")
        stuck = ()
    else:
        stuck = ("--score", "-1000")
    code, lines, errors = run(hog, "--size", "64M", "--deadline", "2", *stuck, cgroup=small_domain)
    assert code == -signal.SIGALRM, errors
    assert [line["phase"] for line in lines] == ["start"]


def test_a_parent_cannot_block_the_deadline(hog):
    def block_and_ignore():
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    assert (
        run(hog, "--size", "1M", "--host", "--hold", "60", "--deadline", "1", before=block_and_ignore)[0]
        == -signal.SIGALRM
    )


def test_continue_without_a_reader(hog):
    reader, writer = os.pipe()
    os.close(reader)
    taken = subprocess.Popen([hog, "--size", "1M", "--host"], stdout=writer)
    refused = subprocess.Popen([hog, "--size", "1M"], stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    assert (taken.wait(timeout=60), refused.wait(timeout=60)) == (0, 3)


def test_continue_without_stdout(hog):
    assert run(hog, "--size", "1M", "--host", "--score", "999", before=lambda: os.close(1))[:2] == (0, [])


def test_each_line_is_one_write(hog):
    """A pipe in packet mode keeps the write() calls apart (pipe(2))."""
    reader, writer = os.pipe2(os.O_DIRECT)
    child = subprocess.Popen([hog, "--size", "1M", "--host"], stdout=writer)
    os.close(writer)
    with open(reader, "rb", buffering=0) as lines:
        packets = list(iter(lambda: lines.read(4096), b""))
    assert child.wait(timeout=60) == 0
    assert [json.loads(packet)["phase"] for packet in packets] == ["start", "allocated", "survived"]
    assert all(packet.endswith(b"\n") for packet in packets)


def test_hold_and_pause(hog):
    started = time.monotonic()
    assert run(hog, "--size", "4M", "--step", "1M", "--pause", "100", "--hold", "1", "--host")[0] == 0
    assert time.monotonic() - started >= 1.4


def test_touch_every_page(hog):
    command = [hog, "--size", "20M", "--step", "3M", "--hold", "30", "--host", "--name", "fifteen bytes !"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            assert [json.loads(child.stdout.readline())["phase"] for _line in range(2)] == ["start", "allocated"]
            with open(f"/proc/{child.pid}/statm") as statm:
                resident = int(statm.read().split()[1]) * resource.getpagesize()
            with open(f"/proc/{child.pid}/comm") as comm:
                name = comm.read()
        finally:
            child.kill()
    assert resident >= 20 << 20
    assert name == "fifteen bytes !\n"


# --- what it rejects -----------------------------------------------------

MISUSED = {
    "no size": ([], "--size is missing"),
    "empty": (["--size", ""], "--size ''"),
    "zero": (["--size", "0"], "--size '0'"),
    "negative": (["--size", "-1M"], "--size '-1M'"),
    "sign": (["--size", "+1M"], "--size '+1M'"),
    "blank": (["--size", " 1M"], "--size ' 1M'"),
    "unknown unit": (["--size", "1T"], "--size '1T'"),
    "text after the unit": (["--size", "1MB"], "--size '1MB'"),
    "too many digits": (["--size", "99999999999999999999"], "--size '99999999999999999999'"),
    "too large with its unit": (["--size", "9999999999999G"], "must be a size such as 64M"),
    "bad step": (["--size", "1M", "--step", "x"], "--step 'x'"),
    "bad domain": (["--size", "1M", "--max-domain", "0"], "--max-domain '0'"),
    "score above": (["--size", "1M", "--score", "1001"], "--score '1001': must be a whole number from -1000 to 1000"),
    "score below": (["--size", "1M", "--score", "-1001"], "--score '-1001'"),
    "score as text": (["--size", "1M", "--score", "high"], "--score 'high'"),
    "half a number": (["--size", "1M", "--score", "5x"], "--score '5x'"),
    "empty number": (["--size", "1M", "--score", ""], "--score ''"),
    "blank before a number": (["--size", "1M", "--score", " 5"], "--score ' 5'"),
    "plus before a number": (["--size", "1M", "--deadline", "+5"], "--deadline '+5'"),
    "only a minus": (["--size", "1M", "--score", "-"], "--score '-'"),
    "only a unit": (["--size", "M"], "--size 'M'"),
    "hexadecimal": (["--size", "0x10"], "--size '0x10'"),
    "no deadline": (["--size", "1M", "--deadline", "0"], "--deadline '0': must be a whole number from 1 to 3600"),
    "negative hold": (["--size", "1M", "--hold", "-1"], "--hold '-1'"),
    "negative pause": (["--size", "1M", "--pause", "-1"], "--pause '-1'"),
    "long name": (["--size", "1M", "--name", "x" * 16], "must have 1 to 15 bytes"),
    "empty name": (["--size", "1M", "--name", ""], "must have 1 to 15 bytes"),
    "a word": (["--size", "1M", "now"], "'now': only options are allowed"),
    "unknown option": (["--size", "1M", "--fast"], "fast"),
    "missing value": (["--size"], "size"),
}


@pytest.mark.parametrize("options, words", MISUSED.values(), ids=list(MISUSED))
def test_reject_bad_options(hog, options, words):
    code, lines, errors = run(hog, "--host", *options)
    assert (code, lines) == (2, [])
    assert words in errors
    assert errors.count("\n") == 1


NAMES = {
    "quotes and controls": (b'a"b\\c\n\x01\x7f', 'a"b\\c\n\x01\x7f'),
    "UTF-8": ("h\u00f6g \u732a \U0001f416".encode(), "h\u00f6g \u732a \U0001f416"),
    "a lone byte": (b"a\xe9b", "a\ufffdb"),
    "cut in the middle": (b"pig\xf0\x9f\x90", "pig\ufffd\ufffd\ufffd"),
    "too long a form": (b"\xc0\xaf\xe0\x80\xaf", "\ufffd" * 5),
    "a surrogate": (b"\xed\xa0\x80", "\ufffd" * 3),
    "beyond Unicode": (b"\xf4\x90\x80\x80", "\ufffd" * 4),
}


@pytest.mark.parametrize("name, written", NAMES.values(), ids=list(NAMES))
def test_write_a_name_as_json(hog, name, written):
    done = subprocess.run([hog, "--size", "1M", "--host", "--name", name], check=True, capture_output=True)
    assert json.loads(done.stdout.splitlines()[0].decode("utf-8"))["name"] == written


def test_help_lists_options_and_exit_codes(hog):
    done = subprocess.run([hog, "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    for word in [
        "--size",
        "--step",
        "--pause",
        "--hold",
        "--score",
        "--name",
        "--deadline",
        "--max-domain",
        "--host",
        "--version",
        "ENOMEM",
    ]:
        assert word in done.stdout


def test_print_the_version_of_the_collection(hog):
    with open(os.path.join(os.path.dirname(__file__), "../../galaxy.yml")) as galaxy:
        version = re.search(r"^version: (\S+)$", galaxy.read(), re.MULTILINE).group(1)
    code = subprocess.run([hog, "--version"], check=False, capture_output=True, text=True)
    assert (code.returncode, code.stdout) == (0, f"oom_hog {version}\n")


# --- the memory domain that it finds ---------------------------------------------------------

V1, V2 = "memory.limit_in_bytes", "memory.max"
V1_MOUNT = "36 31 0:32 {root} {top}/{point} rw shared:9 - cgroup cgroup rw,memory"
V2_MOUNT = "41 31 0:38 {root} {top}/{point} rw - cgroup2 cgroup2 rw"
NO_LIMIT_V1 = "9223372036854771712"
MIB = str(1 << 20)

UNSEEN = "cannot be found below any mount point"
UNLIMITED = "no memory cgroup limits this process"


def v1(root="/", point="m"):
    return V1_MOUNT.replace("{root}", root).replace("{point}", point)


def v2(root="/", point="u"):
    return V2_MOUNT.replace("{root}", root).replace("{point}", point)


# Files below a temporary folder, lines of mountinfo and of /proc/self/cgroup,
# then the expected domain in KiB or the reason of the refusal.
DOMAINS = {
    "version 1": ({"m/a/" + V1: MIB}, [v1()], ["4:memory:/a"], 1024),
    "version 1, with another controller": ({"m/a/" + V1: MIB}, [v1()], ["4:cpuset,memory:/a"], 1024),
    "version 1, no limit": ({"m/a/" + V1: NO_LIMIT_V1}, [v1()], ["4:memory:/a"], UNLIMITED),
    "version 1, the root": ({"m/" + V1: NO_LIMIT_V1}, [v1()], ["4:memory:/"], UNLIMITED),
    "version 1, smallest above": (
        {"m/" + V1: NO_LIMIT_V1, "m/a/" + V1: MIB, "m/a/b/" + V1: str(2 << 20)},
        [v1()],
        ["4:memory:/a/b"],
        1024,
    ),
    "version 1, limits above do not apply": (
        {"m/a/" + V1: MIB, "m/a/memory.use_hierarchy": "0", "m/a/b/" + V1: NO_LIMIT_V1},
        [v1()],
        ["4:memory:/a/b"],
        UNLIMITED,
    ),
    "version 1, limits above apply": (
        {"m/a/" + V1: MIB, "m/a/memory.use_hierarchy": "1", "m/a/b/" + V1: NO_LIMIT_V1},
        [v1()],
        ["4:memory:/a/b"],
        1024,
    ),
    "version 2": ({"u/a/" + V2: MIB}, [v2()], ["0::/a"], 1024),
    "version 2, no limit": ({"u/a/" + V2: "max"}, [v2()], ["0::/a"], UNLIMITED),
    "version 2, the root has no file": ({"u/cgroup.procs": ""}, [v2()], ["0::/"], UNLIMITED),
    "version 2, smallest above": ({"u/a/" + V2: MIB, "u/a/b/" + V2: "max"}, [v2()], ["0::/a/b"], 1024),
    "version 2, controller not enabled below": (
        {"u/a/" + V2: MIB, "u/a/b/cgroup.procs": ""},
        [v2()],
        ["0::/a/b"],
        1024,
    ),
    "hybrid: memory is on version 1": (
        {"m/a/" + V1: MIB, "u/" + V2: "4096"},
        [v2(), v1()],
        ["4:memory:/a", "1:name=systemd:/a", "0::/"],
        1024,
    ),
    "hybrid: version 1 not mounted": ({"u/" + V2: MIB}, [v2()], ["4:memory:/a", "0::/"], UNSEEN),
    "another hierarchy of version 1": (
        {"m/" + V1: MIB, "u/a/" + V2: "max"},
        [v1().replace("memory", "cpu"), v2()],
        ["4:cpu:/", "0::/a"],
        UNLIMITED,
    ),
    "container: bind mount of our cgroup": (
        {"m/" + V1: MIB},
        [v1("/docker/c0ffee")],
        ["4:memory:/docker/c0ffee"],
        1024,
    ),
    "container: below the bind mount": (
        {"m/a/" + V1: MIB},
        [v1("/docker/c0ffee")],
        ["4:memory:/docker/c0ffee/a"],
        1024,
    ),
    "container: cgroup namespace": ({"u/" + V2: MIB}, [v2("/")], ["0::/"], 1024),
    "bind mount of another cgroup": ({"m/" + V1: MIB}, [v1("/docker/c0ffee")], ["4:memory:/other"], UNSEEN),
    "bind mount of a cgroup that begins alike": (
        {"mb/" + V1: MIB, "m/" + V1: MIB},
        [v1("/a")],
        ["4:memory:/ab"],
        UNSEEN,
    ),
    "outside the namespace": ({"u/" + V2: MIB, "other/" + V2: MIB}, [v2()], ["0::/../other"], UNSEEN),
    "outside, seen from further up": ({"u/other/" + V2: MIB}, [v2("/..")], ["0::/../other"], 1024),
    "a name that begins with dots": ({"u/..a/" + V2: MIB}, [v2()], ["0::/..a"], 1024),
    "the second mount is ours": ({"m/x": "", "n/a/" + V1: MIB}, [v1("/b"), v1("/", "n")], ["4:memory:/a"], 1024),
    "two mounts, one shows more": (
        {"m/" + V1: str(2 << 20), "n/" + V1: MIB, "n/a/" + V1: str(2 << 20)},
        [v1("/a"), v1("/", "n")],
        ["4:memory:/a"],
        1024,
    ),
    "blanks in the mount point": ({"my cgroups/a b/" + V2: MIB}, [v2("/", "my\\040cgroups")], ["0::/a b"], 1024),
    "removed cgroup": ({"u/" + V2: MIB}, [v2()], ["0::/gone (deleted)"], UNSEEN),
    "nothing mounted": ({}, ["23 1 8:1 / / rw - ext4 /dev/root rw"], ["0::/"], UNSEEN),
    "no cgroups": ({}, [v2()], [], UNSEEN),
    "a long name that ends like a line": (
        {"m/" + V1: NO_LIMIT_V1, "m/a/" + V1: MIB},
        [v1()],
        ["1:name=systemd:/".ljust(4095, "x") + "4:memory:/a", "4:memory:/"],
        UNLIMITED,
    ),
    "a mount point that ends like a line": (
        {"m/" + V1: NO_LIMIT_V1, "n/" + V1: MIB},
        ["39 31 0:39 / /home/user/".ljust(8191, "x") + v1("/", "n"), v1()],
        ["4:memory:/"],
        UNLIMITED,
    ),
    "a mount of a user with odd characters": (
        {"m/" + V1: NO_LIMIT_V1, "n/" + V1: MIB},
        ["39 31 0:39 / /home/user/\x0b{top}/n\x0crw\r-\x0bcgroup\x0bcgroup\x0brw,memory rw - fuse.x x rw", v1()],
        ["4:memory:/"],
        UNLIMITED,
    ),
    "not a number": ({"u/a/" + V2: "soon"}, [v2()], ["0::/a"], UNLIMITED),
}

# A mount namespace gives the hog these files in place of the kernel's, and no other process.
DISGUISE = 'mount --bind "$1" /proc/$$/mountinfo && mount --bind "$2" /proc/$$/cgroup && shift 2 && exec "$@"'


@pytest.fixture(scope="session")
def checked_hog(build):
    return build("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


@pytest.mark.parametrize("files, mountinfo, cgroups, expected", DOMAINS.values(), ids=list(DOMAINS))
def test_find_the_memory_domain(checked_hog, tmp_path, monkeypatch, files, mountinfo, cgroups, expected):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # valgrind checks for leaks
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    for name, lines in (("mountinfo", mountinfo), ("cgroup", cgroups)):
        (tmp_path / name).write_text("".join(line.replace("{top}", str(tmp_path)) + "\n" for line in lines))
    disguise = ("unshare", "--mount", "sh", "-c", DISGUISE, "sh", tmp_path / "mountinfo", tmp_path / "cgroup")
    code, lines, errors = run(checked_hog, "--size", "100K", prefix=disguise)
    if isinstance(expected, int):
        assert (code, lines[0].get("domain_kb")) == (0, expected), errors
    else:
        assert (code, lines[0]["phase"]) == (3, "refused"), errors
        assert expected in lines[0]["reason"]
        _code, lines, _errors = run(checked_hog, "--size", "100K", "--host", prefix=disguise)
        assert (lines[0]["phase"], lines[0]["domain_kb"], lines[-1]["phase"]) == ("start", None, "survived")


# --- built in other ways ----------------------------------------------------------------

QUIET_ENDS = {
    "survived": (0, ["--size", "3M", "--host", "--name", "x"]),
    "refused": (3, ["--size", "3M"]),
    "usage": (2, ["--size", "3X"]),
    "help": (0, ["--help"]),
    "enomem": (12, ["--size", "1000000G", "--step", "1000000G", "--host"]),
    "version": (0, ["--version"]),
    "score": (0, ["--size", "1M", "--host", "--score", "999", "--step", "5000", "--pause", "1"]),
}


@pytest.mark.parametrize("code, options", QUIET_ENDS.values(), ids=list(QUIET_ENDS))
def test_valgrind_finds_no_error(hog, code, options):
    assert shutil.which("valgrind"), "valgrind is missing: install it"
    command = [
        "valgrind",
        "--quiet",
        "--leak-check=full",
        "--show-leak-kinds=all",
        "--error-exitcode=99",
        hog,
        *options,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, "==" in done.stderr) == (code, False), done.stderr


@pytest.mark.parametrize("code, options", QUIET_ENDS.values(), ids=list(QUIET_ENDS))
def test_sanitizer_finds_no_undefined_behaviour(build, code, options):
    program = build("-fsanitize=undefined", "-fno-sanitize-recover=all")
    assert subprocess.run([program, *options], check=False, capture_output=True).returncode == code


def test_link_statically(build):
    program = build("-O2", "-static")
    assert (
        "not a dynamic executable"
        in subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stderr
    )
    assert run(program, "--size", "1M", "--host")[0] == 0
