# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""oom_hog, the real program: every option, every exit code, its words, and its end."""

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
    """Start it, in a cgroup if one is given, and wait. Exit code, what it said, what it complained of."""

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
    """Where the tests themselves start from: a desktop session, say, runs at 200."""
    with open("/proc/self/oom_score_adj") as score:
        return int(score.read())


# --- the ways it ends --------------------------------------------------------------


def test_it_survives_where_memory_suffices(hog):
    code, said, complaint = run(hog, "--size", "5M", "--host", "--name", "my hog")
    assert (code, complaint) == (0, "")
    assert [line.pop("pid", None) is not None for line in said] == [True, False, False]
    assert said == [
        {"phase": "start", "name": "my hog", "score": own_score(), "size_kb": 5120, "domain_kb": None},
        {"phase": "allocated", "kb": 5120},
        {"phase": "survived", "kb": 5120},
    ]


def test_the_kernel_kills_it_at_the_limit_of_its_cgroup(hog, small_domain):
    code, said, _complaint = run(hog, "--size", "64M", cgroup=small_domain)
    assert code == -signal.SIGKILL
    assert [line["phase"] for line in said] == ["start"]
    assert said[0]["domain_kb"] == 32 * 1024
    assert small_domain.oom_kills() == 1


def test_it_says_when_the_kernel_refuses_memory(hog):
    def little_address_space():
        resource.setrlimit(resource.RLIMIT_AS, (24 << 20, 24 << 20))

    code, said, _complaint = run(hog, "--size", "64M", "--host", before=little_address_space)
    assert code == 12
    assert said[-1]["phase"] == "enomem"
    assert 0 < said[-1]["kb"] < 24 * 1024


def test_it_refuses_the_whole_host(hog):
    code, said, complaint = run(hog, "--size", "1M")
    assert code == 3
    assert said == [{"phase": "refused", "reason": complaint.strip().partition(": ")[2]}]
    assert "no memory cgroup limits this process" in complaint


def test_it_refuses_a_domain_that_is_too_large(hog, small_domain):
    code, _said, complaint = run(hog, "--size", "1M", "--max-domain", "31M", cgroup=small_domain)
    assert code == 3
    assert "the memory domain of 32768 KiB is larger than --max-domain 31744 KiB" in complaint
    assert run(hog, "--size", "1M", "--max-domain", "32M", cgroup=small_domain)[0] == 0


def test_the_limit_of_a_cgroup_above_counts(hog, small_domain):
    inner = os.path.join(small_domain.directory, "inner")
    if small_domain.version == 2:
        with open(os.path.join(small_domain.directory, "cgroup.subtree_control"), "w") as control:
            control.write("+memory")
    os.mkdir(inner)

    def join():
        with open(os.path.join(inner, "cgroup.procs"), "w") as procs:
            procs.write("0")

    code, said, _complaint = run(hog, "--size", "1M", before=join)
    assert (code, said[0]["domain_kb"]) == (0, 32 * 1024)


def test_the_capability_decides_about_lowering(hog):
    lower = str(own_score() - 1)
    code, said, complaint = run(hog, "--size", "1M", "--host", "--score", lower)
    if Procfs().has_cap_sys_resource():
        assert (code, said[0]["score"]) == (0, int(lower))
    else:
        assert (code, said) == (4, []), complaint


def test_a_denied_score_is_an_end_of_its_own(hog):
    """Lowering without the capability, which is given up here if it is there."""
    drop = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--")
    prefix = drop if Procfs().has_cap_sys_resource() else ()
    code, said, complaint = run(hog, "--size", "1M", "--host", "--score", "-5", prefix=prefix)
    assert (code, said) == (4, [])
    assert "--score -5 was denied: Permission denied; lowering needs CAP_SYS_RESOURCE" in complaint


def test_a_score_is_set_and_read_back(hog):
    code, said, _complaint = run(hog, "--size", "1M", "--host", "--score", "999")
    assert (code, said[0]["score"]) == (0, 999)


def test_the_deadline_ends_it_by_a_signal_of_its_own(hog):
    assert run(hog, "--size", "1M", "--host", "--hold", "60", "--deadline", "1")[0] == -signal.SIGALRM


def test_the_deadline_holds_even_while_the_kernel_does_not_kill(hog, small_domain):
    """Stuck at the limit with nobody to kill: version 1 can switch the killer off, version 2 spares -1000."""
    if small_domain.version == 1:
        with open(os.path.join(small_domain.directory, "memory.oom_control"), "w") as control:
            control.write("1")
        stuck = ()
    else:
        stuck = ("--score", "-1000")
    code, said, complaint = run(hog, "--size", "64M", "--deadline", "2", *stuck, cgroup=small_domain)
    assert code == -signal.SIGALRM, complaint
    assert [line["phase"] for line in said] == ["start"]


def test_a_deadline_cannot_be_switched_off_by_the_parent(hog):
    def block_and_ignore():
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    assert (
        run(hog, "--size", "1M", "--host", "--hold", "60", "--deadline", "1", before=block_and_ignore)[0]
        == -signal.SIGALRM
    )


def test_it_goes_on_when_nobody_listens(hog):
    reader, writer = os.pipe()
    os.close(reader)
    taken = subprocess.Popen([hog, "--size", "1M", "--host"], stdout=writer)
    refused = subprocess.Popen([hog, "--size", "1M"], stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    assert (taken.wait(timeout=60), refused.wait(timeout=60)) == (0, 3)


def test_it_goes_on_without_any_output(hog):
    assert run(hog, "--size", "1M", "--host", "--score", "999", before=lambda: os.close(1))[:2] == (0, [])


def test_each_line_is_one_write(hog):
    """A pipe in packet mode keeps every write() apart (pipe(2))."""
    reader, writer = os.pipe2(os.O_DIRECT)
    child = subprocess.Popen([hog, "--size", "1M", "--host"], stdout=writer)
    os.close(writer)
    with open(reader, "rb", buffering=0) as lines:
        packets = list(iter(lambda: lines.read(4096), b""))
    assert child.wait(timeout=60) == 0
    assert [json.loads(packet)["phase"] for packet in packets] == ["start", "allocated", "survived"]
    assert all(packet.endswith(b"\n") for packet in packets)


def test_it_holds_and_pauses_as_long_as_it_is_told(hog):
    started = time.monotonic()
    assert run(hog, "--size", "4M", "--step", "1M", "--pause", "100", "--hold", "1", "--host")[0] == 0
    assert time.monotonic() - started >= 1.4


def test_every_page_is_touched(hog):
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


# --- what it does not understand -----------------------------------------------------

MISUSED = {
    "no size": ([], "--size is missing"),
    "empty": (["--size", ""], "--size ''"),
    "zero": (["--size", "0"], "--size '0'"),
    "negative": (["--size", "-1M"], "--size '-1M'"),
    "sign": (["--size", "+1M"], "--size '+1M'"),
    "blank": (["--size", " 1M"], "--size ' 1M'"),
    "unknown unit": (["--size", "1T"], "--size '1T'"),
    "words after it": (["--size", "1MB"], "--size '1MB'"),
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
    "a word": (["--size", "1M", "now"], "'now': there are only options"),
    "unknown option": (["--size", "1M", "--fast"], "fast"),
    "missing value": (["--size"], "size"),
}


@pytest.mark.parametrize("options, words", MISUSED.values(), ids=list(MISUSED))
def test_misuse_is_named_and_takes_nothing(hog, options, words):
    code, said, complaint = run(hog, "--host", *options)
    assert (code, said) == (2, [])
    assert words in complaint
    assert complaint.count("\n") == 1


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
def test_a_name_is_written_as_json(hog, name, written):
    done = subprocess.run([hog, "--size", "1M", "--host", "--name", name], check=True, capture_output=True)
    assert json.loads(done.stdout.splitlines()[0].decode("utf-8"))["name"] == written


def test_help_tells_every_option_and_exit_code(hog):
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


def test_its_version_is_that_of_the_collection(hog):
    with open(os.path.join(os.path.dirname(__file__), "../../galaxy.yml")) as galaxy:
        version = re.search(r"^version: (\S+)$", galaxy.read(), re.MULTILINE).group(1)
    code = subprocess.run([hog, "--version"], check=False, capture_output=True, text=True)
    assert (code.returncode, code.stdout) == (0, f"oom_hog {version}\n")


# --- which memory domain it sees ---------------------------------------------------------

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


# Files below a temporary folder, lines of mountinfo, lines of /proc/self/cgroup; then the domain in KiB, or the refusal.
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
    "version 1, limits not handed down": (
        {"m/a/" + V1: MIB, "m/a/memory.use_hierarchy": "0", "m/a/b/" + V1: NO_LIMIT_V1},
        [v1()],
        ["4:memory:/a/b"],
        UNLIMITED,
    ),
    "version 1, limits handed down": (
        {"m/a/" + V1: MIB, "m/a/memory.use_hierarchy": "1", "m/a/b/" + V1: NO_LIMIT_V1},
        [v1()],
        ["4:memory:/a/b"],
        1024,
    ),
    "version 2": ({"u/a/" + V2: MIB}, [v2()], ["0::/a"], 1024),
    "version 2, no limit": ({"u/a/" + V2: "max"}, [v2()], ["0::/a"], UNLIMITED),
    "version 2, the root has no file": ({"u/cgroup.procs": ""}, [v2()], ["0::/"], UNLIMITED),
    "version 2, smallest above": ({"u/a/" + V2: MIB, "u/a/b/" + V2: "max"}, [v2()], ["0::/a/b"], 1024),
    "version 2, controller not handed on": ({"u/a/" + V2: MIB, "u/a/b/cgroup.procs": ""}, [v2()], ["0::/a/b"], 1024),
    "hybrid: memory is on version 1": (
        {"m/a/" + V1: MIB, "u/" + V2: "4096"},
        [v2(), v1()],
        ["4:memory:/a", "1:name=systemd:/a", "0::/"],
        1024,
    ),
    "hybrid: version 1 unseen": ({"u/" + V2: MIB}, [v2()], ["4:memory:/a", "0::/"], UNSEEN),
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
    "not a number": ({"u/a/" + V2: "soon"}, [v2()], ["0::/a"], UNLIMITED),
}

# The hog sees other files where the kernel's would be; in a mount namespace, so that nobody else does.
DISGUISE = 'mount --bind "$1" /proc/$$/mountinfo && mount --bind "$2" /proc/$$/cgroup && shift 2 && exec "$@"'


@pytest.fixture(scope="session")
def checked_hog(build):
    return build("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


@pytest.mark.parametrize("files, mountinfo, cgroups, expected", DOMAINS.values(), ids=list(DOMAINS))
def test_it_finds_its_memory_domain(checked_hog, tmp_path, monkeypatch, files, mountinfo, cgroups, expected):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # valgrind looks for those
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    for name, lines in (("mountinfo", mountinfo), ("cgroup", cgroups)):
        (tmp_path / name).write_text("".join(line.replace("{top}", str(tmp_path)) + "\n" for line in lines))
    disguise = ("unshare", "--mount", "sh", "-c", DISGUISE, "sh", tmp_path / "mountinfo", tmp_path / "cgroup")
    code, said, complaint = run(checked_hog, "--size", "100K", prefix=disguise)
    if isinstance(expected, int):
        assert (code, said[0].get("domain_kb")) == (0, expected), complaint
    else:
        assert (code, said[0]["phase"]) == (3, "refused"), complaint
        assert expected in said[0]["reason"]
        _code, said, _complaint = run(checked_hog, "--size", "100K", "--host", prefix=disguise)
        assert (said[0]["phase"], said[0]["domain_kb"], said[-1]["phase"]) == ("start", None, "survived")


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
def test_valgrind_finds_nothing(hog, code, options):
    assert shutil.which("valgrind"), "valgrind is missing: install it, this check is not left out"
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
def test_no_behaviour_is_undefined(build, code, options):
    program = build("-fsanitize=undefined", "-fno-sanitize-recover=all")
    assert subprocess.run([program, *options], check=False, capture_output=True).returncode == code


def test_it_links_statically(build):
    program = build("-O2", "-static")
    assert (
        "not a dynamic executable"
        in subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stderr
    )
    assert run(program, "--size", "1M", "--host")[0] == 0
