"""Fingerprints of keys, against what GnuPG says of them."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.openpgp import fingerprints

# Made by GnuPG for this test, which says it has this fingerprint.
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawyqNRYJKwYBBAHaRw8BAQdA0fm6dgMT1jfbZcHLfh6fp/zbex1Tz7rSgjpU
e2Uosnu0Bk5vYm9keYiQBBMWCAA4FiEEEiLVuemO2mPeXH54UTAL5OJitfYFAmsM
qjUCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQUTAL5OJitfYgKAD/fBVF
lSP36dqvkj41Jty+4dQ/OJHXgup/iHCrvGC4tuYBAMiPkCPPVp3qUFjscZbAZvjf
10SAgMpCVz9bj7PfOW8F
=QL8d
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "1222D5B9E98EDA63DE5C7E7851300BE4E262B5F6"
PACKETS = base64.b64decode("".join(KEY.splitlines()[2:-2]))


def armored(packets: bytes) -> str:
    body = base64.b64encode(packets).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_key() -> None:
    assert fingerprints(KEY) == [FINGERPRINT]
    # As other programs publish it.
    commented = KEY.replace("BLOCK-----\n\n", "BLOCK-----\nComment: https://keys.example.org\n\n", 1)
    assert fingerprints(f"Some words.\n{commented}".replace("\n", "\r\n")) == [FINGERPRINT]
    assert fingerprints(armored(PACKETS)) == [FINGERPRINT]


def test_a_packet_with_a_header_of_the_new_format() -> None:
    length = PACKETS[1]
    assert fingerprints(armored(bytes([0xC6, length]) + PACKETS[2 : 2 + length])) == [FINGERPRINT]


def test_a_second_key_is_seen_wherever_it_is() -> None:
    """apt would trust it as well."""
    length = 2 + PACKETS[1]
    other = PACKETS[: length - 1] + bytes([PACKETS[length - 1] ^ 1])
    for text in (armored(PACKETS + other), KEY + armored(other)):
        first, second = fingerprints(text)
        assert first == FINGERPRINT
        assert second != FINGERPRINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>Moved</html>",
        KEY.replace("BLOCK", "MESSAGE"),
        armored(b""),
        armored(b"not a packet"),
        armored(PACKETS[:20]),
        armored(b"\x9b\x00"),
        armored(b"\xc6\xe1\x00"),
        armored(b"\x98\x01\x05"),
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"key"):
        fingerprints(text)
