"""The security vector: one handshake with visible keys, from which every sealed vector takes its keys.

These keys are public. No pump and no programmer may ever use them.
"""

from __future__ import annotations

import hmac
from typing import Any

from protocols import reference_codec as codec

PSK = bytes(range(32))
NP = b"\xa0" * 16
ND = b"\xb0" * 16
H1 = b"\x01\x01" + b"PROGID01" + NP
H2 = b"\x01\x01" + b"PUMPID01" + ND + (7).to_bytes(4, "big")
TH = codec.transcript(H1, H2)
_OKM = codec.hkdf(PSK, NP + ND, b"itbp1 session\x00" + TH, 80)
K_P2D, K_D2P, IV_P, IV_D, K_CONF = _OKM[:16], _OKM[16:32], _OKM[32:40], _OKM[40:48], _OKM[48:]


def security() -> dict[str, Any]:
    """Content of security.json."""
    return {
        "about": "Inputs and every intermediate value of one handshake, and one sealed record. Public keys: never use them.",
        "psk": PSK.hex(),
        "np": NP.hex(),
        "nd": ND.hex(),
        "programmer_id": b"PROGID01".hex(),
        "pump_id": b"PUMPID01".hex(),
        "version": 1,
        "suite": 1,
        "boot_epoch": 7,
        "h1": H1.hex(),
        "h2": H2.hex(),
        "th": TH.hex(),
        "k_p2d": K_P2D.hex(),
        "k_d2p": K_D2P.hex(),
        "iv_p": IV_P.hex(),
        "iv_d": IV_D.hex(),
        "k_conf": K_CONF.hex(),
        "confirm_p": hmac.digest(K_CONF, b"P" + TH, "sha256")[:16].hex(),
        "confirm_d": hmac.digest(K_CONF, b"D" + TH, "sha256")[:16].hex(),
        "record": {
            "type": 16,
            "counter": 0,
            "plaintext": b"hello".hex(),
            "header": codec.header(16, 0, 5).hex(),
            "body": codec.seal(K_P2D, IV_P, 16, 0, b"hello").hex(),
        },
    }
