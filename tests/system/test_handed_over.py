"""With the real daemon: declarations that come late, what people found at the vendor's side, and a side-car that the profile maps."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.site import ROOT, Process, running
from benchmarks.small_site import SmallSite
from edge_agent.formats.encode import jpeg_bytes, tiff_bytes
from edge_agent.testing.drops import load_picture, sim_sidecar
from edge_agent.wire.messages import AssessmentBody, AuditBody, ControlBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

MANIFEST = """<manifest><accession>77001</accession><createdate>2026-03-02T12:00:00Z</createdate><inspectdone>-1</inspectdone>
<inspectionsuspicious>{suspicious}</inspectionsuspicious><searchdone>{searched}</searchdone><searchfound>{found}</searchfound>
<attributes><attribute name="Container1">ZZZU6304941</attribute></attributes>
<files><file type="XRAYJPEG">XRAY-77001-001--Array-0000-xray.jpg</file></files></manifest>"""


def manifest(suspicious: int = 0, searched: int = 0, found: int = 0) -> bytes:
    return MANIFEST.format(suspicious=suspicious, searched=searched, found=found).encode()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[SmallSite, Process, Path]]:
    """A site with a folder of declarations and a scanner that writes manifests."""
    small = SmallSite(tmp_path / "site")
    declarations, watched = tmp_path / "declared", small.site.watched("gate")
    declarations.mkdir()
    watched.mkdir()
    shutil.copy(ROOT / "config/scanners/manifest-xml.toml", small.site.folder / "scanners-toml")
    scanner = f'[[scanner]]\nid = "gate"\nprofile = "manifest-xml"\nwatch = "{watched}"\ntimezone = "UTC"\nsubject = "cargo"\n'
    text = small.site.agent_toml.read_text() + f'\n{scanner}\n[declarations]\ndir = "{declarations}"\n'
    small.site.agent_toml.write_text(text)
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        yield small, daemon, declarations


def assessed(small: SmallSite) -> list[AssessmentBody]:
    return [body for body in small.bodies("assessment") if isinstance(body, AssessmentBody)]


def vendor_said(small: SmallSite) -> list[str]:
    """What the vendor's analyst said, as the journal tells it."""
    audits = [body.event for body in small.bodies("audit") if isinstance(body, AuditBody)]
    return [str(event.params["conclusion"]) for event in audits if event.code == "vendor-analyst"]


def declare(folder: Path, name: str, **more: object) -> None:
    content = {"schema": "declaration/1", "ref": "26-118", "risk": [{"code": "R-12"}], **more}
    part = folder / f"{name}.tmp"
    part.write_text(json.dumps(content))
    part.rename(folder / f"{name}.json")


def test_a_late_and_then_amended_declaration_is_concluded_again_each_time(gate: tuple[SmallSite, Process, Path]) -> None:
    small, daemon, declarations = gate
    picture = tiff_bytes(load_picture(40, 60))
    small.deliver_together({"k1_low.tif": picture, "k1_high.tif": picture, "k1.json": sim_sidecar({"container": "ZZZU63O4941"})}, "pair")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    declare(declarations, "d1", numbers=["ZZZU6304941"], goods=[{"hs": "4011", "description": "tyres"}], origin="BR")
    small.wait_for(lambda: len(assessed(small)) == 2, daemon)
    declare(declarations, "d1", numbers=["ZZZU6304941"], goods=[{"hs": "0303", "description": "fish"}], origin="BR")
    small.wait_for(lambda: len(assessed(small)) == 3, daemon)
    first, second, third = assessed(small)
    assert [None, first.fact_id, second.fact_id] == [body.supersedes for body in (first, second, third)]
    assert ["pixels", "metadata-1", "metadata-2"] == [body.cause for body in (first, second, third)]
    assert [("sidecar", "0202"), ("declarations", "4011"), ("declarations", "0303")] == [
        (body.declared.source, body.declared.goods[0].hs) for body in (first, second, third) if body.declared is not None
    ]
    assert third.declared is not None
    assert (0.8, "corrected") == (third.declared.link, third.declared.link_basis)
    assert third.consignment is not None
    assert ("BR", ["R-12"]) == (third.consignment.origin, [flag.code for flag in third.consignment.risk_flags])
    assert [("repairable", None)] == [(one.check, one.confidence) for one in third.readings]
    journal = b"".join(row.body for row in small.rows())
    assert not [secret for secret in (b"26-118", b"ZZZU63O4941", b"ZZZU6304941") if secret in journal]
    assert "ZZZU" not in daemon.log.read_text()


def test_what_people_found_at_the_vendors_side_is_journalled_once_and_judges_nothing_anew(gate: tuple[SmallSite, Process, Path]) -> None:
    small, daemon, _ = gate
    picture = jpeg_bytes(load_picture(40, 60, bits=8))
    names = ("XRAY-77001-001--Array-0000-xray.jpg", "XRAY-77001-002.jpg")
    small.deliver_together({**dict.fromkeys(names, picture), "77001.xml": manifest()}, "gate")
    small.wait_for(lambda: len(assessed(small)) == 1, daemon)
    small.deliver("77001.xml", manifest(suspicious=-1, searched=-1, found=-1), "gate")
    small.wait_for(lambda: len(small.bodies("control")) == 1, daemon)
    small.deliver("77001.xml", manifest(suspicious=-1, searched=-1, found=-1) + b"\n", "gate")
    small.deliver("k2.png", small.scan(5))
    small.wait_for(lambda: len(assessed(small)) == 2 and len(vendor_said(small)) == 2, daemon)
    (control,) = small.bodies("control")
    assert isinstance(control, ControlBody)
    assert (assessed(small)[0].scan_id, "found", "vendor") == (control.scan_id, control.conclusion, control.office)
    assert ["not-suspicious", "suspicious"] == vendor_said(small)
