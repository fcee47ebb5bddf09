"""The table ``[map]`` of a profile: strict, checked before any side-car is read."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.sidecar_map import DocumentKind, SidecarMap
from edge_agent.domain.third_party import ThirdPartyConclusion
from edge_agent.formats.tree import parse_path


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _path(text: str) -> str:
    if text:
        parse_path(text)
    return text


_Path = Annotated[str, AfterValidator(_path)]
_Paths = Annotated[tuple[_Path, ...], BeforeValidator(_listed)]
_Words = dict[str, str]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _field(meaning: str, example: str) -> tuple[str, ...]:
    """Declare a field of a side-car: no path unless the profile gives one (or several: all that are found count)."""
    found: tuple[str, ...] = Field((), description=meaning, examples=[example])
    return found


class FieldsSection(_Section):
    """Where the side-car says what; a path, or a list of paths."""

    scan_id: _Paths = _field("the vendor's own number of the scan (a token outside the site)", '"accession"')
    taken_at: _Paths = _field("when the scan was taken; in UTC afterwards, with the original text", '"createdate"')
    system: _Paths = _field("the vendor's words for the scanner", '"system"')
    beam: _Paths = _field("the vendor's words for the beam's energy", '"energy"')
    pitch_x_mm: _Paths = _field("resolution: millimetres a pixel along the travel, in the file's own frame", '"pixel/@dx"')
    pitch_y_mm: _Paths = _field("resolution: millimetres a pixel across the travel; one of the two is enough", '"pixel/@dy"')
    kind: _Paths = _field("purpose of the scan: live, tip, calibration, test, synthetic, staged (or words.kind)", '"mode"')
    selection: _Paths = _field("why it was scanned: targeted, random, campaign, scan-all, unknown (or words.selection)", '"selectivity"')
    containers: _Paths = _field("container numbers (tokens)", '"attributes/attribute[@name=Container1]"')
    container_confidence: _Paths = _field("how surely each container number was read, in the same order; share or percent", '"**/OCR"')
    parcels: _Paths = _field("parcel numbers (tokens)", '"item/barcode"')
    plates: _Paths = _field("number plates (tokens)", '"truck/plate"')
    drivers: _Paths = _field("drivers (tokens)", '"truck/driver"')
    seals: _Paths = _field("seal numbers (tokens)", '"seals/seal"')
    declaration_ref: _Paths = _field("number of the customs declaration (token); links [declarations] by itself", '"g_v_no"')
    carriers: _Paths = _field("carrier (token)", '"shipping_company"')
    traders: _Paths = _field("consignee, consignor (tokens)", '["consignee", "consignor"]')
    officers: _Paths = _field("operators and officers (tokens)", '"OPERATORID"')
    empty: _Paths = _field("declared empty: true, yes or 1 (or words.empty)", '"is_empty"')
    gross_kg: _Paths = _field("weight of the whole consignment with packing, kg", '"weight"')
    volume_m3: _Paths = _field("volume of the whole consignment, cubic metres", '"volume"')
    origin: _Paths = _field("country or port of origin, as written; no model is given it", '"from"')
    destination: _Paths = _field("country or port of destination, as written", '"to"')
    vessel: _Paths = _field("vessel, as written", '"name_vessel"')
    voyage: _Paths = _field("voyage, as written", '"voyage"')
    risk_flags: _Paths = _field("codes that the risk system set", '"risk/flag"')
    risk_source: _Paths = _field("which risk system", '"risk/@system"')
    resources: _Paths = _field("names of the scan's files; those the profile has a picture rule for are waited for", '"files/file"')
    analyst: _Paths = _field(
        "what the analyst at the vendor's console concluded: suspicious, not-suspicious, rescan, refer (or words.analyst)",
        '".[inspectdone=-1]/inspectionsuspicious"',
    )
    examination: _Paths = _field(
        "what the examination found: found, nothing-found, not-examined (or words.examination); becomes an examination fact",
        '".[searchdone=-1]/searchfound"',
    )


class GoodsSection(_Section):
    """Declared goods; paths are from each place that ``rows`` leads to."""

    rows: _Path = Field("", description="path to each line of goods; empty = no goods in this side-car", examples=['"goods/line"'])
    hs: _Paths = _field("heading of the Harmonized System, 4 to 10 digits; dots and blanks do not count", '"@code"')
    description: _Paths = _field("description, kept word for word", '"description_of_goods"')
    gross_kg: _Paths = _field("mass with packing, kg", '"gross"')
    net_kg: _Paths = _field("mass without packing, kg", '"net"')
    volume_m3: _Paths = _field("volume, cubic metres", '"volume"')
    packages: _Paths = _field("number of packages", '"packages"')


class ThirdPartySection(_Section):
    """Results of the vendor's own recognition; kept and shown as theirs, never concluded from."""

    rows: _Path = Field("", description="path to each result; empty = none in this side-car", examples=['"atr/result"'])
    algorithm: _Paths = _field("name of the algorithm", '"@type"')
    version: _Paths = _field("its version", '"version"')
    conclusion: _Paths = _field("its word: alert, no-alert, unknown (or words.third_party); any other word is unknown", '"outcome"')


class WordsSection(_Section):
    """The vendor's words (any case) to ours; the word ``*`` stands for any other."""

    kind: _Words = Field({}, description="words of map.fields.kind", examples=['{ "0" = "live", "1" = "test" }'])
    selection: _Words = Field({}, description="words of map.fields.selection", examples=['{ R = "random", "*" = "unknown" }'])
    empty: _Words = Field({}, description="words of map.fields.empty; ours are true and false", examples=['{ E = "true" }'])
    analyst: _Words = Field({}, description="words of map.fields.analyst", examples=['{ "-1" = "suspicious", "0" = "not-suspicious" }'])
    examination: _Words = Field({}, description="words of map.fields.examination", examples=['{ "-1" = "found", "0" = "nothing-found" }'])
    third_party: _Words = Field({}, description="words of map.third_party.conclusion", examples=['{ ALARM = "alert", CLEAR = "no-alert" }'])

    @model_validator(mode="after")
    def _are_ours(self) -> Self:
        allowed = {
            "kind": tuple(CaptureKind),
            "selection": tuple(Selection),
            "empty": ("true", "false"),
            "analyst": tuple(OfficerConclusion),
            "examination": tuple(ControlOutcome),
            "third_party": tuple(ThirdPartyConclusion),
        }
        for name, ours in allowed.items():
            unknown = set(getattr(self, name).values()) - set(ours)
            if unknown:
                raise ValueError(f"words.{name}: {', '.join(sorted(unknown))} is none of {', '.join(ours)}")
        return self


class MapSection(_Section):
    """How to read a side-car of ``sidecar = "map"``."""

    format: DocumentKind = Field(
        description="how it is written; csv begins with a heading line, csv-pairs has a name and its value on each line"
    )
    root: str = Field("", description="name of the XML's outermost element; another document is refused", examples=['"manifest"'])
    delimiter: str = Field(",", description="what stands between the columns of a CSV", min_length=1, max_length=1, examples=['";"'])
    time_format: str = Field(
        "", description="how times are written (strptime's letters); empty = ISO 8601", examples=['"%Y/%m/%d %H:%M:%S"']
    )
    lenient: bool = Field(default=False, description="take a bare & in the XML as text, as some exporters write it")
    fields: FieldsSection
    goods: GoodsSection = GoodsSection()
    third_party: ThirdPartySection = ThirdPartySection()
    words: WordsSection = WordsSection()

    def value(self) -> SidecarMap:
        """Give the rules as the decode child gets them."""
        return SidecarMap(
            self.format,
            self.root,
            self.delimiter,
            self.time_format,
            self.lenient,
            _given(self.fields),
            self.goods.rows,
            _given(self.goods),
            self.third_party.rows,
            _given(self.third_party),
            {name: {word.lower(): ours for word, ours in table.items()} for name, table in self.words.model_dump().items() if table},
        )


def _given(section: BaseModel) -> dict[str, tuple[str, ...]]:
    return {name: paths for name, paths in section.model_dump().items() if isinstance(paths, tuple) and paths}
