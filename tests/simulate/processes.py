"""One of several processes that simulate a network together; started by test_devices.py with its number."""

import json
import sys

import jax

jax.config.update("jax_cpu_collectives_implementation", "gloo")


def main(number: int, count: int, port: int, folder: str) -> None:
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=count, process_id=number)
    import jaxsyn as js
    from tests.simulate.zoo import simple

    assert jax.process_count() == count
    assert jax.device_count() == 2 * count
    sharded = js.shard(simple(), jax.make_mesh((jax.device_count(),), ("devices",)))
    saver = js.checkpoint.Checkpoints(folder, every_ms=10.0)
    record = [js.record.Spikes(), js.record.State("a.V_mV", every_ms=5.0), js.record.Rate("a", 5.0)]
    sol = js.simulate(sharded, 20.0, record=record, checkpoint=saver)
    spikes, trace = sol.spikes["a"], sol.states["a.V_mV"]
    out = {"times": spikes.times_ms.tolist(), "neurons": spikes.neurons.tolist(), "V": trace.values.tolist()}
    print(json.dumps(out | {"rates": sol.reductions["rate a"].values.tolist(), "tick": int(sol.final_state.tick)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
