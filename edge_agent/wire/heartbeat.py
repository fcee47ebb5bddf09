"""The site's heartbeat on LIVE: two frames, ``[topic][json]``; sent each second and at once to a new subscriber.

It is no fact and not in the journal. It shows a lost last message (``head`` beyond what a reader saw) and a dead link (silence).
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from edge_agent.domain.ids import SiteId
from edge_agent.errors import MalformedMessage
from edge_agent.wire.frames import heartbeat_topic
from edge_agent.wire.messages import BundlePart, CodeParams
from edge_agent.wire.verbs import EpochHex, Number, PongReply, Reply

INTERVAL_S = 1.0
SILENCE_S = 3.0
_MAX_BYTES = 64 * 1024


class CertificatePart(Reply):
    """What commissioning found at a site for one kind of subject: alarms among ``n`` clean scans, with the 95 % interval of their share.

    ``is_held_out``: counted on scans that had no part in the thresholds; else on those from which these were made. It may have expired.
    """

    subject: str
    alarms: Number
    n: Number
    low: float
    high: float
    is_held_out: bool
    made_at: Annotated[AwareDatetime, Field(strict=False)]
    not_after: Annotated[AwareDatetime, Field(strict=False)]


class SiteState(Reply):
    """What the site says about itself; None where it does not know.

    ``durable``: acceptance is going on. ``backlog_unacked`` rows not yet on the disk of every durable consumer, the oldest of them
    ``oldest_unacked_s`` seconds old. ``disk_free``: share of the state directory's file system. ``sandbox``: full, partial or none.
    ``daemon``: program and version; ``policy_digest``: SHA-256 of the policy in force. ``certificates``: those that were made for the
    bundles and the policy in force. ``labels``: what the detectors in force can find.
    """

    state: Literal["healthy", "degraded", "failing"]
    reasons: list[CodeParams] = Field(default=[])
    durable: bool = True
    backlog_unacked: int | None = None
    oldest_unacked_s: float | None = None
    disk_free: float | None = None
    bundles: list[BundlePart] = Field(default=[])
    sandbox: str | None = None
    in_flight: int | None = None
    daemon: str | None = None
    policy_digest: str | None = None
    certificates: list[CertificatePart] = Field(default=[])
    labels: list[str] = Field(default=[])


class StatusReply(PongReply):
    """PONG with what the heartbeat says, for headquarters, which listens to no LIVE. None from sites older than these fields.

    ``clock``: the site's time in UTC.
    """

    clock: Annotated[AwareDatetime | None, Field(strict=False)] = None
    state: SiteState | None = None


class Heartbeat(SiteState):
    """The site's state with the place of its journal. ``heads``: last number of each topic. ``clock``: the site's time in UTC.

    ``started``: when the site began to publish; another value than before means that it was restarted, perhaps on another ledger.
    """

    epoch: EpochHex
    head: Number
    first: Number
    heads: dict[str, Number]
    clock: Annotated[AwareDatetime, Field(strict=False)]
    started: Annotated[AwareDatetime | None, Field(strict=False)] = None


def encode_heartbeat(site: SiteId, heartbeat: Heartbeat) -> list[bytes]:
    """Give the two frames of a heartbeat."""
    return [heartbeat_topic(site).encode(), heartbeat.model_dump_json(exclude_none=True).encode()]


def is_heartbeat(frames: Sequence[bytes]) -> bool:
    """Tell a heartbeat from a journal row by its number of frames."""
    return len(frames) == 2


def decode_heartbeat(frames: Sequence[bytes]) -> Heartbeat:
    """Read the frames of a heartbeat.

    Raises:
        MalformedMessage: not two frames, not a heartbeat's topic, too large, or not its JSON.
    """
    if len(frames) != 2 or not frames[0].endswith(b"/~hb") or len(frames[1]) > _MAX_BYTES:
        raise MalformedMessage("not a heartbeat", {"frames": len(frames)})
    try:
        return Heartbeat.model_validate_json(frames[1])
    except (ValidationError, RecursionError) as problem:
        raise MalformedMessage("the heartbeat cannot be read") from problem
