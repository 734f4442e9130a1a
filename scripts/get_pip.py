"""Installs pip 24.2, in place of the script of that name which ansible-test downloads from its project's own server.

Where that server is out of reach, ensurepip and the package index that this machine uses anyway serve as well.
Arguments: those of the original; the switches that keep setuptools and wheel away are ignored, neither is installed.
"""

from __future__ import annotations

import subprocess
import sys

IGNORED = {"--no-setuptools", "--no-wheel"}

subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
options = [argument for argument in sys.argv[1:] if argument not in IGNORED]
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *options, "pip==24.2"], check=True)
