"""Vector instructions of x86-64 with AVX2 and FMA, as bytes.

Neurons are taken in blocks of 8 N, each operation N times in a row, so that the processor has independent work while
one result is on its way. So a *place* here is N of the sixteen vector registers, and an instruction is written N times.
"""

import struct
from typing import NamedTuple

N = 4
BLOCK = 8 * N
N_PLACES = 16 // N
RAX, RCX, RSP, RSI = 0, 1, 4, 6


class Memory(NamedTuple):
    """An operand in memory: base + displacement + scale * rcx; `step` bytes lie between the parts of a block."""

    base: int
    displacement: int = 0
    scale: int = 0
    step: int = 32

    def part(self, k: int) -> "Memory":
        """The k-th part."""
        return self._replace(displacement=self.displacement + k * self.step)


Place = int | Memory
Form = tuple[int, int, int]  # opcode map (1 = 0F, 2 = 0F38, 3 = 0F3A), prefix (0 none, 1 = 66), opcode


class Code:
    """Bytes of instructions; calls of routines are filled in at the end."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.calls: list[tuple[int, str]] = []

    def call(self, name: str) -> None:
        """Call a routine."""
        self.raw(0xE8)
        self.calls.append((len(self.bytes), name))
        self.int32(0)

    def append(self, other: "Code") -> None:
        """Instructions written elsewhere."""
        self.calls += [(len(self.bytes) + at, name) for at, name in other.calls]
        self.bytes += other.bytes

    def set_int32(self, at: int, value: int) -> None:
        """Fill in a number."""
        self.bytes[at : at + 4] = struct.pack("<i", value)

    def raw(self, *values: int) -> None:
        self.bytes += bytes(values)

    def int32(self, value: int) -> None:
        self.bytes += struct.pack("<i", value)

    def vector(self, form: Form, to: int, first: int, second: Place, *, mask: int | None = None, imm: int = -1) -> None:
        """One VEX instruction for each part of a block; `to` and `first` are places of registers."""
        for part in range(N):
            chosen = second * N + part if isinstance(second, int) else second.part(part)
            last = imm if mask is None else (mask * N + part) << 4
            self.instruction(form, to * N + part, first * N + part, chosen, last)

    def instruction(self, form: Form, reg: int, first: int, second: Place, imm: int = -1, *, wide: bool = True) -> None:
        """One VEX instruction; here registers have their own numbers."""
        table, prefix, opcode = form
        extended = second if isinstance(second, int) else 0
        self.raw(0xC4, (~reg >> 3 & 1) << 7 | 1 << 6 | (~extended >> 3 & 1) << 5 | table)
        self.raw((~first & 15) << 3 | int(wide) << 2 | prefix, opcode)
        if isinstance(second, int):
            self.raw(0xC0 | (reg & 7) << 3 | second & 7)
        else:
            self.raw(0x80 | (reg & 7) << 3 | (4 if second.scale else second.base))
            if second.scale:
                self.raw({1: 0, 4: 2}[second.scale] << 6 | RCX << 3 | second.base)
            elif second.base == RSP:
                self.raw(0x24)
            self.int32(second.displacement)
        if imm >= 0:
            self.raw(imm)

    def unary(self, form: Form, to: int, source: Place) -> None:
        """An instruction that has no first operand, for each part."""
        for part in range(N):
            self.instruction(
                form, to * N + part, 0, source * N + part if isinstance(source, int) else source.part(part)
            )

    def load(self, to: int, source: Place) -> None:
        self.unary((1, 0, 0x28 if isinstance(source, int) else 0x10), to, source)

    def store(self, place: int, to: Memory) -> None:
        self.unary((1, 0, 0x11), place, to)

    def address(self, stream: int) -> None:
        """rax := address of an array."""
        self.raw(0x48, 0x8B, 0x87)
        self.int32(8 * stream)
