# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a running QEMU through its monitor (QMP)."""

import asyncio
import contextlib
import os
import shlex

import lab
from qemu.qmp import QMPClient, QMPError

SOCKET = "qmp.sock"  # in the guest's folder


def forwarded_port(folder):
    """The free port that the kernel gave to QEMU, which asked for port 0, or None while QEMU is not there yet."""
    return asyncio.run(_forwarded_port(folder))


def save(folder, memory, meanwhile):
    """Write a guest's memory and devices to a file. It stands still, at the end with all of its disk written, until meanwhile() has returned."""
    try:
        asyncio.run(_save(folder, memory, meanwhile))
    except QMPError as error:
        raise lab.LabError(f"QEMU cannot save the state of the guest in {folder}: {error}") from error


async def _forwarded_port(folder):
    with contextlib.suppress(QMPError, OSError):
        async with _connected(folder) as monitor:
            network = await monitor.execute("human-monitor-command", {"command-line": "info usernet"})
            return next(int(line.split()[3]) for line in network.splitlines() if "HOST_FORWARD" in line)
    return None


async def _save(folder, memory, meanwhile):
    async with _connected(folder) as monitor:
        await monitor.execute("migrate-set-parameters", {"max-bandwidth": 1 << 40})  # 128 MiB a second are the default
        # Of a guest that runs under emulation a page is missed now and then that one processor writes meanwhile: such a state hangs later.
        await monitor.execute("stop")
        await monitor.execute("migrate", {"uri": "exec:cat > " + shlex.quote(memory)})
        while (migration := await monitor.execute("query-migrate"))["status"] not in ("completed", "failed"):
            await asyncio.sleep(0.1)
        if migration["status"] == "failed":
            raise QMPError(migration.get("error-desc", "migration failed"))
        meanwhile()
        await monitor.execute("cont")


@contextlib.asynccontextmanager
async def _connected(folder):
    monitor = QMPClient()
    here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        await monitor.connect(f"/proc/self/fd/{here}/{SOCKET}")  # a socket's path has 108 bytes at most
    finally:
        os.close(here)
    try:
        yield monitor
    finally:
        await monitor.disconnect()
