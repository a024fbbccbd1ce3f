# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""oom_info predicts on each kernel what the kernel then kills."""

import json
import os
import re

import pytest

KERNELS = {"bullseye": (5, 10), "bookworm": (6, 1), "trixie": (6, 12), "sid": (7, 2)}
HOST_SHARE = 38 / 40  # the room of a host is known to 1 to 2 percent only
SHARE = 0.99
# What the kernel swaps decides, and nobody knows that before: such forecasts are not certain.
SWAP_SHARE = 0.85


def evidence(name):
    with open(os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "evidence", name)) as stream:
        return json.load(stream)


def predictions(*kinds, names=tuple(KERNELS)):
    """Return the predictions of these kinds, or of all kinds, on these guests."""
    results = [one for name in names for one in evidence(name + ".predictions.json")["results"]]
    return [one for one in results if not kinds or one["kind"] in kinds]


def wrong(found):
    return [one for one in found if not one["right"]]


def wrong_outside_of_ties(found):
    return [one for one in wrong(found) if not one["tie"]]


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_version(name):
    version = tuple(int(number) for number in re.findall(r"\d+", evidence(name + ".predictions.json")["kernel"])[:2])
    assert version >= KERNELS[name] if name == "sid" else version == KERNELS[name]


@pytest.mark.parametrize("name", KERNELS)
def test_every_kind_was_tried(name):
    kinds = {one["kind"] for one in predictions(names=[name])}
    assert kinds == {"growth", "shared", "nested", "nested_swap", "what_if", "group", "swap", "host"}


@pytest.mark.parametrize("name", KERNELS)
def test_whatever_is_certain_is_right(name):
    certain = [one for one in predictions(names=[name]) if one["certain"]]
    assert len(certain) >= len(predictions(names=[name])) / 2
    assert wrong(certain) == []


@pytest.mark.parametrize("kinds, share", [(("growth", "shared"), SHARE), (("swap", "nested_swap"), SWAP_SHARE)])
def test_memory_cgroups(kinds, share):
    found = predictions(*kinds)
    assert len(wrong_outside_of_ties(found)) <= len(found) * (1 - share), wrong_outside_of_ties(found)


@pytest.mark.parametrize("kind", ["nested", "what_if", "group"])
def test_kinds_without_a_miss(kind):
    """The limit and the victim, the victim that pins change, and every member of a group."""
    assert wrong_outside_of_ties(predictions(kind)) == []


def test_groups_had_members():
    assert max(len(one["died"]) for one in predictions("group")) >= 3


def test_whole_hosts():
    found = predictions("host")
    assert len(found) - len(wrong(found)) >= len(found) * HOST_SHARE, wrong(found)


def answer(name, which):
    return evidence(name + ".answers.json")[which]


def ids(found):
    return [finding["id"] for finding in found["findings"]]


@pytest.mark.parametrize("name", KERNELS)
def test_an_untouched_host_has_no_findings(name):
    assert ids(answer(name, "untouched")) == []


@pytest.mark.parametrize("name", KERNELS)
def test_kills_that_the_log_no_longer_names(name):
    assert ids(answer(name, "after")) == ["kills_unlogged"]


@pytest.mark.parametrize("name", KERNELS)
def test_a_user_without_rights_is_told_what_is_not_seen(name):
    """Processes are seen, and the kernel's log may not be read."""
    found = answer(name, "unprivileged")
    assert found["next_victim"] and len(found["ranking"]) >= 5
    assert ids(found) == []
    assert "kills since boot were not compared with the kernel's log" in " ".join(found["warnings"])


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_certain_where_processes_are_hidden(name):
    found = answer(name, "blind")
    assert ids(found) == ["processes_hidden"] and "hidepid" in found["findings"][0]["message"]
    assert not found["next_victim"]["certain"]
    assert not any(growth["certain"] for growth in found["if_it_grows"])
