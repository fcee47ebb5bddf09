"""Hostile frames into every parser of the wire, in process: ``python -m tests.hostile.frames --count 1000000``.

Messages begin as good ones (those of the first version and of today) and are then cut, spliced, flipped and blown up. A parser may
refuse with a PeerError; anything else it raises is a finding, printed with the seed that repeats it. Ends with the time it took, how
many were read and refused, and by how much the process grew; more than 50 MB is a failure too.
"""

import argparse
import base64
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.domain.ids import Seq
from edge_agent.errors import PeerError
from edge_agent.wire import control, verbs
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.export import read_heading, read_row
from edge_agent.wire.frames import Envelope, decode_envelope, decode_live, decode_rows, encode_envelope, encode_live
from edge_agent.wire.heartbeat import decode_heartbeat
from edge_agent.wire.messages import FoundPart, decode
from edge_agent.wire.redaction import officer_identity, refuse_free_text, refuse_free_text_found
from edge_agent.wire.schema import REPLIES, REQUESTS

GOLDEN = Path(__file__).parents[1] / "golden" / "frames-1" / "frames.json"
MAX_GROWTH_MB = 50
SHA = "ab" * 32
SCAN = "6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"
AT = "2026-03-02T12:00:00Z"

EPOCH = "0" * 32
SAID_BY = {"scan_id": SCAN, "revision": 1, "officer": "reviewer-1"}
PLACE = {"epoch": EPOCH, "head": 7}

ASKED: dict[str, dict[str, Any]] = {
    "HELLO": {"proto": [1, 1], "schemas": ["assessment/1.0"], "client": "console", "build": "0.1.0"},
    "PULL": {"epoch": EPOCH, "after": 5, "hash": SHA, "topics": ["ei1/harbour/"], "identities": True, "officer": "reviewer-1"},
    "SNAP": {"topics": ["ei1/harbour/gate-1/"], "last": 20},
    "UNDECIDED": {"before": 8, "most": 5, "topics": ["ei1/harbour/gate-1/"]},
    "VERDICT": {
        **SAID_BY,
        "verdict_id": SCAN,
        "conclusion": "suspicious",
        "reasons": [{"code": "known-goods"}],
        "at": AT,
        "note": "a box behind the wall",
        "assessment": SCAN,
        "order": "blind-first",
        "findings": [{"id": 1, "agrees": False}],
        "missed": [{"view": "side", "box": [1.0, 2.0, 3.5, 9.0], "label": "handgun"}],
    },
    "CONTROL": {
        "control_id": SCAN,
        "scan_id": SCAN,
        "revision": 1,
        "office": "harbour",
        "conclusion": "found",
        "found": [{"what": "cigarettes", "hs": "2402", "quantity": "12.5 kg"}],
        "at": AT,
    },
    "VIEW": SAID_BY,
    "FAULT": {**SAID_BY, "fault_id": SCAN, "what": "wrong-place", "note": "every box lies too far left"},
    "OFFICER": {"officer": "reviewer-1"},
    "PING": {},
    "BLOB": {"sha256": SHA, "offset": 0, "length": 262144},
    "PLANES": {"scan_id": SCAN, "revision": 1},
    "TILE": {"scan_id": SCAN, "revision": 1, "view": "side", "plane": "transmission/high", "level": 1, "row": 0, "column": 2},
}
"""A good request of each verb."""
ANSWERED: dict[str, dict[str, Any]] = {
    "HELLO": {
        **PLACE,
        "proto": 1,
        "first": 1,
        "first_hash": SHA,
        "site": "harbour",
        "schemas": ["assessment/1.0"],
        "limits": {"rows": 500, "credit": 8},
        "live": "tcp://*:5570",
        "you": {"name": "console-1", "role": "console", "durable": False, "supervisors": True},
    },
    "BATCH": {
        **PLACE,
        "n": 0,
        "upto": 7,
        "hash": SHA,
        "signed_head": {"epoch": EPOCH, "seq": 7, "hash": SHA, "at_us": 1, "key": SHA, "signature": SHA * 2},
    },
    "SNAP": {**PLACE, "hash": SHA, "first": 1, "heads": {"ei1/harbour/gate-1/assessment/": 7}, "n": 0, "left_out": 2},
    "UNDECIDED": {**PLACE, "first": 1, "after": 3, "scans": [SCAN], "n": 0},
    "OK": {"seq": 8, "fact_id": SCAN},
    "OFFICER": {"officer": "t-1"},
    "PONG": {**PLACE, "clock": AT, "state": {"state": "degraded", "reasons": [{"code": "running-on-cpu"}], "labels": ["handgun"]}},
    "CHUNK": {"sha256": SHA, "bytes": 10, "offset": 0, "media_type": "image/png"},
    "PLANES": {
        "scan_id": SCAN,
        "revision": 1,
        "planes": [
            {
                "view": "side",
                "plane": "transmission/high",
                "width": 2000,
                "height": 700,
                "channels": 1,
                "bits": 16,
                "levels": 3,
                "pitch_mm": [5.0, 5.0],
            }
        ],
    },
    "ERR": {"code": "diverged", "detail": "reader and journal hold different rows", "fields": {"seq": 7}},
}
"""A good reply of each verb, without rows."""
SHADOW: dict[str, Any] = {
    "fact_id": SCAN,
    "site": "harbour",
    "scanner": "gate-1",
    "scan_id": SCAN,
    "revision": 1,
    "cause": "shadow",
    "produced_at": AT,
    "schema": "shadow/1.0",
    "kind": "shadow",
    "beside": SCAN,
    "active": "no-alert",
    "capture_kind": "live",
    "selection": "random",
    "subject": "cargo",
    "conclusion": "alert",
    "reasons": [{"code": "detection-alert", "params": {"label": "handgun", "score": 0.91}}],
    "obstacles": [{"code": "dark", "params": {"share": 0.12}, "view": "side", "blocking": False}],
    "findings": [],
    "bundles": [{"name": "detector", "version": "0.2.0", "sha256": SHA, "state": "shadow"}],
    "policy_digest": SHA,
    "timings_ms": {"decode": 12.5},
}
"""The kind of body that the first version did not have."""
NASTY = [
    b"",
    b"\0",
    b"null",
    b"[]",
    b'{"a":' * 500,
    b"[" * 20_000,
    b'{"after":' + b"9" * 5000 + b"}",
    b'{"after":1e999,"epoch":NaN}',
    b'{"client":"\\ud800","build":""}',
    b'{"max":true,"after":-1}',
    b'{"found":[{}],"reasons":[{"code":1}]}',
    b"\xff\xfe\x00\x00",
    b'"' + b"x" * 70_000 + b'"',
]


def starts() -> list[list[bytes]]:
    """Give good messages to begin from."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    first = [[base64.b64decode(frame) for frame in one["frames"]] for one in golden]
    today = [(verb, ASKED[verb]) for verb in REQUESTS] + [
        (verb, ANSWERED[verb]) for verb in REPLIES
    ]  # KeyError: give the new verb its message
    shadow = JournalRow(bytes(16), Seq(8), Seq(7), "ei1/harbour/gate-1/shadow/", json.dumps(SHADOW).encode(), bytes(32))
    return [*first, encode_live(shadow), *(encode_envelope(Envelope(verb, 7, content)) for verb, content in today)]


def as_request(frames: list[bytes]) -> object:
    """Read as the two desks do, up to where the ledger would be asked."""
    envelope = decode_envelope(frames)
    model = REQUESTS.get(envelope.verb, verbs.PingRequest)
    asked = verbs.read(model, envelope.content)
    if isinstance(asked, verbs.HelloRequest):
        return verbs.common_protocol(asked.proto)
    if isinstance(asked, verbs.VerdictRequest):
        refuse_free_text(asked.reasons)
        return officer_identity(asked.officer)
    if isinstance(asked, control.ControlRequest):
        refuse_free_text_found([FoundPart(**item.model_dump()) for item in asked.found])
    return asked


def as_reply(frames: list[bytes]) -> object:
    """Read as clients do."""
    envelope = decode_envelope(frames)
    reply = verbs.read(REPLIES.get(envelope.verb, verbs.PongReply), envelope.content)
    return verbs.raised(reply) if isinstance(reply, verbs.ErrReply) else [decode(row.body) for row in envelope.rows]


def as_live(frames: list[bytes]) -> object:
    return decode(decode_live(frames).body)


def as_export(frames: list[bytes]) -> object:
    text = b"".join(frames).decode("utf-8", "replace")
    return read_heading(text), read_row(text, bytes(16))


PARSERS: tuple[Callable[[list[bytes]], object], ...] = (
    as_request,
    as_reply,
    as_live,
    decode_heartbeat,
    decode_rows,
    lambda frames: [decode(frame) for frame in frames],
    as_export,
)


def one_message(frames: list[bytes]) -> int:
    """Give the message to every parser; give how many read it. Raises what a parser may not raise."""
    read = 0
    for parse in PARSERS:
        try:
            parse(frames)
        except PeerError:
            continue
        read += 1
    return read


def split(data: bytes) -> list[bytes]:
    """Give frames out of plain bytes, for a fuzzer: 0xF8, which stands in no JSON, begins a new one."""
    return data.split(b"\xf8")[:12]


def hurt(frames: list[bytes], rng: random.Random) -> list[bytes]:
    """Give the message with some damage."""
    frames = list(frames)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = rng.randrange(len(frames)) if frames else 0
        match rng.randrange(9):
            case 0 if frames:
                frames.pop(place)
            case 1:
                frames.insert(place, rng.choice(NASTY))
            case 2 if frames:
                frames[place] = rng.choice(NASTY)
            case 3 if frames and frames[place]:
                cut = rng.randrange(len(frames[place]))
                frames[place] = frames[place][:cut]
            case 4 if frames and frames[place]:
                raw = bytearray(frames[place])
                for _ in range(rng.randint(1, 4)):
                    raw[rng.randrange(len(raw))] = rng.randrange(256)
                frames[place] = bytes(raw)
            case 5 if frames:
                frames[place] = rng.randbytes(rng.randrange(64))
            case 6 if frames:
                frames[place] = _swapped(frames[place], rng)
            case 7 if len(frames) > 1:
                rng.shuffle(frames)
            case _:
                frames += frames[:2]
    return frames[:40]


def _swapped(raw: bytes, rng: random.Random) -> bytes:
    """Put another JSON value in the place of one, where the frame is JSON."""
    values: list[Any] = [
        None,
        True,
        -1,
        1 << 70,
        0.5,
        "",
        "x" * 300,
        [],
        {},
        [[]],
        "\ud800",
        SCAN,
        SHA,
        AT,
        "2026-13-01",
        "9999-12-31T23:59:59-23:59",
    ]
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return raw + raw[:8]
    if isinstance(content, dict) and content:
        name = rng.choice(sorted(content))
        content[name if rng.random() < 0.8 else "surprise"] = rng.choice(values)
    return json.dumps(content).encode()


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    """Try ``--count`` messages."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.frames", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="messages (default: 1,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default: 1)")
    args = parser.parse_args()
    good = starts()
    for frames in good:
        assert one_message(frames), "a good message that nobody reads"
    rng = random.Random(args.seed)
    for _ in range(5000):  # so that caches are warm before growth is measured
        one_message(hurt(rng.choice(good), rng))
    before, begun, read = resident_mb(), time.perf_counter(), 0
    for number in range(args.count):
        frames = hurt(rng.choice(good), rng)
        try:
            read += bool(one_message(frames))
        except Exception as problem:  # noqa: BLE001 - that is what is looked for
            sys.exit(f"message {number} of seed {args.seed}: {problem!r}\n{[frame[:200] for frame in frames]}")
        if number % 50_000 == 0 and sys.stderr.isatty():
            print(f"\r{number:,} of {args.count:,}", end="", file=sys.stderr)
    growth, took = resident_mb() - before, time.perf_counter() - begun
    print(f"{args.count:,} messages, {read:,} read, {args.count - read:,} refused; {took:.1f} s, memory {growth:+.1f} MB")
    if growth > MAX_GROWTH_MB:
        sys.exit("the process grew too much")


if __name__ == "__main__":
    main()
