# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints of OpenPGP keys, without the programs that a bare host lacks: https://www.rfc-editor.org/rfc/rfc4880."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n:]+:[^\n]*\n)*\s*\n(.*?)-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)
# The packet of a key that others hang on; those of its parts have other numbers.
PRIMARY = 6


def fingerprints(text: str) -> list[str]:
    """The fingerprints of all keys in armored ``text``, in capitals; ValueError where it has none, or is damaged."""
    found = []
    for armored in BLOCK.findall(text.replace("\r", "")):
        # Its last line is a checksum, which proves nothing.
        body = re.sub(r"\n=[A-Za-z0-9+/]{4}\s*$", "", armored.rstrip())
        try:
            found += [_fingerprint(packet) for tag, packet in _packets(base64.b64decode(body)) if tag == PRIMARY]
        except (binascii.Error, IndexError) as error:
            raise ValueError("the block with the key is damaged") from error
    if not found:
        raise ValueError("there is no armored public key in it")
    return found


def _fingerprint(packet: bytes) -> str:
    """Section 12.2: of a key of version 4."""
    if packet[0] != 4:
        raise ValueError(f"a key of version {packet[0]}, where only 4 is understood")
    return hashlib.sha1(b"\x99" + len(packet).to_bytes(2, "big") + packet).hexdigest().upper()  # noqa: S324 # the format


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Section 4.2: each packet's number and content."""
    position = 0
    while position < len(data):
        header = data[position]
        if not header & 0x80:
            raise ValueError("the block with the key is damaged")
        if header & 0x40:
            tag, first = header & 0x3F, data[position + 1]
            if first < 192:
                length, size = first, 2
            elif first < 224:
                length, size = ((first - 192) << 8) + data[position + 2] + 192, 3
            elif first == 255:
                length, size = int.from_bytes(data[position + 2 : position + 6], "big"), 6
            else:
                raise ValueError("the block has a key in parts, which is not understood")
        else:
            tag, octets = header >> 2 & 0x0F, {0: 1, 1: 2, 2: 4}.get(header & 3, 0)
            if not octets:
                raise ValueError("the block has a key of unknown length, which is not understood")
            length, size = int.from_bytes(data[position + 1 : position + 1 + octets], "big"), 1 + octets
        start = position + size
        position = start + length
        if position > len(data):
            raise ValueError("the block with the key is damaged")
        yield tag, data[start:position]
