"""Every kernel test runs once for each form of the kernel that this machine has."""

from collections.abc import Iterator

import jax
import pytest

from jaxsyn import kernels

NATIVE = pytest.param(True, id="native", marks=pytest.mark.skipif(not kernels.native_available(), reason="not built"))


@pytest.fixture(params=[NATIVE, pytest.param(False, id="pure")])
def native(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=["float32", "float64"])
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    """The float type in force while the test runs."""
    with jax.enable_x64(request.param == "float64"):
        yield request.param
