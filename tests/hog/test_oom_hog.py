# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""oom_hog, the real program: every option, every exit code, its words, and its end."""

import json
import os
import resource
import signal
import subprocess
import time

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._procfs import Procfs


def run(hog, *options, cgroup=None, before=None, prefix=()):
    """Start it, in a cgroup if one is given, and wait. Exit code, what it said, what it complained of."""

    def prepare():
        if cgroup:
            with open(os.path.join(cgroup.directory, "cgroup.procs"), "w") as procs:
                procs.write("0")
        if before:
            before()

    done = subprocess.run([*prefix, hog, *options], preexec_fn=prepare, check=False, capture_output=True, text=True, timeout=120)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


# --- the ways it ends --------------------------------------------------------------


def test_it_survives_where_memory_suffices(hog):
    code, said, complaint = run(hog, "--size", "5M", "--host", "--name", "my hog")
    assert (code, complaint) == (0, "")
    assert [line.pop("pid", None) is not None for line in said] == [True, False, False]
    assert said == [
        {"phase": "start", "name": "my hog", "score": 0, "size_kb": 5120, "domain_kb": None},
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


def test_a_denied_score_is_an_end_of_its_own(hog):
    """Lowering without the capability, which is given up here if it is there."""
    drop = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--")
    prefix = drop if Procfs().has_cap_sys_resource() else ()
    code, said, complaint = run(hog, "--size", "1M", "--host", "--score", "-5", prefix=prefix)
    assert (code, said) == (4, [])
    assert "--score -5 was denied: Permission denied; lowering it needs CAP_SYS_RESOURCE" in complaint


def test_a_score_is_set_and_read_back(hog):
    code, said, _complaint = run(hog, "--size", "1M", "--host", "--score", "345")
    assert (code, said[0]["score"]) == (0, 345)


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
    code, said, _complaint = run(hog, "--size", "64M", "--deadline", "2", *stuck, cgroup=small_domain)
    assert code == -signal.SIGALRM
    assert [line["phase"] for line in said] == ["start"]


def test_a_deadline_cannot_be_switched_off_by_the_parent(hog):
    def block_and_ignore():
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    assert run(hog, "--size", "1M", "--host", "--hold", "60", "--deadline", "1", before=block_and_ignore)[0] == -signal.SIGALRM


def test_it_goes_on_when_nobody_listens(hog):
    reader, writer = os.pipe()
    os.close(reader)
    child = subprocess.Popen([hog, "--size", "1M", "--host"], stdout=writer)
    os.close(writer)
    assert child.wait(timeout=60) == 0


def test_it_holds_and_pauses_as_long_as_it_is_told(hog):
    started = time.monotonic()
    assert run(hog, "--size", "4M", "--step", "1M", "--pause", "100", "--hold", "1", "--host")[0] == 0
    assert time.monotonic() - started >= 1.4


def test_every_page_is_touched(hog):
    child = subprocess.Popen([hog, "--size", "20M", "--step", "3M", "--hold", "30", "--host"], stdout=subprocess.PIPE)
    while b"allocated" not in child.stdout.readline():
        pass
    with open("/proc/{0}/statm".format(child.pid)) as statm:
        resident = int(statm.read().split()[1]) * resource.getpagesize()
    child.kill()
    child.communicate()
    assert resident >= 20 << 20


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


def test_a_name_is_written_as_json(hog):
    code, said, _complaint = run(hog, "--size", "1M", "--host", "--name", 'a"b\\c\n\u00e9')
    assert (code, said[0]["name"]) == (0, 'a"b\\c\n\u00c3\u00a9')


def test_help_tells_every_option_and_exit_code(hog):
    done = subprocess.run([hog, "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    for word in "--size --step --pause --hold --score --name --deadline --max-domain --host ENOMEM".split():
        assert word in done.stdout


# --- built in other ways ----------------------------------------------------------------

QUIET_ENDS = {
    "survived": (0, ["--size", "3M", "--host", "--name", "x"]),
    "refused": (3, ["--size", "3M"]),
    "usage": (2, ["--size", "3X"]),
    "help": (0, ["--help"]),
    "score": (0, ["--size", "1M", "--host", "--score", "10", "--step", "5000", "--pause", "1"]),
}


@pytest.mark.parametrize("code, options", QUIET_ENDS.values(), ids=list(QUIET_ENDS))
def test_valgrind_finds_nothing(hog, code, options):
    command = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=all", "--error-exitcode=99", hog, *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, "==" in done.stderr) == (code, False), done.stderr


@pytest.mark.parametrize("code, options", QUIET_ENDS.values(), ids=list(QUIET_ENDS))
def test_no_behaviour_is_undefined(build, code, options):
    program = build("-fsanitize=undefined", "-fno-sanitize-recover=all")
    assert subprocess.run([program, *options], check=False, capture_output=True).returncode == code


def test_it_links_statically(build):
    program = build("-O2", "-static")
    assert "not a dynamic executable" in subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stderr
    assert run(program, "--size", "1M", "--host")[0] == 0
