"""A whole console in ten lines: python console.py tcp://SITE:5571 site.key console-1.key_secret."""

import asyncio
import sys

from edge_agent.console.client import Newest, Wish, open_console


async def main(endpoint: str, server_key: str, key: str) -> None:
    """Print every fact of a site, and each change of the link."""
    async with open_console(endpoint, server_key, key, Wish(Newest(10))) as console:
        async for event in console.events():
            print(console.state.phase.value, event, flush=True)


asyncio.run(main(*sys.argv[1:]))
