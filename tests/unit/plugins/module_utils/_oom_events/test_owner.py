# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose cgroup it is, in words that no name can forge."""

import pytest
from event_lines import DOCKER, ID, POD, POD_UID, SESSION, SHOP

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import ContainerNames
from ansible_collections.oomguard.linux.plugins.module_utils._oom_events.owner import (
    describe_owner,
    find_owner,
    get_container_name,
    get_pod_name,
    quote_name,
)

NAMES = ContainerNames({ID: "web1"}, {POD_UID: "shop/web-0"})
NOBODY = ContainerNames({}, {})
MANAGER = "/user.slice/user-1000.slice/user@1000.service/app.slice"

WORDS = {
    SHOP: "shop.service",
    SHOP + "/inside/x": "cgroup inside/x of shop.service",
    DOCKER: "container web1 (69dc3709e8f3)",
    DOCKER + "/x y": 'cgroup "x y" of container web1 (69dc3709e8f3)',
    f"/docker/{ID}": "container web1 (69dc3709e8f3)",
    f"{POD}/cri-containerd-{ID}.scope": "container web1 (69dc3709e8f3) of pod shop/web-0",
    POD: "pod shop/web-0",
    f"/kubepods/burstable/pod{POD_UID}": "pod shop/web-0",
    "/machine.slice": "machine.slice",
    "/machine.slice/x.scope": "x.scope",
    "/system.slice/system-a.slice": "system-a.slice",
    "/init.scope": "init.scope",
    "/": "the host",
    "/a/b": "cgroup /a/b",
    "/a b": 'cgroup "/a b"',
    "/docker/x.slice": "cgroup /docker/x.slice",
    SESSION: "session-4.scope of user 1000",
    "/user.slice/user-1000.slice": "user 1000",
    MANAGER + "/a.service": "a.service of user 1000",
    "/user.slice/x": "x of a user",
    "": "the host",
}


@pytest.mark.parametrize("path, words", WORDS.items())
def test_describe(path, words):
    assert describe_owner(find_owner(path), NAMES) == words


@pytest.mark.parametrize(
    "path, words",
    [
        (f"{MANAGER}/libpod-{ID}.scope", "container 69dc3709e8f3 of user 1000"),
        (f"{SHOP}/docker-{ID}.scope", "container 69dc3709e8f3 of shop.service"),
        (f"{MANAGER}/pod{POD_UID}", f"pod {POD_UID} of user 1000"),
    ],
)
def test_no_name_for_what_a_user_may_claim(path, words):
    """A user, or a service with Delegate=yes, can give a cgroup the id of any container."""
    owner = find_owner(path)
    assert describe_owner(owner, NAMES) == words
    assert (get_container_name(owner, NAMES), get_pod_name(owner, NAMES)) == (None, None)


def test_removed_container_has_no_name():
    assert describe_owner(find_owner(DOCKER), NOBODY) == "container 69dc3709e8f3"
    assert describe_owner(find_owner(f"{POD}/crio-{ID}.scope"), NOBODY) == f"container 69dc3709e8f3 of pod {POD_UID}"


@pytest.mark.parametrize(
    "name, quoted",
    [
        ("java", "java"),
        ("a with 4 more", '"a with 4 more"'),
        ('x" of sshd.service', '"x\\x22 of sshd.service"'),
        ("a\nb\x1b\u2028\udcff", "a\\x0ab\\x1b\\u2028\\xff"),
        ("", '""'),
        ("x" * 100, "x" * 29 + "..." + "x" * 28),
    ],
)
def test_quote(name, quoted):
    assert quote_name(name) == quoted


def test_owner_of_what_is_inside():
    inside, whole = find_owner(SHOP + "/a"), find_owner(SHOP)
    assert (inside.path, inside.inside, inside.whole()) == (SHOP, "a", whole)
