"""Writing cards: plain TOML, and the table of hashes at its end."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_agent.inference.bundle import SIGNATURE

_FILES = "\n[files]\n"


def toml_text(content: Mapping[str, Any], prefix: str = "") -> str:
    """Give TOML of nested mappings of strings, numbers, booleans and lists of these."""
    plain = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in content.items() if not isinstance(value, Mapping))
    tables = [(f"{prefix}{_key(key)}", value) for key, value in content.items() if isinstance(value, Mapping)]
    return plain + "".join(f"\n[{name}]\n{toml_text(table, name + '.')}" for name, table in tables)


def files_table(folder: Path) -> str:
    """Give the [files] table: SHA-256 of every file of the bundle but the card itself and its signature."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("card.toml", SIGNATURE))
    rows = (f'"{path.relative_to(folder).as_posix()}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n' for path in paths)
    return _FILES + "".join(rows)


def renew_hashes(folder: Path) -> None:
    """Write the [files] table of a card anew, after files were added; a signature of the card of before goes."""
    card = folder / "card.toml"
    head = card.read_text().partition(_FILES)[0]
    card.write_text(head + files_table(folder))
    (folder / SIGNATURE).unlink(missing_ok=True)


def replace_table(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write one table of a bundle's card anew; a signature of the card of before goes."""
    card = tomllib.loads((folder / "card.toml").read_text())
    del card["files"]
    (folder / "card.toml").write_text(toml_text(card | {name: content}) + files_table(folder))
    (folder / SIGNATURE).unlink(missing_ok=True)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value)  # strings, numbers and booleans look the same in TOML
