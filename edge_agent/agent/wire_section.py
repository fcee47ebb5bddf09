"""The sections ``[wire]`` and ``[[consumer]]`` of ``agent.toml``: the site's sockets, and who may connect to them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from edge_agent.agent.section import Section
from edge_agent.transport.endpoints import Endpoint
from edge_agent.transport.keys import Role, is_key
from edge_agent.wire.frames import Name


def _curve_key(text: str) -> str:
    if not is_key(text):
        raise ValueError("not a public CURVE key: 40 characters of Z85 are expected")
    return text


class OutboundSection(Section):
    """Headquarters that cannot reach this site: the site connects to it. ``endpoint``: where; ``consumer``: who answers there.

    ``consumer`` names the ``[[consumer]]`` table of headquarters: its key is the one that must be proved there, its role says what is
    answered.
    """

    endpoint: Endpoint
    consumer: Name


class WireSection(Section):
    """The site's sockets. ``bind``: address without port; ``key``: our secret key file; ``next_key``: the one that will follow it.

    ``insecure_loopback_only`` switches encryption off and is refused on any other address than loopback.
    """

    bind: str = "127.0.0.1"
    live_port: Annotated[int, Field(ge=0, le=65535)] = 5570
    sync_port: Annotated[int, Field(ge=0, le=65535)] = 5571
    blob_port: Annotated[int, Field(ge=0, le=65535)] = 5572
    key: Path | None = None
    next_key: Path | None = None
    insecure_loopback_only: bool = False
    outbound: OutboundSection | None = None

    @model_validator(mode="after")
    def _secured(self) -> "WireSection":
        if self.outbound is not None and self.insecure_loopback_only:
            raise ValueError("outbound needs a key: insecure_loopback_only does not go with it")
        if self.insecure_loopback_only and self.bind not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("insecure_loopback_only works on a loopback address only")
        if not self.insecure_loopback_only and self.key is None:
            raise ValueError("key is missing: make one with `edge-agent keys new`")
        return self


class ConsumerSection(Section):
    """Who may connect: its public key (Z85, 40 characters), its role, and until when.

    ``supervisors``: it may say of its officer that he or she logged in as a supervisor. ``controls``: a console may send results of
    examinations.
    """

    name: Name
    key: Annotated[str, AfterValidator(_curve_key)]
    role: Role
    durable: bool = False
    not_after: datetime | None = None
    supervisors: bool = False
    controls: bool = False

    @model_validator(mode="after")
    def _collectors_only(self) -> "ConsumerSection":
        if self.durable and self.role is not Role.COLLECTOR:
            raise ValueError("only a collector can be durable")
        if self.not_after is not None and self.not_after.tzinfo is None:
            raise ValueError("not_after needs a time zone, for example 2027-01-01T00:00:00Z")
        return self
