"""In which order the operations of an elementwise program are done, and which are skipped."""

import collections
from collections.abc import Sequence
from typing import NamedTuple

_WORTH = 12  # operations that are worth a jump over them
_SLOW = {"div": 4, "sqrt": 4, "exp": 20, "log": 20, "log1p": 25, "expm1": 30, "tanh": 35, "logistic": 25}


class Value(NamedTuple):
    """A per-neuron value: operation and operands, each a value's number or, below zero, ~k for the k-th uniform."""

    op: str
    operands: tuple[int, ...]

    def reads(self) -> tuple[int, ...]:
        """Values that it is computed from; of a product (_stages.py) the second operand is its number."""
        if self.op == "operand":
            return ()
        return self.operands[:1] if self.op == "product" else tuple(n for n in self.operands if n >= 0)


class Operation(NamedTuple):
    """An operation, or (op "region") others that are done only where a mask holds for some neuron."""

    op: str
    value: int
    operands: tuple[int, ...]
    region: tuple["Operation", ...] = ()

    def reads(self) -> tuple[int, ...]:
        """Values that it reads."""
        return tuple(n for n in self.operands if n >= 0)

    def names(self) -> set[str]:
        """The operations that are in it."""
        return {self.op, *(one.op for one in self.region)}


class Store(NamedTuple):
    """A result written to its array; truth values as bytes."""

    value: int
    stream: int
    truth: bool
    region: tuple[Operation, ...] = ()

    def reads(self) -> tuple[int, ...]:
        """Values that it reads."""
        return (self.value,)

    def names(self) -> set[str]:
        """The operations that are in it."""
        return set()


Item = Operation | Store


def schedule(values: Sequence[Value], stores: Sequence[Store], replaced: dict[int, int]) -> list[Item]:
    """Everything in order, each result written as soon as the operand in its place is not read any more.

    Args:
        values: The program; those that no result needs are left out.
        stores: The results.
        replaced: Operand value whose array a result replaces, by the position of its store.
    """
    values = list(values)
    results = [store.value for store in stores]
    regions = _regions(values, results)
    region_of = {n: mask for mask, members in regions.items() for n in members}
    items: list[Operation] = []
    done: set[int] = set()

    def emit(target: int) -> None:
        stack = [target]
        while stack:
            n = stack[-1]
            if n < 0 or n in done or values[n].op == "operand":
                stack.pop()
                continue
            members = regions[region_of[n]] if n in region_of else [n]
            inside = set(members)
            wanted = [region_of[n]] if n in region_of else []
            wanted += [o for m in members for o in values[m].operands if o not in inside]
            missing = [o for o in wanted if o >= 0 and o not in done and values[o].op != "operand"]
            if missing:
                stack += missing[::-1]
                continue
            made = tuple(Operation(values[m].op, m, values[m].operands) for m in members)
            items.extend((Operation("region", -1, (region_of[n],), made),) if n in region_of else made)
            done.update(members)
            stack.pop()

    for n in needed_values(values, results):
        if n not in region_of:
            emit(n)
    return _with_stores(items, stores, replaced)


def needed_values(values: Sequence[Value], results: Sequence[int]) -> list[int]:
    """Numbers of the values that the results depend on, ascending."""
    wanted: set[int] = set()
    stack = list(results)
    while stack:
        n = stack.pop()
        if n >= 0 and n not in wanted:
            wanted.add(n)
            stack += values[n].reads()
    return sorted(wanted)


def fused(values: Sequence[Value], results: Sequence[int], sign: int) -> list[Value]:
    """The program with products that only a sum reads, and negatives that only a sum reads, as part of that sum.

    Args:
        values: The program.
        results: Numbers of the results.
        sign: The uniform that makes a number negative by an exclusive or.
    """
    values = list(values)
    order = needed_values(values, results)
    reads = collections.Counter([*results, *(o for n in order for o in values[n].reads())])

    def own(n: int, op: str) -> bool:
        return n >= 0 and reads[n] == 1 and values[n].op == op

    def joined(op: str, operands: tuple[int, ...]) -> Value | None:
        for other, term in (operands, operands[::-1])[: {"add": 2, "sub": 1}.get(op, 0)]:
            minus, x = op == "sub", term
            if own(x, "xor") and values[x].operands[1] == sign:
                minus, x = not minus, values[x].operands[0]
            if own(x, "mul"):
                return Value("fnma" if minus else "fma", (*values[x].operands, other))
            if x != term:
                return Value("sub" if minus else "add", (other, x))
        return None

    for n in order:
        while (value := joined(*values[n])) is not None:
            values[n] = value
    return values


def _with_stores(items: Sequence[Operation], stores: Sequence[Store], replaced: dict[int, int]) -> list[Item]:
    last: dict[int, int] = {}
    for position, item in enumerate(items):
        for one in (item, *item.region):
            last.update((n, position) for n in one.reads())
    made = {one.value: position for position, item in enumerate(items) for one in (item, *item.region)}
    after: dict[int, list[Store]] = {}
    for k, store in enumerate(stores):
        position = max(made.get(store.value, -1), last.get(replaced[k], -1) if k in replaced else -1)
        after.setdefault(position, []).append(store)
    out: list[Item] = list(after.get(-1, ()))
    for position, item in enumerate(items):
        out += [item, *after.get(position, ())]
    return out


def _regions(values: list[Value], results: Sequence[int]) -> dict[int, list[int]]:
    """For each mask worth it, the operations whose results are chosen by it and by nothing else.

    Masks in the order in which they are computed: a later one often asks for more of what an earlier one has.
    """
    order = needed_values(values, results)
    masks = {values[n].operands[0] for n in order if values[n].op == "select" and values[n].operands[0] >= 0}
    for mask in sorted(masks):
        _see_through(values, _only_where(values, results, mask, set()), mask)
    regions: dict[int, list[int]] = {}
    for mask in sorted(masks):
        members = _chosen(values, results, mask, regions)
        if _cost(values, members) >= _WORTH:
            regions[mask] = sorted(members)
    return regions


def _cost(values: Sequence[Value], members: set[int]) -> int:
    return sum(_SLOW.get(values[n].op, 1) for n in members)


def program_cost(values: Sequence[Value], results: Sequence[int]) -> tuple[int, int]:
    """Cost of what is done for each neuron, and of what is skipped for blocks in which no neuron needs it."""
    values = list(values)
    skipped = {n for members in _regions(values, results).values() for n in members}
    done = {n for n in needed_values(values, results) if values[n].op not in ("operand", "index")} - skipped
    return _cost(values, done), _cost(values, skipped)


def _only_where(values: Sequence[Value], results: Sequence[int], mask: int, fixed: set[int]) -> set[int]:
    """Operations whose results matter only where the mask holds; not those in `fixed`."""
    order = needed_values(values, results)
    users: dict[int, list[int]] = {}
    for n in order:
        for o in values[n].reads():
            users.setdefault(o, []).append(n)

    def only_then(user: int, n: int) -> bool:
        op, operands = values[user]
        return op == "select" and operands[0] == mask and operands[1] == n and operands[2] != n

    chosen: set[int] = set()
    for n in reversed(order):
        if n in results or n in fixed or values[n].op in ("operand", "index"):
            continue
        if all(user in chosen or only_then(user, n) for user in users.get(n, ())):
            chosen.add(n)
    return chosen


def _chosen(values: Sequence[Value], results: Sequence[int], mask: int, regions: dict[int, list[int]]) -> set[int]:
    """The same without what stands in other regions, and without what can only be done after the choice."""
    order = needed_values(values, results)
    fixed = {n for members in regions.values() for n in members}
    while True:
        chosen = _only_where(values, results, mask, fixed)
        later = _later(values, order, chosen, regions)
        waiting = {n for n in chosen if any(o in later for o in values[n].operands)}
        if mask in later:
            return set()
        if not waiting:
            return chosen
        fixed |= waiting


def _later(values: Sequence[Value], order: Sequence[int], chosen: set[int], regions: dict[int, list[int]]) -> set[int]:
    """What has to wait for a region, because it needs it or stands in a region that does: nothing the region needs."""
    later: set[int] = set()
    while True:
        before = len(later)
        for n in order:
            if n not in chosen and any(o in chosen or o in later for o in values[n].reads()):
                later.add(n)
        for mask, members in regions.items():
            if mask in later or not later.isdisjoint(members):
                later.update(members)
        if len(later) == before:
            return later


def _see_through(values: list[Value], chosen: set[int], mask: int) -> None:
    """Where the mask holds, a choice by it is its first alternative."""
    for n in chosen:
        op, operands = values[n]
        values[n] = Value(op, tuple(_alternative(values, o, mask) for o in operands))


def _alternative(values: Sequence[Value], n: int, mask: int) -> int:
    while n >= 0 and values[n].op == "select" and values[n].operands[0] == mask:
        n = values[n].operands[1]
    return n
