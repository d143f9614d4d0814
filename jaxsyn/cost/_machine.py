"""The constants of a machine. All of them stand here, and nowhere else."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Machine:
    """What work costs on a machine: seconds and bytes.

    The defaults were measured on a server of 2025 (x86-64, 2 MiB of second-level cache a core) with native kernels
    and nothing else to do. `jaxsyn plan --calibrate` measures those of this machine.

    Args:
        name: What machine it is, or that these are the defaults.
        step_s: A step of the loop that does nothing.
        call_s: A call of a native kernel.
        scalar_s: An operation of XLA on a few numbers.
        operation_s: An operation of an elementwise program, for one neuron.
        element_s: An operation of XLA on one element of an array that a native kernel made.
        scatter_s: A scattered or gathered element, or an entry of a sparse product, in XLA.
        flop_s: An operation of a matrix product.
        cached_byte_s: A byte that an elementwise program reads or writes in the cache.
        memory_byte_s: The same in memory.
        cache_bytes: Size of the cache that belongs to a core.
        emit_s: Looking whether one neuron spiked.
        slot_s: Looking up one delay of one projection.
        row_s: Looking up the synapses of one spike at one delay, in the cache.
        far_row_s: The same in memory.
        event_s: Delivering a synaptic event where synapses and targets are in the cache.
        cold_event_s: The same with synapses in memory.
        far_event_s: The same with synapses and targets in memory.
        compile_s: Compiling a run, the fixed part.
        equation_s: Compiling an equation of its jaxpr.
        stored_s: Compiling an operation of an elementwise program.
        sums_s: Compiling cumulative sums, however many.
        edge_s: Drawing a synapse (rules without chance: writing it).
        sort_s: Sorting a synapse by its delay.
        value_s: Drawing a weight or a delay.
        floor_bytes: Memory of the interpreter with JAX, before anything is compiled.
        compile_bytes: Memory that compiling takes and keeps, the fixed part.
        equation_bytes: The same for an equation of the jaxpr.
        stored_bytes: The same for an operation of an elementwise program.
        sums_bytes: The same for cumulative sums.
        part_bytes: Memory that building a population, projection or stimulus compiles, beside its arrays.
        part_s: Time of the same.
        thread_gain: What one more thread adds to the speed of the first, for work that threads share.
        exchange_s: A round of exchange between devices, without what is sent.
        sent_byte_s: A byte sent between devices.
    Example:
        >>> Machine().event_s < Machine().far_event_s
        True
    """

    name: str = "default constants, of a server of 2025"
    step_s: float = 0.04e-6
    call_s: float = 0.11e-6
    scalar_s: float = 0.05e-6
    operation_s: float = 0.02e-9
    element_s: float = 0.1e-9
    scatter_s: float = 0.7e-9
    flop_s: float = 0.014e-9
    cached_byte_s: float = 0.0125e-9
    memory_byte_s: float = 0.03e-9
    cache_bytes: float = 2.0 * 2**20
    emit_s: float = 0.02e-9
    slot_s: float = 5.0e-9
    row_s: float = 4.5e-9
    far_row_s: float = 17.0e-9
    event_s: float = 0.37e-9
    cold_event_s: float = 0.4e-9
    far_event_s: float = 3.5e-9
    compile_s: float = 0.27
    equation_s: float = 1.0e-3
    stored_s: float = 0.6e-3
    sums_s: float = 0.3
    edge_s: float = 15.0e-9
    sort_s: float = 20.0e-9
    value_s: float = 14.0e-9
    floor_bytes: float = 230e6
    compile_bytes: float = 56e6
    equation_bytes: float = 0.07e6
    stored_bytes: float = 0.02e6
    sums_bytes: float = 60e6
    part_bytes: float = 2.4e6
    part_s: float = 0.035
    thread_gain: float = 0.6
    exchange_s: float = 20.0e-6
    sent_byte_s: float = 3.3e-12


# Published bandwidths and assumed rates of atomic additions: not measured with jaxsyn.
H200 = Machine(
    name="H200: assumed, not measured",
    step_s=1.0e-6,
    call_s=2.5e-6,
    scalar_s=1.0e-6,
    operation_s=1.0e-13,
    element_s=2.0e-12,
    scatter_s=2.0e-11,
    flop_s=1.5e-14,
    cached_byte_s=1.0 / 4.3e12,
    memory_byte_s=1.0 / 4.3e12,
    cache_bytes=60.0 * 2**20,
    emit_s=1.0 / 4.3e12,
    slot_s=0.0,
    row_s=1.0e-11,
    far_row_s=1.0e-11,
    event_s=2.0e-11,
    cold_event_s=2.0e-11,
    far_event_s=5.0e-11,
    floor_bytes=1.0e9,
    exchange_s=20.0e-6,
    sent_byte_s=1.0 / 300e9,
)
