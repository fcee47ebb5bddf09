"""Makes the golden frames of protocol EI1 as the first landed version sent them. Run once, with that version's code on the path.

``python make_frames.py FOLDER`` writes ``frames.json``: for each message its frames (base64) and the values that this version read
from them. Each message comes a second time with fields that no version knows, as a newer site or client may send them. Nothing here
is random, so a second run writes the same file.
"""

import base64
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent.domain.ids import ScannerId, Seq, SiteId
from edge_agent.wire import messages, verbs
from edge_agent.wire.chain import JournalRow, link
from edge_agent.wire.frames import Envelope, encode_envelope, encode_live, topic
from edge_agent.wire.heartbeat import Heartbeat, encode_heartbeat

SITE, SCANNER = SiteId("harbour"), ScannerId("gate-1")
EPOCH = bytes(range(16))
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
SCAN, ID = "6f0a2f0e-5d0b-5e3f-9d59-8a4f7c1c2e11", "5a2c1f58-0000-4000-8000-00000000000"
SHA = "ab" * 32
UNKNOWN: dict[str, Any] = {"from_tomorrow": {"deep": [1, "two", None]}, "zz": 1.5}
BUNDLE = {"name": "detector", "version": "0.1.0", "sha256": SHA, "state": "simulated"}
ABOUT = {"site": SITE, "scanner": SCANNER, "scan_id": SCAN, "revision": 1, "cause": "assess", "produced_at": NOON}
REASON = {"code": "detection-alert", "params": {"label": "handgun", "score": 0.91, "n": 2, "sure": True}}

ASSESSMENT = {
    **ABOUT,
    "supersedes": ID + "9",
    "capture": {"kind": "live", "taken_at": NOON, "as_written": "2026-03-02 13:00:00", "tz_assumed": True},
    "selection": "random",
    "subject": "cargo",
    "identities": [{"kind": "container", "token": "t-1", "commitment": SHA}],
    "declared": {
        "goods": [{"hs": "0805", "description": "oranges", "gross_kg": 21000.5, "packages": 900}],
        "source": "side-car",
        "ref": "t-2",
    },
    "conclusion": "alert",
    "reasons": [REASON],
    "obstacles": [{"code": "dark", "params": {"share": 0.12}, "view": "side", "blocking": False}],
    "findings": [
        {
            "type": "detection",
            "id": 1,
            "label": "handgun",
            "score": 0.91,
            "box": [1.0, 2.5, 30.0, 40.0],
            "view": "side",
            "bundle": "detector/0.1.0",
        },
        {
            "type": "heterogeneity",
            "id": 2,
            "score": 0.7,
            "regions": [[0.0, 0.0, 9.0, 9.0]],
            "against": ["citrus"],
            "declared": True,
            "view": "side",
            "bundle": "contents/0.1.0",
        },
        {"type": "product", "id": 3, "ranked": [["citrus", 0.8], ["beef", 0.1]], "view": "side", "bundle": "contents/0.1.0"},
        {"type": "weight", "id": 4, "mass_kg": 20500.0, "low_kg": 19000.0, "high_kg": 22000.0, "bundle": "weight/0.1.0"},
    ],
    "provenance": {
        "daemon": "0.1.0",
        "runtime": "onnxruntime 1.26.0",
        "provider": "CPUExecutionProvider",
        "device": "cpu",
        "bundles": [BUNDLE],
        "members": [{"role": "high", "sha256": SHA, "bytes": 1000}],
        "config_digest": SHA,
        "policy_digest": SHA,
    },
    "timings_ms": {"decode": 12.5, "infer": 300.0},
    "blobs": [{"sha256": SHA, "bytes": 4000, "media_type": "image/png", "role": "heatmap:side"}],
    "findings_left_out": 3,
    "reasons_left_out": 1,
}
BODIES = {
    "assessment": (messages.AssessmentBody, ASSESSMENT),
    "verdict": (
        messages.VerdictBody,
        {
            **ABOUT,
            "conclusion": "not-suspicious",
            "officer": "t-3",
            "workstation": "console-1",
            "is_supervisor": False,
            "reasons": [{"code": "known-goods"}],
            "decided_at": NOON,
        },
    ),
    "control": (
        messages.ControlBody,
        {
            **ABOUT,
            "conclusion": "found",
            "found": [
                {"what": "cigarettes", "where": "wall", "hs": "2402", "quantity": "20000", "concealment": "false-wall", "form": "loose"}
            ],
            "office": "harbour-control",
        },
    ),
    "set-aside": (
        messages.SetAsideBody,
        {
            **ABOUT,
            "reason": {"code": "unreadable-scan"},
            "members": [{"role": "high", "sha256": SHA, "bytes": 10}],
            "capture_kind": "live",
            "selection": "targeted",
        },
    ),
    "referral": (messages.ReferralBody, {**ABOUT, "reason": {"code": "passed-on"}, "officer": "t-3", "workstation": "console-1"}),
    "health": (
        messages.HealthBody,
        {**ABOUT, "scanner": None, "scan_id": None, "state": "degraded", "reasons": [{"code": "disk-low", "params": {"free": 0.08}}]},
    ),
    "audit": (
        messages.AuditBody,
        {**ABOUT, "scanner": None, "scan_id": None, "event": {"code": "started", "params": {"version": "0.1.0"}}},
    ),
}
REQUESTS = {
    "HELLO": verbs.HelloRequest(client="console", build="0.1.0"),
    "PULL": verbs.PullRequest(epoch=EPOCH.hex(), after=7, hash=SHA, max=100, max_bytes=65536, wait_ms=2000, durable="hq"),
    "VERDICT": verbs.VerdictRequest(
        verdict_id=ID + "1",
        scan_id=SCAN,
        revision=1,
        officer="officer 7",
        conclusion="suspicious",
        reasons=[messages.CodeParams(code="density")],
        at=NOON,
    ),
    "PING": verbs.PingRequest(),
}
REPLIES = {
    "HELLO": verbs.HelloReply(
        proto=1,
        epoch=EPOCH.hex(),
        head=7,
        first=1,
        first_hash=EPOCH.hex(),
        site=SITE,
        schemas=list(verbs.SCHEMAS),
        limits=verbs.LimitsPart(),
        live="tcp://*:5570",
        you=verbs.YouPart(name="console-1", role="console", durable=False),
    ),
    "BATCH": verbs.BatchReply(epoch=EPOCH.hex(), head=7, n=7),
    "OK": verbs.OkReply(seq=8, fact_id=ID + "2"),
    "PONG": verbs.PongReply(epoch=EPOCH.hex(), head=7),
    "ERR": verbs.ErrReply(code="diverged", detail="reader and journal hold different rows", fields={"seq": 7}),
}


def rows(more: dict[str, Any]) -> Iterator[JournalRow]:
    """Give one row of every kind, chained; ``more`` is added to each body and to the parts in it."""
    previous = EPOCH
    for number, (kind, (model, values)) in enumerate(BODIES.items(), start=1):
        seq = Seq(number)
        content = json.loads(messages.encode(model.model_validate({**values, "fact_id": ID + str(number)})))
        body = json.dumps(grown(content, more), separators=(",", ":")).encode()
        scanner = ScannerId(content["scanner"]) if "scanner" in content else None
        previous = link(previous, seq, body)
        yield JournalRow(EPOCH, seq, Seq(0), topic(SITE, scanner, kind), body, previous)


def grown(content: Any, more: dict[str, Any]) -> Any:
    """Give a JSON value with ``more`` in every object that has fields of a fixed set."""
    if isinstance(content, list):
        return [grown(one, more) for one in content]
    if isinstance(content, dict):
        open_ended = ("params", "timings_ms", "fields", "heads")
        return {**{key: one if key in open_ended else grown(one, more) for key, one in content.items()}, **more}
    return content


def message(name: str, frames: list[bytes], read: Any) -> dict[str, Any]:
    return {"name": name, "frames": [base64.b64encode(frame).decode() for frame in frames], "read": read}


def told(envelope: Envelope, more: dict[str, Any]) -> list[bytes]:
    return encode_envelope(Envelope(envelope.verb, envelope.request_id, grown(envelope.content, more), envelope.rows))


def everything() -> Iterator[dict[str, Any]]:
    """Give every message of the protocol, plain and with unknown fields."""
    beat = Heartbeat(
        state="degraded",
        reasons=[messages.CodeParams(code="running-on-cpu")],
        durable=True,
        backlog_unacked=3,
        oldest_unacked_s=1.5,
        disk_free=0.42,
        bundles=[messages.BundlePart.model_validate(BUNDLE)],
        sandbox="full",
        in_flight=2,
        epoch=EPOCH.hex(),
        head=7,
        first=1,
        heads={"ei1/harbour/gate-1/assessment/": 1},
        clock=NOON,
    )
    for label, more in (("", {}), (" with unknown fields", UNKNOWN)):
        for row in rows(more):
            body = messages.decode(row.body)
            yield message(f"LIVE {body.kind}{label}", encode_live(row), body.model_dump(mode="json", by_alias=True))
        frames = encode_heartbeat(SITE, beat)
        content = json.dumps(grown(json.loads(frames[1]), more), separators=(",", ":")).encode()
        yield message(f"heartbeat{label}", [frames[0], content], beat.model_dump(mode="json"))
        for verb, asked in REQUESTS.items():
            if not more or verb == "HELLO":  # all others are commands: what is half understood is refused
                yield message(f"request {verb}{label}", told(Envelope(verb, 41, verbs.content(asked)), more), asked.model_dump(mode="json"))
        for verb, reply in REPLIES.items():
            with_rows = tuple(rows(more)) if verb == "BATCH" else ()
            frames = told(Envelope(verb, 2**63 + 5, verbs.content(reply), with_rows), more)
            yield message(f"reply {verb}{label}", frames, reply.model_dump(mode="json"))


if __name__ == "__main__":
    text = json.dumps(list(everything()), indent=1, ensure_ascii=True)
    (Path(sys.argv[1]) / "frames.json").write_text(text + "\n", encoding="utf-8")
