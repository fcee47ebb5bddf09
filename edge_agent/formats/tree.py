"""Documents of any kind as one kind of tree, and paths into it: what lets a profile name the fields of a side-car it has never seen.

XML elements, keys of JSON objects and columns of CSV become named nodes; an XML attribute is a child named ``@attribute``; a JSON
list is its elements under the list's name; each data row of a CSV is a node ``row``. XML namespaces are left out of the names.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.parsers import expat

from edge_agent.errors import LimitExceeded, UnreadableScan, UnsupportedFormat

MAX_TEXT = 4096
MAX_NODES = 50_000
"""A real side-car has some hundreds; a megabyte of empty elements would keep the paths busy for seconds."""
_MAX_DEPTH = 64
_BLANK = b"\x00 \t\r\n"
_ENDS_EARLY = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos);)")
_SEGMENT = re.compile(r"(?P<name>[^\[\]/]+)(?:\[(?P<child>[^\[\]=/]+)=(?P<value>[^\[\]]*)\])?")


@dataclass(slots=True)
class Node:
    """One named place of a document. ``text``: its own text, without blanks around it, at most ``MAX_TEXT`` signs."""

    name: str
    text: str = ""
    children: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a path: a child's name (``*`` any, ``**`` any depth, ``.`` the place itself), and what a child of it must say."""

    name: str
    child: str = ""
    value: str = ""


Path: TypeAlias = tuple[Step, ...]


def parse_path(text: str) -> Path:
    """Read a path such as ``attributes/attribute[@name=Container1]`` or ``**/ContainerId``.

    Raises:
        ValueError: it is none.
    """
    steps: list[Step] = []
    for part in re.split(r"/(?![^\[]*\])", text):
        found = _SEGMENT.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"not a path: {text!r}")
        steps.append(Step(found["name"], found["child"] or "", found["value"] or ""))
    if steps[-1].name == "**":
        raise ValueError(f"a path ends with a name: {text!r}")
    return tuple(steps)


def find(node: Node, path: Sequence[Step]) -> Iterator[Node]:
    """Give the nodes that ``path`` leads to from ``node``, in the document's order. Names are compared without regard to case."""
    if not path:
        yield node
        return
    step, rest = path[0], path[1:]
    for place in _places(node, step.name):
        if _fits(place, step):
            yield from find(place, rest)


def texts(node: Node, path: Sequence[Step]) -> tuple[str, ...]:
    """Give the texts at ``path`` that are not empty."""
    return tuple(found.text for found in find(node, path) if found.text)


def _places(node: Node, name: str) -> Iterator[Node]:
    if name == ".":
        yield node
    elif name == "**":
        waiting = [node]
        while waiting:
            place = waiting.pop()
            yield place
            waiting += reversed(place.children)
    else:
        yield from (child for child in node.children if name == "*" or child.name.lower() == name.lower())


def _fits(node: Node, step: Step) -> bool:
    if not step.child:
        return True
    return any(child.name.lower() == step.child.lower() and child.text == step.value for child in node.children)


def read_xml(data: bytes, root: str, *, is_lenient: bool = False) -> Node | None:
    """Read XML in UTF-8 or UTF-16; None when it ends early, for then it may still be being written.

    ``root``: name of the outermost element, empty = any. ``is_lenient``: a bare ``&`` is taken as text.

    Raises:
        UnreadableScan: not well-formed, or nested deeper than any real one.
        UnsupportedFormat: another outermost element, or a DOCTYPE.
        LimitExceeded: more elements than any real one has.
    """
    growing = _Growing(root)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = growing.doctype
    parser.StartElementHandler = growing.opened
    parser.EndElementHandler = growing.closed
    parser.CharacterDataHandler = growing.text
    try:
        parser.Parse(_mended(data) if is_lenient else data, True)  # noqa: FBT003 - expat's signature
    except expat.ExpatError as error:
        if error.code in _ENDS_EARLY:
            return None
        raise UnreadableScan("the XML side-car is not well-formed", {"line": error.lineno, "problem": "not-well-formed"}) from error
    except (LookupError, ValueError) as error:
        raise UnreadableScan("the XML side-car announces an encoding that is not read", {"problem": "encoding"}) from error
    return growing.root


class _Growing:
    """The tree while expat walks the document. Elements without end are on the stack."""

    def __init__(self, root: str) -> None:
        self.root = Node("")
        self._expected = root
        self._open = [self.root]
        self._texts: list[list[str]] = [[]]
        self._count = 0

    def doctype(self, *_: object) -> None:
        raise UnsupportedFormat("the XML side-car has a DOCTYPE", {"problem": "doctype"})

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if len(self._open) == 1 and self._expected and name != self._expected:
            raise UnsupportedFormat("the XML side-car is another document than the profile says", {"problem": "other-root"})
        if len(self._open) > _MAX_DEPTH:
            raise UnreadableScan("the XML side-car is nested too deeply")
        self._count = _counted(self._count + 1 + len(attributes))
        node = Node(name, children=[Node(f"@{_local(key)}", value.strip()[:MAX_TEXT]) for key, value in attributes.items()])
        if len(self._open) == 1:
            self.root = node
        else:
            self._open[-1].children.append(node)
        self._open.append(node)
        self._texts.append([])

    def text(self, text: str) -> None:
        self._texts[-1].append(text)

    def closed(self, tag: str) -> None:  # noqa: ARG002 - expat's signature
        self._open.pop().text = "".join(self._texts.pop()).strip()[:MAX_TEXT]


def _counted(count: int) -> int:
    if count > MAX_NODES:
        raise LimitExceeded("a side-car has more elements than allowed", {"elements": count, "allowed": MAX_NODES})
    return count


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _mended(data: bytes) -> bytes:
    """Escape bare ampersands; give UTF-8. Bytes that are no text stay as they are, for the parser to refuse."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return data
    return _BARE_AMPERSAND.sub("&amp;", re.sub(r"^\s*<\?xml[^>]*\?>", "", text)).encode()


def read_json(data: bytes) -> Node | None:
    """Read a JSON document in UTF-8 or UTF-16; None when it does not end with its bracket yet.

    Raises:
        UnreadableScan: malformed, or nested deeper than any real one.
        LimitExceeded: more values than any real one has.
    """
    if not data.rstrip(_BLANK).endswith((b"}", b"]")):
        return None
    try:
        text = (data.decode("utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data.decode("utf-8-sig")).rstrip("\0 \t\r\n")
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
            return None  # cut behind an inner bracket
        raise UnreadableScan("the JSON side-car is malformed", {"line": error.lineno, "problem": "not-well-formed"}) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableScan("the JSON side-car is malformed", {"problem": "not-well-formed"}) from error
    root = Node("")
    _graft(root, "row" if isinstance(content, list) else "", content, 0)
    _counted(sum(1 for _ in find(root, (Step("**"),))))
    return root if isinstance(content, list) or not root.children else root.children[0]


def _graft(above: Node, name: str, content: object, depth: int) -> None:
    """Add ``content`` below ``above`` under ``name``; a list adds each of its elements."""
    if depth > _MAX_DEPTH:
        raise UnreadableScan("the JSON side-car is nested too deeply")
    if isinstance(content, list):
        for element in content:
            _graft(above, name, element, depth + 1)
        return
    node = Node(name, "" if content is None or isinstance(content, dict) else _scalar(content))
    above.children.append(node)
    for key, value in content.items() if isinstance(content, dict) else ():
        _graft(node, key, value, depth + 1)


def _scalar(content: object) -> str:
    text = ("true" if content else "false") if isinstance(content, bool) else str(content)
    return text.strip()[:MAX_TEXT]


def read_csv(data: bytes, delimiter: str, *, is_pairs: bool) -> Node | None:
    """Read CSV in UTF-8 or UTF-16; None while it is empty. With a heading line, or (``is_pairs``) a name and a value on each line.

    Raises:
        UnreadableScan: no text, or no CSV. LimitExceeded: more cells than any real one has.
    """
    try:
        text = data.decode("utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data.decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if any(cell.strip() for cell in line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableScan("the CSV side-car is malformed", {"problem": "not-well-formed"}) from error
    _counted(sum(len(line) for line in lines))
    if len(lines) < (1 if is_pairs else 2):
        return None
    if is_pairs:
        return _row("", [line[0] for line in lines], [delimiter.join(line[1:]) for line in lines])
    return Node("", children=[_row("row", lines[0], line) for line in lines[1:]])


def _row(name: str, names: Sequence[str], values: Sequence[str]) -> Node:
    cells = [Node(column.strip(), value.strip()[:MAX_TEXT]) for column, value in zip(names, values, strict=False)]
    return Node(name, children=cells)
