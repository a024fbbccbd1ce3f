# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpack what hosts of other distributions have: fixtures/distributions/README.md."""

import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unit", "fixtures", "distributions")
NAMES = sorted(name[: -len(".tree")] for name in os.listdir(FOLDER) if name.endswith(".tree"))


def unpack_tree(name, root):
    """Write the files and links of a tree below a folder; return what its commands printed."""
    with open(os.path.join(FOLDER, name + ".tree"), encoding="utf-8") as stream:
        sections = ("\n" + stream.read()).split("\n== ")[1:]
    printed = {}
    links = []
    for title, text in (section.partition("\n")[::2] for section in sections):
        path, arrow, target = title.partition(" -> ")
        if path.startswith("@"):
            printed[path[1:]] = text
        elif arrow:
            links.append((path, target))
        else:
            _make_folder(root, path)
            (root / path[1:]).write_text(text and text.rstrip("\n") + "\n", encoding="utf-8")
    for path, target in links:
        _make_folder(root, path)
        (root / path[1:]).symlink_to(target)
    return printed


def _make_folder(root, path):
    (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
