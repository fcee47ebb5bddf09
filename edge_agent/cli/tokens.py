"""``edge-agent tokens``: tokens of programs that read headquarters' figures."""

import argparse
import json
from datetime import timedelta
from pathlib import Path

from edge_agent.errors import ConfigInvalid
from edge_agent.telemetry.clock import SystemClock

SCOPES = ("read", "metrics")
_LONGEST_DAYS = 1095


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "tokens",
        help="headquarters: tokens of programs that read the API",
        description="Keeps the file of tokens that [api] tokens in collector.toml names. A token is shown once, when it is made; the file "
        "holds its hash, its scope and its end. A running API follows the file: a revoked token is refused within a second.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a token and show it, once")
    listed = actions.add_parser("list", help="show names, scopes and ends")
    revoke = actions.add_parser("revoke", help="refuse a token from now on")
    for action in (new, revoke):
        action.add_argument("name", metavar="NAME", help="who reads with it, such as dashboard-1")
    new.add_argument("--scope", required=True, choices=SCOPES, help="read: the whole API; metrics: /metrics only")
    new.add_argument("--days", type=_days, default=365, metavar="N", help="days until it ends (default: 365)")
    for action, act in ((new, _new), (listed, _list), (revoke, _revoke)):
        action.add_argument("--file", type=Path, required=True, metavar="FILE", help="the token file, as [api] tokens names it")
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(act=act)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action.

    Raises:
        ConfigInvalid, ConfigUnreadable: naming the file or the token's name.
    """
    return int(args.act(args))


def _new(args: argparse.Namespace) -> int:
    from edge_agent.web.tokens import Scope, new_token, read_tokens, write_tokens

    known = read_tokens(args.file)
    if any(token.name == args.name for token in known):
        raise ConfigInvalid(f"there is a token {args.name} already; revoke it first, or take another name", {"key": "name"})
    text, token = new_token(args.name, Scope(args.scope), SystemClock().now() + timedelta(days=args.days))
    write_tokens(args.file, (*known, token))
    if args.json:
        print(json.dumps({"name": args.name, "scope": args.scope, "not_after": token.not_after.isoformat(), "token": text}))
    else:
        print(
            f"{text}\nscope {args.scope}, until {token.not_after:%Y-%m-%d}. It is not shown again. Send it as: Authorization: Bearer TOKEN"
        )
    return 0


def _list(args: argparse.Namespace) -> int:
    from edge_agent.web.tokens import read_tokens

    now = SystemClock().now()
    tokens = read_tokens(args.file)
    if args.json:
        shown = [{"name": token.name, "scope": token.scope.value, "not_after": token.not_after.isoformat()} for token in tokens]
        print(json.dumps(shown, indent=1))
    else:
        ends = [f"{'ENDED' if token.not_after <= now else 'until'} {token.not_after:%Y-%m-%d}" for token in tokens]
        print("\n".join(f"{token.name:<24} {token.scope.value:<8} {end}" for token, end in zip(tokens, ends, strict=True)) or "no tokens")
    return 0


def _revoke(args: argparse.Namespace) -> int:
    from edge_agent.web.tokens import read_tokens, write_tokens

    known = read_tokens(args.file)
    kept = tuple(token for token in known if token.name != args.name)
    if len(kept) == len(known):
        raise ConfigInvalid(f"there is no token {args.name} in {args.file}", {"key": "name"})
    write_tokens(args.file, kept)
    print(json.dumps({"name": args.name, "what": "revoked"}) if args.json else f"{args.name}: revoked")
    return 0


def _days(text: str) -> int:
    value = int(text)
    if not 1 <= value <= _LONGEST_DAYS:
        raise ValueError(f"1 to {_LONGEST_DAYS} days")
    return value
