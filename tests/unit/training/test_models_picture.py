"""The page's bars: as long as what they stand for, and well-formed whatever a label is called."""

from xml.etree import ElementTree

from training.models_picture import bars

SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: str) -> tuple[list[float], list[str]]:
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own text
    return [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect")], [text.text or "" for text in root.iter(f"{SVG}text")]


def test_a_bar_is_as_long_as_its_share_and_its_number_stands_beside_it() -> None:
    widths, words = drawn(bars("t", {"all": {"whole": 1.0, "half": 0.5, "none": 0.0}}))
    assert widths == [420.0, 210.0, 0.0]
    assert [word for word in words if word in ("1.00", "0.50", "0.00")] == ["1.00", "0.50", "0.00"]


def test_a_series_without_a_group_has_no_bar_there() -> None:
    widths, words = drawn(bars("t", {"S0": {"knife": 0.5, "rifle": 0.7}, "S1": {"rifle": 0.2}}))
    assert widths[2:] == [210.0, 294.0, 84.0], "two squares of the legend come first"
    assert {"S0", "S1", "knife", "rifle"} <= set(words)


def test_names_are_written_as_text() -> None:
    assert "<b>&" in drawn(bars("a < b", {"s": {"<b>&": 0.1}}))[1]
