"""The option by which a command without agent.toml is told whose bundles to believe."""

import argparse
from pathlib import Path

from edge_agent.inference.installed import release_key
from edge_agent.inference.store import Admission
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import VerifyKey


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust``."""
    words = "also believe bundles signed with this key: ed25519:... or the file of its public half; may be given again"
    parser.add_argument("--trust", action="append", default=[], metavar="KEY", help=words)


def admission_of(args: argparse.Namespace) -> Admission:
    """Give what a bundle must pass: a signature of the project's release key, or of a key that was named.

    Raises:
        ConfigInvalid, SigningKeyUnusable: what was named is no key, or no file with one.
    """
    return Admission(Trust.of([release_key(), *(_key(text) for text in args.trust)]))


def _key(text: str) -> VerifyKey:
    return VerifyKey.parse(text) if text.startswith("ed25519:") else VerifyKey.load(Path(text))
