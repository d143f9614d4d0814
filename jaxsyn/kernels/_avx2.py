"""Vector instructions with AVX2 and FMA: four vectors of 8 neurons in a block, sixteen registers."""

from typing import ClassVar

from ._x86 import BINARY, BYTES_TO_WORDS, COMPARE, LANES, LOAD, MOVE, RAX, AbstractCode, Form, Memory, Place


class Avx2(AbstractCode):
    """VEX instructions of 256 bits."""

    vectors: ClassVar[int] = 4
    n_places: ClassVar[int] = 4

    def instruction(self, form: Form, reg: int, first: int, second: Place, imm: int = -1, *, wide: bool = True) -> None:
        table, prefix, opcode = form
        extended = second if isinstance(second, int) else 0
        self.raw(0xC4, (~reg >> 3 & 1) << 7 | 1 << 6 | (~extended >> 3 & 1) << 5 | table)
        self.raw((~first & 15) << 3 | int(wide) << 2 | prefix, opcode)
        self._operand(reg, second)
        if imm >= 0:
            self.raw(imm)

    def compare(self, name: str, to: int, first: int, second: Place) -> None:
        form, imm = COMPARE[name]
        self._each(form, to, first, second, imm)

    def select(self, to: int, mask: int, then: Place, otherwise: int) -> None:
        parts = zip(*(self._parts(p) for p in (to, otherwise, then)), self._registers(mask), strict=True)
        for register, other, chosen, where in parts:
            assert isinstance(register, int)
            assert isinstance(other, int)
            self.instruction((3, 1, 0x4A), register, other, chosen, where << 4)

    def load(self, to: int, source: Place) -> None:  # a uniform stands eight times in its table
        self._each(MOVE if isinstance(source, int) else LOAD, to, None, source)

    def load_truth(self, to: int, stream: int) -> None:
        self.address(stream)
        for register, part in zip(self._registers(to), self._parts(Memory(RAX, scale=1), 32), strict=True):
            self.instruction(BYTES_TO_WORDS, register, 0, part)
            self.instruction((1, 1, 0x72), 6, register, register, 31)  # vpslld: 1 to the highest bit
            self.instruction((1, 1, 0x72), 4, register, register, 31)  # vpsrad: to all bits

    def store_truth(self, place: int, stream: int, spare: int) -> None:
        self.address(stream)
        one = spare * self.vectors
        for register, part in zip(self._registers(place), self._parts(Memory(RAX, scale=1), 32), strict=True):
            self.instruction((3, 1, 0x39), register, 0, one, 1)  # upper half
            self.instruction((1, 1, 0x6B), one, register, one, wide=False)  # words
            self.instruction((1, 1, 0x63), one, one, one, wide=False)  # bytes
            self.instruction((2, 1, 0x1C), one, 0, one, wide=False)  # -1 to 1
            self.instruction((1, 1, 0xD6), one, 0, part, wide=False)

    def index(self, to: int) -> None:
        for part, register in enumerate(self._registers(to)):
            self.lea_index(8 * part)
            self.raw(0xC4, 0x61 | (~register >> 3 & 1) << 7, 0x79, 0x6E, 0xC0 | (register & 7) << 3)  # vmovd from eax
            self.instruction((2, 1, 0x58), register, 0, register)  # to all lanes
            self.instruction(BINARY["iadd"], register, register, LANES)

    def only_where(self, mask: int, inner: AbstractCode) -> None:
        for left, register in zip(reversed(range(self.vectors)), self._registers(mask), strict=True):
            self.instruction((2, 1, 0x17), register, 0, register)  # vptest
            self.raw(0x0F, 0x85)  # jnz into it
            self.int32(11 * left + 5)
        self.raw(0xE9)  # jmp behind it
        self.int32(len(inner.bytes))
        self.append(inner)
