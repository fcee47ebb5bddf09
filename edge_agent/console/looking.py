"""What officers look at: the handlers of every GET, and of the requests by which a look is journalled or identifiers are asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from edge_agent.console.catalogue import REASONS_FOR, VERDICT_REASONS
from edge_agent.console.desk import Desk
from edge_agent.console.entries import IdentifyEntry
from edge_agent.console.headquarters import Headquarters
from edge_agent.console.outbox import Outbox
from edge_agent.console.owed import Looked
from edge_agent.console.queue import Filters
from edge_agent.console.record import ScanRecord
from edge_agent.console.scan_page import note_rows, scan_view, shown_blobs, tokens_in
from edge_agent.console.trust import decisions_of, trust_rows
from edge_agent.console.trust_views import MineView, TrustsView, TrustView
from edge_agent.console.views import (
    FaultsView,
    FaultView,
    IdentitiesView,
    IdentityView,
    LanguagesView,
    MeView,
    PlanesView,
    ScanView,
    SitesView,
)
from edge_agent.console.web_stream import Hub
from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.ids import ScanId
from edge_agent.errors import AddressUnknown, UnknownBlob
from edge_agent.web.answers import Blob, Events
from edge_agent.web.routes import LastEventId
from edge_agent.web.session import Officer, OfficerRole
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import AnyBody, AuditBody
from edge_agent.wire.pictures import TileRequest

MOST_ROWS = 20_000
OVERSEERS = frozenset({OfficerRole.SUPERVISOR, OfficerRole.AUDITOR})
"""Who sees what others reported."""
_PICTURES = frozenset({"image/png", "image/jpeg"})
_MOST_MINE = 500
_TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Offers:
    """What this console offers besides its sites. ``labels``: what an officer can mark as missed."""

    blind_share: float
    labels: Sequence[str]
    headquarters: Headquarters | None = None


class Looking:
    """Handlers that change nothing but the journal of who looked."""

    def __init__(self, desk: Desk, outbox: Outbox, hub: Hub, offers: Offers) -> None:
        self._desk = desk
        self._outbox = outbox
        self._hub = hub
        self._offers = offers
        self._texts = read_texts(files("edge_agent.console") / _TEXTS)

    async def me(self, officer: Officer) -> MeView:
        """Tell who is logged in, and what he or she may say where."""
        known = [(link.name, you) for link in self._desk.sites if (you := link.client.you) is not None]
        return MeView(
            name=officer.name,
            roles=sorted(officer.roles),
            supervises=[name for name, you in known if you.supervisors and officer.is_supervisor],
            enters_controls=[name for name, you in known if you.controls],
            languages=sorted(self._texts),
            verdict_reasons=list(VERDICT_REASONS),
            reasons_for={word: list(codes) for word, codes in REASONS_FOR.items()},
            missed_labels=list(self._offers.labels),
            blind_share=self._offers.blind_share,
            has_headquarters=self._offers.headquarters is not None,
        )

    async def languages(self) -> LanguagesView:
        """Give the languages of the catalogue, for the login's page too."""
        return LanguagesView(languages=sorted(self._texts))

    async def texts(self, language: str) -> Blob:
        """Give the catalogue of texts in a language. It is the same for everybody, and the login's page needs it."""
        text = self._texts.get(language)
        if text is None:
            raise AddressUnknown("no texts in this language")
        return Blob(text, "application/json")

    async def sites(self) -> SitesView:
        """Give the sites now."""
        return SitesView(sites=self._desk.state().sites)

    async def queue(self, site: str = "", conclusion: str = "", state: str = "", offset: int = 0, limit: int = 500) -> Blob:
        """Give rows of the queue, most urgent and newest first. Filters take one value, or several with commas."""
        filters = Filters(_words(site), _words(conclusion), _words(state))
        place = self._hub.place
        rows = self._desk.queue.select(filters)
        start = max(offset, 0)
        part = rows[start : start + max(0, min(limit, MOST_ROWS))]
        head = f'{{"id":{json.dumps(place)},"total":{len(rows)},"offset":{start},"rows":['
        return Blob(head.encode() + b",".join(part) + b"]}", "application/json")

    async def stream(self, officer: Officer, last_event_id: LastEventId, after: str = "") -> Events:
        """Give events from where the page was, or from the place ``after`` of a queue it has read."""
        return Events(self._hub.events(officer.name, last_event_id or after))

    async def scan(self, officer: Officer, site: str, scan_id: str) -> ScanView:
        """Give everything about a scan; the site's journal keeps that the officer looked."""
        record = self._desk.record(site, scan_id)
        page = scan_view(record, await self._desk.token(site, officer.name))
        await self._desk.note_view(Looked(site, scan_id, page.row.revision, officer.name))
        return page

    async def planes(self, site: str, scan_id: str, revision: int) -> PlanesView:
        """Give which planes of a revision are stored."""
        record = self._desk.record(site, scan_id)
        if record.judged is None or not 1 <= revision <= record.judged.revision:
            raise UnknownBlob("the scan has no pictures of this revision", {"revision": revision})
        reply = await self._desk.picture(site, lambda client: client.planes(ScanId(record.scan_id), revision))
        return PlanesView(scan_id=reply.scan_id, revision=reply.revision, tile=reply.tile, planes=reply.planes)

    async def tile(self, site: str, scan_id: str, revision: int, tile: str) -> Blob:
        """Give the bare samples of ``tile`` (view/quantity/energy/level/column/row); the browser unpacks them."""
        asked = tile_request(self._desk.record(site, scan_id), revision, tile)
        return Blob(await self._desk.picture(site, lambda client: client.tile(asked)), encoding="deflate")

    async def blob(self, site: str, scan_id: str, sha256: str) -> Blob:
        """Give a picture of the scan that may be shown now."""
        record = self._desk.record(site, scan_id)
        named = next((blob for blob in shown_blobs(record, record.body()) if blob.sha256 == sha256), None)
        if named is None:
            raise UnknownBlob("the scan names no such picture, or it is withheld until somebody decided")
        media_type = named.media_type if named.media_type in _PICTURES else "application/octet-stream"
        return Blob(await self._desk.picture(site, lambda client: client.blob(sha256)), media_type)

    async def identities(self, officer: Officer, entry: IdentifyEntry) -> IdentitiesView:
        """Give identifiers of some scans in clear; the site journals the view."""
        records = [self._desk.record(entry.site, scan_id) for scan_id in dict.fromkeys(entry.scan_ids)]
        values = await self._desk.identities(officer.name, records, note_rows)
        wanted = {token: kind for record in records for kind, token in tokens_in(record)}
        return IdentitiesView(
            values=[IdentityView(kind=kind, token=token, value=values[token]) for token, kind in wanted.items() if token in values]
        )

    async def faults(self, officer: Officer) -> FaultsView:
        """Give what was reported as systematically wrong: everything to who oversees, to others what they reported themselves."""
        tokens = await self._tokens(officer)
        told = [_fault(site, fact.seq, fact.body, tokens[site]) for site, fact in self._desk.queue.faults() if _is_audit(fact.body)]
        sees_all = not OVERSEERS.isdisjoint(officer.roles)
        return FaultsView(
            faults=[one for one in told if sees_all or one.is_mine],
            waiting=[one for one in self._outbox.waiting(officer.name) if one.kind == "fault"],
            unknown_sites=[] if sees_all else [site for site, token in tokens.items() if token is None],
        )

    async def mine(self, officer: Officer) -> MineView:
        """Give the asker's own decisions, what came of them, and what is not saved yet."""
        tokens = await self._tokens(officer)
        decisions = [
            one
            for site, token in tokens.items()
            if token is not None
            for record in self._desk.queue.records(site)
            for one in decisions_of(record, token)
        ]
        decisions.sort(key=lambda one: one.at, reverse=True)
        unknown = [site for site, token in tokens.items() if token is None]
        return MineView(decisions=decisions[:_MOST_MINE], waiting=self._outbox.waiting(officer.name), unknown_sites=unknown)

    async def trust(self, site: str = "", kind: str = "live") -> TrustsView:
        """Give how far the alerts of each site can be trusted."""
        wanted = CaptureKind.SYNTHETIC if kind == CaptureKind.SYNTHETIC else CaptureKind.LIVE
        names = [link.name for link in self._desk.sites if not site or link.name == site]
        return TrustsView(sites=[self._trust(name, wanted) for name in names])

    async def headquarters(self, page: str) -> Blob:
        """Pass on headquarters' figures."""
        if self._offers.headquarters is None:
            raise AddressUnknown("this console's configuration names no headquarters")
        return Blob(await self._offers.headquarters.page(page), "application/json")

    async def _tokens(self, officer: Officer) -> dict[str, str | None]:
        return {link.name: await self._desk.token(link.name, officer.name) for link in self._desk.sites}

    def _trust(self, site: str, kind: CaptureKind) -> TrustView:
        link = self._desk.at(site)
        records = [one for one in self._desk.queue.newest(site) if one.judged is not None and one.judged.kind == kind]
        moments = [one.judged.at for one in records if one.judged is not None]
        beat: SiteState | None = link.client.heartbeat
        return TrustView(
            site=site,
            kind=kind.value,
            scans=len(records),
            first=min(moments, default=None),
            last=max(moments, default=None),
            rows=trust_rows(records, kind),
            bundles=beat.bundles if beat is not None else [],
            policies=self._desk.queue.policies(site),
            is_commissioned=self._desk.site_view(link).is_commissioned,
            certificate=[one for one in link.client.state.reasons if one.code.startswith("certificate-")],
            certificates=beat.certificates if beat is not None else [],
        )


def read_texts(folder: Traversable) -> dict[str, bytes]:
    """Give the catalogues of texts by language: the files ``LANGUAGE.json``."""
    if not folder.is_dir():
        return {}
    return {one.name.removesuffix(".json"): one.read_bytes() for one in folder.iterdir() if one.name.endswith(".json")}


def tile_request(record: ScanRecord, revision: int, tile: str) -> TileRequest:
    """Give the site's request for a tile.

    Raises:
        UnknownBlob: nothing can be called so.
    """
    try:
        view, quantity, energy, level, column, row = tile.rsplit("/", 5)
        place = {"level": int(level), "column": int(column), "row": int(row)}
        about = {"scan_id": record.scan_id, "revision": revision, "view": view, "plane": f"{quantity}/{energy}"}
        return TileRequest.model_validate({**about, **place, "encoding": "deflate"})
    except ValueError as problem:  # pydantic's is one too
        raise UnknownBlob("the scan has no such view, plane, level or tile", {"parts": tile.count("/") + 1}) from problem


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in text.split(",") if word)


def _is_audit(body: object) -> bool:
    return isinstance(body, AuditBody)


def _fault(site: str, seq: int, body: AnyBody | None, my_token: str | None) -> FaultView:
    assert isinstance(body, AuditBody)  # noqa: S101 - the queue keeps no other
    params = body.event.params
    by, note = params.get("officer"), params.get("note")
    return FaultView(
        site=site,
        scan_id=body.scan_id or "",
        seq=seq,
        at=body.produced_at,
        what=str(params.get("what", "")),
        by=None if by is None else str(by),
        is_mine=by is not None and str(by) == my_token,
        workstation=str(params.get("workstation", "")),
        note=None if note is None else str(note),
    )
