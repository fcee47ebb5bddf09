"""How many bytes of a journal to ask for at once, so that the answer comes in time however slow the line is. Pure."""

LEAST_BYTES = 16 * 1024
"""A line that does not carry so much in the time of an answer is no line."""


class PageSize:
    """Begins at the most, gives way at once when an answer stays away or comes late, and grows again while answers come early.

    An answer that is late is lost whole: without this a slow line would carry the same page again and again, and no row would ever come.
    """

    def __init__(self, most: int, reply_s: float) -> None:
        """``most``: bytes; an answer is due ``reply_s`` seconds after its question."""
        self._most = most
        self._reply_s = reply_s
        self._bytes = most

    def upto(self, most: int) -> int:
        """Give how many bytes to ask for, ``most`` at most."""
        return min(self._bytes, most)

    def came(self, took_s: float, got: int) -> None:
        """Note that a page of ``got`` bytes came whole ``took_s`` seconds after its question; a small one says nothing of larger ones."""
        if took_s > self._reply_s / 2:
            self._bytes = max(LEAST_BYTES, self._bytes // 2)
        elif took_s < self._reply_s / 8 and got >= self._bytes / 2:
            self._bytes = min(self._most, self._bytes * 2)

    def stayed_away(self) -> None:
        """Note that no answer came in time."""
        self._bytes = max(LEAST_BYTES, self._bytes // 4)
