"""How a web server of this program is reached and who may log in: the ``[web]`` table of the console, the ``[api]`` table of headquarters.

The rules that keep the server safe are checked here, before a socket is opened: no login only on this very machine, and no plain HTTP
beyond it unless a reverse proxy on the way encrypts.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edge_agent.web.session import OfficerRole

FilePath = Annotated[Path, Field(strict=False)]


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError as problem:
        raise ValueError("must be an IP address, such as 127.0.0.1") from problem
    return text


def _bind(text: str) -> str:
    host, _, port = text.rpartition(":")
    _address(host.removeprefix("[").removesuffix("]"))
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError("must look like ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080; port 0 takes a free one")
    return text


def _host_name(text: str) -> str:
    if not text or set(text) - set("abcdefghijklmnopqrstuvwxyz0123456789.-") or len(text) > 253:
        raise ValueError("must be a host name in lower case, without a port")
    return text


def _header_name(text: str) -> str:
    if not text or set(text.lower()) - set("abcdefghijklmnopqrstuvwxyz0123456789-"):
        raise ValueError("must be the name of an HTTP header, such as X-Remote-User")
    return text.lower()


Address = Annotated[str, AfterValidator(_address)]
Bind = Annotated[str, AfterValidator(_bind)]
HostName = Annotated[str, AfterValidator(_host_name)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Roles = Annotated[frozenset[Annotated[OfficerRole, Field(strict=False)]], Field(strict=False, min_length=1)]


class ReachTable(BaseModel):
    """How the server is reached. ``hosts``: the names under which browsers reach it, beside the bound address and ``localhost``.

    ``tls_certificate`` and ``tls_key``: PEM files, for HTTPS. ``behind_proxy``: a reverse proxy of yours encrypts in front of us.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bind: Bind = "127.0.0.1:8080"
    hosts: Annotated[tuple[HostName, ...], Field(strict=False)] = ()
    tls_certificate: FilePath | None = None
    tls_key: FilePath | None = None
    behind_proxy: bool = False

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give tls_certificate and tls_key together")
        if not (self.is_loopback or self.has_tls or self.behind_proxy):
            raise ValueError("beyond this machine: give tls_certificate and tls_key, or behind_proxy = true when a proxy of yours encrypts")
        if _parsed(self.address).is_unspecified and not self.hosts:
            raise ValueError("beyond this machine on every address: hosts must say under which names browsers reach it")
        return self

    @property
    def address(self) -> str:
        return self.bind.rpartition(":")[0].removeprefix("[").removesuffix("]")

    @property
    def port(self) -> int:
        return int(self.bind.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        return _parsed(self.address).is_loopback

    @property
    def has_tls(self) -> bool:
        return self.tls_certificate is not None

    @property
    def is_secure(self) -> bool:
        """Whether browsers speak HTTPS, so that cookies may say Secure."""
        return self.has_tls or self.behind_proxy


class WebTable(ReachTable):
    """A server that officers log in to.

    ``login``: ``users`` = the file that `edge-agent users` keeps; ``proxy`` = a reverse proxy at ``proxy_addresses`` logs officers in and
    names them in ``proxy_user_header``; ``none`` = everybody at this very machine is ``officer``. ``roles``: of whoever comes in one of
    these two ways, unless ``proxy_roles_header`` is given, in which the proxy then names them, by comma. The proxy must set both headers
    itself at every request: one that it passes on from a browser would be believed.
    """

    login: Literal["users", "proxy", "none"] = "users"
    users: FilePath | None = None
    proxy_addresses: Annotated[tuple[Address, ...], Field(strict=False)] = ()
    proxy_user_header: HeaderName = "x-remote-user"
    proxy_roles_header: HeaderName | None = None
    officer: Annotated[str, Field(min_length=1, max_length=64)] = "local"
    roles: Roles = frozenset({OfficerRole.ANALYST})
    idle_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 30.0
    session_hours: Annotated[float, Field(gt=0, le=24)] = 10.0

    @model_validator(mode="after")
    def _login_is_possible(self) -> Self:
        if self.login == "none" and (not self.is_loopback or self.behind_proxy):
            raise ValueError('login = "none" is for a bind address of this very machine only, without a proxy')
        if self.login == "users" and self.users is None:
            raise ValueError("users is missing: the file that `edge-agent users add` makes")
        if self.login == "proxy" and not (self.proxy_addresses and self.behind_proxy):
            raise ValueError('login = "proxy" needs proxy_addresses and behind_proxy = true')
        return self


def absolute(table: Any, base: Path) -> Any:  # noqa: ANN401 - unchecked TOML
    """Give a ``[web]`` or ``[api]`` table with its paths made absolute, relative to ``base``, the configuration file's folder."""
    if not isinstance(table, dict):
        return table
    paths = {key: str(base / table[key]) for key in ("tls_certificate", "tls_key", "users", "tokens") if isinstance(table.get(key), str)}
    return {**table, **paths}


def _parsed(text: str) -> IPv4Address | IPv6Address:
    return ip_address(text)
