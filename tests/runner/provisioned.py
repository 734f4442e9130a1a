"""For scripts/provision: print the digest of what the images of provisioned hosts are made by, and of words."""

from __future__ import annotations

import sys

from runner.jobs import PRODUCT, TESTBED
from runner.tree import digest

if __name__ == "__main__":
    print(digest([*PRODUCT, *TESTBED], *sys.argv[1:]))
