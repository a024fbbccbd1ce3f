# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of containers and pods, from the files of each engine and of the kubelet."""

import http.server
import itertools
import json
import os
import socketserver
import threading

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import AccessError
from ansible_collections.oomguard.linux.plugins.module_utils._host import container_names, containers
from ansible_collections.oomguard.linux.plugins.module_utils._host.container_names import (
    find_container_ids,
    read_container_names,
)

A, B, C, D = ["abcd"[number] * 64 for number in range(4)]
POD_UID = "12345678-9abc-def0-1234-56789abcdef0"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Return a folder with the files of nerdctl and the kubelet; Docker and podman are replaced."""
    for name, folder in (("CONTAINER_LOGS", "containers"), ("POD_LOGS", "pods")):
        (tmp_path / folder).mkdir(mode=0o755)
        monkeypatch.setattr(container_names, name, str(tmp_path / folder))
    monkeypatch.setattr(container_names, "NERDCTL_NAMES", str(tmp_path / "nerdctl/*/names/*/*"))
    monkeypatch.setattr(container_names, "read_stored_names", lambda: {A: "stored"})
    monkeypatch.setattr(container_names, "read_docker_name", {B: "docked", D: "odd name\n"}.get)
    monkeypatch.setattr(container_names, "find_engine_ids", {"stored": {A}}.get)
    (tmp_path / "nerdctl/1935db59/names/default").mkdir(parents=True)
    (tmp_path / "nerdctl/1935db59/names/default/nerdy").write_text(C)
    (tmp_path / "containers" / f"web-0_shop_app-{D}.log").symlink_to("/nonexistent")
    (tmp_path / "containers" / "README").write_text("")
    (tmp_path / "pods" / f"shop_web-0_{POD_UID}").mkdir()
    os.chmod(str(tmp_path), 0o755)
    return tmp_path


def test_read_names(host):
    names = read_container_names([A, B, C, D, "e" * 64])
    assert names.containers == {A: "stored", B: "docked", C: "nerdy", D: "app"}
    assert names.pods == {POD_UID: "shop/web-0"}


def test_find_ids(host, monkeypatch):
    assert find_container_ids("stored") == {A}
    monkeypatch.setattr(container_names, "find_engine_ids", lambda _name: set())
    assert (find_container_ids("nerdy"), find_container_ids("app"), find_container_ids("x")) == ({C}, {D}, set())


@pytest.mark.parametrize("folder", ["containers", "pods"])
def test_leave_out_what_a_user_may_write(host, folder):
    os.chmod(str(host / folder), 0o777)
    names = read_container_names([D])
    assert (names.containers, names.pods)[folder == "pods"] == {}
    os.chmod(str(host / folder), 0o1777)  # the sticky bit protects entries, and everybody may add one
    names = read_container_names([D])
    assert (names.containers, names.pods)[folder == "pods"] == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_leave_out_a_folder_of_a_user(host):
    os.chown(str(host / "pods"), 1000, 1000)
    os.chown(str(host / "nerdctl/1935db59/names/default/nerdy"), 1000, 1000)
    names = read_container_names([C])
    assert (names.containers, names.pods) == ({}, {})


def test_no_kubernetes(host, monkeypatch):
    for name in ("CONTAINER_LOGS", "POD_LOGS"):
        monkeypatch.setattr(container_names, name, "/nonexistent/folder")
    assert read_container_names([A]) == ({A: "stored"}, {})


def test_docker_that_does_not_answer_is_asked_once(host, monkeypatch):
    asked = []

    def hang(container):
        asked.append(container)
        raise AccessError("Docker did not answer")

    monkeypatch.setattr(container_names, "read_docker_name", hang)
    assert read_container_names([B, C, "e" * 64, "f" * 64]).containers == {C: "nerdy"}
    assert asked == [B]


def test_a_slow_docker_is_not_asked_for_ever(host, monkeypatch):
    clock = itertools.count(0, 4)
    monkeypatch.setattr(container_names.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(container_names, "read_docker_name", lambda container: "n" + container[:2])
    many = [f"{number:064x}" for number in range(50)]
    assert len(read_container_names(many).containers) == 2


def test_ask_for_a_bounded_number(host, monkeypatch):
    monkeypatch.setattr(container_names, "MAX_CONTAINERS", 1)
    assert read_container_names([C, B]).containers == {C: "nerdy"}


def test_odd_names_are_left_out(host, monkeypatch):
    monkeypatch.setattr(container_names, "read_docker_name", lambda _id: "web 1) of sshd")
    assert read_container_names([B]).containers == {}


# --- engines -------------------------------------------------------------------------


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers GET /containers/ID-OR-NAME/json as the Docker Engine API does."""

    def do_GET(self):
        known = self.path in (f"/containers/{B}/json", "/containers/docked/json")
        body = json.dumps({"Id": B, "Name": "/docked"} if known else {"message": "No such container"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_args):
        pass


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """Run a server like Docker's, and write a storage like podman's."""
    stored = tmp_path / "storage/overlay-containers/containers.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps([{"id": A, "names": ["stored", "alias"]}, {"id": C, "names": []}]))
    stored.chmod(0o600)
    monkeypatch.setattr(containers, "DOCKER_SOCKETS", [str(tmp_path / "docker.sock")])
    monkeypatch.setattr(containers, "STORAGE_FOLDERS", [str(tmp_path / "storage")])
    monkeypatch.setattr(containers, "STORAGE_FILES", [])
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "docker.sock"), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield stored
        server.shutdown()


def test_read_names_from_engines(engines):
    assert read_container_names([A, B, C, D]).containers == {A: "stored", B: "docked"}


@pytest.mark.parametrize("name, ids", [("stored", {A}), ("alias", {A}), ("docked", {B}), ("other", set())])
def test_find_ids_of_engines(engines, name, ids):
    """Containers that do not run are found, too: the log is about the past."""
    assert find_container_ids(name) == ids


def test_storage_that_a_user_may_write(engines):
    engines.chmod(0o666)
    assert read_container_names([A]).containers == {}
    assert find_container_ids("stored") == set()
