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

from edge_agent.errors import PeerError
from edge_agent.wire import control, verbs
from edge_agent.wire.export import read_heading, read_row
from edge_agent.wire.frames import Envelope, decode_envelope, decode_live, decode_rows, encode_envelope
from edge_agent.wire.heartbeat import decode_heartbeat
from edge_agent.wire.messages import FoundPart, decode
from edge_agent.wire.redaction import officer_identity, refuse_free_text, refuse_free_text_found
from edge_agent.wire.schema import REPLIES, REQUESTS

GOLDEN = Path(__file__).parents[1] / "golden" / "frames-1" / "frames.json"
MAX_GROWTH_MB = 50
SHA = "ab" * 32
SCAN = "6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11"
AT = "2026-03-02T12:00:00Z"

TODAY: list[tuple[str, dict[str, Any]]] = [
    ("SNAP", {"topics": ["ei1/harbour/gate-1/"], "last": 20}),
    ("PULL", {"epoch": "0" * 32, "after": 5, "hash": SHA, "topics": ["ei1/harbour/"]}),
    (
        "CONTROL",
        {
            "control_id": SCAN,
            "scan_id": SCAN,
            "revision": 1,
            "office": "harbour",
            "conclusion": "found",
            "found": [{"what": "cigarettes", "hs": "2402", "quantity": "12.5 kg"}],
            "at": AT,
        },
    ),
    ("BLOB", {"sha256": SHA, "offset": 0, "length": 262144}),
    ("PLANES", {"scan_id": SCAN, "revision": 1}),
    ("TILE", {"scan_id": SCAN, "revision": 1, "view": "side", "plane": "transmission/high", "level": 1, "row": 0, "column": 2}),
    ("CHUNK", {"sha256": SHA, "bytes": 10, "offset": 0, "media_type": "image/png"}),
]
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
    return first + [encode_envelope(Envelope(verb, 7, content)) for verb, content in TODAY]


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
