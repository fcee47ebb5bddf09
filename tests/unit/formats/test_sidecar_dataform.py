import pytest

from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.identity import IdentityClass
from edge_agent.errors import UnreadableScan, UnsupportedFormat
from edge_agent.formats.dataform import read_dataform
from edge_agent.formats.sidecar import read_sidecar
from edge_agent.testing.drops import dataform, picture_profile

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("version", ["V01.07", "V01.20"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_both_versions_are_read_in_every_encoding_that_scanners_write(version, encoding):
    form = read_dataform(dataform(("a.jpg", "a.jpg", "b.jpg"), version=version).encode(encoding))
    assert form.date == "2025-11-12T07:30:08.910Z"
    assert form.resources == ("a.jpg", "b.jpg")
    found = {(identity.kind, identity.value) for identity in form.identities}
    assert {
        (IdentityClass.CONTAINER, "ZZZU6304941"),
        (IdentityClass.CONTAINER, "ZZZU3307660"),
        (IdentityClass.PLATE, "TST0039"),
        (IdentityClass.PLATE, "TST0040"),
        (IdentityClass.DRIVER, "A. Nobody"),
        (IdentityClass.VENDOR_SCAN, "7"),
    } == found


def test_operator_names_are_not_read():
    assert "operator01" not in {identity.value for identity in read_dataform(dataform().encode()).identities}


def test_a_deleted_resource_does_not_count():
    text = dataform(("a.jpg",)).replace('IsDeleted="false"', 'IsDeleted="true"')
    assert read_dataform(text.encode()).resources == ()


@pytest.mark.parametrize(("word", "items"), [("1", (DeclaredItem("0000"),)), ("0", ()), ("", ()), ("true", ())])
def test_only_one_says_that_the_container_is_empty(word, items):
    text = dataform(extra=f"<IsContainerEmpty>{word}</IsContainerEmpty>")
    assert items == read_sidecar(text.encode(), picture_profile("dataform")).items


def test_a_training_scan_is_never_taken_as_live():
    text = dataform().replace("<InTraining>0</InTraining>", "<InTraining>1</InTraining>")
    assert CaptureKind.TEST is read_sidecar(text.encode(), picture_profile("dataform")).kind
    assert read_sidecar(dataform().encode(), picture_profile("dataform")).kind is None


def test_every_cut_of_a_dataform_may_still_be_being_written():
    whole = dataform(("a.jpg",)).encode()
    assert [None] * len(whole) == [read_dataform(whole[:length]) for length in range(len(whole))]


@pytest.mark.parametrize(
    "text",
    [
        "<DataForm><Version>V01.20</Version></Dataform>",
        "<DataForm><Version>V01.20</Version><A>a & b</A></DataForm>",
        "<DataForm><Version>V01.20</Version></DataForm><DataForm/>",
        "<DataForm>" + "<A>" * 100 + "</A>" * 100 + "</DataForm>",
        "DataForm",
    ],
)
def test_malformed_xml_is_refused(text):
    with pytest.raises(UnreadableScan):
        read_dataform(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "<manifest><accession>1</accession></manifest>",
        "<DataForm><Version>V02.00</Version></DataForm>",
        "<DataForm/>",
        "<!DOCTYPE DataForm><DataForm><Version>V01.20</Version></DataForm>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><DataForm>&b;</DataForm>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><DataForm/>',
    ],
)
def test_other_documents_and_every_doctype_are_refused(text):
    with pytest.raises(UnsupportedFormat):
        read_dataform(text.encode())


def test_a_version_of_another_part_does_not_pass_for_the_documents():
    with pytest.raises(UnsupportedFormat):
        read_dataform(b"<DataForm><ATR><Version>V01.20</Version></ATR></DataForm>")
