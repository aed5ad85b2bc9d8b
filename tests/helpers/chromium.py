"""Chromium without a window, driven over its own protocol: pages opened, clicked, read and photographed."""

import asyncio
import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 90
"""How long a page may take to show something."""

_WHEN = """new Promise((found, never) => {
    const last = Date.now() + %d;
    const look = () => {
        let seen = null;
        try { seen = (() => %s)(); } catch (error) { seen = null; }
        if (seen) found(seen);
        else if (Date.now() > last) never(new Error('never seen'));
        else setTimeout(look, 50);
    };
    look();
})"""


class Browser:
    """One page of a browser that knows nobody: no cookies, no local storage."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket, self._calls = loop, socket, 0

    def call(self, method: str, **arguments: Any) -> Any:
        return self._loop.run_until_complete(self._call(method, arguments))

    async def _call(self, method: str, arguments: dict[str, Any]) -> Any:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": arguments})
        while True:
            message = json.loads((await self._socket.receive(timeout=PATIENCE_S + 30)).data)
            if message.get("id") == self._calls:
                assert "error" not in message, message
                return message["result"]

    def go(self, link: str) -> None:
        """Open a link as in a new tab: what the page before it held is gone."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=link)

    def reload(self) -> None:
        self.call("Page.reload")

    def back(self) -> None:
        self.tell("history.back()")

    def tell(self, script: str) -> Any:
        """Evaluate JavaScript."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}\n{self.text()[:3000]}"
        return done["result"].get("value")

    def see(self, expression: str) -> Any:
        """Wait until an expression is true, and return its value."""
        return self.tell(_WHEN % (PATIENCE_S * 1000, expression))

    def see_text(self, text: str) -> None:
        self.see(f"document.body.innerText.includes({json.dumps(text)})")

    def text(self) -> str:
        done = self.call("Runtime.evaluate", expression="document.body.innerText", returnByValue=True)
        return str(done["result"].get("value"))

    def click(self, element: str) -> None:
        """Click on an element, given by an expression, once it is there."""
        self.see(f"(() => {{ const it = {element}; if (it) it.click(); return Boolean(it); }})()")

    def photograph(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


def link(words: str) -> str:
    """Say in JavaScript which link has these words."""
    return f"[...document.querySelectorAll('a')].find(a => a.innerText.trim() === {json.dumps(words)})"


@contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """Start a browser, and end it."""
    command = ["chromium", "--headless", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    command += ["--window-size=1600,1000", "--hide-scrollbars", "--force-color-profile=srgb", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        loop = asyncio.new_event_loop()
        try:
            assert process.stderr is not None
            address = next(found[1] for line in process.stderr if (found := re.search(r"ws://(\S+?)/", line)))
            yield from loop_of(loop, address)
        finally:
            process.kill()
            loop.close()


def loop_of(loop: asyncio.AbstractEventLoop, address: str) -> Iterator[Browser]:
    """Connect to the page of a browser that listens at an address."""

    async def connect() -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        session = aiohttp.ClientSession()
        async with session.get(f"http://{address}/json/list") as answer:
            page = next(page for page in await answer.json() if page["type"] == "page")
        return session, await session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)

    session, socket = loop.run_until_complete(connect())
    try:
        yield Browser(loop, socket)
    finally:
        loop.run_until_complete(session.close())
