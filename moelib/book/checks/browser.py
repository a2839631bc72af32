"""Open every page in headless Chromium, from disk and over http: maths drawn, no error, no request that leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from moelib.book.checks.devtools import Browser, browser, executable

REFRESH = 'http-equiv="refresh"'  # the entry page only sends on to another
STAYS = ("data:", "blob:", "about:", "chrome:", "chrome-error:")
FORMULAS = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const all = [...document.querySelectorAll('span.math, div.math')];
  return {
    undrawn: all.filter(e => !e.querySelector('mjx-container')).map(e => e.textContent.slice(0, 80)),
    wrong: [...document.querySelectorAll('mjx-merror')].map(e => e.getAttribute('data-mjx-error') || e.textContent),
  };
})()"""
SEARCH = """(async seconds => {
  for (let i = 0; i < 10 * seconds; i++) {
    if (document.querySelector('ul.search li')) return true;
    await new Promise(done => setTimeout(done, 100));
  }
  return false;
})"""
SEARCH_SECONDS = 10.0
WORD = "document.querySelector('h1').textContent.match(/[A-Za-z]{4,}/)[0]"


def check(site: Path, report: Callable[[str], None]) -> list[str]:
    """All problems that show in a browser; none, loudly, where there is no browser."""
    chromium = executable()
    if chromium is None:
        report("SKIPPED: the site was NOT opened in a browser, for there is no Chromium on this machine")
        return []
    return asyncio.run(_visit(site, chromium))


async def _visit(site: Path, chromium: str) -> list[str]:
    files = [p for p in sorted(site.rglob("*.html")) if "_static" not in p.parts and REFRESH not in p.read_text("utf8")]
    pages = [p.relative_to(site).as_posix() for p in files]
    found = []
    with _served(site) as http:
        async with browser(chromium) as opened:
            for origin in (site.as_uri(), http):
                for page in pages:
                    found += [f"{page} ({origin[:4]}): {problem}" for problem in await _page(opened, origin, page)]
                word = await _a_word(opened, origin, pages)
                await opened.open(f"{origin}/search.html?q={word}")
                if not await opened.evaluate(f"{SEARCH}({SEARCH_SECONDS})"):
                    found.append(f"search ({origin[:4]}): nothing is found for '{word}'")
                found += [f"search ({origin[:4]}): {p}" for p in _requests(opened.events, origin)]
    return found


async def _page(opened: Browser, origin: str, page: str) -> list[str]:
    await opened.open(f"{origin}/{page}")
    formulas = await opened.evaluate(FORMULAS)
    found = [f"formula not drawn: {text}" for text in formulas["undrawn"]]
    found += [f"MathJax: {text}" for text in formulas["wrong"]]
    return found + list(_errors(opened.events)) + list(_requests(opened.events, origin))


async def _a_word(opened: Browser, origin: str, pages: list[str]) -> str:
    """A word that the search must find: one of the title of a page of the book."""
    await opened.open(f"{origin}/{next(p for p in pages if '/' in p)}")
    return str(await opened.evaluate(WORD))


def _errors(events: list[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        if event["method"] == "Runtime.exceptionThrown":
            details = event["params"]["exceptionDetails"]
            yield f"page error: {details.get('exception', {}).get('description') or details['text']}"
        elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            yield f"page error: {event['params']['entry']['text']} {event['params']['entry'].get('url', '')}"


def _requests(events: list[dict[str, Any]], origin: str) -> Iterator[str]:
    for event in events:
        if event["method"] == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            if not address.startswith((origin, *STAYS)):
                yield f"asks for {address}"


@contextmanager
def _served(site: Path) -> Iterator[str]:
    """The site on a free port of this machine."""
    handler = partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Serve files; a browser asks for this one of its own accord."""
        if self.path == "/favicon.ico":
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the requests are counted in the browser."""
