"""Machine code for elementwise programs.

A value lives in a place of vector registers (`_x86.py`, `_avx2.py`, `_avx512.py`), or, when they run out, on the stack;
what is needed last is moved out first. Arguments of the code: rdi the table of array addresses, rsi the uniforms (eight
copies each, and 0 .. 15 in front of them), rdx the number of blocks, r8d the index of the first neuron. rcx counts
neurons. Elementary functions are routines that take and give the first place.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ._functions import FUNCTIONS
from ._schedule import Item, Operation, Store, Value
from ._x86 import BLOCK, COMPARE, RAX, RSI, RSP, UNARY, AbstractCode, Memory, Place

_UNIFORM_BYTES = 32
_SLOT_BYTES = 4 * BLOCK
_NEVER = 1 << 60

_COMMUTE = {"add", "mul", "and", "or", "xor", "iadd", "imul", "imin", "imax", "umin", "umax", "ieq", "eq", "ne"}
_FUSED = {"fma", "fnma"}


class Routine(NamedTuple):
    """A function of one argument, value 0, that the code calls: argument and result stand in the first place.

    Attributes:
        values: Its operations, in order.
        result: Number of the result.
    """

    values: Sequence[Value]
    result: int


class _Registers:
    """Which value stands where while the code is written.

    Positions are indices in the list of items; a value is dropped after its last use.
    """

    def __init__(
        self, code: AbstractCode, inputs: dict[int, tuple[int, bool]], uses: dict[int, list[int]], stack: int
    ) -> None:
        self.code, self.inputs, self.uses, self.stack = code, inputs, uses, stack
        self.holds: dict[int, int] = {}
        self.where: dict[int, int] = {}
        self.spilled: dict[int, int] = {}
        self.free_slots: list[int] = []
        self.emptied: list[int] = []  # slots that the present operation may still read
        self.n_slots = 0
        self.at = 0
        self.moved_out: list[tuple[int, int]] = []  # (register, slot) of values that a region moved out, if it is noted
        self.before_region: set[int] | None = None

    def slot(self, number: int) -> Memory:
        """A slot of the stack, which begins at `stack`."""
        return Memory(RSP, self.stack + _SLOT_BYTES * number)

    def clear(self) -> None:
        """Move everything out, as before a call."""
        for register in list(self.holds):
            self._move_out(register)

    def next_use(self, value: int) -> int:
        later = [p for p in self.uses[value] if p >= self.at]
        return later[0] if later else _NEVER

    def take(self, locked: Iterable[int]) -> int:
        """A free register."""
        for register in range(self.code.n_places):
            if register not in self.holds and register not in locked:
                return register
        candidates = [r for r in self.holds if r not in locked]
        register = max(candidates, key=lambda r: self.next_use(self.holds[r]))
        self._move_out(register)
        return register

    def _move_out(self, register: int) -> None:
        value = self.holds.pop(register)
        del self.where[value]
        if self.next_use(value) == _NEVER or value in self.spilled or value in self.inputs:
            return
        outer = self.before_region is not None and value in self.before_region
        if self.free_slots and not outer:
            slot = self.free_slots.pop()
        else:  # what is moved out before a jump must not meet what the region still reads
            slot, self.n_slots = self.n_slots, self.n_slots + 1
        self.spilled[value] = slot
        if outer:
            self.moved_out.append((register, slot))
        else:
            self.code.store(register, self.slot(slot))

    def put(self, value: int, register: int) -> None:
        self.holds[register], self.where[value] = value, register

    def register_of(self, value: int, locked: Iterable[int] = ()) -> int:
        """The register of a value, loaded if need be; a uniform (below zero) is loaded and not kept."""
        if value in self.where:
            return self.where[value]
        register = self.take(locked)
        if value < 0:
            self.code.load(register, uniform(value))
            return register
        if value in self.spilled:
            self.code.load(register, self.slot(self.spilled[value]))
        else:
            stream, truth = self.inputs[value]
            if truth:
                self.code.load_truth(register, stream)
            else:
                self.code.address(stream)
                self.code.load(register, Memory(RAX, scale=4))
        self.put(value, register)
        return register

    def operand(self, value: int, locked: Iterable[int] = ()) -> Place:
        """A value as second operand of an instruction: in its register or in memory."""
        if value < 0:
            return uniform(value)
        if value not in self.where and value in self.spilled:
            return self.slot(self.spilled[value])
        return self.register_of(value, locked)

    def release(self, values: Iterable[int]) -> None:
        """Forget values that are not used after the present position."""
        for value in values:
            if value >= 0 and not any(p > self.at for p in self.uses[value]):
                register = self.where.pop(value, None)
                if register is not None:
                    del self.holds[register]
                slot = self.spilled.pop(value, None)
                if slot is not None:
                    self.emptied.append(slot)


def uniform(number: int) -> Memory:
    """The k-th uniform, named ~k, in its table."""
    return Memory(RSI, _UNIFORM_BYTES * ~number, uniform=True)


def _operation(code: AbstractCode, registers: _Registers, name: str, numbers: Sequence[int], value: int) -> None:
    """One operation; its operands are released before its result takes a register, so that it may take theirs."""
    if name in _FUSED:
        _fused(code, registers, name, numbers, value)
        return
    if name in FUNCTIONS:
        argument = registers.operand(numbers[0])
        registers.release(numbers)
        registers.clear()
        if argument != 0:
            code.load(0, argument)
        code.call(name)
        registers.put(value, 0)
        return
    numbers = list(numbers)
    if name in _COMMUTE and numbers[0] not in registers.where and numbers[1] in registers.where:
        numbers.reverse()
    if name in UNARY:
        source = registers.operand(numbers[0])
        registers.release(numbers)
        target = registers.take(())
        code.unary(name, target, source)
    elif name == "select":  # mask, then, otherwise
        mask = registers.register_of(numbers[0])
        other = registers.register_of(numbers[2], [mask])
        then = registers.operand(numbers[1], [mask, other])
        registers.release(numbers)
        target = _target(registers, {mask, other, then})
        code.select(target, mask, then, other)
    else:
        left = registers.register_of(numbers[0])
        right = registers.operand(numbers[1], [left])
        registers.release(numbers)
        target = _target(registers, {left, right})
        (code.compare if name in COMPARE else code.binary)(name, target, left, right)
    registers.put(value, target)


def _target(registers: _Registers, operands: set[Place]) -> int:
    """A register for a result: that of an operand whose value is gone, for instructions read before they write."""
    held = [place for place in operands if isinstance(place, int)]
    spare = [register for register in held if register not in registers.holds]
    return min(spare) if spare else registers.take(held)


def _fused(code: AbstractCode, registers: _Registers, name: str, numbers: Sequence[int], value: int) -> None:
    """c + a b or c - a b, in the register of a factor or of the addend, whichever is not needed any more."""
    a, b, c = numbers

    def dies(n: int) -> bool:
        return n >= 0 and not any(p > registers.at for p in registers.uses[n])

    if dies(b) and not dies(a):
        a, b = b, a
    if a < 0 <= b:
        a, b = b, a
    first = registers.register_of(a)
    if dies(c) and not dies(a) and c not in (a, b):
        target = registers.register_of(c, [first])
        right = registers.operand(b, [first, target])
        code.binary(f"{name}_addend", target, first, right)
        registers.release(numbers)
    else:
        second = registers.register_of(b, [first])
        addend = registers.operand(c, [first, second])
        locked = [first, second, *([addend] if isinstance(addend, int) else [])]
        if a < 0 or (dies(a) and a not in (b, c)):
            target = first
        else:
            target = registers.take(locked)
            code.load(target, first)
        code.binary(f"{name}_factor", target, second, addend)
        registers.release(numbers)
    stale = registers.holds.pop(target, None)
    if stale is not None:
        registers.where.pop(stale, None)
    registers.put(value, target)


def _store(code: AbstractCode, registers: _Registers, item: Store) -> None:
    register = registers.register_of(item.value)
    if item.truth:
        code.store_truth(register, item.stream, registers.take([register]))
    else:
        code.address(item.stream)
        code.store(register, Memory(RAX, scale=4))
    registers.release([item.value])


def _write(items: Sequence[Item], registers: _Registers) -> None:
    """Instructions of one block."""
    position = 0
    for item in items:
        registers.at = position
        if isinstance(item, Operation) and item.region:
            _region(registers.code, registers, item)
            position += 1 + len(item.region)
        else:
            _one(registers.code, registers, item)
            position += 1


def _uses(items: Sequence[Item], last: Sequence[int] = ()) -> dict[int, list[int]]:
    """Positions where each value is read; those in `last` also at the end."""
    flat: list[Item] = []
    for item in items:
        flat += [item, *item.region]
    uses: dict[int, list[int]] = {}
    for position, item in enumerate(flat):
        for value in item.reads():
            uses.setdefault(value, []).append(position)
        if item.value >= 0:
            uses.setdefault(item.value, [])
    for value in last:
        uses[value].append(len(flat))
    return uses


def _routine(code: AbstractCode, routine: Routine) -> int:
    """Write a routine; gives the number of slots that it uses, behind the address that the call pushed."""
    items = [Operation(v.op, n, v.operands) for n, v in enumerate(routine.values) if v.op != "operand"]
    registers = _Registers(code, {}, _uses(items, [routine.result]), 8)
    registers.put(0, 0)
    _write(items, registers)
    where = registers.operand(routine.result)
    if where != 0:
        code.load(0, where)
    code.raw(0xC3)  # ret
    return registers.n_slots


def _one(code: AbstractCode, registers: _Registers, item: Item) -> None:
    registers.free_slots += registers.emptied
    registers.emptied.clear()
    if isinstance(item, Store):
        _store(code, registers, item)
    elif item.op == "index":
        target = registers.take(())
        code.index(target)
        registers.put(item.value, target)
    else:
        _operation(code, registers, item.op, item.operands, item.value)
    if item.value >= 0 and not registers.uses[item.value]:
        registers.release([item.value])


def _region(code: AbstractCode, registers: _Registers, item: Operation) -> None:
    """Operations that are skipped where their mask holds for no neuron of the block.

    Both ways must find the same values in the same places behind it: what the region moves out of a register is moved
    out before the jump, and what it loads is forgotten.
    """
    mask = registers.register_of(item.operands[0])
    inner = type(code)()
    before = dict(registers.where)
    registers.code, registers.before_region, registers.moved_out = inner, set(before), []
    for one in item.region:
        registers.at += 1
        _one(inner, registers, one)
    registers.code, registers.before_region = code, None
    for register, slot in registers.moved_out:
        code.store(register, registers.slot(slot))
    made = {one.value for one in item.region}
    for value, register in list(registers.where.items()):
        if value not in made and before.get(value) != register:
            del registers.where[value], registers.holds[register]
    code.only_where(mask, inner)


def machine_code(
    code: AbstractCode, items: Sequence[Item], inputs: dict[int, tuple[int, bool]], routines: dict[str, Routine]
) -> bytes:
    """The function that runs a program.

    Args:
        code: Empty code of an instruction set.
        items: What to do, in order.
        inputs: Array and whether it holds truth values, by the number of the value that it gives.
        routines: The functions that it calls.
    """
    code.raw(0xE9, 0, 0, 0, 0)  # jmp behind the routines
    begins, slots = {}, 0
    for name, one in routines.items():
        begins[name] = len(code.bytes)
        slots = max(slots, _routine(code, one))
    code.set_int32(1, len(code.bytes) - 5)
    code.raw(0x55, 0x48, 0x89, 0xE5)  # push rbp; mov rbp, rsp
    code.raw(0x48, 0x83, 0xE4, 0xC0)  # and rsp, -64
    code.raw(0x48, 0x81, 0xEC)  # sub rsp, frame
    frame = len(code.bytes)
    code.int32(0)
    code.raw(0x31, 0xC9)  # xor ecx, ecx
    start = len(code.bytes)
    registers = _Registers(code, inputs, _uses(items), _SLOT_BYTES * slots)
    _write(items, registers)
    code.set_int32(frame, _SLOT_BYTES * (slots + registers.n_slots))
    for at, name in code.calls:
        code.set_int32(at, begins[name] - at - 4)
    code.raw(0x48, 0x83, 0xC1, BLOCK)  # add rcx, BLOCK
    code.raw(0x48, 0xFF, 0xCA)  # dec rdx
    code.raw(0x0F, 0x85)  # jnz start
    code.int32(start - len(code.bytes) - 4)
    code.raw(0x48, 0x89, 0xEC, 0x5D)  # mov rsp, rbp; pop rbp
    code.raw(0xC5, 0xF8, 0x77, 0xC3)  # vzeroupper; ret
    code.raw(*[0x90] * (-len(code.bytes) % 4))
    return bytes(code.bytes)
