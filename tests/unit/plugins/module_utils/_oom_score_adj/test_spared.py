# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drop-in that makes earlyoom spare programs, through whole runs on a tree of files."""

import shlex

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import ReadBackError
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import KILLER_HEADER
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import drop_in_writer
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.all_pins import plan_removal_of_all
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.plan import plan_pins
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.results import pin_results

DROP_IN = "zz-oomguard.conf"
ARGUMENTS = "-r 0 --sort-by-rss"


class EarlyoomHost:
    """A host with earlyoom, which restarts with what its files say."""

    def __init__(self, host, monkeypatch):
        self.host = host
        self.arguments = ARGUMENTS
        self.restarts = 0
        host.proc.process(50, "earlyoom", cgroup="/system.slice/earlyoom.service")
        host.add("earlyoom", 50, fragment="")
        host.write("usr/lib/systemd/system/earlyoom.service", "[Service]\nExecStart=/usr/bin/earlyoom $EARLYOOM_ARGS\n")
        self.start()
        self.ask = host.ask
        monkeypatch.setattr(host, "ask", self.answer)

    def answer(self, *command):
        if command[1] == "try-restart":
            assert command[2:] == ("--", "earlyoom.service")
            self.restarts += 1
            self.start()
            return ""
        return self.ask(*command)

    def start(self):
        """Write the arguments that systemd would make of the last ExecStart."""
        text = self.host.drop_in("earlyoom", file=DROP_IN) or "ExecStart=/usr/bin/earlyoom $EARLYOOM_ARGS"
        command = text.strip().rpartition("ExecStart=")[2].replace("$EARLYOOM_ARGS", self.arguments)
        words = shlex.split(command.replace("$$", "$").replace("%%", "%"))
        self.host.proc.write("50/cmdline", "\0".join([*words, ""]))

    def plan(self, *pins, protects=True):
        return plan_pins(self.host.proc.procfs, self.host.systemd(), pins, 0, protects=protects)

    def run(self, *pins, protects=True):
        plan = self.plan(*pins, protects=protects)
        applied = self.host.apply_plan(plan)
        return dict(
            pin_results(applied.outcomes, plan.killable, not_binding=plan.not_binding),
            warnings=plan.warnings + applied.warnings,
        )

    @property
    def drop_in(self):
        return self.host.drop_in("earlyoom", file=DROP_IN)


@pytest.fixture
def earlyoom(host, monkeypatch):
    return EarlyoomHost(host, monkeypatch)


def unit_pin(unit, score=-900, **options):
    return Pin("unit", unit, score, **dict(dict(persistent=True), **options))


def unit_absent(unit):
    return unit_pin(unit, None, state="absent")


def test_report_says_what_earlyoom_ignores(earlyoom):
    results = earlyoom.run(unit_pin("cron"), protects=False)
    assert [one["reason"] for one in results["not_binding"]] == ["earlyoom runs with --sort-by-rss"]
    assert "add --ignore '^cron$' to its arguments" in results["warnings"][-1]
    assert (earlyoom.drop_in, earlyoom.restarts) == (None, 0)


def test_protect_and_take_back(earlyoom):
    before = earlyoom.host.files()
    arguments = earlyoom.host.proc.root / "50/cmdline"
    running = arguments.read_bytes()
    results = earlyoom.run(unit_pin("cron"), unit_pin("docker", -100))
    assert KILLER_HEADER in earlyoom.drop_in and "# unit=cron.service program=cron\n" in earlyoom.drop_in
    assert [one["target"] for one in results["not_binding"]] == ["unit=docker.service"]
    assert arguments.read_bytes().endswith(b"--sort-by-rss\0--ignore\0^(cron)$\0")
    assert (earlyoom.restarts, results["changed"]) == (1, True)
    assert results["msg"].startswith("2 pins changed, 0 unchanged, arguments of another killer")
    assert DROP_IN in results["diff"]["after"] and results["targets"][-1]["drop_in"]["before"] is None

    again = earlyoom.run(unit_pin("cron"), unit_pin("docker", -100))
    assert (again["changed"], earlyoom.restarts) == (False, 1)

    earlyoom.run(unit_pin("docker"))
    assert arguments.read_bytes().endswith(b"--ignore\0^(cron|dockerd)$\0")
    earlyoom.run(unit_absent("docker"), protects=False)
    assert arguments.read_bytes().endswith(b"--ignore\0^(cron)$\0")
    earlyoom.run(unit_absent("cron"), protects=False)
    assert (earlyoom.host.files(), arguments.read_bytes()) == (before, running)


def test_a_pin_that_is_weakened_is_not_spared(earlyoom):
    earlyoom.run(unit_pin("cron"))
    earlyoom.run(unit_pin("cron", -100))
    assert earlyoom.drop_in is None


def test_all_pins_are_taken_back(earlyoom):
    before = earlyoom.host.files()
    earlyoom.run(unit_pin("cron"))
    plan = plan_removal_of_all(earlyoom.host.proc.procfs, earlyoom.host.systemd(), 0, False)
    earlyoom.host.apply_plan(plan)
    assert (earlyoom.host.files(), earlyoom.restarts) == (before, 2)


def test_the_own_ignore_of_earlyoom_counts_with_ours(earlyoom):
    earlyoom.arguments = "--sort-by-rss --ignore ^(ssh)$"
    earlyoom.start()
    earlyoom.run(unit_pin("cron"))
    assert (earlyoom.host.proc.root / "50/cmdline").read_bytes().endswith(b"\0--ignore\0(^(ssh)$)|^(cron)$\0")
    earlyoom.arguments = "--sort-by-rss --ignore ^(nginx)$"
    earlyoom.start()
    assert earlyoom.run(unit_pin("cron"))["changed"]
    assert (earlyoom.host.proc.root / "50/cmdline").read_bytes().endswith(b"\0--ignore\0(^(nginx)$)|^(cron)$\0")


def test_earlyoom_that_goes_by_scores_needs_nothing(earlyoom):
    earlyoom.arguments = "-r 0"
    earlyoom.start()
    results = earlyoom.run(unit_pin("cron"))
    assert (earlyoom.drop_in, results["not_binding"]) == (None, [])


def test_a_command_that_cannot_be_replaced(earlyoom):
    earlyoom.host.write("etc/systemd/system/earlyoom.service.d/50-x.conf", "[Service]\nExecStart=-/bin/x\n")
    results = earlyoom.run(unit_pin("cron"))
    assert earlyoom.drop_in is None and [one["killer"] for one in results["not_binding"]] == ["earlyoom"]
    assert any(
        "other_killers=protect cannot make earlyoom spare cron.service: earlyoom.service has not one plain ExecStart;"
        " add --ignore to its arguments yourself" in one
        for one in results["warnings"]
    )


def test_somebody_elses_file_of_that_name_is_left_alone(earlyoom):
    path = "etc/systemd/system/earlyoom.service.d/" + DROP_IN
    earlyoom.host.write(path, "[Service]\nNice=5\n")
    assert any(f"/{path} is not ours" in one for one in earlyoom.run(unit_pin("cron"))["warnings"])
    assert earlyoom.drop_in == "[Service]\nNice=5\n"


def test_an_ignore_with_two_lines(earlyoom):
    earlyoom.arguments = "--sort-by-rss --ignore 'a\nb'"
    earlyoom.start()
    assert any("its own --ignore has more than one line" in one for one in earlyoom.run(unit_pin("cron"))["warnings"])


def test_a_program_that_is_no_plain_name(earlyoom):
    earlyoom.host.proc.process(20, "odd (name", cgroup="/system.slice/cron.service")
    results = earlyoom.run(unit_pin("cron"))
    assert any(
        "earlyoom cannot spare cron.service: 'odd (name' is not a plain name" in one for one in results["warnings"]
    )


def test_absent_while_earlyoom_does_not_run(earlyoom):
    earlyoom.run(unit_pin("cron"), unit_pin("docker"))
    earlyoom.host.known["earlyoom.service"].update(ActiveState="inactive", MainPID="0")
    results = earlyoom.run(unit_absent("docker"), protects=False)
    assert "docker" not in earlyoom.drop_in and "program=cron\n" in earlyoom.drop_in
    assert not [one for one in results["warnings"] if "earlyoom" in one]
    earlyoom.run(unit_absent("cron"), protects=False)
    assert earlyoom.drop_in is None


def test_report_takes_back_what_protect_did_for_its_targets(earlyoom):
    """As it takes the preferences for systemd-oomd back."""
    before = earlyoom.host.files()[0]
    earlyoom.run(unit_pin("cron"), unit_pin("docker"))
    results = earlyoom.run(unit_pin("docker"), protects=False)
    assert "docker" not in earlyoom.drop_in and "program=cron\n" in earlyoom.drop_in
    assert [one["unit"] for one in results["not_binding"]] == ["docker.service"]
    results = earlyoom.run(unit_pin("cron"), protects=False)
    assert [one["unit"] for one in results["not_binding"]] == ["cron.service"]
    earlyoom.run(unit_absent("cron"), unit_absent("docker"), protects=False)
    assert (earlyoom.host.files()[0], earlyoom.restarts) == (before, 3)


def test_a_run_that_protects_nothing_leaves_earlyoom_alone(earlyoom):
    """Whatever has become of the own arguments and the command of earlyoom since."""
    earlyoom.run(unit_pin("cron"))
    written = earlyoom.drop_in
    earlyoom.arguments = "--sort-by-rss --ignore ^(ssh)$"
    earlyoom.start()
    earlyoom.host.write("etc/systemd/system/earlyoom.service.d/50-x.conf", "[Service]\nExecStart=\nExecStart=/bin/x\n")
    for pin in (unit_pin("docker"), unit_pin("cron", -900, persistent=False), unit_absent("mariadb")):
        earlyoom.run(pin, protects=False)
        assert (earlyoom.drop_in, earlyoom.restarts) == (written, 1)


def test_a_run_that_was_killed_before_the_restart(earlyoom):
    """The pin does not count until earlyoom runs with it, and the next such run restarts it."""
    running = (earlyoom.host.proc.root / "50/cmdline").read_bytes()
    earlyoom.run(unit_pin("cron"))
    written = earlyoom.drop_in
    earlyoom.host.proc.write("50/cmdline", running.decode())
    results = earlyoom.run(unit_pin("docker"), Pin("pid", "20", -900), protects=False)
    assert [one["target"] for one in results["not_binding"]] == ["unit=docker.service", "pid=20"]
    assert earlyoom.restarts == 1
    results = earlyoom.run(unit_pin("cron"))
    assert (results["changed"], results["not_binding"], earlyoom.restarts) == (True, [], 2)
    assert (earlyoom.drop_in, earlyoom.run(unit_pin("cron"))["changed"]) == (written, False)


def test_a_run_that_was_killed_does_not_nest_our_own_expression(earlyoom):
    """What runs with an earlier expression of ours shows nothing of earlyoom's own arguments."""
    earlyoom.run(unit_pin("cron"))
    earlier = (earlyoom.host.proc.root / "50/cmdline").read_bytes()
    earlyoom.run(unit_pin("docker"))
    earlyoom.host.proc.write("50/cmdline", earlier.decode())
    earlyoom.run(unit_pin("cron"), unit_pin("docker"))
    assert (earlyoom.host.proc.root / "50/cmdline").read_bytes().endswith(b"rss\0--ignore\0^(cron|dockerd)$\0")


def test_every_program_of_a_unit_is_spared(earlyoom):
    """Processes are sorted by pid, and that of a helper may come first."""
    earlyoom.host.proc.process(9, "helper", parent=10, cgroup="/system.slice/docker.service")
    (earlyoom.host.cgroups / "system.slice/docker.service/cgroup.procs").write_text("9\n10\n11\n")
    results = earlyoom.run(unit_pin("docker", children="pin", force=True))
    arguments = (earlyoom.host.proc.root / "50/cmdline").read_bytes()
    assert arguments.endswith(b"\0^(docker-proxy|dockerd|helper)$\0") and results["not_binding"] == []
    assert not earlyoom.run(unit_pin("docker", children="pin", force=True))["changed"]


def test_report_names_every_program_that_earlyoom_ignores(earlyoom):
    warnings = earlyoom.run(unit_pin("docker", children="pin", force=True), protects=False)["warnings"]
    assert all(any(f"add --ignore '^{name}$'" in one for one in warnings) for name in ("docker\\-proxy", "dockerd"))


def test_a_later_file_that_wins(earlyoom):
    path = "etc/systemd/system/earlyoom.service.d/zzz.conf"
    earlyoom.host.write(path, "[Service]\nExecStart=\nExecStart=/bin/x\n")
    results = earlyoom.run(unit_pin("cron"))
    assert (earlyoom.drop_in, earlyoom.restarts) == (None, 0)
    assert any(f"spare cron.service: /{path} sets ExecStart, and wins" in one for one in results["warnings"])
    assert [one["unit"] for one in results["not_binding"]] == ["cron.service"]


def test_a_later_file_does_not_keep_our_own_in_place(earlyoom):
    earlyoom.run(unit_pin("cron"), unit_pin("docker"))
    earlyoom.host.write("etc/systemd/system/earlyoom.service.d/zzz.conf", "[Service]\nExecStart=\nExecStart=/bin/x\n")
    earlyoom.host.proc.write("50/cmdline", "/bin/x\0")
    earlyoom.start = lambda: None
    earlyoom.run(unit_absent("docker"), protects=False)
    assert "docker" not in earlyoom.drop_in


def test_a_file_of_ours_that_somebody_changed(earlyoom):
    earlyoom.run(unit_pin("cron"), unit_pin("docker"))
    path = "etc/systemd/system/earlyoom.service.d/" + DROP_IN
    changed = earlyoom.drop_in.replace('dockerd)$$"', 'dockerd|x)$$"')
    earlyoom.host.write(path, changed)
    results = earlyoom.run(unit_absent("docker"), protects=False)
    assert earlyoom.drop_in == changed and any(f"somebody has changed /{path}" in one for one in results["warnings"])
    earlyoom.run(unit_absent("docker"), unit_absent("cron"), protects=False)
    assert earlyoom.drop_in is None


def test_earlyoom_that_does_not_start_with_it(earlyoom, monkeypatch):
    """Everything is put back."""
    monkeypatch.setattr(drop_in_writer, "APPLY_SECONDS", 0)
    monkeypatch.setattr(drop_in_writer, "_LONG_WAIT_SECONDS", 0)
    before = earlyoom.host.files()
    monkeypatch.setattr(earlyoom, "start", lambda: None)
    with pytest.raises(ReadBackError, match=r"earlyoom\.service does not run with --ignore \^\(cron\)\$, which /etc"):
        earlyoom.run(unit_pin("cron"))
    assert (earlyoom.host.files(), earlyoom.restarts) == (before, 2)
