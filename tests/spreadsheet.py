# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a CSV file as spreadsheets do, whose language decides what separates cells."""

import csv
import io

DELIMITERS = [",", ";", "\t", "|"]
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def list_formulas(text, delimiter):
    """Return the cells that a spreadsheet with this delimiter would run."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [cell for row in rows for cell in row if _is_formula(cell)]


def _is_formula(cell):
    begin = cell.lstrip(" \"'\t")
    is_number = begin.lstrip("-").isdigit()
    return begin.startswith(_FORMULA) and not is_number and not cell.lstrip(' "').startswith("'")
