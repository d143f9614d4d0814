"""Handwritten digits that come with the package."""

import importlib.resources
from typing import Any, NamedTuple

import numpy as np

from .._core import float_dtype

Numbers = np.ndarray[Any, Any]

_HELD_OUT = 5  # one of so many


class Digits(NamedTuple):
    """The digits in two parts; unpacks into four arrays.

    Attributes:
        x_train, x_test: Images as rows of 64 gray values in [0, 1], shape (samples, 64), row by row.
        y_train, y_test: Digit of each image, int32, shape (samples,).
    Example:
        >>> import jaxsyn as js
        >>> "10.24432/C50P49" in js.train.digits().citation
        True
    """

    x_train: Numbers
    y_train: Numbers
    x_test: Numbers
    y_test: Numbers

    @property
    def citation(self) -> str:
        """What to cite, and the license."""
        return (
            "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, doi 10.24432/C50P49, CC BY 4.0"
        )


def digits() -> Digits:
    """1797 real handwritten digits of 8 x 8 pixels, 1442 to train on and 355 held out.

    Of each digit every fifth image is held out, in the order of the file: always the same ones, each digit alike.
    Choose everything (sizes, rates, epochs) by the training part alone. Writers appear in both parts.

    Returns:
        Images and labels of both parts, with the citation.
    References:
        Alpaydin and Kaynak (1998), UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0: its test part
        (13 writers), the one that scikit-learn's `load_digits` gives.
    Example:
        >>> import jaxsyn as js
        >>> x_train, y_train, x_test, y_test = js.train.digits()
        >>> x_train.shape, y_test.shape
        ((1442, 64), (355,))
    """
    source = importlib.resources.files(__package__) / "data" / "digits.npz"
    with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        x = arrays["images"].reshape(-1, 64).astype(float_dtype()) / 16
        y = arrays["labels"].astype(np.int32)
    place = np.zeros(len(y), np.int32)  # of an image among those of the same digit
    for digit in range(10):
        same = y == digit
        place[same] = np.arange(np.count_nonzero(same))
    test = place % _HELD_OUT == _HELD_OUT - 1
    return Digits(x[~test], y[~test], x[test], y[test])
