#!/usr/bin/env python3
"""Verify an evidence file of a scan, on any machine with Python 3.9 or later and nothing else.

    python3 -I verify_evidence.py EVIDENCE.zip --key ed25519:...

Take this script from the program's release, not only from the evidence file, and the site's key from the customs authority. It prints a
table of checks and ends with exit code 0 when all of them hold, with 1 at the first that does not.

An evidence file is a ZIP whose comment, the last bytes of the file, is a signature over the SHA-256 of everything before: no byte is
without cover. Ed25519 follows RFC 8032, section 5.1.7, without the cofactor and with every encoding canonical.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

TRAILER = re.compile(rb"edge-agent-evidence/1 ed25519:([0-9a-f]{64}) ([0-9a-f]{128})\n")
TRAILER_BYTES = 22 + 8 + 64 + 1 + 128 + 1
MANIFEST = "manifest.json"
_PAGE = 1 << 20
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z, x y = T/Z."""


_NO_EVIDENCE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a file of another kind may raise."""


class Broken(Exception):
    """A check does not hold; the text says what."""


def signature_fits(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` (64 bytes) over ``message`` is one by the public ``key`` (32 bytes): S B = R + k A."""
    point = _decoded(key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != 64 or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    x, y, z, t = point
    return _encoded(_sum(_times(s, _BASE), _times(k, (-x % _P, y, z, -t % _P)))) == signature[:32]


def _decoded(raw: bytes) -> _Point | None:
    """Give the point of 32 bytes, None where they are no canonical encoding of one."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if len(raw) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_1 % _P
    is_odd = raw[31] >> 7
    if x * x % _P != square or (x == 0 and is_odd):
        return None
    x = x if x % 2 == is_odd else _P - x
    return x, y, 1, x * y % _P


def _encoded(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return ((y * inverse % _P) | (x * inverse % _P % 2) << 255).to_bytes(32, "little")


def _sum(one: _Point, other: _Point) -> _Point:
    """Add two points; the formula is complete on this curve, so that it doubles too."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * _D * one[3] * other[3] % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    found: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _sum(found, point)
        point = _sum(point, point)
        factor >>= 1
    return found


_BASE = _decoded((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or (0, 1, 1, 0)


def bound(purpose: str, message: bytes) -> bytes:
    """Give what a site signs: its purpose stands before the message."""
    return b"edge-agent/" + purpose.encode() + b"\0" + message


def fingerprint(key: bytes) -> str:
    """Give what people compare: eight groups of four hex digits of the key's SHA-256."""
    digest = hashlib.sha256(key).hexdigest()
    return " ".join(digest[place : place + 4] for place in range(0, 32, 4))


def check_signature(file: BinaryIO) -> bytes:
    """Check the signature over the whole file and give its key."""
    size = file.seek(0, 2)
    file.seek(max(size - TRAILER_BYTES, 0))
    found = TRAILER.fullmatch(file.read())
    if found is None:
        raise Broken("the file does not end in a signature: it was cut off or altered")
    key, signature = (bytes.fromhex(part.decode()) for part in found.groups())
    file.seek(0)
    digest, left = hashlib.sha256(), size - TRAILER_BYTES
    while left:
        page = file.read(min(_PAGE, left))
        digest.update(page)
        left -= len(page)
    if not signature_fits(key, bound("evidence", digest.digest()), signature):
        raise Broken("the signature does not fit: a byte of the file was altered, or another key signed it")
    return key


class Evidence:
    """The opened file, its signature already checked."""

    def __init__(self, archive: zipfile.ZipFile, key: bytes) -> None:
        self._archive = archive
        self.key = key
        self.manifest: dict[str, Any] = _plain_manifest(json.loads(archive.read(MANIFEST)))
        self.rows: dict[int, bytes] = {}

    def entries(self) -> str:
        """Compare every entry with the manifest."""
        listed = self.manifest["entries"]
        names = [info.filename for info in self._archive.infolist()]
        if sorted(names) != sorted([MANIFEST, *listed]):
            raise Broken("the file holds other entries than its manifest lists")
        for name, part in listed.items():
            digest, size = hashlib.sha256(), 0
            with self._archive.open(name) as entry:
                while page := entry.read(_PAGE):
                    digest.update(page)
                    size += len(page)
            if (size, digest.hexdigest()) != (part["bytes"], part["sha256"]):
                raise Broken(f"{name} is not what the manifest says")
        return f"{len(listed)} entries have the digests of the manifest"

    def chain(self) -> str:
        """Recompute each piece of the journal, which must end, and but for the journal's own beginning begin, with a signed head."""
        heads = 0
        for name in self._named("chain/"):
            heads += self._piece(name)
        if not heads:
            raise Broken("there is no piece of the journal")
        return f"{len(self.rows)} rows of the journal are chained, and {heads} heads signed by the site fit them"

    def facts(self) -> str:
        """Compare the facts with the journal's rows: each is there, and no row about the scan is left out of them."""
        told = {int(name.split("/")[1].split("-")[0]): self._archive.read(name) for name in self._named("facts/")}
        about = {seq for seq, body in self.rows.items() if json.loads(body).get("scan_id") == self.manifest["scan_id"]}
        for seq, body in told.items():
            if self.rows.get(seq) != body:
                raise Broken(f"fact {seq} is not the journal's row")
        if about != set(told):
            raise Broken(f"rows about the scan are left out: {sorted(about - set(told))[:5]}")
        return f"{len(told)} facts about the scan are rows of the journal"

    def files(self) -> str:
        """Compare the scanner's files with what the assessments say that they were made from."""
        given = {part["sha256"] for name, part in self.manifest["entries"].items() if name.startswith(("originals/", "pictures/"))}
        named = {member["sha256"] for body in self._bodies() for member in body.get("provenance", body).get("members", [])}
        named |= {blob["sha256"] for body in self._bodies() for blob in body.get("blobs", [])}
        absent = set(self.manifest["absent"])
        if named - given - absent:
            raise Broken("a file that an assessment names is neither here nor said to be absent")
        if given - named - set(self.manifest["unnamed"]):
            raise Broken("a file is here that no fact names")
        return f"{len(named & given)} files are those that the facts name; {len(named & absent)} are no longer kept by the site"

    def identities(self) -> str:
        """Recompute the commitments that tie identifiers in clear to the journal."""
        if "identities.json" not in self.manifest["entries"]:
            return "no identifiers in clear are in the file"
        named = dict(_identity_parts(self._bodies()))
        tied = 0
        for token, part in json.loads(self._archive.read("identities.json")).items():
            content = bytes.fromhex(part["salt"]) + b"\0" + part["kind"].encode() + b"\0" + part["value"].encode()
            commitment = hashlib.sha256(content).hexdigest()
            if commitment != part["commitment"] or named.get(token, commitment) != commitment:
                raise Broken(f"the identifier behind token {token} is not the one that the journal commits to")
            tied += token in named
        return f"{tied} identifiers in clear are those that the journal commits to"

    def _piece(self, name: str) -> int:
        first, *lines = self._archive.read(name).decode(errors="surrogateescape").splitlines()
        heading = json.loads(first)
        if (heading["format"], heading["site"]) != ("edge-agent-journal/2", self.manifest["site"]):
            raise Broken(f"{name} is not of this site's journal")
        after, digest, heads, is_signed = heading["after"], bytes.fromhex(heading["hash"]), 0, False
        begins_signed = after == 0
        for line in lines:
            content = json.loads(line)
            is_signed = "head" in content
            if is_signed:
                self._head(content["head"], after, digest)
                heads += 1
                begins_signed = begins_signed or after == heading["after"]
                continue
            body = content["body"].encode(errors="surrogateescape")
            digest = hashlib.sha256(digest + (after + 1).to_bytes(8, "big") + body).digest()
            if (content["seq"], content["hash"]) != (after + 1, digest.hex()):
                raise Broken(f"{name}: row {after + 1} breaks the chain")
            after += 1
            self.rows[after] = body
        if not is_signed or not (begins_signed or heading["after"] == self.manifest["oldest"] - 1):
            raise Broken(f"{name} does not stand between signed heads")
        return heads

    def _head(self, head: dict[str, Any], after: int, digest: bytes) -> None:
        if (head["seq"], head["hash"]) != (after, digest.hex()):
            raise Broken(f"a signed head contradicts row {after}")
        key = bytes.fromhex(head["key"])
        if key != self.key and key.hex() not in self.manifest["earlier_keys"]:
            raise Broken(f"the head at row {after} is signed by another key")
        said = bytes.fromhex(head["epoch"]) + after.to_bytes(8, "big") + digest
        said += head["at_us"].to_bytes(8, "big") + self.manifest["site"].encode()
        if not signature_fits(key, bound("journal-head", said), bytes.fromhex(head["signature"])):
            raise Broken(f"the signature of the head at row {after} does not fit")

    def _named(self, start: str) -> list[str]:
        return sorted(name for name in self.manifest["entries"] if name.startswith(start))

    def _bodies(self) -> Iterator[dict[str, Any]]:
        for name in self._named("facts/"):
            yield json.loads(self._archive.read(name))


def _plain_manifest(content: object) -> dict[str, Any]:
    """Give the manifest, its fields of the kinds that the checks rely on."""
    if not isinstance(content, dict) or content.get("format") != "edge-agent-evidence/1":
        raise Broken("there is no manifest of this format")
    words = [content[name] for name in ("site", "scan_id", "made_at", "reason")]
    lists = [word for name in ("earlier_keys", "absent", "unnamed") for word in content[name]]
    if not all(isinstance(word, str) for word in [*words, *lists]) or not isinstance(content["oldest"], int):
        raise Broken("the manifest holds other things than it should")
    return content


def _identity_parts(bodies: Iterator[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for body in bodies:
        for part in [*body.get("identities", []), body.get("remarks"), body.get("note")]:
            if part:
                yield part["token"], part["commitment"]


def parsed_key(text: str) -> bytes:
    """Read ``ed25519:`` and 44 characters of base64."""
    scheme, _, coded = text.partition(":")
    try:
        raw = base64.b64decode(coded, validate=True)
    except ValueError:
        raw = b""
    if scheme != "ed25519" or len(raw) != 32:
        raise Broken("--key is no public key: ed25519: and 44 characters of base64 are expected")
    return raw


def verify(path: str, pinned: str | None, tell: Callable[[str], None]) -> None:
    """Do every check in turn, telling each that holds.

    Raises:
        Broken: the first that does not.
    """
    believed = None if pinned is None else parsed_key(pinned)
    with open(path, "rb") as file:  # noqa: PTH123 - a script for any machine
        key = check_signature(file)
        tell("ok  whole file     every byte is under one signature")
        if believed is not None and key != believed:
            raise Broken(f"signed by another key, with fingerprint {fingerprint(key)}")
        kept = "it is the key that was given" if believed else "NOT COMPARED: give --key, or compare this by telephone"
        tell(f"ok  key            fingerprint {fingerprint(key)}; {kept}")
        with zipfile.ZipFile(file) as archive:
            evidence = Evidence(archive, key)
            tell(f"    scan           {evidence.manifest['scan_id']} of site {evidence.manifest['site']}, {evidence.manifest['made_at']}")
            checks = (evidence.entries, evidence.chain, evidence.facts, evidence.files, evidence.identities)
            for name, check in zip(("contents", "journal", "facts", "files", "identifiers"), checks):  # noqa: B905 - Python 3.9
                tell(f"ok  {name:<15}{check()}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(arguments: list[str]) -> int:
    """Verify one file; 0 when every check holds, else 1."""
    parser = argparse.ArgumentParser(description="Verify an evidence file of a scan. Exit 0 when every check holds, else 1.")
    parser.add_argument("file", metavar="EVIDENCE.zip")
    parser.add_argument("--key", metavar="KEY", help="the site's public key, ed25519:...; without it only its fingerprint is shown")
    args = parser.parse_args(arguments)
    try:
        verify(args.file, args.key, _say)
    except Broken as problem:
        _say(f"BROKEN: {problem}")
        return 1
    except _NO_EVIDENCE as problem:
        _say(f"BROKEN: no evidence file of this format ({type(problem).__name__})")
        return 1
    _say("VERIFIED" if args.key else "VERIFIED, BUT FOR THE KEY: anybody can sign with a key of their own; give --key")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
