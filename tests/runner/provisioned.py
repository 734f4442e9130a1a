"""For scripts/provision: print the digest of the files that the images of provisioned hosts are made by."""

from __future__ import annotations

from runner.jobs import KEEPERS, PRODUCT, TESTBED
from runner.tree import digest

if __name__ == "__main__":
    print(digest([*PRODUCT, *TESTBED, *(f"molecule/{scenario}/" for scenario in KEEPERS.values())]))
