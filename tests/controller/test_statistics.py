# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statistics of a run, which AWX stores as the artifacts of a job."""

import pytest

from ansible_collections.oomguard.linux.plugins.plugin_utils.statistics import read_job, state_for_statistics


@pytest.mark.parametrize(
    "variables, job",
    [
        ({}, 0),
        ({"hostvars": {}}, 0),
        ({"hostvars": {"localhost": {"awx_job_id": "42"}}, "awx_job_id": "7"}, 42),
        ({"hostvars": {"localhost": {"awx_job_id": "hosts"}}}, 0),
        ({"hostvars": {"localhost": {"awx_job_id": None}}}, 0),
    ],
)
def test_number_of_the_job(variables, job):
    assert read_job(variables) == job


@pytest.mark.parametrize(
    "word, detail, check_mode, data",
    [
        ("ok", "", False, {"k_ok": 1}),
        ("would_change", "1 pin", True, {"k_would_change": 1, "k_check": 1, "k_hosts": {"a\\x0ab": 0}}),
        ("hosts", "x", False, {"k_failed": 1, "k_hosts": {"a\\x0ab": 0}}),
    ],
)
def test_no_key_is_made_of_a_host_s_words(word, detail, check_mode, data):
    stated, statistics = state_for_statistics("k", "a\nb", word, detail, check_mode)
    found = statistics["data"]
    assert [stated["line"]] * ("k_hosts" in found) == list(found.get("k_hosts", {}).values())
    assert {key: 0 if key == "k_hosts" else value for key, value in found.items()} == {
        key: 0 if key == "k_hosts" else value for key, value in data.items()
    }
    assert (statistics["per_host"], statistics["aggregate"]) == (False, True)
