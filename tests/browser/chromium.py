# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start Debian's Chromium, and open pages of oom_report in it."""

from contextlib import contextmanager

from playwright.sync_api import sync_playwright

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY_MS = 60_000


@contextmanager
def started_chromium():
    """Start a headless Chromium with a new profile, and stop it at the end."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=EXECUTABLE, headless=True, args=ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()


def wait_until_ready(page):
    """Wait until the page shows its data."""
    page.wait_for_selector("html[data-ready]", timeout=READY_MS)
    wait_until_shown(page)


def wait_until_shown(page):
    """Wait until all tables show what is chosen."""
    page.wait_for_selector("main[aria-busy=false]", state="attached")
