"""The published schema of ``scan.json``: as JSON Schema for machines, as rows for the documentation and the UFF mapping."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from edge_agent.formats.package_model import ScanJson

SCHEMA_FILE = "scan-package.schema.json"
_SCHEMA_ID = "urn:nii-scan:scan.json:1"


@dataclass(frozen=True, slots=True)
class SchemaField:
    """One field of the document. ``path``: as ``views[].images[].rows``; ``kind``: its JSON type; ``unit``: ``none`` without one."""

    path: str
    kind: str
    unit: str
    privacy: str
    meaning: str


def schema_text() -> str:
    """Give the JSON Schema (draft 2020-12), made from the model."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _SCHEMA_ID, **ScanJson.model_json_schema()}
    return json.dumps(schema, indent=1) + "\n"


def shipped_schema() -> str:
    """Give the JSON Schema as the package ships it."""
    return resources.files("edge_agent.formats").joinpath(SCHEMA_FILE).read_text("utf-8")


def fields() -> tuple[SchemaField, ...]:
    """Give every field of the document, outer ones before the inner ones, in the order of the document."""
    schema = ScanJson.model_json_schema()
    return tuple(_walk(schema, schema["$defs"], ""))


def table() -> str:
    """Give the fields as a Markdown table."""
    rows = ["| Path | Type | Unit | Privacy | Meaning |", "|---|---|---|---|---|"]
    rows += [f"| `{field.path}` | {field.kind} | {field.unit} | {field.privacy} | {field.meaning} |" for field in fields()]
    return "\n".join(rows) + "\n"


def _walk(node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[SchemaField]:
    for name, field in node.get("properties", {}).items():
        target, suffix = _target(field, definitions)
        path = f"{prefix}{name}{suffix}"
        yield SchemaField(path, _kind(field, target, suffix), field.get("unit", ""), field.get("privacy", ""), field.get("description", ""))
        yield from _walk(target, definitions, f"{path}.")


def _target(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Follow references, optional values, lists and maps to what a field holds; give it with its mark in a path."""
    if "$ref" in field:
        return definitions[field["$ref"].rpartition("/")[2]], ""
    if "anyOf" in field:
        return _target(next(one for one in field["anyOf"] if one.get("type") != "null"), definitions)
    if "items" in field and field["type"] == "array":
        return _target(field["items"], definitions)[0], "[]"
    if isinstance(field.get("additionalProperties"), Mapping):
        return _target(field["additionalProperties"], definitions)[0], "{}"
    return field, ""


def _kind(field: Mapping[str, Any], target: Mapping[str, Any], suffix: str) -> str:
    values = target.get("enum") or ([target["const"]] if "const" in target else None)
    kind = " or ".join(f"`{value}`" for value in values) if values else str(target.get("type", ""))
    if suffix == "{}" and not target.get("properties"):
        return "map" + (" or null" if "anyOf" in field else "")
    if "prefixItems" in target:
        kind = f"{len(target['prefixItems'])} {target['prefixItems'][0]['type']}s"
    optional = " or null" if any(one.get("type") == "null" for one in field.get("anyOf", ())) else ""
    return {"[]": "list of ", "{}": "map to ", "": ""}[suffix] + kind + optional
