"""Documents of every kind become one kind of tree; paths find their way in it; bad documents are refused, unfinished ones waited for."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats.tree import Node, parse_path, read_csv, read_json, read_xml, texts

XML = '<a xmlns="x.y" id="7"><list><e n="one">1</e><e n="two"> 2 </e><e n="two"/></list><deep><x><e>3</e></x></deep></a>'
JSON = '{"id": 7, "list": {"e": [{"n": "one", "v": 1}, {"n": "two", "v": 2.5}]}, "flag": true, "none": null, "many": ["a", "b"]}'


def found(document: Node | None, path: str) -> tuple[str, ...]:
    assert document is not None
    return texts(document, parse_path(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("@id", ("7",)),
        ("list/e", ("1", "2")),
        ("LIST/E", ("1", "2")),
        ("list/e/@n", ("one", "two", "two")),
        ("list/e[@n=two]", ("2",)),
        ("**/e", ("1", "2", "3")),
        ("deep/*/e", ("3",)),
        (".[@id=7]/list/e[@n=one]", ("1",)),
        (".[@id=8]/list/e", ()),
        ("nothing/e", ()),
    ],
)
def test_paths_into_xml(path, expected, encoding):
    assert expected == found(read_xml(XML.encode(encoding), "a"), path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [("id", ("7",)), ("list/e/v", ("1", "2.5")), ("list/e[n=two]/v", ("2.5",)), ("flag", ("true",)), ("none", ()), ("many", ("a", "b"))],
)
def test_paths_into_json(path, expected, encoding):
    assert expected == found(read_json(JSON.encode(encoding)), path)


def test_a_list_at_the_top_of_json_is_rows():
    assert found(read_json(b'[{"a": 1}, {"a": 2}]'), "row/a") == ("1", "2")


def test_csv_with_a_heading_is_rows_and_pairs_are_fields():
    assert found(read_csv(b"\xef\xbb\xbfa;b\n1;x y\n2;\n", ";", is_pairs=False), "row/a") == ("1", "2")
    assert found(read_csv(b"a,1\nb,2,3\n", ",", is_pairs=True), "b") == ("2,3",)
    assert found(read_csv("größe,7\n".encode("utf-16"), ",", is_pairs=True), "größe") == ("7",)


@pytest.mark.parametrize("path", ["", "a//b", "/a", "a/", "a[b]", "a[b=c", "a]b", "**", "a/**"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="path"):
        parse_path(path)


def test_every_cut_of_an_xml_or_json_may_still_be_being_written():
    assert [None] * len(XML) == [read_xml(XML.encode()[:length], "a") for length in range(len(XML))]
    assert [None] * len(JSON) == [read_json(JSON.encode()[:length]) for length in range(len(JSON))]
    assert read_csv(b"a,b\n", ",", is_pairs=False) is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"<b/>", UnsupportedFormat),
        (b'<!DOCTYPE a [<!ENTITY e "ha">]><a>&e;</a>', UnsupportedFormat),
        (b"<a>" + b"<x>" * 100 + b"</x>" * 100 + b"</a>", UnreadableScan),
        (b"<a>x & y</a>", UnreadableScan),
        (b"<a></b>", UnreadableScan),
    ],
)
def test_other_dangerous_and_broken_xml_is_refused(data, error):
    with pytest.raises(error):
        read_xml(data, "a")


def test_a_bare_ampersand_is_text_only_where_the_profile_says_so():
    for encoding in ("utf-8", "utf-16"):
        document = read_xml('<?xml version="1.0" encoding="UTF-16"?><a>x & y &amp; z</a>'.encode(encoding), "a", is_lenient=True)
        assert document is not None
        assert document.text == "x & y & z"
    with pytest.raises(UnsupportedFormat):
        read_xml(b"<!DOCTYPE a><a>&</a>", "a", is_lenient=True)


@pytest.mark.parametrize("data", [b"{]}", b'{"a": ' * 5000 + b"1" + b"}" * 5000, b"[" * 100_000 + b"]" * 100_000, b"\xff{}", b'{"a":1}{}'])
def test_broken_json_is_refused(data):
    with pytest.raises(UnreadableScan):
        read_json(data)


def test_broken_csv_is_refused():
    for data in (b"\xff\xff", b'a,b\n"1"x,2\n', b'a,b\n"' + b"x" * 200_000 + b'"\n1,2\n'):
        with pytest.raises(UnreadableScan):
            read_csv(data, ",", is_pairs=False)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_a_tree_nothing_yet_or_a_refusal(data, is_lenient):
    for read in (
        lambda: read_xml(data, "", is_lenient=is_lenient),
        lambda: read_json(data),
        lambda: read_csv(data, ",", is_pairs=is_lenient),
    ):
        with contextlib.suppress(UnreadableScan, UnsupportedFormat):
            assert isinstance(read(), Node | None)


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_xml(b"<a>" + b"<b/>" * 200_000 + b"</a>", "a"),
        lambda: read_json(b"[" + b"1," * 200_000 + b"1]"),
        lambda: read_csv(b"a,b\n" + b",".join([b"1"] * 200_000), ",", is_pairs=False),
    ],
)
def test_more_elements_than_any_real_side_car_has_are_refused(read):
    with pytest.raises(LimitExceeded):
        read()
