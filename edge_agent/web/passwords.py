"""Passwords: argon2id with the parameters of RFC 9106's second recommendation (64 MiB, 3 passes, 4 lanes).

Hashing takes some 50 ms and 64 MiB, so it runs on two threads of its own and never on the event loop.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
MOST_CHARACTERS = 256
FEWEST_CHARACTERS = 10
"""NIST SP 800-63B asks for 8 at least, and for no rules of composition."""


def hashed(password: str) -> str:
    """Give the hash to keep, in the PHC string format: it names its own parameters and salt."""
    return _HASHER.hash(password)


def fits(stored: str, password: str) -> bool:
    """Tell whether ``password`` is the one of the ``stored`` hash."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


class PasswordLane:
    """Checks passwords off the event loop, two at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
        self._decoy = hashed("of nobody")

    async def fits(self, stored: str | None, password: str) -> bool:
        """Tell whether the password fits. Without a stored hash a decoy is checked: an unknown name takes as long as a wrong password."""
        loop = asyncio.get_running_loop()
        is_right = await loop.run_in_executor(self._threads, fits, stored or self._decoy, password)
        return is_right and stored is not None

    def close(self) -> None:
        self._threads.shutdown(wait=True)
