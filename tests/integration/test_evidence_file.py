"""An evidence file proves what a site knows of a scan, on a machine without this program, and no byte of it can be changed."""

import ast
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import closing

import pytest

from benchmarks.site import ROOT
from edge_agent.agent.departures import EXPORTED, departure, journal_departure, noted_departures
from edge_agent.agent.evidence import Grounds, write_evidence
from edge_agent.cli.main import main
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.errors import BlobDamaged, ConfigUnreadable, ExportRefused, PackageMissing
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing import verify_evidence
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import (
    SITE,
    a_scan_id,
    a_verdict,
    an_acceptance,
    an_arrival,
    an_assessment,
    an_audit,
    assessment_body,
)
from edge_agent.wire.messages import AuditBody, BlobPart, IdentityPart, MemberPart, decode, encode

SCAN, OTHER = a_scan_id("guilty"), a_scan_id("other")
PIXELS, SIDECAR, MAP = b"pixels" * 500, b"<scan container='MSCU1234565'/>", b"a heat map"


def sha(content):
    return hashlib.sha256(content).hexdigest()


def told(scan, ledger):
    """An alert that names its files, its heat map, one that is no longer kept, and a container."""
    (row,) = ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, "MSCU1234565")])
    entry = an_assessment(scan, conclusion="alert")
    body = assessment_body(scan, conclusion="alert")
    members = [MemberPart(role=role, sha256=sha(raw), bytes=len(raw)) for role, raw in (("high", PIXELS), ("sidecar", SIDECAR))]
    blobs = [BlobPart(sha256=sha(raw), bytes=len(raw), media_type="image/png", role="heatmap:top") for raw in (MAP, b"gone")]
    body = body.model_copy(
        update={
            "provenance": body.provenance.model_copy(update={"members": members}),
            "blobs": blobs,
            "identities": [IdentityPart(kind=row.kind, token=row.token, commitment=row.commitment)],
        }
    )
    return type(entry)(entry.fact_id, entry.scan_id, entry.kind, entry.topic, encode(body))


@pytest.fixture(scope="module")
def key():
    return SigningKey.new("harbour")


@pytest.fixture
def state(tmp_path, original):
    """A site of one's own; it is a copy, so whoever opens its ledger for writing begins a new epoch."""
    return shutil.copytree(original, tmp_path / "state")


@pytest.fixture(scope="module")
def original(tmp_path_factory, key):
    """A site with a scan of which much was said, among 250 rows about others; heads signed now and then."""
    state = tmp_path_factory.mktemp("evidence") / "state"
    state.mkdir()
    store = BlobStore(state / "blobs")
    store.put(MAP)
    store.put(SIDECAR)
    with closing(Ledger.open(state / "ledger.db", SITE, ManualClock())) as ledger:
        for number in range(250):
            ledger.append(an_audit(f"event {number}", "something"))
            if number in (60, 110, 180, 200):
                ledger.sign_head(key)
            if number == 120:
                ledger.accept([an_acceptance(an_arrival("guilty"))])
                job = ledger.claim(ManualClock().now())
                ledger.complete(job.job_id, told(SCAN, ledger))
            if number == 240:
                ledger.append(a_verdict(SCAN))
        ledger.append(an_assessment(OTHER))
    folder = state / "spool" / "guilty"
    folder.mkdir(parents=True)
    (folder / "MSCU1234565.png").write_bytes(PIXELS)
    (folder / "we\nird.bin").write_bytes(b"nobody names me")
    return state


def written(state, key, out, **more):
    return write_evidence(state, SCAN, out, Grounds(key, "court-order", **more), ManualClock())


def verdict_of(path, *words):
    """Run the script as a stranger would: isolated, no site packages, in an empty folder, the script out of the file itself."""
    folder = path.parent / "clean"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        (folder / "verify.py").write_bytes(archive.read("verify_evidence.py"))
    command = [sys.executable, "-I", "-S", "verify.py", str(path), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={}, timeout=170, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_stranger_verifies_it_with_the_standard_library_alone(state, key, tmp_path):
    out = tmp_path / "evidence.zip"
    done = written(state, key, out)
    code, shown = verdict_of(out, "--key", key.public.text)
    assert 0 == code, shown
    assert "\nVERIFIED\n" in shown
    assert "it is the key that was given" in shown
    code, shown = verdict_of(out)
    assert (0, "VERIFIED, BUT FOR THE KEY") == (code, shown.splitlines()[-1].partition(":")[0])
    assert (done.bytes, done.sha256) == (out.stat().st_size, sha(out.read_bytes()))
    assert 0o600 == out.stat().st_mode & 0o777


def test_it_holds_what_the_site_knows_and_short_pieces_of_the_journal(state, key, tmp_path):
    done = written(state, key, tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
        assert PIXELS == archive.read("originals/r1/MSCU1234565.png")
        assert SIDECAR == archive.read(f"pictures/{sha(SIDECAR)}")
        identity = next(iter(json.loads(archive.read("identities.json")).values()))
    assert 2 == len([name for name in names if name.startswith("facts/")]) == done.facts
    assert 2 == len([name for name in names if name.startswith("chain/")])
    assert [sha(b"gone")] == manifest["absent"]
    assert [sha(b"nobody names me")] == manifest["unnamed"]
    assert ["we\nird.bin"] == list(manifest["names"].values())
    assert ("container", "MSCU1234565") == (identity["kind"], identity["value"])
    with closing(LedgerReader.open(state / "ledger.db")) as reader:
        assert done.rows < reader.head().seq


def test_its_pieces_of_the_journal_are_exports_that_the_auditor_s_command_verifies(state, key, tmp_path):
    written(state, key, tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        archive.extractall(tmp_path / "out", [name for name in archive.namelist() if name.startswith("chain/")])
    pieces = sorted(map(str, (tmp_path / "out/chain").iterdir()))
    assert 0 == main(["journal", "verify", *pieces, "--key", key.public.text])


def test_a_thousand_changed_bytes_are_each_found(state, key, tmp_path):
    written(state, key, tmp_path / "evidence.zip")
    whole = (tmp_path / "evidence.zip").read_bytes()
    generator = random.Random(7)
    places = [*range(len(whole) - 240, len(whole)), *(generator.randrange(len(whole)) for _ in range(760))]
    assert verify_evidence.check_signature(io.BytesIO(whole)) == key.public.raw
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= generator.randrange(1, 256)
        try:
            signer = verify_evidence.check_signature(io.BytesIO(bytes(changed)))
        except verify_evidence.Broken:
            continue
        pytest.fail(f"byte {place} can be changed: {signer.hex()}")


def test_a_changed_byte_ends_the_script_with_1_and_no_traceback(state, key, tmp_path):
    out = tmp_path / "evidence.zip"
    written(state, key, out)
    whole = out.read_bytes()
    script = tmp_path / "verify.py"
    script.write_bytes((ROOT / "edge_agent/signing/verify_evidence.py").read_bytes())
    for bad in (whole[:-1], whole + b"\n", whole[1:], b"", whole[:900] + b"\0" + whole[901:]):
        out.write_bytes(bad)
        done = subprocess.run([sys.executable, "-I", "-S", str(script), str(out)], capture_output=True, text=True, timeout=170, check=False)
        assert (1, "") == (done.returncode, done.stderr)
        assert "BROKEN" in done.stdout


def test_the_script_is_python_that_old_machines_understand_and_imports_nothing_of_ours():
    tree = ast.parse((ROOT / "edge_agent/signing/verify_evidence.py").read_text(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_another_site_s_key_is_not_believed(state, key, tmp_path):
    written(state, key, tmp_path / "evidence.zip")
    code, shown = verdict_of(tmp_path / "evidence.zip", "--key", SigningKey.new("other").public.text)
    assert 1 == code
    assert "another key" in shown
    code, shown = verdict_of(tmp_path / "evidence.zip")
    assert 0 == code
    assert "NOT COMPARED" in shown


def forged(path, key, change):
    """Change entries and sign the file anew, as a dishonest holder of the key could."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(entries.pop("manifest.json"))
    change(entries, manifest)
    manifest["entries"] = {name: {"bytes": len(raw), "sha256": sha(raw)} for name, raw in entries.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in {**entries, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, raw)
        archive.comment = b" " * verify_evidence.TRAILER_BYTES
    unsigned = path.read_bytes()[: -verify_evidence.TRAILER_BYTES]
    signature = key.sign("evidence", hashlib.sha256(unsigned).digest()).hex()
    path.write_bytes(unsigned + f"edge-agent-evidence/1 ed25519:{key.public.raw.hex()} {signature}\n".encode())


def without(start):
    def change(entries, _manifest):
        for name in [name for name in entries if name.startswith(start)][:1]:
            del entries[name]

    return change


def altered(start, old, new):
    def change(entries, _manifest):
        name = next(name for name in sorted(entries) if name.startswith(start))
        assert old in entries[name]
        entries[name] = entries[name].replace(old, new)

    return change


def truncated(entries, _manifest):
    """Cut the last piece off before its head."""
    name = max(name for name in entries if name.startswith("chain/"))
    entries[name] = b"".join(entries[name].splitlines(keepends=True)[:-1])


def beheaded(entries, _manifest):
    """Let the last piece begin without its head."""
    name = max(name for name in entries if name.startswith("chain/"))
    first, _, *rest = entries[name].splitlines(keepends=True)
    entries[name] = b"".join([first, *rest])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("facts/"), "left out"),
        (without("originals/r1/MSCU"), "names is neither here"),
        (without("chain/0002"), "is not the journal's row"),
        (altered("facts/", b'"alert"', b'"no-alert"'), "is not the journal's row"),
        (altered("chain/", b"something", b"somewhere"), "breaks the chain"),
        (altered("originals/r1/MSCU", b"pixels", b"pixelz"), "neither here"),
        (altered("identities.json", b"MSCU1234565", b"TGHU7654321"), "commits to"),
        (truncated, "between signed heads"),
        (beheaded, "between signed heads"),
    ],
)
def test_even_the_holder_of_the_key_cannot_make_it_contradict_the_journal(state, key, tmp_path, change, why):
    out = tmp_path / "evidence.zip"
    written(state, key, out)
    forged(out, key, lambda *_: None)
    assert 0 == verify_evidence.main([str(out)])
    forged(out, key, change)
    code, shown = verdict_of(out)
    assert 1 == code
    assert why in shown


def wrong_kind(name, value):
    def change(_entries, manifest):
        manifest[name] = value

    return change


def not_json(start):
    def change(entries, _manifest):
        entries[next(name for name in sorted(entries) if name.startswith(start))] = b"[" * 5000

    return change


def endless(entries, _manifest):
    """Let a piece of the journal speak of numbers that are none."""
    name = min(name for name in entries if name.startswith("chain/"))
    entries[name] = entries[name].replace(b'"at_us": ', b'"at_us": -')


@pytest.mark.parametrize(
    "change",
    [
        *(wrong_kind(name, value) for name in ("site", "oldest", "earlier_keys", "absent", "unnamed") for value in (None, [[1]])),
        *(not_json(start) for start in ("chain/", "facts/", "identities.json")),
        endless,
    ],
)
def test_a_well_signed_file_of_nonsense_is_broken_and_no_traceback(state, key, tmp_path, change, capsys):
    out = tmp_path / "evidence.zip"
    written(state, key, out)
    forged(out, key, change)
    assert 1 == verify_evidence.main([str(out)])
    assert "BROKEN" in capsys.readouterr().out


def test_heads_of_a_key_of_before_count_where_the_site_vouches_for_it(state, key, tmp_path):
    later = SigningKey.new("harbour-2")
    out = tmp_path / "evidence.zip"
    alone = written(state, later, out)
    assert 0 == verdict_of(out, "--key", later.public.text)[0]
    out.unlink()
    vouched = written(state, later, out, earlier=(key.public,))
    assert 0 == verdict_of(out, "--key", later.public.text)[0]
    assert vouched.rows < alone.rows


def test_a_site_that_never_signed_gives_its_whole_journal_and_one_head(tmp_path, key):
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as ledger:
        for entry in (an_audit("start"), an_assessment(SCAN), an_assessment(OTHER)):
            ledger.append(entry)
    done = written(tmp_path, key, tmp_path / "evidence.zip")
    assert 3 == done.rows
    assert 0 == verdict_of(tmp_path / "evidence.zip", "--key", key.public.text)[0]


def test_nothing_is_overwritten_and_nothing_half_written_is_left(state, key, tmp_path):
    out = tmp_path / "evidence.zip"
    out.write_bytes(b"mine")
    with pytest.raises(ConfigUnreadable):
        written(state, key, out)
    assert b"mine" == out.read_bytes()
    with pytest.raises(PackageMissing):
        write_evidence(state, a_scan_id("nobody"), tmp_path / "no.zip", Grounds(key, "audit"), ManualClock())
    (state / "blobs" / sha(MAP)[:2] / sha(MAP)).write_bytes(b"damaged")
    with pytest.raises(BlobDamaged):
        written(state, key, tmp_path / "no.zip")
    assert ["evidence.zip"] == sorted(path.name for path in tmp_path.iterdir() if "zip" in path.name)


def exports_of(state):
    with closing(LedgerReader.open(state / "ledger.db")) as reader:
        bodies = [decode(raw) for raw in reader.facts_of(SCAN)]
    return [body.event.params for body in bodies if isinstance(body, AuditBody) and body.event.code == EXPORTED]


def configured(folder, key):
    text = (ROOT / "config/agent.example.toml").read_text("utf-8")
    text = re.sub(r'state_dir = "[^"]*"', 'state_dir = "state"', text).replace('id = "nhava-sheva-1"', f'id = "{SITE}"')
    key.save(folder / "keys")
    (folder / "agent.toml").write_text(f'{text}\n[journal]\nkey = "keys/{key.name}.sign_secret"\n')
    (folder / "policy.toml").write_bytes((ROOT / "config/policy.example.toml").read_bytes())
    (folder / "scanners").symlink_to(ROOT / "config/scanners")
    return ["--config", str(folder / "agent.toml"), "--out", str(folder / "evidence.zip"), "--reason", "court-order"]


def test_the_command_journals_the_export_and_the_file_tells_of_it(state, key, tmp_path, capsys):
    words = configured(tmp_path, key)
    assert 0 == main(["evidence", SCAN, *words, "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert [{"reason": "court-order", "role": "evidence", "format": "evidence"}] == exports_of(state)
    assert 3 == shown["facts"]
    assert 0 == verdict_of(tmp_path / "evidence.zip", "--key", shown["key"])[0]


def test_nothing_is_journalled_of_an_export_that_cannot_be(state, key, tmp_path, capsys):
    words = configured(tmp_path, key)
    assert 1 == main(["evidence", a_scan_id("nobody"), *words])
    with pytest.raises(SystemExit, match="2"):
        main(["evidence", SCAN, *words[:-1], "Mr Smith"])
    (tmp_path / "evidence.zip").write_bytes(b"")
    assert 78 == main(["evidence", SCAN, *words])
    assert [] == exports_of(state)


def test_beside_a_daemon_the_export_is_journalled_by_the_daemon(state, key, monkeypatch):
    monkeypatch.setattr("edge_agent.agent.departures._PATIENCE_S", 0.3)
    one = departure(SCAN, "court-order", "evidence", "evidence")
    with closing(Ledger.open(state / "ledger.db", SITE, ManualClock())) as daemon:
        with pytest.raises(ExportRefused):
            journal_departure(state, SITE, one, SystemClock())
        assert [] == noted_departures(state)

        def look(_seconds):
            for note, found in noted_departures(state):
                daemon.append(found.entry(SITE, ManualClock().now()))
                note.unlink()

        monkeypatch.setattr("edge_agent.agent.departures.time.sleep", look)
        journal_departure(state, SITE, one, SystemClock())
    assert 1 == len(exports_of(state))
    assert [] == noted_departures(state)


def test_a_note_that_cannot_be_read_is_a_departure_all_the_same(state):
    folder = state / "departures"
    folder.mkdir()
    one = departure(SCAN, "court-order", "evidence", "evidence")
    (folder / f"{one.departure_id}.{SCAN}").write_bytes(b"\xff")
    (folder / "strange").write_bytes(b"{}")
    (folder / f".{one.departure_id}.{SCAN}.part").write_bytes(b"{}")
    ((_, found),) = noted_departures(state)
    assert (one.departure_id, SCAN, "unknown") == (found.departure_id, found.scan, found.reason)
