"""Headless Chromium behind ChromeDriver, spoken to in the WebDriver protocol over HTTP."""

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from needs import lacking

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The protocol's name for a reference to an element."""


class Browser:
    """One session."""

    def __init__(self, port: int, options: dict[str, Any]) -> None:
        self._port = port
        self._path = ""
        self._path = f"/session/{self._call('POST', '/session', options)['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request(method, self._path + path, None if body is None else json.dumps(body))
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def open(self, page: Path) -> None:
        """Loads a file and waits for its playback."""
        self._call("POST", "/url", {"url": page.resolve().as_uri()})
        for _ in range(200):
            if self.run("return Boolean(window.cosim && window.cosim.loaded)"):
                return
            time.sleep(0.05)
        pytest.fail(f"the page did not load: {self.run('return document.body.innerText')[:300]}")

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, css: str) -> str:
        """The first element of a kind."""
        return str(self._call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT])

    def focus(self, css: str) -> None:
        """Gives the keyboard to an element."""
        self.run("document.querySelector(arguments[0]).focus()", css)

    def keys(self, *keys: str) -> None:
        """Presses keys one after the other, wherever the focus is."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def click(self, css: str, x: float, y: float) -> None:
        """Clicks at a point of an element, counted from its top left corner."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        left, top = self.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.left, b.top]", css
        )
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "duration": 0, "x": round(left + x), "y": round(top + y), "origin": "viewport"},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": moves}]})

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What a log has gathered since it was last asked for."""
        return list(self._call("POST", "/se/log", {"type": kind}))

    def prefer(self, scheme: str, width: int, height: int) -> None:
        """Light or dark, and the size of the screen."""
        self._devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def _devtools(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, path: Path) -> None:
        """The screen as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self) -> None:
        """Ends the session."""
        self._call("DELETE", "")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; where there is none the test is skipped, or fails (`needs`)."""
    if CHROMIUM is None or DRIVER is None:
        lacking("browser", "no chromium and chromedriver on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        chrome = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,900"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        options = {"goog:chromeOptions": chrome, "goog:loggingPrefs": logs}
        session = Browser(port, {"capabilities": {"alwaysMatch": options}})
        try:
            yield session
        finally:
            session.close()
    finally:
        driver.terminate()
        driver.wait(10)


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("chromedriver did not start")
