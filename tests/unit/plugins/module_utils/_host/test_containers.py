# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers by id and name, with the cgroup names of each engine and a socket like Docker's."""

import http.server
import json
import re
import socketserver
import threading

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError, NotFoundError
from ansible_collections.oomguard.linux.plugins.module_utils._host import containers
from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import find_container_cgroup

A, B = "a1" * 32, "b2" * 32

CGROUPS = {
    "docker, systemd": "system.slice/docker-{0}.scope",
    "docker, cgroupfs": "docker/{0}",
    "podman, systemd": "machine.slice/libpod-{0}.scope",
    "podman of a user": "user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{0}.scope",
    "podman, cgroupfs": "libpod_parent/libpod-{0}",
    "containerd in Kubernetes": "kubepods.slice/kubepods-pod1.slice/cri-containerd-{0}.scope",
    "cri-o": "kubepods.slice/kubepods-burstable.slice/crio-{0}.scope",
    "Kubernetes, cgroupfs": "kubepods/burstable/pod1/{0}",
    "nerdctl": "system.slice/nerdctl-{0}.scope",
}


@pytest.fixture
def host(proc, tmp_path, monkeypatch):
    proc.write("self/mountinfo", f"30 24 0:26 / {tmp_path / 'cgroup'} rw - cgroup cgroup rw,memory\n")
    (tmp_path / "cgroup").mkdir()
    monkeypatch.setattr(containers, "DOCKER_SOCKETS", [str(tmp_path / "docker.sock")])
    proc.cgroups = tmp_path / "cgroup"
    return proc


def add_cgroup(host, template, container_id):
    (host.cgroups / template.format(container_id) / "inside").mkdir(parents=True)


@pytest.mark.parametrize("template", CGROUPS.values(), ids=list(CGROUPS))
def test_find_by_id(host, template):
    add_cgroup(host, template, A)
    add_cgroup(host, template, B)
    for given in (A, A[:12], A[:40]):
        assert find_container_cgroup(host.procfs, given) == "/" + template.format(A)


def test_refuse_ambiguous_id(host):
    """A user can give a cgroup in its own slice the name of another container's cgroup."""
    for template in ("docker, systemd", "podman of a user"):
        add_cgroup(host, CGROUPS[template], A)
    cgroups = rf"\(/system.slice/docker-{A}.scope, /user.slice/.*\)"
    with pytest.raises(InputError, match=f"matches more than one cgroup {cgroups}: select one with cgroup"):
        find_container_cgroup(host.procfs, A)


@pytest.mark.parametrize("template", ["machine.slice/libpod-conmon-{0}.scope", "kubepods.slice/crio-conmon-{0}.scope"])
def test_ignore_monitor_cgroup(host, template):
    add_cgroup(host, template, A)
    with pytest.raises(NotFoundError):
        find_container_cgroup(host.procfs, A)


def add_monitor(host, pid):
    words = [b"/usr/bin/conmon", b"--api-version", b"1", b"-c", A.encode(), b"-u", b"x", b"-n", b"batch", b""]
    host.process(pid, "conmon", cmdline=b"\0".join(words))


def test_find_podman_container_by_name(host):
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    add_monitor(host, 70)
    assert find_container_cgroup(host.procfs, "batch") == f"/machine.slice/libpod-{A}.scope"


def test_user_monitor_counts_in_own_slice_only(host, monkeypatch):
    monkeypatch.setattr(host.procfs, "owner", lambda _pid: 1000)
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    add_monitor(host, 70)
    with pytest.raises(NotFoundError):
        find_container_cgroup(host.procfs, "batch")
    add_cgroup(host, CGROUPS["podman of a user"], A)
    assert "/user-1000.slice/" in find_container_cgroup(host.procfs, "batch")


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers GET /containers/NAME/json as the Docker Engine API does."""

    def do_GET(self):
        known = self.path == "/containers/box/json"
        body = json.dumps({"Id": A, "Name": "/box"} if known else {"message": "No such container"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_words):
        pass


@pytest.fixture
def docker(host, tmp_path):
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "docker.sock"), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield host
        server.shutdown()


def test_find_docker_container_by_name(docker):
    add_cgroup(docker, CGROUPS["docker, systemd"], A)
    assert find_container_cgroup(docker.procfs, "box") == f"/system.slice/docker-{A}.scope"
    with pytest.raises(NotFoundError, match="no running container has the id or name other"):
        find_container_cgroup(docker.procfs, "other")


def test_stopped_container(docker):
    with pytest.raises(NotFoundError, match="no running container has the id or name box"):
        find_container_cgroup(docker.procfs, "box")


REFUSED = {
    "no engine at all": ("box", NotFoundError, "no running container has the id or name box"),
    "too short to be an id": (A[:11], NotFoundError, "no running container"),
    "a path": ("../x", InputError, "container '../x' is neither an id nor a name"),
    "empty": ("", InputError, "is neither an id nor a name"),
    "two of them": (
        "a1" * 6,
        InputError,
        "container a1a1a1a1a1a1 matches more than one cgroup (/system.slice/docker-a1",
    ),
}


@pytest.mark.parametrize("value, error, words", REFUSED.values(), ids=list(REFUSED))
def test_refused(host, value, error, words):
    add_cgroup(host, CGROUPS["docker, systemd"], A)
    add_cgroup(host, CGROUPS["docker, systemd"], A[:62] + "00")
    with pytest.raises(error, match=re.escape(words)):
        find_container_cgroup(host.procfs, value)
