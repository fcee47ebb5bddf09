"""Who is shown identifiers in clear: by the caller's role and the class of the identifier, and never without a row in the journal."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from edge_agent.domain.clock import Clock
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import ScanId, SiteId, Token
from edge_agent.errors import MalformedMessage
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.records import Appended, Entry, IdentityRow
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.identities import Disclosed, encode_identities, tokens_of, unique
from edge_agent.wire.messages import CodeParams, decode

_MOST_REMEMBERED = 10_000
Classes = frozenset[IdentityClass]

NEEDED_TO_DECIDE: Classes = frozenset(
    {
        IdentityClass.CONTAINER,
        IdentityClass.PARCEL,
        IdentityClass.PLATE,
        IdentityClass.SEAL,
        IdentityClass.DECLARATION,
        IdentityClass.VENDOR_SCAN,
        IdentityClass.NOTE,
    }
)
"""What an officer needs to find the load and its papers, and what colleagues wrote about it; nobody's name is among it."""


class PrivacySection(BaseModel):
    """Which classes of identifiers a role is shown in clear.

    ``identities``: by role. A role that is not named has what it needs: a console :data:`NEEDED_TO_DECIDE`, the others nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identities: Mapping[Role, Classes] = {}

    @property
    def allowed(self) -> dict[Role, Classes]:
        """Give what holds for each role."""
        return {Role.CONSOLE: NEEDED_TO_DECIDE, **self.identities}


class IdentityStore(Protocol):
    """What disclosure needs from the ledger."""

    async def identities(self, tokens: Sequence[Token]) -> tuple[IdentityRow, ...]:
        """Give the rows of the tokens that this site made; an erased one has no value."""

    async def append(self, entry: Entry) -> Appended:
        """Commit a fact; a known fact_id is a no-op."""


class Disclosure:
    """Gives the frame of identities for rows that go to a caller."""

    def __init__(self, site: SiteId, allowed: Mapping[Role, Classes], store: IdentityStore, clock: Clock) -> None:
        self._site = site
        self._allowed = allowed
        self._store = store
        self._clock = clock
        self._viewed: dict[tuple[str, ScanId, str], None] = {}

    async def of(self, consumer: Consumer, rows: Sequence[JournalRow]) -> tuple[bytes, bool]:
        """Give the frame for ``rows``, and whether views were journalled for it. They are committed before a value leaves.

        Raises:
            TooLarge: too many identifiers for one answer.
        """
        allowed = self._allowed.get(consumer.role, frozenset())
        named = _tokens_by_scan(rows) if allowed else {}
        tokens = unique(token for tokens in named.values() for token in tokens)
        known = {row.token: row for row in await self._store.identities(tokens) if row.value is not None and row.kind in allowed}
        frame = encode_identities([Disclosed(row.token, row.kind.value, row.value) for row in known.values() if row.value is not None])
        is_new = False
        for scan, of_scan in named.items():
            classes = {known[token].kind.value for token in of_scan if token in known}
            is_new = (bool(classes) and await self._note_view(consumer, scan, classes)) or is_new
        return frame, is_new

    async def _note_view(self, consumer: Consumer, scan: ScanId, classes: set[str]) -> bool:
        """Journal a view, once for each consumer, scan and hour; tell whether there is a new row."""
        now = self._clock.now()
        hour = now.strftime("%Y-%m-%dT%H")
        if (consumer.name, scan, hour) in self._viewed:
            return False
        params = {"consumer": consumer.name, "role": consumer.role.value, "classes": " ".join(sorted(classes))}
        entry = audit_entry(
            self._site, CodeParams(code="identities-viewed", params=dict(params)), f"viewed {consumer.name} {hour}", now, About(scan)
        )
        is_new = (await self._store.append(entry)).is_new
        if len(self._viewed) >= _MOST_REMEMBERED:
            self._viewed.clear()  # the journal knows each fact once all the same
        self._viewed[consumer.name, scan, hour] = None
        return is_new


def _tokens_by_scan(rows: Sequence[JournalRow]) -> dict[ScanId, list[Token]]:
    found: dict[ScanId, list[Token]] = {}
    for row in rows:
        try:
            body = decode(row.body)
        except MalformedMessage:
            continue  # a kind of a newer version: none of its tokens is known here
        if body.scan_id is not None:
            found.setdefault(ScanId(body.scan_id), []).extend(tokens_of(body))
    return found
