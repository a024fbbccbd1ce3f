# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that an artifact is what its version promises: python tests/tools/check_release.py FILE

Compares the version with changelogs/changelog.yaml, CHANGELOG.md, the version_added of all plugins,
and the tags of this repository. Prints the steps that need credentials. The exit code is 1 if
something does not fit.
"""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
_ADDED = re.compile(r"^\s*version_added: *[\"']?([0-9.]+)", re.MULTILINE)


def git(*arguments):
    """Return what git prints."""
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def number(version):
    """Return a version as a tuple of numbers."""
    return tuple(int(part) for part in version.split("."))


def find_faults(version):
    """Return what does not fit to a version, as sentences."""
    faults = []
    releases = yaml.safe_load((CHECKOUT / "changelogs" / "changelog.yaml").read_text())["releases"]
    if version not in releases:
        faults.append(f"changelogs/changelog.yaml has no release {version}: run antsibull-changelog release")
    if list((CHECKOUT / "changelogs" / "fragments").glob("*.yml")):
        faults.append("changelogs/fragments still has fragments: run antsibull-changelog release")
    if "## v" + version.replace(".", "\\.") not in (CHECKOUT / "CHANGELOG.md").read_text():
        faults.append(f"CHANGELOG.md has no section v{version}: run antsibull-changelog release")
    for path in sorted(CHECKOUT.glob("plugins/**/*.py")):
        faults += [
            f"{path.relative_to(CHECKOUT)}: version_added {added} is later than {version}"
            for added in _ADDED.findall(path.read_text())
            if number(added) > number(version)
        ]
    if git("tag", "--list", version):
        faults.append(f"the tag {version} exists: set the next version in galaxy.yml")
    if git("status", "--porcelain"):
        faults.append("the checkout has changes: commit them, or the artifact is not what the tag names")
    return faults


def main(path):
    with tarfile.open(path) as archive:
        version = json.load(archive.extractfile("MANIFEST.json"))["collection_info"]["version"]
    faults = find_faults(version)
    if faults:
        print("\n".join(faults))
        return 1
    print(f"""{Path(path).name} is ready. These steps need credentials:
  git tag --sign {version} --message 'Release {version}' && git push origin {version}
  ansible-galaxy collection publish {path} --token TOKEN
  gh release create {version} {path} --notes-file CHANGELOG.md""")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
