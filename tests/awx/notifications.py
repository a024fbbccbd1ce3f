# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restate how AWX 24.6 checks and fills in the texts of a notification template.

The rules are those of awx/api/serializers.py and awx/main/models/notifications.py.
"""

from jinja2 import StrictUndefined, sandbox
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.runtime import ChainableUndefined

# The job that AWX tries each text with before it stores it: it has no artifacts.
STUB = {
    "job": {
        "id": 42,
        "name": "Stub JobTemplate",
        "status": "running",
        "artifacts": {},
        "host_status_counts": {"skipped": 1, "ok": 5, "changed": 3, "failures": 0, "dark": 0, "failed": False},
    },
    "job_friendly_name": "Job",
    "url": "https://platformhost/#/jobs/playbook/1010",
}


def text_errors(text):
    """Return why AWX would refuse a text."""
    if "\n" in text:
        return ["Messages cannot contain newlines"]
    try:
        _render(text, STUB, StrictUndefined)
    except UndefinedError as error:
        return [f"Field unavailable: {error.message}"]
    except (TemplateSyntaxError, SecurityError) as error:
        return [f"Unable to render message: {error.message}"]
    return []


def fill_in(text, **job):
    """Return a text as AWX sends it after a job. A workflow's job has no artifacts at all."""
    return _render(
        text, {"job": job, "job_friendly_name": "Job", "url": "https://awx/#/jobs/playbook/7"}, ChainableUndefined
    )


def _render(text, variables, undefined):
    return sandbox.ImmutableSandboxedEnvironment(undefined=undefined).from_string(text).render(**variables)
