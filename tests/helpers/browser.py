"""Chromium without a window, driven through its DevTools protocol over a pipe: no port, no other library."""

import base64
import json
import os
import subprocess
from contextlib import contextmanager

_ONE_PROCESS = "--disable-features=IsolateSandboxedIframes"  # or frames would be pages of their own
_LOOKS = "--hide-scrollbars --force-color-profile=srgb"

PATIENCE_MS = 90_000
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
    """One page."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.count, self.session, self.events, self.buffer = 0, None, [], b""

    def command(self, method, **parameters):
        """Send a command and return its result; events on the way are kept."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        while b"\0" not in self.buffer:
            read = os.read(self.from_browser, 1 << 20)
            assert read, "Chromium ended"
            self.buffer += read
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def open(self, address, width=1280, height=900):
        """Open a page and wait until it is loaded."""
        if not self.session:
            target = self.command("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.command(f"{domain}.enable")
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        self.command("Page.bringToFront")  # a click may have opened another page, and what is behind draws no frames
        self.events.clear()
        self.command("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def value(self, expression, frame=None):
        """The value of an expression on the page or in one of its frames, a promise's when it is kept."""
        where = {"contextId": frame} if frame else {}
        found = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, **where)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def go(self, link):
        """Open a link as in a new tab: what the page before it held is gone."""
        self.open("about:blank", 1600, 1000)
        self.open(link, 1600, 1000)

    def reload(self):
        """Load the page again."""
        self.command("Page.reload")

    def back(self):
        """Go back in the history of the page."""
        self.value("history.back()")

    def see(self, expression):
        """Wait until an expression is true, and return its value; if it never is, say what is to be read instead."""
        found = self.command(
            "Runtime.evaluate", expression=_WHEN % (PATIENCE_MS, expression), awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, f"{expression}\n{self.value('document.body.innerText')[:3000]}"
        return found["result"].get("value")

    def see_text(self, text):
        """Wait until a text can be read on the page."""
        self.see(f"document.body.innerText.includes({json.dumps(text)})")

    def follow(self, element):
        """Click on an element, given by an expression, once it is there."""
        self.see(f"(() => {{ const it = {element}; if (it) it.click(); return Boolean(it); }})()")

    def frame(self, address):
        """The frame whose address begins so, when it is there, to evaluate in."""
        while True:
            for event in self.events:
                context = event["params"].get("context", {}) if event["method"].endswith("ContextCreated") else {}
                if context.get("origin", "").startswith(address) or (
                    context and self.value("location.href", context["id"]).startswith(address)
                ):
                    return context["id"]
            self.events.append(self._next())

    def becomes_true(self, expression, frame=None):
        """Look at every frame that is drawn until an expression is true; the test's own time limit ends it."""
        look = f"const look = () => ({expression}) ? done(true) : requestAnimationFrame(look)"
        return self.value(f"new Promise(done => {{{look}; look()}})", frame)

    def mouse(self, kind, x, y, **options):
        """Move, press or turn the mouse."""
        self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **options)

    def click(self, x, y):
        """Press and release the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def picture(self, path, whole=False):
        """Save what is to be seen as PNG."""
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self):
        """The page as it prints."""
        return base64.b64decode(self.command("Page.printToPDF", preferCSSPageSize=False)["data"])

    def requests(self):
        """Addresses that were asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """Errors and warnings on the console since the page was opened."""
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        told = [e["params"] for e in self.events if e["method"] == "Runtime.consoleAPICalled"]
        thrown = [e["params"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        return [*(e for e in logged if e["level"] in ("error", "warning")), *told, *thrown]


def link(words):
    """Say in JavaScript which link has these words."""
    return f"[...document.querySelectorAll('a')].find(a => a.innerText.trim() === {json.dumps(words)})"


@contextmanager
def chromium(folder):
    """Start Chromium with a profile in a folder of the test."""
    (read_there, write_here), (read_here, write_there) = os.pipe(), os.pipe()
    options = f"--headless --no-sandbox --disable-gpu {_LOOKS} {_ONE_PROCESS} --user-data-dir={folder}"
    started = subprocess.Popen(
        ["bash", "-c", f"exec chromium {options} --remote-debugging-pipe about:blank 3<&{read_there} 4>&{write_there}"],
        pass_fds=(read_there, write_there),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_there)
    os.close(write_there)
    try:
        yield Browser(write_here, read_here)
    finally:
        os.close(write_here)
        os.close(read_here)
        started.terminate()
        started.wait()
