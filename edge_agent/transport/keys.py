"""CURVE keys in files, their fingerprints, and the list of who is allowed in.

A key pair is two small TOML files: ``<name>.key`` (public, may be sent by mail) and ``<name>.key_secret`` (mode 0600, holds both
halves). Keys are 40 characters of Z85.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import zmq
from zmq.utils import z85

from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid, KeysMissing, NotAllowed
from edge_agent.signing.key_file import KeyFile, read_key_file, write_key_file
from edge_agent.wire.verbs import Verb

PUBLIC_SUFFIX = ".key"
SECRET_SUFFIX = ".key_secret"  # noqa: S105 - the end of a file's name
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves of a CURVE key, Z85. The secret half never shows in a text form of this object."""

    name: str
    public: str
    secret: str = field(repr=False)


def is_key(text: str) -> bool:
    """Tell whether ``text`` is the Z85 form of 32 bytes."""
    try:
        return len(text) == 40 and len(z85.decode(text.encode("ascii"))) == 32
    except (KeyError, UnicodeEncodeError, struct.error):
        return False


def fingerprint(public: str) -> str:
    """Give eight groups of four hex digits (SHA-256 of the key) for people to compare over the telephone."""
    if not is_key(public):
        raise ConfigInvalid("not a CURVE key: 40 characters of Z85 are expected", {"length": len(public)})
    digest = hashlib.sha256(z85.decode(public.encode())).hexdigest()
    return " ".join(digest[i : i + 4] for i in range(0, 32, 4))


def new_key_pair(name: str, folder: Path, before: str = "") -> KeyPair:
    """Make a key pair and write its two files; the secret one is never readable by others, not even for a moment.

    ``before``: public key of a server that this one will follow; whoever pins the public file believes both.

    Raises:
        ConfigInvalid: the name cannot be a file's name, or a key of that name exists (it is never overwritten).
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigInvalid(f"a key's name has lower-case letters, digits, dot, dash, underscore: {name[:64]!r}")
    public, secret = _drawn_pair()
    follows = f'before = "{before}"\n' if before else ""
    write_key_file(folder / (name + SECRET_SUFFIX), f'name = "{name}"\npublic = "{public}"\nsecret = "{secret}"\n', 0o600)
    write_key_file(folder / (name + PUBLIC_SUFFIX), f'name = "{name}"\npublic = "{public}"\n{follows}', 0o644)
    return KeyPair(name, public, secret)


def _drawn_pair() -> tuple[str, str]:
    """Draw a key pair whose public half does not begin with a dash: a command line would take such a key for an option."""
    while True:
        public, secret = (half.decode() for half in zmq.curve_keypair())
        if not public.startswith("-"):
            return public, secret


def load_secret(path: Path) -> KeyPair:
    """Read a secret key file.

    Raises:
        KeysMissing: absent, not a regular file, open to group or others, or its halves do not belong together.
    """
    found = _load(path)
    if found.is_open_to_others:
        raise KeysMissing(f"the secret key {path} is open to others: mode {found.mode:04o}, must be 0600")
    if not is_key(found.secret) or zmq.curve_public(found.secret.encode()).decode() != found.public:
        raise KeysMissing(f"the halves of the key in {path} do not belong together")
    return KeyPair(found.name, found.public, found.secret)


def load_public(text: str) -> str:
    """Give a public key from its Z85 text or from the path of a key file.

    Raises:
        KeysMissing: neither a key nor a readable key file.
    """
    if is_key(text):
        return text
    return _load(Path(text)).public


def load_server_keys(text: str) -> tuple[str, ...]:
    """Give the keys of a server to believe: the one of the Z85 text or key file, and the one that it follows, where the file says so.

    Raises:
        KeysMissing: neither a key nor a readable key file.
    """
    if is_key(text):
        return (text,)
    found = _load(Path(text))
    if found.before and not is_key(found.before):
        raise KeysMissing(f"{text} is not a key file")
    return (found.public, found.before) if found.before else (found.public,)


class Role(StrEnum):
    """What an enrolled key may do."""

    CONSOLE = "console"
    """A workstation where officers look and decide."""
    COLLECTOR = "collector"
    """Headquarters."""
    ADMIN = "admin"
    """Whoever looks after the machine: reads the journal and its health, sees no picture and decides nothing."""


_READING = frozenset({Verb.HELLO, Verb.PULL, Verb.SNAP, Verb.PING})
_LOOKING = frozenset({Verb.BLOB, Verb.PLANES, Verb.TILE})
MAY: Mapping[Role, frozenset[Verb]] = {
    Role.CONSOLE: _READING | _LOOKING | {Verb.UNDECIDED, Verb.VERDICT, Verb.VIEW, Verb.FAULT, Verb.OFFICER},
    Role.COLLECTOR: _READING | _LOOKING | {Verb.VERDICT, Verb.CONTROL},
    Role.ADMIN: _READING,
}
"""The requests that each role may make. A durable collector's PULL may also acknowledge."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One enrolled key. ``durable``: rows are kept until this consumer acknowledged them. ``not_after``: aware, None = no end.

    ``supervisors``: it may say of its officer that he or she logged in as a supervisor. ``controls``: it is a console that may send
    results of examinations.
    """

    name: str
    public: str
    role: Role
    durable: bool = False
    not_after: datetime | None = None
    supervisors: bool = False
    controls: bool = False

    @property
    def may_acknowledge(self) -> bool:
        return self.durable and self.role is Role.COLLECTOR

    @property
    def may_control(self) -> bool:
        """Tell whether it may send results of examinations."""
        return Verb.CONTROL in MAY[self.role] or (self.controls and self.role is Role.CONSOLE)

    def has_expired(self, at: datetime) -> bool:
        """Tell whether the key's time is over; its last moment still counts."""
        return self.not_after is not None and at > self.not_after

    def refuse_beyond_role(self, verb: str) -> None:
        """Let pass what the role may ask, and what is no request at all, which is refused elsewhere.

        Raises:
            NotAllowed: a request of another role.
        """
        if verb in _REQUESTS - MAY[self.role] and not (verb == Verb.CONTROL and self.may_control):
            raise NotAllowed(f"the role {self.role} may not ask this", {"consumer": self.name, "role": self.role.value})


_REQUESTS: frozenset[str] = frozenset().union(*MAY.values())


@dataclass(frozen=True, slots=True)
class Changes:
    """What another allow-list makes different, by name of the consumer; ``changed``: another key, role, end or durability."""

    added: tuple[Consumer, ...] = ()
    removed: tuple[Consumer, ...] = ()
    changed: tuple[Consumer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class AllowList:
    """Who is allowed in. Complete and checked when it exists; replaced as a whole, never edited."""

    def __init__(self, consumers: Iterable[Consumer]) -> None:
        """Take the enrolled keys.

        Raises:
            ConfigInvalid: a name or a key twice, a key that is none, a durable console, or an end without a time zone.
        """
        self._by_key: dict[str, Consumer] = {}
        names: set[str] = set()
        for consumer in consumers:
            _check(consumer)
            if consumer.name in names or consumer.public in self._by_key:
                raise ConfigInvalid(f"[[consumer]] {consumer.name}: its name or its key is enrolled twice")
            names.add(consumer.name)
            self._by_key[consumer.public] = consumer

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        return tuple(self._by_key.values())

    @property
    def durable(self) -> tuple[str, ...]:
        """Give the names of those whose acknowledgement counts."""
        return tuple(consumer.name for consumer in self.consumers if consumer.may_acknowledge)

    def inside(self, at: datetime) -> dict[str, Consumer]:
        """Give everybody who may be inside at a moment, by key."""
        return {public: one for public, one in self._by_key.items() if not one.has_expired(at)}

    def changes(self, after: "AllowList") -> Changes:
        """Give what another list would make different."""
        old, new = ({one.name: one for one in each.consumers} for each in (self, after))
        return Changes(
            tuple(one for name, one in new.items() if name not in old),
            tuple(one for name, one in old.items() if name not in new),
            tuple(one for name, one in new.items() if name in old and old[name] != one),
        )

    def admit(self, public: str, at: datetime) -> Consumer:
        """Give the consumer behind a key.

        Raises:
            NotAllowed: the key is not enrolled, or its time is over.
        """
        consumer = self._by_key.get(public)
        if consumer is None:
            raise NotAllowed("this key is not enrolled at the site")
        if consumer.has_expired(at):
            raise NotAllowed(f"the key of {consumer.name} has expired", {"consumer": consumer.name})
        return consumer


class Admission:
    """The allow-list in force, shared by the ZAP provider (handshakes) and the desk (every request)."""

    def __init__(self, allowed: AllowList, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock
        self._seen: dict[str, datetime] = {}

    @property
    def allowed(self) -> AllowList:
        """The list in force."""
        return self._allowed

    @property
    def seen(self) -> Mapping[str, datetime]:
        """When each consumer was last let in or answered, by name; nobody from before this process."""
        return self._seen

    def replace(self, allowed: AllowList) -> None:
        """Put another list in force, whole and at once."""
        self._allowed = allowed

    def admit(self, public: str) -> Consumer:
        """Give the consumer behind a key now.

        Raises:
            NotAllowed: as ``AllowList.admit``.
        """
        now = self._clock.now()
        consumer = self._allowed.admit(public, now)
        self._seen[consumer.name] = now
        return consumer


def _check(consumer: Consumer) -> None:
    where = f"[[consumer]] {consumer.name}"
    if _NAME.fullmatch(consumer.name) is None:
        raise ConfigInvalid(f"{where}: a name has lower-case letters, digits, dot, dash, underscore")
    if not is_key(consumer.public):
        raise ConfigInvalid(f"{where}: key is not a public CURVE key of 40 characters")
    if consumer.durable and consumer.role is not Role.COLLECTOR:
        raise ConfigInvalid(f"{where}: only a collector can be durable")
    if consumer.not_after is not None and consumer.not_after.tzinfo is None:
        raise ConfigInvalid(f"{where}: not_after needs a time zone")


def _load(path: Path) -> KeyFile:
    try:
        found = read_key_file(path)
    except ValueError as problem:
        raise KeysMissing(str(problem)) from problem
    if not is_key(found.public):
        raise KeysMissing(f"{path} is not a key file")
    return found
