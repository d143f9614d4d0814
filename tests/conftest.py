"""What holds for every test: CPU, strict promotion, types and shapes checked at run time, repeatable examples.

Warnings are errors (pyproject.toml). What one test compiled the others take from a folder that lasts as long as they
run, and so do other workers and the programs that tests start; to keep it while you work, set JAX's own
`JAX_COMPILATION_CACHE_DIR`.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxsyn-tests-")
    os.environ |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

import hypothesis
import jax
import jaxtyping
import pytest

# Before the first import of jaxsyn: from here on beartype checks every annotated call and field of the package. As for
# mypy, an int may stand where a float is asked for; an annotation that only mypy can read stays with mypy.
UNREADABLE = "warning_cls_on_decorator_exception=beartype.roar.BeartypeClawDecorWarning"
CHECKER = f"beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True, {UNREADABLE}))"
jaxtyping.install_import_hook("jaxsyn", CHECKER)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile(
    "jaxsyn",
    deadline=None,  # the first example of each shape compiles
    max_examples=25,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jaxsyn")


@pytest.fixture
def unchecked():
    """As without the type checks of the test suite: what the library itself says about a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_programs():
    """Each compiled program maps memory, some thirty areas a test; Linux gives a process 65530 and then ends it."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Figures are closed after each test: from 20 open ones on Matplotlib warns, whichever test comes then."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differentiated runs of some ten steps go in several chunks, as long ones do."""
    for name in ("_SHORTEST", "_STORED"):
        monkeypatch.setattr(sys.modules["jaxsyn.simulate._chunks"], name, 8)
