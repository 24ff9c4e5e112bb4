"""Every random draw is a function of where it happens: (run seed, step, stream, slot, trial).

Nothing keeps a generator's state, so a resumed run draws what an uninterrupted one would have
drawn, and the order in which coroutines happen to run changes nothing.
"""

from hashlib import blake2b

__all__ = ["derive_seed"]


def derive_seed(*parts: int | str) -> int:
    """Hash the parts to a seed in [0, 2**63), the same on every machine and Python version.

    Length and type of each part enter the hash: ("1", 2), (1, 2) and ("12",) differ.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        kind = "i" if isinstance(part, int) else "s"
        text = str(part).encode("utf-8", "surrogatepass")
        digest.update(f"{kind}{len(text)}:".encode())
        digest.update(text)
    return int.from_bytes(digest.digest(), "big") >> 1
