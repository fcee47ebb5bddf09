"""The erasable table behind the tokens: the only durable place of identifiers in clear."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

import apsw

from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import Commitment, Token
from edge_agent.ledger.moments import to_us
from edge_agent.ledger.records import IdentityRow, OpenedIdentity

_TOKEN_BYTES = 16
_SALT_BYTES = 16


class Identities:
    """Gives tokens for values and values for tokens; its caller holds the transaction. ``created_us``: when a value was last used."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def tokenise(self, values: Sequence[IdentityValue], at: datetime) -> tuple[IdentityRow, ...]:
        """Give a row for each value, in order. A value keeps its token until it is erased; afterwards it gets a new one.

        Each time it is given, the value counts as used at ``at``: its token may be on its way into a row that nobody can see yet.

        Token and salt are random, so neither tells anything about the value, and container numbers cannot be guessed from
        their commitments.
        """
        return tuple(self._used_again(value, at) or self._add(value, at) for value in values)

    def rows(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        """Give the rows of the tokens that this site made, in the order asked; unknown tokens are left out."""
        found = (self._db.execute("SELECT token, class, commitment, value FROM identity WHERE token = ?", (token,)) for token in tokens)
        return tuple(_row(*columns) for cursor in found for columns in cursor)

    def opened(self, tokens: Sequence[Token]) -> tuple[OpenedIdentity, ...]:
        """Give what a commitment can be computed from again, of the tokens that are known and not erased, in the order asked."""
        query = "SELECT token, class, value, salt, commitment FROM identity WHERE token = ? AND value IS NOT NULL"
        found = (columns for token in tokens for columns in self._db.execute(query, (token,)))
        return tuple(
            OpenedIdentity(Token(token), IdentityClass(kind), value, salt, Commitment(said)) for token, kind, value, salt, said in found
        )

    def erase(self, tokens: Sequence[Token], at: datetime) -> int:
        """Forget values and salts; commitments stay, so journal bodies still make sense. Gives how many were there to erase."""
        erased = 0
        for token in tokens:
            self._db.execute(
                "UPDATE identity SET value = NULL, salt = NULL, erased_us = ? WHERE token = ? AND value IS NOT NULL", (to_us(at), token)
            )
            erased += self._db.changes()
        return erased

    def forget(self, used: Mapping[Token, datetime], at: datetime) -> int:
        """Erase the values that were last used at these very moments; one that was given out since then is left alone."""
        query = "SELECT 1 FROM identity WHERE token = ? AND created_us = ?"
        return self.erase([token for token, moment in used.items() if self._db.execute(query, (token, to_us(moment))).fetchone()], at)

    def _used_again(self, value: IdentityValue, at: datetime) -> IdentityRow | None:
        again = (
            "UPDATE identity SET created_us = max(created_us + 1, ?) WHERE class = ? AND value = ?"
            " RETURNING token, class, commitment, value"
        )
        rows = [_row(*columns) for columns in self._db.execute(again, (to_us(at), value.kind, value.value))]
        return rows[0] if rows else None

    def _add(self, value: IdentityValue, at: datetime) -> IdentityRow:
        salt = secrets.token_bytes(_SALT_BYTES)
        row = IdentityRow(Token(secrets.token_hex(_TOKEN_BYTES)), value.kind, value.commitment(salt), value.value)
        self._db.execute(
            "INSERT INTO identity (token, class, value, salt, commitment, created_us) VALUES (?,?,?,?,?,?)",
            (row.token, row.kind, row.value, salt, row.commitment, to_us(at)),
        )
        return row


def _row(token: str, kind: str, commitment: str, value: str | None) -> IdentityRow:
    return IdentityRow(Token(token), IdentityClass(kind), Commitment(commitment), value)
