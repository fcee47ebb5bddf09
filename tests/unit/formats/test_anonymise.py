"""No field of a personal class keeps its value; pixels and measurements stay; JPEG files keep their picture only."""

import json

import cv2
import numpy as np
import pytest

from edge_agent.errors import UnreadableScan
from edge_agent.formats.anonymise import anonymised, clean_entries
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.formats.jpeg_metadata import without_metadata
from edge_agent.formats.package_model import Privacy, ScanJson
from edge_agent.formats.package_schema import fields
from edge_agent.testing.drops import load_picture

DIGEST = "ab" * 32
FULL = {
    "format": {},
    "system": {"scanner_id": "gate-1", "profile": "p"},
    "scan": {"id": "6f0a2f0e", "revision": 1, "status": "complete", "partial": []},
    "capture": {
        "taken_at": "2026-03-02T12:00:00Z",
        "as_written": "as-written-by-jane",
        "tz_assumed": True,
        "kind": "live",
        "selection": "random",
        "beam": "6 MV",
        "system": "HCVx",
    },
    "subject": {
        "kind": "cargo",
        "equipment": ["token-a", "token-b"],
        "related": ["token-c"],
        "readings": [{"token": "token-b", "check": "valid", "confidence": 0.9}],
    },
    "declaration": {"goods": [{"hs": "0202", "description": "beef of jane", "gross_kg": 1.0}], "source": "sidecar", "id": "token-d"},
    "consignment": {
        "origin": "BR",
        "destination": "IN",
        "vessel": "Sea Hare",
        "voyage": "12E",
        "gross_kg": 5.0,
        "risk_flags": [{"code": "ask jane", "source": "RMS"}],
    },
    "third_party": [{"source": "dataform", "algorithm": "ATR", "version": "1", "conclusion": "alert"}],
    "views": [],
    "attachments": [
        {"kind": kind, "role": kind, "sha256": DIGEST, "size": 1, "media_type": "image/jpeg"}
        for kind in ("optical", "ocr", "stamp", "vendor", "radiation", "preview")
    ],
    "sources": [],
    "entries": {},
}
DOCUMENT = ScanJson.model_validate(FULL)


def values(node, path=""):
    """Every leaf of a document with its path as the schema writes it."""
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from values(inner, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for inner in node:
            yield from values(inner, f"{path}[]")
    else:
        yield path, node


def told(document):
    return list(values(json.loads(document.model_dump_json())))


PERSONAL = {field.path for field in fields() if field.privacy in (Privacy.PSEUDONYM, Privacy.FREE_TEXT)}


def test_the_document_of_this_test_fills_every_personal_field():
    filled = {path for path, value in told(DOCUMENT) if value}
    assert PERSONAL <= filled


@pytest.mark.parametrize("path", sorted(PERSONAL))
def test_no_value_of_a_personal_field_survives(path):
    before = {value for where, value in told(DOCUMENT) if where == path}
    after = anonymised(DOCUMENT, keeps_tokens=False).model_dump_json()
    assert [] == [value for value in before if str(value) in after]


def test_an_export_keeps_tokens_but_no_free_text():
    kept = anonymised(DOCUMENT, keeps_tokens=True)
    assert (("token-a", "token-b"), "token-d") == (kept.subject.equipment, kept.declaration.id)
    assert "jane" not in kept.model_dump_json()


def test_the_same_token_stays_the_same_word():
    subject = anonymised(DOCUMENT, keeps_tokens=False).subject
    assert (("subject-1", "subject-2"), "subject-2", ()) == (subject.equipment, subject.readings[0].token, subject.related)


def test_pictures_of_people_and_numbers_are_not_named_any_more():
    assert ["radiation", "preview"] == [one.kind for one in anonymised(DOCUMENT, keeps_tokens=True).attachments]


def test_what_says_nothing_of_a_person_stays():
    after = anonymised(DOCUMENT, keeps_tokens=False)
    assert (DOCUMENT.capture.kind, DOCUMENT.third_party, 5.0) == (after.capture.kind, after.third_party, after.consignment.gross_kg)
    assert (1.0, "0202") == (after.declaration.goods[0].gross_kg, after.declaration.goods[0].hs)


def test_anonymising_twice_is_anonymising_once():
    once = anonymised(DOCUMENT, keeps_tokens=False)
    assert once == anonymised(once, keeps_tokens=False)


def segment(marker, content):
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("colour", [False, True])
def test_a_jpeg_loses_its_metadata_and_no_pixel(colour):
    grey = load_picture(40, 60, bits=8)
    plain = jpeg_bytes(np.dstack([grey, grey[::-1], grey]) if colour else grey)
    personal = [segment(0xE1, b"Exif\0\0jane"), segment(0xFE, b"by jane"), segment(0xED, b"Photoshop jane"), segment(0xE0, b"JFXX\0jane")]
    dirty = plain[:2] + b"".join(personal) + plain[2:] + b"trailer of jane"
    clean = without_metadata(dirty)
    assert b"jane" not in clean
    np.testing.assert_array_equal(decoded(plain), decoded(clean))
    assert clean == without_metadata(clean)


def test_a_thumbnail_in_the_first_segment_is_left_out():
    plain = jpeg_bytes(load_picture(40, 60, bits=8))
    jfif = b"JFIF\0\x01\x01\0\0\x01\0\x01\x02\x01" + b"jane!!"
    length = int.from_bytes(plain[4:6])
    clean = without_metadata(plain[:2] + segment(0xE0, jfif) + plain[4 + length :])
    assert b"jane" not in clean
    assert (40, 60) == decoded(clean).shape


@pytest.mark.parametrize("data", [b"", b"PNG", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff", b"\xff\xd8\xff\xda\x00\x02no end"])
def test_what_cannot_be_followed_is_refused(data):
    with pytest.raises(UnreadableScan):
        without_metadata(data)


def test_other_entries_stay_and_files_that_the_document_does_not_name_go():
    stay = {"images/a.tif": b"II*\0", "assessments/0001-assessment.json": b"{}", "preview.bin": b"x"}
    go = {"source/high.tif": b"II*\0 by jane", "attachments/optical.png": b"jane"}
    assert stay == clean_entries({**stay, **go}, DOCUMENT)


def test_originals_lose_their_place_unless_they_are_a_plane():
    image = {"quantity": "display", "energy": "single", "rows": 1, "cols": 1, "channels": 1, "bits": 8, "lossy": True, "source": "picture"}
    image |= {"entry": "source/picture.jpg", "pixel_sha256": DIGEST}
    file = {"size": 1, "sha256": DIGEST, "is_pixels": True}
    sources = [{"role": role, "entry": f"source/{role}.{end}", **file} for role, end in (("picture", "jpg"), ("high", "tif"))]
    view = {"name": "side", "pitch_mm": None, "pitch_assumed": False, "native": {}, "images": [image]}
    told = anonymised(ScanJson.model_validate({**FULL, "views": [view], "sources": sources}), keeps_tokens=True)
    assert (["source/picture.jpg", None], {"source/picture.jpg"}) == ([one.entry for one in told.sources], told.verbatim)
