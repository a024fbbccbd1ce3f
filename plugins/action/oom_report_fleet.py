# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the report of a fleet on the controller, from the records of its hosts."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_answer import read_moment
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_document import (
    build_document,
    count_hosts,
    render_document,
    render_table,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_folder import ReportFolder
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_history import (
    load_records,
    parse_mode,
    refuse_facts,
)
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page
from ansible_collections.oomguard.linux.plugins.plugin_utils.report_record import parse_since

_COLLECTION = Path(__file__).resolve().parents[2]
_OPTIONS: dict[str, dict[str, Any]] = {
    "dir": {"type": "str", "default": "oom-report"},
    "history": {"type": "str"},
    "since": {"type": "str", "default": "-30d"},
    "mode": {"type": "str", "default": "0600"},
    "started": {"type": "str"},
}


class ActionModule(ActionBase):
    """The class that Ansible runs for a task of this name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the report is, and how many hosts are on it."""
        super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(_OPTIONS)
        try:
            refuse_facts(task_vars or {})
            return self._write_report(options, task_vars or {})
        except OomError as error:
            return {"failed": True, "msg": str(error)}

    def _write_report(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        now = time.time()
        since, mode = parse_since(options["since"], now), parse_mode(options["mode"])
        history = options["history"] or os.path.join(options["dir"], "history")
        expected = [str(host) for host in variables["ansible_play_hosts_all"]]
        records = load_records(history, expected, since, now)
        started = read_moment(options["started"]) or 0.0
        # Of the hosts that have not failed, those of other batches. Earlier ones have a record.
        waiting = set(variables["ansible_play_hosts"]) - set(variables["ansible_play_batch"])
        document = build_document(records, expected, started, now, since, _read_version(), map(str, waiting))
        if self._task.check_mode:  # no record has what the hosts have just answered
            msg = f"check mode, so no report was written (hosts: {len(document['hosts'])})"
            return {"changed": False, "msg": msg, "files": []}
        files = {
            "oom-report.html": render_page(document).encode("utf-8"),
            "report.json": render_document(document),
            "events.csv": render_table(document),
        }
        with ReportFolder(options["dir"], mode) as folder:
            folder.open_or_create()
            with folder.lock():
                folder.remove_unfinished()
                for name, content in files.items():
                    folder.write(name, content)
        paths = [os.path.join(folder.path, name) for name in files]
        msg = f"{paths[0]}: {count_hosts(document)}"
        # Shown without -v, too: nothing else says where the report is.
        return {"changed": False, "msg": msg, "files": paths, "_ansible_verbose_always": True}


def _read_version() -> str:
    """Return the version of this collection, from what a build or a checkout has."""
    manifest, checkout = _COLLECTION / "MANIFEST.json", _COLLECTION / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    found = re.search(r"^version: (\S+)", checkout.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "unknown"
