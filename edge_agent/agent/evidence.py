"""One file that proves what a site knows of a scan: files, package, facts, custody, pieces of the journal, all under one signature.

It is a ZIP that any tool opens. Its comment, the last bytes of the file, is the site's signature over the SHA-256 of everything before it,
so no byte is without cover; :mod:`edge_agent.signing.verify_evidence` checks it anywhere, and lies in it.

The journal's hash chain is over whole rows, so a row cannot be shown to stand in it without the rows up to the next signed head. These are
given as they are, and tell of other scans too: in tokens, commitments and declared goods, never in identifiers. Heads are signed every
hundred rows, so the pieces are short where a site signs.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScanId, Seq, Token
from edge_agent.errors import BlobDamaged, BlobMissing, ConfigUnreadable, LedgerFailed, MalformedMessage, PackageMissing
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.connection import sync_folder
from edge_agent.ledger.inventory import open_inventory
from edge_agent.ledger.moments import to_us
from edge_agent.ledger.reader import LedgerReader
from edge_agent.ledger.records import OpenedIdentity
from edge_agent.ledger.retention import Item, Kind
from edge_agent.signing import verify_evidence
from edge_agent.signing.heads import sign_head
from edge_agent.signing.keys import SigningKey, VerifyKey
from edge_agent.wire.chain import JournalHead, JournalRow
from edge_agent.wire.export import Segment, head_line, heading, row_line
from edge_agent.wire.heads import SignedHead
from edge_agent.wire.identities import tokens_of
from edge_agent.wire.messages import AnyBody, AssessmentBody, SetAsideBody, decode

FORMAT = "edge-agent-evidence/1"
PURPOSE = "evidence"
SCRIPT = "verify_evidence.py"
_PAGE_ROWS, _PAGE_BYTES, _CHUNK = 500, 1 << 20, 1 << 20
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")
_README = f"""Evidence about one scan, signed by the site that made it.

manifest.json     what is here, with the SHA-256 of every entry
facts/            everything that the site's journal says of the scan: assessments, verdicts, referrals, results of examinations,
                  and who looked at it or took it away (audit); in the journal's order, byte for byte
chain/            the pieces of the journal that hold these facts, from signed head to signed head; rows about other scans among them
                  are needed to recompute the chain and name nobody
originals/        the scanner's files as they were accepted
packages/         the scan as the site keeps it
pictures/         pictures and side-cars that the facts name by their digests
identities.json   identifiers in clear, with what ties them to the journal
{SCRIPT}   checks all of it; take it from the program's release rather than from here: python3 -I {SCRIPT} FILE --key KEY
"""

Tell = Callable[[str], None]
"""Hears the name of each entry as it is written."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """Whose key signs, why the file is made (a word), and the site's keys of before, whose heads still count."""

    key: SigningKey
    reason: str
    earlier: tuple[VerifyKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What was written. ``sha256``: of the whole file."""

    path: Path
    bytes: int
    sha256: str
    facts: int
    rows: int
    entries: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows ``after + 1`` to ``upto`` of the journal."""

    after: Seq
    upto: Seq


def stretches(facts: Sequence[Seq], heads: Sequence[Seq], oldest: Seq, last: Seq) -> list[Stretch]:
    """Give the shortest stretches of the journal that hold ``facts`` and begin and end at signed ``heads`` (sorted).

    Where no head stands before a fact its stretch begins at the journal's oldest row; where none stands behind, it ends at ``last``.
    """
    found: list[Stretch] = []
    for fact in sorted(facts):
        after = max((head for head in heads if head < fact), default=Seq(oldest - 1))
        upto = min((head for head in heads if head >= fact), default=last)
        if found and after <= found[-1].upto:
            found[-1] = Stretch(found[-1].after, max(found[-1].upto, upto))
        else:
            found.append(Stretch(max(after, Seq(oldest - 1)), upto))
    return found


def write_evidence(state_dir: Path, scan: ScanId, out: Path, grounds: Grounds, clock: Clock, tell: Tell = lambda _: None) -> Written:
    """Write the evidence file of a scan; works beside a running daemon. It holds identifiers in clear: journal its departure before.

    Raises:
        PackageMissing: the ledger knows nothing of the scan.
        ConfigUnreadable: ``out`` exists, or cannot be written. BlobDamaged, LedgerDamaged, LedgerFailed.
    """
    with closing(LedgerReader.open(state_dir / "ledger.db")) as reader:
        head = reader.head()  # what comes behind it while this is written is left to the next evidence
        rows = [row for row in reader.rows_of(scan) if row.seq <= head.seq]
        if not rows:
            raise PackageMissing(f"the journal says nothing of {scan}", {"scan_id": scan})
        part = out.with_name(f".{out.name}.part")
        try:
            if out.exists():
                raise ConfigUnreadable(f"{out}: exists; evidence never overwrites", {"file": str(out)})
            writing = _Writing(reader, state_dir, scan, head, tell)
            with part.open("xb") as file:
                part.chmod(0o600)
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    writing.fill(archive, rows, grounds, clock)
                    archive.comment = b" " * verify_evidence.TRAILER_BYTES
            size, digest = _seal(part, grounds.key)
            part.rename(out)
            sync_folder(out.parent)
        except OSError as problem:
            raise ConfigUnreadable(f"{out}: {problem.strerror}", {"file": str(out)}) from problem
        finally:
            part.unlink(missing_ok=True)
    return Written(out, size, digest, len(rows), writing.chained, len(writing.entries))


def _seal(path: Path, key: SigningKey) -> tuple[int, str]:
    """Put the signature over everything before it in the place of the comment; give the file's size and SHA-256."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        left = size - verify_evidence.TRAILER_BYTES
        file.seek(0)
        digest = hashlib.sha256()
        while left:
            page = file.read(min(_CHUNK, left))
            digest.update(page)
            left -= len(page)
        signature = key.sign(PURPOSE, digest.digest())
        trailer = f"{FORMAT} ed25519:{key.public.raw.hex()} {signature.hex()}\n".encode()
        file.seek(size - verify_evidence.TRAILER_BYTES)
        file.write(trailer)
        file.flush()
        os.fsync(file.fileno())
        digest.update(trailer)
    return size, digest.hexdigest()


@dataclass
class _Writing:
    """The file in the making: what is in it so far, and what is not to be had any more."""

    reader: LedgerReader
    state_dir: Path
    scan: ScanId
    head: JournalHead
    tell: Tell
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    chained: int = 0

    def fill(self, archive: zipfile.ZipFile, rows: Sequence[JournalRow], grounds: Grounds, clock: Clock) -> None:
        bodies = [decoded for row in rows if (decoded := _decoded(row)) is not None]
        self._add(archive, "README.txt", _README.encode())
        self._add(archive, SCRIPT, Path(verify_evidence.__file__).read_bytes())
        for row in rows:
            self._add(archive, f"facts/{row.seq:010d}-{_kind(row)}.json", row.body)
        self._add_chain(archive, [row.seq for row in rows], grounds, clock)
        self._add_files(archive)
        named = list(_named(bodies))
        absent = self._add_pictures(archive, named)
        self._add_identities(archive, bodies)
        manifest = {
            "format": FORMAT,
            "site": self.reader.site,
            "scan_id": self.scan,
            "made_at": clock.now().isoformat(timespec="seconds"),
            "reason": grounds.reason,
            "oldest": self.head.first,
            "earlier_keys": [key.raw.hex() for key in grounds.earlier],
            "absent": absent,
            "unnamed": sorted(self.given - set(named)),
            "names": self.names,
            "entries": self.entries,
        }
        archive.writestr(_info(verify_evidence.MANIFEST), json.dumps(manifest, indent=1).encode())

    def _add(self, archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        self._write(archive, name, [content])

    def _write(self, archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> str:
        """Write an entry piece by piece, and give its SHA-256."""
        self.tell(name)
        digest, size = hashlib.sha256(), 0
        with archive.open(_info(name), "w", force_zip64=True) as entry:
            for piece in pieces:
                entry.write(piece)
                digest.update(piece)
                size += len(piece)
        self.entries[name] = {"bytes": size, "sha256": digest.hexdigest()}
        return digest.hexdigest()

    def _add_chain(self, archive: zipfile.ZipFile, facts: Sequence[Seq], grounds: Grounds, clock: Clock) -> None:
        """Write the pieces of the journal; the last one ends with a head that is signed now, where the site has signed none yet.

        Heads by keys that nobody vouches for are passed over.
        """
        known = {grounds.key.public.raw, *(key.raw for key in grounds.earlier)}
        heads = {head.seq: head for head in _heads(self.reader) if head.key in known and head.seq <= self.head.seq}
        if max(heads, default=Seq(0)) < max(facts):
            heads[self.head.seq] = sign_head(grounds.key, self.reader.site, self.head, to_us(clock.now()))
        for number, piece in enumerate(stretches(facts, sorted(heads), self.head.first, self.head.seq), start=1):
            self._write(archive, f"chain/{number:04d}.jsonl", self._lines(piece, heads))

    def _lines(self, piece: Stretch, heads: Mapping[Seq, SignedHead]) -> Iterator[bytes]:
        before = self.reader.hash_at(piece.after)
        if before is None:
            raise LedgerFailed("the ledger does not know the hash before a row", {"seq": piece.after})
        yield f"{heading(Segment(self.reader.site, self.reader.epoch, piece.after, before))}\n".encode()
        if piece.after in heads:
            yield f"{head_line(heads[piece.after])}\n".encode()
        after = piece.after
        while after < piece.upto:
            rows = self.reader.rows(after, min(_PAGE_ROWS, piece.upto - after), _PAGE_BYTES)
            if not rows:
                raise LedgerFailed("the ledger lacks a row that it should have", {"seq": after + 1})
            for row in rows:
                yield f"{row_line(row)}\n".encode()
                if row.seq in heads:
                    yield f"{head_line(heads[row.seq])}\n".encode()
            self.chained += len(rows)
            after = rows[-1].seq

    def _add_files(self, archive: zipfile.ZipFile) -> None:
        with open_inventory(self.state_dir) as inventory:
            holding = inventory.of([self.scan]).get(self.scan)
        for item in holding.items if holding is not None else ():
            if item.kind in (Kind.ORIGINALS, Kind.QUARANTINE):
                for file in sorted(path for path in (self.state_dir / item.path).iterdir() if path.is_file()):
                    self.given.add(self._write(archive, self._name(item, file), _read(file)))
            elif item.kind is Kind.PACKAGE and (self.state_dir / item.path).is_file():
                self._write(archive, f"packages/r{item.revision}.scan.zip", _read(self.state_dir / item.path))

    def _name(self, item: Item, file: Path) -> str:
        """Give an entry's name; a file whose own name is not plain gets a number, and the manifest says what it was called."""
        folder = f"originals/{'set-aside-' if item.kind is Kind.QUARANTINE else ''}r{item.revision}"
        plain = file.name if _PLAIN_NAME.fullmatch(file.name) else f"file-{len(self.names) + 1}"
        name = f"{folder}/{plain}"
        if plain != file.name or name in self.entries:
            name = f"{folder}/file-{len(self.names) + 1}"
            self.names[name] = file.name.encode(errors="surrogateescape").decode(errors="backslashreplace")
        return name

    def _add_pictures(self, archive: zipfile.ZipFile, named: Sequence[str]) -> list[str]:
        """Write what is named by its digest and lies in the store; give the digests of what is nowhere any more."""
        store = BlobStore(self.state_dir / "blobs")
        absent = []
        for sha256 in dict.fromkeys(named):
            if sha256 in self.given:
                continue
            try:
                content = store.get(sha256)
            except BlobMissing:
                absent.append(sha256)
                continue
            except BlobDamaged as problem:
                raise BlobDamaged(f"a picture of {self.scan} is damaged on the disk; nothing was written", problem.fields) from problem
            self.given.add(self._write(archive, f"pictures/{sha256}", [content]))
        return sorted(absent)

    def _add_identities(self, archive: zipfile.ZipFile, bodies: Sequence[AnyBody]) -> None:
        tokens: list[Token] = list(dict.fromkeys(token for body in bodies for token in tokens_of(body)))
        found = self.reader.opened_identities(tokens)
        if found:
            self._add(archive, "identities.json", json.dumps({one.token: _opened(one) for one in found}, indent=1).encode())


def _opened(one: OpenedIdentity) -> dict[str, str]:
    return {"kind": one.kind.value, "value": one.value, "salt": one.salt.hex(), "commitment": one.commitment}


def _named(bodies: Iterable[AnyBody]) -> Iterator[str]:
    """Give the digests that facts name: of accepted files, and of pictures."""
    for body in bodies:
        if isinstance(body, AssessmentBody):
            yield from (member.sha256 for member in body.provenance.members)
            yield from (blob.sha256 for blob in body.blobs)
        elif isinstance(body, SetAsideBody):
            yield from (member.sha256 for member in body.members)


def _heads(reader: LedgerReader) -> Iterator[SignedHead]:
    place = (Seq(-1), b"")
    while page := reader.signed_heads(place, _PAGE_ROWS):
        yield from page
        place = (page[-1].seq, page[-1].epoch)


def _decoded(row: JournalRow) -> AnyBody | None:
    try:
        return decode(row.body)
    except MalformedMessage:
        return None  # a kind of a newer version: it is given as it is


def _kind(row: JournalRow) -> str:
    return row.topic.rstrip("/").rpartition("/")[2]


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _FIRST_DAY)
    info.external_attr = 0o600 << 16
    return info


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while page := file.read(_CHUNK):
            yield page
