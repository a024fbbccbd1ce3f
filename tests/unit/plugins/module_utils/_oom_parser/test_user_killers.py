# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every wording of the programs that kill, and lines that only look like one."""

import json

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.parser import parse_events

UNIT = "/system.slice/mariadb.service"


def events(*lines):
    return parse_events(parse_lines(lines), raw=True)


@pytest.mark.parametrize(
    "line, victim",
    [
        ("Killing process 12 web server", (12, "web server", None, None, None)),
        ("Killing process: web server, pid: 12, badness: 300, VmRSS: 2 MiB", (12, "web server", 300, 2048, None)),
        (
            "Killing process 'web server' with signal 15, pid: 12, badness: 300, VmRSS: 2 MiB",
            (12, "web server", 300, 2048, "SIGTERM"),
        ),
        (
            'killing process 12 "web server" with signal 9: badness 300, VmRSS 2 MiB',
            (12, "web server", 300, 2048, "SIGKILL"),
        ),
        (
            'sending SIGTERM to process 12 "web server": badness 300, VmRSS 2 MiB',
            (12, "web server", 300, 2048, "SIGTERM"),
        ),
        (
            'sending SIGKILL to process 12 uid 1000 "web server": badness 300, VmRSS 2 MiB',
            (12, "web server", 300, 2048, "SIGKILL"),
        ),
        (
            'sending SIGTERM to process 12 uid 1000 "a": oom_score 300, VmRSS 2 MiB, cmdline "a b"',
            (12, "a", 300, 2048, "SIGTERM"),
        ),
        (
            'sending SIGTERM to process 12 uid 1000 "a": oom_score 300, oom_score_adj -5, VmRSS 2 MiB, cmdline ""',
            (12, "a", 300, 2048, "SIGTERM"),
        ),
        (
            'sending SIGTERM to process 12 uid 1000 "a": oom_score 300, VmRSS 2 MiB   <- the daemon',
            (12, "a", 300, 2048, "SIGTERM"),
        ),
        (
            'sending SIGTERM to process 12 uid 1000 "a": oom_score 300, VmRSS 2 MiB (here)',
            (12, "a", 300, 2048, "SIGTERM"),
        ),
        (
            '#033[33msending SIGTERM to process 12 "web server": badness 300, VmRSS 2 MiB#033[0m',
            (12, "web server", 300, 2048, "SIGTERM"),
        ),
        (
            '\\x1b[31msending SIGKILL to process 12 "#033[0m": badness 300, VmRSS 2 MiB\\x1b[0m',
            (12, "#033[0m", 300, 2048, "SIGKILL"),
        ),
        (
            '\x1b[31msending SIGKILL to process 12 "web server": badness 300, VmRSS 2 MiB\x1b[0m',
            (12, "web server", 300, 2048, "SIGKILL"),
        ),
        (
            'sending SIGTERM to process 12 "a": badness 1, VmRSS": badness 300, VmRSS 2 MiB',
            (12, 'a": badness 1, VmRSS', 300, 2048, "SIGTERM"),
        ),
    ],
)
def test_earlyoom(line, victim):
    [event] = events("Nov 23 04:43:46 host earlyoom[530]: " + line)
    [found] = event["victims"]
    assert (found["pid"], found["name"], found["score"], found["rss_kb"], event["signal"]) == victim
    assert (event["killer"], event["outcome"], event["trusted"], event["constraint"], event["trigger"]) == (
        "earlyoom",
        "kill",
        None,
        None,
        None,
    )
    assert event["raw"] == ["Nov 23 04:43:46 host earlyoom[530]: " + line]


def nohang_victim(pid):
    return f"PID: {pid}, name: a, badness: 3"


def earlyoom_kill(signal, pid):
    return f'sending {signal} to process {pid} uid 0 "a": badness 3, VmRSS 2 MiB'


@pytest.mark.parametrize(
    "lines, found",
    [
        ([earlyoom_kill("SIGTERM", 1), "escalating to SIGKILL after 0.5 seconds"], [(1, True)]),
        ([earlyoom_kill("SIGTERM", 1), earlyoom_kill("SIGKILL", 1)], [(1, True)]),
        ([earlyoom_kill("SIGTERM", 1), earlyoom_kill("SIGTERM", 2)], [(1, False), (2, False)]),
        ([earlyoom_kill("SIGTERM", 1), "kill failed: Timer expired", earlyoom_kill("SIGTERM", 1)], [(1, False)]),
        ([earlyoom_kill("SIGTERM", 1), earlyoom_kill("SIGTERM", 1).replace('"a"', '"b"')], [(1, False), (1, False)]),
        ([earlyoom_kill("SIGTERM", 1), earlyoom_kill("SIGKILL", 1), earlyoom_kill("SIGKILL", 1)], [(1, True)]),
        (
            ["[1.0] " + earlyoom_kill("SIGTERM", 1), "[99.0] " + earlyoom_kill("SIGKILL", 1)],
            [(1, False), (1, False)],
        ),  # another process with the same pid
        (
            [nohang_victim(1), "  Sending SIGTERM to the victim", nohang_victim(1), "  Sending SIGKILL to the victim"],
            [(1, True)],
        ),
        (
            [nohang_victim(1), "  Sending SIGTERM to the victim", nohang_victim(2), "  Sending SIGKILL to the victim"],
            [(1, False), (2, False)],
        ),
        (["  Sending SIGTERM to the victim", "  Sending SIGKILL to the victim"], [(None, False), (None, False)]),
        (["sending SIGTERM when mem <= 10 % and swap <= 10 %,", "        SIGKILL when mem <= 5 %"], []),
        (["low memory! at or below SIGTERM limits: mem 10 %, swap 10 %"], []),
        (["escalating to SIGKILL after 0.5 seconds"], []),
        (["Killing process 12 x"], []),  # without a tag any program may have printed it
    ],
)
def test_lines_of_one_kill(lines, found):
    assert [(event["victims"][0]["pid"], event["escalated"]) for event in events(*lines)] == found


OOMD_SWAP = "(1) / total (2) and swap used (3) / total (4) being more than 90.00%"
OOMD_PRESSURE = "for /system.slice being 60.10% > 50.00% for > 30s with reclaim activity"


@pytest.mark.parametrize(
    "line, reason",
    [
        (f"Killed {UNIT} due to memory used {OOMD_SWAP}", "swap"),
        (f"Killed {UNIT} due to memory pressure {OOMD_PRESSURE}", "pressure"),
        (f"Marked {UNIT} for killing due to memory used {OOMD_SWAP}", "swap"),
        (f"Marked {UNIT} for killing due to memory pressure {OOMD_PRESSURE}", "pressure"),
    ],
)
def test_systemd_oomd(line, reason):
    """systemd-oomd logs a cgroup, and systemd how many processes were killed in it."""
    [event] = events(
        "Jul 25 14:31:34 host systemd-oomd[1332]: Considered 12 cgroups for killing, top candidates were:",
        "Jul 25 14:31:34 host systemd-oomd[1332]: " + line,
        "Jul 25 14:31:35 host systemd[1]: other.service: systemd-oomd killed 9 process(es) in this unit.",
        "Jul 25 14:31:35 host systemd[1]: mariadb.service: systemd-oomd killed 2 process(es) in this unit.",
    )
    assert (event["killer"], event["memcg"]["path"], event["reason"], event["killed_count"], event["victims"]) == (
        "systemd-oomd",
        UNIT,
        reason,
        2,
        [],
    )


KILLED = f"Killed {UNIT} due to memory used {OOMD_SWAP}"
AGAIN = KILLED.replace("(1", "(2", 1)
COUNTED = "mariadb.service: systemd-oomd killed 2 process(es) in this unit."


@pytest.mark.parametrize(
    "lines, counts",
    [
        (["14:31:34 host systemd-oomd[7]: " + KILLED, "14:31:36 host systemd-oomd[7]: " + AGAIN], [None]),
        (
            [
                "14:31:34 host systemd-oomd[7]: " + KILLED,
                "14:31:36 host systemd-oomd[7]: " + AGAIN,
                "14:31:37 host systemd[1]: " + COUNTED,
            ],
            [2],
        ),
        (
            [
                "14:31:34 host systemd-oomd[7]: " + KILLED,
                "14:31:35 host systemd[1]: " + COUNTED,
                "14:31:36 host systemd-oomd[7]: " + AGAIN,
            ],
            [2, None],
        ),
        (["14:31:34 host systemd-oomd[7]: " + KILLED, "14:31:40 host systemd-oomd[7]: " + AGAIN], [None, None]),
        (
            ["14:31:34 host systemd-oomd[7]: " + KILLED, "14:31:34 host systemd-oomd[7]: " + AGAIN.replace(UNIT, "/a")],
            [None, None],
        ),
    ],
    ids=["again", "again and counted", "started again", "later", "another"],
)
def test_systemd_oomd_kills_what_is_dying(lines, counts):
    assert [event["killed_count"] for event in events(*("Jul 25 " + line for line in lines))] == counts


def test_kills_of_systemd_oomd_without_a_clock_are_all_kept():
    assert len(events(KILLED, AGAIN)) == 2


@pytest.mark.parametrize("moment, count", [("14:31:34", 2), ("14:29:00", None)])
def test_systemd_counts_first(moment, count):
    """systemd may log its count before systemd-oomd logs the kill (seen in a guest with 252)."""
    [event] = events(
        f"Jul 25 {moment} host systemd[1]: mariadb.service: systemd-oomd killed 2 process(es) in this unit.",
        "Jul 25 14:31:35 host systemd[1]: thrash.service: systemd-oomd killed some process(es) in this unit.",
        f"Jul 25 14:31:35 host systemd-oomd[1332]: Killed {UNIT} due to memory pressure {OOMD_PRESSURE}",
    )
    assert event["killed_count"] == count


@pytest.mark.parametrize(
    "lines, victim",
    [
        (
            [
                "PID: 12, name: web server, badness: 3",
                "Implementing a corrective action:",
                "  Sending SIGTERM to the victim",
            ],
            (12, "web server", 3, "SIGTERM"),
        ),
        (["Victim VmRSS: 4 KiB", "  Send SIGKILL to the victim"], (None, None, None, "SIGKILL")),
        (
            ["PID: 12, Name: a, badness: 3", "  Send SIGKILL to the victim; total response time: 13 ms"],
            (12, "a", 3, "SIGKILL"),
        ),
        (["  Send SIGTERM to the victim; total response time: 13246 ms"], (None, None, None, "SIGTERM")),
        (
            [
                "Victim status (found in 3 ms):",
                "  Name:      web server",
                "  State:     D (disk sleep)",
                "  PID:       12",
                "  EUID:      1000",
                "  badness:   3, oom_score:  422, oom_score_adj:  0",
                "Implement a corrective action:",
                "  Send SIGKILL to the victim",
            ],
            (12, "web server", 3, "SIGKILL"),
        ),
    ],
)
@pytest.mark.parametrize("program", ["nohang", "nohang-desktop"])
def test_nohang(lines, victim, program):
    """nohang describes its victim before it logs the kill."""
    [event] = events(*[f"Nov 23 04:43:46 host {program}[530]: {line}" for line in lines])
    [found] = event["victims"]
    assert (found["pid"], found["name"], found["score"], event["signal"], event["killer"]) == (*victim, "nohang")


def test_vouched_kills():
    """Lines that journald does not vouch for change nothing in a kill that it vouches for."""

    def entry(tag, unit, message):
        return json.dumps({"MESSAGE": message, "_SYSTEMD_UNIT": unit, "SYSLOG_IDENTIFIER": tag})

    found = events(
        entry("earlyoom", "user@1000.service", earlyoom_kill("SIGTERM", 7)),
        entry("earlyoom", "earlyoom.service", earlyoom_kill("SIGTERM", 7)),
        entry("nohang", "user@1000.service", "PID: 1, name: evil, badness: 3"),
        entry("nohang", "nohang.service", "  Sending SIGTERM to the victim"),
    )
    assert [(event["killer"], event["trusted"], event["victims"][0]["pid"]) for event in found] == [
        ("earlyoom", None, 7),
        ("earlyoom", True, 7),
        ("nohang", True, None),
    ]


def test_name_like_nohang():
    line = "Nov 23 04:43:46 host nohang[530]: "
    [event] = events(line + "PID: 12, name: PID: 9, name: b, badness: 3", line + "Sending SIGTERM to the victim")
    assert (event["victims"][0]["pid"], event["victims"][0]["name"]) == (12, "PID: 9, name: b")


def test_old_nohang_victim():
    """What nohang logged long ago is about another victim."""
    [event] = events("[10.0] PID: 12, name: a, badness: 3", "[99.0]   Sending SIGTERM to the victim")
    assert event["victims"][0]["pid"] is None


@pytest.mark.parametrize(
    "line", ["Victim VmRSS: 2048 KiB", "  VmRSS:     2 MiB  (Anon: 1 MiB, File: 1 MiB, Shmem: 0 MiB)"]
)
def test_nohang_rss(line):
    [event] = events(*["Nov 23 04:43:46 host nohang[530]: " + text for text in (line, "  Send SIGKILL to the victim")])
    assert event["victims"][0]["rss_kb"] == 2048


def test_nohang_log():
    [event] = events(
        "2020-05-01 12:00:00,120: PID: 12, name: web server, badness: 3",
        "2020-05-01 12:00:00,127:   Sending SIGTERM to the victim",
    )
    assert (event["killer"], event["victims"][0]["pid"], event["signal"], event["time"], event["trusted"]) == (
        "nohang",
        12,
        "SIGTERM",
        None,
        None,
    )


def oomd_kill(cgroup, killer="p"):
    return f"oomd kill: 23.26 24.50 18.95 {cgroup} 23334 ruleset:[r] detectorgroup:[d] killer:{killer} v2"


@pytest.mark.parametrize(
    "cgroup, killer, paths",
    [
        ("workload.slice/a b", "kill_by_memory", ["workload.slice/a b"]),
        ("a 1 ruleset:[r] detectorgroup:[d] killer:p v2", "p", ["a 1 ruleset:[r] detectorgroup:[d] killer:p v2"]),
        ("a 1 ruleset:[r] detectorgroup:[d] killer:p v2", "(dry)p", []),
    ],
)
def test_oomd_cgroup(cgroup, killer, paths):
    """No cgroup's name hides a kill by oomd or makes one up."""
    assert [event["memcg"]["path"] for event in events(oomd_kill(cgroup, killer))] == paths


def test_oomd_in_kmsg():
    """A dry run is no kill."""
    [event] = events(
        "12,1,5000000,-;" + oomd_kill("workload.slice/a", "kill_by_memory"),
        "12,2,5000000,-;" + oomd_kill("workload.slice/b", "(dry)kill_by_memory"),
    )
    assert (event["killer"], event["memcg"]["path"], event["monotonic"]) == ("oomd", "workload.slice/a", 5.0)


OOMD_OUTPUT = {
    "pids alone": (
        ["[../BaseKillPlugin.cpp:112] Killed 3: 101 102 103"],
        [(None, [(101, None), (102, None), (103, None)])],
    ),
    "with names, of which some failed": (
        ["[../src/oomd/plugins/BaseKillPlugin.cpp:9] Killed 2: 101(a b) 102(x)[E3] 103(c)"],
        [(None, [(101, "a b"), (103, "c")])],
    ),
    "before the cgroup": (
        ["[x.cpp:1] Killed 1: 7(a)", "[x.cpp:1] Killed 1: 8(b)", oomd_kill("w/a")],
        [("w/a", [(7, "a"), (8, "b")])],
    ),
    "of the next cgroup": (
        ["[x.cpp:1] Killed 1: 7(a)", oomd_kill("w/a"), "[x.cpp:1] Killed 1: 8(b)", oomd_kill("w/b")],
        [("w/a", [(7, "a")]), ("w/b", [(8, "b")])],
    ),
    "none": (["[x.cpp:1] Killed 0: 9(a)[E3]", "[x.cpp:1] Killed 0", "[x.cpp:1] Trying to kill w/a"], []),
    "another program": (["Nov 23 04:43:46 host x[5]: [x.cpp:1] Killed 1: 7(a)"], []),
    "its tag": (["Nov 23 04:43:46 host oomd[5]: [x.cpp:1] Killed 1: 7(a)"], [(None, [(7, "a")])]),
}


@pytest.mark.parametrize("lines, kills", OOMD_OUTPUT.values(), ids=list(OOMD_OUTPUT))
def test_oomd_output(lines, kills):
    found = [
        (event["memcg"] and event["memcg"]["path"], [(one["pid"], one["name"]) for one in event["victims"]])
        for event in events(*lines)
    ]
    assert found == kills


@pytest.mark.parametrize(
    "line",
    [
        "Nov 23 04:43:46 host myapp[7]: " + earlyoom_kill("SIGTERM", 1),
        "Nov 23 04:43:46 host myapp[7]: Killed /x due to memory used (1)",
        "Nov 23 04:43:46 host myapp[7]:   Sending SIGTERM to the victim",
        "Nov 23 04:43:46 host kernel: " + earlyoom_kill("SIGTERM", 1),
        "Killed process 7 due to memory used",
        "Nov 23 04:43:46 host systemd[1]: mariadb.service: systemd-oomd killed 2 process(es) in this unit.",
    ],
)
def test_other_programs(line):
    """The same words with another program's tag are no kill."""
    assert [event for event in events(line) if event["killer"] != "kernel"] == []


def test_count_over_midnight():
    [event] = events(
        "Jul 25 23:59:59 host systemd[1]: mariadb.service: systemd-oomd killed 2 process(es) in this unit.",
        f"Jul 26 00:00:00 host systemd-oomd[1332]: Killed {UNIT} due to memory pressure {OOMD_PRESSURE}",
    )
    assert event["killed_count"] == 2


LMKD = "Kill 'com.delta.app' (6311), uid 10071, oom_score_adj 905 to free 69128kB rss, 0kB swap; reason: low watermark"
DRIVER = "lowmemorykiller: Killing 'com.delta.app' (6311), adj 905,"
SIZE = "   to free 69128kB on behalf of 'kswapd0' (77) because"


@pytest.mark.parametrize(
    "lines, killer, victim",
    [
        (
            ["05-06 11:12:13.702   106   106 I lowmemorykiller: " + LMKD],
            "lmkd",
            (6311, "com.delta.app", 10071, 905, 69128),
        ),
        (["I/lowmemorykiller(  106): " + LMKD], "lmkd", (6311, "com.delta.app", 10071, 905, 69128)),
        (["lmkd[106]: " + LMKD], "lmkd", (6311, "com.delta.app", 10071, 905, 69128)),
        (["lmkd: Kill 'x' (6311), uid 7"], "lmkd", (6311, "x", 7, None, None)),
        (["[9.000001] " + DRIVER, "[9.000002] " + SIZE], "lowmemorykiller", (6311, "com.delta.app", None, 905, 69128)),
        (
            [f"<6>[302600.931727]  (4)[10628:Cam@Aux]{DRIVER}"],
            "lowmemorykiller",
            (6311, "com.delta.app", None, 905, None),
        ),
        (["<6>" + DRIVER, "<6>" + SIZE], "lowmemorykiller", (6311, "com.delta.app", None, 905, 69128)),
        ([DRIVER, SIZE], "lowmemorykiller", (6311, "com.delta.app", None, 905, 69128)),
        (["6,7,9,-;" + DRIVER + "\\x0a" + SIZE], "lowmemorykiller", (6311, "com.delta.app", None, 905, 69128)),
        ([DRIVER.replace("(6311)", "(6312) (tgid 6311)")], "lowmemorykiller", (6311, "com.delta.app", None, 905, None)),
        ([DRIVER.replace("905", "15, score_adj 905")], "lowmemorykiller", (6311, "com.delta.app", None, 905, None)),
        ([DRIVER.replace("905", "15")], "lowmemorykiller", (6311, "com.delta.app", None, None, None)),
        (["[9.1] send sigkill to 6311 (delta), adj 15, size 77"], "lowmemorykiller", (6311, "delta", None, None, None)),
    ],
)
def test_android(lines, killer, victim):
    [event] = events(*lines)
    [found] = event["victims"]
    assert (event["killer"], event["outcome"], event["signal"]) == (killer, "kill", "SIGKILL")
    assert tuple(found[key] for key in ("pid", "name", "uid", "oom_score_adj", "rss_kb")) == victim


@pytest.mark.parametrize(
    "prefix, trusted", [("6,7,9,-;", True), ("12,7,9,-;", False), ("[9.1] ", None), ("node-3 | ", None)]
)
def test_a_driver_is_trusted_like_the_kernel(prefix, trusted):
    assert [event["trusted"] for event in events(prefix + DRIVER)] == [trusted]


def test_a_forged_driver_hides_no_kill():
    assert [event["trusted"] for event in events("12,7,9,-;" + DRIVER, "6,8,10,-;" + DRIVER)] == [False, True]


TALOS = '[talos] {0} {{"component": "controller-runtime", "controller": "runtime.OOMController", {1}}}'
POD = "/kubepods/besteffort/podc11937f9-989d-48ba-8453-06d2baa9392b"


@pytest.mark.parametrize("prefix", ["user: warning: [2026-05-06T11:12:13Z]: ", "[9.1] ", ""])
@pytest.mark.parametrize("processes, pids", [("[6311, 6312]", [6311, 6312]), ('["/bin/delta", "x"]', [])])
def test_talos(prefix, processes, pids):
    kill = TALOS.format("Sending SIGKILL to cgroup", f'"cgroup": "/sys/fs/cgroup{POD}"')
    victims = TALOS.format("victim processes:", f'"processes": {processes}')
    [event] = events(prefix + kill, prefix + victims)
    assert (event["killer"], event["memcg"]["path"], event["killed_count"]) == ("talos", POD, 2)
    assert [victim["pid"] for victim in event["victims"]] == pids
    assert event["trusted"] is None


@pytest.mark.parametrize("facts", ["}{", "[7]", '{"cgroup": 7}', '{"processes": [7]}', "{" * 3000 + "}"])
def test_talos_without_a_cgroup(facts):
    assert events("[talos] Sending SIGKILL to cgroup " + facts, "[talos] victim processes: " + facts) == []


RULE = "Rule 'swap' conditions met for cgroup /system.slice/delta.service, taking action kill-by-swap"
COUNT = "systemd[1]: delta.service: systemd-oomd killed 7 process(es) in this unit."


def test_rule_of_systemd_oomd():
    """A rule may be met without a kill, so the service manager's count decides."""
    stamp = "May  6 11:12:13 host "
    assert events(stamp + "systemd-oomd[7]: " + RULE) == []
    [event] = events(stamp + "systemd-oomd[7]: " + RULE, stamp + COUNT)
    assert (event["reason"], event["memcg"]["path"], event["killed_count"]) == (
        "rule",
        "/system.slice/delta.service",
        7,
    )
    assert events(stamp + "systemd-oomd[7]: " + RULE, "May  6 11:13:13 host " + COUNT) == []


@pytest.mark.parametrize(
    "command", ["  Run the command: kill -TERM 6311", "Execute the command(1) in Thread-1: kill 6311"]
)
def test_nohang_runs_a_command(command):
    stamp = "May  6 11:12:13 host nohang[9]: "
    [event] = events(stamp + "  PID: 6311, Name: delta, badness: 77", stamp + command)
    [victim] = event["victims"]
    assert (victim["pid"], victim["name"], victim["score"], event["signal"]) == (6311, "delta", 77, None)
