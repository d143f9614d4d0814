"""Tasks whose answer lies in time: random manifolds and spoken digits. Which samples are scored, and what they are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.learning import TASKS, _randman, _speech, _spoken
from benchmarks.learning._data import Folder


def test_every_task_has_a_module_of_its_own() -> None:
    assert {"fsdd", "fsdd_speaker", "randman"} <= set(TASKS)


def test_manifolds_are_the_published_sum() -> None:
    places = np.random.default_rng(0).random((6, 3))
    rng, own = np.random.default_rng(1), np.random.default_rng(1)
    got = _randman.manifold(places, rng, alpha=2.0)
    cutoff = 32
    random = own.random((_randman.UNITS, 3, 3, cutoff), np.float32).astype(float)
    k = np.arange(cutoff)
    for unit in (0, 7):
        want = np.ones(6)
        for d in range(3):
            a, b, c = random[unit, d]
            want *= (a / (k**2.0 + 1.0) * np.sin(2 * np.pi * (places[:, [d]] * k * b + c))).sum(axis=1)
        want = (want - want.min()) / (want.max() - want.min())
        assert np.allclose(got[:, unit], want, atol=1e-3)


def test_each_unit_fires_once_and_the_seed_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_randman, "TRAINED", 6)
    monkeypatch.setattr(_randman, "SCORED", 4)
    monkeypatch.setattr(_randman, "CLASSES", 2)
    x, y, scored, labels = _randman.samples(3)
    assert (x.shape, scored.shape) == ((12, 100, 100), (8, 100, 100))
    assert x.dtype == np.bool_
    assert (x.sum(axis=1) == 1).all()
    assert y.tolist() == [0] * 6 + [1] * 6
    assert labels.tolist() == [0] * 4 + [1] * 4
    assert np.array_equal(x, _randman.samples(3)[0])
    assert not np.array_equal(x, _randman.samples(4)[0])


def spoken(speakers: tuple[str, ...], indices: tuple[int, ...], seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Recordings in the format of the data file: tones, one for each digit."""
    rng = np.random.default_rng(seed)
    rows = [(s, d, i) for s in range(len(speakers)) for d in (0, 1) for i in indices]
    audio = [
        (
            1000 * np.sin(2 * np.pi * (400 + 900 * d) * np.arange(2000 + 100 * s) / 8000)
            + rng.normal(size=2000 + 100 * s)
        )
        for s, d, _ in rows
    ]
    columns = np.asarray(rows, np.uint8).T
    return {
        "audio": np.concatenate(audio).astype(np.int16),
        "offsets": np.cumsum([0, *map(len, audio)]).astype(np.int32),
        "speaker": columns[0],
        "label": columns[1],
        "index": columns[2],
        "speaker_names": np.asarray(speakers),
        "rate_hz": np.asarray(8000),
    }


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be trained on and scored, in place of doing it."""
    seen: list[Any] = []
    monkeypatch.setattr(_spoken, "compare", lambda *given: seen.append(given) or [])
    return seen


def test_what_is_scored_without_and_with_an_evaluation_file(tmp_path: Any, splits: list[Any]) -> None:
    np.savez(tmp_path / "fsdd.npz", **spoken(("a", "b"), (5, 9, 10, 20)))
    data = Folder(str(tmp_path))
    _spoken.fsdd(0, data)
    _spoken.fsdd_speaker(1, data)
    (_, given, scored), (_, others, one) = splits
    assert set(given.index) == {10, 20}
    assert set(scored.index) == {5, 9}
    assert set(others.speaker) == {"a"}
    assert set(one.speaker) == {"b"}
    assert len(others.audio) == len(one.audio) == 8

    np.savez(tmp_path / "fsdd_eval.npz", **spoken(("a", "c"), (0, 1)))
    splits.clear()
    _spoken.fsdd(0, data)
    _spoken.fsdd_speaker(0, data)
    (_, given, scored), (_, same, one) = splits
    assert len(given.audio) == len(same.audio) == 16
    assert set(scored.speaker) == {"a"}
    assert set(one.speaker) == {"c"}


def test_spikes_of_recordings_of_any_length() -> None:
    rng = np.random.default_rng(0)
    audio = [rng.normal(size=n).astype(np.float32) for n in (300, 4000, 20000)]
    spikes = _speech.spikes(audio)
    assert spikes.shape == (3, _speech.STEPS, 96)
    assert spikes.dtype == np.bool_
    assert 0.01 < spikes[2].mean() < 0.5
    assert not spikes[0, 20:].any()
    varied = _speech.varied(audio[1], rng)
    assert np.isfinite(varied).all()
    assert not np.array_equal(_speech.spikes([varied])[0], spikes[1])


def test_the_answer_is_that_of_all_speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_speech, "STEPS", 4)
    net = _spoken.network(0, 3, delays=False)
    heard = [np.random.default_rng(k).random((5, 4, 3)) < 0.5 for k in range(2)]
    task = _spoken.js.train.Classification(n_steps=4)
    got = _spoken.losses(net, heard, task)
    loss = jax.jit(lambda x, digit: task.evaluate(net, x, digit)[0])
    for k in range(5):
        wanted = [np.mean([float(loss(x[k], digit)) for x in heard]) for digit in jnp.arange(10)]
        np.testing.assert_allclose(got[k], wanted, rtol=1e-5)


def test_what_a_voice_adds_to_a_digit_is_taken_off() -> None:
    """Speakers of whom each makes some digits likelier in all recordings; what tells the digits apart is small."""
    rng = np.random.default_rng(0)
    digit, speaker = np.tile(np.arange(10), 40), np.repeat(["a", "b"], 200)
    clear = rng.gumbel(size=(400, 10)) - 4.0 * np.eye(10)[digit]
    voices = {name: rng.normal(0.0, 4.0, 10) for name in ("a", "b")}
    heard = clear + np.stack([voices[name] for name in speaker])
    got = _spoken.adapted(heard, speaker)
    alone, both, best = (np.mean(x.argmin(axis=1) == digit) for x in (heard, got, clear))
    assert alone < 0.6
    assert both > best - 0.05
    for name in ("a", "b"):  # each speaker for itself: the same for all of its recordings
        added = (got - heard)[speaker == name]
        np.testing.assert_allclose(added, added[:1].repeat(200, axis=0), atol=1e-9)
    np.testing.assert_array_equal(_spoken.adapted(heard[:200], speaker[:200]), got[:200])


def test_it_learns_tones(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HIDDEN", 8), ("VARIANTS", 1), ("EPOCHS", 6), ("BATCH", 8), ("RATE", 2e-2)):
        monkeypatch.setattr(_spoken, name, value)
    monkeypatch.setattr(_spoken, "LONGEST_MS", 30.0)
    recordings = _speech.recordings(spoken(("a", "b"), (5, 6, 10, 11, 12)))
    parts = [recordings.those(recordings.index >= 10), recordings.those(recordings.index < 10)]
    with jax.numpy_dtype_promotion("standard"):  # the benchmark runs as users have it
        found = _spoken.compare(0, *parts)
    values = {one.metric: one.value for one in found}
    assert set(values) == {"accuracy", "accuracy_adapted", "accuracy_no_delays", "margin"}
    assert values["accuracy"] >= 0.75
    assert values["margin"] == pytest.approx(values["accuracy"] - values["accuracy_no_delays"])
    assert jnp.asarray(recordings.label).dtype == jnp.int32
