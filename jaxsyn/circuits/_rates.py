"""Rates at which the published circuits fire, for plans and for a first look."""

from ._potjans_diesmann import RATES_HZ, SIZES

_RATES_HZ = {
    "coba": {"E": 19.5, "I": 19.1},
    "cuba": {"E": 5.77, "I": 5.60},
    "brunel": {"E": 37.3, "I": 37.3},
    "potjans_diesmann": dict(zip(SIZES, RATES_HZ.tolist(), strict=True)),
    "cortical_adex": {"E": 5.7, "I": 11.6},
}


def reference_rates_Hz(circuit: str) -> dict[str, float]:
    """Mean rates of the populations of a circuit at its default parameters.

    Args:
        circuit: Name of the circuit, such as "coba".
    Returns:
        Rates by population, Hz.
    Raises:
        ValueError: There is no such circuit.
    References:
        Those of the circuits: see there.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.reference_rates_Hz("coba")
        {'E': 19.5, 'I': 19.1}
    """
    if circuit not in _RATES_HZ:
        raise ValueError(f"reference_rates_Hz.circuit: got {circuit!r}; allowed: {', '.join(_RATES_HZ)}")
    return dict(_RATES_HZ[circuit])
