"""From side-car and customs system to particulars: who counts more, what is assumed, what counts as a change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.particulars import Context, Declared, amended, gather, metadata_digest
from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion, Reason
from edge_agent.domain.capture import CaptureKind, Selection, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.drop import Completeness, ProbeResult, SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import Token

WRITTEN = datetime(2026, 3, 2, 12, tzinfo=UTC)
TAKEN = Stamp(datetime(2026, 3, 2, 11, 59, tzinfo=UTC), "2026-03-02T17:29:00+05:30", tz_assumed=False)
BEEF, TYRES = DeclaredItem("0202", "beef"), DeclaredItem("4011", "tyres")
SIDECAR = SideCar(TAKEN, CaptureKind.SYNTHETIC, Selection.RANDOM, "6/4 MV", (), (BEEF,), (), (5.0, 5.0))


def probed(sidecar: SideCar | None = SIDECAR, completeness: Completeness = Completeness.COMPLETE, reason: str = "") -> ProbeResult:
    return ProbeResult(completeness, (), None, sidecar, reason, (("role", "low"),) if reason else ())


def context(looked_up=None, written_at: datetime = WRITTEN) -> Context:
    declared = None if looked_up is None else Declared(Declaration(tuple(looked_up), "declarations"), Consignment())
    return Context(SubjectKind.CARGO, written_at, ((IdentityValue(IdentityClass.CONTAINER, "ZZZU6304941", 0.99), Token("t-1")),), declared)


def test_what_the_side_car_says_is_taken_over() -> None:
    about = gather(probed(), ("low",), context())
    assert (TAKEN, CaptureKind.SYNTHETIC, Selection.RANDOM, "6/4 MV") == (
        about.capture.taken_at,
        about.capture.kind,
        about.capture.selection,
        about.capture.beam,
    )
    assert about.declaration is not None
    assert ((BEEF,), "sidecar") == (about.declaration.items, about.declaration.source)
    assert ((5.0, 5.0), (), ("low",)) == (about.pitch_mm, about.notes, about.partial)
    assert ((Token("t-1"),), SubjectKind.CARGO) == (about.subject.identifiers, about.subject.kind)


def test_without_a_side_car_the_files_own_time_stands_in_and_is_marked_as_assumed() -> None:
    about = gather(probed(None), (), context())
    assert Stamp(WRITTEN, "", tz_assumed=True) == about.capture.taken_at
    assert (CaptureKind.LIVE, Selection.UNKNOWN) == (about.capture.kind, about.capture.selection)
    assert about.declaration is None


def test_the_customs_system_counts_more_than_the_side_car() -> None:
    about = gather(probed(), (), context([TYRES]))
    assert about.declaration is not None
    assert ((TYRES,), "declarations") == (about.declaration.items, about.declaration.source)


def test_a_customs_system_that_knows_nothing_leaves_the_side_cars_goods() -> None:
    about = gather(probed(), (), context(None))
    assert about.declaration is not None
    assert about.declaration.source == "sidecar"


def test_why_a_drop_is_not_complete_becomes_a_note() -> None:
    hopeless = gather(probed(None, Completeness.HOPELESS, "sidecar-unreadable"), (), context())
    assert (Reason("sidecar-unreadable", {"role": "low"}),) == hopeless.notes
    assert gather(probed(SIDECAR, Completeness.HOPELESS), (), context()).notes == ()


@given(st.integers(1, 10**9))
def test_a_touched_file_is_no_change_where_the_side_car_gives_no_time(seconds: int) -> None:
    later = WRITTEN + timedelta(seconds=seconds)
    assert metadata_digest(gather(probed(None), (), context())) == metadata_digest(gather(probed(None), (), context(written_at=later)))


def test_every_other_change_of_the_particulars_changes_the_digest() -> None:
    about = gather(probed(), (), context())
    others = [
        gather(probed(replace(SIDECAR, taken_at=Stamp(WRITTEN, "2026-03-02T12:00:00Z", tz_assumed=False))), (), context()),
        gather(probed(replace(SIDECAR, items=(TYRES,))), (), context()),
        gather(probed(), (), context([BEEF])),
        gather(probed(replace(SIDECAR, pitch_mm=(5.0, 4.0))), (), context()),
        gather(probed(replace(SIDECAR, kind=CaptureKind.LIVE)), (), context()),
        gather(probed(), ("low",), context()),
        gather(probed(SIDECAR, Completeness.HOPELESS, "resource-missing"), (), context()),
    ]
    digests = {metadata_digest(one) for one in (about, *others)}
    assert len(digests) == 1 + len(others)
    assert metadata_digest(about) == metadata_digest(gather(probed(), (), context()))


def test_only_what_tells_the_subject_from_others_is_its_identifier_and_numbers_say_how_they_were_read() -> None:
    tokens = (
        (IdentityValue(IdentityClass.CONTAINER, "ZZZU63O4941", 0.4), Token("t-1")),
        (IdentityValue(IdentityClass.PLATE, "TST0039"), Token("t-2")),
        (IdentityValue(IdentityClass.TRADER, "Acme"), Token("t-3")),
        (IdentityValue(IdentityClass.VENDOR_SCAN, "7"), Token("t-4")),
    )
    subject = gather(probed(), (), Context(SubjectKind.CARGO, WRITTEN, tokens, None)).subject
    assert (("t-1", "t-2"), ("t-3", "t-4")) == (subject.identifiers, subject.related)
    assert [("t-1", "repairable", 0.4)] == [(one.token, one.check, one.confidence) for one in subject.readings]


def test_the_customs_system_amends_and_what_it_does_not_say_stays() -> None:
    flags = (RiskFlag("R-12"),)
    sidecar = replace(SIDECAR, consignment=Consignment(Route("BR", "INNSA"), (), 100.0, 2.0))
    theirs = Declared(Declaration((TYRES,), "declarations", Token("t-9")), Consignment(Route(), flags, 120.0), (Token("t-9"),))
    about = gather(probed(sidecar), (), replace(context(), declared=theirs))
    assert about == amended(gather(probed(sidecar), (), context()), theirs)
    assert Consignment(Route("BR", "INNSA"), flags, 120.0, 2.0) == about.consignment
    assert ("t-9",) == about.subject.related
    assert about.declaration == theirs.declaration


def test_what_people_said_at_the_vendors_side_is_no_change_of_the_particulars() -> None:
    said = replace(SIDECAR, analyst=OfficerConclusion.SUSPICIOUS, examination=ControlOutcome.FOUND)
    assert metadata_digest(gather(probed(), (), context())) == metadata_digest(gather(probed(said), (), context()))
