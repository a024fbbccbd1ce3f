# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers for molecule's default driver: up and down, in this machine's engine or in one of our own."""

import os
import subprocess
import time

import guard
import images
import lab

MACHINE_SOCKET = "/var/run/docker.sock"
ENGINE_SECONDS = 120  # dockerd takes about two of them
COMMAND_SECONDS = 300  # an import of an image is the longest

# What a trial needs of the machine: to make a memory cgroup, to read the kernel log, and to know the pids in that log.
SHARED = (
    "--pid=host",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--device=/dev/kmsg",
    "--cap-add=SYSLOG",
    "--network=none",
)


def up(run_folder, platforms):
    """Start an engine where none answers, make the images, run the containers. The engine's socket is RUN_FOLDER/docker.sock."""
    guard.end_with_run()
    if _answers(MACHINE_SOCKET):
        os.symlink(MACHINE_SOCKET, _socket(run_folder))
    else:
        _start_engine(run_folder)
    for platform in platforms:
        image = images.container(platform["suite"], platform.get("packages", ()))
        tag = os.path.basename(image)
        if _docker(run_folder, "image", "inspect", tag, check=False).returncode != 0:
            _docker(run_folder, "import", os.path.join(image, "root.tar"), tag)
        _docker(
            run_folder,
            "run",
            "--detach",
            "--name",
            _name(run_folder, platform),
            "--label",
            _label(run_folder),
            *SHARED,
            tag,
            "sleep",
            "infinity",
        )
    return [
        {
            "instance": platform["name"],
            "address": _name(run_folder, platform),
            "connection": "community.docker.docker",
            "user": "root",
            "port": None,
        }
        for platform in platforms
    ]


def down(run_folder):
    """Remove the run's containers, end the engine if it is ours. None is no error."""
    if os.path.islink(_socket(run_folder)):
        for container in _docker(
            run_folder, "ps", "--all", "--quiet", "--filter", "label=" + _label(run_folder)
        ).stdout.split():
            _docker(run_folder, "rm", "--force", container)
    guard.end(_engine(run_folder))  # dockerd ends its containers
    if os.path.lexists(_socket(run_folder)):
        os.unlink(_socket(run_folder))


def _start_engine(run_folder):
    engine, socket = _engine(run_folder), _socket(run_folder)
    running = guard.start(
        engine,
        [
            lab.program("dockerd", "docker.io"),
            "--host=unix://" + socket,
            "--data-root=" + os.path.join(engine, "data"),
            "--exec-root=" + os.path.join(engine, "exec"),
            "--pidfile=" + os.path.join(engine, "pid"),
            # No address, no rule: of this machine's network nothing is changed.
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ],
    )
    deadline = time.monotonic() + ENGINE_SECONDS
    while not _answers(socket):
        if running.poll() is not None or time.monotonic() > deadline:
            said = guard.words(engine)[-2000:]
            raise lab.LabError(
                f"no engine answers at {MACHINE_SOCKET}, and one of our own did not start and answer:\n{said}"
            )
        time.sleep(0.1)


def _engine(run_folder):
    return os.path.join(run_folder, "engine")


def _socket(run_folder):
    return os.path.join(run_folder, "docker.sock")


def _label(run_folder):
    return "oomguard.run=" + os.path.basename(run_folder)


def _name(run_folder, platform):
    """Unlike any other run's, as the machine's engine may be shared."""
    return f"{os.path.basename(run_folder)}.{platform['name']}"


def _answers(socket):
    try:
        return _docker_at(socket, 5, "version").returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _docker(run_folder, *command, check=True):
    try:
        done = _docker_at(_socket(run_folder), COMMAND_SECONDS, *command)
    except subprocess.TimeoutExpired:
        raise lab.LabError(
            f"docker {command[0]} did not end within {COMMAND_SECONDS} s: look at the engine behind {_socket(run_folder)}"
        )
    if check and done.returncode != 0:
        raise lab.LabError(f"docker {command[0]} failed: {done.stderr.strip()}")
    return done


def _docker_at(socket, seconds, *command):
    return subprocess.run(
        [lab.program("docker", "docker.io"), "--host", "unix://" + socket, *command],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


if __name__ == "__main__":
    lab.main(__doc__, up, down)
