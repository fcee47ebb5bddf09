"""How long somebody who tries passwords must wait: pure counting on a monotonic clock.

Failures are counted by officer's name at an address, and by address. After a few free attempts the wait doubles with every failure up to
five minutes. So nobody tries many passwords at one name, nor one password at many names, from one place; and whoever tries at an officer's
name from elsewhere does not keep the officer out. Against tries from many places there are brakes over all of them, by name and in total;
an address from which the officer has logged in before passes these. An attempt counts as a failure from its beginning until it succeeds:
attempts that run side by side do not slip through.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

from edge_agent.domain.clock import Clock
from edge_agent.errors import TooSoon

_LONGEST_WAIT_S = 300.0
_FORGOTTEN_AFTER_S = 3600.0
_MOST_KEPT = 10_000
_NAME_WAIT_S = 30.0
"""Longest wait of the brake over all addresses: 120 guesses an hour at a name, and a new workstation is let in before long."""
_ALL_PER_S = 2.0
_ALL_BURST = 100
"""Logins in a row, and a second, from addresses new to their officer: more than a shift that begins, less than a search needs."""


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Throttle:
    """Counts failures under keys. ``free``: failures that cost no wait; ``longest_s``: the wait that is doubled no further."""

    def __init__(self, clock: Clock, free: int, longest_s: float = _LONGEST_WAIT_S) -> None:
        self._clock = clock
        self._free = free
        self._longest_s = longest_s
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Give the seconds until ``key`` may try again; 0 = now."""
        count = self._counts.get(key)
        if count is None or count.failures < self._free:
            return 0.0
        wait = min(2.0 ** min(count.failures - self._free, 20), self._longest_s)
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
    """The counts of a login. A success clears the name's count there only: an attacker's own account does not clear the address's."""

    def __init__(self, clock: Clock) -> None:
        self._pairs = Throttle(clock, free=5)
        self._addresses = Throttle(clock, free=20)
        self._names = Throttle(clock, free=50, longest_s=_NAME_WAIT_S)
        self._all = Rate(clock, _ALL_PER_S, _ALL_BURST)
        self._known: OrderedDict[str, None] = OrderedDict()

    def begin(self, name: str, address: str) -> None:
        """Count an attempt as failed until ``succeeded`` says otherwise.

        Raises:
            TooSoon: this one must wait; ``retry_after_s`` says how long. Nothing is counted.
        """
        address = network_of(address)
        pair = _pair(name, address)
        wait = max(self._pairs.wait_s(pair), self._addresses.wait_s(address))
        if pair not in self._known:
            wait = max(wait, self._names.wait_s(name))
        if wait > 0:
            raise TooSoon("too many failed logins", {"retry_after_s": int(wait) + 1})
        if pair not in self._known:
            self._all.take("all")
            self._names.failed(name)
        self._pairs.failed(pair)
        self._addresses.failed(address)

    def succeeded(self, name: str, address: str) -> None:
        """Take the attempt back, and forget the name's failures at this address."""
        address = network_of(address)
        pair = _pair(name, address)
        if pair not in self._known:
            self._names.undo(name)
        self._known[pair] = None
        self._known.move_to_end(pair)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        self._pairs.succeeded(pair)
        self._addresses.undo(address)


def _pair(name: str, address: str) -> str:
    return f"{address} {name}"


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
