# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what a page of oom_report shows."""

import csv
import io

from chromium import wait_until_shown
from playwright.sync_api import TimeoutError

# Seen twice on a busy machine: Chromium begins no download, although the page has asked for it.
ATTEMPTS = 3
DOWNLOAD_MS = 15_000

# What is far from the screen has no layout, and so no text. It gets one in the next frame.
ROWS = """async table => {
    table.scrollIntoView();
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    return [...table.querySelectorAll('tbody tr')].filter(row => !row.querySelector('.empty'))
        .map(row => [...row.cells].map(cell => cell.innerText.trim()));
}"""


def read_rows(page, key):
    """Return the cells of all rows of a table, of each of its pages."""
    wait_until_shown(page)
    section = page.locator(f"#{key}-table")
    table = section.locator("table").first
    before, following = section.locator(".pager button").all()
    while before.is_visible() and before.get_attribute("aria-disabled") == "false":
        before.click()
    rows = table.evaluate(ROWS)
    while following.is_visible() and following.get_attribute("aria-disabled") == "false":
        following.click()
        rows += table.evaluate(ROWS)
    return rows


def read_caption(page, key):
    wait_until_shown(page)
    return page.locator(f"#{key}-table caption").text_content()


def save_text(page):
    """Save the kills, and return the text of the file."""
    for _attempt in range(ATTEMPTS):
        wait_until_shown(page)  # else the button could move between the press and the release of the mouse
        page.evaluate("document.getElementById('live').textContent = ''")
        try:
            with page.expect_download(timeout=DOWNLOAD_MS) as saving:
                page.click("#csv")
        except TimeoutError:
            assert page.text_content("#live").endswith("in the file."), "the page has handed the file to Chromium"
        else:
            assert saving.value.suggested_filename == "oom-events.csv"
            return saving.value.path().read_bytes().decode("utf-8-sig")
    raise AssertionError(f"no file after {ATTEMPTS} clicks")


def save_csv(page):
    """Save the kills, and return the rows of the file as dictionaries."""
    return list(csv.DictReader(io.StringIO(save_text(page), newline=""), strict=True))
