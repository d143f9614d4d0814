"""What work costs: counted from jaxprs, priced with the constants of a machine.

`work_of` counts what a jaxpr does, `Machine` holds what each kind of it costs here (`this_machine` reads what
`jaxsyn plan --calibrate` measured, or says why it takes the documented defaults). A new kind of work is a field of
`Work`, a constant of `Machine`, a term in `step_seconds`, and a measurement in `jaxsyn.plan`.
"""

from ._machine import H200 as H200
from ._machine import Machine as Machine
from ._store import cache_file as cache_file
from ._store import save_machine as save_machine
from ._store import this_machine as this_machine
from ._time import Delivery as Delivery
from ._time import compiling as compiling
from ._time import exchange_seconds as exchange_seconds
from ._time import step_seconds as step_seconds
from ._work import Program as Program
from ._work import Work as Work
from ._work import tree_bytes as tree_bytes
from ._work import work_of as work_of
