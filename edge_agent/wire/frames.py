"""Layout of the frames of protocol EI1: topics, the 32-byte header, journal rows, requests and replies."""

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator

from edge_agent.domain.ids import ScannerId, Seq, SiteId
from edge_agent.errors import MalformedMessage, TooLarge
from edge_agent.wire.chain import EPOCH_BYTES, HASH_BYTES, JournalRow
from edge_agent.wire.messages import MAX_BODY_BYTES

ROOT = "ei1"
NO_SCANNER = "~"
_HEADER = struct.Struct(">16sQQ")
_REQUEST_ID = struct.Struct(">Q")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_MAX_JSON_BYTES = 256 * 1024
_MAX_TOPIC_BYTES = 256
_MAX_ATTACHMENT_BYTES = 1 << 20


def topic(site: SiteId, scanner: ScannerId | None, kind: str) -> str:
    """Give ``ei1/<site>/<scanner>/<kind>/``; the closing slash keeps ``s1`` from matching ``s10``."""
    return f"{ROOT}/{site}/{scanner or NO_SCANNER}/{kind}/"


def topic_root(site: SiteId) -> str:
    """Give the beginning that all topics of a site share: what a reader of the whole stream subscribes to."""
    return f"{ROOT}/{site}/"


def heartbeat_topic(site: SiteId) -> str:
    """Give the topic of the site's heartbeat; not part of the journal."""
    return f"{ROOT}/{site}/~hb"


def is_name(text: str) -> bool:
    """Tell whether ``text`` may stand in a topic: lower-case letters, digits, dot, dash, underscore; at most 63."""
    return _NAME.fullmatch(text) is not None


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be lower-case letters, digits, dot, dash or underscore, at most 63")
    return text


Name = Annotated[str, AfterValidator(_named)]
"""What configuration files call something that stands in topics: a site, a scanner, a consumer."""


def encode_live(row: JournalRow) -> list[bytes]:
    """Give the LIVE frames ``[topic][header][body]``."""
    return [row.topic.encode(), _HEADER.pack(row.epoch, row.seq, row.prev_seq), row.body]


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A journal row as LIVE carries it: without its hash, which only PULL brings."""

    topic: str
    epoch: bytes
    seq: Seq
    prev_seq: Seq
    body: bytes


def decode_live(frames: Sequence[bytes]) -> LiveMessage:
    """Read LIVE frames.

    Raises:
        MalformedMessage, TooLarge.
    """
    if len(frames) != 3:
        raise MalformedMessage("a live message has three frames", {"frames": len(frames)})
    epoch, seq, prev = _header(frames[1])
    return LiveMessage(_text(frames[0]), epoch, seq, prev, _bounded(frames[2]))


def encode_rows(rows: Sequence[JournalRow]) -> list[bytes]:
    """Give three frames a row: ``[header + topic][body][hash]``."""
    frames: list[bytes] = []
    for row in rows:
        frames += [_HEADER.pack(row.epoch, row.seq, row.prev_seq) + row.topic.encode(), row.body, row.hash]
    return frames


def decode_rows(frames: Sequence[bytes]) -> list[JournalRow]:
    """Read the row frames of a BATCH.

    Raises:
        MalformedMessage, TooLarge.
    """
    if len(frames) % 3:
        raise MalformedMessage("rows come in three frames each", {"frames": len(frames)})
    rows = []
    for head, body, digest in zip(frames[::3], frames[1::3], frames[2::3], strict=True):
        epoch, seq, prev = _header(head[: _HEADER.size])
        if len(digest) != HASH_BYTES:
            raise MalformedMessage("a row's hash has 32 bytes", {"bytes": len(digest)})
        rows.append(JournalRow(epoch, seq, prev, _text(head[_HEADER.size :]), _bounded(body), digest))
    return rows


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request or a reply on SYNC or BLOB: verb, the asker's number, a JSON object, and rows where the verb brings any.

    ``attachment``: the bytes of a CHUNK; behind rows, what travels with them but is no part of the journal. None = no such frame.
    """

    verb: str
    request_id: int
    content: dict[str, Any]
    rows: tuple[JournalRow, ...] = ()
    attachment: bytes | None = field(default=None, repr=False)


def encode_envelope(envelope: Envelope) -> list[bytes]:
    """Give ``[verb][request id][json][rows...][attachment]``."""
    content = json.dumps(envelope.content, separators=(",", ":")).encode()
    attached = [] if envelope.attachment is None else [envelope.attachment]
    return [envelope.verb.encode(), _REQUEST_ID.pack(envelope.request_id), content, *encode_rows(envelope.rows), *attached]


def decode_envelope(frames: Sequence[bytes]) -> Envelope:
    """Read a request or a reply.

    Raises:
        MalformedMessage, TooLarge.
    """
    if len(frames) < 3 or len(frames[1]) != _REQUEST_ID.size:
        raise MalformedMessage("a request has a verb, a number and a JSON object", {"frames": len(frames)})
    if len(frames[2]) > _MAX_JSON_BYTES:
        raise TooLarge("request too large", {"bytes": len(frames[2])})
    try:
        content = json.loads(frames[2])
    except (ValueError, RecursionError) as problem:
        raise MalformedMessage("the request is not JSON") from problem
    if not isinstance(content, dict):
        raise MalformedMessage("the request is not a JSON object")
    rows, attached = (frames[3:-1], frames[-1]) if len(frames) % 3 == 1 else (frames[3:], None)
    if attached is not None and len(attached) > _MAX_ATTACHMENT_BYTES:
        raise TooLarge("attachment larger than 1 MiB", {"bytes": len(attached)})
    return Envelope(_text(frames[0]), _REQUEST_ID.unpack(frames[1])[0], content, tuple(decode_rows(rows)), attached)


def _header(raw: bytes) -> tuple[bytes, Seq, Seq]:
    if len(raw) != _HEADER.size:
        raise MalformedMessage("a header has 32 bytes", {"bytes": len(raw)})
    epoch, seq, prev = _HEADER.unpack(raw)
    if prev >= seq or len(epoch) != EPOCH_BYTES:
        raise MalformedMessage("a row's predecessor comes before it", {"seq": seq, "prev_seq": prev})
    return epoch, Seq(seq), Seq(prev)


def _text(raw: bytes) -> str:
    if len(raw) > _MAX_TOPIC_BYTES:
        raise TooLarge("topic or verb too long", {"bytes": len(raw)})
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as problem:
        raise MalformedMessage("topics and verbs are ASCII") from problem


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("body larger than 64 KiB", {"bytes": len(body)})
    return body
