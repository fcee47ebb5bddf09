"""How a route of ours becomes one of the web framework: who asks is settled before the body is read, limits are kept, answers take form."""

import asyncio
import hashlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Annotated, Any, ParamSpec, Protocol

from fastapi import Depends, Header
from fastapi.datastructures import Default
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Send

from edge_agent.errors import AnswerTooSlow, CrossSite, EdgeAgentError, HostUnknown, RequestInvalid, RequestTooSlow, TooLarge
from edge_agent.web.access import Admitted
from edge_agent.web.answers import Blob, Events
from edge_agent.web.refusals import Refusal, status_of
from edge_agent.web.routes import LastEventId, Route
from edge_agent.web.session import Officer
from edge_agent.web.stream import stream

_P = ParamSpec("_P")
_REQUEST = "http_request"
"""Name of the parameter by which the wrapped handler gets the request; no handler of ours is called so."""
_BODY_WITHIN_S = 20.0
_NO_WORD = re.compile(r"[^a-z0-9]+")
_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_ALWAYS: tuple[type[EdgeAgentError], ...] = (RequestInvalid, HostUnknown, AnswerTooSlow)
_WITH_BODY: tuple[type[EdgeAgentError], ...] = (CrossSite, TooLarge, RequestTooSlow)


class Gate(Protocol):
    """Decides who may ask for a route."""

    def admit(self, route: Route, request: Request) -> Admitted | None:
        """Give the officer who asks; None where a token or nobody is needed. Raises what refuses."""

    def refusals(self, route: Route) -> Iterable[type[EdgeAgentError]]:
        """Give what ``admit`` may raise for this route."""

    def is_stopping(self) -> bool:
        """Tell whether the server stops, so that streams must end."""


def framework_route(route: Route, gate: Gate) -> APIRoute:
    """Give the framework's route for one of ours."""
    returned = _returned(route)
    is_plain = returned in (Blob, Events, Response, None)

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return _guarded(route, gate, super().get_route_handler())

    return Guarded(
        route.path,
        _endpoint(route.handler, gate),
        methods=[route.method],
        status_code=route.status,
        response_model=None if is_plain else returned,
        response_class=_PLAIN_CLASSES.get(returned, Default(JSONResponse)),
        tags=[route.tag] if route.tag else None,
        summary=_first_line(route.handler),
        description=inspect.getdoc(route.handler),
        name=route.handler.__name__,
        operation_id=_NO_WORD.sub("_", f"{route.method.lower()}{route.path}").strip("_"),
        responses=_responses(route, gate),
        openapi_extra={"security": _security(route)},
    )


class _Octets(Response):
    media_type = "application/octet-stream"


class _EventStream(StreamingResponse):
    """A stream whose source is closed at once when the browser leaves."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            if hasattr(self.body_iterator, "aclose"):
                await self.body_iterator.aclose()


_PLAIN_CLASSES: dict[object, type[Response]] = {Blob: _Octets, Events: _EventStream}


def _guarded(
    route: Route, gate: Gate, inner: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    known = frozenset(inspect.signature(route.handler).parameters)

    async def handle(request: Request) -> Response:
        request.state.route = f"{route.method} {route.path}"
        request.state.admitted = gate.admit(route, request)
        if route.scope is not None:
            _refuse_unknown(request, known)
        body = await _body(request, route.most_bytes)
        _refuse_half_characters(body)
        whole = Request(request.scope, _replay(body, request.receive), request._send)  # noqa: SLF001
        limit = asyncio.timeout(route.most_s)
        try:
            async with limit:
                answer = await inner(whole)
        except TimeoutError as problem:
            if not limit.expired():
                raise  # the handler's own, and a fault of it
            raise AnswerTooSlow(f"not answered within {route.most_s:g} s", {"retry_after_s": 10}) from problem
        return answer if route.scope is None else _revalidated(request, answer)

    return handle


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Refuse a query parameter that the read API does not know: a misspelt one would silently ask for something else.

    Raises:
        RequestInvalid.
    """
    unknown = request.query_params.keys() - known
    if unknown:
        raise RequestInvalid(f"{len(unknown)} unknown query parameter(s)")


async def _body(request: Request, most: int) -> bytes:
    """Read the whole body within its limits, before anything else sees it.

    Raises:
        TooLarge, RequestTooSlow: it is larger, or does not come.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise TooLarge(f"a body of at most {most} bytes is taken here")
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise TooLarge(f"a body of at most {most} bytes is taken here")
                parts.append(part)
    except TimeoutError as problem:
        raise RequestTooSlow(f"the body did not come within {_BODY_WITHIN_S:g} s") from problem
    return b"".join(parts)


def _refuse_half_characters(body: bytes) -> None:
    """Refuse JSON text with half of a surrogate pair: Python reads it, and then nothing can store or send it.

    Raises:
        RequestInvalid.
    """
    if not _HALF_CHARACTER.search(body):
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as problem:
        raise RequestInvalid("body: a text holds half of a character") from problem
    except (ValueError, RecursionError):
        return  # no JSON: the framework says so


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read once more; after it, whatever the connection says (that the browser left)."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def _endpoint(handler: Callable[_P, Awaitable[object]], gate: Gate) -> Callable[_P, Awaitable[object]]:
    """Wrap a handler so that the framework fills its parameters and its answers become the framework's."""
    signature = inspect.signature(handler, eval_str=True)
    wanted = list(signature.parameters.values())
    own = [each.name for each in wanted if each.annotation is Request]

    async def endpoint(*args: _P.args, **kwargs: _P.kwargs) -> object:
        request = kwargs.pop(_REQUEST)
        if not isinstance(request, Request):
            raise TypeError("the framework did not fill in the request")
        kwargs.update(dict.fromkeys(own, request))  # the framework fills one parameter of this type only
        return _answer(await handler(*args, **kwargs), request, gate)

    filled = [_parameter(each) for each in wanted if each.name not in own]
    filled.append(inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request))
    vars(endpoint)["__signature__"] = signature.replace(parameters=filled, return_annotation=inspect.Signature.empty)
    endpoint.__name__ = handler.__name__
    return endpoint


def _officer(request: Request) -> Officer:
    admitted: Admitted = request.state.admitted
    return admitted.officer


_PARAMETERS: dict[object, object] = {
    Officer: Annotated[Officer, Depends(_officer)],
    LastEventId: Annotated[str, Header(alias="Last-Event-ID", max_length=256)],
}


def _parameter(parameter: inspect.Parameter) -> inspect.Parameter:
    replaced = _PARAMETERS.get(parameter.annotation)
    if replaced is None:
        return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    default = "" if parameter.annotation is LastEventId else inspect.Parameter.empty
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=replaced, default=default)


def _answer(answer: object, request: Request, gate: Gate) -> object:
    if isinstance(answer, Blob):
        headers: dict[str, str] = {}
        if answer.encoding is not None:
            headers["Content-Encoding"] = answer.encoding
        if answer.file_name is not None:
            headers["Content-Disposition"] = f'attachment; filename="{_NO_FILE_NAME.sub("_", answer.file_name)}"'
        return Response(answer.content, media_type=answer.media_type, headers=headers)
    if isinstance(answer, Events):
        admitted: Admitted | None = request.state.admitted
        lasts = (lambda: not gate.is_stopping()) if admitted is None else (lambda: admitted.lasts() and not gate.is_stopping())
        return _EventStream(stream(answer, lasts), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    return answer


def _revalidated(request: Request, answer: Response) -> Response:
    """Give an answer of the read API its tag; 304 when the asker has it already."""
    if request.method != "GET" or answer.status_code != HTTPStatus.OK or isinstance(answer, StreamingResponse):
        return answer
    tag = f'"{hashlib.sha256(bytes(answer.body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    answer.headers.update(headers)
    return answer


def _returned(route: Route) -> Any:  # noqa: ANN401 - an annotation
    returned = inspect.signature(route.handler, eval_str=True).return_annotation
    is_framework = inspect.isclass(returned) and issubclass(returned, Response)
    return Response if is_framework else returned


def _first_line(handler: Callable[..., object]) -> str:
    return (inspect.getdoc(handler) or handler.__name__).partition("\n")[0]


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.is_public:
        return []
    return [{"session": []}] if route.scope is None else [{"token": []}]


def _responses(route: Route, gate: Gate) -> dict[int | str, dict[str, Any]]:
    """Describe every refusal of a route, by status with its codes."""
    kinds = {*_ALWAYS, *route.refusals, *gate.refusals(route), *(() if route.method == "GET" else _WITH_BODY)}
    codes: dict[int | str, set[str]] = {500: {"internal"}}
    for kind in kinds:
        codes.setdefault(status_of(kind), set()).add(kind.code)
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": ", ".join(sorted(each))} for status, each in sorted(codes.items(), key=str)
    }
    if route.scope is not None and route.method == "GET":
        found[304] = {"description": "what If-None-Match named is still so"}
    return found
