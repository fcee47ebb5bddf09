"""What the ``keys`` command does at a site: its allow-list and its own key, in ``agent.toml``."""

import argparse
import hashlib
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.agent.allow_list import read_report
from edge_agent.agent.config import parse_config, read_file
from edge_agent.agent.enrolment import edit_config, with_consumer, with_value, without_consumer
from edge_agent.agent.sections import AgentSections
from edge_agent.domain.clock import Clock
from edge_agent.errors import ConfigInvalid
from edge_agent.signing.key_file import read_key_file
from edge_agent.transport.keys import Consumer, Role, fingerprint, load_public, load_secret, new_key_pair

_PATIENCE_S = 3.0
_NOT_TAKEN = "no daemon took it up: none runs here, or it runs as another user. The file counts at its next start"


def enrolled(config: Path, clock: Clock) -> list[dict[str, Any]]:
    """Give who is enrolled, and what the daemon says of each."""
    sections = parse_config(config, read_file(config)).sections
    report = read_report(sections.state_dir)
    inside = set(report.consumers) if report else set()
    seen = report.last_seen if report else {}
    now = clock.now()
    return [
        {
            "name": one.name,
            "role": one.role.value,
            "fingerprint": fingerprint(one.public),
            "durable": one.durable,
            "supervisors": one.supervisors,
            "controls": one.controls,
            "not_after": one.not_after.isoformat() if one.not_after else None,
            "has_expired": one.has_expired(now),
            "in_force": one.name in inside,
            "last_seen": seen[one.name].isoformat(timespec="seconds") if one.name in seen else None,
        }
        for one in sections.allow_list().consumers
    ]


def enrol(args: argparse.Namespace) -> int:
    """Let a key in, once its fingerprint was compared."""
    public = load_public(args.file)
    name = args.name or _name_in(Path(args.file))
    _compare(public, args.fingerprint)
    consumer = Consumer(name, public, Role(args.role), args.durable, args.not_after, args.supervisors, args.controls)
    written = edit_config(args.config, partial(with_consumer, consumer=consumer))
    in_force = _is_in_force(args.config, written)
    words = f"{name} is enrolled as {args.role}, fingerprint {fingerprint(public)}"
    return _say(args, {"name": name, "role": args.role, "fingerprint": fingerprint(public), "in_force": in_force}, words)


def revoke(args: argparse.Namespace) -> int:
    """Shut a key out; exit code 1 when no daemon says that it did."""
    written = edit_config(args.config, partial(without_consumer, name=args.name))
    in_force = _is_in_force(args.config, written)
    _say(args, {"name": args.name, "in_force": in_force}, f"{args.name} is revoked")
    return 0 if in_force else 1


def rotate(args: argparse.Namespace) -> int:
    """Make the site's next key, or put it in the place of the present one."""
    if args.finish == (args.name is not None):
        raise ConfigInvalid("give either the NAME of the next key, or --finish")
    return _finish(args) if args.finish else _prepare(args)


def _prepare(args: argparse.Namespace) -> int:
    wire = parse_config(args.config, read_file(args.config)).sections.wire
    if wire.key is None or wire.next_key is not None:
        raise ConfigInvalid("there is a next key already, or no key at all: `--finish` first" if wire.key else "this site has no key")
    pair = new_key_pair(args.name, wire.key.parent, before=load_secret(wire.key).public)
    secret = wire.key.with_name(f"{pair.name}.key_secret")
    edit_config(args.config, partial(with_value, table="wire", key="next_key", value=str(secret)))
    words = (
        f"next key     {pair.public}\nfingerprint  {fingerprint(pair.public)}\n"
        "1. Restart the daemon: it announces the next key to everybody who connects with the present one.\n"
        f"2. Give {pair.name}.key to every console and to headquarters in the place of the present file: it names both keys.\n"
        "3. `edge-agent keys rotate --finish`, and restart the daemon."
    )
    return _say(args, {"name": pair.name, "public": pair.public, "fingerprint": fingerprint(pair.public)}, words)


def _finish(args: argparse.Namespace) -> int:
    wire = parse_config(args.config, read_file(args.config)).sections.wire
    if wire.next_key is None:
        raise ConfigInvalid("there is no next key: `edge-agent keys rotate NAME` makes one")
    pair = load_secret(wire.next_key)
    swapped = str(wire.next_key)

    def edit(text: str) -> str:
        return with_value(with_value(text, "wire", "next_key", None), "wire", "key", swapped)

    edit_config(args.config, edit)
    words = f"the site's key is {pair.name} from its next start on, fingerprint {fingerprint(pair.public)}; restart the daemon"
    return _say(args, {"name": pair.name, "public": pair.public, "fingerprint": fingerprint(pair.public)}, words)


def _compare(public: str, heard: str | None) -> None:
    """Let pass only a key whose fingerprint the other side said.

    Raises:
        ConfigInvalid: another fingerprint, or nobody to ask.
    """
    own = fingerprint(public)
    if heard is not None:
        if "".join(heard.split()).lower() != "".join(own.split()):
            raise ConfigInvalid(f"this key's fingerprint is {own}: it is not the key that the other side has; nothing was changed")
        return
    if not sys.stdin.isatty():
        raise ConfigInvalid("give --fingerprint: what the other side read aloud")
    print(f"fingerprint  {own}\nDoes the other side read the same? Type yes: ", end="", flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise ConfigInvalid("not confirmed; nothing was changed")


def _name_in(path: Path) -> str:
    try:
        return read_key_file(path).name
    except ValueError as problem:
        raise ConfigInvalid("give --name: the key is not in a file that says one") from problem


def _is_in_force(config: Path, written: bytes) -> bool:
    """Wait until the daemon says that it took up the file; False when it does not within some seconds."""
    sections: AgentSections = parse_config(config, written).sections
    digest = hashlib.sha256(written).hexdigest()
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        report = read_report(sections.state_dir)
        if report is not None and report.digest == digest and not report.problem:
            return True
        time.sleep(0.05)
    return False


def _say(args: argparse.Namespace, content: dict[str, Any], words: str) -> int:
    if args.json:
        json.dump(content, sys.stdout)
        sys.stdout.write("\n")
        return 0
    print(words)
    if "in_force" in content:
        print("in force in the running daemon" if content["in_force"] else _NOT_TAKEN)
    return 0
