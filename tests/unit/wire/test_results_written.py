"""A result is a faithful copy of its fact: nothing left out, nothing that XML cannot hold, boxes in the scanner's own picture."""

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.geometry import Box, Frame, Orientation, Size
from edge_agent.testing.site_journal import alert_for, assessment, blocking, detection, heterogeneity, provenance, with_findings
from edge_agent.wire.convert import frames_of
from edge_agent.wire.messages import AssessmentBody, CodeParams, FramePart, decode, encode
from edge_agent.wire.results import ADVISORY, json_bytes, result_of, xml_bytes


def parsed(raw: bytes) -> ET.Element:
    return ET.fromstring(raw)  # noqa: S314 - our own bytes


MIRRORED = FramePart(view="top", width=100, height=50, to_native=(-1, 0, 100, 0, 1, 0))


def alerting(**more: object) -> AssessmentBody:
    body = with_findings(assessment("harbour", "scan-1", "alert"), [detection("handgun"), detection("knife", 0.3)], ["handgun"])
    return body.model_copy(update={"frames": [MIRRORED], **more})


def test_boxes_are_in_the_scanner_s_own_picture_when_the_fact_says_how_to_get_there() -> None:
    found = result_of(alerting()).findings[0]
    assert ("native", [(70.0, 2.0, 99.0, 40.0)]) == (found.frame, found.boxes)


def test_boxes_of_a_fact_without_frames_say_that_they_are_canonical() -> None:
    found = result_of(alerting(frames=[])).findings[0]
    assert ("canonical", [(1.0, 2.0, 30.0, 40.0)]) == (found.frame, found.boxes)


def test_only_what_raised_the_alarm_is_marked_as_alerting() -> None:
    assert [True, False] == [found.alerts for found in result_of(alerting()).findings]


def test_a_load_unlike_the_declared_goods_is_marked_when_it_is_the_reason() -> None:
    body = assessment("harbour", "scan-1", "alert", findings=[heterogeneity()])
    reason = CodeParams(code="mixed-load", params={"view": "top", "score": 0.7})
    assert [False] == [found.alerts for found in result_of(body).findings]
    assert [True] == [found.alerts for found in result_of(body.model_copy(update={"reasons": [reason]})).findings]


def test_a_weaker_object_of_an_alerting_class_is_not_marked() -> None:
    body = with_findings(assessment("harbour", "scan-1", "alert"), [detection("handgun", 0.9), detection("handgun", 0.2)], ["handgun"])
    assert [True, False] == [found.alerts for found in result_of(body).findings]


@pytest.mark.parametrize(("state", "words"), [("simulated", ADVISORY), ("shadow", ADVISORY), ("commissioned", "")])
def test_a_bundle_that_is_not_commissioned_makes_the_result_advisory(state: str, words: str) -> None:
    body = alerting(provenance=provenance(state))
    assert words == result_of(body).advisory
    assert words == json.loads(json_bytes(result_of(body)))["advisory"]
    assert words == (parsed(xml_bytes(result_of(body))).findtext("advisory") or "")


@pytest.mark.parametrize("conclusion", ["alert", "no-alert", "unassessable"])
def test_conclusion_obstacles_and_fact_are_in_every_form(conclusion: str) -> None:
    body = assessment("harbour", "scan-1", conclusion, obstacles=[blocking("dark")], reasons=[alert_for("knife")])
    result = result_of(body)
    as_json, as_xml = json.loads(json_bytes(result)), parsed(xml_bytes(result))
    assert ("result/1.0", "result/1.0") == (as_json["schema"], as_xml.get("schema"))
    assert [conclusion, body.fact_id] == [as_json["conclusion"], as_json["fact_id"]]
    assert [conclusion, body.fact_id] == [as_xml.findtext("conclusion"), as_xml.findtext("fact_id")]
    assert ["dark"] == [one["code"] for one in as_json["obstacles"]] == [one.text for one in as_xml.iterfind("obstacles/item/code")]


def test_regions_without_a_label_are_kept_with_their_score() -> None:
    body = assessment("harbour", "scan-1", findings=[heterogeneity().model_copy(update={"regions": [(0.0, 0.0, 10.0, 10.0)]})])
    found = result_of(body).findings[0]
    assert (None, 0.7, [(0.0, 0.0, 10.0, 10.0)]) == (found.label, found.score, found.boxes)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_makes_well_formed_xml_and_comes_back_but_for_what_xml_forbids(label: str, bundle: str) -> None:
    body = with_findings(assessment("harbour", "scan-1"), [detection("x").model_copy(update={"label": label, "bundle": bundle})])
    found = parsed(xml_bytes(result_of(body))).find("findings/item")
    assert found is not None
    read = found.findtext("label") or ""
    kept = "".join(
        c for c in label if c in "\t\n\r" or (ord(c) >= 0x20 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) not in (0xFFFE, 0xFFFF))
    )
    assert len(label) == len(read) or "\r" in label
    if kept == label and "\r" not in label:
        assert label == read


@given(
    st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
    st.tuples(st.floats(0, 400), st.floats(0, 400), st.floats(0, 100), st.floats(0, 100)),
)
def test_a_frame_does_what_the_orientation_does(native: Orientation, size: tuple[int, int], corners: tuple[float, ...]) -> None:
    canonical = Size(*size)
    origin, right, down = (native.to_native(Box(x, y, x, y), canonical) for x, y in ((0, 0), (1, 0), (0, 1)))
    matrix = (right.x0 - origin.x0, down.x0 - origin.x0, origin.x0, right.y0 - origin.y0, down.y0 - origin.y0, origin.y0)
    x, y, width, height = corners
    box = Box(x, y, x + width, y + height)
    expected, found = native.to_native(box, canonical), Frame("side", canonical, matrix).to_native(box)
    assert [expected.x0, expected.y0, expected.x1, expected.y1] == pytest.approx([found.x0, found.y0, found.x1, found.y1])


@given(st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()), st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_to_native_and_from_native_undo_each_other(native: Orientation, size: tuple[int, int]) -> None:
    canonical = Size(*size)
    box = Box(0, 0, size[0] / 2, size[1])
    own = Size(canonical.height, canonical.width) if native.transposed else canonical
    assert box == native.from_native(native.to_native(box, canonical), own)


def test_frames_of_a_body_come_back_as_they_went_in() -> None:
    (frame,) = frames_of(decode(encode(alerting())))  # type: ignore[arg-type]  # an assessment went in
    assert Frame("top", Size(100, 50), (-1, 0, 100, 0, 1, 0)) == frame
