"""The page of headquarters' read API says what the API describes of itself. Written anew by ``python tests/docs/test_api_page.py``."""

import tempfile
from pathlib import Path
from typing import Any

from edge_agent.collector.api import ReadApi
from edge_agent.collector.api_app import ABOUT
from edge_agent.collector.config import load
from edge_agent.testing.clock import ManualClock
from edge_agent.web.app import build_api
from edge_agent.web.tokens import Tokens

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "headquarters-api.md"
CONFIG = """
archive = "archive.db"
timezone = "UTC"
[api]
tokens = "tokens.json"
[[site]]
id = "north"
endpoint = "tcp://127.0.0.1:5571"
insecure_loopback_only = true
"""
HEAD = """# Headquarters' read API

What `edge-agent api` answers ([how to run it](../how-to/serve-the-api.md)). The same stands, for programs, in its OpenAPI description at
`/api/v1/openapi.json`, with examples. This page is made from it by `python tests/docs/test_api_page.py`.

Every refusal is `{"code", "detail", "hint"}`; [errors](errors.md) explains the codes.
"""


def description(folder: Path) -> dict[str, Any]:
    """The OpenAPI document; no archive is needed to describe."""
    (folder / "collector.toml").write_text(CONFIG)
    config, clock = load(folder / "collector.toml"), ManualClock()
    routes = ReadApi(None, None, config, clock).routes()
    return build_api(routes, config.api, clock, Tokens(config.api.tokens, clock), ABOUT).openapi()


def page(document: dict[str, Any]) -> str:
    parts = [HEAD]
    for path, operations in document["paths"].items():
        parts += [operation_text(path, method, operation) for method, operation in operations.items()]
    parts.append("## Answers\n")
    shapes = document["components"]["schemas"]
    parts += [shape_text(name, shapes[name]) for name in sorted(shapes) if shapes[name].get("type") == "object"]
    words = {name: shape["enum"] for name, shape in shapes.items() if "enum" in shape}
    parts += [f"### {name}\n\n{', '.join(f'`{word}`' for word in words[name])}\n" for name in sorted(words)]
    return "\n".join(parts)


def operation_text(path: str, method: str, operation: dict[str, Any]) -> str:
    scope = "no token" if not operation["security"] else "scope `metrics`, or from this machine" if path == "/metrics" else "scope `read`"
    lines = [f"## {method.upper()} {path}\n", f"{operation['description']} ({scope})\n"]
    if operation.get("parameters"):
        lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
        lines += [parameter_row(parameter) for parameter in operation["parameters"]]
        lines.append("")
    answers = [f"{status}: {answer_words(status, answer)}" for status, answer in sorted(operation["responses"].items())]
    return "\n".join([*lines, "; ".join(answers) + ".", ""])


def parameter_row(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    default = "in the path" if parameter["in"] == "path" else f"`{schema['default']}`" if schema.get("default") not in (None, "") else ""
    words = parameter.get("description") or schema.get("description") or ""
    return f"| `{parameter['name']}` | {type_words(schema)} | {default} | {words} |"


def answer_words(status: str, answer: dict[str, Any]) -> str:
    if int(status) >= 300:
        return answer["description"]
    (content,) = answer["content"].items()
    return type_words(content[1].get("schema", {})) if content[0] == "application/json" else f"`{content[0]}`"


def type_words(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(type_words(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_words(schema.get('items', {}))}"
    words = schema.get("format") or schema.get("type") or "anything"
    limits = [f"{schema[key]}" for key in ("minimum", "maximum") if key in schema]
    return words + (f" {' to '.join(limits)}" if limits else "")


def shape_text(name: str, shape: dict[str, Any]) -> str:
    rows = "\n".join(f"| `{field}` | {type_words(schema)} |" for field, schema in shape["properties"].items())
    words = " ".join(shape.get("description", "").replace("``", "`").split())
    return f"### {name}\n\n{words}\n\n| field | type |\n|---|---|\n{rows}\n"


def test_the_page_says_what_the_description_says(tmp_path: Path) -> None:
    assert page(description(tmp_path)) == PAGE.read_text("utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(description(Path(folder))), "utf-8")
