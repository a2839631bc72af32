"""Where the book's files are: sources at the root, everything generated below ``_build``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moelib.book.errors import UsageError, unknown

PROFILES = ("smoke", "laptop", "full")
DEFAULT_PROFILE = "laptop"
PROFILE_VARIABLE = "MOELIB_PROFILE"  # tells the reader and the Sphinx glue which profile is being built


@dataclass(frozen=True)
class Tree:
    """What is generated for a profile. Smoke output lives apart, so that it is never published."""

    root: Path
    html: Path  # the rendered site

    @property
    def executed(self) -> Path:
        """The content-addressed executed notebooks."""
        return self.root / "executed"

    @property
    def outcomes(self) -> Path:
        """What the executed chapters say about the claims."""
        return self.root / "outcomes.json"

    @property
    def reruns(self) -> Path:
        """Notebooks executed with a reader's own parameters; never part of the site."""
        return self.root / "reruns"


@dataclass(frozen=True)
class Book:
    """A folder with ``_config.yml``, ``_toc.yml`` and the pages they name."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Book:
        """The book around ``start`` (by default the working directory)."""
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "_toc.yml").is_file() and (folder / "_config.yml").is_file():
                return cls(folder)
        raise UsageError(f"no book here: neither {start} nor a folder above it has _toc.yml and _config.yml")

    @property
    def pages(self) -> dict[str, Path]:
        """The pages in the order of the table of contents, by name (the file's stem)."""
        import yaml  # part of the book extra, while the layout is not

        files = _files(yaml.safe_load((self.root / "_toc.yml").read_text("utf8")))
        return {Path(f).stem: (self.root / f).with_suffix(".md") for f in files}

    @property
    def title(self) -> str:
        """The book's title in ``_config.yml``."""
        import yaml

        return str(yaml.safe_load((self.root / "_config.yml").read_text("utf8"))["title"])

    def page(self, name: str) -> Path:
        """The file of one page."""
        pages = self.pages
        if name not in pages:
            raise unknown("chapter", name, pages)
        if not pages[name].is_file():
            raise UsageError(f"_toc.yml names {pages[name].relative_to(self.root)}, which does not exist")
        return pages[name]

    def tree(self, profile: str) -> Tree:
        """The generated files of a profile."""
        if profile not in PROFILES:
            raise unknown("profile", profile, PROFILES)
        build = self.root / "_build"
        return (
            Tree(build / "smoke", build / "smoke" / "html")
            if profile == "smoke"
            else Tree(build / "book", build / "html")
        )


def _files(toc: object) -> list[str]:
    """Every page that a parsed ``_toc.yml`` names, in order."""
    if isinstance(toc, dict):
        own = [str(toc[key]) for key in ("root", "file") if key in toc]
        return own + [f for key, value in toc.items() if key not in ("root", "file") for f in _files(value)]
    if isinstance(toc, list):
        return [f for item in toc for f in _files(item)]
    return []
