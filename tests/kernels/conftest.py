"""What tests of machine code share."""

import jax
import pytest

from jaxsyn.kernels import _elementwise, _recurrence
from jaxsyn.kernels._library import elementwise_supported


@pytest.fixture(scope="module", params=[2, 512], ids=["AVX2", "AVX-512"])
def instruction_set(request):
    """The instructions of older processors, then those of newer ones, where programs run at all."""
    if elementwise_supported() < request.param:
        pytest.skip("no elementwise programs on this machine, or its processor has no AVX-512")
    with pytest.MonkeyPatch.context() as patch:
        for module in (_elementwise, _recurrence):
            patch.setattr(module, "elementwise_supported", lambda: request.param)
        jax.clear_caches()
        yield
