# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configure the documentation site, which tests/tools/build_site.py builds."""

project = "oomguard.linux"
copyright = "2026, oomguard.linux contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "oomguard.linux"
html_copy_source = False
myst_heading_anchors = 4  # a link may name any heading
