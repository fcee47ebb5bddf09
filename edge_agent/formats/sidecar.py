"""Side-cars to :class:`~edge_agent.domain.drop.SideCar`: which readers there are, and the one of the simulator's JSON."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.declaration import DeclaredItem
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.profile import Profile
from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat
from edge_agent.formats.dataform import read_dataform
from edge_agent.formats.dicos import DICOS_SIDECAR
from edge_agent.formats.mapping import read_mapped, stamp

Reader: TypeAlias = Callable[[bytes, Profile], SideCar | None]

_Text: TypeAlias = Annotated[str, Field(max_length=4096)]
_Millimetres: TypeAlias = Annotated[float, Field(gt=0, lt=1000, allow_inf_nan=False)]
_Kilograms: TypeAlias = Annotated[float, Field(ge=0, lt=1e9, allow_inf_nan=False)]


def read_sidecar(data: bytes, profile: Profile) -> SideCar | None:
    """Read a side-car of the profile's kind; None when its end is not written yet. Pitch is given in the canonical frame.

    Raises:
        LimitExceeded: more bytes than the profile allows a side-car.
        UnreadableScan: malformed, or its values make no sense.
        UnsupportedFormat: not the kind of document that the profile names, or an XML with a DOCTYPE.
    """
    if len(data) > profile.limits.max_sidecar_bytes:
        raise LimitExceeded("a side-car has more bytes than allowed", {"bytes": len(data), "allowed": profile.limits.max_sidecar_bytes})
    if not data.strip(b"\x00 \t\r\n"):
        return None
    found = READERS[profile.sidecar](data, profile)
    if found is None or found.pitch_mm is None or not profile.orientation.transposed:
        return found
    return replace(found, pitch_mm=(found.pitch_mm[1], found.pitch_mm[0]))


class _Model(BaseModel):
    """What we do not know in a side-car is ignored; what we know must be right."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Item(_Model):
    hs: Annotated[str, Field(pattern=r"^[0-9]{4,10}$")]
    description: _Text = ""
    gross_kg: _Kilograms | None = None
    packages: Annotated[int, Field(ge=0, lt=1_000_000_000)] | None = None


class _SimSideCar(_Model):
    """``sim-sidecar/1``: what the simulator writes, and what a site's own exporter may write in the same shape."""

    sidecar_schema: Annotated[Literal["sim-sidecar/1"], Field(alias="schema")]
    taken_at: _Text
    kind: CaptureKind | None = None
    selection: Selection | None = None
    container: _Text | None = None
    parcel: _Text | None = None
    plate: _Text | None = None
    pitch_mm: tuple[_Millimetres, _Millimetres] | None = None
    beam: _Text = ""
    declared: Annotated[tuple[_Item, ...], Field(max_length=1000)] = ()
    resources: Annotated[tuple[_Text, ...], Field(max_length=1000)] = ()


def _read_json(data: bytes, profile: Profile) -> SideCar | None:
    """Read ``sim-sidecar/1``: UTF-8 JSON. A document that does not end with its brace is taken as not yet written to its end."""
    if not data.rstrip(b"\x00 \t\r\n").endswith(b"}"):
        return None
    try:
        body = _SimSideCar.model_validate_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UnreadableScan("the JSON side-car is malformed", {"field": field[:80], "problem": first["type"]}) from error
    named = ((IdentityClass.CONTAINER, body.container), (IdentityClass.PARCEL, body.parcel), (IdentityClass.PLATE, body.plate))
    return SideCar(
        taken_at=stamp(body.taken_at, profile.clock),
        kind=body.kind,
        selection=body.selection,
        beam=body.beam,
        identities=tuple(IdentityValue(kind, value.strip()) for kind, value in named if value and value.strip()),
        items=tuple(DeclaredItem(item.hs, item.description, item.gross_kg, item.packages) for item in body.declared),
        resources=body.resources,
        pitch_mm=body.pitch_mm,
    )


def _read_dataform(data: bytes, profile: Profile) -> SideCar | None:
    form = read_dataform(data)
    if form is None:
        return None
    return SideCar(
        taken_at=stamp(form.date, profile.clock) if form.date else None,
        kind=CaptureKind.TEST if form.is_training else None,
        identities=form.identities,
        items=(DeclaredItem("0000"),) if form.is_empty else (),
        resources=form.resources,
        system=form.system,
        third_party=form.third_party,
    )


def _read_map(data: bytes, profile: Profile) -> SideCar | None:
    if profile.map is None:
        raise UnsupportedFormat("the profile has no [map]")
    return read_mapped(data, profile.map, profile.clock)


def _refuse(data: bytes, profile: Profile) -> SideCar | None:  # noqa: ARG001 - has a reader's signature
    raise UnsupportedFormat("the profile names no side-car reader")


READERS: Mapping[str, Reader] = MappingProxyType(
    {"json": _read_json, "dataform": _read_dataform, "map": _read_map, DICOS_SIDECAR: _refuse, "": _refuse}
)
"""Side-car readers by the word that a profile uses."""
