# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write down the evidence of a trial."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.release import __version__ as ansible_version

from ansible_collections.oomguard.linux.plugins.plugin_utils.host_answers import (
    cut_text,
    evidence_text,
    judge_trial,
    name_key,
)

DOCUMENTATION = r"""
name: trial_evidence
short_description: Write down the evidence of a trial
version_added: 1.0.0
description:
  - Returns JSON for a file on the controller, with everything that the trial returned, and with the host, the scope,
    the time, and the versions of what took part.
  - The schema C(docs/schemas/evidence.schema.json) of this collection describes it.
  - Returns at most 256 KiB. If the host returned more, texts, lists and mappings in it are cut,
    and the key C(cut) says so. Control characters are escaped.
positional: host, scope, started
options:
  _input:
    description: The result of the module M(oomguard.linux.oom_trial).
    type: dict
    required: true
  host:
    description: The name of the host.
    type: str
    required: true
  scope:
    description: Where memory ran out.
    type: str
    required: true
  started:
    description: When the trial began, as text.
    type: str
    required: true
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Store the evidence
  ansible.builtin.copy:
    content: "{{ trial | oomguard.linux.trial_evidence(inventory_hostname, 'cgroup', started) | string }}"
    dest: "evidence/{{ inventory_hostname | oomguard.linux.safe_file_name }}.json"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description:
    - The JSON text. The keys C(host), C(scope), C(started), C(ended) and C(collection_version), and C(ansible_core) and
      C(collection) of C(versions), are the controller's own. All others are what the host returned. C(kernel),
      C(boot_id) and each of C(versions) are null if it did not return them.
    - If the verdict does not exist, C(verdict), C(reasons) and C(report) are those of
      P(oomguard.linux.trial_verdict#filter).
  type: str
"""

_COLLECTION = Path(__file__).resolve().parents[2]
_HOST_VERSIONS = ("kernel", "python", "libc", "systemd", "hog")
# What Ansible itself adds to a result.
_OF_ANSIBLE = frozenset(["ansible_facts", "changed", "deprecations", "failed", "invocation", "warnings"])


def read_version() -> str | None:
    """Return the version of the collection, installed or as a checkout; None without metadata."""
    manifest, galaxy = _COLLECTION / "MANIFEST.json", _COLLECTION / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    found = (
        re.search(r"^version: (\S+)", galaxy.read_text(encoding="utf-8"), re.MULTILINE) if galaxy.is_file() else None
    )
    return found.group(1) if found else None


def list_versions(answer: Any) -> dict[str, Any]:
    """Return the versions of controller and host, always with the same keys."""
    answer = answer if isinstance(answer, dict) else {}
    claimed = answer.get("versions")
    found = {"kernel": answer.get("kernel"), **(claimed if isinstance(claimed, dict) else {})}
    versions = {name: _cut_version(found.get(name)) for name in _HOST_VERSIONS}
    return {**versions, "ansible_core": ansible_version, "collection": read_version()}


def _cut_version(value: Any) -> str | int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else cut_text(value) or None


def write_evidence(answer: Any, host: Any, scope: Any, started: Any) -> str:
    """Return the JSON text, as DOCUMENTATION describes."""
    if isinstance(answer, dict):
        returned = {key: value for key, value in answer.items() if key not in _OF_ANSIBLE}
        answer = {"kernel": None, "boot_id": None, **returned}
    judged = judge_trial(answer)
    is_known = isinstance(answer, dict) and answer.get("verdict") == judged["verdict"]
    facts = {
        **({} if is_known else judged),
        "host": name_key(str(host)),
        "scope": cut_text(scope),
        "started": cut_text(started),
        "ended": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "collection_version": read_version(),
        "versions": list_versions(answer),
    }
    return evidence_text(answer, facts)


class FilterModule:
    """The class that Ansible loads filters from."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"trial_evidence": write_evidence}
