# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets for all instances of a template."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError, UnsupportedError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.instances import expand_instances
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Pin


def unit_pin(value, score=-900, **options):
    return Pin("unit", value, score, **dict(dict(persistent=True), **options))


@pytest.fixture
def instances(host):
    for number, name in enumerate(["db@15-main", "db@16-main", "dbx@1"]):
        host.proc.process(80 + number, "db", cgroup=f"/system.slice/{name}.service")
        host.add(name, 80 + number)
    return host


def expand(host, *pins):
    return [pin.value for pin in expand_instances(list(pins), host.systemd())]


@pytest.mark.parametrize("value", ["db@*", "db@*.service"])
def test_one_target_for_each_instance(instances, value):
    assert expand(instances, unit_pin("docker"), unit_pin(value)) == [
        "docker",
        "db@15-main.service",
        "db@16-main.service",
    ]
    assert len(instances.calls) == 1


@pytest.mark.parametrize("name", ["db@15-main", "db@15-main.service"])
def test_instance_that_a_target_names_is_not_in_the_others(instances, name):
    assert expand(instances, unit_pin("db@*"), unit_pin(name, -5)) == ["db@16-main.service", name]


def test_target_without_an_instance_stays(host):
    assert expand(host, unit_pin("nope@*")) == ["nope@*"]
    with pytest.raises(NotFoundError, match="systemd has started no instance"):
        host.plan(unit_pin("nope@*"))
    assert not host.results(unit_pin("nope@*", missing="ignore"))["changed"]
    assert host.plan(unit_pin("nope@*", missing="ignore", oom_policy="continue")).list_groups() == {}
    assert host.results(unit_pin("nope@*", missing="warn"))["warnings"] == [
        "unit=nope@*: systemd has started no instance: start one, or name it, such as nope@main"
    ]


def test_instance_that_is_gone_loses_its_drop_in(host):
    host.write("etc/systemd/system/db@9.service.d/60-oomguard.conf", "")
    host.write("etc/systemd/system/db@.service.d/x.conf", "")
    assert expand(host, unit_pin("db@*", None, state="absent")) == ["db@9.service"]


def test_other_targets_ask_for_nothing(host):
    pins = [unit_pin("docker"), Pin("process", "db@*", 5), unit_pin("a*b@x"), unit_pin("@*")]
    assert expand_instances(pins, host.systemd()) == pins
    assert host.calls == []


def test_host_without_systemd(host):
    (host.root / "run/systemd/system").rmdir()
    with pytest.raises(UnsupportedError, match="systemd does not manage this host"):
        expand(host, unit_pin("db@*"))


def test_instances_that_a_user_has_loaded_are_none(instances, monkeypatch):
    """Any user may load units with any name (systemctl status), and keep them loaded."""
    real = instances.ask
    forged = "".join(f"db@evil{number}.service loaded inactive dead A\n" for number in range(1000))

    def ask(*command):
        return real(*command) + forged if command[1] == "list-units" else real(*command)

    monkeypatch.setattr(instances, "ask", ask)
    assert expand(instances, unit_pin("db@*")) == ["db@15-main.service", "db@16-main.service"]
    instances.write("run/systemd/generator/db.service.wants/db@evil7.service", "")
    instances.write("etc/systemd/system/multi-user.target.requires/db@17-main.service", "")
    assert expand(instances, unit_pin("db@*")) == [
        "db@15-main.service",
        "db@16-main.service",
        "db@17-main.service",
        "db@evil7.service",
    ]


@pytest.mark.parametrize("state", ["failed", "activating", "active"])
def test_instances_that_systemd_has_started(host, monkeypatch, state):
    monkeypatch.setattr(host, "ask", lambda *_command: f"db@1.service loaded {state} x A\n")
    assert expand(host, unit_pin("db@*")) == ["db@1.service"]
