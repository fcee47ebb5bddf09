"""The officers' console as a process beside a site: its configuration, its users, its address."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

from benchmarks.site import COMMAND, Process, free_port
from edge_agent.transport.keys import KeyPair
from edge_agent.web.passwords import hashed
from edge_agent.web.session import OfficerRole
from edge_agent.web.users import User, UserFile, write_users

PASSWORD = "a sentence nobody guesses"  # noqa: S105 - of officers who exist in tests only
OFFICERS = (
    ("asha", (OfficerRole.ANALYST,)),
    ("bilal", (OfficerRole.ANALYST,)),
    ("chandra", (OfficerRole.ANALYST, OfficerRole.SUPERVISOR, OfficerRole.EXAMINER)),
)


@dataclass(frozen=True)
class Reached:
    """A site as this console reaches it."""

    name: str
    endpoint: str
    server_key: str


class Office:
    """Configuration and address of a console. ``web``: further lines of its ``[web]`` table; ``extra``: further tables."""

    def __init__(
        self, folder: Path, sites: Sequence[Reached], key: KeyPair, web: str = "", extra: str = "", host: str = "127.0.0.1"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.host = host
        self._has_tls = "tls_key" in web
        write_users(folder / "users.json", UserFile(users=_users()))
        tables = "\n".join(
            f'[[site]]\nname = "{site.name}"\nendpoint = "{site.endpoint}"\nserver_key = "{site.server_key}"\n' for site in sites
        )
        (folder / "console.toml").write_text(
            f'key = "{folder.parent / "keys" / key.name}.key_secret"\nstate_dir = "state"\n{tables}\n'
            f'[web]\nbind = "{host}:{self.port}"\nusers = "users.json"\n{web}\n{extra}\n'
        )

    @property
    def url(self) -> str:
        return f"{'https' if self._has_tls else 'http'}://{self.host}:{self.port}"

    def process(self) -> Process:
        """Start the console."""
        command = (*COMMAND, "console", "--config", str(self.folder / "console.toml"))
        return Process("console", command, self.folder / "console.log")

    def is_served(self) -> bool:
        """Tell whether the login page is served."""
        try:
            with urlopen(self.url + "/login", timeout=5, context=_any_certificate()) as answer:  # noqa: S310 - our own address
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def held(self) -> int:
        """Log in, over plain HTTP, and give how many scans the console holds."""
        opener = build_opener(HTTPCookieProcessor())
        headers = {"X-Edge-Agent": "1", "Content-Type": "application/json"}
        entered = json.dumps({"name": OFFICERS[0][0], "password": PASSWORD}).encode()
        with opener.open(Request(self.url + "/login", entered, headers), timeout=60):  # noqa: S310 - our own address
            pass
        with opener.open(self.url + "/api/queue?limit=1", timeout=60) as answer:
            return int(json.load(answer)["total"])


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _users() -> tuple[User, ...]:
    password = hashed(PASSWORD)  # one for all: hashing takes 50 ms
    return tuple(User(name=name, roles=frozenset(roles), password=password) for name, roles in OFFICERS)
