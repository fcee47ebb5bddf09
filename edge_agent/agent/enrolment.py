"""Edits of ``agent.toml`` by the ``keys`` commands: line by line, so that comments and order stay, and written whole or not at all.

An edit counts only when the file, read again, holds exactly the change that was meant, and all of it is valid.
"""

import fcntl
import itertools
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent.agent.config import parse_config, read_file
from edge_agent.errors import ConfigInvalid, ConfigUnreadable
from edge_agent.ledger.connection import sync_folder
from edge_agent.transport.keys import Consumer

_HEADER = re.compile(r"\s*\[")
_BY_HAND = "the file is written in a way that this command does not edit; change it by hand and run `edge-agent check`"


def with_consumer(text: str, consumer: Consumer) -> str:
    """Give the file with one more ``[[consumer]]`` table, after the others.

    Raises:
        ConfigInvalid: the name or the key is enrolled already, or the file cannot be edited by lines.
    """
    content = _read(text)
    for known in content.get("consumer", []):
        if consumer.name == known.get("name") or consumer.public == known.get("key"):
            raise ConfigInvalid(f"{known.get('name')} is enrolled already; `edge-agent keys revoke {known.get('name')}` takes it out")
    lines = text.splitlines()
    spans = list(_spans(lines, "[[consumer]]"))
    at = spans[-1].stop if spans else len(lines)
    table = _table(consumer)
    after = _joined([*lines[:at], "", *table, *lines[at:]])
    added = tomllib.loads("\n".join(table))["consumer"]
    return _checked(after, {**content, "consumer": [*content.get("consumer", []), *added]})


def without_consumer(text: str, name: str) -> str:
    """Give the file without the ``[[consumer]]`` table of ``name``.

    Raises:
        ConfigInvalid: nobody of that name is enrolled, or the file cannot be edited by lines.
    """
    content = _read(text)
    kept = [known for known in content.get("consumer", []) if known.get("name") != name]
    if len(kept) == len(content.get("consumer", [])):
        raise ConfigInvalid(f"nobody is enrolled as {name[:64]!r}")
    lines = text.splitlines()
    for span in _spans(lines, "[[consumer]]"):
        if _read("\n".join(lines[span.start : span.stop]))["consumer"][0].get("name") == name:
            start = span.start - 1 if span.start and not lines[span.start - 1].strip() else span.start
            del lines[start : span.stop]
            break
    expected = {**content, "consumer": kept} if kept else {key: value for key, value in content.items() if key != "consumer"}
    return _checked(_joined(lines), expected)


def with_value(text: str, table: str, key: str, value: str | None) -> str:
    """Give the file with a string under ``[table]`` set to ``value``, or taken out where that is None.

    Raises:
        ConfigInvalid: the file has no such table, or cannot be edited by lines.
    """
    content = _read(text)
    lines = text.splitlines()
    span = next(_spans(lines, f"[{table}]"), None)
    if span is None or not isinstance(content.get(table), dict):
        raise ConfigInvalid(_BY_HAND)
    written = [] if value is None else [f'{key} = "{value}"']
    at = next((number for number in range(span.start + 1, span.stop) if re.match(rf"\s*{key}\s*=", lines[number])), None)
    lines[span.stop if at is None else at : span.stop if at is None else at + 1] = written
    inner = {name: old for name, old in content[table].items() if name != key} | ({} if value is None else {key: value})
    return _checked(_joined(lines), {**content, table: inner})


def edit_config(path: Path, edit: Callable[[str], str]) -> bytes:
    """Replace the file by its edited text, keeping its owner and mode; give its bytes. Two editors at once wait for each other.

    Raises:
        ConfigInvalid, ConfigUnreadable: nothing was changed; the result would not be valid, or the file cannot be written.
    """
    path = path.resolve()
    with _alone(path.parent):
        old = read_file(path)
        try:
            new = edit(old.decode()).encode()
        except UnicodeDecodeError as problem:
            raise ConfigUnreadable(f"{path}: not UTF-8") from problem
        parse_config(path, new).sections.allow_list()
        try:
            _replace(path, new)
        except OSError as problem:
            raise ConfigUnreadable(f"{path}: cannot be written: {problem.strerror}") from problem
    return new


def _replace(path: Path, content: bytes) -> None:
    """Write beside it, rename over it: whoever reads meanwhile gets the old or the new file."""
    state = path.stat()
    unfinished = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, state.st_uid, state.st_gid)  # the daemon must still be able to read it
            os.fchmod(descriptor, state.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        raise ConfigUnreadable(f"{folder}: {problem.strerror}") from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _spans(lines: list[str], header: str) -> Iterator[range]:
    """Give where the tables of ``header`` stand: from the header to the last line that is neither empty nor a comment."""
    opening = re.compile(r"\s*" + r"\s*".join(re.escape(part) for part in re.findall(r"\[|\]|\w+", header)) + r"\s*(#.*)?")
    heads = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    for head, following in itertools.pairwise([*heads, len(lines)]):
        if opening.fullmatch(lines[head]):
            told = [number for number in range(head, following) if lines[number].strip() and not lines[number].lstrip().startswith("#")]
            yield range(head, told[-1] + 1)


def _table(consumer: Consumer) -> list[str]:
    lines = ["[[consumer]]", f'name = "{consumer.name}"', f'key = "{consumer.public}"', f'role = "{consumer.role}"']
    lines += ["durable = true"] if consumer.durable else []
    lines += ["supervisors = true"] if consumer.supervisors else []
    lines += ["controls = true"] if consumer.controls else []
    lines += [f"not_after = {consumer.not_after.isoformat()}"] if consumer.not_after else []
    return lines


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigInvalid(f"not TOML: {problem}") from problem


def _checked(text: str, expected: dict[str, Any]) -> str:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigInvalid(_BY_HAND) from problem
    if found != expected:
        raise ConfigInvalid(_BY_HAND)
    return text


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
