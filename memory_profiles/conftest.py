"""The sizes at which memory is measured: `pytest memory_profiles --memory-sizes 64MiB,256MiB,1GiB` is thorough."""

from __future__ import annotations

import pytest

from objstream.cli.words import parse_size


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--memory-sizes",
        default="4MiB,16MiB,64MiB",
        help="sizes N, 4N and 16N of the objects whose transfer is measured",
    )


@pytest.fixture(scope="session")
def sizes(request: pytest.FixtureRequest) -> list[int]:
    return [parse_size(part) for part in str(request.config.getoption("--memory-sizes")).split(",")]
