"""What leaves a site carries no personal value and never passes for real traffic what is not; whatever leaves in clear is journalled."""

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ET
import zipfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog

from edge_agent.agent.assemble import Record, assemble
from edge_agent.agent.particulars import Context, gather
from edge_agent.agent.results import write_results
from edge_agent.agent.scanner import Scanner, ScannerSection
from edge_agent.cli.main import main
from edge_agent.domain.arrival import Arrival, NewScan
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.ids import DropKey, ScannerId, SiteId, scan_id
from edge_agent.domain.member import MemberDigest
from edge_agent.errors import ScanRejected
from edge_agent.formats.child import DecodeChild
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.formats.members import MemberFile
from edge_agent.formats.package import read_entries, write_package
from edge_agent.formats.profiles import load_profile
from edge_agent.inference.installed import share_dir
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import NOON, a_verdict, assessment_body, digest_of
from edge_agent.testing.site_journal import detection
from edge_agent.wire.frames import topic
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.messages import CapturePart, IdentityPart, decode, encode

SITE, SCANNER = SiteId("harbour"), ScannerId("gate-1")
REAL = os.getenv("EDGE_AGENT_REAL_DATA")
FORMATS = ("package", "dicos", "coco", "csv")

SIMULATED = """<DataForm><Version>V01.07</Version><Date>2026-03-02T10:11:12Z</Date><TruckId>202603020026120099</TruckId>
<Vehicle><PlateNumber>KA01ZZ9999</PlateNumber><Trailers><Trailer><Containers><Container><ContainerId>MSKU1234565</ContainerId>
</Container></Containers></Trailer></Trailers></Vehicle>
<Operations><Operation Type="3"><Login>jane.placeholder</Login><Verdict Value="2"/></Operation></Operations>
<Resources><Resource Type="img">202603020026120099S.jpg</Resource></Resources></DataForm>"""
PERSONAL_TAGS = ("Login", "PlateNumber", "ContainerId", "TruckId", "CycleId", "accession")


@dataclass(frozen=True)
class Site:
    """A state directory with one packed scan, and every personal value that went in."""

    state_dir: Path
    scan: str
    personal: frozenset[str]


def personal_values(xml: bytes) -> frozenset[str]:
    """What the side-car says of people and numbers, read without our own reader."""
    found = set()
    for element in ET.fromstring(xml).iter():  # noqa: S314 - documents of our own and of a local folder
        tag, text = element.tag.rpartition("}")[2], (element.text or "").strip()
        is_named = tag == "attribute" and element.get("name", "").startswith(("Container", "ANPR"))
        if (tag in PERSONAL_TAGS or is_named) and len(text) > 4:
            found.add(text)
    return frozenset(found)


def with_owner(jpeg: bytes) -> bytes:
    """The same picture with a name in its metadata, as cameras and programs write it."""
    return jpeg[:2] + b"\xff\xfe\x00\x12" + b"jane.placeholder" + jpeg[2:]


def make_site(tmp_path, xml, name, profile="smiths-dataform", kind=CaptureKind.LIVE):
    """Bring one drop through probe, ledger, assessment and package, with the product's own parts."""
    drop, state_dir = tmp_path / "drop", tmp_path / "state"
    drop.mkdir()
    state_dir.mkdir(mode=0o700)
    (drop / f"{name}.xml").write_bytes(xml)
    (drop / f"{name}.jpg").write_bytes(with_owner(jpeg_bytes(load_picture(64, 96, bits=8))))
    rules = load_profile(share_dir() / f"config/scanners/{profile}.toml")
    files = [MemberFile(f"{name}.jpg", "picture", drop / f"{name}.jpg"), MemberFile(f"{name}.xml", "sidecar", drop / f"{name}.xml")]
    with DecodeChild() as child:
        probe, decoded = child.probe(files, rules), child.decode(files, rules)
    digests = tuple(MemberDigest(f.name, f.role, f.path.stat().st_size, digest_of(f.name), f.role == "picture") for f in files)
    clock = ManualClock()
    key = DropKey(name)
    scan = scan_id(SITE, SCANNER, key, digest_of(name))
    with closing(Ledger.open(state_dir / "ledger.db", SITE, clock)) as ledger:
        identities = probe.sidecar.identities if probe.sidecar else ()
        rows = ledger.tokenise(identities)
        tokens = tuple((value, row.token) for value, row in zip(identities, rows, strict=True))
        about = gather(probe, (), Context(SubjectKind.CARGO, NOON, tokens, None))
        arrival = Arrival(SITE, SCANNER, key, digest_of(name), digest_of("m0"))
        ledger.accept([Acceptance(NewScan(scan, None), arrival, ((f"{name}.jpg", 1, 1),), digests, about, f"spool/{scan}/r1")])
        job = ledger.claim(NOON)
        body = assessment_body(scan, 1, "alert").model_copy(
            update={
                "capture": CapturePart(
                    kind=kind.value, taken_at=about.capture.taken_at.at, as_written=about.capture.taken_at.as_written, tz_assumed=False
                ),
                "identities": [IdentityPart(kind=row.kind.value, token=row.token, commitment=row.commitment) for row in rows],
                "findings": [detection("handgun").model_copy(update={"box": (10, 20, 50, 60), "view": "side"})],
                "declared": DeclaredPart(goods=[GoodsPart(hs="0202", description="beef for jane.placeholder")], source="sidecar"),
            }
        )
        entry = Entry(body.fact_id, scan, FactKind.ASSESSMENT, topic(SITE, SCANNER, FactKind.ASSESSMENT), encode(body))
        ledger.complete(job.job_id, entry)
        ledger.append(a_verdict(scan))
        section = ScannerSection(id=SCANNER, profile=rules.name, watch=drop, timezone="UTC", subject=SubjectKind.CARGO)
        whole = assemble(Record(scan, 1, about, digests), decoded.views, Scanner(section, rules))
        told = replace(whole, capture=replace(whole.capture, kind=kind))
        packed = write_package(told, [(digests[0], files[0].path)], state_dir / "packages" / f"{scan}.r1.scan.zip")
        ledger.mark_packed(job.job_id, str(packed.path.relative_to(state_dir)), packed.scan_json_sha256)
    return Site(state_dir, scan, personal_values(xml) | {name, "jane.placeholder"})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"), SIMULATED.encode("utf-16"), "202603020026120099S")


def everything(folder):
    """All bytes and all names below a folder, entries of ZIP files among them."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)).encode()
        if path.is_file():
            data = path.read_bytes()
            yield data
            if data[:2] == b"PK":
                with zipfile.ZipFile(path) as archive:
                    yield from (archive.read(name) for name in archive.namelist())


def leaks(personal, pieces):
    """The personal values found in any spelling of bytes."""
    pieces = list(pieces)
    spelt = [(value, [value.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]) for value in personal]
    return sorted({value for value, forms in spelt for form in forms for piece in pieces if form in piece})


def leave(site, out, capsys):
    """Let the scan leave the site in every way there is; give what was printed and logged."""
    with structlog.testing.capture_logs() as logged:
        for form in FORMATS:
            assert 0 == main(["scan", "export", "--state-dir", str(site.state_dir), "--format", form, "--out", str(out / form)])
        package = str(next((site.state_dir / "packages").rglob("*.zip")))
        assert 0 == main(["scan", "anonymise", package, "--out", str(out / "anonymous")])
        assert 0 == main(["scan", "show", "--state-dir", str(site.state_dir), "--json"])
        assert 0 == main(["scan", "show", "--state-dir", str(site.state_dir), site.scan])
        results = ["journal", "results", "--state-dir", str(site.state_dir), "--out", str(out / "results")]
        assert 0 == main([*results, "--format", "json", "--format", "xml", "--format", "tdr"])
    printed = capsys.readouterr()
    return [printed.out.encode(), printed.err.encode(), json.dumps(logged, default=str).encode()]


def test_no_personal_value_survives_in_any_export_or_message(site, tmp_path, capsys):
    said = leave(site, tmp_path, capsys)
    assert {"MSKU1234565", "KA01ZZ9999", "202603020026120099", "jane.placeholder"} <= site.personal
    assert [] == leaks(site.personal, [*everything(tmp_path), *said[1:]])
    # the site's own screen and journal may show what a trader declared, but no identifier
    assert [] == leaks(site.personal - {"jane.placeholder"}, said)


def test_the_search_for_leaks_finds_one_in_every_spelling(tmp_path):
    (tmp_path / "a.txt").write_bytes("operator jane.placeholder".encode("utf-16"))
    (tmp_path / "MSKU1234565.txt").write_bytes(b"")
    assert ["MSKU1234565", "jane.placeholder"] == leaks({"jane.placeholder", "MSKU1234565", "other"}, everything(tmp_path))


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="EDGE_AGENT_REAL_DATA is not set")
def test_no_personal_value_of_the_real_side_cars_survives(tmp_path, capsys):
    sidecars = sorted(path for path in Path(REAL or "").rglob("scanner_sidecars/*.xml"))
    assert 11 == len(sidecars)
    for number, path in enumerate(sidecars):
        folder = tmp_path / str(number)
        folder.mkdir()
        xml = path.read_bytes()
        profile = "smiths-dataform" if b"D\0a\0t\0a\0F\0o\0r\0m" in xml or b"DataForm" in xml else "manifest-xml"
        with structlog.testing.capture_logs() as logged:
            site = make_site(folder, xml, path.stem, profile)
        said = leave(site, folder / "out", capsys)
        assert len(site.personal) > 2, "a side-car without personal values would prove nothing"
        assert [] == leaks(site.personal, [*everything(folder / "out"), *said[1:], json.dumps(logged, default=str).encode()])


def test_an_export_in_clear_holds_the_identifiers_and_is_journalled_before(site, tmp_path):
    before = len(audits(site))
    assert 0 == export(site, tmp_path, "package", "--full", "--reason", "court-order", "--role", "evidence")
    assert "MSKU1234565" in leaks(site.personal, everything(tmp_path))
    assert [{"reason": "court-order", "role": "evidence", "format": "package"}] == [fact.event.params for fact in audits(site)[before:]]


def test_dicos_in_clear_names_the_container(site, tmp_path):
    assert 0 == export(site, tmp_path, "dicos", "--full", "--reason", "court-order", "--role", "evidence")
    assert "MSKU1234565" in leaks(site.personal, everything(tmp_path))


@pytest.mark.parametrize(
    ("form", "grounds"),
    [
        ("package", ("--full",)),
        ("package", ("--full", "--reason", "court-order")),
        ("package", ("--full", "--role", "evidence")),
        ("csv", ("--full", "--role", "evidence", "--reason", "court-order")),
    ],
)
def test_an_export_in_clear_without_its_grounds_writes_and_journals_nothing(site, tmp_path, form, grounds):
    before = len(audits(site))
    assert 1 == export(site, tmp_path, form, *grounds)
    assert ([], before) == (list(tmp_path.iterdir()), len(audits(site)))


def test_a_sentence_is_no_reason_and_is_not_repeated(site, tmp_path, capsys):
    before = len(audits(site))
    with pytest.raises(SystemExit) as ended:
        export(site, tmp_path, "package", "--full", "--role", "evidence", "--reason", "Jane said so")
    assert 2 == ended.value.code
    assert "Jane" not in capsys.readouterr().err
    assert ([], before) == (list(tmp_path.iterdir()), len(audits(site)))


def test_an_export_in_clear_waits_for_the_ledger(site, tmp_path):
    with closing(Ledger.open(site.state_dir / "ledger.db", SITE, ManualClock())):
        assert 1 == export(site, tmp_path, "package", "--full", "--reason", "court-order", "--role", "evidence")
    assert [] == list(tmp_path.iterdir())


def export(site, out, form, *more):
    return main(["scan", "export", "--state-dir", str(site.state_dir), site.scan, "--format", form, "--out", str(out), *more])


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def audits(site):
    with closing(LedgerReader.open(site.state_dir / "ledger.db")) as reader:
        return [fact for fact in map(decode, reader.facts_of(site.scan)) if fact.kind == "audit"]


def test_exports_carry_the_facts_with_their_lineage(site, tmp_path):
    for form in ("coco", "csv", "package"):
        assert 0 == export(site, tmp_path / form, form)
    coco = json.loads((tmp_path / "coco/annotations.json").read_text())
    (annotation,) = coco["annotations"]
    assert ["handgun"] == [category["name"] for category in coco["categories"]]
    assert ([10.0, 20.0, 40.0, 40.0], site.scan, True) == (annotation["bbox"], annotation["scan_id"], annotation["confirmed"])
    assert ("detector/0.1.0", "0" * 64) == (annotation["bundle"], annotation["bundle_sha256"])
    assert (tmp_path / "coco" / coco["images"][0]["file_name"]).is_file()
    (finding,) = rows(tmp_path / "csv/findings.csv")
    assert (site.scan, "handgun", "live", "0" * 64) == tuple(finding[name] for name in ("scan_id", "label", "kind", "bundle_sha256"))
    (label,) = rows(tmp_path / "csv/labels.csv")
    assert ("analyst", "suspicious") == (label["by"], label["conclusion"])
    document, entries = read_entries(next((tmp_path / "package").iterdir()))
    assert ["assessments/0001-assessment.json", "assessments/0002-verdict.json"] == [name for name in entries if name.startswith("assess")]
    assert document.subject.equipment


@pytest.mark.parametrize("kind", [CaptureKind.TIP, CaptureKind.SYNTHETIC, CaptureKind.STAGED])
def test_what_is_not_real_never_leaves_as_real(tmp_path, kind):
    site = make_site(tmp_path, SIMULATED.encode(), "202603020026120099S", kind=kind)
    for form in FORMATS:
        assert 0 == export(site, tmp_path / form, form)
    document, _ = read_entries(next((tmp_path / "package").iterdir()))
    assert kind is document.capture.kind
    (row,) = rows(tmp_path / "csv/scans.csv")
    assert (kind.value, "False") == (row["kind"], row["is_real"])
    assert [kind.value] == [row["kind"] for row in rows(tmp_path / "csv/findings.csv")]
    coco = json.loads((tmp_path / "coco/annotations.json").read_text())
    assert ([kind.value], [False]) == (coco["info"]["kinds"], [image["is_real"] for image in coco["images"]])
    assert all(Path(image["file_name"]).name.startswith(kind.value) for image in coco["images"])
    assert [kind.value] == [one["kind"] for one in coco["annotations"]]
    pydicom = pytest.importorskip("pydicom", reason="the extra dicos is not installed")
    files = [pydicom.dcmread(path) for path in (tmp_path / "dicos").glob("*.dcs")]
    assert {"NON_OPERATIONAL"} == {file.ScanType for file in files}
    assert all(kind.value in file.ImageComments for file in files)


def test_a_spreadsheet_is_given_no_formula(site, tmp_path):
    from edge_agent.agent.exports import _cell

    assert ["'=cmd", "'@x", "'-1", -1, "plain"] == [_cell(value) for value in ("=cmd", "@x", "-1", -1, "plain")]


def test_unknown_scans_are_refused_by_name(site, tmp_path, capsys):
    assert 1 == main(["scan", "show", "--state-dir", str(site.state_dir), "nothing"])
    assert "package-missing" in capsys.readouterr().err


def test_results_are_written_whole_and_again_the_same(site, tmp_path):
    with closing(LedgerReader.open(site.state_dir / "ledger.db")) as reader:
        rows = reader.rows(0, 100, 1 << 20)
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        assert 1 == write_results(folder, rows, ("json", "xml", "tdr"))
    names = [f"{site.scan}.r1{suffix}" for suffix in (".json", ".tdr.dcs", ".xml")]
    assert names == sorted(path.name for path in first.iterdir())
    assert [(first / name).read_bytes() for name in names] == [(second / name).read_bytes() for name in names]
    assert "advisory, not commissioned" in (first / names[0]).read_text()


def test_a_damaged_side_car_s_error_names_no_value(tmp_path):
    xml = SIMULATED.replace("</DataForm>", "<Broken>").encode()
    path = tmp_path / "a.xml"
    path.write_bytes(xml)
    rules = load_profile(share_dir() / "config/scanners/smiths-dataform.toml")
    picture = tmp_path / "a.jpg"
    picture.write_bytes(jpeg_bytes(load_picture(64, 96, bits=8)))
    with DecodeChild() as child:
        try:
            found = child.probe([MemberFile("a.jpg", "picture", picture), MemberFile("a.xml", "sidecar", path)], rules)
            said = repr(found)
        except ScanRejected as problem:
            said = f"{problem} {problem.fields}"
    assert [] == leaks(personal_values(SIMULATED.encode()) - {"202603020026120099"}, [said.encode()])
    assert not re.search("jane|KA01|MSKU", said)


def test_json_of_show_is_one_object_a_scan(site, capsys):
    assert 0 == main(["scan", "show", "--state-dir", str(site.state_dir), "--json"])
    (line,) = io.StringIO(capsys.readouterr().out)
    assert {"package", "scan", "facts"} == set(json.loads(line))
