# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both kinds of trial check and count."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.module_utils._oom_trial.request import (
    ACTOR_NAMES,
    check_hog,
    count_kills,
)


def test_accept_a_program():
    check_hog("/bin/true")


def test_refuse_what_is_no_program(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    for path, words in (
        (tmp_path / "missing", "missing is not a file: set it to the path of oom_hog, built for this host"),
        (tmp_path, "is not a file"),
        (plain, "plain is not executable: build it for this host and set mode 0755"),
    ):
        with pytest.raises(InputError, match=words):
            check_hog(str(path))


@pytest.mark.parametrize("before, after, counted", [(3, 5, 2), (3, 3, 0), (None, 5, None), (3, None, None)])
def test_count_kills(before, after, counted):
    assert count_kills(before, after) == counted


def test_names_fit_into_comm():
    assert all(len(name) <= 15 for name in ACTOR_NAMES.values())
