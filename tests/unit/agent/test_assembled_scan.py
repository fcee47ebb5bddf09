"""From views and particulars to the scan that models see: whose pitch counts, and what is named as missing."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.agent.assemble import Record, assemble, distinct, missing_views, of_package, with_attachments
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.domain.assessment import Reason
from edge_agent.domain.attachment import Attachment, AttachmentKind
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.profile import MemberRule, Need
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import UnreadableScan
from edge_agent.testing.drops import picture_profile
from edge_agent.testing.factories import a_scan_id, members, particulars


def scanner(pitch_mm=None) -> Scanner:
    section = ScannerSection.model_validate(
        {"id": "s1", "profile": "test-picture", "watch": "/nowhere", "timezone": "UTC", "subject": "cargo", "pitch_mm": pitch_mm}
    )
    return Scanner(section, picture_profile())


def view(name: str = "side", width: int = 50) -> View:
    plane = Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((30, width), 60000, dtype=np.uint16))
    return View(name, (plane,), None)


def record(pitch_mm=None, partial: tuple[str, ...] = ()) -> Record:
    return Record(a_scan_id(), 1, replace(particulars(), pitch_mm=pitch_mm, partial=partial), members())


def test_the_configured_pitch_counts_more_than_the_side_cars() -> None:
    scan = assemble(record((9.0, 9.0)), [view()], scanner((5.0, 4.0)))
    assert [((5.0, 4.0), False)] == [(one.pitch_mm, one.pitch_assumed) for one in scan.views]


def test_without_a_configured_pitch_the_side_cars_counts() -> None:
    assert assemble(record((9.0, 8.0)), [view()], scanner()).views[0].pitch_mm == (9.0, 8.0)
    assert assemble(record(None), [view()], scanner()).views[0].pitch_mm is None


def test_a_picture_without_a_container_keeps_an_unknown_pitch() -> None:
    """The side-car's own value is not taken instead: whoever configures a fit says that it cannot be trusted."""
    fitted = assemble(record((9.0, 9.0)), [view()], scanner("from-container")).views[0]
    assert (fitted.pitch_mm, fitted.pitch_assumed) == (None, False)


@pytest.mark.parametrize("partial", [(), ("low",)])
def test_everything_known_of_the_scan_reaches_the_models(partial: tuple[str, ...]) -> None:
    scan = assemble(record(partial=partial), [view()], scanner())
    assert (a_scan_id(), 1, "s1", "test-picture") == (scan.scan_id, scan.revision, scan.scanner.scanner_id, scan.scanner.profile)
    assert (partial, members()) == (scan.partial, scan.members)


def test_each_required_view_that_is_not_there_is_named() -> None:
    top_only = assemble(record(), [view("top")], scanner())
    assert missing_views(top_only, scanner()) == (Reason("view-missing", {"view": "side"}),)
    both = assemble(record(), [view("top"), view("side")], scanner())
    assert missing_views(both, scanner()) == ()


def test_a_remark_that_probe_and_decoder_both_make_stands_once() -> None:
    dark, other_view = Reason("resource-missing", {"view": "side"}), Reason("resource-missing", {"view": "top"})
    again = Reason("resource-missing", {"view": "side", "name": "x"})
    assert (dark, other_view, Reason("partial")) == distinct([dark], [again, other_view], [Reason("partial"), dark])
    assert distinct([], []) == ()


def test_members_that_the_profile_keeps_become_attachments_with_their_digest_and_type() -> None:
    plain = scanner()
    rules = (*plain.profile.members, MemberRule("snap", r"(?P<key>.+)_snap", Need.OPTIONAL, 1.0, attachment=AttachmentKind.OPTICAL))
    kept = replace(plain, profile=replace(plain.profile, members=rules))
    snaps = tuple(MemberDigest(f"{name}_snap", "snap", 7, name * 64, is_pixels=False) for name in "ab")
    scan = assemble(replace(record(), members=(*members(), *snaps)), [view()], kept)
    found = with_attachments(scan, (("a_snap", "image/jpeg"), ("b_snap", "image/png")), kept).attachments
    assert found == (
        Attachment(AttachmentKind.OPTICAL, "snap", "a" * 64, 7, "image/jpeg"),
        Attachment(AttachmentKind.OPTICAL, "snap", "b" * 64, 7, "image/png"),
    )
    assert with_attachments(scan, (), kept).attachments == ()


def test_a_scan_out_of_a_package_keeps_the_identity_that_the_package_says() -> None:
    other = a_scan_id("elsewhere")
    found = of_package(record(), (Reason("partial", {}), Reason("from-package", {"scan_id": other, "revision": 4})))
    assert (other, 4) == (found.scan_id, found.revision)
    assert of_package(record(), (Reason("partial", {}),)) == record()
    with pytest.raises(UnreadableScan):
        of_package(record(), (Reason("from-package", {"scan_id": "../../x", "revision": 1}),))
