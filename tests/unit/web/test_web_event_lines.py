"""Server-sent events: what is given comes out again as one event, whatever is in it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.web.answers import Event, Events
from edge_agent.web.stream import encoded, stream


def parsed(raw: bytes) -> list[dict[str, str]]:
    """The reader's side of the HTML standard's event stream, section 9.2.6."""
    found, data, fields = [], [], {}
    for line in raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if data:
                found.append({"data": "\n".join(data), **fields})
            data, fields = [], {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name in ("event", "id"):
            fields[name] = value
    return found


@given(st.text(), st.text(), st.text())
def test_whatever_is_in_an_event_it_is_one_event(data: str, name: str, number: str) -> None:
    (found,) = parsed(encoded(Event(data, name or "tick", number)))
    assert found["data"] == data.replace("\r\n", "\n").replace("\r", "\n")


@given(st.sampled_from(["\n", "\r", "\r\n"]))
def test_line_ends_in_names_and_ids_forge_no_field(end: str) -> None:
    (found,) = parsed(encoded(Event("{}", f"tick{end}data: forged", f"7{end}event: forged")))
    assert found["data"] == "{}"
    assert "\n" not in found["event"] + found["id"]


def taken(events: Events, lasts: list[bool]) -> list[bytes]:
    async def take() -> list[bytes]:
        return [part async for part in stream(events, lambda: lasts.pop(0) if lasts else True)]

    return asyncio.run(take())


def test_a_stream_begins_with_the_time_after_which_to_come_back_and_tells_of_its_end() -> None:
    async def source():
        yield Event("1", "tick", "1")
        yield Event("2", "tick", "2")

    assert taken(Events(source(), retry_ms=250), [True, False]) == [
        b"retry: 250\n\n",
        b"id: 1\nevent: tick\ndata: 1\n\n",
        b"event: ended\ndata: {}\n\n",
    ]


def test_the_source_is_let_go_when_the_session_ends() -> None:
    let_go = []

    async def source():
        try:
            while True:
                yield Event("1")
        finally:
            let_go.append(True)

    taken(Events(source()), [False])
    assert let_go == [True]
