# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generate documents of oom_report for fleets of any size; equal arguments make equal fleets."""

import random
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

MADE = datetime(2026, 11, 29, 7, 0, 0, tzinfo=timezone.utc)
DAYS = 30
GIB = 1024 * 1024


class Program(NamedTuple):
    """A program that runs on hosts of one kind."""

    name: str
    unit: str
    container: str = None
    pod: str = None
    pin: int = 0
    size_kb: int = 2 * GIB


KINDS = {
    "web": [
        Program("nginx", "nginx.service", pin=-300, size_kb=GIB // 4),
        Program("php-fpm", "php-fpm.service", size_kb=3 * GIB),
        Program("varnishd", "varnish.service", size_kb=2 * GIB),
    ],
    "db": [
        Program("postgres", "postgresql@15-main.service", pin=-900, size_kb=24 * GIB),
        Program("pgbouncer", "pgbouncer.service", pin=-500, size_kb=GIB // 8),
        Program("pg_dump", "backup.service", size_kb=4 * GIB),
    ],
    "k8s": [
        Program("kubelet", "kubelet.service", pin=-999, size_kb=GIB // 2),
        Program("containerd", "containerd.service", pin=-999, size_kb=GIB // 3),
        Program("java", "kubepods.slice", "checkout", "shop/checkout-7d9c5b6f4-x2x8q", size_kb=2 * GIB),
        Program("node", "kubepods.slice", "frontend", "shop/frontend-5b6cdd9f8-k9wvz", size_kb=GIB),
        Program("python3", "kubepods.slice", "worker", "batch/worker-66c8f7d9c-tt4lm", size_kb=2 * GIB),
    ],
    "ci": [
        Program("dockerd", "docker.service", pin=-500, size_kb=GIB // 2),
        Program("cc1plus", "gitlab-runner.service", "runner-build-41", size_kb=GIB),
        Program("java", "jenkins.service", size_kb=6 * GIB),
        Program("chrome", "gitlab-runner.service", "runner-e2e-7", size_kb=GIB),
    ],
    "cache": [
        Program("redis-server", "redis-server.service", pin=-900, size_kb=12 * GIB),
        Program("memcached", "memcached.service", size_kb=8 * GIB),
    ],
}
SIZES_KB = {"web": 8 * GIB, "db": 64 * GIB, "k8s": 32 * GIB, "ci": 32 * GIB, "cache": 16 * GIB}
KERNELS = ["6.1.0-18-amd64", "6.1.0-28-amd64", "5.15.0-125-generic", "5.14.0-503.el9.x86_64", "6.8.0-49-generic"]
SYSCTLS = [
    ("vm.panic_on_oom", 0),
    ("kernel.panic", 10),
    ("vm.oom_kill_allocating_task", 0),
    ("vm.oom_dump_tasks", 1),
    ("vm.overcommit_memory", 0),
    ("vm.overcommit_ratio", 50),
]
# Of kills, in percent.
KILLERS = [("kernel", 78), ("systemd-oomd", 12), ("earlyoom", 8), ("nohang", 2)]
UNREACHABLE = "Failed to connect to the host via ssh: connect to host 10.20.{0}.{1} port 22: Connection timed out"
FAILED = "oom_events: /usr/bin/python3 is missing on the host"


class FindingKind(NamedTuple):
    """A finding of oom_info, and the share of hosts that have it."""

    id: str
    severity: str
    share: float
    message: str
    fix: str


FINDINGS = [
    FindingKind(
        "panic_hangs",
        "high",
        0.02,
        "vm.panic_on_oom=1 and kernel.panic=0: a host that runs out of memory panics, and then hangs until it is reset",
        "- oomguard.linux.oom_policy:\n    reboot_after: 10\n",
    ),
    FindingKind(
        "next_victim_is_protected",
        "high",
        0.03,
        "{program.name} is pinned at {program.pin}, and is still the next victim of the host: it holds more than the"
        " pin is worth",
        '- oomguard.linux.oom_score_adj:\n    unit: "{program.unit}"\n    score: -999\n',
    ),
    FindingKind(
        "nothing_killable",
        "high",
        0.004,
        "only 6 % of the memory of processes can be killed (1258291 KiB, immune 19713228 KiB: {program.name}[812]): a"
        " host that runs out of memory finds no victim and panics",
        '- oomguard.linux.oom_score_adj:\n    unit: "{program.unit}"\n    score: -999\n',
    ),
    FindingKind(
        "pin_lost",
        "medium",
        0.06,
        "{program.name}[812] has the score 0, not {program.pin} as its drop-in says",
        '- oomguard.linux.oom_score_adj:\n    unit: "{program.unit}"\n    score: {program.pin}\n',
    ),
    FindingKind(
        "pin_not_lasting",
        "medium",
        0.03,
        "the drop-in of {program.unit} sets {program.pin}, but a later file of the unit wins: its next process starts"
        " with 0; look for OOMScoreAdjust in systemctl cat {program.unit}",
        None,
    ),
    FindingKind(
        "pin_ignored_by_killer",
        "medium",
        0.08,
        "1 pin does not count for systemd-oomd, which runs: {program.name}; managed_oom_preference: omit",
        '- oomguard.linux.oom_score_adj:\n    targets: [{{"unit": "{program.unit}", "score": {program.pin},'
        ' "managed_oom_preference": "omit"}}]\n',
    ),
    FindingKind(
        "boot_differs",
        "medium",
        0.05,
        "vm.overcommit_memory is 0, and 2 after the next boot (/etc/sysctl.d/90-tuning.conf sets it)",
        '- oomguard.linux.overcommit:\n    mode: "heuristic"\n',
    ),
    FindingKind(
        "pin_undone_by_oom_policy",
        "medium",
        0.03,
        "{program.unit} is pinned at {program.pin}, but with OOMPolicy=stop it goes down with any of its other"
        " processes: "
        "{program.name}[813]",
        '- oomguard.linux.oom_score_adj:\n    unit: "{program.unit}"\n    score: {program.pin}\n'
        '    oom_policy: "continue"\n',
    ),
    FindingKind(
        "memory_protection_capped",
        "low",
        0.04,
        "cgroup /system.slice/{program.unit} has memory.min of 4194304 KiB, but the one above it only 0 KiB, and that"
        " is all it gets",
        None,
    ),
    FindingKind(
        "kills_unlogged",
        "low",
        0.05,
        "the kernel counted 9 kills since boot, and its log names 4 of them (1200 older records were overwritten)",
        None,
    ),
]


def generate_fleet(hosts, events, seed=1, even=True):
    """Return a document with this many hosts, and on average this many events on each.

    With C(even) every host has the same number of events. Without it a few hosts have most of
    them, and most hosts have none, as in a real fleet.
    """
    source = random.Random(seed)
    shares = [events] * hosts if even else _share_events(source, hosts, hosts * events)
    return {
        "version": 1,
        "made": _iso(MADE),
        "started": _iso(MADE - timedelta(seconds=300)),
        "since": _iso(MADE - timedelta(days=DAYS)),
        "collection_version": "0.1.0",
        "hosts": [_Host(source, number, share).describe() for number, share in enumerate(shares)],
    }


def _share_events(source, hosts, total):
    """Share events out: a tenth of the hosts gets nearly all."""
    shares = [0] * hosts
    weights = [source.paretovariate(1.2) if source.random() < 0.3 else 0 for _host in range(hosts)]
    for host in source.choices(range(hosts), weights, k=total):
        shares[host] += 1
    return shares


def _iso(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(size_kb):
    return f"{size_kb / GIB:.1f} GiB" if size_kb >= GIB else f"{size_kb / 1024:.0f} MiB"


class _Host:
    """Describes one host of the fleet."""

    def __init__(self, source, number, events):
        self._random = source
        self._kind = source.choices(list(KINDS), [40, 12, 25, 13, 10])[0]
        self._name = f"{self._kind}{number + 1:02d}.{source.choice(['ams', 'fra', 'iad'])}.example.com"
        self._programs = KINDS[self._kind]
        self._limit_kb = SIZES_KB[self._kind]
        self._events = events
        self._boot = f"{source.getrandbits(32):08x}"
        # A leak kills again and again, always about the same time of the day.
        self._leak = source.random() * DAYS
        self._killers = self._list_killers()

    def describe(self):
        """Return the host as it is in the document."""
        state = self._random.choices(["ok", "unreachable", "failed"], [970, 20, 10])[0]
        read = MADE - timedelta(seconds=self._random.randrange(20, 240))
        if state != "ok":
            read -= timedelta(days=self._random.randrange(1, 9))
        reason = {"ok": "", "failed": FAILED, "unreachable": UNREACHABLE.format(*self._random.choices(range(256), k=2))}
        unlogged = self._random.randrange(1, 900) if self._random.random() < 0.03 else 0
        return {
            "name": self._name,
            "state": state,
            "reason": reason[state],
            "read": _iso(read),
            "unread": [],
            "kernel": self._random.choice(KERNELS),
            "next_victim": self._choose_next_victim(),
            "room_kb": int(self._limit_kb * self._random.betavariate(2, 3)),
            "limit_kb": self._limit_kb,
            "sysctls": self._list_sysctls(),
            "pins": [
                {"name": one.name, "unit": one.unit, "container": one.container, "score": one.pin}
                for one in self._programs
                if one.pin
            ],
            "killers": self._killers,
            "findings": self._list_findings(read),
            "changes": self._list_changes(),
            "unlogged_kills": unlogged if state == "ok" else None,
            "lost": ["The kernel log lacks 214 records, so kills may be missing."] if unlogged else [],
            "events": sorted((self._make_event() for _event in range(self._events)), key=_time_of, reverse=True),
        }

    def _choose_next_victim(self):
        program = self._random.choice([one for one in self._programs if one.pin > -900])
        return {
            "name": program.name,
            "unit": program.unit,
            "container": program.container,
            "score": program.pin,
            "certain": self._random.random() < 0.8,
            "margin_kb": self._random.randrange(10 * 1024, max(program.size_kb, 20 * 1024)),
        }

    def _list_sysctls(self):
        listed = [{"name": name, "live": live, "boot": live, "boot_value_from": None} for name, live in SYSCTLS]
        listed[0]["live"] = int(self._random.random() < 0.05)
        listed[4].update(boot=2 if self._random.random() < 0.05 else 0, boot_value_from="/etc/sysctl.d/90-tuning.conf")
        return listed

    def _list_killers(self):
        oomd = {
            "name": "systemd-oomd",
            "unit": "systemd-oomd.service",
            "active": self._kind in ("k8s", "web"),
            "version": "252",
            "reads_scores": False,
        }
        earlyoom = {
            "name": "earlyoom",
            "unit": "earlyoom.service",
            "active": True,
            "version": "1.7",
            "reads_scores": True,
        }
        return [oomd, earlyoom] if self._kind == "ci" else [oomd]

    def _list_findings(self, read):
        found = [kind for kind in FINDINGS if self._random.random() < kind.share]
        return [self._make_finding(kind, read) for kind in found]

    def _make_finding(self, kind, read):
        program = self._random.choice([one for one in self._programs if one.pin])
        return {
            "id": kind.id,
            "severity": kind.severity,
            "object": "host" if kind.id in ("panic_hangs", "nothing_killable") else program.unit,
            "message": kind.message.format(program=program),
            "fix": kind.fix and kind.fix.format(program=program),
            "first_seen": _iso(read - timedelta(days=self._random.randrange(60))),
            "last_seen": _iso(read),
        }

    def _list_changes(self):
        program = self._random.choice([one for one in self._programs if one.pin])
        possible = [
            ("sysctl vm.panic_on_oom live", "0", "1"),
            (f"score of {program.unit}", str(program.pin), "0"),
            ("killer systemd-oomd", "not active", "active"),
            ("next victim", "php-fpm (php-fpm.service)", f"{program.name} ({program.unit})"),
            ("kernel", self._random.choice(KERNELS), self._random.choice(KERNELS)),
            (f"pin {program.unit}", None, str(program.pin)),
            ("finding boot_differs vm.overcommit_memory", "medium", None),
        ]
        chosen = [one for one in possible if self._random.random() < 0.06]
        changes = [
            {"seen": _iso(self._choose_moment()), "what": what, "before": before, "after": after}
            for what, before, after in chosen
        ]
        return sorted(changes, key=lambda change: change["seen"], reverse=True)

    def _choose_moment(self):
        days = (self._leak + self._random.gauss(0, 1.5)) % DAYS if self._random.random() < 0.6 else None
        return MADE - timedelta(seconds=(self._random.random() * DAYS if days is None else days) * 86400)

    def _make_event(self):
        killer = self._random.choices([name for name, _weight in KILLERS], [weight for _name, weight in KILLERS])[0]
        outcome = "kill"
        if killer == "kernel":
            outcome = self._random.choices(
                ["kill", "group_kill", "panic", "no_killable", "incomplete"], [940, 40, 4, 6, 10]
            )[0]
        program = self._random.choice(self._programs)
        is_memcg = killer == "kernel" and (program.container is not None or self._random.random() < 0.3)
        rss_kb = int(program.size_kb * self._random.uniform(0.6, 1.4))
        event = {
            "id": f"{self._boot}-{self._random.getrandbits(64):016x}",
            "time": _iso(self._choose_moment()) if self._random.random() < 0.995 else None,
            "killer": killer,
            "outcome": outcome,
            "constraint": ("memcg" if is_memcg else "none") if killer == "kernel" else None,
            "trusted": self._random.choices([True, None, False], [960, 35, 5])[0],
            "name": program.name,
            "pid": self._random.randrange(300, 4194304),
            "victims_count": self._random.randrange(2, 12) if outcome == "group_kill" else 1,
            "unit": program.unit,
            "container": program.container,
            "pod": program.pod,
            "limit_kb": program.size_kb if is_memcg else None,
            "rss_kb": rss_kb,
            "score": program.pin,
        }
        if outcome not in ("kill", "group_kill"):
            event.update(name=None, pid=None, victims_count=0, rss_kb=None, score=None)
        if outcome == "incomplete":
            event.update(constraint=None, limit_kb=None)
        event["text"] = self._write_text(event)
        event.update(self._explain(event))
        return event

    @staticmethod
    def _write_text(event):
        where = event["container"] or event["unit"]
        if event["killer"] != "kernel":
            return f"{event['killer']} killed {event['name']}[{event['pid']}] of {where} because of memory pressure"
        cause = "the host ran out of memory"
        if event["constraint"] == "memcg":
            cause = f"{where} hit its limit of {_size(event['limit_kb'])}"
        results = {
            "panic": "the kernel panicked (vm.panic_on_oom is 1)",
            "no_killable": "no process could be killed",
            "incomplete": "the log does not show what was killed",
        }
        more = f" with {event['victims_count'] - 1} more" if event["victims_count"] > 1 else ""
        return f"{cause}: " + results.get(event["outcome"], f"killed {event['name']}[{event['pid']}]{more} of {where}")

    def _explain(self, event):
        """Return what the task table of a kernel's kill explains, and null for each other event."""
        if event["killer"] != "kernel" or event["name"] is None or self._random.random() < 0.1:
            return dict.fromkeys(["why", "runner_up", "margin_kb", "with_todays_pins", "with_todays_pins_text"])
        # The kernel would spare a pinned program as long as there is another.
        other = max((one for one in self._programs if one.name != event["name"]), key=lambda one: one.pin)
        margin_kb = self._random.randrange(1024, max(event["rss_kb"], 2048))
        answer = self._random.choices(["same", "other", "unknown"], [70, 22, 8])[0]
        chosen = f"{event['name']}[{event['pid']}]"
        rival = f"{other.name}[{self._random.randrange(300, 4194304)}]"
        texts = {
            "same": f"with these pins {chosen} would have been chosen all the same",
            "other": f"with these pins {rival} would have been chosen instead of {chosen}",
            "unknown": "the log has no scores of some processes",
        }
        return {
            "why": f"{chosen} had a badness of {_size(event['rss_kb'])}, {_size(margin_kb)} more than {rival}",
            "runner_up": rival,
            "margin_kb": margin_kb,
            "with_todays_pins": answer,
            "with_todays_pins_text": texts[answer],
        }


def _time_of(event):
    return event["time"] or ""
