"""The pins agree everywhere, and the lock holds what it promises."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {pin for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()) for pin in group}
LOCK = (ROOT / "requirements.lock").read_text()
CUDA = (ROOT / "requirements-cuda.lock").read_text()
TORCH = (ROOT / "requirements-torch.lock").read_text()


def normal(pin: str) -> str:
    name, version = pin.split("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def locked(text: str) -> set[str]:
    return set(re.findall(r"^[a-z0-9-]+==[^ \n]+", text, re.MULTILINE))


def test_every_direct_dependency_is_pinned() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", pin) for pin in PINS)


def test_the_lock_has_the_direct_pins_and_torch_stands_apart() -> None:
    direct = {normal(pin) for pin in PINS}
    assert direct - locked(LOCK) == {"torch==2.13.0"}
    assert locked(TORCH) == {"torch==2.13.0"}
    apart = {pin for pin in locked(CUDA) if not re.match(r"(nvidia|cuda)-|triton==", pin)}
    assert apart == set()
    assert not locked(CUDA) & locked(LOCK)


def test_every_locked_package_has_hashes() -> None:
    entries = re.split(r"\n(?=[a-z])", LOCK.split("\n", 1)[1].strip())
    assert len(entries) == len(re.findall(r"^[a-z0-9-]+==", LOCK, re.MULTILINE))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "--hash" not in TORCH + CUDA


def test_no_registry_address_in_the_lock() -> None:
    for text in (LOCK, TORCH, CUDA, (ROOT / "environment.yml").read_text()):
        assert not re.search(r"https?:|index-url|find-links", text)


def test_environment_yml_is_python_pip_and_the_direct_pins() -> None:
    python, pip, with_pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    assert set(with_pip["pip"]) == PINS
    assert len(with_pip["pip"]) == len(PINS)


@pytest.mark.parametrize("extra", ["papermill", "jupyter-book", "pytest", "ruff"])
def test_the_library_alone_does_not_ask_for_the_book(extra: str) -> None:
    assert not any(pin.startswith(extra) for pin in PROJECT["dependencies"])
