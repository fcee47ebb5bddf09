"""The officers who may log in: a small file that `edge-agent users` keeps and the running server follows.

The file holds names, roles and argon2id hashes, no passwords. It is read anew when it was replaced, so that a lock, another role or another
password is in force within a second, without a restart.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid, EdgeAgentError
from edge_agent.telemetry import events
from edge_agent.web.private_file import ChangeWatch, read_private, write_private
from edge_agent.web.session import Officer, OfficerRole

LoginName = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
"""Lower-case letters, digits, dot, dash and underscore: it reads the same aloud, in a log and in a journal."""


class User(BaseModel):
    """One officer. ``is_locked``: may not log in, and open sessions end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: LoginName
    roles: Annotated[frozenset[OfficerRole], Field(min_length=1)]
    password: Annotated[str, Field(pattern=r"^\$argon2id\$", repr=False)]
    is_locked: bool = False

    @property
    def mark(self) -> str:
        """What a session of this officer hangs on: another password or a lock ends it. Roles are looked up at each request."""
        return hashlib.sha256(f"{self.password} {self.is_locked}".encode()).hexdigest()

    @property
    def officer(self) -> Officer:
        return Officer(self.name, self.roles)


class UserFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    users: tuple[User, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({user.name for user in self.users}) < len(self.users):
            raise ValueError("every name may stand once only")
        return self

    def find(self, name: str) -> User | None:
        return next((user for user in self.users if user.name == name), None)

    def changed(self, user: User) -> "UserFile":
        """Give the file with ``user`` added, or in the place of the one of the same name."""
        others = tuple(other for other in self.users if other.name != user.name)
        return UserFile(users=tuple(sorted((*others, user), key=lambda each: each.name)))


def named(name: str, roles: frozenset[OfficerRole], password: str) -> User:
    """Make an officer.

    Raises:
        ConfigInvalid: the name is not one.
    """
    try:
        return User(name=name, roles=roles, password=password)
    except ValidationError as problem:
        raise ConfigInvalid("a name has lower-case letters, digits, dot, dash and underscore, at most 64", {"key": "name"}) from problem


def read_users(path: Path) -> UserFile | None:
    """Read the file; None when there is none.

    Raises:
        ConfigUnreadable, ConfigInvalid: naming the file, never its content.
    """
    content = read_private(path)
    if content is None:
        return None
    try:
        return UserFile.model_validate_json(content)
    except ValidationError as problem:
        where = ".".join(str(step) for step in problem.errors(include_input=False)[0]["loc"])
        raise ConfigInvalid(f"{path}: not a user file of this program ({where})", {"file": str(path)}) from problem


def write_users(path: Path, users: UserFile) -> None:
    """Replace the file.

    Raises:
        ConfigUnreadable: the folder does not take it.
    """
    table = [
        {"name": user.name, "roles": sorted(user.roles), "password": user.password, "is_locked": user.is_locked} for user in users.users
    ]
    write_private(path, (json.dumps({"version": users.version, "users": table}, indent=1) + "\n").encode())


class Users:
    """The officers as the file says now. A file that becomes unreadable while we run leaves those of before in force, and says so."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read the file.

        Raises:
            ConfigInvalid: there is none, or it is not usable.
            ConfigUnreadable: it cannot be read.
        """
        self._path = path
        self._watch = ChangeWatch(path, clock)
        self._users = self._read()

    def find(self, name: str) -> User | None:
        """Give the officer of this name, locked or not."""
        self._follow()
        return self._users.find(name)

    def _follow(self) -> None:
        if not self._watch.has_changed():
            return
        try:
            self._users = self._read()
        except EdgeAgentError as problem:
            events.users_unreadable(problem.code)

    def _read(self) -> UserFile:
        found = read_users(self._path)
        if found is None:
            raise ConfigInvalid(f"{self._path}: no such file; make it with `edge-agent users add`", {"key": "users"})
        return found
