# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check a built artifact as Galaxy and the docs site do: python tests/tools/check_artifact.py FILE

Needs the environment of tests/requirements/docs.txt. Runs galaxy-importer, which imports and lints
as Galaxy does, antsibull-docs, which checks markup and links, and ansible-doc on the roles. A
warning counts as an error. The exit code is 1 if there is one.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

COLLECTION = "oomguard/linux"


def run(*command, folder):
    """Run a program of this Python environment in folder and return (exit code, output, errors)."""
    environment = dict(
        os.environ,
        PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        ANSIBLE_COLLECTIONS_PATH=str(folder),
        ANSIBLE_HOME=str(folder / "home"),
        GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP=str(folder / "tmp"),
        GALAXY_IMPORTER_CHECK_REQUIRED_TAGS="true",
        GALAXY_IMPORTER_REQUIRE_V1_OR_GREATER="true",
    )
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def import_errors(artifact, folder):
    """Return the warnings and errors of galaxy-importer."""
    code, output, errors = run(sys.executable, "-m", "galaxy_importer.main", str(artifact), folder=folder)
    found = [line for line in (output + errors).splitlines() if line.startswith(("WARNING", "ERROR"))]
    return found or ([errors] if code else [])


def markup_errors(collection, folder):
    """Return the errors of antsibull-docs."""
    command = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--disallow-unknown-collection-refs"]
    code, output, errors = run(*command, str(collection), folder=folder)
    return (output + errors).splitlines() if code else []


def role_warnings(collection, folder):
    """Return what ansible-doc warns of while it shows the roles."""
    names = sorted(f"{COLLECTION.replace('/', '.')}.{role.name}" for role in (collection / "roles").iterdir())
    return run("ansible-doc", "--type", "role", *names, folder=folder)[2].splitlines()


def main(path):
    artifact = Path(path).resolve()
    with tempfile.TemporaryDirectory(prefix="oomguard.") as name:
        folder = Path(name)
        collection = folder / "ansible_collections" / COLLECTION
        collection.mkdir(parents=True)
        with tarfile.open(artifact) as archive:
            archive.extractall(collection, filter="data")
        found = import_errors(artifact, folder) + markup_errors(collection, folder) + role_warnings(collection, folder)
    print("\n".join(found) or f"{artifact.name}: no errors, no warnings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
