"""The page of the control form says what the form of the code asks.

``python tests/docs/test_control_form_page.py`` writes the tables anew.
"""

from pathlib import Path

from edge_agent.collector.import_results import COLUMNS
from edge_agent.domain.control_form import FORM, MAX_TEXT, Field, Kind, Problem

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "control-form.md"
MARK = "<!-- made from the code: python tests/docs/test_control_form_page.py -->\n"


def takes(field: Field) -> str:
    words = {
        Kind.CHOICE: "one of ",
        Kind.CHOICES: "one or more of ",
        Kind.NUMBER: f"a number from {field.low:,.12g} to {field.high:,.12g}",
        Kind.COUNT: f"a whole number from {field.low:,.12g} to {field.high:,.12g}",
        Kind.QUANTITY: "an amount and a unit, such as `12.5 kg`: ",
        Kind.TARIFF: "2 to 12 digits of the Harmonised System",
        Kind.WORD: "one lower-case word, parts joined by dashes",
        Kind.MOMENT: "date and time with its zone",
        Kind.TEXT: f"free text, up to {MAX_TEXT:,} characters; kept in the site's erasable table",
    }[field.kind]
    return words + ("the words below" if field.name == "what" else ", ".join(f"`{code}`" for code in field.choices))


def asked(field: Field) -> str:
    if field.when is None:
        return "always"
    families = [family for family, codes in FORM.groups.items() if set(codes) <= set(field.when.values)]
    return f"`{field.when.field}` is {', '.join(f'{family}' if families else f'`{family}`' for family in families or field.when.values)}"


def table(fields: tuple[Field, ...]) -> str:
    rows = [f"| `{field.name}`{' *' if field.is_required else ''} | {takes(field)} | {asked(field)} |" for field in fields]
    return "\n".join(["| field | takes | asked when |", "|---|---|---|", *rows]) + "\n"


def render() -> str:
    families = [f"| {family} | {', '.join(f'`{code}`' for code in codes)} |" for family, codes in FORM.groups.items()]
    problems = ", ".join(f"`{problem.value}`" for problem in Problem)
    return "\n".join(
        [
            MARK,
            f"Version {FORM.version}. A star: it must be answered where it is asked.\n",
            "## The result\n",
            table(FORM.result),
            "## Each thing found\n",
            table(FORM.find),
            "## What can be found\n",
            "\n".join(["| family | `what` |", "|---|---|", *families]) + "\n",
            "## What can be wrong\n",
            f"{problems}.\n",
            "## Columns of an import\n",
            f"{', '.join(f'`{name}`' for name in COLUMNS)}.\n",
        ]
    )


def test_the_page_is_that_of_the_code():
    written = PAGE.read_text("utf-8")
    assert written.endswith(render()), "write it anew: python tests/docs/test_control_form_page.py"


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text.partition(MARK)[0] + render(), "utf-8")
