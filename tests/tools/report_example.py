# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the example of a report: python tests/tools/report_example.py [--check]

The fleet of docs/report-example.html is generated, and docs/report.png is a picture of it.
With --check nothing is written, and the exit code is 1 if the page is stale: if its files or its
data are others than those of this checkout. The picture is not compared, because fonts differ
between machines.
"""

import base64
import gzip
import re
import sys
import tempfile
from pathlib import Path

from chromium import started_chromium, wait_until_ready
from generated_fleet import generate_fleet

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "report-example.html"
PICTURE = DOCS / "report.png"
DATA = re.compile(r'(?<=id="data">)[A-Za-z0-9+/=]+(?=</script>)')


def make_page():
    return render_page(generate_fleet(40, 3, seed=11, even=False))


def split_page(page):
    """Return a page without its data, and the data as bytes. Versions of zlib pack differently."""
    [packed] = DATA.findall(page)
    return DATA.sub("", page), gzip.decompress(base64.b64decode(packed))


def take_picture(page):
    with started_chromium() as chromium, tempfile.TemporaryDirectory(prefix="oomguard.") as folder:
        path = Path(folder) / "page.html"
        path.write_text(page, encoding="utf-8")
        shown = chromium.new_page(viewport={"width": 1280, "height": 1010}, color_scheme="light")
        shown.goto(path.as_uri())
        wait_until_ready(shown)
        shown.wait_for_timeout(300)
        shown.screenshot(path=PICTURE)


def main(options):
    page = make_page()
    if "--check" in options:
        if EXAMPLE.is_file() and split_page(EXAMPLE.read_text(encoding="utf-8")) == split_page(page):
            return 0
        print(f"{EXAMPLE} is stale: run make report-example", file=sys.stderr)
        return 1
    EXAMPLE.write_text(page, encoding="utf-8")
    take_picture(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
