# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a test runs, no template that a host returned may be evaluated on the controller."""

import pytest
from report_answers import EXECUTED


@pytest.fixture(autouse=True)
def check_templates():
    yield
    was_evaluated = EXECUTED.exists()
    EXECUTED.unlink(missing_ok=True)
    assert not was_evaluated, "a template of a host was evaluated"
