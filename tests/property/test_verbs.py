"""Requests and replies: what is written is read back, what is not a request is refused with its field, never with its value."""

import contextlib
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import errors
from edge_agent.errors import FreeTextRefused, MalformedMessage, PeerError, UnsupportedVersion
from edge_agent.wire import control, pictures, schema, verbs
from edge_agent.wire.heartbeat import Heartbeat, decode_heartbeat, encode_heartbeat, is_heartbeat
from edge_agent.wire.messages import CodeParams
from edge_agent.wire.redaction import officer_identity, refuse_free_text
from edge_agent.wire.verbs import ErrReply, HelloRequest, PullRequest, VerdictRequest, common_protocol, content, raised, read, refusal

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NUMBERS = st.integers(0, (1 << 63) - 1)
HEX = st.binary(min_size=16, max_size=16).map(bytes.hex)
HASHES = st.one_of(HEX, st.binary(min_size=32, max_size=32).map(bytes.hex))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
PULLS = st.builds(
    PullRequest,
    epoch=HEX,
    after=NUMBERS,
    hash=st.none() | HASHES,
    max=st.integers(1, 500),
    max_bytes=st.integers(1, 1 << 20),
    wait_ms=st.integers(0, 30_000),
    durable=st.none() | st.text(max_size=128),
)
VERDICTS = st.builds(
    VerdictRequest,
    verdict_id=st.uuids().map(str),
    scan_id=st.uuids().map(str),
    revision=st.integers(1, 1000),
    officer=st.text(min_size=1, max_size=128),
    conclusion=st.sampled_from(["suspicious", "not-suspicious", "rescan", "refer"]),
    reasons=st.lists(st.builds(CodeParams, code=st.text(max_size=20)), max_size=16),
    at=st.datetimes(timezones=st.just(UTC)),
)


TOPIC_STARTS = st.lists(st.from_regex(r"ei1/[a-z0-9._~/-]{0,20}", fullmatch=True), max_size=4)
SNAPS = st.builds(verbs.SnapRequest, topics=TOPIC_STARTS, last=st.integers(1, 100))
CONTROLS = st.builds(
    control.ControlRequest,
    control_id=st.uuids().map(str),
    scan_id=st.uuids().map(str),
    revision=st.integers(1, 1000),
    office=st.text(min_size=1, max_size=40),
    conclusion=st.sampled_from(["found", "nothing-found", "not-examined"]),
    found=st.lists(st.builds(control.FoundItem, what=st.text(min_size=1, max_size=40), hs=st.text(max_size=12)), max_size=3),
    at=st.datetimes(timezones=st.just(UTC)),
)
SHAS = st.binary(min_size=32, max_size=32).map(bytes.hex)
BLOBS = st.builds(pictures.BlobRequest, sha256=SHAS, offset=NUMBERS, length=st.integers(1, 262_144))
TILES = st.builds(
    pictures.TileRequest,
    scan_id=st.uuids().map(str),
    revision=st.integers(1, 9),
    view=st.text(min_size=1, max_size=64),
    plane=st.just("transmission/high"),
    level=st.integers(0, 31),
    row=st.integers(0, 1 << 19),
    column=st.integers(0, 1 << 19),
)


@given(st.one_of(PULLS, VERDICTS, SNAPS, CONTROLS, BLOBS, TILES))
def test_a_request_survives_json_unchanged(request_):
    assert read(type(request_), json.loads(json.dumps(content(request_)))) == request_


@given(
    st.sampled_from([*schema.REQUESTS.values(), *schema.REPLIES.values()]),
    st.dictionaries(st.text(max_size=12), JSON, max_size=6),
)
def test_any_object_is_read_or_refused_as_malformed(model, thing):
    with contextlib.suppress(MalformedMessage):
        read(model, thing)


@pytest.mark.parametrize("model", [PullRequest, VerdictRequest, verbs.PingRequest])
def test_a_command_with_an_unknown_field_is_refused(model):
    full = {PullRequest: {"epoch": "0" * 32, "after": 0}, VerdictRequest: a_verdict(), verbs.PingRequest: {}}[model]
    read(model, full)
    with pytest.raises(MalformedMessage):
        read(model, {**full, "force": True})


def test_hello_ignores_what_a_newer_client_adds():
    assert read(HelloRequest, {"client": "console", "build": "9", "proto": [1, 3], "new": 1}).proto == [1, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "x" * 32},
        {"after": -1},
        {"after": True},
        {"after": "1"},
        {"after": 1 << 63},
        {"max": 501},
        {"max": 0},
        {"wait_ms": 30_001},
        {"hash": "00"},
        {"max_bytes": (1 << 20) + 1},
    ],
)
def test_a_pull_outside_its_limits_is_refused(change):
    with pytest.raises(MalformedMessage):
        read(PullRequest, {"epoch": "0" * 32, "after": 0, **change})


def a_verdict(**change):
    return {
        "verdict_id": str(uuid.UUID(int=1)),
        "scan_id": str(uuid.UUID(int=2)),
        "revision": 1,
        "officer": "Officer 7",
        "conclusion": "rescan",
        "at": NOON.isoformat(),
        **change,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"verdict_id": "again"},
        {"conclusion": "clear"},
        {"revision": 0},
        {"officer": ""},
        {"at": "2026-03-02T12:00:00"},
        {"reasons": [{"code": "x"}] * 17},
    ],
)
def test_a_verdict_that_is_none_is_refused(change):
    with pytest.raises(MalformedMessage):
        read(VerdictRequest, a_verdict(**change))


def test_a_refused_verdict_never_repeats_the_officer_s_name():
    with pytest.raises(MalformedMessage) as refused:
        read(VerdictRequest, a_verdict(officer="Nobody " * 40))
    assert "Nobody" not in refused.value.detail
    assert refused.value.__cause__ is None


def test_the_text_of_a_verdict_hides_the_officer():
    assert "Officer 7" not in repr(read(VerdictRequest, a_verdict()))


@pytest.mark.parametrize(("asked", "expected"), [([1, 1], 1), ([0, 5], 1)])
def test_the_common_version_is_spoken(asked, expected):
    assert common_protocol(asked) == expected


@pytest.mark.parametrize("asked", [[2, 3], [0, 0], [3, 1]])
def test_no_common_version_is_refused_never_guessed(asked):
    with pytest.raises(UnsupportedVersion):
        common_protocol(asked)


REFUSALS = [leaf for leaf in vars(errors).values() if isinstance(leaf, type) and issubclass(leaf, PeerError) and leaf is not PeerError]


@pytest.mark.parametrize(
    "leaf",
    [
        leaf
        for leaf in REFUSALS
        if leaf.code
        in (
            "malformed",
            "proto",
            "not-allowed",
            "too-large",
            "diverged",
            "reason-required",
            "unknown-scan",
            "free-text",
            "epoch",
            "internal",
        )
    ],
)
def test_a_refusal_is_raised_at_the_other_side_as_the_same_error(leaf):
    error = raised(read(ErrReply, content(refusal(leaf("why", {"n": 1})))))
    assert (type(error), error.detail, error.fields) == (leaf, "why", {"n": 1})


def test_a_refusal_of_a_newer_site_is_raised_with_its_code():
    error = raised(ErrReply(code="too-tired", detail="later"))
    assert (type(error), error.fields["code"]) == (PeerError, "too-tired")


@pytest.mark.parametrize("text", ["two words", "Name", "MSKU1234567", "a" * 41, "line\nbreak", "", "ünter", "1234567", "a_b"])
def test_free_text_is_kept_out_of_the_chain(text):
    with pytest.raises(FreeTextRefused) as refused:
        refuse_free_text([CodeParams(code="documents-checked", params={"note": text})])
    assert not text or text not in refused.value.detail
    with pytest.raises(FreeTextRefused):
        refuse_free_text([CodeParams(code=text)])


def test_words_and_numbers_pass():
    refuse_free_text(
        [CodeParams(code="seen-in-other-view", params={"view": "top", "finding": 3, "hs": "2402", "is_sure": True, "score": 0.5})]
    )


@given(st.text(max_size=200))
def test_an_officer_s_reference_is_the_same_for_every_spacing_or_refused(text):
    try:
        value = officer_identity(text).value
    except MalformedMessage:
        return
    assert officer_identity(f"  {value.replace(' ', '   ')} ").value == value
    assert value not in repr(officer_identity(text)) or value in "IdentityValue(officer, hidden)"


HEARTBEAT = Heartbeat(
    state="degraded",
    epoch="0" * 32,
    head=4,
    first=1,
    heads={"ei1/s/~/audit/": 4},
    clock=NOON,
    reasons=[CodeParams(code="disk-low", params={"free": 0.05})],
)


def test_a_heartbeat_survives_its_frames():
    frames = encode_heartbeat("s", HEARTBEAT)
    assert is_heartbeat(frames)
    assert decode_heartbeat(frames) == HEARTBEAT


def test_a_heartbeat_of_a_newer_site_is_read():
    topic, raw = encode_heartbeat("s", HEARTBEAT)
    assert decode_heartbeat([topic, json.dumps({**json.loads(raw), "mood": "good"}).encode()]).head == 4


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_frames_are_a_heartbeat_or_refused(frames):
    with pytest.raises(MalformedMessage):
        decode_heartbeat(frames)
