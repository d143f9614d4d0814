"""conversion_cases: counts and logits of the exact mode, spikes and logits of integrate-and-fire, of any listed net."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, count, difference

PRECISIONS = ("float64", "float32")
Listed = dict[str, Any]
_CLOSE = 1e-5  # at T = L the logits are those of the quantized ANN


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every case of a document; layers, inputs, T and activation paths are read from it."""
    for case in document["cases"]:
        yield from attempt([case["name"]], functools.partial(_case, case, document["tolerance"], precision))


def _case(case: Listed, tolerance: Listed, precision: str) -> list[Case]:
    x = np.asarray(case["inputs"], float)
    ann = js.convert.read_layers(case["layers"], tuple(case["input_shape"]))
    limits = functools.partial(_limit, tolerance, precision)
    listed = case["ann"]["logits"]
    figures = [difference("ANN logits", js.convert.predict(ann, x), listed, limits(listed))]
    for T, exact in case["exact"].items():
        snn = js.convert.convert(ann, x, "exact", n_steps=int(T))
        if list(snn.paths) != case["activation_paths"]:
            return [Case(case["name"], [Figure(f"paths {snn.paths}", np.inf, 0.0)])]
        figures += _exact(snn, x, exact, (T, limits(exact["logits"]), tolerance["counts_abs"]))
        if {node.op.levels for node in (ann.nodes[i] for i in ann.activations)} == {int(T)}:
            figures += _same_answers(snn, x, listed)
    if case["if"] is not None:
        snn = js.convert.convert(ann, x, "rate", n_steps=max(map(int, case["if"]["logits"])))
        figures += _stepped(snn, x, case["if"], limits, tolerance["spikes_abs"])
    return [Case(case["name"], figures)]


def _limit(tolerance: Listed, precision: str, logits: Any) -> float:
    if precision == "float64":
        return float(tolerance["logits_abs"])
    return float(tolerance["logits_float32_rel"] * np.abs(np.asarray(logits, float)).max())


def _exact(snn: js.convert.Converted, x: Any, listed: Listed, setting: tuple[str, float, float]) -> Iterator[Figure]:
    T, limit, counts_abs = setting
    done = js.convert.observe(snn, x)
    for path, want in zip(snn.paths, listed["counts"], strict=True):
        yield difference(f"T {T} counts of {path}", done.counts[path], want, counts_abs)
    yield difference(f"T {T} exact logits", done.logits, listed["logits"], limit)


def _same_answers(snn: js.convert.Converted, x: Any, listed: Any) -> Iterator[Figure]:
    own, want = js.convert.predict(snn, x), np.asarray(listed, float)
    yield difference("logits at T = L", own, want, _CLOSE)
    yield count("predictions at T = L that differ", int((own.argmax(1) != want.argmax(1)).sum()), 0)


def _stepped(snn: js.convert.Converted, x: Any, listed: Listed, limits: Any, spikes_abs: float) -> Iterator[Figure]:
    trains, logits = js.convert.each(snn, _trains, x)
    for path, want in zip(snn.paths, listed["spikes"], strict=True):
        digits = [[[int(c) for c in step] for step in sample] for sample in want]
        yield difference(f"spikes of {path}", trains[path][:, : len(digits[0])], digits, spikes_abs)
    for T, want in listed["logits"].items():
        yield difference(f"T {T} logits", logits[:, int(T) - 1], want, limits(want))


def _trains(snn: js.convert.Converted, x: Any) -> Any:
    return snn.spikes(x), snn.potentials(x)
