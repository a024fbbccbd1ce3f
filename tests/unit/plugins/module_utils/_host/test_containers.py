# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers by id and name, with the cgroup names of each engine and a socket like Docker's."""

import http.server
import json
import os
import pwd
import re
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import (
    AccessError,
    InputError,
    NotFoundError,
    UntrustedError,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host import containers
from ansible_collections.oomguard.linux.plugins.module_utils._host.containers import (
    find_container_cgroup,
    find_container_name,
    list_container_names,
)

A, B, C = "a1" * 32, "b2" * 32, "c3" * 32
ALICE = frozenset([1000])

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")

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
    monkeypatch.setattr(containers, "STORAGE_FOLDERS", [str(tmp_path / "storage")])
    monkeypatch.setattr(containers, "STORAGE_FILES", [str(tmp_path / "storage.conf")])
    monkeypatch.setattr(
        containers.pwd, "getpwuid", lambda uid: pwd.struct_passwd(("x", "x", uid, uid, "", str(tmp_path / "home"), ""))
    )
    proc.storage = tmp_path / "storage"
    proc.home = tmp_path / "home"
    proc.settings = tmp_path / "storage.conf"
    proc.cgroups = tmp_path / "cgroup"
    return proc


def add_cgroup(host, template, container_id):
    (host.cgroups / template.format(container_id) / "inside").mkdir(parents=True)


@pytest.mark.parametrize("template", CGROUPS.values(), ids=list(CGROUPS))
def test_find_by_id(host, template):
    add_cgroup(host, template, A)
    add_cgroup(host, template, B)
    for given in (A, A[:12], A[:40]):
        assert find_container_cgroup(host.procfs, given, ALICE) == "/" + template.format(A)


@pytest.mark.parametrize("template", ["docker, systemd", "podman, systemd", "Kubernetes, cgroupfs"])
def test_same_name_in_the_slice_of_a_user(host, template):
    """A user can give a cgroup in its own slice the name of another container's cgroup."""
    for name in (template, "podman of a user"):
        add_cgroup(host, CGROUPS[name], A)
    for users in (frozenset(), ALICE):
        assert find_container_cgroup(host.procfs, A, users) == "/" + CGROUPS[template].format(A)


def test_two_cgroups_of_a_named_user(host):
    for folder in ("a", "b"):
        add_cgroup(host, "user.slice/user-1000.slice/" + folder + "/libpod-{0}.scope", A)
    with pytest.raises(UntrustedError, match="matches more than one cgroup"):
        find_container_cgroup(host.procfs, A, ALICE)


def test_container_of_a_user_only_on_purpose(host):
    add_cgroup(host, CGROUPS["podman of a user"], A)
    for users in (frozenset(), frozenset([1001])):
        with pytest.raises(UntrustedError, match=r"only below /user\.slice/.*, where uid 1000 may create any cgroup"):
            find_container_cgroup(host.procfs, A, users)
    assert find_container_cgroup(host.procfs, A, ALICE) == "/" + CGROUPS["podman of a user"].format(A)


@as_root
@pytest.mark.parametrize("folder", ["delegated", "delegated/below"])
def test_cgroup_below_a_delegated_one(host, folder):
    """With version 1 or Delegate=yes, a user may own a part of the tree outside of user.slice."""
    add_cgroup(host, "delegated/below/libpod-{0}.scope", A)
    os.chown(str(host.cgroups / folder), 1000, 0)
    with pytest.raises(UntrustedError, match="where uid 1000 may create any cgroup"):
        find_container_cgroup(host.procfs, A)
    assert find_container_cgroup(host.procfs, A, ALICE) == f"/delegated/below/libpod-{A}.scope"
    add_cgroup(host, CGROUPS["docker, systemd"], A)
    assert find_container_cgroup(host.procfs, A, ALICE) == f"/system.slice/docker-{A}.scope"


@as_root
def test_cgroup_that_the_runtime_gave_to_its_container(host):
    """A container with a user namespace of its own owns its cgroup, but not the one above."""
    add_cgroup(host, CGROUPS["docker, systemd"], A)
    os.chown(str(host.cgroups / CGROUPS["docker, systemd"].format(A)), 100000, 0)
    assert find_container_cgroup(host.procfs, A) == f"/system.slice/docker-{A}.scope"


def test_name_of_a_cgroup_is_printable(host):
    add_cgroup(host, "user.slice/user-1000.slice/\x1b[2J/libpod-{0}.scope", A)
    with pytest.raises(UntrustedError, match=r"/\\x1b\[2J/libpod"):
        find_container_cgroup(host.procfs, A)


@pytest.mark.parametrize("template", ["machine.slice/libpod-conmon-{0}.scope", "kubepods.slice/crio-conmon-{0}.scope"])
def test_ignore_monitor_cgroup(host, template):
    add_cgroup(host, template, A)
    with pytest.raises(NotFoundError):
        find_container_cgroup(host.procfs, A)


# --- podman and CRI-O -----------------------------------------------------------------


def store(folder, names, container=A, driver="overlay", file="containers.json"):
    """Write names into the storage of podman."""
    path = folder / f"{driver}-containers" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"id": B, "names": ["other"]}, {"id": container, "names": names, "image": ""}]))
    path.chmod(0o600)
    return path


STORED = {
    "a container": {},
    "another driver": dict(driver="vfs"),
    "run with --rm": dict(file="volatile-containers.json"),
}


@pytest.mark.parametrize("where", STORED.values(), ids=list(STORED))
def test_find_podman_container_by_name(host, where):
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    store(host.storage, ["batch"], **where)
    assert find_container_cgroup(host.procfs, "batch") == f"/machine.slice/libpod-{A}.scope"
    with pytest.raises(NotFoundError, match="no running container has the id or name nosuch"):
        find_container_cgroup(host.procfs, "nosuch")
    with pytest.raises(NotFoundError, match="no running container has the id or name other"):
        find_container_cgroup(host.procfs, "other")


@pytest.mark.parametrize("file", ["storage.conf", "storage.conf.d/10-own.conf", "storage.rootful.conf.d/own.conf"])
def test_storage_elsewhere(host, tmp_path, file):
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    store(tmp_path / "elsewhere", ["batch"])
    settings = host.settings.parent / file
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f'[storage]\ndriver = "overlay"\n  graphroot = "{tmp_path}/elsewhere"\n')
    assert find_container_cgroup(host.procfs, "batch") == f"/machine.slice/libpod-{A}.scope"


def test_arguments_of_a_monitor_are_a_claim(host):
    """Anybody can run a program with these arguments, and su does so as root before it asks."""
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    words = [b"/usr/bin/conmon", b"--api-version", b"1", b"-c", A.encode(), b"-u", b"x", b"-n", b"batch", b""]
    host.process(70, "conmon", cmdline=b"\0".join(words), exe="/usr/bin/su")
    with pytest.raises(NotFoundError, match="no running container has the id or name batch"):
        find_container_cgroup(host.procfs, "batch")


def test_name_that_root_gave_stays_with_the_container_of_root(host):
    add_cgroup(host, CGROUPS["podman of a user"], A)
    store(host.storage, ["batch"])
    for users in (frozenset(), ALICE):
        with pytest.raises(NotFoundError, match="no running container has the id or name batch"):
            find_container_cgroup(host.procfs, "batch", users)


@as_root
def test_find_container_of_a_user_by_name(host):
    add_cgroup(host, CGROUPS["podman of a user"], A)
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    path = store(host.home / containers.USER_STORAGE, ["batch"])
    for folder, _names, _files in os.walk(str(host.home)):
        os.chown(folder, 1000, 1000)
    os.chown(str(path), 1000, 1000)
    with pytest.raises(NotFoundError):
        find_container_cgroup(host.procfs, "batch")
    assert "/user-1000.slice/" in find_container_cgroup(host.procfs, "batch", ALICE)
    store(host.storage, ["batch"])
    assert find_container_cgroup(host.procfs, "batch", ALICE) == f"/machine.slice/libpod-{A}.scope"


def break_json(path):
    path.write_text("[" * 100000)


def make_other_json(path):
    path.write_text('{"names": ["batch"]}')


def make_odd_entries(path):
    path.write_text(json.dumps([1, {"id": A}, {"id": A, "names": "batch"}, {"names": ["batch"]}]))


def make_fifo(path):
    path.unlink()
    os.mkfifo(str(path))


def open_to_all(path):
    path.chmod(0o666)


@pytest.mark.parametrize("change", [break_json, make_other_json, make_odd_entries, make_fifo, open_to_all])
def test_storage_that_cannot_be_used(host, change):
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    change(store(host.storage, ["batch"]))
    with pytest.raises(NotFoundError, match="no running container has the id or name batch"):
        find_container_cgroup(host.procfs, "batch")


@as_root
@pytest.mark.parametrize("part", ["", "overlay-containers", "overlay-containers/containers.json"])
def test_storage_of_somebody_else(host, part):
    add_cgroup(host, CGROUPS["podman, systemd"], A)
    store(host.storage, ["batch"])
    os.chown(str(host.storage / part), 105, 0)
    with pytest.raises(NotFoundError, match="no running container has the id or name batch"):
        find_container_cgroup(host.procfs, "batch", frozenset([105]))


# --- Docker ---------------------------------------------------------------------------


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers GET /containers/NAME/json and /containers/json as the Docker Engine API does."""

    answer = json.dumps({"Id": A, "Name": "/box"}).encode()
    listing = json.dumps([{"Id": A, "Names": ["/box", "/web/alias"]}, {"Id": B, "Names": None}, 7]).encode()

    def do_GET(self):
        known = self.path in ("/containers/box/json", f"/containers/{A}/json", "/containers/json")
        found = self.listing if self.path == "/containers/json" else self.answer
        body = found if known else json.dumps({"message": "No such container"}).encode()
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


ANSWERS = {
    "no JSON": b"{",
    "a list": b"[1]",
    "no id": b"{}",
    "an id that is no text": b'{"Id": [1]}',
    "not UTF-8": b'{"Id": "\xff"}',
    "nested deeply": b"[" * 100000,
    "endless": b" " * (1 << 16) + json.dumps({"Id": A}).encode(),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_odd_answer(docker, monkeypatch, answer):
    monkeypatch.setattr(Engine, "answer", answer)
    monkeypatch.setattr(containers, "_ANSWER_BYTES", 1 << 16)
    add_cgroup(docker, CGROUPS["docker, systemd"], A)
    with pytest.raises(NotFoundError, match="no running container has the id or name box"):
        find_container_cgroup(docker.procfs, "box")


def test_engine_that_does_not_answer(host, tmp_path, monkeypatch):
    """Nothing is known of a name then; "no such container" would be a guess."""
    monkeypatch.setattr(containers, "DOCKER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen(1)
        with pytest.raises(AccessError, match=r"^container=box: Docker did not answer on .* within 0.2 seconds: run"):
            find_container_cgroup(host.procfs, "box")


def test_name_of_docker_container(docker):
    assert find_container_name(A) == "box"
    assert find_container_name(B) is None


NO_NAMES = {"no name": b"{}", "a number": b'{"Name": 7}', "no JSON": b"{", "odd": b'{"Name": "/\\u001b[2J"}'}


@pytest.mark.parametrize("answer", NO_NAMES.values(), ids=list(NO_NAMES))
def test_odd_name_of_docker_container(docker, monkeypatch, answer):
    monkeypatch.setattr(Engine, "answer", answer)
    assert find_container_name(A) is None


def test_names_of_running_containers(docker):
    """Those of podman count if they run; users' own never do."""
    for template, container in (("podman, systemd", C), ("podman of a user", B)):
        add_cgroup(docker, CGROUPS[template], container)
    store(docker.storage, ["batch", 7, "\x1b[2J"], C)
    assert list_container_names(docker.procfs) == ["batch", "box"]
    assert find_container_name(C) == "batch"


def test_names_without_an_answer(host, tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "_NAME_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen(2)
        assert (find_container_name(A), list_container_names(host.procfs)) == (None, [])


def test_name_of_a_container_of_a_user(host):
    store(host.home / containers.USER_STORAGE, ["mine"])
    uid = os.geteuid()
    assert find_container_name(A, frozenset([uid])) == "mine"
    assert find_container_name(A) is None


LISTEN = """
import os, socket, sys
os.setuid(1234)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
print("ready", flush=True)
connection = listener.accept()[0]
print(connection.recv(100))
"""


@as_root
def test_socket_of_a_user(host, monkeypatch):
    add_cgroup(host, CGROUPS["docker, systemd"], A)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = os.path.join(folder, "docker.sock")
        monkeypatch.setattr(containers, "DOCKER_SOCKETS", [path])
        with subprocess.Popen([sys.executable, "-c", LISTEN, path], stdout=subprocess.PIPE) as user:
            assert user.stdout.readline() == b"ready\n"
            with pytest.raises(NotFoundError, match="no running container has the id or name box"):
                find_container_cgroup(host.procfs, "box")
            assert user.stdout.readline() == b"b''\n"  # it was asked nothing


def test_stopped_container(docker):
    with pytest.raises(NotFoundError, match="no running container has the id or name box"):
        find_container_cgroup(docker.procfs, "box")


REFUSED = {
    "no engine at all": ("box", NotFoundError, "no running container has the id or name box"),
    "too short to be an id": (A[:11], NotFoundError, "no running container"),
    "a path": ("../x", InputError, "container='../x' is neither an id nor a name"),
    "empty": ("", InputError, "is neither an id nor a name"),
    "two of them": (
        "a1" * 6,
        InputError,
        "container=a1a1a1a1a1a1 matches more than one cgroup (/system.slice/docker-a1",
    ),
}


@pytest.mark.parametrize("value, error, words", REFUSED.values(), ids=list(REFUSED))
def test_refused(host, value, error, words):
    add_cgroup(host, CGROUPS["docker, systemd"], A)
    add_cgroup(host, CGROUPS["docker, systemd"], A[:62] + "00")
    with pytest.raises(error, match=re.escape(words)):
        find_container_cgroup(host.procfs, value)
