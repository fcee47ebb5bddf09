"""What travels on EI1 as JSON Schema (draft 2020-12), for those who build a console or a headquarters in another language. Pure."""

import json
from collections.abc import Mapping

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from edge_agent.wire import control, pictures, undecided, verbs
from edge_agent.wire.heartbeat import Heartbeat, StatusReply
from edge_agent.wire.messages import AnyBody

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

REQUESTS: Mapping[str, type[verbs.Request]] = {
    verbs.Verb.HELLO: verbs.HelloRequest,
    verbs.Verb.PULL: verbs.PullRequest,
    verbs.Verb.SNAP: verbs.SnapRequest,
    verbs.Verb.UNDECIDED: undecided.UndecidedRequest,
    verbs.Verb.VERDICT: verbs.VerdictRequest,
    verbs.Verb.CONTROL: control.ControlRequest,
    verbs.Verb.VIEW: verbs.ViewRequest,
    verbs.Verb.FAULT: verbs.FaultRequest,
    verbs.Verb.OFFICER: verbs.OfficerRequest,
    verbs.Verb.PING: verbs.PingRequest,
    verbs.Verb.BLOB: pictures.BlobRequest,
    verbs.Verb.PLANES: pictures.PlanesRequest,
    verbs.Verb.TILE: pictures.TileRequest,
}
"""The JSON object of each request, by its verb."""

REPLIES: Mapping[str, type[verbs.Reply]] = {
    verbs.Verb.HELLO: verbs.HelloReply,
    verbs.Verb.BATCH: verbs.BatchReply,
    verbs.Verb.SNAP: verbs.SnapReply,
    verbs.Verb.UNDECIDED: undecided.UndecidedReply,
    verbs.Verb.OK: verbs.OkReply,
    verbs.Verb.OFFICER: verbs.OfficerReply,
    verbs.Verb.PONG: StatusReply,
    verbs.Verb.CHUNK: pictures.ChunkReply,
    verbs.Verb.PLANES: pictures.PlanesReply,
    verbs.Verb.ERR: verbs.ErrReply,
}
"""The JSON object of each reply, by its verb."""


def bodies_schema() -> str:
    """Give the schema of a journal row's body, any kind."""
    adapter: TypeAdapter[AnyBody] = TypeAdapter(AnyBody)
    return _text("urn:edge-agent:ei1:bodies", adapter.json_schema(by_alias=True))


def messages_schema() -> str:
    """Give the schema of requests, replies and heartbeat: ``requests`` and ``replies`` name the definition behind each verb."""
    models: list[type[BaseModel]] = [*REQUESTS.values(), *REPLIES.values(), Heartbeat]
    _, schema = models_json_schema([(model, "validation") for model in dict.fromkeys(models)])
    by_verb = {
        "requests": {verb: f"#/$defs/{model.__name__}" for verb, model in REQUESTS.items()},
        "replies": {verb: f"#/$defs/{model.__name__}" for verb, model in REPLIES.items()},
        "heartbeat": f"#/$defs/{Heartbeat.__name__}",
    }
    return _text("urn:edge-agent:ei1:messages", {**by_verb, **schema})


def _text(name: str, schema: Mapping[str, object]) -> str:
    return json.dumps({"$schema": _DIALECT, "$id": name, **schema}, indent=1) + "\n"
