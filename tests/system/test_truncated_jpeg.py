"""A JPEG that was cut off, for which OpenCV gives garbage without an error: refused or partial wherever bytes enter."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.site import Process, exit_code_of
from benchmarks.small_site import SmallSite
from edge_agent.cli.main import main
from edge_agent.domain.drop import Completeness
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Origin, Plane, Quantity, View
from edge_agent.errors import UnreadableScan
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.formats.package import read_package, write_package
from edge_agent.testing.drops import load_picture, picture_profile
from edge_agent.wire.messages import SetAsideBody
from tests.hostile import corpus

SHARES = (0.5, 0.9, 0.99)
WHOLE = jpeg_bytes(load_picture(400, 600, bits=8))


def cut(share: float, *, is_ended: bool) -> bytes:
    """The first ``share`` of the file; with an end marker, as a careless repair would put it."""
    return WHOLE[: int(share * len(WHOLE))] + (b"\xff\xd9" if is_ended else b"")


CUTS = {f"{share:.2f}{'-ended' if is_ended else ''}": cut(share, is_ended=is_ended) for share in SHARES for is_ended in (False, True)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with every cut file and a whole one."""
    samples = tmp_path / "samples"
    samples.mkdir()
    for name, data in CUTS.items():
        (samples / f"cut-{name}.jpg").write_bytes(data)
    (samples / "whole.jpg").write_bytes(WHOLE)
    return samples


def test_opencv_alone_would_accept_garbage() -> None:
    """The reason for all of this. OpenCV 5 refuses a file without an end marker; one put behind the cut is enough to mislead it."""
    whole = cv2.imdecode(np.frombuffer(WHOLE, np.uint8), cv2.IMREAD_UNCHANGED)
    half = cv2.imdecode(np.frombuffer(CUTS["0.50-ended"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert half is not None
    assert half.shape == whole.shape
    assert np.mean(half != whole) > 0.4


@pytest.mark.parametrize("name", sorted(CUTS))
def test_the_decode_child_refuses_it_and_the_probe_does_not_call_it_complete(folder: Path, name: str) -> None:
    members = [MemberFile("k.jpg", "picture", folder / f"cut-{name}.jpg")]
    with DecodeChild() as child:
        if "ended" not in name:
            assert child.probe(members, picture_profile()).completeness is not Completeness.COMPLETE
        with pytest.raises(UnreadableScan):
            child.decode(members, picture_profile())


def test_conversion_and_conformance_name_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "convert", str(folder), "--profile", "plain-image", "--out", str(tmp_path / "packages")]) == 3
    assert len(list((tmp_path / "packages").rglob("*.scan.zip"))) == 1
    capsys.readouterr()
    assert main(["conformance", "--profile", "plain-image", "--json", str(folder)]) == 3
    states = [scan["state"] for scan in json.loads(capsys.readouterr().out)["scans"]]
    assert (len(CUTS), 1) == (states.count("refused"), states.count("understood"))


@pytest.mark.parametrize("name", sorted(CUTS))
def test_a_package_whose_original_is_cut_off_is_refused_even_with_right_hashes(tmp_path: Path, name: str) -> None:
    original = tmp_path / "k.jpg"
    original.write_bytes(WHOLE)
    pixels = cv2.imdecode(np.frombuffer(WHOLE, np.uint8), cv2.IMREAD_UNCHANGED)
    view = View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels, origin=Origin("picture")),), None)
    digest = MemberDigest("k.jpg", "picture", len(WHOLE), hashlib.sha256(WHOLE).hexdigest(), is_pixels=True)
    package = tmp_path / "k.scan.zip"
    write_package(corpus.scan_of(view), [(digest, original)], package)
    assert len(read_package(package).views) == 1
    with pytest.raises(UnreadableScan):
        read_package(io.BytesIO(with_entry(package, "source/picture.jpg", CUTS[name])))


def with_entry(package: Path, name: str, data: bytes) -> bytes:
    """The package with another content of one entry, its digest and size in the document made to fit."""
    out = io.BytesIO()
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(out, "w") as new:
        document = json.loads(old.read("scan.json"))
        document["entries"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for info in old.infolist():
            content = {name: data, "scan.json": json.dumps(document).encode()}.get(info.filename, old.read(info))
            new.writestr(info, content)
    return out.getvalue()


@pytest.mark.system
@pytest.mark.timeout(600)
def test_the_daemon_sets_it_aside_and_tells_its_fences(small: SmallSite, daemon: Process) -> None:
    for name, data in CUTS.items():
        small.deliver(f"cut-{name}.jpg", data)
    small.wait_for(lambda: len([body for body in small.bodies("set-aside") if isinstance(body, SetAsideBody)]) == len(CUTS), daemon)
    reasons = {body.reason.code for body in small.bodies("set-aside") if isinstance(body, SetAsideBody)}
    assert reasons == {"unreadable-scan"}
    assert small.bodies("assessment") == []
    health = small.bodies("health")[-1]
    fences = [reason for reason in health.reasons if reason.code == "sandbox-partial"]  # type: ignore[union-attr]
    with DecodeChild() as child:
        assert bool(fences) == (child.sandbox().level != "full")
    assert daemon.stop() == 0


@pytest.mark.system
@pytest.mark.timeout(600)
def test_assess_rejects_it(folder: Path) -> None:
    assert exit_code_of(["assess", str(folder / "cut-0.99.jpg")]) == 3
