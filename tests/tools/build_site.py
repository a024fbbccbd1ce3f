# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the documentation site: python tests/tools/build_site.py COLLECTION FOLDER

COLLECTION is the folder of an installed collection: .../ansible_collections/oomguard/linux. Needs
the environment of tests/requirements/docs.txt. The pages of modules and roles come from
antsibull-docs, the guides are docs/*.md. The exit code is 1 if there is a warning, or a link to a
file that does not exist. Links to other sites are not followed.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OWN_FILES = "https://github.com/oomguard/linux/(?:blob|tree)/main/"
_OWN_LINK = re.compile(OWN_FILES + r"([^)#\s>\"]+)")
# Pages of the site that are not in docs, by their name there.
PAGES = {"readme": "README.md", "contributing": "CONTRIBUTING.md", "security": "SECURITY.md", "changes": "CHANGELOG.md"}


def missing_files():
    """Return a line for each link to a file of this repository that does not exist."""
    pages = [*sorted(CHECKOUT.glob("docs/*.md")), *(CHECKOUT / page for page in PAGES.values())]
    return [
        f"{page.relative_to(CHECKOUT)}: {target} does not exist"
        for page in pages
        for target in _OWN_LINK.findall(page.read_text())
        if not (CHECKOUT / target).exists()
    ]


def gather_pages(source):
    """Copy the guides to the folder of Sphinx's source. Links to pages of the site lead there."""
    shutil.copytree(CHECKOUT / "docs", source, ignore=shutil.ignore_patterns("docsite"))
    for name in ("ansible.rst", "conf.py", "index.md"):
        shutil.copy(CHECKOUT / "docs" / "docsite" / name, source)
    for name, page in PAGES.items():
        text = (CHECKOUT / page).read_text()
        text = re.sub(OWN_FILES + r"docs/(\w+\.md)", r"\1", text)
        (source / f"{name}.md").write_text(re.sub(r"\]\(docs/(\w+\.md)", r"](\1", text))


def run(*command, collections):
    """Run a program of this Python environment, and return its exit code."""
    programs = os.path.dirname(sys.executable)
    environment = dict(
        os.environ, PATH=os.pathsep.join([programs, os.environ["PATH"]]), ANSIBLE_COLLECTIONS_PATH=str(collections)
    )
    return subprocess.run(command, env=environment, check=False).returncode


def main(collection, folder):
    collections, folder = Path(collection).absolute().parents[2], Path(folder).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    source, reference = folder / "source", folder / "source" / "reference"
    gather_pages(source)
    reference.mkdir(mode=0o700)
    document = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    build = ["sphinx-build", "-q", "-W", "--keep-going", "-b", "html"]
    failed = run(*document, "--dest-dir", str(reference), "oomguard.linux", collections=collections)
    failed = run(*build, str(source), str(folder / "html"), collections=collections) or failed
    missing = missing_files()
    print("\n".join(missing))
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
