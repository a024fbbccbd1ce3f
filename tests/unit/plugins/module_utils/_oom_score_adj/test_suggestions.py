# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is suggested for a target that is not there."""

from types import SimpleNamespace

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host import containers
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import suggestions
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.suggestions import (
    suggest_for_cgroup,
    suggest_for_container,
    suggest_for_process,
    suggest_for_unit,
    suggest_running_units,
)

SESSION = "user.slice/user-1000.slice/user@1000.service/app.slice"
UNITS = {
    "a typo of a running unit": ("dokcer.service", "did you mean docker.service?"),
    "a typo of one that does not run": ("maraidb.service", "did you mean mariadb.service?"),
    "an unknown one": ("nosuch.service", "check the name with systemctl list-unit-files"),
}


@pytest.mark.parametrize("name, words", UNITS.values(), ids=list(UNITS))
def test_unit(host, name, words):
    assert suggest_for_unit(name, host.systemd(), host.proc.procfs) == words


def test_unit_that_users_run(host, monkeypatch):
    """Each user is named, by login name where there is one."""
    names = {1000: SimpleNamespace(pw_name="alice")}
    monkeypatch.setattr(suggestions.pwd, "getpwuid", names.__getitem__)
    (host.cgroups / SESSION / "myapp.service").mkdir(parents=True)
    words = suggest_for_unit("myapp.service", host.systemd(), host.proc.procfs)
    assert words == f"it is a unit of user alice: select it by user_unit, or by cgroup=/{SESSION}/myapp.service"
    (host.cgroups / SESSION.replace("1000", "4242") / "myapp.service").mkdir(parents=True)
    words = suggest_for_unit("myapp.service", host.systemd(), host.proc.procfs)
    assert "it is a unit of " in words and {"user alice", "user 4242"} <= set(
        words.partition("unit of ")[2].partition(":")[0].split(" and ")
    )


def test_unit_of_an_unknown_user(host):
    (host.cgroups / "user.slice/strange/myapp.service").mkdir(parents=True)
    assert "it is a unit of a user: select" in suggest_for_unit("myapp.service", host.systemd(), host.proc.procfs)


def test_unit_that_users_may_have(host):
    host.write("usr/lib/systemd/user/pipewire.service", "[Service]\n")
    words = suggest_for_unit("pipewire.service", host.systemd(), host.proc.procfs)
    assert words.startswith("it is a unit of users' service managers: select it by user_unit")


def test_instance_that_runs_instead_of_a_wrapper(host):
    """Debian's postgresql.service only starts its instances."""
    host.proc.process(99, "postgres", cgroup="/system.slice/postgresql@15-main.service")
    host.add("postgresql@15-main", 99)
    assert suggest_running_units("postgresql.service", host.systemd()) == "did you mean postgresql@15-main.service?"
    with pytest.raises(
        InputError,
        match=r"^unit=postgresql\.service is active without a main process \(Type=oneshot\):"
        r" did you mean postgresql@15-main\.service\?$",
    ):
        host.plan(Pin("unit", "postgresql", -500, persistent=True))


PROCESSES = {
    "a typo of a name": (Pin("process", "dokcerd", 1), "did you mean dockerd?"),
    "an unknown name": (Pin("process", "nginx", 1), "check the name with ps -e -o comm, or start it first"),
    "a pattern": (Pin("pattern", "nginx", 1), "try it with pgrep -af, or start the program first"),
    "a pid": (Pin("pid", "99", 1), "it has ended: select by unit or process, which find the next one too"),
    "an empty cgroup": (Pin("cgroup", "/x", 1), "it is empty: start what runs in it first"),
}


@pytest.mark.parametrize("pin, words", PROCESSES.values(), ids=list(PROCESSES))
def test_process(processes, pin, words):
    assert suggest_for_process(pin, ProcessTable(processes.proc.procfs)) == words


CGROUPS = {
    "a typo of the last part": ("/system.slice/dokcer.service", "did you mean /system.slice/docker.service?"),
    "a typo of the first part": ("/sytem.slice/docker.service", "did you mean /system.slice?"),
    "another folder": ("/docker.service", "did you mean /system.slice/docker.service?"),
    "an unknown one": ("/nosuch", "see systemd-cgls or /proc/PID/cgroup, or start what runs in it first"),
}


@pytest.mark.parametrize("path, words", CGROUPS.values(), ids=list(CGROUPS))
def test_cgroup(host, path, words):
    assert suggest_for_cgroup(path, host.proc.procfs) == words


@pytest.mark.parametrize(
    "names, words",
    [
        (["web1", "web2"], "did you mean web1 or web2?"),
        ([], "see docker ps, podman ps or crictl ps, or start it first"),
    ],
)
def test_container(host, monkeypatch, names, words):
    monkeypatch.setattr(containers, "list_container_names", lambda _procfs: names)
    assert suggest_for_container("web", host.proc.procfs) == words


# The message of a run has the suggestion; a target that may be missing is not searched for.
MESSAGES = {
    "unit": (Pin("unit", "dokcer", -5, persistent=True), "no such system unit; did you mean docker.service? (missing="),
    "process": (Pin("process", "dokcerd", -5), "process=dokcerd: no such process; did you mean dockerd? (missing="),
    "cgroup": (Pin("cgroup", "/system.slice/dokcer.service", -5), "; did you mean /system.slice/docker.service? ("),
    "container": (
        Pin("container", "bacth", -5),
        "no running container has the id or name bacth; did you mean batch? (",
    ),
}


@pytest.mark.parametrize("pin, words", MESSAGES.values(), ids=list(MESSAGES))
def test_message(host, monkeypatch, pin, words):
    monkeypatch.setattr(containers, "list_container_names", lambda _procfs: ["batch"])
    with pytest.raises(NotFoundError) as raised:
        host.plan(pin)
    assert words in str(raised.value)
    [warning] = host.plan(pin._replace(missing="warn")).warnings
    assert words[:-3].rpartition("(")[0].rstrip() in warning
    host.calls.clear()
    assert host.plan(pin._replace(missing="ignore")).warnings == []
    assert [command[1] for command in host.calls] == ["show"] * (pin.selector == "unit")
