"""Who is shown identifiers in clear: by the caller's role and the class of the identifier, and never without a row in the journal."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_agent.agent.section import Section
from edge_agent.domain.clock import Clock
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId, SiteId, Token
from edge_agent.errors import MalformedMessage
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.ledger.records import Appended, Entry, IdentityRow
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.identities import Disclosed, encode_identities, tokens_of, unique
from edge_agent.wire.messages import CodeParams, decode
from edge_agent.wire.redaction import officer_identity

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


class PrivacySection(Section):
    """Which classes of identifiers a role is shown in clear.

    ``identities``: by role. A role that is not named has what it needs: a console :data:`NEEDED_TO_DECIDE`, the others nothing.
    """

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

    async def tokenise(self, values: Sequence[IdentityValue]) -> tuple[IdentityRow, ...]:
        """Give the site's token for each value."""


class Disclosure:
    """Gives the frame of identities for rows that go to a caller."""

    def __init__(self, site: SiteId, allowed: Mapping[Role, Classes], store: IdentityStore, clock: Clock) -> None:
        self._site = site
        self._allowed = allowed
        self._store = store
        self._clock = clock
        self._viewed: dict[tuple[str, ScanId, str], None] = {}

    async def of(self, consumer: Consumer, rows: Sequence[JournalRow], officer: str | None = None) -> tuple[bytes, bool]:
        """Give the frame for ``rows``, and whether views were journalled for it. They are committed before a value leaves.

        ``officer``: who looks, plain; the journal holds a token.

        Raises:
            TooLarge: too many identifiers for one answer. MalformedMessage: that is no officer's reference.
        """
        allowed = self._allowed.get(consumer.role, frozenset())
        named = _tokens_by_scan(rows) if allowed else {}
        tokens = unique(token for tokens in named.values() for token in tokens)
        known = {row.token: row for row in await self._store.identities(tokens) if row.value is not None and row.kind in allowed}
        frame = encode_identities([Disclosed(row.token, row.kind.value, row.value) for row in known.values() if row.value is not None])
        shown = {scan: {known[token].kind.value for token in of_scan if token in known} for scan, of_scan in named.items()}
        viewer = await self._viewer(consumer, officer) if any(shown.values()) else {}
        is_new = [await self._note_view(viewer, scan, classes) for scan, classes in shown.items() if classes]
        return frame, any(is_new)

    async def _viewer(self, consumer: Consumer, officer: str | None) -> dict[str, str]:
        """Give who looks, as the journal says it: the workstation and its role, and the officer's token where one is named."""
        viewer = {"consumer": consumer.name, "role": consumer.role.value}
        if officer is None:
            return viewer
        (row,) = await self._store.tokenise([officer_identity(officer)])
        return {**viewer, "officer": row.token}

    async def _note_view(self, viewer: Mapping[str, str], scan: ScanId, classes: set[str]) -> bool:
        """Journal a view, once for each viewer, scan and hour; tell whether there is a new row."""
        now = self._clock.now()
        who = " ".join(viewer[key] for key in ("consumer", "officer") if key in viewer)
        hour = now.strftime("%Y-%m-%dT%H")
        if (who, scan, hour) in self._viewed:
            return False
        event = CodeParams(code="identities-viewed", params={**viewer, "classes": " ".join(sorted(classes))})
        entry = audit_entry(self._site, event, f"viewed {who} {hour}", now, About(scan))
        is_new = (await self._store.append(entry)).is_new
        if len(self._viewed) >= _MOST_REMEMBERED:
            self._viewed.clear()  # the journal knows each fact once all the same
        self._viewed[who, scan, hour] = None
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
