"""How an error of this program reads over HTTP: a status, and ``{code, detail, hint}``."""

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from edge_agent.errors import (
    AddressUnknown,
    AmbiguousReference,
    AnswerTooSlow,
    BlobGone,
    CrossSite,
    EdgeAgentError,
    FormRefused,
    HostUnknown,
    LoginRefused,
    LoginRequired,
    MalformedMessage,
    MethodUnknown,
    NotAllowed,
    PeerError,
    PeerFailed,
    PeerSilent,
    RequestTooSlow,
    RoleMissing,
    TokenRefused,
    TooLarge,
    TooSoon,
    TryLater,
    UnknownBlob,
    UnknownScan,
    WebRefused,
)

_STATUS: dict[type[EdgeAgentError], int] = {
    LoginRequired: 401,
    LoginRefused: 401,
    TokenRefused: 401,
    RoleMissing: 403,
    CrossSite: 403,
    NotAllowed: 403,
    AddressUnknown: 404,
    UnknownScan: 404,
    UnknownBlob: 404,
    MethodUnknown: 405,
    RequestTooSlow: 408,
    AmbiguousReference: 409,
    BlobGone: 410,
    TooLarge: 413,
    HostUnknown: 421,
    TooSoon: 429,
    PeerFailed: 502,
    MalformedMessage: 502,
    AnswerTooSlow: 503,
    PeerSilent: 504,
    # the families, for every leaf that is not named above
    TryLater: 503,
    WebRefused: 422,
    PeerError: 422,
}
_FAULT = 500
_IN_THE_LOG = "not possible now; the server's log says why"


class Refusal(BaseModel):
    """Why a request was not done. ``code`` is stable and documented; ``hint`` says what to do."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "unknown-scan", "detail": "no such scan", "hint": "Check the id."}]})

    code: str = Field(description="stable; docs/reference/errors.md lists every one")
    detail: str = Field(description="what happened, in one sentence")
    hint: str = Field(description="what to do")
    fields: dict[str, str] = Field({}, description="of a form: the code of what is wrong, by the answer's name")


def status_of(kind: type[EdgeAgentError]) -> int:
    """Give the status of an error; a fault of ours is 500."""
    return next((_STATUS[parent] for parent in kind.__mro__ if parent in _STATUS), _FAULT)


def is_askers(problem: EdgeAgentError) -> bool:
    """Tell whether an error is the asker's or a site's, so that its detail may be told; the server's own may name its files."""
    return isinstance(problem, WebRefused | PeerError)


def refused(problem: EdgeAgentError) -> JSONResponse:
    """Give the answer that says so."""
    fields = {name: str(fault) for name, fault in problem.fields.items()} if isinstance(problem, FormRefused) else {}
    detail = problem.detail if is_askers(problem) else _IN_THE_LOG
    body = Refusal(code=problem.code, detail=detail, hint=problem.hint, fields=fields)
    answer = JSONResponse(body.model_dump(exclude_defaults=True), status_of(type(problem)))
    if (wait := problem.fields.get("retry_after_s")) is not None:
        answer.headers["Retry-After"] = str(wait)
    if isinstance(problem, TokenRefused):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, MethodUnknown):
        answer.headers["Allow"] = str(problem.fields.get("allow", ""))
    return answer


def failed() -> JSONResponse:
    """Give the answer to a request that met a bug of ours: it says nothing of the inside."""
    body = Refusal(code="internal", detail="the server met a fault of its own", hint="Look at the server's log; asking again may help.")
    return JSONResponse(body.model_dump(exclude_defaults=True), _FAULT)
