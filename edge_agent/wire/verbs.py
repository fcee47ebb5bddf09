"""Requests and replies on SYNC, their limits and their refusals. Epochs and hashes are lower-case hex in JSON.

Requests refuse unknown fields: a command that is half understood must not be carried out. HELLO and all replies ignore them, so
that sides of different age can find out what they have in common.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_agent.errors import (
    AmbiguousReference,
    BlobGone,
    Diverged,
    EdgeAgentError,
    EpochChanged,
    FormRefused,
    FreeTextRefused,
    MalformedMessage,
    NotAllowed,
    PeerError,
    PeerFailed,
    ReasonRequired,
    Scalar,
    TooLarge,
    UnknownBlob,
    UnknownScan,
    UnsupportedVersion,
)
from edge_agent.wire.heads import SignedHeadPart
from edge_agent.wire.messages import CodeParams

PROTOCOL = 1
SCHEMAS = (
    "assessment/1.0",
    "verdict/1.0",
    "control/1.0",
    "set-aside/1.0",
    "referral/1.0",
    "health/1.0",
    "audit/1.0",
    "shadow/1.0",
)
MAX_ROWS = 500
MAX_BATCH_BYTES = 1 << 20
MAX_WAIT_MS = 30_000
MAX_SNAP = 100
MAX_TOPICS = 64
MAX_NOTE = 2_000
MAX_FINDING_WORDS = 64
MAX_MISSED = 16
MAX_IN_HAND = 8
GREETING_ID = 0
"""Number of what a site says by itself when it connects to headquarters; no request has it."""
CHUNK_BYTES = 256 * 1024
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Verb(StrEnum):
    """First frame of a request or a reply."""

    HELLO = "HELLO"
    PULL = "PULL"
    BATCH = "BATCH"
    SNAP = "SNAP"
    UNDECIDED = "UNDECIDED"
    VERDICT = "VERDICT"
    CONTROL = "CONTROL"
    VIEW = "VIEW"
    FAULT = "FAULT"
    OFFICER = "OFFICER"
    OK = "OK"
    PING = "PING"
    PONG = "PONG"
    BLOB = "BLOB"
    PLANES = "PLANES"
    TILE = "TILE"
    CHUNK = "CHUNK"
    ERR = "ERR"


EpochHex = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
HashHex = Annotated[str, Field(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})$", description="hash of a row, or the epoch before the first row")]
Number = Annotated[int, Field(ge=0, lt=1 << 63)]
Uuid = Annotated[str, Field(pattern=f"^{_UUID}$")]
ShortText = Annotated[str, Field(max_length=128)]
Revision = Annotated[int, Field(ge=1, lt=1 << 31)]
Officer = Annotated[str, Field(min_length=1, max_length=128)]
Note = Annotated[str, Field(max_length=MAX_NOTE)]
TopicStart = Annotated[str, Field(pattern=r"^ei1/[a-z0-9._~/-]{0,250}$", description="beginning of topics, for a filtered reader")]


class Request(BaseModel):
    """Base of what a client asks."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Reply(BaseModel):
    """Base of what the site answers."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class HelloRequest(Request):
    """Opening of a conversation. ``proto``: lowest and highest protocol version the client speaks."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    proto: Annotated[list[Number], Field(min_length=2, max_length=2)] = [PROTOCOL, PROTOCOL]
    schemas: Annotated[list[ShortText], Field(max_length=64)] = list(SCHEMAS)
    client: ShortText
    build: ShortText


class LimitsPart(Reply):
    """What one request may ask for: rows and bytes of a BATCH, milliseconds of a long poll, outcomes of a SNAP, bytes of a CHUNK.

    ``credit``: requests of one connection that may be unanswered at a time; one more is refused.
    """

    rows: Number = MAX_ROWS
    bytes: Number = MAX_BATCH_BYTES
    wait_ms: Number = MAX_WAIT_MS
    snap: Number = MAX_SNAP
    chunk: Number = CHUNK_BYTES
    credit: Number = MAX_IN_HAND


class YouPart(Reply):
    """As whom the site knows the caller. ``supervisors``: whether it may say that its officer is a supervisor.

    ``controls``: whether it may send results of examinations.
    """

    name: str
    role: str
    durable: bool
    supervisors: bool = False
    controls: bool = False


class HelloReply(Reply):
    """Who the site is and where its journal stands. A new reader starts at ``first - 1`` with ``first_hash``.

    ``next_key``: the public key under which the site will answer after its present one.
    """

    proto: Number
    epoch: EpochHex
    head: Number
    first: Number
    first_hash: HashHex
    site: str
    schemas: list[str]
    limits: LimitsPart
    live: str
    blob: str | None = None
    next_key: str | None = None
    you: YouPart


class PullRequest(Request):
    """Ask for the rows after number ``after``.

    ``hash``: chain hash the reader holds at ``after``. ``wait_ms``: hold the answer back until there is a row, at most so long.
    ``durable``: the collector's own name at the site; it means that everything up to ``after`` is on its disk.
    ``topics``: only rows of topics that begin so (none = all); such a reader goes on from the ``upto`` of the answer, and may not
    acknowledge. ``identities``: send the values behind tokens too, those that the caller's role may see; each view is journalled, with a
    token of the ``officer``, plain here, for whom they are asked.
    """

    epoch: EpochHex
    after: Number
    hash: HashHex | None = None
    max: Annotated[int, Field(ge=1, le=MAX_ROWS)] = MAX_ROWS
    max_bytes: Annotated[int, Field(ge=1, le=MAX_BATCH_BYTES)] = MAX_BATCH_BYTES
    wait_ms: Annotated[int, Field(ge=0, le=MAX_WAIT_MS)] = 0
    durable: ShortText | None = None
    topics: Annotated[list[TopicStart], Field(max_length=MAX_TOPICS)] = []
    identities: bool = False
    officer: Officer | None = Field(None, repr=False)


class BatchReply(Reply):
    """Head of the journal and the number of rows that follow, three frames each.

    To a filtered PULL also: the journal holds no other row of these topics up to number ``upto``, whose chain hash is ``hash``.
    To a durable PULL also: the last head that the site signed, where it signs; it may lie before or behind the rows that follow.
    """

    epoch: EpochHex
    head: Number
    n: Number
    upto: Number | None = None
    hash: HashHex | None = None
    signed_head: SignedHeadPart | None = None


class SnapRequest(Request):
    """Ask for the newest ``last`` outcomes of each scanner, with everything said of these scans.

    ``topics`` and ``identities``: as in a PULL.
    """

    topics: Annotated[list[TopicStart], Field(max_length=MAX_TOPICS)] = []
    last: Annotated[int, Field(ge=1, le=MAX_SNAP)] = 50
    identities: bool = False


class SnapReply(Reply):
    """The journal at one moment, and the number of rows that follow in the journal's order.

    ``hash``: chain hash at ``head``: a reader goes on from there. ``heads``: last number of each topic that was asked for.
    ``left_out``: outcomes among the newest that did not fit in the answer.
    """

    epoch: EpochHex
    head: Number
    hash: HashHex
    first: Number
    heads: dict[str, Number]
    n: Number
    left_out: Number = 0


class FindingWord(Request):
    """Whether the officer agrees with finding ``id`` of the assessment that he or she saw."""

    id: Annotated[int, Field(ge=0, lt=1 << 31)]
    agrees: bool


class MissedItem(Request):
    """Something that the machine missed. ``box``: x0, y0, x1, y1, half-open, canonical px of ``view``; ``label``: a catalogue word."""

    view: Annotated[str, Field(min_length=1, max_length=64)]
    box: Annotated[list[Annotated[float, Field(ge=0, lt=1 << 20)]], Field(min_length=4, max_length=4)]
    label: Annotated[str, Field(min_length=1, max_length=40)]


class VerdictRequest(Request):
    """An officer's decision. ``officer`` is plain here and becomes a token at the site; ``verdict_id`` makes a resend a no-op.

    ``supervisor``: the officer logged in as one. Only a console that is enrolled for it may say so.
    ``note``: free text; the body holds a token of it. ``assessment``: fact_id of the machine's word that was shown.
    ``order``: whether the machine's word was shown from the start, after this decision, or between an earlier one and this.
    """

    verdict_id: Uuid
    scan_id: Uuid
    revision: Revision
    officer: Officer = Field(repr=False)
    conclusion: Literal["suspicious", "not-suspicious", "rescan", "refer"]
    reasons: Annotated[list[CodeParams], Field(max_length=16)] = []
    at: Annotated[AwareDatetime, Field(strict=False)]
    supervisor: bool = False
    note: Note = Field("", repr=False)
    assessment: Uuid | None = None
    order: Literal["assisted", "blind-first", "after-reveal"] = "assisted"
    findings: Annotated[list[FindingWord], Field(max_length=MAX_FINDING_WORDS)] = []
    missed: Annotated[list[MissedItem], Field(max_length=MAX_MISSED)] = []


class ViewRequest(Request):
    """An officer opened a revision of a scan: journalled once an hour."""

    scan_id: Uuid
    revision: Revision
    officer: Officer = Field(repr=False)


class FaultRequest(Request):
    """An officer reports that the machine is wrong in a systematic way. ``what``: a catalogue word; ``note``: as in a verdict."""

    fault_id: Uuid
    scan_id: Uuid
    revision: Revision
    officer: Officer = Field(repr=False)
    what: Annotated[str, Field(min_length=1, max_length=40)]
    note: Note = Field("", repr=False)


class OfficerRequest(Request):
    """Ask for the token under which the journal holds an officer, to show him or her what is his or hers."""

    officer: Officer = Field(repr=False)


class OfficerReply(Reply):
    """The officer's token at this site."""

    officer: str


class OkReply(Reply):
    """The fact is committed under this number."""

    seq: Number
    fact_id: str


class PingRequest(Request):
    """Is anybody there?"""


class PongReply(Reply):
    """Yes, and the journal stands here."""

    epoch: EpochHex
    head: Number


class ErrReply(Reply):
    """A refusal: a stable code, one sentence, and values."""

    code: str
    detail: str = ""
    fields: dict[str, Scalar] = {}


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], content: dict[str, Any]) -> Model:
    """Read the JSON object of a request or reply.

    Raises:
        MalformedMessage: a field is absent, unknown or of the wrong type; names the field, never its value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:128]
        raise MalformedMessage(f"{model.__name__}: {where}: {first['msg']}"[:256], {"field": where}) from None


def content(message: Request | Reply) -> dict[str, Any]:
    """Give the JSON object of a request or reply."""
    return message.model_dump(mode="json", exclude_none=True)


def common_protocol(asked: list[int]) -> int:
    """Give the version to speak.

    Raises:
        UnsupportedVersion: no version in common.
    """
    low, high = asked
    if not low <= PROTOCOL <= high:
        raise UnsupportedVersion("no protocol version in common", {"site": PROTOCOL, "low": low, "high": high})
    return PROTOCOL


def refusal(error: EdgeAgentError) -> ErrReply:
    """Give the ERR content for a refusal."""
    return ErrReply(code=error.code, detail=error.detail, fields=error.fields)


REFUSALS: dict[str, type[PeerError]] = {
    leaf.code: leaf
    for leaf in (
        MalformedMessage,
        UnsupportedVersion,
        NotAllowed,
        TooLarge,
        Diverged,
        ReasonRequired,
        UnknownScan,
        UnknownBlob,
        BlobGone,
        FreeTextRefused,
        FormRefused,
        AmbiguousReference,
        EpochChanged,
        PeerFailed,
    )
}


def raised(reply: ErrReply) -> PeerError:
    """Give the error a client raises for an ERR; a code of a newer site becomes a plain PeerError that carries it."""
    leaf = REFUSALS.get(reply.code)
    if leaf is None:
        return PeerError(f"{reply.code}: {reply.detail}", {**reply.fields, "code": reply.code})
    return leaf(reply.detail, reply.fields)
