"""``edge-agent users``: the officers who may log in to the browser console."""

import argparse
import getpass
import json
import sys
from pathlib import Path

from edge_agent.errors import ConfigInvalid, PasswordRefused
from edge_agent.web.extra import need_extra
from edge_agent.web.session import OfficerRole


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "users",
        help="officers who may log in to the browser console",
        description="Keeps the file of officers that the console's [web] users names: names, roles and argon2id hashes, never a password. "
        "A running console follows it within a second: a lock or another password ends that officer's sessions. Passwords are asked for "
        "without showing them, or read as one line with --password-stdin.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="let an officer log in; makes the file if there is none")
    listed = actions.add_parser("list", help="show names, roles and who is locked")
    roles = actions.add_parser("roles", help="give an officer other roles")
    passwd = actions.add_parser("passwd", help="set another password")
    lock = actions.add_parser("lock", help="lock an officer out, at once")
    unlock = actions.add_parser("unlock", help="let a locked officer in again")
    for action in (add, roles, passwd, lock, unlock):
        action.add_argument("name", metavar="NAME", help="lower-case letters, digits, dot, dash, underscore")
    for action in (add, roles):
        words = [role.value for role in OfficerRole]
        action.add_argument("--role", action="append", choices=words, required=True, help="what the officer may do; may be repeated")
    for action in (add, passwd):
        action.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    for action, act in ((add, _add), (listed, _list), (roles, _roles), (passwd, _passwd), (lock, _lock), (unlock, _lock)):
        action.add_argument("--file", type=Path, required=True, metavar="FILE", help="the user file, as [web] users names it")
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(act=act)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action.

    Raises:
        ConfigInvalid, ConfigUnreadable, PasswordRefused: naming the file, the officer or the password's fault.
    """
    need_extra("a user file")
    return int(args.act(args))


def _add(args: argparse.Namespace) -> int:
    from edge_agent.web.passwords import hashed
    from edge_agent.web.users import UserFile, named, read_users, write_users

    known = read_users(args.file) or UserFile()
    if known.find(args.name) is not None:
        raise ConfigInvalid(f"{args.name} is there already; `edge-agent users roles` and `passwd` change an officer", {"key": "name"})
    user = named(args.name, frozenset(OfficerRole(role) for role in args.role), "$argon2id$")
    write_users(args.file, known.changed(user.model_copy(update={"password": hashed(_password(args))})))
    return _say(args, "added")


def _roles(args: argparse.Namespace) -> int:
    return _change(args, {"roles": frozenset(OfficerRole(role) for role in args.role)}, "changed")


def _passwd(args: argparse.Namespace) -> int:
    from edge_agent.web.passwords import hashed

    return _change(args, {"password": hashed(_password(args))}, "changed")


def _lock(args: argparse.Namespace) -> int:
    return _change(args, {"is_locked": args.action == "lock"}, f"{args.action}ed")


def _change(args: argparse.Namespace, what: dict[str, object], word: str) -> int:
    from edge_agent.web.users import UserFile, read_users, write_users

    known = read_users(args.file) or UserFile()
    user = known.find(args.name)
    if user is None:
        raise ConfigInvalid(f"there is no officer {args.name} in {args.file}", {"key": "name"})
    write_users(args.file, known.changed(user.model_copy(update=what)))
    return _say(args, word)


def _list(args: argparse.Namespace) -> int:
    from edge_agent.web.users import read_users

    known = read_users(args.file)
    if known is None:
        raise ConfigInvalid(f"{args.file}: no such file; `edge-agent users add` makes it", {"file": str(args.file)})
    shown = [{"name": user.name, "roles": sorted(user.roles), "is_locked": user.is_locked} for user in known.users]
    if args.json:
        print(json.dumps(shown, indent=1))
    else:
        lines = [f"{user.name:<24} {', '.join(sorted(user.roles))}{'  LOCKED' if user.is_locked else ''}" for user in known.users]
        print("\n".join(lines) or "nobody may log in")
    return 0


def _say(args: argparse.Namespace, word: str) -> int:
    print(json.dumps({"name": args.name, "what": word}) if args.json else f"{args.name}: {word}")
    return 0


def _password(args: argparse.Namespace) -> str:
    """Ask for a password, twice on a terminal."""
    from edge_agent.web.passwords import FEWEST_CHARACTERS, MOST_CHARACTERS

    if args.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = _typed(f"password of {args.name}: ")
        if _typed("again: ") != password:
            raise PasswordRefused("the two passwords differ")
    if not FEWEST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise PasswordRefused(f"a password has {FEWEST_CHARACTERS} to {MOST_CHARACTERS} characters")
    if args.name in password.lower():
        raise PasswordRefused("a password does not hold the officer's name")
    return password


def _typed(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise PasswordRefused("nobody is here to type a password; give it with --password-stdin") from None
