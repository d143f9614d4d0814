"""What a finished batch of lanes leaves: named arrays, without pickle; the summaries of lanes as arrays and back."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..simulate import Solution, Trace

Arrays = dict[str, np.ndarray[Any, Any]]
DONE = "done"


def pack(solutions: Sequence[Solution], summaries: Sequence[Any], keep: bool) -> Arrays:
    """Arrays of a batch: results of all lanes, and what the lanes that were finished recorded, one after the other."""
    out: Arrays = {"results": np.asarray([s.result for s in solutions], np.str_)}
    good = [s for s in solutions if s.result == DONE]
    if good and keep:
        out |= _records(good)
    if good and summaries:
        out |= _summaries(summaries)
    return out


def _records(good: Sequence[Solution]) -> Arrays:
    out: Arrays = {}
    for population in good[0].spikes:
        trains = [s.spikes[population] for s in good]
        out[f"spikes/{population}/times_ms"] = np.concatenate([t.times_ms for t in trains])
        out[f"spikes/{population}/neurons"] = np.concatenate([t.neurons for t in trains]).astype(np.int32)
        out[f"spikes/{population}/ends"] = np.cumsum([len(t) for t in trains])
    for kind in ("states", "reductions"):
        for name, first in getattr(good[0], kind).items():
            found = [getattr(s, kind)[name] for s in good]
            if not isinstance(first, Trace):
                out[f"{kind}/{name}/values"] = np.stack(found)
                continue
            out[f"{kind}/{name}/values"] = np.stack([np.asarray(trace.values) for trace in found])
            out[f"{kind}/{name}/times_ms"] = first.times_ms
            out[f"{kind}/{name}/unit"] = np.asarray(first.unit)
            if first.index is not None:
                out[f"{kind}/{name}/index"] = np.asarray(first.index, np.int64)
    return out


def _summaries(summaries: Sequence[Any]) -> Arrays:
    forms, rows = zip(*(_flatten(s) for s in summaries), strict=True)
    for form, row in zip(forms, rows, strict=True):
        if form != forms[0] or [(x.shape, x.dtype) for x in row] != [(x.shape, x.dtype) for x in rows[0]]:
            shown = [f"{form}, {[f'{x.dtype}{list(x.shape)}' for x in row]}" for form, row in
                     ((forms[0], rows[0]), (form, row))]  # fmt: skip
            raise ValueError(
                f"sweep.summary: gave {shown[0]} for one lane and {shown[1]} for another; allowed: one form"
            )
    out = {f"summary/{k}": np.stack([row[k] for row in rows]) for k in range(len(rows[0]))}
    return {"summary": np.asarray(json.dumps(forms[0])), **out}


def _flatten(tree: Any) -> tuple[Any, list[np.ndarray[Any, Any]]]:
    """The containers of a tree as what JSON can hold, with its numbers as arrays in place of which counts stand."""
    leaves: list[np.ndarray[Any, Any]] = []

    def form(part: Any) -> Any:
        if part is None:
            return None
        if type(part) is dict and all(isinstance(k, str) for k in part):
            return {"dict": [[k, form(v)] for k, v in part.items()]}
        if type(part) in (list, tuple):
            return {type(part).__name__: [form(v) for v in part]}
        try:
            array = np.asarray(part)
        except (TypeError, ValueError):
            array = np.asarray(None)
        if array.dtype.kind not in "biufc":
            raise ValueError(
                f"sweep.summary: gave {type(part).__name__}; allowed: numbers and arrays, in dicts with text keys, "
                "lists and tuples"
            )
        leaves.append(array)
        return len(leaves) - 1

    return form(tree), leaves


def unflatten(form: Any, leaves: Any) -> Any:
    """A tree from what `_flatten` gave; `leaves` maps a number to its array."""
    if form is None:
        return None
    if isinstance(form, int):
        return leaves(form)
    ((kind, parts),) = form.items()
    if kind == "dict":
        return {k: unflatten(v, leaves) for k, v in parts}
    inner = [unflatten(v, leaves) for v in parts]
    return tuple(inner) if kind == "tuple" else inner
