"""The pages are plain files: nothing inline or from a network, no markup made from text, small modules, licences beside others' work."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

STATIC = files("edge_agent.web") / "static"
MAX_LINES = 400
MAX_COLUMNS = 180
_ADDRESS = re.compile(r"""["'(](?:https?:)?//(?!www\.w3\.org/)""")
_MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function|DOMParser|srcdoc)\b")


def _walk(folder: Traversable) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= {f"{entry.name}/{name}": inner for name, inner in _walk(entry).items()}
        else:
            found[entry.name] = entry
    return found


def _ours(*endings: str) -> dict[str, str]:
    return {name: entry.read_text(encoding="utf-8") for name, entry in _walk(STATIC / "console").items() if name.endswith(endings)}


def test_pages_have_nothing_inline() -> None:
    for name, page in _ours(".html").items():
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page), name
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), name


def test_nothing_comes_from_a_network() -> None:
    for name, text in _ours(".html", ".js", ".css", ".svg").items():
        assert not _ADDRESS.search(text), name
        assert "@import" not in text, name


def test_text_never_becomes_markup() -> None:
    assert {name: found for name, text in _ours(".js").items() if (found := _MARKUP.findall(text))} == {}


def test_every_module_that_is_imported_is_there() -> None:
    modules = _ours(".js")
    for name, text in modules.items():
        folder = name.rpartition("/")[0]
        for target in re.findall(r"from '(\./[^']+|\.\./[^']+)'", text):
            parts = [part for part in folder.split("/") if part]
            for part in target.split("/"):
                parts = parts[:-1] if part == ".." else parts if part == "." else [*parts, part]
            assert "/".join(parts) in modules, f"{name} imports {target}"


def test_modules_are_small() -> None:
    for name, text in _ours(".js", ".css").items():
        lines = text.splitlines()
        assert len(lines) <= MAX_LINES, name
        if name.endswith(".js"):
            longest = max(len(line) for line in lines)
            assert longest <= MAX_COLUMNS, (name, longest)


def test_vendored_files_have_their_licence_and_origin() -> None:
    for folder in (STATIC / "vendor").iterdir():
        if folder.is_dir():
            names = {entry.name for entry in folder.iterdir()}
            assert any(name.startswith("LICENSE") for name in names), folder.name
            assert "README.md" in names, folder.name
