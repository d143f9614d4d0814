"""The tasks of `speed` in NEST, in a Python without jaxsyn; prints one JSON line.

Models of its own: conductance-based and AdEx cells have an adaptive solver, and the shortest delay is one step. Units
are those of `../speed/_tasks.py`: a leak of 10 nS where a cell has none.
"""

import common

TASKS = ("cuba", "coba", "brunel", "adex", "pd14")
a = common.arguments(TASKS)
common.pin(a.threads)

import nest  # noqa: E402
import numpy as np  # noqa: E402


def vogels_abbott(model, parameters, n, weights, draw_V):
    """Cells of one model, every pair connected with the probability that gives 80 inputs a cell."""
    cells = nest.Create(model, n, parameters | {"C_m": 200.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0})
    cells.V_m = draw_V(n)
    n_exc = common.split(n)[0]
    rule = {"rule": "pairwise_bernoulli", "p": min(1.0, 80.0 / n)}
    for sources, weight in ((cells[:n_exc], weights[0]), (cells[n_exc:], weights[1])):
        nest.Connect(sources, cells, rule, {"weight": weight, "delay": common.DT_MS})
    return cells


def cuba(n, draw):
    parameters = {"tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "E_L": -49.0}
    return vogels_abbott("iaf_psc_exp", parameters, n, (16.2, -90.0), lambda n: draw.uniform(-60.0, -50.0, n))


def coba(n, draw):
    parameters = {"g_L": 10.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "E_L": -60.0, "E_ex": 0.0, "E_in": -80.0}
    parameters["I_e"] = 200.0
    return vogels_abbott("iaf_cond_exp", parameters, n, (6.0, -67.0), lambda n: draw.normal(-55.0, 2.0, n))


def brunel(n, draw):
    parameters = {"C_m": 1.0, "tau_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": 10.0, "t_ref": 2.0}
    cells = nest.Create("iaf_psc_delta", n, parameters)
    cells.V_m = draw.uniform(0.0, 20.0, n)
    n_exc, n_inh = common.split(n)
    for name, weight in (("exc", 0.1), ("inh", -0.5)):
        nest.CopyModel("static_synapse_hom_w", name, {"weight": weight, "delay": 1.5})
    external = nest.Create("poisson_generator", params={"rate": 20_000.0})
    nest.Connect(external, cells, syn_spec="exc")
    nest.Connect(cells[:n_exc], cells, {"rule": "fixed_indegree", "indegree": min(1000, n_exc)}, "exc")
    nest.Connect(cells[n_exc:], cells, {"rule": "fixed_indegree", "indegree": min(250, n_inh)}, "inh")
    return cells


def adex(n, draw):
    parameters = {"C_m": 281.0, "g_L": 30.0, "E_L": -70.6, "V_th": -50.4, "Delta_T": 2.0, "V_peak": -40.4}
    parameters |= {"tau_w": 144.0, "a": 4.0, "b": 80.5, "V_reset": -70.6, "t_ref": 0.0}
    cells = nest.Create("aeif_cond_exp", n, parameters)
    cells.V_m = draw.uniform(-70.6, -50.4, n)
    cells.I_e = draw.uniform(600.0, 1000.0, n)
    return cells


# Potjans and Diesmann (2014): L23E L23I L4E L4I L5E L5I L6E L6I; rows of P are targets
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
P = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
RATES_HZ = np.array([0.943, 3.026, 4.368, 5.882, 7.733, 8.664, 1.096, 7.851])
START_MV = (
    *((-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94)),
    *((-63.11, 4.94), (-61.66, 4.55), (-66.72, 5.46), (-61.43, 4.48)),
)
W_PA = 87.8085  # peak of the potential 0.15 mV


def pd14(percent, draw):
    """Neurons and inputs scaled alike; what the mean input loses is given as a current."""
    scale = percent / 100.0
    sizes = np.round(SIZES * scale).astype(int)
    parameters = {"C_m": 250.0, "tau_m": 10.0, "tau_syn_ex": 0.5, "tau_syn_in": 0.5, "E_L": -65.0}
    parameters |= {"V_reset": -65.0, "V_th": -50.0, "t_ref": 2.0}
    cells = nest.Create("iaf_psc_exp", int(sizes.sum()), parameters)
    ends = np.cumsum(sizes)
    layers = [cells[int(end - size) : int(end)] for end, size in zip(ends, sizes, strict=True)]
    numbers = np.log1p(-P) / np.log1p(-1.0 / np.outer(SIZES, SIZES))
    weights = np.where(np.arange(8) % 2, -4.0, 1.0)[None, :] * np.full((8, 1), W_PA)
    weights[0, 2] *= 2.0
    lost = (weights * numbers / SIZES[:, None]) @ RATES_HZ + W_PA * EXTERNAL * 8.0
    for kind in ("exc", "inh"):  # one synapse model holds 2^27 connections of a thread
        nest.CopyModel("static_synapse", kind)
    for t, target in enumerate(layers):
        target.V_m = draw.normal(*START_MV[t], sizes[t])
        target.I_e = float((1.0 - np.sqrt(scale)) * lost[t] * 0.5e-3)
        external = nest.Create("poisson_generator", params={"rate": float(np.round(EXTERNAL[t] * scale)) * 8.0})
        nest.Connect(external, target, syn_spec={"weight": W_PA / np.sqrt(scale), "delay": common.DT_MS})
        for s, source in enumerate(layers):
            count = round(numbers[t, s] * scale * scale)
            if count:
                connect(source, target, count, weights[t, s] / np.sqrt(scale), (1.5, 0.75)[s % 2])
    return cells


def connect(source, target, count, weight, delay):
    """A fixed total number of synapses with normal weights and delays."""
    bounds = {"min": 0.0} if weight > 0 else {"max": 0.0}
    bounds = {"min": -1e9, "max": 1e9} | bounds
    synapse = {"synapse_model": "exc" if weight > 0 else "inh"}
    synapse["weight"] = nest.math.redraw(nest.random.normal(weight, 0.1 * abs(weight)), **bounds)
    synapse["delay"] = nest.math.redraw(nest.random.normal(delay, 0.5 * delay), min=0.5 * common.DT_MS, max=1e9)
    nest.Connect(source, target, {"rule": "fixed_total_number", "N": count}, synapse)


BUILDERS = {"cuba": (cuba, 4000), "coba": (coba, 4000), "brunel": (brunel, 12500), "adex": (adex, 10000)}
BUILDERS["pd14"] = (pd14, 10)


def main():
    build, n = BUILDERS[a.task]
    seconds, rates, building = [], [], []
    for repeat in range(a.repeats):  # a network of its own for each
        nest.ResetKernel()
        nest.set(resolution=common.DT_MS, local_num_threads=a.threads, rng_seed=a.seed + repeat)
        with common.Watch() as built:
            cells = build(a.n or n, np.random.default_rng(a.seed + repeat))
            nest.Prepare()
        before = nest.local_spike_counter
        with common.Watch() as watch:
            nest.Run(a.bio * 1000.0)
        rates.append((nest.local_spike_counter - before) / len(cells) / a.bio)
        nest.Cleanup()
        building.append(built.s)
        seconds.append(watch.s / a.bio)
    sizes = (len(cells), nest.num_connections, a.threads)
    common.show(a.task, sizes, (0.0, min(building)), seconds, rates, f"NEST {nest.__version__}")


if __name__ == "__main__":
    main()
