# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop containers for molecule's default driver, in this machine's engine or our own."""

import os
import subprocess
import time

import guard
import images
import lab

MACHINE_SOCKET = "/var/run/docker.sock"
ENGINE_SECONDS = 120  # dockerd takes about two
COMMAND_SECONDS = 300  # importing an image takes longest

# A trial makes a memory cgroup, reads the kernel log, and must see the pids that the log names.
TRIAL_OPTIONS = (
    "--pid=host",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--device=/dev/kmsg",
    "--cap-add=SYSLOG",
    "--network=none",
)


def up(run_folder, platforms):
    """Make the images, run the containers and return molecule's instance config.

    If the machine has no engine that answers, start one. RUN_FOLDER/docker.sock is
    the engine's socket in both cases.
    """
    guard.end_with_run()
    if _is_answering(MACHINE_SOCKET):
        os.symlink(MACHINE_SOCKET, _socket_path(run_folder))
    else:
        _start_engine(run_folder)
    for platform in platforms:
        image = images.make_container(platform["suite"], platform.get("packages", ()))
        tag = os.path.basename(image)
        if _run_docker(run_folder, "image", "inspect", tag, check=False).returncode != 0:
            _run_docker(run_folder, "import", os.path.join(image, "root.tar"), tag)
        _run_docker(
            run_folder,
            "run",
            "--detach",
            "--name",
            _container_name(run_folder, platform),
            "--label",
            _run_label(run_folder),
            *TRIAL_OPTIONS,
            tag,
            "sleep",
            "infinity",
        )
    return [
        {
            "instance": platform["name"],
            "address": _container_name(run_folder, platform),
            "connection": "community.docker.docker",
            "user": "root",
            "port": None,
        }
        for platform in platforms
    ]


def down(run_folder):
    """Remove the run's containers, and end the engine if it is ours. Either may be missing."""
    if os.path.islink(_socket_path(run_folder)):
        listing = _run_docker(run_folder, "ps", "--all", "--quiet", "--filter", "label=" + _run_label(run_folder))
        for container in listing.stdout.split():
            _run_docker(run_folder, "rm", "--force", container)
    guard.end(_engine_folder(run_folder))  # dockerd ends its containers
    if os.path.lexists(_socket_path(run_folder)):
        os.unlink(_socket_path(run_folder))


def _start_engine(run_folder):
    engine, socket = _engine_folder(run_folder), _socket_path(run_folder)
    engine_guard = guard.start(
        engine,
        [
            lab.find_program("dockerd", "docker.io"),
            "--host=unix://" + socket,
            "--data-root=" + os.path.join(engine, "data"),
            "--exec-root=" + os.path.join(engine, "exec"),
            "--pidfile=" + os.path.join(engine, "pid"),
            # These leave the machine's network as it is: no address and no rule is added.
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ],
    )
    deadline = time.monotonic() + ENGINE_SECONDS
    while not _is_answering(socket):
        if engine_guard.poll() is not None or time.monotonic() > deadline:
            raise lab.LabError(
                f"no engine answers at {MACHINE_SOCKET}, and our own dockerd did not come up. "
                f"Its last output:\n{guard.read_log(engine)[-2000:]}"
            )
        time.sleep(0.1)


def _engine_folder(run_folder):
    return os.path.join(run_folder, "engine")


def _socket_path(run_folder):
    return os.path.join(run_folder, "docker.sock")


def _run_label(run_folder):
    return "oomguard.run=" + os.path.basename(run_folder)


def _container_name(run_folder, platform):
    """Return a name that no other run has, because runs may share the machine's engine."""
    return f"{os.path.basename(run_folder)}.{platform['name']}"


def _is_answering(socket):
    try:
        return _run_docker_at(socket, 5, "version").returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _run_docker(run_folder, *command, check=True):
    try:
        done = _run_docker_at(_socket_path(run_folder), COMMAND_SECONDS, *command)
    except subprocess.TimeoutExpired:
        raise lab.LabError(
            f"docker {command[0]} did not end within {COMMAND_SECONDS} s: "
            f"look at the engine behind {_socket_path(run_folder)}"
        ) from None
    if check and done.returncode != 0:
        raise lab.LabError(f"docker {command[0]} failed: {done.stderr.strip()}")
    return done


def _run_docker_at(socket, seconds, *command):
    return subprocess.run(
        [lab.find_program("docker", "docker.io"), "--host", "unix://" + socket, *command],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


if __name__ == "__main__":
    lab.main(__doc__, up, down)
