import pytest

from jaxsyn.connect import GraphKey


def draw(seed=0, name="E_I", purpose="edges"):
    return int(GraphKey(seed, name).generator(purpose).bit_generator.random_raw())


def test_streams_differ_by_seed_name_and_purpose():
    draws = [draw(), draw(seed=1), draw(name="E_E"), draw(purpose="weight")]
    assert len(set(draws)) == 4
    assert len({draw(name="a", purpose="bc"), draw(name="ab", purpose="c")}) == 2


def test_first_word_is_pinned():
    """The same on any machine, in any process, with any NumPy."""
    assert draw() == PINNED


@pytest.mark.parametrize("seed", [-1, True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match=r"GraphKey\.seed: got"):
        GraphKey(seed, "E_I")


PINNED = 4117331148976845889
