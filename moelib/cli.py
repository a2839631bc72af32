"""The command ``moelib``: list what there is, tell how the claims stand, simulate, and make the book.

A user's mistake is one sentence on stderr and exit status 2; a book that must not be built is exit status 1.
Nothing heavy is imported before a subcommand needs it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from moelib.book import outcomes
from moelib.book.errors import BookError, UsageError, unknown
from moelib.book.layout import DEFAULT_PROFILE, PROFILES, Book

CATALOGUES = {
    "gates": ("moelib.gates.catalogue", "GATES"),
    "normalisers": ("moelib.gates.catalogue", "NORMALISERS"),
    "experts": ("moelib.experts", "EXPERTS"),
    "studies": ("moelib.claims", "STUDIES"),
}
KINDS = (*CATALOGUES, "chapters", "claims")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        chosen = _parser().parse_args(arguments)
        return int(chosen.run(chosen) or 0)
    except BookError as error:
        print(f"moelib: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:  # the reader of the output has seen enough
        sys.stdout = None  # nothing is left to flush
        return 0
    except KeyboardInterrupt:
        print("moelib: interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints are one sentence with the nearest name."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise unknown(str(action.metavar or action.dest), str(value), [str(c) for c in action.choices])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="moelib", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", metavar="command", required=True, parser_class=_Parser)

    command = commands.add_parser("list", help="what there is: " + ", ".join(KINDS))
    command.add_argument("kind", nargs="?", choices=KINDS, metavar="kind", help="one of these kinds only")
    command.set_defaults(run=_list)

    command = commands.add_parser("status", help="how every claim of the book stands")
    command.add_argument("--json", action="store_true", help="as a JSON list of objects")
    command.set_defaults(run=_status)

    command = commands.add_parser("check", help="decide what can be learned of a gate and an expert, with certificates")
    command.add_argument("--gate", default="softmax", help="a gate's name, or a score such as 'tanh(beta1*x) + beta0'")
    command.add_argument("--expert", default="tanh", help="an expert's name, or a mean such as 'c*tanh(a*x+b)'")
    command.add_argument("--density", help="gaussian; none: least squares")
    command.add_argument("--dim", type=int, default=1, metavar="D", help="dimension of x, 1 to 3 (default 1)")
    command.add_argument("--order", type=int, default=2, metavar="R", help="of the relations, 1 to 3 (default 2)")
    command.add_argument("--seconds", type=float, default=60, metavar="S", help="give up after that time (default 60)")
    command.add_argument(
        "--certificates", type=Path, metavar="DIR", default=Path("certificates"),
        help="folder for the certificates, one file each; made where it is missing (default: certificates)",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="as a JSON object")
    command.set_defaults(run=_check)

    command = commands.add_parser("zoo", help="check every gate with every expert, and write the table to a file")
    command.add_argument(
        "file", type=Path, help="of the cells, as compressed JSON; those that the same code decided are kept"
    )
    command.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each processor)")
    command.set_defaults(run=_zoo)

    command = commands.add_parser("verify", help="recheck certificates by independent code")
    command.add_argument("files", nargs="+", type=Path, metavar="file")
    command.set_defaults(run=_verify)

    command = commands.add_parser("simulate", help="run a study and print its summary")
    command.add_argument("study")
    _add_profile(command)
    _add_parameters(command)
    command.add_argument(
        "--results", type=Path, metavar="DIR", help="existing folder that keeps results and saves repeating"
    )
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes of one thread each (default 1)")
    command.add_argument("--keep", type=Path, metavar="DIR", help="write the result to DIR, for pages that show it")
    command.add_argument("--json", action="store_true", help="the summary as JSON")
    command.set_defaults(run=_simulate)

    command = commands.add_parser("book", help="execute the chapters, render the site, check it")
    _add_profile(command)
    command.set_defaults(run=_book)
    steps = command.add_subparsers(dest="step", metavar="step", parser_class=_Parser)
    step = steps.add_parser("execute", help="run the chapters whose outputs are not up to date")
    step.add_argument("chapters", nargs="*")
    _add_profile(step, argparse.SUPPRESS)
    step = steps.add_parser("build", help="render the site from executed chapters")
    _add_profile(step, argparse.SUPPRESS)
    step = steps.add_parser("check", help="look for what a strict build lets pass: TeX, alt texts, links, requests")
    step.add_argument("--browser", action="store_true", help="also open every page in headless Chromium")
    _add_profile(step, argparse.SUPPRESS)
    step = steps.add_parser("rerun", help="run a chapter with other parameters; print how the numbers moved")
    step.add_argument("chapter")
    _add_parameters(step)
    _add_profile(step, argparse.SUPPRESS)
    step = steps.add_parser("pack", help="the site as one archive, with its checksum")
    _add_profile(step, argparse.SUPPRESS)
    return parser


def _add_profile(command: argparse.ArgumentParser, default: str = DEFAULT_PROFILE) -> None:
    shown = f"one of {', '.join(PROFILES)} (default {DEFAULT_PROFILE})"
    command.add_argument("--profile", choices=PROFILES, metavar="profile", default=default, help=shown)


def _add_parameters(command: argparse.ArgumentParser) -> None:
    shown = "another value of a parameter; may be repeated"
    command.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help=shown)


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` strings as typed values: numbers, true, false, null, lists; anything else is a string."""
    values: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"a parameter is given as NAME=VALUE, not '{item}'")
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values


def _catalogue(kind: str) -> Mapping[str, Any]:
    module, name = CATALOGUES[kind]
    return getattr(import_module(module), name)


def _list(chosen: argparse.Namespace) -> None:
    for kind in [chosen.kind] if chosen.kind else KINDS:
        if kind == "claims":
            names = [claim.id for claim in import_module("moelib.claims").registry()]
        elif kind == "chapters":
            names = list(Book.find().pages) if chosen.kind or _inside_book() else []
        else:
            names = list(_catalogue(kind))
        print(f"{kind}: {', '.join(names) or '-'}" if not chosen.kind else "\n".join(names))


def _inside_book() -> bool:
    try:
        return bool(Book.find())
    except UsageError:
        return False


def _status(chosen: argparse.Namespace) -> None:
    book = Book.find() if _inside_book() else None  # elsewhere nothing has been run
    known = outcomes.known(book.tree(DEFAULT_PROFILE).outcomes, book.root) if book else []
    rows = import_module("moelib.claims").status_rows(known)
    if chosen.json:
        print(json.dumps(rows, indent=1, allow_nan=False))
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        numbers = "" if row["predicted"] is None else f"predicted {row['predicted']:g}"
        if row["estimate"] is not None:
            numbers += f", estimate {row['estimate']:.4f}"
        if row["interval"]:
            numbers += " [{:.4f}, {:.4f}]".format(*row["interval"])
        print(f"{row['id']:{width}}  {row['kind']:14}  {row['status'].replace('_', ' '):13}  {numbers}".rstrip())


def _check(chosen: argparse.Namespace) -> None:
    from moelib.symbolic.report import report
    from moelib.symbolic.screen import screen

    if not chosen.seconds > 0:
        raise UsageError(f"the time limit is a positive number of seconds, not {chosen.seconds:g}")
    try:
        with _time_limit(chosen.seconds):
            found = report(chosen.gate, chosen.expert, chosen.density, chosen.dim, chosen.order)
            data, text = found.to_json(), "" if chosen.json else screen(found)
            files = {c.digest: chosen.certificates / f"{c.digest[:12]}.json" for c in found.certificates}
    except (ArithmeticError, NotImplementedError, RecursionError):
        raise UsageError("these expressions could not be decided: somewhere they are not real numbers") from None
    except ValueError as error:
        raise UsageError(str(error)) from error
    except TimeoutError:
        raise UsageError(
            f"nothing was decided within {chosen.seconds:g} seconds; allow more with --seconds, or ask for a lower "
            "--dim or --order"
        ) from None
    try:
        chosen.certificates.mkdir(exist_ok=True)
        for c in found.certificates:
            _write(files[c.digest], (json.dumps(c.to_json(), indent=1) + "\n").encode())
    except OSError as error:
        raise UsageError(f"the folder {chosen.certificates} cannot be written: {error.strerror}") from None
    if chosen.json:
        for entry in data["conditions"]:
            entry["certificate"] = str(files[entry["certificate"]]) if entry["certificate"] else None
        print(json.dumps(data, indent=1))
    else:
        shown = f"{len(files)} in {chosen.certificates}; recheck them with: moelib verify {chosen.certificates}/*.json"
        print(f"{text}\nCertificates {shown if files else 'none'}")


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """TimeoutError in the block after that time, where the system can interrupt it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _zoo(chosen: argparse.Namespace) -> None:
    from moelib.zoo import Zoo

    if not chosen.file.parent.is_dir():
        raise UsageError(f"the folder {chosen.file.parent} does not exist")
    if chosen.workers is not None and chosen.workers < 1:
        raise UsageError(f"workers must be at least 1, not {chosen.workers}")
    found = Zoo.of(committed=chosen.file, workers=chosen.workers, progress=_count_pairs)
    _write(chosen.file, found.to_bytes())
    print(", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in found.counts().items()))


def _count_pairs(done: int, total: int) -> None:
    print(f"\r{done} of {total} pairs", file=sys.stderr, end="\n" if done == total else "", flush=True)


def _write(path: Path, content: bytes) -> None:
    """The whole new file or the old one."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def _verify(chosen: argparse.Namespace) -> int:
    from moelib.symbolic.algebra.certificate import Certificate, verify

    sound = True
    for path in chosen.files:
        try:
            certificate = Certificate.from_json(json.loads(path.read_text("utf8")))
        except (OSError, ValueError) as error:  # unreadable text and JSON errors are ValueErrors
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{path} is no certificate: {reason}") from error
        holds = verify(certificate)
        sound &= holds
        print(f"{path}: {'holds' if holds else 'DOES NOT HOLD'}: {certificate.subject}")
    return 0 if sound else 1


def _simulate(chosen: argparse.Namespace) -> None:
    studies = _catalogue("studies")
    if chosen.study not in studies:
        raise unknown("study", chosen.study, studies)
    if chosen.workers < 1:
        raise UsageError(f"workers must be at least 1, not {chosen.workers}")
    given = parameters(chosen.parameter)
    try:  # moelib's ValueErrors are sentences: what was expected, what came
        studies[chosen.study].with_parameters(given)
        store = _store(chosen.results)
        _store(chosen.keep)
        if chosen.keep and (given or chosen.profile != "full"):
            raise ValueError("what is kept is the full profile with the study's own numbers: --profile full, no -p")
        result = studies[chosen.study].run(
            chosen.profile, parameters=given, store=store, workers=chosen.workers, progress=_count
        )
        if chosen.keep:
            import_module("moelib.committed").keep(result, chosen.keep)
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(json.dumps(result.to_json(), indent=1) if chosen.json else result.summary())


def _store(folder: Path | None) -> Any:
    """The results in an existing folder; none without one. Known to be writable before anything is computed."""
    if folder is None:
        return None
    if not folder.is_dir():
        raise UsageError(f"the results folder {folder} does not exist")
    return import_module("moelib.store").Store(folder)


def _count(done: int, total: int) -> None:
    print(f"\r{done} of {total} blocks", file=sys.stderr, end="\n" if done == total else "", flush=True)


def _book(chosen: argparse.Namespace) -> None:
    book = Book.find()
    try:
        run = import_module("moelib.book.run")
    except ModuleNotFoundError as error:
        raise UsageError(f"the book needs the package {error.name}: pip install 'moelib[book]'") from error
    profile, step = chosen.profile, chosen.step
    if step == "execute":
        run.execute_chapters(book, profile, chosen.chapters, _say)
    elif step == "build":
        run.build(book, profile, _say)
    elif step == "check":
        run.check(book, profile, chosen.browser, _say)
    elif step == "rerun":
        rerun = import_module("moelib.book.rerun").rerun
        print(rerun(book, profile, chosen.chapter, parameters(chosen.parameter), _say))
    elif step == "pack":
        run.pack(book, profile, _say)
    else:
        run.make(book, profile, _say)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
