"""Vector instructions with AVX-512 (F, DQ): two vectors of 16 neurons in a block, 32 registers.

A uniform is read as one number and broadcast by the instruction that uses it.
"""

from typing import ClassVar

from ._x86 import BINARY, BYTES_TO_WORDS, COMPARE, LANES, LOAD, MOVE, RAX, AbstractCode, Form, Memory, Place

_BROADCAST = (2, 1, 0x18)
_TERNARY = (3, 1, 0x25)


class Avx512(AbstractCode):
    """EVEX instructions of 512 bits; comparisons go through the mask registers k1, k2."""

    vectors: ClassVar[int] = 2
    n_places: ClassVar[int] = 16

    def instruction(self, form: Form, reg: int, first: int, second: Place, imm: int = -1) -> None:
        table, prefix, opcode = form
        extended = second if isinstance(second, int) else 0
        repeated = not isinstance(second, int) and second.uniform and form != _BROADCAST
        high = (~reg >> 3 & 1) << 7 | (~extended >> 4 & 1) << 6 | (~extended >> 3 & 1) << 5 | (~reg >> 4 & 1) << 4
        self.raw(0x62, high | table, (~first & 15) << 3 | 1 << 2 | prefix)
        self.raw(2 << 5 | int(repeated) << 4 | (~first >> 4 & 1) << 3, opcode)
        self._operand(reg, second)
        if imm >= 0:
            self.raw(imm)

    def compare(self, name: str, to: int, first: int, second: Place) -> None:
        form, imm = COMPARE[name]
        masks = range(1, 1 + self.vectors)
        for k, one, other in zip(masks, self._registers(first), self._parts(second), strict=True):
            self.instruction(form, k, one, other, imm)
        self._spread(to)

    def select(self, to: int, mask: int, then: Place, otherwise: int) -> None:
        # A bitwise function of the target and two more, given by its table of values.
        if to == otherwise:
            self._each(_TERNARY, to, mask, then, 0xB8)
        elif to == then:
            self._each(_TERNARY, to, mask, otherwise, 0xE2)
        else:
            if to != mask:
                self.load(to, mask)
            self._each(_TERNARY, to, otherwise, then, 0xAC)

    def load(self, to: int, source: Place) -> None:
        if isinstance(source, int):
            self._each(MOVE, to, None, source)
        else:
            self._each(_BROADCAST if source.uniform else LOAD, to, None, source)

    def load_truth(self, to: int, stream: int) -> None:
        self.address(stream)
        for register, part in zip(self._registers(to), self._parts(Memory(RAX, scale=1), 32), strict=True):
            self.instruction(BYTES_TO_WORDS, register, 0, part)
        self._test(to)
        self._spread(to)

    def store_truth(self, place: int, stream: int, spare: int) -> None:
        self.address(stream)
        ones, parts = self._registers(spare), self._parts(Memory(RAX, scale=1), 32)
        for register, one, part in zip(self._registers(place), ones, parts, strict=True):
            self.instruction((1, 1, 0x72), 2, one, register, 31)  # vpsrld: all ones to 1
            self.instruction((2, 2, 0x31), one, 0, part)  # vpmovdb

    def index(self, to: int) -> None:
        for part, register in enumerate(self._registers(to)):
            self.lea_index(16 * part)
            self.instruction((2, 1, 0x7C), register, 0, RAX)  # vpbroadcastd
            self.instruction(BINARY["iadd"], register, register, LANES)

    def only_where(self, mask: int, inner: AbstractCode) -> None:
        self._test(mask)
        self.raw(0xC5, 0xF8, 0x98, 0xC0 | 1 << 3 | 2)  # kortestw k1, k2
        self.raw(0x0F, 0x84)  # jz behind it
        self.int32(len(inner.bytes))
        self.append(inner)

    def _test(self, place: int) -> None:
        """k1, k2 := where a place is not zero."""
        for k, register in enumerate(self._registers(place), 1):
            self.instruction((2, 1, 0x27), k, register, register)  # vptestmd

    def _spread(self, to: int) -> None:
        """Truth values from k1, k2."""
        for k, register in enumerate(self._registers(to), 1):
            self.instruction((2, 2, 0x38), register, 0, k)  # vpmovm2d
