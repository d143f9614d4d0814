"""The digits are all there, unchanged, and split alike."""

import hashlib
import importlib.resources

import numpy as np

from jaxsyn.train import digits


def test_the_file_is_the_one_of_uci():
    source = importlib.resources.files("jaxsyn.train") / "data" / "digits.npz"
    with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    assert (images.shape, images.dtype, images.max()) == ((1797, 8, 8), np.uint8, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert "CC BY 4.0" in (importlib.resources.files("jaxsyn.train") / "data" / "digits.txt").read_text()


def test_the_parts_are_disjoint_and_each_digit_is_held_out_alike():
    data = digits()
    x_train, y_train, x_test, y_test = data
    assert (x_train.shape, x_test.shape, y_train.dtype) == ((1442, 64), (355, 64), np.int32)
    assert (x_train.min(), x_train.max()) == (0.0, 1.0)
    share = np.bincount(y_test) / (np.bincount(y_test) + np.bincount(y_train))
    assert (np.abs(share - 0.2) < 0.01).all()
    rows = {row.tobytes() for row in x_train}
    assert not any(row.tobytes() in rows for row in x_test)
    assert all(np.array_equal(a, b) for a, b in zip(data, digits(), strict=True))
    for part in ("Alpaydin", "10.24432/C50P49", "CC BY 4.0"):
        assert part in data.citation
