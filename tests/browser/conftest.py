# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the page of a document in Chromium, and watch what it does."""

import os
from pathlib import Path

import pytest
from chromium import started_chromium, wait_until_ready
from generated_fleet import generate_fleet

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page

PATIENCE_MS = 30_000  # beside other tests the machine is busy


@pytest.fixture(scope="session")
def chromium():
    with started_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def axe_script():
    return (Path(os.environ["OOMGUARD_NPM"]) / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def pictures():
    """Return the folder in which pictures of the page are kept, to be looked at."""
    folder = Path(os.environ["OOMGUARD_PICTURES"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def fleet():
    """Return a fleet with each kind of event, and hosts in each state."""
    document = generate_fleet(30, 2, seed=4, even=False)
    document["hosts"][7].update(state="failed", reason="oom_info: Permission denied")
    events = [event for host in document["hosts"] for event in host["events"]]
    for number, outcome in enumerate(["panic", "no_killable", "incomplete"]):
        events[3 + 9 * number].update(outcome=outcome, name=None, pid=None, victims_count=0)
        events[3 + 9 * number]["constraint"] = None if outcome == "incomplete" else "none"
    events[1]["trusted"] = False
    events[2]["killer"] = "lmkd"
    events[4].update(name="daemon", pid=2445, text="the host ran out of memory: killed daemon[2445]", margin_kb=-2048)
    return document


class Opener:
    """Opens pages. A page must log no error and ask for nothing but itself."""

    def __init__(self, chromium, folder):
        self._chromium = chromium
        self._folder = folder
        self._contexts = []
        self._faults = []
        self._number = 0

    def open(self, document, state="", **options):
        """Open the page of a document with a hash, and return Playwright's page."""
        self._number += 1
        path = self._folder / f"page{self._number}.html"
        path.write_text(render_page(document), encoding="utf-8")
        context = self._chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        url = path.as_uri()
        page.on("request", lambda request: self._watch_request(request, url))
        page.on("console", lambda message: self._faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self._faults.append(f"dialog: {dialog.message}"))
        page.goto(f"{url}{state}")
        wait_until_ready(page)
        return page

    def _watch_request(self, request, url):
        # The file that the person saves is a blob of the page itself.
        if request.url.partition("#")[0] != url and not request.url.startswith("blob:"):
            self._faults.append(f"request: {request.url[:200]}")

    def close(self):
        for context in self._contexts:
            context.close()
        return self._faults


@pytest.fixture
def opener(chromium, tmp_path):
    opened = Opener(chromium, tmp_path)
    yield opened
    assert opened.close() == []


@pytest.fixture(scope="module")
def shared_opener(chromium, tmp_path_factory):
    """Like opener, for tests that share one page."""
    opened = Opener(chromium, tmp_path_factory.mktemp("shared"))
    yield opened
    assert opened.close() == []
