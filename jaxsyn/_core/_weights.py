"""Weights as users write them: one unit, one value or one value for each receptor."""

from typing import Any

import equinox as eqx

_UNITS = ("pA", "nS", "mV", "1")


class Weights(eqx.Module):
    """Values by receptor name; the key "" means the only receptor (or the discrete neuron itself).

    Attributes:
        unit: "pA", "nS", "mV", or "1" for normalized neurons.
        values: Numbers, arrays or distributions by receptor name.
    """

    unit: str = eqx.field(static=True)
    values: dict[str, Any]

    @classmethod
    def parse(cls, owner: str, *, pA: Any = None, nS: Any = None, mV: Any = None, pure: Any = None) -> "Weights | None":
        """The one weight that was given; None if none was.

        Raises:
            ValueError: More than one was given, or an empty mapping.
        """
        given = {u: v for u, v in zip(_UNITS, (pA, nS, mV, pure), strict=True) if v is not None}
        if not given:
            return None
        if len(given) > 1:
            raise ValueError(f"{owner}: got weights in {' and '.join(given)}; allowed: one unit, that of the receptor")
        unit, value = next(iter(given.items()))
        if isinstance(value, dict):
            if not value:
                raise ValueError(
                    f"{owner}: got an empty weight mapping; allowed: at least one receptor, e.g. {{'AMPA': 1.0}}"
                )
            return cls(unit, dict(value))
        return cls(unit, {"": value})

    def resolve(self, owner: str, receptors: dict[str, str]) -> dict[str, Any]:
        """Values by receptor name, checked against the receptors (name -> weight unit) of the target.

        Raises:
            ValueError: Unknown receptor, wrong unit, or a bare value where the target has several receptors.
        """
        out: dict[str, Any] = {}
        for name, value in self.values.items():
            if not name and len(receptors) != 1:
                raise ValueError(
                    f"{owner}: the target has receptors {sorted(receptors) or 'none'}; say which one gets the "
                    "weight, e.g. "
                    + (f"{{{sorted(receptors)[0]!r}: ...}}" if receptors else "give the population a receptor first")
                )
            key = name or next(iter(receptors))
            if key not in receptors:
                raise ValueError(f"{owner}: unknown receptor {key!r}; the target has {sorted(receptors) or 'none'}")
            if receptors[key] != self.unit:
                want = "weight" if receptors[key] == "1" else f"weight_{receptors[key]}"
                got = "weight" if self.unit == "1" else f"weight_{self.unit}"
                raise ValueError(f"{owner}: receptor {key!r} takes {want}, got {got}")
            out[key] = value
        return out
