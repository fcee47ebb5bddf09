"""Frames that the first landed version sent are read for ever, also with fields that no version knows.

``tests/golden/frames-1/frames.json`` was written once by that version's own code (``make_frames.py`` beside it) and is never changed.
"""

import base64
import json
from pathlib import Path

import pytest

from edge_agent.wire import verbs
from edge_agent.wire.chain import first_break
from edge_agent.wire.frames import decode_envelope, decode_live
from edge_agent.wire.heartbeat import decode_heartbeat
from edge_agent.wire.messages import decode

FOLDER = Path(__file__).parents[2] / "golden" / "frames-1"
GOLDEN = json.loads((FOLDER / "frames.json").read_text(encoding="utf-8"))
REQUESTS = {
    "HELLO": verbs.HelloRequest,
    "PULL": verbs.PullRequest,
    "VERDICT": verbs.VerdictRequest,
    "PING": verbs.PingRequest,
}
REPLIES = {
    "HELLO": verbs.HelloReply,
    "BATCH": verbs.BatchReply,
    "OK": verbs.OkReply,
    "PONG": verbs.PongReply,
    "ERR": verbs.ErrReply,
}


def frames(golden):
    return [base64.b64decode(frame) for frame in golden["frames"]]


def holds(now, then, where=""):
    """Everything the first version read is read today with the same value; today may know more."""
    if isinstance(then, dict):
        for name, value in then.items():
            assert name in now, f"{where}.{name}"
            holds(now[name], value, f"{where}.{name}")
    elif isinstance(then, list):
        assert len(now) == len(then), where
        for place, (mine, theirs) in enumerate(zip(now, then, strict=True)):
            holds(mine, theirs, f"{where}[{place}]")
    else:
        assert now == then, where


def read(golden):
    """What today's code reads from the frames, as JSON values."""
    kind, _, rest = golden["name"].partition(" ")
    raw = frames(golden)
    if kind == "LIVE":
        message = decode_live(raw)
        body = decode(message.body)
        assert message.topic.endswith(f"/{body.kind}/")
        return body.model_dump(mode="json", by_alias=True)
    if kind == "heartbeat":
        return decode_heartbeat(raw).model_dump(mode="json")
    envelope = decode_envelope(raw)
    models = REQUESTS if kind == "request" else REPLIES
    assert envelope.verb == rest.split(" ")[0]
    return verbs.read(models[envelope.verb], envelope.content).model_dump(mode="json")


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_a_message_of_the_first_version_is_read_as_that_version_read_it(golden):
    holds(read(golden), golden["read"])


@pytest.mark.parametrize("golden", [one for one in GOLDEN if one["name"].startswith("reply BATCH")], ids=lambda golden: golden["name"])
def test_rows_of_the_first_version_make_a_chain(golden):
    rows = decode_envelope(frames(golden)).rows
    assert (len(rows), first_break(rows, rows[0].epoch, 0)) == (7, None)


def test_every_kind_and_verb_of_the_first_version_is_there_plain_and_with_unknown_fields():
    names = {one["name"] for one in GOLDEN}
    kinds = {f"LIVE {kind}" for kind in ("assessment", "verdict", "control", "set-aside", "referral", "health", "audit")}
    plain = kinds | {"heartbeat"} | {f"reply {verb}" for verb in REPLIES} | {"request HELLO"}
    commands = {f"request {verb}" for verb in REQUESTS} - {"request HELLO"}
    assert names == plain | commands | {f"{name} with unknown fields" for name in plain}
    grown = [one for one in GOLDEN if one["name"].endswith("unknown fields")]
    assert all(b"from_tomorrow" in b"".join(frames(one)) for one in grown)
