"""``edge-agent keys``: make CURVE keys, list them, show their fingerprints."""

import argparse
import json
import sys
from pathlib import Path

from edge_agent.errors import KeysMissing
from edge_agent.transport.keys import PUBLIC_SUFFIX, SECRET_SUFFIX, fingerprint, load_public, new_key_pair


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "keys",
        help="make and show CURVE keys",
        description="Makes the keys by which sites, consoles and headquarters know each other. NAME.key is public: give it to the other "
        "side. NAME.key_secret (mode 0600) never leaves this machine.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key pair; never overwrites one")
    new.add_argument("name", metavar="NAME", help="such as console-3 or site-north")
    shown = actions.add_parser("fingerprint", help="show a key's fingerprint, to compare over the telephone")
    shown.add_argument("name", metavar="NAME", help="name of a key in the folder")
    listed = actions.add_parser("list", help="show all keys of the folder")
    for action, act in ((new, _new), (shown, _fingerprint), (listed, _list)):
        action.add_argument("--dir", type=Path, default=Path("keys"), metavar="DIR", help="folder of the keys (default: ./keys)")
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(act=act)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action.

    Raises:
        ConfigInvalid, KeysMissing: naming the file.
    """
    return int(args.act(args))


def _new(args: argparse.Namespace) -> int:
    pair = new_key_pair(args.name, args.dir)
    public, secret = args.dir / (pair.name + PUBLIC_SUFFIX), args.dir / (pair.name + SECRET_SUFFIX)
    if args.json:
        _print_json({"name": pair.name, "public": pair.public, "public_file": str(public), "secret_file": str(secret)})
    else:
        print(
            f"public key   {pair.public}\nfingerprint  {fingerprint(pair.public)}\npublic file  {public}\nsecret file  {secret} (mode 0600)"
        )
    return 0


def _fingerprint(args: argparse.Namespace) -> int:
    public = load_public(str(args.dir / (args.name + PUBLIC_SUFFIX)))
    if args.json:
        _print_json({"name": args.name, "public": public, "fingerprint": fingerprint(public)})
    else:
        print(fingerprint(public))
    return 0


def _list(args: argparse.Namespace) -> int:
    if not args.dir.is_dir():
        raise KeysMissing(f"there is no folder {args.dir}")
    found = []
    for path in sorted(args.dir.glob(f"*{PUBLIC_SUFFIX}")):
        public = load_public(str(path))
        has_secret = path.with_suffix(SECRET_SUFFIX).exists()
        found.append({"name": path.stem, "public": public, "fingerprint": fingerprint(public), "has_secret": has_secret})
    if args.json:
        _print_json(found)
        return 0
    for key in found:
        print(f"{key['name']:<24} {key['public']}  {key['fingerprint']}{'  (secret here)' if key['has_secret'] else ''}")
    return 0


def _print_json(content: object) -> None:
    json.dump(content, sys.stdout)
    sys.stdout.write("\n")
