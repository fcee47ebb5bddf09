"""The whole corpus through the real child: never a hang, never memory past the limit, always a code, and what is accepted is right."""

import io
import re
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge_agent.domain.drop import Completeness
from edge_agent.domain.profile import Limits
from edge_agent.errors import ConfigError, DecoderDied, DecodeTimedOut, ScanRejected
from edge_agent.formats.catalogue import CODECS
from edge_agent.formats.child import DecodeChild, MemberFile
from edge_agent.formats.encode import png_bytes
from edge_agent.formats.package import read_package
from edge_agent.formats.profiles import load_profile
from edge_agent.formats.sidecar import READERS
from edge_agent.testing.drops import limited, load_picture, picture_profile
from tests.hostile import corpus

PICTURE = limited(picture_profile(), corpus.LIMITS)
REFUSALS_OF_A_LIBRARY = (OSError, ValueError, SyntaxError, TypeError, ArithmeticError, IndexError, KeyError, AttributeError)
AVAILABLE = {codec.name for codec in CODECS if not codec.unavailable} | {"raw"}


@dataclass
class Tally:
    """What came of many cases. ``wrong``: cases that broke a law, each with the reason."""

    counts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as started:
        started.start()
        yield started


def judge(child, folder, case, profile, tally):
    """Give one case to the child and note what came of it."""
    path = folder / "case"
    path.write_bytes(case.data)
    members = [MemberFile(case.file_name, "picture", path)]
    try:
        child.probe(members, profile)
        pixels = child.decode(members, profile).views[0].planes[0].pixels
    except (DecoderDied, DecodeTimedOut) as death:
        tally.wrong.append(f"{case.name}: {death.code} {death.fields}")
    except ScanRejected as refusal:
        tally.counts[refusal.code] += 1
    else:
        tally.counts[compared(case, pixels, tally)] += 1


def compared(case, pixels, tally):
    """Compare accepted pixels with what the law says of them."""
    if case.law == "refused":
        tally.wrong.append(f"{case.name}: accepted")
        return "wrong"
    if case.reference is None:
        return "accepted"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the independent decoder, about the damage
            expected = case.reference(case.data)
    except REFUSALS_OF_A_LIBRARY:
        return "accepted, independent decoder refuses"
    if not same(expected, pixels, case.tolerance):
        tally.wrong.append(f"{case.name}: other pixels than the independent decoder's: {pixels.shape} {expected.shape}")
        return "wrong"
    return "accepted and confirmed"


def same(expected, pixels, tolerance):
    """Whether two decoders gave the same picture; one of them may have folded equal channels to grey, or kept several planes."""
    if expected.ndim == 3 and pixels.ndim == 2:
        expected = expected[0] if expected.shape[1:] == pixels.shape else expected[:, :, 1]
    return expected.shape == pixels.shape and np.abs(expected.astype(int) - pixels.astype(int)).max(initial=0) <= tolerance


def memory_peak(pid):
    return int(re.search(r"VmPeak:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10


def test_every_available_codec_has_a_good_file_in_the_corpus():
    assert AVAILABLE <= {seed.codec for seed in corpus.SEEDS}


def test_the_corpus_has_at_least_two_thousand_cases(tmp_path):
    _, package = corpus.package(tmp_path)
    pictures = sum(len(list(corpus.damaged(seed))) for seed in corpus.SEEDS if seed.codec in AVAILABLE)
    texts = sum(len(list(corpus.damaged_sidecars(name, whole))) for name, whole in corpus.SIDECARS.items())
    others = sum(len(list(cases)) for cases in (corpus.tampered_archives(package), corpus.bad_profiles(), corpus.disguised()))
    assert pictures + texts + others > 2_000


@pytest.mark.parametrize("seed", corpus.SEEDS, ids=lambda seed: seed.name)
def test_a_good_file_is_accepted_and_right(child, tmp_path, seed):
    if seed.codec not in AVAILABLE:
        pytest.skip(f"no codec {seed.codec} here")
    tally = Tally()
    judge(
        child,
        tmp_path,
        corpus.Case(seed.name, seed.data, reference=seed.reference, tolerance=seed.tolerance),
        corpus.profile_of(seed),
        tally,
    )
    assert ([], 1) == (tally.wrong, tally.counts["accepted and confirmed"] + tally.counts["accepted"]), tally.counts


@pytest.mark.parametrize("seed", corpus.SEEDS, ids=lambda seed: seed.name)
def test_a_damaged_file_is_refused_or_right(child, tmp_path, seed):
    if seed.codec not in AVAILABLE:
        pytest.skip(f"no codec {seed.codec} here")
    tally, profile = Tally(), corpus.profile_of(seed)
    for case in corpus.damaged(seed):
        judge(child, tmp_path, case, profile, tally)
    assert [] == tally.wrong, tally.counts
    assert memory_peak(child.pid) <= 4 << 30


def test_the_content_decides_and_not_the_ending(child, tmp_path):
    tally = Tally()
    for case in corpus.disguised():
        judge(child, tmp_path, case, PICTURE, tally)
    assert [] == tally.wrong, tally.counts


@pytest.mark.parametrize("name", corpus.BOMBS)
def test_a_bomb_is_refused_in_time_and_within_its_memory(tmp_path, name):
    """Each in a child of its own, whose peak is then its own too. A bomb may kill its child: that is a code, and only its own child."""
    quick = Limits(deadline_s=3.0, max_memory_bytes=1 << 30)
    case = corpus.Case(name, corpus.BOMBS[name](), "judged" if name in corpus.MAY_BE_RIGHT else "refused")
    tally = Tally()
    with DecodeChild() as own:
        judge(own, tmp_path, case, limited(picture_profile(), quick), tally)
        codes = [line for line in tally.wrong if not line.split(": ")[1].startswith(("decoder-died", "decode-timed-out"))]
        assert [] == codes, tally.counts
        good = tmp_path / "good.png"
        good.write_bytes(png_bytes(load_picture()))
        assert own.decode([MemberFile("good.png", "picture", good)], PICTURE).views


@pytest.mark.parametrize("name", corpus.NAMES)
def test_a_name_is_only_a_name(child, tmp_path, name):
    path = tmp_path / "k"
    path.write_bytes(png_bytes(load_picture()))
    assert child.decode([MemberFile(name, "picture", path)], PICTURE).views


@pytest.mark.parametrize("kind", ["link", "dangling", "loop", "folder-link", "device", "folder", "absent"])
def test_what_is_no_regular_file_is_never_opened(child, tmp_path, kind):
    (tmp_path / "secret").write_bytes(png_bytes(load_picture()))
    path = tmp_path / "k.png"
    targets = {
        "link": tmp_path / "secret",
        "dangling": tmp_path / "nothing",
        "loop": path,
        "folder-link": tmp_path,
        "device": Path("/dev/zero"),
    }
    if kind in targets:
        path.symlink_to(targets[kind])
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(Exception, match=r".") as caught:
        child.decode([MemberFile("k.png", "picture", path)], PICTURE)
    assert caught.value.code in ("unsupported-format", "drop-unavailable")


@pytest.mark.parametrize("name", corpus.SIDECARS)
def test_a_bad_side_car_costs_neither_the_pixels_nor_the_child_nor_the_time(child, tmp_path, name):
    profile = corpus.sidecar_profile(name)
    picture, sidecar = tmp_path / "picture", tmp_path / "sidecar"
    file_name, role, data = corpus.beside(name)
    picture.write_bytes(data)
    members = [MemberFile(file_name, role, picture), MemberFile("k.xml", "sidecar", sidecar)]
    child.probe(members[:1], profile)
    before = child.pid
    for case in corpus.damaged_sidecars(name, corpus.SIDECARS[name]):
        sidecar.write_bytes(case.data)
        result, decoded = child.probe(members, profile), child.decode(members, profile)
        assert len(decoded.views) == 1, case.name
        unread = {note.code for note in decoded.notes} & {"sidecar-unreadable"}
        assert (decoded.sidecar is None) == bool(unread), case.name
        assert result.sidecar == decoded.sidecar, case.name
        if case.law == "refused":
            assert result.sidecar is None, case.name
            assert result.completeness is not Completeness.COMPLETE, case.name
    assert before == child.pid


def test_every_side_car_reader_has_a_good_document_in_the_corpus():
    assert set(READERS) - {""} <= {name.split("-")[0] for name in corpus.SIDECARS}


def refused_or_same(data, scan):
    """Whether a package is refused, or is the very scan."""
    try:
        back = read_package(io.BytesIO(data))
    except ScanRejected:
        return "refused"
    planes = [plane.pixels.tobytes() for view in back.views for plane in view.planes]
    is_same = planes == [plane.pixels.tobytes() for view in scan.views for plane in view.planes] and back.capture == scan.capture
    return "same" if is_same else "WRONG"


def test_a_cut_package_is_refused_at_every_length(tmp_path):
    scan, good = corpus.package(tmp_path)
    assert "same" == refused_or_same(good, scan)
    step = max(1, len(good) // 1500)
    lengths = {*range(0, len(good), step), *range(len(good) - 200, len(good))}
    assert [] == [length for length in sorted(lengths) if refused_or_same(good[:length], scan) != "refused"]


def test_a_flip_in_a_package_is_refused_wherever_a_hash_or_checksum_covers_it(tmp_path):
    """Not covered are the archive's own dates, versions and modes, which nobody reads."""
    scan, good = corpus.package(tmp_path)
    covered = list(covered_ranges(good))
    wrong = []
    for at in range(0, len(good), max(1, len(good) // 1500)):
        outcome = refused_or_same(corpus._flipped(good, 8 * at + at % 8), scan)
        if outcome == "WRONG" or (outcome == "same" and any(start <= at < end for start, end in covered)):
            wrong.append((at, outcome))
    assert [] == wrong


def covered_ranges(data):
    """Where entries' content lies."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename)
            yield start, start + info.file_size


def test_a_tampered_archive_is_refused_and_writes_nothing(tmp_path):
    scan, good = corpus.package(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    for case in corpus.tampered_archives(good):
        outcome = refused_or_same(case.data, scan)
        assert outcome == "refused" or (case.law == "judged" and outcome == "same"), case.name
    assert before == sorted(path.name for path in tmp_path.iterdir())


def test_a_foolish_profile_has_its_word(tmp_path):
    path = tmp_path / "odd.toml"
    for case in corpus.bad_profiles():
        path.write_bytes(case.data)
        try:
            load_profile(path)
        except ConfigError:
            continue
        assert case.law == "judged", case.name


def test_libraries_say_nothing_about_a_damaged_file(tmp_path, capfd):
    """What they would print may be a value of the file, and a service's error stream is a log."""
    with DecodeChild() as own:
        own.start()
        for name in ("dicos", "dataform"):
            file_name, role, data = corpus.beside(name)
            (tmp_path / "picture").write_bytes(data)
            members = [MemberFile(file_name, role, tmp_path / "picture"), MemberFile("k.xml", "sidecar", tmp_path / "sidecar")]
            for case in corpus.damaged_sidecars(name, corpus.SIDECARS[name]):
                (tmp_path / "sidecar").write_bytes(case.data)
                own.probe(members, corpus.sidecar_profile(name))
        for seed in corpus.SEEDS:
            if seed.codec in AVAILABLE:
                for case in list(corpus.damaged(seed))[::7]:
                    judge(own, tmp_path, case, corpus.profile_of(seed), Tally())
    assert "" == capfd.readouterr().err
