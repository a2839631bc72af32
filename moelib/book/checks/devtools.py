"""A headless Chromium spoken to in its own protocol; the websocket is tornado's, which Jupyter brings along."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 30.0  # seconds for one answer


def executable() -> str | None:
    """The Chromium of this machine, if it has one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """Opens one page at a time, each in a tab of its own; ``events`` is what happened in the present one."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.target = self.session = ""

    async def listen(self) -> None:
        """Sort incoming messages into answers and events, until the browser closes."""
        while (text := await self.socket.read_message()) is not None:
            message = json.loads(text)
            waiting = self.answers.pop(message.get("id"), None)
            if waiting is not None and not waiting.cancelled():
                waiting.set_result(message)
            elif waiting is None and message.get("sessionId") == self.session:
                self.events.append(message)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command, to the present tab or, without one, to the browser."""
        number = next(self.numbers)
        said: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            said["sessionId"] = self.session
        # kept here: the answer may come, and leave the table, while the question is still being written
        coming = self.answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.write_message(json.dumps(said))
        answer = await asyncio.wait_for(coming, PATIENCE)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    async def open(self, address: str) -> None:
        """Open a page in a new tab and wait until it has loaded; what the last page still does is not counted."""
        old, self.session = self.target, ""
        self.target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=self.target, flatten=True)
        if old:
            await self.call("Target.closeTarget", targetId=old)
        self.session = attached["sessionId"]
        self.events.clear()
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=address)
        async with asyncio.timeout(PATIENCE):
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                await asyncio.sleep(0.02)

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is awaited."""
        result = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"the page could not answer: {result['exceptionDetails'].get('text')}")
        return result["result"].get("value")


@asynccontextmanager
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A fresh Chromium, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, *QUIET, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            found = await asyncio.wait_for(asyncio.to_thread(_address, process), PATIENCE)
            opened = Browser(await websocket_connect(found, max_message_size=2**28))
            listening = asyncio.create_task(opened.listen())
            yield opened
            opened.socket.close()
            await listening
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _address(process: subprocess.Popen[str]) -> str:
    """Where the browser listens: it says so on stderr."""
    for line in process.stderr or ():
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            return found[1]
    raise RuntimeError("Chromium ended before it listened")
