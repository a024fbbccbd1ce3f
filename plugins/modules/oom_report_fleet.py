#!/usr/bin/python
# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Document the action plugin of this name, which runs on the controller alone."""

DOCUMENTATION = r"""
module: oom_report_fleet
short_description: Write the report of a fleet on the controller
version_added: 1.0.0
description:
  - Makes one report of the records that M(oomguard.linux.oom_report_host) wrote, as the page C(oom-report.html).
    For other programs it is also in the files C(report.json) and C(events.csv).
  - The report has all hosts of the play. A host without a record of this run in O(history) is on it as failed. It also
    has the other hosts in O(history) that were tried since O(since), with what was last known of them.
  - It connects to no host. Run it once, behind M(oomguard.linux.oom_report_host). In a play with C(serial) it runs once
    for each batch, and the report says which hosts the play has not come to.
  - Each file is written beside its place, and takes it when it is complete.
options:
  dir:
    description:
      - The folder on the controller for the report.
      - It is created if it does not exist. A link is refused, and so is a folder that other users may write to.
    type: str
    default: oom-report
  history:
    description: The folder that has the records. The default is C(history) in O(dir).
    type: str
  since:
    description: How far back the report goes, as in M(oomguard.linux.oom_report_host).
    type: str
    default: -30d
  mode:
    description:
      - Who may read the report, as V(0600), V(0640) or V(0644) in quotes. The folder gets the rights that this needs.
      - Nobody else may write. The records in O(history) are always for the owner alone.
    type: str
    default: "0600"
  started:
    description:
      - When this run began, as ISO 8601 in UTC. Older records of the play's hosts are not of this run.
      - Without it every record of a host counts, and C(report.json) does not say which hosts this run read.
    type: str
extends_documentation_fragment:
  - oomguard.linux.attributes
attributes:
  check_mode:
    support: full
    details: [In check mode nothing is written. RV(msg) says how many hosts the report would have.]
  diff_mode:
    support: none
    details: [The report documents a run, it is no state to keep. So the task never reports a change.]
  async:
    support: none
    details: [It runs on the controller.]
  platform:
    platforms: posix
seealso:
  - module: oomguard.linux.oom_report_host
author:
  - oomguard.linux contributors (@oomguard)
"""

EXAMPLES = r"""
- name: Write the report of all hosts of this play
  oomguard.linux.oom_report_fleet:
    dir: /var/lib/oom-report
  run_once: true
"""

RETURN = r"""
msg:
  description: Where the report is, and what is on it, in one line.
  returned: always
  type: str
  sample: "/var/lib/oom-report/oom-report.html: 120 hosts, 2 unreachable, 5 with high findings, 17 kills"
files:
  description: The paths of the files. Empty in check mode.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/oom-report/oom-report.html, /var/lib/oom-report/report.json, /var/lib/oom-report/events.csv]
"""
