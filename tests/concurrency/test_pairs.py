# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs of oom_score_adj at once, half of the pairs with a run that a signal ends.

Every run pins the same real processes and the same units, all with one score of its own. So a
mixture of two runs shows at once. The units live in a fake root with a scripted systemctl. The
processes are real, with scores of 0 and above, which need no capability.
PAIRS=200 runs more pairs than the usual 20; SEED=N repeats a run's choices.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback

import pytest
from ansible.module_utils import basic

from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import answer as pin_answer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import apply, plan
from ansible_collections.oomguard.linux.plugins.modules import oom_score_adj

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes the lock")

IMPORTED_BEFORE_FORKS = (apply, plan)
PAIRS = int(os.environ.get("PAIRS", "20"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
PROCESSES = 6
UNITS = ("one.service", "two.service")
LONGEST_RUN_SECONDS = 0.6  # nearly every run ends within it, so a signal may come at any moment
SECONDS = 60

# systemd reads unit files at a reload, one reload after the other, and shows what it read last.
SYSTEMCTL = """\
#!/bin/sh
set -e
cd {root}
case $1 in
daemon-reload)
    exec 9> manager.lock
    flock 9
    for unit in {units}; do
        file=etc/systemd/system/$unit.d/60-oomguard.conf
        score=$(sed -n 's/^OOMScoreAdjust=//p' $file 2> /dev/null || :)
        echo ${{score:-0}} > loaded/$unit.$$
        mv loaded/$unit.$$ loaded/$unit
    done ;;
show)
    case $2 in --property=Version,*)
        printf 'Version=252\\nDefaultOOMPolicy=stop\\nDefaultOOMScoreAdjust=0\\n'
        exit ;;
    esac
    shift 3
    for unit; do
        printf 'Type=simple\\nMainPID=0\\nDelegate=no\\nOOMPolicy=stop\\nOOMScoreAdjust=%s\\n' $(cat loaded/$unit)
        printf 'Id=%s\\nNames=%s\\nLoadState=loaded\\nActiveState=inactive\\n' $unit $unit
        printf 'FragmentPath=/usr/lib/systemd/system/%s\\n\\n' $unit
    done ;;
esac
"""


class Run:
    """One run of the module in a process of its own."""

    def __init__(self, host, score):
        self.score = score
        self.number = None  # of the signal that was sent to it
        self._answer = host.root / f"answer-{time.monotonic_ns()}"
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                code = self._run(host)
            except BaseException:
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(code)

    def _run(self, host):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.environ["PATH"] = f"{host.root}/bin{os.pathsep}{os.environ['PATH']}"
        pin_answer.Systemd = lambda: Systemd(str(host.root))
        wanted = {"state": "absent"} if self.score is None else {"score": self.score}
        targets = [dict(wanted, pid=pid) for pid in host.pids] + [dict(wanted, unit=unit) for unit in UNITS]
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {"targets": targets}}).encode()
        basic._ANSIBLE_PROFILE = "legacy"  # ansible-core 2.19 and later
        with open(str(self._answer), "w") as out, contextlib.redirect_stdout(out):
            try:
                oom_score_adj.main()
            except SystemExit:
                return 0
        return 1

    def send(self, number):
        self.number = number
        os.kill(self.pid, number)

    def wait(self):
        """Return the answer; None if a signal ended the process before it could write one."""
        deadline = time.monotonic() + SECONDS
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        while not pid:
            assert time.monotonic() < deadline, f"the run that wanted {self.score} does not end"
            time.sleep(0.005)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == self.number
            return None
        text = self._answer.read_text().strip()
        self._answer.unlink()
        assert (status, text[:1]) == (0, "{"), text
        return json.loads(text)


class Host:
    """Real processes, and units in a tree of files."""

    def __init__(self, root):
        self.root = root
        for folder in ("bin", "loaded", "run/systemd/system", "etc/systemd/system", "usr/lib/systemd/system"):
            (root / folder).mkdir(parents=True)
        systemctl = root / "bin/systemctl"
        systemctl.write_text(SYSTEMCTL.format(root=root, units=" ".join(UNITS)))
        systemctl.chmod(0o755)
        for unit in UNITS:
            (root / "loaded" / unit).write_text("0\n")
            (root / "usr/lib/systemd/system" / unit).write_text("[Service]\nExecStart=/bin/true\n")
        with open("/proc/self/oom_score_adj") as own:
            self.own_score = int(own.read())  # of a process without a pin
        self.processes = [subprocess.Popen(["sleep", "100000"]) for _number in range(PROCESSES)]
        self.pids = [process.pid for process in self.processes]

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()

    def scores(self):
        """Return the score of every process."""
        found = []
        for pid in self.pids:
            with open(f"/proc/{pid}/oom_score_adj") as score:
                found.append(int(score.read()))
        return found

    def drop_ins(self):
        """Return the score in the drop-in of every unit; None without one."""
        found = []
        for unit in UNITS:
            path = self.root / "etc/systemd/system" / (unit + ".d") / "60-oomguard.conf"
            text = path.read_text() if path.exists() else None
            found.append(text if text is None else int(text.rpartition("OOMScoreAdjust=")[2]))
        return found

    def loaded(self):
        """Return the score that systemd has for every unit."""
        return [int((self.root / "loaded" / unit).read_text()) for unit in UNITS]

    def state(self):
        return self.scores(), self.drop_ins(), self.loaded()

    def wanted(self, score):
        """Return the state after a run with this score; None stands for state=absent."""
        live = self.own_score if score is None else score
        return [live] * PROCESSES, [score] * len(UNITS), [score or 0] * len(UNITS)

    def leftovers(self):
        """Return everything below the folder of drop-ins that is not a drop-in in use."""
        folder = self.root / "etc/systemd/system"
        return [
            str(path)
            for path in folder.rglob("*")
            if path.name != "60-oomguard.conf" and not (path.is_dir() and list(path.iterdir()))
        ]


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    host.end()


def run_pair(host, choose, scores):
    """Start two runs at about the same time, end one of them by a signal in half of the pairs."""
    runs = []
    for score in scores:
        runs.append(Run(host, score))
        time.sleep(choose.choice([0, choose.uniform(0, 0.05)]))
    if choose.random() < 0.5:
        time.sleep(choose.uniform(0, LONGEST_RUN_SECONDS))
        choose.choice(runs).send(choose.choice([signal.SIGTERM, signal.SIGKILL]))
    return runs, [run.wait() for run in runs]


def is_done(run, answer):
    """Return whether a run did its work; fail if it ended in any other way than by its signal."""
    if answer is None:
        return False
    if answer.get("failed"):
        assert run.number == signal.SIGTERM, answer["msg"]
        assert answer["msg"].startswith("the run was ended by SIGTERM"), answer["msg"]
        return False
    return True


def check_before(host, answers, states):
    """Check that every run reports one of these states as the one before it."""
    for answer in answers:
        if answer is not None and not answer.get("failed"):
            before = [target["processes"][0]["before"] for target in answer["targets"] if target["processes"]]
            assert before in [scores for scores, _drop_ins, _loaded in states]


def test_pairs(host):
    print(f"SEED={SEED}")
    choose = random.Random(SEED)
    counts = dict.fromkeys(
        ["pairs", "both done", "ended by SIGTERM", "ended by SIGKILL", "mixed until the next run"], 0
    )
    before = None
    for _pair in range(PAIRS):
        scores = choose.sample([None, *range(1, 1000)], 2) if choose.random() < 0.8 else [None, choose.randint(1, 999)]
        wanted = [host.wanted(score) for score in scores]
        runs, answers = run_pair(host, choose, scores)
        done = [state for run, answer, state in zip(runs, answers, wanted) if is_done(run, answer)]
        counts["pairs"] += 1
        counts["both done"] += len(done) == 2
        killed = any(run.number == signal.SIGKILL and answer is None for run, answer in zip(runs, answers))
        counts["ended by SIGKILL"] += killed
        counts["ended by SIGTERM"] += len(done) < 2 and not killed
        old = host.wanted(before)
        if killed:
            # Nothing can undo for it, but the next run puts all in order.
            for found, *allowed in zip(host.state(), *wanted, old):
                assert all(value in [one[0] for one in allowed] for value in found), (host.state(), wanted, old)
            counts["mixed until the next run"] += host.state() not in [*wanted, old]
            before = choose.choice([*scores, before])
            assert is_done(None, Run(host, before).wait())
            assert host.state() == host.wanted(before)
        else:
            # SIGTERM may also end a process after its work, before its answer.
            unanswered = [state for answer, state in zip(answers, wanted) if answer is None]
            assert host.state() in (done or [old]) + unanswered, (scores, before)
            check_before(host, answers, [*wanted, old])
            before = [*scores, before][[*wanted, old].index(host.state())]
        assert host.leftovers() == []
    print(counts)
    assert is_done(None, Run(host, None).wait())
    assert (host.state(), host.leftovers()) == (host.wanted(None), [])
    assert list((host.root / "etc/systemd/system").iterdir()) == []
