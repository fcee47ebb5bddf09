"""How long somebody who tries passwords must wait: pure counting on a monotonic clock.

Failures are counted by officer's name and by address, each by itself. After a few free attempts the wait doubles with every failure up to
five minutes. So nobody tries many passwords at one name from many places, nor one password at many names from one place. An attempt
counts as a failure from its beginning until it succeeds: attempts that run side by side do not slip through.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

from edge_agent.domain.clock import Clock
from edge_agent.errors import TooSoon

_LONGEST_WAIT_S = 300.0
_FORGOTTEN_AFTER_S = 3600.0
_MOST_KEPT = 10_000


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Throttle:
    """Counts failures under keys. ``free``: failures that cost no wait."""

    def __init__(self, clock: Clock, free: int) -> None:
        self._clock = clock
        self._free = free
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Give the seconds until ``key`` may try again; 0 = now."""
        count = self._counts.get(key)
        if count is None or count.failures < self._free:
            return 0.0
        wait = min(2.0 ** min(count.failures - self._free, 20), _LONGEST_WAIT_S)
        return max(count.last + wait - self._clock.monotonic(), 0.0)

    def failed(self, key: str) -> None:
        """Count one failure; counts that nobody added to for an hour begin anew."""
        now = self._clock.monotonic()
        count = self._counts.pop(key, None)
        if count is None or now - count.last > _FORGOTTEN_AFTER_S:
            count = _Count(0, now)
        self._counts[key] = _Count(count.failures + 1, now)
        while len(self._counts) > _MOST_KEPT:
            self._counts.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of ``key``."""
        self._counts.pop(key, None)

    def undo(self, key: str) -> None:
        """Take back one failure that was none, and leave the others."""
        count = self._counts.get(key)
        if count is not None:
            count.failures = max(count.failures - 1, 0)


class LoginThrottle:
    """The two counts of a login. A success clears the name's count only: an attacker's own account does not clear the address's."""

    def __init__(self, clock: Clock) -> None:
        self._names = Throttle(clock, free=5)
        self._addresses = Throttle(clock, free=20)

    def begin(self, name: str, address: str) -> None:
        """Count an attempt as failed until ``succeeded`` says otherwise.

        Raises:
            TooSoon: name or address must wait; ``retry_after_s`` says how long. Nothing is counted.
        """
        address = network_of(address)
        wait = max(self._names.wait_s(name), self._addresses.wait_s(address))
        if wait > 0:
            raise TooSoon("too many failed logins", {"retry_after_s": int(wait) + 1})
        self._names.failed(name)
        self._addresses.failed(address)

    def succeeded(self, name: str, address: str) -> None:
        """Take the attempt back, and forget the name's failures."""
        self._names.succeeded(name)
        self._addresses.undo(network_of(address))


def network_of(address: str) -> str:
    """Give an address as it is counted: of IPv6 its first 64 bits, for the others are the machine's own to choose."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))


class Rate:
    """At most ``burst`` requests at once and ``per_s`` a second in the long run, for each key: a token bucket each."""

    def __init__(self, clock: Clock, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one request.

        Raises:
            TooSoon: the key asked too often; ``retry_after_s`` says when to come again.
        """
        now = self._clock.monotonic()
        left, then = self._buckets.pop(key, (float(self._burst), now))
        left = min(left + (now - then) * self._per_s, float(self._burst))
        is_allowed = left >= 1
        self._buckets[key] = (left - 1 if is_allowed else left, now)
        while len(self._buckets) > _MOST_KEPT:
            self._buckets.popitem(last=False)
        if not is_allowed:
            raise TooSoon("too many requests", {"retry_after_s": int((1 - left) / self._per_s) + 1})
