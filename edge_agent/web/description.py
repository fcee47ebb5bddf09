"""The description of an interface, as OpenAPI 3.1, made from its routes."""

from typing import Any

from fastapi import FastAPI

_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "a token that `edge-agent tokens new` made"},
    "session": {"type": "apiKey", "in": "cookie", "name": "session", "description": "the cookie that POST /login sets"},
}
_JSON = "application/json"


def described(api: FastAPI) -> dict[str, Any]:
    """Give the description. The framework makes it once; refusals of an operation that answers bytes are JSON all the same."""
    is_new = api.openapi_schema is None
    document = api.openapi()
    if is_new:
        operations = [operation for path in document["paths"].values() for operation in path.values()]
        for operation in operations:
            _tell_json(operation["responses"])
        used = {name for operation in operations for entry in operation.get("security", ()) for name in entry}
        document.setdefault("components", {})["securitySchemes"] = {name: _SCHEMES[name] for name in sorted(used)}
    return document


def _tell_json(responses: dict[str, Any]) -> None:
    for status, answer in responses.items():
        if int(status) >= 400:
            (schema,) = answer["content"].values()
            answer["content"] = {_JSON: schema}
