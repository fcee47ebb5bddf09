"""The documents hold together: links lead somewhere, examples load, named targets and tests exist."""

import re
import tomllib
from pathlib import Path

import pytest

from edge_agent.agent.config import load_config
from edge_agent.analysis.policy import parse_policy
from edge_agent.collector.config import load as load_collector
from edge_agent.console.config import load_console
from edge_agent.console.web_config import load_web_console
from edge_agent.formats.profiles import load_profile

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "exported_models/README.md", ROOT / "requirements/README.md"]
)
LANGUAGES = {"sh", "toml", "text", "json", "python", "xml"}
EXAMPLES = sorted(path for path in (ROOT / "config").rglob("*.toml") if path.parent.name != "mappings")  # read by no program yet


def without_blocks(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """The text without its fenced blocks and code."""
    return re.sub(r"`[^`\n]*`", "", without_blocks(text))


def slug(heading: str) -> str:
    """The anchor of a heading, as renderers of Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    text = without_blocks(document.read_text("utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def links(document: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(document.read_text("utf-8")))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    dead = []
    for link in links(document):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = document if not target else document.parent / target
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_fenced_block_names_its_language(document: Path) -> None:
    fences = re.findall(r"^```(.*)$", document.read_text("utf-8"), re.MULTILINE)
    assert {language for language in fences[::2] if language not in LANGUAGES} == set()
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_toml_block_is_toml(document: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        tomllib.loads(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_file_of_the_repository_that_is_named_exists(document: Path) -> None:
    words = re.findall(
        r"`((?:tests|edge_agent|config|requirements|systemd|benchmarks|training)/[\w./-]+\.\w+)`", document.read_text("utf-8")
    )
    assert [word for word in words if not (ROOT / word).exists()] == []


def commands(document: Path, program: str) -> list[str]:
    """What follows ``program`` in code, in a line or in a block, comments left out."""
    text = document.read_text("utf-8")
    spans = re.findall(rf"`{program} ([^`\n]+)`", without_blocks(text))
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
    return spans + [found[1] for line in lines if (found := re.search(rf"(?:^|/|\s){program} ([^#]+)", line))]


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {word for document in DOCUMENTS for line in commands(document, "make") for word in line.split() if "=" not in word}
    assert named >= {"demo", "bench-wire", "power-loss", "storm"}
    assert named - targets == set()


def test_every_module_that_is_run_by_name_exists() -> None:
    run = {line.split()[0] for document in DOCUMENTS for line in commands(document, "python -m")}
    run |= set(re.findall(r"python -m (\S+)", (ROOT / "Makefile").read_text("utf-8")))
    ours = {name for name in run if name.partition(".")[0] in ("benchmarks", "edge_agent", "tests", "training")}
    assert ours >= {"benchmarks.demo", "benchmarks.report", "tests.hostile.frames", "training.make_models"}
    assert [name for name in sorted(ours) if not (ROOT / name.replace(".", "/")).with_suffix(".py").exists()] == []


def test_decision_records_are_short_numbered_without_gap_and_listed() -> None:
    folder = ROOT / "docs/decisions"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [f"{number:04d}" for number in range(1, len(records) + 1)] == [path.name[:4] for path in records]
    index = (folder / "README.md").read_text("utf-8")
    for path in records:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 40, path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
        assert f"]({path.name})" in index, path.name


def test_the_page_for_contributors_stays_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_every_example_configuration_loads(example: Path, tmp_path: Path) -> None:
    match example.name:
        case "agent.example.toml":
            (tmp_path / "agent.toml").write_bytes(example.read_bytes())
            (tmp_path / "policy.toml").write_bytes((ROOT / "config/policy.example.toml").read_bytes())
            (tmp_path / "scanners").symlink_to(ROOT / "config/scanners")
            assert load_config(tmp_path / "agent.toml").sections.site.id
        case "policy.example.toml":
            assert parse_policy(example.read_bytes()).digest
        case "collector.example.toml":
            assert load_collector(example).site
        case "console.example.toml":
            assert load_console(example).site
            assert load_web_console(example).web.users
        case _:
            assert example.parent.name == "scanners", "an example of a kind that this test does not know"
            assert load_profile(example).name == example.stem
