"""What a processor must offer for elementwise programs, and what x86-64 writes alike for all its vector instructions.

Neurons are taken in blocks of 32; each operation is written once for each vector of a block, so that the processor has
independent work while one result is on its way. A *place* is as many registers as hold a block.
"""

import abc
import struct
from typing import ClassVar, NamedTuple

BLOCK = 32
RAX, RCX, RSP, RSI = 0, 1, 4, 6


class Memory(NamedTuple):
    """An operand in memory: base + displacement + scale * rcx; a uniform, one number for all, or a block."""

    base: int
    displacement: int = 0
    scale: int = 0
    uniform: bool = False


LANES = Memory(RSI, -64)  # 0, 1, ... in front of the uniforms

Place = int | Memory
Form = tuple[int, int, int]  # opcode map (1 = 0F, 2 = 0F38, 3 = 0F3A), prefix (0 none, 1 = 66, 2 = F3), opcode

BINARY: dict[str, Form] = {
    "add": (1, 0, 0x58), "mul": (1, 0, 0x59), "sub": (1, 0, 0x5C), "div": (1, 0, 0x5E),
    "first_min": (1, 0, 0x5D), "first_max": (1, 0, 0x5F),
    "and": (1, 1, 0xDB), "or": (1, 1, 0xEB), "xor": (1, 1, 0xEF),
    "iadd": (1, 1, 0xFE), "isub": (1, 1, 0xFA), "imul": (2, 1, 0x40),
    "imin": (2, 1, 0x39), "imax": (2, 1, 0x3D), "umin": (2, 1, 0x3B), "umax": (2, 1, 0x3F),
    "shl": (2, 1, 0x47), "shr": (2, 1, 0x45), "sar": (2, 1, 0x46),
    # a := b a + c, c := a b + c, and with the product subtracted, with one rounding
    "fma_factor": (2, 1, 0xA8), "fma_addend": (2, 1, 0xB8), "fnma_factor": (2, 1, 0xAC), "fnma_addend": (2, 1, 0xBC),
}  # fmt: skip
UNARY: dict[str, Form] = {"sqrt": (1, 0, 0x51), "float_of_int": (1, 0, 0x5B), "int_of_float": (1, 1, 0x5B)}
COMPARE: dict[str, tuple[Form, int]] = {
    "eq": ((1, 0, 0xC2), 0x00), "lt": ((1, 0, 0xC2), 0x11), "le": ((1, 0, 0xC2), 0x12), "ne": ((1, 0, 0xC2), 0x04),
    "unordered": ((1, 0, 0xC2), 0x03), "ieq": ((1, 1, 0x76), -1), "igt": ((1, 1, 0x66), -1),
}  # fmt: skip
LOAD, STORE, MOVE = (1, 0, 0x10), (1, 0, 0x11), (1, 0, 0x28)
BYTES_TO_WORDS = (2, 1, 0x31)


class AbstractCode(abc.ABC):
    """Bytes of instructions; calls of routines are filled in at the end.

    Truth values are vectors of all ones or zeros; in memory, bytes 0 or 1.
    """

    vectors: ClassVar[int]  # in a block
    n_places: ClassVar[int]

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.calls: list[tuple[int, str]] = []

    @abc.abstractmethod
    def instruction(self, form: Form, reg: int, first: int, second: Place, imm: int = -1) -> None:
        """One vector instruction; here registers have their own numbers."""

    @abc.abstractmethod
    def compare(self, name: str, to: int, first: int, second: Place) -> None:
        """to := first name second, as truth values."""

    @abc.abstractmethod
    def select(self, to: int, mask: int, then: Place, otherwise: int) -> None:
        """to := then where the mask holds, otherwise what stands in `otherwise`."""

    @abc.abstractmethod
    def load(self, to: int, source: Place) -> None:
        """to := a place, a block in memory, or a uniform."""

    @abc.abstractmethod
    def load_truth(self, to: int, stream: int) -> None:
        """to := truth values from the bytes of an array."""

    @abc.abstractmethod
    def store_truth(self, place: int, stream: int, spare: int) -> None:
        """Truth values to the bytes of an array; `spare` is a free place."""

    @abc.abstractmethod
    def index(self, to: int) -> None:
        """to := index of each neuron, r8d + rcx + 0, 1, ..."""

    @abc.abstractmethod
    def only_where(self, mask: int, inner: "AbstractCode") -> None:
        """Write `inner`, jumped over where the mask holds for no neuron of the block."""

    def binary(self, name: str, to: int, first: int, second: Place) -> None:
        """to := first name second."""
        self._each(BINARY[name], to, first, second)

    def unary(self, name: str, to: int, source: Place) -> None:
        """to := name(source)."""
        self._each(UNARY[name], to, None, source)

    def store(self, place: int, to: Memory) -> None:
        """A block into memory."""
        self._each(STORE, place, None, to)

    def address(self, stream: int) -> None:
        """rax := address of an array."""
        self.raw(0x48, 0x8B, 0x87)
        self.int32(8 * stream)

    def lea_index(self, offset: int) -> None:
        """eax := r8d + rcx + offset."""
        self.raw(0x41, 0x8D, 0x44, 0x08, offset)

    def call(self, name: str) -> None:
        """Call a routine."""
        self.raw(0xE8)
        self.calls.append((len(self.bytes), name))
        self.int32(0)

    def append(self, other: "AbstractCode") -> None:
        """Instructions written elsewhere."""
        self.calls += [(len(self.bytes) + at, name) for at, name in other.calls]
        self.bytes += other.bytes

    def set_int32(self, at: int, value: int) -> None:
        """Fill in a number."""
        self.bytes[at : at + 4] = struct.pack("<i", value)

    def raw(self, *values: int) -> None:
        """Bytes as they are."""
        self.bytes += bytes(values)

    def int32(self, value: int) -> None:
        """A number."""
        self.bytes += struct.pack("<i", value)

    def _registers(self, place: int) -> range:
        return range(place * self.vectors, (place + 1) * self.vectors)

    def _parts(self, place: Place, bytes_of_block: int = 4 * BLOCK) -> list[Place]:
        """The vectors of an operand."""
        if isinstance(place, int):
            return list(self._registers(place))
        step = 0 if place.uniform else bytes_of_block // self.vectors
        return [place._replace(displacement=place.displacement + k * step) for k in range(self.vectors)]

    def _each(self, form: Form, to: int, first: int | None, second: Place, imm: int = -1) -> None:
        """An instruction for each vector of a block; without `first` it has one operand."""
        firsts = [0] * self.vectors if first is None else self._registers(first)
        for register, one, other in zip(self._registers(to), firsts, self._parts(second), strict=True):
            self.instruction(form, register, one, other, imm)

    def _operand(self, reg: int, second: Place) -> None:
        """The bytes that name a register and an operand, behind an opcode."""
        if isinstance(second, int):
            self.raw(0xC0 | (reg & 7) << 3 | second & 7)
            return
        self.raw(0x80 | (reg & 7) << 3 | (4 if second.scale else second.base))
        if second.scale:
            self.raw({1: 0, 4: 2}[second.scale] << 6 | RCX << 3 | second.base)
        elif second.base == RSP:
            self.raw(0x24)
        self.int32(second.displacement)
