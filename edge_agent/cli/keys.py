"""``edge-agent keys``: make CURVE keys, compare them, and say which of them a site lets in."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.errors import KeysMissing
from edge_agent.telemetry.clock import SystemClock
from edge_agent.transport.keys import PUBLIC_SUFFIX, SECRET_SUFFIX, Role, fingerprint, load_public, new_key_pair


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "keys",
        help="make CURVE keys; enrol and revoke them at a site",
        description="Makes the keys by which sites, consoles and headquarters know each other, and edits a site's allow-list. NAME.key is "
        "public: give it to the other side. NAME.key_secret (mode 0600) never leaves this machine. A console is enrolled by two commands, "
        "`keys new` there and `keys enrol` at the site, and by reading its fingerprint aloud between them.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key pair; never overwrites one")
    new.add_argument("name", metavar="NAME", help="such as console-3 or site-north")
    shown = actions.add_parser("fingerprint", help="show a key's fingerprint, to compare over the telephone")
    shown.add_argument("name", metavar="NAME", help="name of a key in the folder, or the path of a key file")
    listed = actions.add_parser("list", help="show all keys of a folder, or whom a site lets in")
    listed.add_argument("--config", type=Path, metavar="FILE", help="agent.toml: show who is enrolled there instead")
    for action, act in ((new, _new), (shown, _fingerprint), (listed, _list)):
        action.add_argument("--dir", type=Path, default=Path("keys"), metavar="DIR", help="folder of the keys (default: ./keys)")
        action.set_defaults(act=act)
    enrol, revoke, rotate = _register_edits(actions)
    for action in (new, shown, listed, enrol, revoke, rotate):
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def _register_edits(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[argparse.ArgumentParser]:
    enrol = actions.add_parser("enrol", help="let a key in at this site, at once")
    enrol.add_argument("file", metavar="FILE", help="the NAME.key file that the other side sent")
    enrol.add_argument("--role", required=True, choices=[role.value for role in Role], help="what it may do: docs/reference/wire.md")
    enrol.add_argument("--name", help="what to call it here (default: the name in the file)")
    enrol.add_argument("--not-after", type=_moment, metavar="TIME", help="end of its time, such as 2027-12-31T00:00:00Z")
    enrol.add_argument("--durable", action="store_true", help="keep rows until this collector has them on its disk")
    enrol.add_argument("--supervisors", action="store_true", help="its officers may log in as supervisors")
    enrol.add_argument("--controls", action="store_true", help="this console may enter results of examinations")
    enrol.add_argument("--fingerprint", metavar="HEX", help="what the other side read aloud; without it you are asked")
    revoke = actions.add_parser("revoke", help="shut a key out at this site, within a second")
    revoke.add_argument("name", metavar="NAME", help="as `keys list --config` shows it")
    rotate = actions.add_parser("rotate", help="give this site another key, in two steps")
    rotate.add_argument("name", metavar="NAME", nargs="?", help="first step: name of the next key, made beside the present one")
    rotate.add_argument("--finish", action="store_true", help="second step: the next key becomes the site's key")
    for action, act in ((enrol, "enrol"), (revoke, "revoke"), (rotate, "rotate")):
        action.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml of this site")
        action.set_defaults(act=_edit, edit=act)
    return [enrol, revoke, rotate]


def run(args: argparse.Namespace) -> int:
    """Do the chosen action.

    Raises:
        ConfigInvalid, ConfigUnreadable, KeysMissing: naming the file.
    """
    return int(args.act(args))


def _edit(args: argparse.Namespace) -> int:
    """Change a site's configuration; only a site has the packages for it."""
    from edge_agent.cli import keys_edit

    actions = {"enrol": keys_edit.enrol, "revoke": keys_edit.revoke, "rotate": keys_edit.rotate}
    return actions[args.edit](args)


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
    named = args.dir / (args.name + PUBLIC_SUFFIX)
    public = load_public(args.name if "/" in args.name or args.name.endswith(PUBLIC_SUFFIX) else str(named))
    if args.json:
        _print_json({"name": Path(args.name).stem if "/" in args.name else args.name, "public": public, "fingerprint": fingerprint(public)})
    else:
        print(fingerprint(public))
    return 0


def _list(args: argparse.Namespace) -> int:
    if args.config is not None:
        from edge_agent.cli.keys_edit import enrolled

        shown = enrolled(args.config, SystemClock())
        lines = [_enrolled_line(one) for one in shown]
    else:
        shown = _keys_of(args.dir)
        lines = [
            f"{key['name']:<24} {key['public']}  {key['fingerprint']}{'  (secret here)' if key['has_secret'] else ''}" for key in shown
        ]
    if args.json:
        _print_json(shown)
    else:
        print("\n".join(lines) or "nobody is enrolled")
    return 0


def _keys_of(folder: Path) -> list[dict[str, Any]]:
    if not folder.is_dir():
        raise KeysMissing(f"there is no folder {folder}")
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob(f"*{PUBLIC_SUFFIX}")):
        public = load_public(str(path))
        has_secret = path.with_suffix(SECRET_SUFFIX).exists()
        found.append({"name": path.stem, "public": public, "fingerprint": fingerprint(public), "has_secret": has_secret})
    return found


def _enrolled_line(one: dict[str, Any]) -> str:
    end = "no end" if one["not_after"] is None else f"{'EXPIRED' if one['has_expired'] else 'until'} {one['not_after']}"
    seen = f"seen {one['last_seen']}" if one["last_seen"] else "not seen"
    force = "" if one["in_force"] else "  (not in force: no running daemon said so)"
    rights = "".join(f", {right}" for right in ("durable", "supervisors", "controls") if one[right])
    return f"{one['name']:<20} {one['role']:<10} {one['fingerprint']}  {end}, {seen}{rights}{force}"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError("a time such as 2027-12-31T00:00:00Z") from problem
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("the time needs a zone, such as 2027-12-31T00:00:00Z")
    return moment


def _print_json(content: object) -> None:
    json.dump(content, sys.stdout)
    sys.stdout.write("\n")
