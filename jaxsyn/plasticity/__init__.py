"""Plasticity: rules that change what a synapse transmits while the network runs. So far: short-term plasticity.

To add a short-term rule: subclass `AbstractShortTerm` (`init_state`, `release`) and add it to `tests/plasticity`.
"""

from ._short_term import AbstractShortTerm as AbstractShortTerm
from ._short_term import ActiveState as ActiveState
from ._short_term import ReleaseState as ReleaseState
from ._short_term import TsodyksMarkram as TsodyksMarkram
from ._short_term import TsodyksMarkramThreeState as TsodyksMarkramThreeState
