"""A reader of bits, the lowest of each byte first, as JPEG XL headers are written."""


class Bits:
    """Takes bits off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        """Give the next ``count`` bits as a number.

        Raises:
            EOFError: there are not so many.
        """
        if count > self._left:
            raise EOFError("the bits ended")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def flag(self) -> bool:
        """Give the next bit.

        Raises:
            EOFError: there is none.
        """
        return self.take(1) == 1

    def choice(self, *ways: tuple[int, int]) -> int:
        """Give a number written in one of four ways: two bits say which, and each way is a base plus so many bits.

        Raises:
            EOFError: the bits ended.
        """
        base, count = ways[self.take(2)]
        return base + self.take(count)
