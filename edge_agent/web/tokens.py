"""Tokens of programs that read headquarters' figures: shown once, stored hashed, with one scope and an end.

A token is 32 random bytes, so a plain SHA-256 is enough of a hash: nobody can try them all, and checking one costs nothing.
"""

import hashlib
import hmac
import json
import secrets
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid, EdgeAgentError, TokenRefused
from edge_agent.telemetry import events
from edge_agent.web.private_file import ChangeWatch, read_private, write_private
from edge_agent.web.users import LoginName

_PREFIX = "eat_"
"""So that a token which leaked into a text is recognised by those who look for secrets."""


class Scope(StrEnum):
    """What a token is for."""

    READ = "read"
    """The read API."""
    METRICS = "metrics"
    """The Prometheus metrics, and nothing else."""


class Token(BaseModel):
    """What is stored of a token. ``digest``: SHA-256 of its text, in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: LoginName
    scope: Scope
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    not_after: AwareDatetime


class TokenFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    tokens: tuple[Token, ...] = ()


def new_token(name: str, scope: Scope, not_after: datetime) -> tuple[str, Token]:
    """Make a token: its text, to be shown once, and what to store of it.

    Raises:
        ConfigInvalid: the name is not one.
    """
    text = _PREFIX + secrets.token_urlsafe(32)
    try:
        return text, Token(name=name, scope=scope, digest=_digest(text), not_after=not_after)
    except ValidationError as problem:
        raise ConfigInvalid("a name has lower-case letters, digits, dot, dash and underscore, at most 64", {"key": "name"}) from problem


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Read the file; no file is no tokens.

    Raises:
        ConfigUnreadable, ConfigInvalid: naming the file, never its content.
    """
    content = read_private(path)
    if content is None:
        return ()
    try:
        return TokenFile.model_validate_json(content).tokens
    except ValidationError as problem:
        raise ConfigInvalid(f"{path}: not a token file of this program", {"file": str(path)}) from problem


def write_tokens(path: Path, tokens: tuple[Token, ...]) -> None:
    """Replace the file.

    Raises:
        ConfigUnreadable: the folder does not take it.
    """
    table = [token.model_dump(mode="json") for token in tokens]
    write_private(path, (json.dumps({"version": 1, "tokens": table}, indent=1) + "\n").encode())


class Tokens:
    """The tokens that are good now. The file is followed: a revoked token is refused within a second."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read the file.

        Raises:
            ConfigUnreadable, ConfigInvalid: it is there, but not usable.
        """
        self._path = path
        self._clock = clock
        self._watch = ChangeWatch(path, clock)
        self._tokens = read_tokens(path)

    def check(self, authorization: str, scope: Scope) -> Token:
        """Give the token of an Authorization header. Every stored digest is compared, each in constant time.

        Raises:
            TokenRefused: none of ours, run out, or of another scope; which of them is told only to those who hold a token.
        """
        self._follow()
        kind, _, text = authorization.partition(" ")
        digest = _digest(text.strip()) if kind.lower() == "bearer" else ""
        found = [token for token in self._tokens if hmac.compare_digest(token.digest, digest)]
        if not found:
            raise TokenRefused("no valid token")
        if found[0].not_after <= self._clock.now():
            raise TokenRefused("this token ran out")
        if found[0].scope is not scope:
            raise TokenRefused(f"this token is not of the scope {scope.value}")
        return found[0]

    def _follow(self) -> None:
        if not self._watch.has_changed():
            return
        try:
            self._tokens = read_tokens(self._path)
        except EdgeAgentError as problem:
            self._tokens = ()  # a reader of figures can wait; a revoked token must not live on
            events.tokens_unreadable(problem.code)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
