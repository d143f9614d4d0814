"""Reference data of other simulators and of high-precision solvers against jaxsyn, file by file.

`python -m benchmarks oracles DIR [--json] [--only NAME ...]` looks into DIR and DIR/science. A file is known by its
name; nothing is tied to the cases in it. One line a file: `pass|fail NAME cases_passed/cases worst_error tolerance`,
where the worst figure is the one that comes closest to (or farthest beyond) its own tolerance; files of unknown names
are listed. Everything is computed with the public functions of jaxsyn, in float64 unless a tolerance says float32.

To add a family of files: a module here with `check(document, precision) -> iterable of Case`, named in `FAMILIES`;
`PRECISIONS` in it names what it runs in (default: float64 alone), `XLA_FLAGS` what its own process is started with.
"""

import argparse

FAMILIES = {
    "psp_traces": "_psp",
    "stp": "_short_term",
    "detnet_exp_grid": "_grid_network",
    "lif_rates": "_lif_rates",
    "adex_patterns": "_adex",
    "adex_fi": "_adex_fi",
    "adex_synapses": "_adex_synapses",
    "hh_spikes": "_hodgkin_huxley",
    "izhikevich_patterns": "_izhikevich",
    "izhikevich_network": "_izhikevich_network",
    "bptt_gradients": "_bptt",
    "spike_metrics": "_spike_metrics",
    "conversion_cases": "_conversion",
    "ttfs_cases": "_first_spike",
    "stimuli_stats": "_random",
    "vogels_abbott_nest": "_networks",
    "vogels_abbott_brian2": "_networks",
    "brunel_small": "_networks",
    "brunel_full": "_networks",
    "pd14_scaled": "_microcircuit",
    "encoders": "_encoders",
    "eprop": "_eprop",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `oracles`."""
    parser.add_argument("directory", metavar="DIR", help="directory with reference files, and perhaps science/ in it")
    parser.add_argument("--json", action="store_true", help="one JSON object a file")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only files of these names")
    parser.add_argument("--cases", action="store_true", help="also one line for each case")


def main(arguments: argparse.Namespace) -> int:
    """Compare every file; 0 if all known files pass, 1 if one fails or there is none."""
    from ._run import run

    return run(arguments)
