# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a running QEMU through its monitor (QMP)."""

import asyncio
import contextlib
import os
import shlex

import lab
from qemu.qmp import QMPClient, QMPError

SOCKET = "qmp.sock"  # in the guest's folder


def find_forwarded_port(folder):
    """Return the port on this machine that leads to the guest's ssh, or None until QEMU answers.

    QEMU asks for port 0, so the kernel chooses a free one.
    """
    return asyncio.run(_find_forwarded_port(folder))


def save_state(folder, memory, while_stopped):
    """Write a guest's memory and devices to the file memory, then call while_stopped().

    The guest is stopped from before the write until while_stopped() has returned;
    by then all that it wrote is on its disk. Raise LabError if QEMU cannot save.
    """
    try:
        asyncio.run(_save_state(folder, memory, while_stopped))
    except QMPError as error:
        raise lab.LabError(f"QEMU cannot save the state of the guest in {folder}: {error}") from error


async def _find_forwarded_port(folder):
    with contextlib.suppress(QMPError, OSError):
        async with _connected(folder) as monitor:
            network = await monitor.execute("human-monitor-command", {"command-line": "info usernet"})
            return next(int(line.split()[3]) for line in network.splitlines() if "HOST_FORWARD" in line)
    return None


async def _save_state(folder, memory, while_stopped):
    async with _connected(folder) as monitor:
        await monitor.execute("migrate-set-parameters", {"max-bandwidth": 1 << 40})  # the default is 128 MiB/s
        # Under emulation, QEMU now and then misses a page that a running processor writes during
        # the migration. A guest that resumes from such a state hangs later.
        await monitor.execute("stop")
        await monitor.execute("migrate", {"uri": "exec:cat > " + shlex.quote(memory)})
        while (migration := await monitor.execute("query-migrate"))["status"] not in ("completed", "failed"):
            await asyncio.sleep(0.1)
        if migration["status"] == "failed":
            raise QMPError(migration.get("error-desc", "migration failed"))
        while_stopped()
        await monitor.execute("cont")


@contextlib.asynccontextmanager
async def _connected(folder):
    monitor = QMPClient()
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        # Through the descriptor, because a socket's path has 108 bytes at most (unix(7)).
        await monitor.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
    finally:
        os.close(descriptor)
    try:
        yield monitor
    finally:
        await monitor.disconnect()
