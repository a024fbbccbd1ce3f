# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Say in sentences what the log of a host lacks.

Pure.
"""

from typing import Any, List, Mapping

_MAX_FILES = 5


def describe_losses(found: Mapping[str, Any]) -> List[str]:
    """Return a sentence for each loss in a result of oom_events, and its warnings."""
    lost, total = found["lost"], found["total"]
    sentences = list(found["warnings"])
    if lost["gap"]:
        sentences.append("the log no longer has the place where the last run ended: kills since then may be missing")
    if lost["records"]:
        sentences.append(f"{lost['records']} records of the log were lost before they were read")
    if lost["suppressed_reports"]:
        sentences.append(f"the kernel left {lost['suppressed_reports']} reports of kills out of its log")
    if found["counts"]["undated"]:
        sentences.append(f"{found['counts']['undated']} kills are left out, because the log does not date them")
    if found["truncated"]:
        sentences.append(f"the log has {total} kills, and the newest {len(found['events'])} of them were read")
    return sentences + list(lost["files"][:_MAX_FILES])
