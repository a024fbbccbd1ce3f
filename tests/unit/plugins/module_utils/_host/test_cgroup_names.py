# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cgroup belongs to, by its name."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNKNOWN_USER,
    add_suffix,
    container_of,
    pod_of,
    scope_of,
    service_cgroup_of,
    service_of_user,
    strip_suffix,
    unit_of,
    user_of,
)

ID = "0123456789abcdef" * 4

UNITS = {
    "/system.slice/docker.service": "docker.service",
    "/system.slice/docker.service/inside": "docker.service",
    "/system.slice/system-postgresql.slice/postgresql@15-main.service": "postgresql@15-main.service",
    "/user.slice/session-1.scope": None,
    "/user.slice/user-1.slice/user@1.service/app.slice/containerd.service": None,  # of a user's service manager
    "/lxc/c1/system.slice/containerd.service": None,  # of a container's systemd
    "/system.slice/docker-1.scope/system.slice/cron.service": None,
    "/system.slice/-Hevil.service": None,
    "/system.slice/*.service": None,
    "/": None,
}


@pytest.mark.parametrize("path, unit", UNITS.items())
def test_unit_directly_below_slices(path, unit):
    assert unit_of(["/", path]) == unit


SERVICES_OF_USERS = {
    "/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service": (1000, "shop.service"),
    "/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service/inside": (1000, "shop.service"),
    "/user.slice/user-1000.slice/user@1000.service/user@0.service": (1000, "user@0.service"),  # a name of the user's
    "/user.slice/user-1000.slice/user@1000.service/init.scope": None,  # the manager itself
    "/user.slice/user-1000.slice/user@1000.service/app.slice/a b.service": None,
    "/user.slice/user-1000.slice/session-1.scope/user@1000.service/x.service": None,
    "/system.slice/docker.service": None,
    "/": None,
}


@pytest.mark.parametrize("path, service", SERVICES_OF_USERS.items())
def test_service_of_a_users_manager(path, service):
    assert service_of_user(["/", path]) == service


CGROUPS_OF_SERVICES = {
    "/system.slice/docker.service/inside": "/system.slice/docker.service",
    "/a.servicex.slice/a.service/inside": "/a.servicex.slice/a.service",
    "/user.slice/user-7.slice/user@7.service/app.slice/a.service/inside": (
        "/user.slice/user-7.slice/user@7.service/app.slice/a.service"
    ),
    "/user.slice/user-7.slice/user@7.service/init.scope": None,
    "/user.slice/user-7.slice/session-1.scope": None,
    "/": None,
}


@pytest.mark.parametrize("path, cgroup", CGROUPS_OF_SERVICES.items())
def test_cgroup_of_a_service(path, cgroup):
    assert service_cgroup_of(path) == cgroup


USERS = {
    "/user.slice/user-1000.slice/session-1.scope": 1000,
    "/user.slice/user-1000.slice/user@1000.service/app.slice/containerd.service": 1000,
    "/user.slice/user-0.slice/session-2.scope": 0,
    "/system.slice/user@1001.service/x": 1001,  # of a manager in another slice
    "/user.slice/x": UNKNOWN_USER,
    "/user.slice": None,
    "/system.slice/user-1000.service": None,
    "/system.slice/docker.service": None,
    "/": None,
}


@pytest.mark.parametrize("path, uid", USERS.items())
def test_user_of_slice_or_manager(path, uid):
    assert user_of(["/", path]) == uid


POD = "12345678-9abc-def0-1234-56789abcdef0"
BELOW = {
    "/system.slice/docker-{id}.scope": (ID, None),
    "/docker/{id}": (ID, None),
    "/docker/{id}/inner/docker/" + "f" * 64: (ID, None),
    "/machine.slice/libpod-{id}.scope/container": (ID, None),
    "/machine.slice/libpod-conmon-{id}.scope": (None, None),
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12345678_9abc_def0_1234_56789abcdef0.slice"
    "/cri-containerd-{id}.scope": (ID, POD),
    "/kubepods.slice/kubepods-pod12345678_9abc_def0_1234_56789abcdef0.slice": (None, POD),
    "/kubepods-besteffort-pod12345678_9abc_def0_1234_56789abcdef0.slice:cri-containerd:{id}": (ID, POD),
    "/system.slice/containerd.service/kubepods-pod12345678_9abc_def0_1234_56789abcdef0.slice:cri-containerd:{id}": (
        ID,
        POD,
    ),
    "/kubepods-pod12345678_9abc_def0_1234_56789abcdef0.slice:cri-containerd:x": (None, None),
    "/a:cri-containerd:{id}": (None, None),
    "/kubepods/besteffort/pod12345678-9abc-def0-1234-56789abcdef0/{id}": (ID, POD),
    "/kubepods/pod0123456789abcdef0123456789abcdef/{id}": (ID, "0123456789abcdef0123456789abcdef"),
    "/system.slice/docker.service": (None, None),
    "/podium/{id}x": (None, None),
    "/": (None, None),
}


@pytest.mark.parametrize("path, owners", BELOW.items())
def test_container_and_pod(path, owners):
    path = path.format(id=ID)
    assert (container_of(path), pod_of(path)) == owners


@pytest.mark.parametrize(
    "path, scope",
    [
        ("/system.slice/leak.scope", "leak.scope"),
        ("/leak.scope/sub", "leak.scope"),
        ("/a.slice/a-b.slice/run-1.scope/x", "run-1.scope"),
        ("/system.slice/web.service", None),
        ("/system.slice/web.service/inner.scope", None),
        ("/user.slice/user-1000.slice/session-4.scope", None),
        ("/system.slice/docker-" + "0f1e2d3c" * 8 + ".scope", None),
        ("/", None),
        ("/system.slice", None),
    ],
)
def test_scope_of_the_host(path, scope):
    assert scope_of(path) == scope


@pytest.mark.parametrize("name, short", [("a.service", "a"), ("a", "a"), ("a.service.service", "a.service"), ("", "")])
def test_suffix_of_a_service(name, short):
    assert strip_suffix(name) == short
    assert add_suffix(short).endswith(".service")
