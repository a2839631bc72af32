"""What several tests use. Shapes are checked here and nowhere else, where every number passes: in the models."""

import pytest
import torch
from jaxtyping import install_import_hook

hook = install_import_hook(["moelib.models"], "beartype.beartype")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", help="the torch device whose numbers are held against the CPU's, such as cuda")


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> str:
    """The device that was asked for; if none was, the GPU when there is one, else the CPU."""
    asked = pytestconfig.getoption("--device")
    if asked is not None and asked.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip(f"--device {asked} needs a CUDA device, and there is none")
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """The command with some arguments: exit status, standard output, standard error."""
    from moelib import cli

    def said(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return said
