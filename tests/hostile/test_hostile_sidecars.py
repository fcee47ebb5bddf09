"""Side-cars made to hurt: the pixels beside them are still assessed, and the child goes on."""

import pytest

from edge_agent.domain.drop import Completeness
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.testing.drops import dataform, load_picture, picture_profile, sim_sidecar

LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><DataForm>&j;</DataForm>"
)

XML = {
    "billion-laughs": LAUGHS.encode(),
    "external-entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><DataForm>&e;</DataForm>',
    "deep": b"<DataForm>" + b"<A>" * 200_000,
    "over-a-megabyte": dataform().encode() + b" " * (1 << 20),
    "bare-ampersand": dataform().replace("A. Nobody", "A & B").encode(),
    "unpaired-utf-16": dataform().encode("utf-16")[:-1],
    "latin-1": dataform().replace("A. Nobody", "Andr\u00e9").encode("latin-1"),
    "null": dataform().replace("A. Nobody", "\x00").encode(),
    "unknown-encoding": b'<?xml version="1.0" encoding="utf-7"?>' + dataform().encode(),
    "another-vendors": b"<manifest><accession>1</accession></manifest>",
    "json": sim_sidecar(),
    "picture": jpeg_bytes(load_picture(bits=8)),
    "bad-date": dataform().replace("2025-11-12T07:30:08.910Z", "yesterday").encode(),
}


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.start()
        yield started


def lay(folder, sidecar):
    (folder / "k.jpg").write_bytes(jpeg_bytes(load_picture(bits=8)))
    (folder / "k.xml").write_bytes(sidecar)
    return [MemberFile("k.jpg", "picture", folder / "k.jpg"), MemberFile("k.xml", "sidecar", folder / "k.xml")]


@pytest.mark.parametrize("kind", sorted(XML))
def test_a_bad_side_car_costs_neither_the_pixels_nor_the_child(child, tmp_path, kind):
    members, before = lay(tmp_path, XML[kind]), child.pid
    result = child.probe(members, picture_profile("dataform"))
    assert (None, "sidecar-unreadable") == (result.sidecar, result.reason)
    assert Completeness.COMPLETE is not result.completeness
    decoded = child.decode(members, picture_profile("dataform"))
    assert len(decoded.views) == 1
    assert ["sidecar-unreadable"] == [note.code for note in decoded.notes]
    assert before == child.pid


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_names_in_a_side_car_are_never_opened(child, tmp_path, encoding):
    listed = ("/etc/passwd", "../../etc/shadow.jpg", "C:\\scans\\k.jpg", "k.jpg", "\u202egpj.k", "x" * 4000 + ".jpg")
    result = child.probe(lay(tmp_path, dataform(listed).encode(encoding)), picture_profile("dataform"))
    assert (Completeness.WAITING, "resource-missing") == (result.completeness, result.reason)


def test_a_thousand_identifiers_are_only_text(child, tmp_path):
    many = "".join(f"<Container><ContainerId>ZZZU{n:07}</ContainerId></Container>" for n in range(1000))
    text = dataform().replace("<Container><ContainerId /></Container>", many)
    result = child.probe(lay(tmp_path, text.encode()), picture_profile("dataform"))
    assert Completeness.COMPLETE is result.completeness
    assert len(result.sidecar.identities) > 1000
