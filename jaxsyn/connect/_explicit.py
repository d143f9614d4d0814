"""Rules without chance: one to one, all to all, and edges that the user gives."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._edges import AbstractRule, EdgeList, Expected, empty_edges
from ._key import GraphKey


@dataclasses.dataclass(frozen=True)
class OneToOne(AbstractRule):
    """Neuron i reaches neuron i. Both populations must have equally many neurons.

    Raises:
        ValueError: at build: populations of different size.
    Example:
        >>> OneToOne().build(3, 3, key=GraphKey(0, "copy"), same_population=False).post.tolist()
        [0, 1, 2]
    """

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """The edges, sorted by (pre, post); see `AbstractRule.build`."""
        check.same_size("OneToOne", n_pre, n_post)
        return EdgeList.of_rows(np.arange(n_pre + 1), np.arange(n_pre, dtype=np.int32))

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        check.same_size("OneToOne", n_pre, n_post)
        return Expected(n_pre)


@dataclasses.dataclass(frozen=True)
class AllToAll(AbstractRule):
    """Every source neuron reaches every target neuron.

    For a product with a full matrix use the transform `Dense`.

    Args:
        autapses: Whether a neuron reaches itself (matters only within one population).
    Example:
        >>> len(AllToAll(autapses=False).build(4, 4, key=GraphKey(0, "I_I"), same_population=True))
        12
    """

    autapses: bool = True

    def __post_init__(self) -> None:
        check.flag("AllToAll.autapses", self.autapses)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """The edges, sorted by (pre, post); see `AbstractRule.build`."""
        check.synapses("AllToAll", n_pre * n_post)
        if not n_pre or not n_post:
            return empty_edges()
        skip_self = same_population and not self.autapses
        post = np.tile(np.arange(n_post - skip_self, dtype=np.int32), (n_pre, 1))
        if skip_self:
            post += post >= np.arange(n_pre)[:, None]
        return EdgeList.of_rows(np.arange(n_pre + 1) * post.shape[1], post.reshape(-1))

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        n = n_pre * max(n_post - (same_population and not self.autapses), 0)
        return Expected(n)


@dataclasses.dataclass(frozen=True, eq=False)
class Edges(AbstractRule):
    """The edges that are given. A pair that stands there twice gets two synapses.

    Args:
        pre: Source neuron of each edge, whole numbers >= 0, shape (edges,).
        post: Target neuron of each edge, whole numbers >= 0, shape (edges,).
        weight: Weight of each edge in the unit of the projection, shape (edges,); None leaves it to the projection.
        shape: Sizes (n_pre, n_post) of the populations this was made for; None accepts all that hold the neurons.
    Raises:
        ValueError: float, negative or unequally many indices, weights that are not finite; at build: a neuron outside
            its population, or populations of other sizes than `shape`.
    Example:
        >>> rule = Edges(pre=[0, 0, 1], post=[1, 2, 0])
        >>> len(rule.build(2, 3, key=GraphKey(0, "E_I"), same_population=False))
        3
    """

    pre: npt.ArrayLike
    post: npt.ArrayLike
    weight: npt.ArrayLike | None = None
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        pre, post = check.indices("Edges.pre", self.pre), check.indices("Edges.post", self.post)
        if pre.size != post.size:
            raise check.refuse("Edges.pre, post", f"{pre.size} and {post.size} indices", "equally many", "Pair them.")
        check.synapses("Edges", pre.size)
        object.__setattr__(self, "pre", pre)
        object.__setattr__(self, "post", post)
        if self.weight is not None:
            object.__setattr__(self, "weight", check.finite("Edges.weight", self.weight, pre.shape))

    def __eq__(self, other: object) -> bool:
        return check.same_fields(self, other)

    def __hash__(self) -> int:
        return hash((Edges, np.size(self.pre), self.shape))

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """The edges in the order given; see `AbstractRule.build`."""
        self.expected(n_pre, n_post, same_population=same_population)
        weight = None if self.weight is None else np.asarray(self.weight)
        return EdgeList(np.asarray(self.pre).astype(np.int32), np.asarray(self.post).astype(np.int32), weight)

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        if self.shape is not None and self.shape != (n_pre, n_post):
            raise check.refuse(
                "Edges.shape",
                f"a matrix for {self.shape[0]} source and {self.shape[1]} target neurons",
                f"{n_pre} and {n_post}, the sizes of the populations",
                "Give a matrix of that shape (sources are rows).",
            )
        pre, post = np.asarray(self.pre), np.asarray(self.post)
        check.within("Edges.pre", pre, n_pre, "source")
        check.within("Edges.post", post, n_post, "target")
        return Expected(pre.size, weighted=self.weight is not None)


def from_scipy(matrix: Any) -> Edges:
    """The stored entries of a SciPy sparse matrix as edges with weights.

    Args:
        matrix: Sparse matrix or array of any format, shape (n_pre, n_post): row i holds the targets of source i.
            Explicit zeros are synapses of weight 0; entries stored twice are two synapses.
    Returns:
        The rule.
    Raises:
        ValueError: not a two-dimensional sparse matrix, or entries that are not finite.
    Example:
        >>> import scipy.sparse
        >>> from_scipy(scipy.sparse.eye_array(3)).weight.tolist()
        [1.0, 1.0, 1.0]
    """
    from scipy.sparse import issparse

    if not issparse(matrix) or len(matrix.shape) != 2:
        raise check.refuse(
            "from_scipy: matrix", type(matrix).__name__, "a scipy.sparse matrix", "Wrap it in csr_array."
        )
    coo = matrix.tocoo()
    n_pre, n_post = (int(n) for n in coo.shape)
    return Edges(coo.row, coo.col, coo.data, (n_pre, n_post))


def from_bcoo(matrix: Any) -> Edges:
    """The stored entries of a JAX `BCOO` matrix as edges with weights.

    Args:
        matrix: `jax.experimental.sparse.BCOO` of shape (n_pre, n_post), without batch or dense dimensions. Entries
            behind its shape are padding and are left out; entries stored twice are two synapses.
    Returns:
        The rule.
    Raises:
        ValueError: not such a matrix, or entries that are not finite.
    Example:
        >>> from jax.experimental.sparse import BCOO
        >>> from_bcoo(BCOO.fromdense(np.eye(3))).post.tolist()
        [0, 1, 2]
    """
    from jax.experimental.sparse import BCOO

    if not isinstance(matrix, BCOO) or matrix.ndim != 2 or matrix.n_batch or matrix.n_dense:
        raise check.refuse(
            "from_bcoo: matrix",
            type(matrix).__name__ + (f" of shape {matrix.shape}" if hasattr(matrix, "shape") else ""),
            "a BCOO with two sparse dimensions (n_pre, n_post)",
            "Make one with BCOO.fromdense(matrix).",
        )
    index, weight = np.asarray(matrix.indices), np.asarray(matrix.data)
    n_pre, n_post = matrix.shape
    stored = (index[:, 0] < n_pre) & (index[:, 1] < n_post)
    return Edges(index[stored, 0], index[stored, 1], weight[stored], (n_pre, n_post))
