"""A package as another package: its document changed, entries changed or added, digests made anew, pixels untouched."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from edge_agent.formats.anonymise import anonymised, clean_entries
from edge_agent.formats.package import PackageRef, read_entries, write_entries
from edge_agent.formats.package_model import ScanJson

Change: TypeAlias = Callable[[ScanJson, dict[str, bytes]], tuple[ScanJson, dict[str, bytes]]]


def rewrite_package(source: Path, out: Path, change: Change, more: Mapping[str, bytes] | None = None) -> PackageRef:
    """Write ``source`` changed to ``out``, whole or not at all; ``more``: further entries by name.

    Raises:
        UnreadableScan: the source is no package, or damaged.
        OSError: the disk refuses.
    """
    document, entries = change(*read_entries(source))
    return write_entries(document, {**entries, **(more or {})}, out)


def anonymise_package(source: Path, out: Path, more: Mapping[str, bytes] | None = None, *, keeps_tokens: bool = False) -> PackageRef:
    """Write the anonymised form of a package; see :func:`edge_agent.formats.anonymise.anonymised`."""

    def without_personal_data(document: ScanJson, entries: dict[str, bytes]) -> tuple[ScanJson, dict[str, bytes]]:
        clean = anonymised(document, keeps_tokens=keeps_tokens)
        return clean, clean_entries(entries, clean)

    return rewrite_package(source, out, without_personal_data, more)


def copy_package(source: Path, out: Path, more: Mapping[str, bytes] | None = None) -> PackageRef:
    """Write the same package with further entries."""
    return rewrite_package(source, out, lambda document, entries: (document, entries), more)
