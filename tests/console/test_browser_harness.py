"""The harness itself: a page that does what it must not fails its law, and a law leaves nothing to the next one."""

import pytest

from benchmarks.browser import Wish, until
from benchmarks.site import ROOT

ORIGIN = "http://console.test"
POLICY = "default-src 'self'"


def serving(stage, body, headers=None):
    """Answer every request with ``body``, under our content security policy."""

    async def answer(route):
        await route.fulfill(
            body=body, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY, **(headers or {})}
        )

    return stage.context.route("**/*", answer)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<script src='/a.js'></script>", "threw: "),
        ("<p onclick='1'>", "Content Security Policy"),
        ("<script>document.title = 'x'</script>", "Content Security Policy"),
        ("<p style='color: red'>", "Content Security Policy"),
        ("<img src='http://elsewhere.test/pixel.png'>", "elsewhere.test"),
    ],
)
def test_a_page_that_does_what_it_must_not_fails_its_law(chromium, body, fault):
    async def law(stage):
        async def answer(route):
            if route.request.url.endswith("a.js"):
                await route.fulfill(body="throw new Error('broken')", content_type="text/javascript")
            else:
                headers = {"Content-Security-Policy": POLICY}
                await route.fulfill(body=f"<!doctype html><title>t</title>{body}", content_type="text/html", headers=headers)

        await stage.context.route("**/*", answer)
        await stage.page(ORIGIN)

    with pytest.raises(AssertionError, match=fault):
        chromium.run(law)


def test_a_fault_that_the_law_provokes_is_none(chromium):
    async def law(stage):
        await stage.context.route("**/*", lambda route: route.fulfill(status=403, body="<title>no</title>", content_type="text/html"))
        await stage.page(ORIGIN)

    chromium.run(law, Wish(expects=("status of 403",)))
    with pytest.raises(AssertionError, match="403"):
        chromium.run(law)


def test_a_law_starts_without_the_cookies_of_the_last_one(chromium):
    async def law(stage):
        await serving(stage, "<title>t</title>", {"Set-Cookie": "session=abc; HttpOnly"})
        before = await stage.context.cookies()
        await stage.page(ORIGIN)
        return before, len(await stage.context.cookies())

    assert ([], 1) == chromium.run(law)
    assert ([], 1) == chromium.run(law)


def test_the_browser_paints_with_software_and_gives_16_bit_textures(chromium):
    async def law(stage):
        await serving(stage, "<title>t</title>")
        page = await stage.page(ORIGIN)
        return await page.evaluate(
            """() => {
                const gl = document.createElement('canvas').getContext('webgl2');
                const info = gl.getExtension('WEBGL_debug_renderer_info');
                return [gl.getParameter(info.UNMASKED_RENDERER_WEBGL), gl.getExtension('EXT_color_buffer_float') !== null];
            }"""
        )

    renderer, has_float = chromium.run(law)
    assert "SwiftShader" in renderer
    assert has_float


def test_a_condition_that_asks_the_server_is_waited_for(chromium):
    """The library's own wait takes the promise of an ``async`` condition for true: laws that used it waited for nothing."""
    asked = []

    async def law(stage):
        async def answer(route):
            if route.request.url.endswith("count"):
                asked.append(route.request.url)
                await route.fulfill(body=str(len(asked)), content_type="text/plain")
            else:
                await route.fulfill(body="<!doctype html><title>t</title>", content_type="text/html")

        await stage.context.route("**/*", answer)
        page = await stage.page(ORIGIN)
        return await until(
            page, "async (least) => { const told = Number(await (await fetch('/count')).text()); return told >= least && told; }", 3
        )

    assert 3 == chromium.run(law)
    assert 3 == len(asked)


def test_what_never_comes_is_named_at_the_end_of_the_patience(chromium):
    async def law(stage):
        await serving(stage, "<title>t</title>")
        await until(await stage.page(ORIGIN), "async () => document.title === 'other'", within_s=0.2)

    with pytest.raises(TimeoutError, match=r"document\.title === 'other'"):
        chromium.run(law)


def test_nobody_uses_the_wait_that_takes_promises_for_true():
    files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert [] == [path.name for path in files if ".wait_for_" + "function(" in path.read_text()]
