# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read docs/awx.md, so that tests follow it word for word."""

import os
import re
import textwrap

from controller import CHECKOUT

with open(os.path.join(CHECKOUT, "docs", "awx.md"), encoding="utf-8") as stream:
    TEXT = stream.read()


def read_section(title):
    """Return the text below a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def read_block(section, language):
    """Return the only code block of a language in a section."""
    [block] = re.findall(rf"^ *```{language}\n(.*?)^ *```", read_section(section), re.MULTILINE | re.DOTALL)
    return textwrap.dedent(block)


def read_rows(section):
    """Return the cells of all rows in the tables of a section, without the headings."""
    rows = re.findall(r"^\| *(`.*) *\|$", read_section(section), re.MULTILINE)
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ?", row)] for row in rows]


def read_names(cell):
    """Return what a cell has in backquotes."""
    return re.findall(r"`([^`]+)`", cell)
