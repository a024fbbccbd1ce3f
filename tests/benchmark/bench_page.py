# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how fast the page of oom_report is: medians of five.

Wall time is what a person waits for, and grows if the machine is busy. CPU is that of the page's
own thread: scripts, layout and painting. The wall time of a key ends with the next picture, its CPU
when all tables and the chart show what was typed.
"""

import statistics
import tempfile
import time
from pathlib import Path

from chromium import started_chromium, wait_until_ready
from generated_fleet import generate_fleet

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page

RUNS = 5
SEARCH = "redis 12"
SIZES = [(1000, 50), (10000, 20)]
# The browser rounds these times to 8 ms.
WATCH_KEYS = """() => {
    window.keys = [];
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (entry.name === 'input') keys.push(entry.duration);
    }).observe({type: 'event', durationThreshold: 16});
}"""


def read_cpu(session):
    """Return the CPU time of the page's thread in seconds."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def measure_page(chromium, path):
    """Return wall and CPU of opening a page, and of each key of a search, in seconds."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    start = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    wait_until_ready(page)
    opened = time.perf_counter() - start
    page.wait_for_timeout(1000)
    opened_cpu = read_cpu(session)
    page.evaluate(WATCH_KEYS)
    page.focus("#q")
    keys_cpu = []
    for key in SEARCH:
        before = read_cpu(session)
        page.keyboard.press("Space" if key == " " else key)
        page.wait_for_timeout(300)
        keys_cpu.append(read_cpu(session) - before)
    # A key that took less than 16 ms is not reported.
    keys = [duration / 1000 for duration in page.evaluate("keys")]
    keys += [0.016] * (len(SEARCH) - len(keys))
    page.context.close()
    return opened, opened_cpu, keys, keys_cpu


def show(name, seconds, bound):
    median = statistics.median(seconds)
    print(
        f"{name:<44} {median * 1000:8.0f} ms   bound {bound * 1000:6.0f} ms   {'ok' if median < bound else 'TOO SLOW'}"
    )


def measure_fleet(chromium, folder, hosts, events):
    """Print what the page of a fleet costs."""
    document = generate_fleet(hosts, events)
    rendering = []
    for _run in range(RUNS if hosts <= 1000 else 1):
        start = time.process_time()
        page = render_page(document)
        rendering.append(time.process_time() - start)
    path = Path(folder) / f"{hosts}.html"
    path.write_text(page, encoding="utf-8")
    del document
    runs = [measure_page(chromium, path) for _run in range(RUNS)]
    is_usual = hosts <= 1000
    print(
        f"\n{hosts:,} hosts x {events} events: a page of {len(page) / 1e6:.2f} MB{' (bound 4 MB)' if is_usual else ''}"
    )
    show("render_page(), CPU", rendering, 3 if is_usual else 30)
    show("open until ready, wall", [run[0] for run in runs], 3 if is_usual else 10)
    show("open until ready, CPU of the page's thread", [run[1] for run in runs], 3 if is_usual else 10)
    if is_usual:
        show("a key of a search until the picture, wall", [key for run in runs for key in run[2]], 0.05)
        show("a key of a search until all is shown, CPU", [key for run in runs for key in run[3]], 0.05)


def main():
    with started_chromium() as chromium, tempfile.TemporaryDirectory(prefix="oomguard.") as folder:
        for hosts, events in SIZES:
            measure_fleet(chromium, folder, hosts, events)
    print(f"\nload of the machine at the end: {Path('/proc/loadavg').read_text().split()[0]}")


if __name__ == "__main__":
    main()
