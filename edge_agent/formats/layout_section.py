"""The tables ``[member.layout]`` and ``[normalise]`` of a profile: strict, checked before any file is read."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_agent.domain.geometry import Orientation
from edge_agent.domain.layout import Chunks, HeaderField, Interleave, RawLayout
from edge_agent.domain.profile import Normalise

_Offset = Annotated[int, Field(ge=0, le=1 << 20)]
_Side = Annotated[int, Field(gt=0, le=1 << 20)]
_Level = Annotated[int, Field(ge=0, le=65535)]
_Columns = tuple[int, int]
_USUAL = Normalise()


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeaderFieldSection(_Section):
    """A whole number in the header of a raw file."""

    at: _Offset = Field(description="offset of its first byte", examples=["2"])
    bytes: Literal[1, 2, 4] = Field(2, description="width in bytes")

    def value(self) -> HeaderField:
        """Give the field."""
        return HeaderField(self.at, self.bytes)


class ChunksSection(_Section):
    """For files of chunks: four letters, four bytes of length, content. Offsets then count inside the chunk `fields`."""

    fields: Annotated[str, Field(min_length=4, max_length=4)] = Field(description="letters of the chunk with width and height")
    samples: Annotated[str, Field(min_length=4, max_length=4)] = Field(description="letters of the chunk with the samples")


class LayoutOrientationSection(_Section):
    """How the file's rows become an upright picture. Transposing comes before the flips."""

    transposed: bool = Field(default=False, description="swap rows and columns")
    flipped_x: bool = Field(default=False, description="mirror left and right")
    flipped_y: bool = Field(default=False, description="mirror top and bottom")

    def value(self) -> Orientation:
        """Give the orientation."""
        return Orientation(**self.model_dump())


class LayoutSection(_Section):
    """Where a file without a format of its own keeps its samples. The file must be exactly as long as this says."""

    width: _Side | HeaderFieldSection = Field(
        description="pixels a line: a number, or `{ at, bytes }` in the header", examples=["{ at = 2 }"]
    )
    height: _Side | HeaderFieldSection = Field(description="lines: a number, or `{ at, bytes }`", examples=["{ at = 4 }"])
    bits: Literal[8, 16] | HeaderFieldSection = Field(16, description="bits a sample: 8, 16, or `{ at, bytes }`")
    byte_order: Literal["little", "big"] = Field("little", description="order of bytes in header and samples")
    magic: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2}){0,16}$")] = Field(
        "", description="hexadecimal bytes with which the file begins", examples=['"494d0000"']
    )
    header_bytes: _Offset = Field(0, description="bytes before the samples, or before the first chunk", examples=["36"])
    interleave: Interleave = Field(
        Interleave.PLANE, description="order of several planes: `plane` one after the other, `line` by line (panels), `pixel` by pixel"
    )
    width_spans_planes: bool = Field(default=False, description="the width is that of all panels of a line together")
    trailer: bool = Field(default=False, description="something may follow the samples")
    chunks: ChunksSection | None = None
    orientation: LayoutOrientationSection = LayoutOrientationSection()

    @model_validator(mode="after")
    def _magic_is_in_the_header(self) -> Self:
        if len(self.magic) // 2 > self.header_bytes:
            raise ValueError("magic: it is part of header_bytes, so there must be at least as many")
        return self

    def value(self) -> RawLayout:
        """Give the layout."""
        return RawLayout(
            width=_number(self.width),
            height=_number(self.height),
            bits=_number(self.bits),
            byte_order=self.byte_order,
            magic=self.magic.lower(),
            header_bytes=self.header_bytes,
            interleave=self.interleave,
            width_spans_planes=self.width_spans_planes,
            trailer=self.trailer,
            chunks=Chunks(self.chunks.fields, self.chunks.samples) if self.chunks is not None else None,
            orientation=self.orientation.value(),
        )


class NormaliseSection(_Section):
    """What to do to the pixels of a scanner that does not do it itself. Without this table nothing is done to them."""

    polarity: Literal["bright-air", "dark-air", "detect"] = Field(
        _USUAL.polarity,
        description="how air looks in the file (dark, as on film, is inverted); `detect` asks the picture's borders, where they show air",
    )
    white: _Level | None = Field(None, description="level of full transmission in the file, becomes 65535", examples=["4095"])
    black: _Level = Field(_USUAL.black, description="level of no transmission in the file, becomes 0")
    air_columns: _Columns | None = Field(
        None, description="columns [first, behind the last] in which every row sees air; negative: from the end", examples=["[0, 32]"]
    )
    dark_columns: _Columns | None = Field(None, description="columns without beam, in the same way", examples=["[-16, 0]"])
    repair: bool = Field(_USUAL.repair, description="replace dead and noisy rows and columns by what lies between their neighbours")
    crop: bool = Field(_USUAL.crop, description="cut the view down to its load")
    crop_margin_px: Annotated[int, Field(ge=0, le=4096)] = Field(_USUAL.crop_margin_px, description="pixels to leave around the load")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.white is not None and self.air_columns is not None:
            raise ValueError("white and air_columns: one of them gives the level of air")
        if self.dark_columns is not None and self.air_columns is None:
            raise ValueError("dark_columns: needs air_columns")
        if self.white is not None and (self.polarity == "detect" or (self.white > self.black) != (self.polarity == "bright-air")):
            raise ValueError("white: above black where air is bright, below it where air is dark; not together with detect")
        for name, columns in (("air_columns", self.air_columns), ("dark_columns", self.dark_columns)):
            if columns is not None and columns[1] <= columns[0]:
                raise ValueError(f"{name}: [first, behind the last], both from the start or both from the end")
        return self

    def value(self) -> Normalise:
        """Give the rule."""
        return Normalise(**self.model_dump())


def _number(value: int | HeaderFieldSection) -> int | HeaderField:
    return value.value() if isinstance(value, HeaderFieldSection) else value
