# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Install pip, in place of the script that ansible-test downloads for its virtual environments.

Python comes with pip (ensurepip). Everything else comes from the package index
that pip is configured for, so nothing is downloaded from elsewhere.
"""

import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
# Two options of the original script leave out packages that it would add unasked.
options = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", *options])
