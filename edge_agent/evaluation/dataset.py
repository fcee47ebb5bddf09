"""A labelled set on disk: ``images/`` and ``annotations.json`` (or ``annotations_coco.json``) in the COCO layout, with keys of our own.

Our keys of an image: ``declared_ncm4`` (heading or list of headings; ``0000`` = declared empty), ``customs_model_agrees`` (``true`` = the
load is what was declared, ``false`` = it is not; the texts "true" and "false" say the same, every other text means that it is not known),
``visual_state_derived`` (``empty`` or ``loaded``), ``mass_kg``; of an image or an annotation: ``occlusion_level``. All may be absent;
other keys are left alone. Boxes: [x, y, width, height] px of the picture as it is stored.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge_agent.domain.declaration import EMPTY_HEADING
from edge_agent.domain.geometry import Box
from edge_agent.errors import DatasetUnusable

NAMES = ("annotations.json", "annotations_coco.json")
State = Literal["empty", "loaded"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _told(value: object) -> object:
    """Give what a text says; only these two say anything, so that "no" or "not examined" never passes for yes."""
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value


_Level = str | int | None
_Heading = Annotated[str, Field(pattern=r"^\d{4,10}$")]
_Extent = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Place = Annotated[float, Field(allow_inf_nan=False)]


class _Image(_Part):
    id: int
    file_name: str
    view: str | None = None
    declared_ncm4: Annotated[tuple[_Heading, ...] | None, BeforeValidator(_listed)] = None
    customs_model_agrees: Annotated[bool | None, BeforeValidator(_told)] = None
    visual_state_derived: str | None = None
    mass_kg: Annotated[float, Field(gt=0.0)] | None = None
    occlusion_level: _Level = None


class _Annotation(_Part):
    image_id: int
    category_id: int
    bbox: tuple[_Place, _Place, _Extent, _Extent]
    iscrowd: bool = False
    occlusion_level: _Level = None


class _Category(_Part):
    id: int
    name: str


class _File(_Part):
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...] = ()
    categories: tuple[_Category, ...] = ()


@dataclass(frozen=True, slots=True)
class TrueBox:
    """One labelled object, px of the stored picture. ``is_ignored``: it counts neither way, as a crowd of COCO does."""

    label: str
    box: Box
    is_ignored: bool = False
    occlusion: str | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one picture. ``declared``: headings; None = nothing was declared. ``conforms``: None = not known."""

    path: Path
    boxes: tuple[TrueBox, ...] = ()
    view: str | None = None
    declared: tuple[str, ...] | None = None
    conforms: bool | None = None
    seen_state: State | None = None
    mass_kg: float | None = None

    @property
    def is_declared_empty(self) -> bool:
        return self.declared == (EMPTY_HEADING,)

    @property
    def state(self) -> State | None:
        """Whether it is empty or loaded: as it was labelled, else as it was declared where that is known to be true."""
        if self.seen_state is None and self.conforms and self.declared:
            return "empty" if self.is_declared_empty else "loaded"
        return self.seen_state


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A set, in the order of its file. ``categories``: names of the boxes' classes."""

    truths: tuple[Truth, ...]
    categories: tuple[str, ...]

    def limited(self, count: int | None) -> "LabelledSet":
        """Give ``count`` of the pictures, spread over the set; all for None."""
        total = len(self.truths)
        if count is None or count >= total:
            return self
        return LabelledSet(tuple(self.truths[place * total // count] for place in range(count)), self.categories)


def read_set(folder: Path) -> LabelledSet:
    """Read the labels of a set.

    Raises:
        DatasetUnusable: no such file, not the layout, a picture outside of the folder, or an annotation without its picture.
    """
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise DatasetUnusable(f"{folder}: holds neither {NAMES[0]} nor {NAMES[1]}")
    try:
        content = _File.model_validate_json(path.read_bytes())
    except OSError as problem:
        raise DatasetUnusable(f"{path}: {problem.strerror}") from problem
    except ValidationError as problem:
        lines = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in problem.errors()[:5]]
        raise DatasetUnusable(f"{path}: " + "; ".join(lines)) from problem
    return _set(folder, path, content)


def _set(folder: Path, path: Path, content: _File) -> LabelledSet:
    names = {category.id: category.name for category in content.categories}
    _check(path, content, names)
    notes: dict[int, list[_Annotation]] = {image.id: [] for image in content.images}
    for note in content.annotations:
        notes[note.image_id].append(note)
    truths = tuple(_truth(folder, image, notes[image.id], names) for image in content.images)
    return LabelledSet(truths, tuple(dict.fromkeys(names.values())))


def _check(path: Path, content: _File, names: dict[int, str]) -> None:
    ids = {image.id for image in content.images}
    if not ids or len(ids) != len(content.images):
        raise DatasetUnusable(f"{path}: needs pictures, each with an id of its own")
    if any(note.image_id not in ids or note.category_id not in names for note in content.annotations):
        raise DatasetUnusable(f"{path}: an annotation names a picture or a category that is not there")
    twice = [name for name, count in Counter(image.file_name for image in content.images).items() if count > 1]
    if twice:
        raise DatasetUnusable(f"{path}: a picture is listed twice: {twice[0]}")
    if any(Path(image.file_name).is_absolute() or ".." in Path(image.file_name).parts for image in content.images):
        raise DatasetUnusable(f"{path}: a picture lies outside of the folder")


def _truth(folder: Path, image: _Image, notes: Sequence[_Annotation], names: dict[int, str]) -> Truth:
    return Truth(
        folder / image.file_name,
        tuple(_box(note, names[note.category_id], image.occlusion_level) for note in notes),
        image.view,
        image.declared_ncm4,
        image.customs_model_agrees,
        "empty" if image.visual_state_derived == "empty" else "loaded" if image.visual_state_derived == "loaded" else None,
        image.mass_kg,
    )


def _box(note: _Annotation, label: str, of_image: _Level) -> TrueBox:
    x, y, width, height = note.bbox
    level = of_image if note.occlusion_level is None else note.occlusion_level
    return TrueBox(label, Box(x, y, x + width, y + height), note.iscrowd, None if level is None else str(level))
