"""Render the site: a clean, strict Jupyter Book build of the executed chapters, moved into place when it is whole."""

from __future__ import annotations

import hashlib
import html
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from moelib.book import outcomes
from moelib.book.cache import Store, Surroundings, key
from moelib.book.chapter import Chapter
from moelib.book.checks import site as site_checks
from moelib.book.errors import BookError
from moelib.book.layout import PROFILE_VARIABLE, Book

LEFT_OUT = (".buildinfo", ".doctrees")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FONT_HINTS = re.compile(r'<link rel="preload"[^>]*as="font"[^>]*>\s*')  # browsers refuse them on file://, loudly
ENTRY = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0; url={page}"></head><body><a href="{page}">{title}</a></body></html>
"""


def build(book: Book, profile: str) -> Path:
    """Build the site of a profile and return its folder; nothing is replaced unless all went well."""
    tree = book.tree(profile)
    refuse_stale(book, profile)
    outcomes.refuse_failing(outcomes.read(tree.outcomes))
    work = tree.root / "work"
    shutil.rmtree(work, ignore_errors=True)
    log = _jupyter_book(book, profile, work)
    built = work / "_build" / "html"
    if log.returncode != 0 or not (built / "index.html").is_file():
        raise BookError("the site was not built:\n" + _last_words(log))
    _finish(book, built)
    refuse_problems(site_checks.check(built.resolve(), book.root / "_config.yml"))
    old = tree.root / "old"
    shutil.rmtree(old, ignore_errors=True)
    if tree.html.exists():
        tree.html.replace(old)
    built.replace(tree.html)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    return tree.html


def _finish(book: Book, built: Path) -> None:
    """Make the rendered folder a site: reproducible, quiet from file://, with an entry page, fit for GitHub Pages."""
    for name in LEFT_OUT:
        target = built / name
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    for page in built.rglob("*.html"):
        page.write_text(FONT_HINTS.sub("", page.read_text("utf8")), "utf8")
    first = next(iter(book.pages.values())).relative_to(book.root).with_suffix(".html").as_posix()
    (built / "index.html").write_text(ENTRY.format(title=html.escape(book.title), page=first), "utf8")
    (built / ".nojekyll").touch()  # else GitHub Pages drops folders that begin with an underscore


def refuse_problems(found: list[str]) -> None:
    """A site with problems is not put in place, and not published."""
    if found:
        raise BookError(f"{len(found)} problem(s) in the site:\n" + "\n".join(found))


def refuse_stale(book: Book, profile: str) -> None:
    """A page whose code has no outputs of this library, lock and device fails the build."""
    store, surroundings = Store(book.tree(profile).executed), Surroundings.here(book.root)
    for name in book.pages:
        chapter = Chapter.load(book.page(name))
        if chapter.code_cells and store.get(key(chapter, chapter.bind(profile), surroundings)) is None:
            raise BookError(
                f"chapter '{name}' is stale: its outputs belong to other code, another library or another device; "
                f"run `moelib book execute {name} --profile {profile}`"
            )


def _jupyter_book(book: Book, profile: str, work: Path) -> subprocess.CompletedProcess[str]:
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", jupyter_book, "build", ".", "--path-output", str(work)]
    strict = ["-n", "-W", "--keep-going", "-q"]
    fixed = {
        PROFILE_VARIABLE: profile,
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": _commit_time(book.root),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    return subprocess.run(
        [*command, *strict], cwd=book.root, env=os.environ | fixed, capture_output=True, text=True, check=False
    )


def _commit_time(root: Path) -> str:
    """The last commit's time, so that nothing in the site depends on when it was built."""
    git = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip() or "0"
    except (OSError, subprocess.CalledProcessError):
        return "0"


def _last_words(log: subprocess.CompletedProcess[str]) -> str:
    """The warnings and errors of a failed build, without its chatter."""
    lines = COLOURS.sub("", log.stderr + log.stdout).splitlines()
    telling = [x for x in lines if any(word in x for word in ("WARNING", "ERROR", "error", "Stale page", "Exception"))]
    return "\n".join(telling or lines[-20:])


def pack(book: Book, profile: str) -> tuple[Path, str]:
    """The site as a tar archive that is the same for the same site, and its sha256."""
    tree = book.tree(profile)
    if not tree.html.is_dir():
        raise BookError("there is no site to pack: run `moelib book` first")
    archive = tree.html.with_name("site.tar")
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(p for p in tree.html.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(f"site/{path.relative_to(tree.html).as_posix()}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return archive, hashlib.sha256(archive.read_bytes()).hexdigest()
