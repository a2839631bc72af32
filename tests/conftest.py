"""What several tests use. Shapes are checked here and nowhere else, where every number passes: in the models."""

import pytest
from jaxtyping import install_import_hook

hook = install_import_hook(["moelib.models"], "beartype.beartype")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """The command with some arguments: exit status, standard output, standard error."""
    from moelib import cli

    def said(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return said
