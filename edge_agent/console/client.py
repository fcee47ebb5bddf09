"""The library to build a console on: every fact of a site once and in order, verdicts, and pictures. Base package only.

:func:`open_console` is all that a program needs to begin::

    async with open_console("tcp://gate:5571", "site.key", "console.key_secret") as console:
        async for event in console.events():
            print(event)
"""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from edge_agent.console.asking import Site
from edge_agent.console.events import Event, LinkState, Newest, Only, Phase, Recent, SeenFact, Start
from edge_agent.console.fetch import Pictures
from edge_agent.console.follow import EVERYTHING, Follower, Wish
from edge_agent.console.identities import Identities
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.errors import AnswerUnreadable, MalformedMessage, PeerError, PeerSilent
from edge_agent.telemetry.clock import SystemClock
from edge_agent.transport.context import open_context
from edge_agent.transport.endpoints import reachable, split
from edge_agent.transport.keys import load_secret, load_server_keys
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.control import ControlRequest, FoundItem
from edge_agent.wire.frames import Envelope
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import AnyBody, CodeParams, decode
from edge_agent.wire.pictures import PlanesReply, TileRequest
from edge_agent.wire.undecided import UndecidedReply, UndecidedRequest
from edge_agent.wire.verbs import (
    FaultRequest,
    HelloReply,
    OfficerReply,
    OfficerRequest,
    OkReply,
    PullRequest,
    Request,
    Verb,
    VerdictRequest,
    ViewRequest,
    YouPart,
    content,
    read,
)

__all__ = [
    "ConsoleClient",
    "ControlResult",
    "Decision",
    "Event",
    "FoundItem",
    "LinkState",
    "Newest",
    "OfficerWord",
    "Only",
    "Phase",
    "Recent",
    "SeenFact",
    "Site",
    "Start",
    "Submission",
    "TileRequest",
    "Undecided",
    "Wish",
    "open_console",
]

OfficerWord = Literal["suspicious", "not-suspicious", "rescan", "refer"]


Submission: TypeAlias = VerdictRequest | ControlRequest | FaultRequest
"""What a person can say of a scan, as it goes to the site."""
_VERBS: dict[type[Request], Verb] = {VerdictRequest: Verb.VERDICT, ControlRequest: Verb.CONTROL, FaultRequest: Verb.FAULT}


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Decision:
    """What an officer decided about one revision of a scan.

    ``officer``: plain reference, sent to the site only, whose journal holds a token. ``is_supervisor``: logged in as one; refused from a
    console that is not enrolled for it. ``verdict_id`` is made once a decision, so that sending the same decision again changes nothing.
    """

    scan_id: ScanId
    revision: int
    conclusion: OfficerWord
    officer: str = field(repr=False)
    reasons: Sequence[CodeParams] = ()
    is_supervisor: bool = False
    verdict_id: str = field(default_factory=_new_id)


@dataclass(frozen=True, slots=True)
class ControlResult:
    """What an examination of a scanned consignment found. ``control_id``: as ``verdict_id``. Roles of headquarters only."""

    scan_id: ScanId
    revision: int
    office: str
    conclusion: Literal["found", "nothing-found", "not-examined"]
    found: Sequence[FoundItem] = ()
    control_id: str = field(default_factory=_new_id)


@dataclass(frozen=True, slots=True)
class Undecided:
    """Scans about which a person is still to speak, newest first, with what the journal says of them.

    ``after``: the number before which to ask on; below ``first``, the site's oldest row, there are no more.
    """

    scans: Sequence[str]
    facts: Sequence[SeenFact]
    first: int
    after: int


class ConsoleClient:
    """One console at one site. To be used from one event loop; its methods may be called by many tasks at once."""

    def __init__(self, context: Context, site: Site, clock: Clock, wish: Wish = EVERYTHING) -> None:
        """Prepare; nothing is sent before ``events`` is iterated or something is asked."""
        self._context = context
        self._site = site
        self._clock = clock
        self._only = wish.only
        self._follower = Follower(context, site, clock, wish)
        self._pictures: Pictures | None = None
        self._retry = Retry()
        self._identities = Identities()

    @property
    def state(self) -> LinkState:
        """Give the link's state at this moment, whether or not anybody reads ``events``."""
        return self._follower.state

    @property
    def you(self) -> YouPart | None:
        """Give as whom the site knows this console; None before it answered."""
        return self._follower.hello.you if self._follower.hello is not None else None

    @property
    def heartbeat(self) -> SiteState | None:
        """Give what the site last said about itself; None before it was heard."""
        return self._follower.heartbeat

    @property
    def identities(self) -> Mapping[str, str]:
        """Give the identifiers asked for so far, by token. They are personal data: show them, never log or store them."""
        return self._identities

    def events(self) -> AsyncGenerator[Event, None]:
        """Give every wanted fact once and in order, and the link's state each time its phase changes; never ends by itself.

        The order is the journal's; of a console that names scanners, it is the journal's within a topic. To be iterated once.

        Raises:
            NotAllowed: the site refuses this key, unless the console waits for it.
            UnsupportedVersion: no protocol version in common.
            Diverged: the site's journal is another than before; told by a LinkState first.
        """
        return self._follower.events()

    async def decide(self, decision: Decision) -> tuple[Seq, FactId]:
        """Send a verdict; give its number once the site has committed it. Sending the same decision again is a no-op.

        Raises:
            PeerSilent, AnswerUnreadable: not known whether it was committed; the journal will show it if so, and sending it again is
                safe.
            ReasonRequired, UnknownScan, FreeTextRefused, NotAllowed, PeerError: refused.
        """
        request = VerdictRequest(
            verdict_id=decision.verdict_id,
            scan_id=decision.scan_id,
            revision=decision.revision,
            officer=decision.officer,
            conclusion=decision.conclusion,
            reasons=list(decision.reasons),
            at=self._clock.now(),
            supervisor=decision.is_supervisor,
        )
        return await self._submit(Verb.VERDICT, request)

    async def report(self, result: ControlResult) -> tuple[Seq, FactId]:
        """Send the result of an examination; as ``decide``.

        Raises:
            NotAllowed: this key is no collector's. Others: as ``decide``.
        """
        request = ControlRequest(
            control_id=result.control_id,
            scan_id=result.scan_id,
            revision=result.revision,
            office=result.office,
            conclusion=result.conclusion,
            found=list(result.found),
            at=self._clock.now(),
        )
        return await self._submit(Verb.CONTROL, request)

    async def submit(self, request: Submission) -> tuple[Seq, FactId]:
        """Send something that was decided before; as ``decide``: sending the same again is a no-op.

        Raises:
            As ``decide``; NotAllowed also where this key may not send it.
        """
        return await self._submit(_VERBS[type(request)], request)

    async def opened(self, scan: ScanId, revision: int, officer: str) -> None:
        """Tell the site, whose journal keeps it, that an officer opened a scan.

        Raises:
            PeerSilent, UnknownScan, NotAllowed, PeerError: it is not in the journal.
        """
        await self._submit(Verb.VIEW, ViewRequest(scan_id=scan, revision=revision, officer=officer))

    async def token_of(self, officer: str) -> str:
        """Give the token under which the site's journal holds an officer.

        Raises:
            PeerSilent, NotAllowed, PeerError.
        """
        reply = await self._asked(Verb.OFFICER, OfficerRequest(officer=officer))
        return read(OfficerReply, reply.content).officer

    async def identify(self, seq: Seq, officer: str | None = None) -> Mapping[str, str]:
        """Ask for the identifiers behind the tokens of row ``seq``, those that this role may see; the site journals the view.

        Gives the values that the site holds now, by token. ``officer``: for whom they are asked, whom the journal then names by a token;
        a site too old for that is asked without, and its journal names this workstation alone, as it always did.

        Raises:
            NotAllowed, PeerSilent, PeerError: not given.
        """
        epoch = self._follower.epoch
        if epoch is None:
            raise PeerSilent("the site has not answered yet; iterate events() first")
        request = PullRequest(epoch=epoch.hex(), after=seq - 1, max=1, identities=True, officer=officer)
        try:
            reply = await self._asked(Verb.PULL, request)
        except MalformedMessage as problem:
            if officer is None or problem.fields.get("field") != "officer":
                raise
            reply = await self._asked(Verb.PULL, request.model_copy(update={"officer": None}))
        return self._identities.take(reply)

    async def undecided(self, before: Seq, most: int) -> Undecided:
        """Ask which scans judged last before row ``before`` still wait for a person; ``most`` 0: for their names only.

        Raises:
            PeerSilent, NotAllowed, PeerError: not told; MalformedMessage: also by a site too old to tell.
        """
        hello = self._greeted()
        topics = self._only.topics(hello.site) if self._only.scanners else []
        reply = await self._asked(Verb.UNDECIDED, UndecidedRequest(before=before, most=most, topics=topics))
        told = read(UndecidedReply, reply.content)
        seen_at = self._clock.now() + self.state.clock_offset
        facts = [SeenFact(row.seq, row.topic, _body(row), replayed=True, seen_at=seen_at) for row in reply.rows]
        return Undecided(told.scans, facts, told.first, told.after)

    async def blob(self, sha256: str) -> bytes:
        """Give a picture or map that an assessment names in ``blobs``; its digest was compared.

        Raises:
            UnknownBlob, BlobGone: no such picture (any more). NotAllowed: not for this role.
            PeerSilent: no answer, or ``events`` has not met the site yet. MalformedMessage: not the bytes that were asked for.
        """
        return await self._fetching().blob(sha256)

    async def planes(self, scan: ScanId, revision: int) -> PlanesReply:
        """Give which planes of a revision are stored, with their sizes and levels.

        Raises:
            UnknownScan, UnknownBlob, NotAllowed, PeerSilent, MalformedMessage.
        """
        return await self._fetching().planes(scan, revision)

    async def tile(self, tile: TileRequest) -> bytes:
        """Give one tile of a plane as PNG, at most 512 x 512 px; its digest was compared.

        Raises:
            UnknownScan, UnknownBlob, BlobGone, NotAllowed, PeerSilent, MalformedMessage.
        """
        return await self._fetching().tile(tile)

    def close(self) -> None:
        """Close the sockets. What is still being asked fails."""
        self._follower.close()
        if self._pictures is not None:
            self._pictures.close()

    async def _submit(self, verb: Verb, request: Request) -> tuple[Seq, FactId]:
        answer = (await self._asked(verb, request)).content
        try:
            done = read(OkReply, answer)
        except MalformedMessage as problem:
            raise AnswerUnreadable("the site answered, but not with what says whether it is committed") from problem
        return Seq(done.seq), FactId(done.fact_id)

    async def _asked(self, verb: Verb, request: Request) -> Envelope:
        link = SyncLink(self._context, self._site.endpoint, self._site.security, self._retry)
        try:
            return await link.request(verb, content(request))
        finally:
            link.close()

    def _greeted(self) -> HelloReply:
        if self._follower.hello is None:
            raise PeerSilent("the site has not answered yet; iterate events() first")
        return self._follower.hello

    def _fetching(self) -> Pictures:
        hello = self._greeted()
        if hello.blob is None:
            raise PeerError("this site is too old to give pictures")
        if self._pictures is None:
            self._pictures = Pictures(self._context, reachable(hello.blob, self._site.endpoint), self._site.security)
        return self._pictures


def _body(row: JournalRow) -> AnyBody | None:
    """Give the fact of a row; None for a kind that a newer site invented."""
    try:
        return decode(row.body)
    except MalformedMessage:
        return None


@asynccontextmanager
async def open_console(endpoint: str, server_key: str, key: Path | str, wish: Wish = EVERYTHING) -> AsyncIterator[ConsoleClient]:
    """Give a console at the site that answers at ``endpoint`` (its SYNC address); everything is closed on leaving.

    ``server_key``: the site's public key as text, or its ``.key`` file; ``key``: this console's ``.key_secret`` file.

    Raises:
        ConfigInvalid, KeysMissing: the endpoint or the keys cannot be used.
    """
    split(endpoint)
    site = Site(endpoint, ClientSecurity(load_secret(Path(key)), *load_server_keys(server_key)))
    with open_context() as context:
        client = ConsoleClient(context, site, SystemClock(), wish)
        try:
            yield client
        finally:
            client.close()
