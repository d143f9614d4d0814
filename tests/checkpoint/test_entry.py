"""Files of a checkpoint: whatever is cut or changed in them is refused with the place."""

import json
import pathlib
import pickle
import shutil

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn.checkpoint import restore_tree, save_tree
from jaxsyn.checkpoint._entry import digest

TREE = {"w": np.arange(3000, dtype=np.float32), "step": np.asarray(7, np.int32), "none": np.zeros((0, 4), np.float32)}
LIKE = {"w": np.zeros(3000, np.float32), "step": np.zeros((), np.int32), "none": np.ones((0, 4), np.float32)}
ENTRY = "checkpoint-000001-step-0"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("written")
    save_tree(folder, TREE)
    return folder


def copy_of(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    return copy


def test_what_is_not_damaged_is_read(written: pathlib.Path) -> None:
    found = restore_tree(written, LIKE)
    assert all(np.array_equal(found[k], TREE[k]) and found[k].dtype == TREE[k].dtype for k in TREE)


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=40)
def test_any_damage_is_refused(
    written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = sorted(p.relative_to(written) for p in written.rglob("*") if p.is_file())
    folder = copy_of(written, tmp_path_factory)
    # names in the storage are random: choose by size, which is not
    files.sort(key=lambda p: (p.name if p.suffix else "", (written / p).stat().st_size))
    path = folder / data.draw(st.sampled_from(files))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:at])
    else:
        path.write_bytes(content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :])
    with pytest.raises(ValueError, match=rf"checkpoint .*{ENTRY}"):
        restore_tree(folder, LIKE)
    shutil.rmtree(folder)


@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_truncated_arrays_are_refused(
    written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, left: float
) -> None:
    folder = copy_of(written, tmp_path_factory)
    largest = max((p for p in (folder / ENTRY / "arrays").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = largest.read_bytes()
    size = int(left * len(content))
    largest.write_bytes(content[:size])
    said = f"{largest.name} has {size} of {len(content)} bytes; the file is truncated or damaged: restore an older"
    with pytest.raises(ValueError, match=said):
        restore_tree(folder, LIKE)


def test_a_missing_file_is_refused(written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = copy_of(written, tmp_path_factory)
    shutil.rmtree(folder / ENTRY / "arrays")
    with pytest.raises(ValueError, match=r"arrays/\S+ is missing; the file is truncated or damaged"):
        restore_tree(folder, LIKE)


def rewritten(folder: pathlib.Path, **changes: object) -> None:
    """Metadata with other content and a checksum that fits."""
    path = folder / ENTRY / "metadata.json"
    content = {**json.loads(path.read_text()), **changes}
    content.pop("sha256")
    path.write_text(json.dumps({**content, "sha256": digest(content)}))


def test_numbers_that_were_exchanged_are_refused(
    written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, other = copy_of(written, tmp_path_factory), tmp_path_factory.mktemp("other")
    save_tree(other, {**TREE, "w": TREE["w"] + 1})
    shutil.rmtree(folder / ENTRY / "arrays")
    shutil.copytree(other / ENTRY / "arrays", folder / ENTRY / "arrays")
    rewritten(folder, files=json.loads((other / ENTRY / "metadata.json").read_text())["files"])
    with pytest.raises(ValueError, match=r"the numbers of w do not fit their checksum"):
        restore_tree(folder, LIKE)


def test_what_orbax_cannot_read_is_refused(written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = copy_of(written, tmp_path_factory)
    shutil.rmtree(folder / ENTRY / "arrays")
    rewritten(folder, files={})
    with pytest.raises(ValueError, match=r"arrays: cannot be read \(.*\); the file is truncated or damaged"):
        restore_tree(folder, LIKE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something else"}, "got format 'something else'; allowed: 'jaxsyn checkpoint'"),
        ({"format_version": 2}, r"got format version 2; allowed: 1; use the jaxsyn that wrote it \(\{'jaxsyn'"),
        ({"kind": "network state"}, "holds a network state; use jaxsyn.checkpoint.restore"),
        ({"arrays": [{"name": "w"}]}, "its list of arrays is malformed"),
        ({"arrays": None}, "its list of arrays is malformed"),
        ({"arrays": [{"name": "w", "shape": [3], "dtype": "O", "sha256": ""}]}, "its list of arrays is malformed"),
    ],
)
def test_foreign_metadata_is_refused(
    written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, changes: dict[str, object], message: str
) -> None:
    folder = copy_of(written, tmp_path_factory)
    rewritten(folder, **changes)
    with pytest.raises(ValueError, match=message):
        restore_tree(folder, LIKE)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\x01", '{"format": "jaxsyn checkpoint", "format_version": 1}'])
def test_broken_metadata_is_refused(written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = copy_of(written, tmp_path_factory)
    (folder / ENTRY / "metadata.json").write_text(text)
    with pytest.raises(ValueError, match=rf"{ENTRY}/metadata.json: .*truncated or damaged"):
        restore_tree(folder, LIKE)


def test_pickle_is_neither_written_nor_read(
    written: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    save_tree(tmp_path, TREE)
    assert restore_tree(tmp_path, LIKE)["step"] == 7
    assert restore_tree(written, LIKE)["step"] == 7


def test_what_is_no_number_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoint: names has dtype <U1; allowed: arrays of numbers or bool"):
        save_tree(tmp_path, {"names": np.asarray(["E", "I"])})
    assert not list(tmp_path.iterdir())


def test_metadata_says_what_wrote_it(written: pathlib.Path) -> None:
    metadata = json.loads((written / ENTRY / "metadata.json").read_text())
    assert {"jaxsyn", "jax", "jaxlib", "orbax-checkpoint", "python"} <= set(metadata["versions"])
    assert (metadata["format"], metadata["format_version"], metadata["step"]) == ("jaxsyn checkpoint", 1, 0)


def test_names_that_coincide_as_file_names_stay_apart(tmp_path: pathlib.Path) -> None:
    tree = {"a b": jnp.asarray(1.0), "a_b": jnp.asarray(2.0), "a/b": jnp.asarray(3.0)}
    save_tree(tmp_path, tree)
    found = restore_tree(tmp_path, {k: jnp.zeros(()) for k in tree})
    assert {k: float(v) for k, v in found.items()} == {"a b": 1.0, "a_b": 2.0, "a/b": 3.0}
