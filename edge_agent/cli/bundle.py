"""``edge-agent bundle``: list, verify, sign, activate and roll back model bundles; make signing keys."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge_agent.agent.config import AgentConfig, load_config
from edge_agent.agent.models_in_force import commissioning_of, prove
from edge_agent.analysis.ports import one_by_one
from edge_agent.cli.trust import add_trust, admission_of
from edge_agent.errors import BundleRejected
from edge_agent.inference.bundle import Bundle, find_bundles, sign_bundle
from edge_agent.inference.installed import installed_bundles
from edge_agent.inference.load import open_models
from edge_agent.inference.selftest import run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.inference.store import Admission
from edge_agent.signing.keys import SigningKey
from edge_agent.telemetry.clock import SystemClock

_AT_RESTART = "the running daemon goes on as it is: restart it to put this into effect"


@dataclass(frozen=True, slots=True)
class Row:
    """One bundle as a list shows it. ``problem``: code of why it cannot run, empty when it can."""

    where: str
    bundle: str
    purpose: str
    state: str
    sha256: str
    signed_by: str
    fingerprint: str
    problem: str


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bundle",
        help="model bundles: list, verify, sign, activate, roll back",
        description="A bundle is a folder with a model and everything needed to run and believe it. Only bundles signed with a trusted "
        "key run: the project's release key, and the keys in [bundles] trusted of agent.toml.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _listing(actions.add_parser("list", help="show what is in force, what was before, what the last start proved, and what runs in shadow"))
    _verifying(actions.add_parser("verify", help="check signature, files, graph and golden cases; 0 when all is well, else 78"))
    _signing(actions.add_parser("sign", help="sign a bundle with your own key"))
    _changing(actions)
    new_key = actions.add_parser("new-key", help="make a signing key pair; never overwrites one")
    new_key.add_argument("name", metavar="NAME", help="such as hq-models")
    new_key.add_argument("--dir", type=Path, default=Path("keys"), metavar="DIR", help="folder of the keys (default: ./keys)")
    new_key.add_argument("--json", action="store_true", help="print JSON")
    new_key.set_defaults(act=_new_key)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the chosen action."""
    return int(args.act(args))


def _listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="agent.toml; without it, the bundles that came with this version")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_trust(parser)
    parser.set_defaults(act=_list)


def _verifying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="+", metavar="FOLDER", help="folder that holds card.toml")
    parser.add_argument("--config", type=Path, metavar="FILE", help="agent.toml, for the keys it trusts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--device", type=DevicePolicy, default=DevicePolicy.CPU, choices=list(DevicePolicy), help="where models run")
    add_trust(parser)
    parser.set_defaults(act=_verify)


def _signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="+", metavar="FOLDER", help="folder that holds card.toml")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="secret key file that `bundle new-key` made")
    parser.set_defaults(act=_sign)


def _changing(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    activate = actions.add_parser("activate", help="put a bundle into force, after its golden cases came out", description=_AT_RESTART)
    activate.add_argument("folder", type=Path, metavar="FOLDER", help="folder that holds card.toml; it is copied")
    activate.add_argument("--instead-of", metavar="NAME", help="active bundle to take out (default: the one of the same name)")
    activate.add_argument("--shadow", action="store_true", help="let it run in shadow only: journalled and compared, never an alert")
    activate.set_defaults(act=_activate)
    rollback = actions.add_parser("rollback", help="put the bundles of before into force again", description=_AT_RESTART)
    rollback.add_argument("--shadow", action="store_true", help="let no bundle run in shadow any more, and change nothing else")
    rollback.set_defaults(act=_roll_back)
    for parser in (activate, rollback):
        parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")


def _list(args: argparse.Namespace) -> int:
    rows = list(_rows_of_site(load_config(args.config)) if args.config else _rows("installed", installed_bundles(), admission_of(args)))
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        _print(rows)
    return 0


def _rows_of_site(config: AgentConfig) -> Iterator[Row]:
    store = config.store
    active, previous, proven = store.active(), store.previous(), store.proven()
    kept = None if proven in (active, previous) else proven
    for where, root in (("active", active), ("previous", previous), ("proven", kept), ("shadow", store.shadow())):
        if root is not None:
            yield from _rows(where, root, config.admission, config if where == "active" else None)


def _rows(where: str, root: Path, admission: Admission, config: AgentConfig | None = None) -> Iterator[Row]:
    for folder in find_bundles(root):
        try:
            bundle = admission.load(folder)
        except BundleRejected as problem:
            yield Row(where, f"{folder.parent.name}/{folder.name}", "", "", "", "", "", problem.code)
            continue
        yield _row(where, bundle, _state(bundle, root, where, config))


def _state(bundle: Bundle, root: Path, where: str, config: AgentConfig | None) -> str:
    """Give the state of a bundle at this site: what its certificates say of an active one, else what its card says."""
    if where == "shadow" or config is None:
        return "shadow" if where == "shadow" else bundle.use.state.value
    bundles = [config.admission.load(folder) for folder in find_bundles(root)]
    return commissioning_of(config, bundles).use(bundle.use, bundle.card.subjects, SystemClock().now()).state.value


def _row(where: str, bundle: Bundle, state: str) -> Row:
    name, fingerprint = (bundle.signer.name, bundle.signer.key.fingerprint) if bundle.signer else ("", "")
    return Row(where, bundle.ref, bundle.card.purpose, state, bundle.use.sha256, name, fingerprint, "")


def _print(rows: list[Row]) -> None:
    table = Table(show_edge=False)
    for column in ("where", "bundle", "purpose", "state", "card sha256", "signed by", "key"):
        table.add_column(column, overflow="fold")
    for row in rows:
        told = (row.purpose, row.state, row.sha256[:16], row.signed_by, row.fingerprint[:19])
        table.add_row(row.where, row.bundle, *(told if not row.problem else (f"[bold red]{row.problem}[/]", "", "", "", "")))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _verify(args: argparse.Namespace) -> int:
    admission = load_config(args.config).admission if args.config else admission_of(args)
    rows = []
    for folder in args.folder:
        bundle = admission.load(folder)
        cases = run_selftest(open_models([bundle], args.device), one_by_one)
        rows.append(_row(str(folder), bundle, bundle.use.state.value))
        if not args.json:
            print(f"{bundle.ref}: whole, signed by {rows[-1].signed_by} (key {rows[-1].fingerprint}), {cases} golden cases came out")
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def _sign(args: argparse.Namespace) -> int:
    key = SigningKey.load(args.key)
    for folder in args.folder:
        signer = sign_bundle(folder, key)
        print(f"{folder}: signed by {signer.name}, key {signer.key.text}, fingerprint {signer.key.fingerprint}")
    return 0


def _activate(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    with Console(stderr=True).status("proving the bundle with its golden cases"):
        if args.shadow:
            config.store.set_shadow(args.folder, config.admission, lambda root: _prove(root, config))
            is_new = True
        else:
            is_new = config.store.activate(args.folder, config.admission, lambda root: _prove(root, config), args.instead_of)
    if is_new and not args.shadow:
        print(f"activated: {', '.join(f'{folder.parent.name}/{folder.name}' for folder in find_bundles(config.store.active()))}")
    print(_AT_RESTART if is_new else f"{args.folder} is in force already; nothing was changed")
    return 0


def _roll_back(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    if args.shadow:
        print(_AT_RESTART if config.store.end_shadow() else "no bundle runs in shadow; nothing was changed")
        return 0
    config.store.rollback(lambda root: _prove(root, config))
    print(_AT_RESTART)
    return 0


def _prove(root: Path, config: AgentConfig) -> None:
    prove(root, config, one_by_one)


def _new_key(args: argparse.Namespace) -> int:
    key = SigningKey.new(args.name)
    public, secret = key.save(args.dir)
    content = {"name": key.name, "public": key.public.text, "fingerprint": key.public.fingerprint, "files": [str(public), str(secret)]}
    if args.json:
        print(json.dumps(content, indent=1))
    else:
        print(f"{secret}: the secret half, never to leave this machine\n{public}: the public half")
        print(f'in agent.toml of every site that shall believe it: [bundles] trusted = ["{key.public.text}"]')
        print(f"fingerprint: {key.public.fingerprint}")
    return 0
