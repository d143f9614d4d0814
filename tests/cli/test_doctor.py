"""`jaxsyn doctor`: each check, on machines where something is wrong."""

import pathlib

import pytest

from jaxsyn.cli import _doctor as doctor

from .conftest import call

GIB = 2**30


def test_this_machine(tmp_path: pathlib.Path) -> None:
    result = call("doctor", "--out", tmp_path / "new")
    lines = result.stdout.splitlines()
    assert result.exit_code == (1 if any(line.startswith("fail") for line in lines) else 0)
    text = result.stdout
    for name in ("versions", "devices", "kernels", "compiler", "memory", "numbers", "same bits", "results"):
        assert f"{name}: " in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("python", "jax", "jaxlib", "backend", "status", "said"),
    [
        ((3, 11), "0.10.2", "0.10.2", "cpu", "ok", ""),
        ((3, 13), "0.12.0.1", "0.12.0", "gpu", "ok", ""),
        ((3, 10), "0.10.2", "0.10.2", "cpu", "fail", "Python 3.11"),
        ((3, 12), "0.11.1", "0.11.1", "cpu", "fail", "'jaxlib!=0.11.1'"),
        ((3, 12), "0.11.2", "0.11.1", "cpu", "fail", "'jaxlib!=0.11.1'"),
        ((3, 11), "0.9.1", "0.9.1", "cpu", "fail", "'jax>=0.10.2'"),
        ((3, 12), "0.11.2", "0.12.0", "cpu", "warn", "'jaxlib~=0.11.2'"),
        ((3, 11), "0.10.2", "0.10.2", "gpu", "warn", "Python >= 3.12"),
        ((3, 11), None, "0.10.2", "cpu", "fail", "pip install jaxsyn"),
        ((3, 11), "0.10.2.dev1+g3", "0.10.2", "cpu", "ok", ""),
    ],
)
def test_versions(
    python: tuple[int, int], jax: str | None, jaxlib: str | None, backend: str, status: str, said: str
) -> None:
    check = doctor.check_versions(python, jax, jaxlib, backend)
    assert check.status == status
    assert said in check.remedy
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("platforms", "gpu", "asked", "status"),
    [
        (["cpu"], None, "", "ok"),
        (["cuda"], "/dev/nvidia0", "", "ok"),
        (["cpu"], "/dev/nvidia0", "cpu", "ok"),
        (["cpu"], "/dev/nvidia0", "", "warn"),
    ],
)
def test_devices(platforms: list[str], gpu: str | None, asked: str, status: str) -> None:
    check = doctor.check_devices(platforms, gpu, asked)
    assert check.status == status
    assert ("jaxsyn[cuda12]" in check.remedy) == (status == "warn")


@pytest.mark.parametrize(("available", "status"), [(8.0, "ok"), (1.5, "warn"), (0.2, "fail")])
def test_memory(available: float, status: str) -> None:
    assert doctor.check_memory(16 * GIB, int(available * GIB)).status == status


def test_missing_kernels_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxsyn.kernels.native_available", lambda: False)
    monkeypatch.setattr("jaxsyn.kernels.native_status", lambda: "native kernels: not available, it was not built.")
    check = doctor.check_native()
    assert check.status == "warn"
    assert "C++17 compiler" in check.remedy
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert doctor.check_compiler().status == "warn"


def test_wrong_kernels_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("jaxsyn.kernels.native_available", lambda: True)
    monkeypatch.setattr("jaxsyn.kernels.push", lambda onto, *_, native: [row + float(native) for row in onto])
    check = doctor.check_native()
    assert check.status == "fail"
    assert "reinstall" in check.remedy


def test_kernels_that_crash_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> doctor.Check:
        raise RuntimeError("no such symbol")

    check = doctor._safely("kernels", crash)
    assert (check.status, check.found) == ("fail", "RuntimeError: no such symbol")


def test_no_compiler_is_needed_where_the_kernels_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("jaxsyn.kernels.native_available", lambda: True)
    assert doctor.check_compiler().status == "ok"


def test_flags_that_give_up_determinism_are_a_failure() -> None:
    assert doctor.check_determinism("").status == "ok"
    assert doctor.check_determinism("--xla_cpu_enable_fast_math=false").status == "ok"
    check = doctor.check_determinism("--xla_force_host_platform_device_count=2 --xla_cpu_enable_fast_math=true")
    assert check.status == "fail"
    assert "--xla_cpu_enable_fast_math=true" in check.found


def test_numbers_in_force() -> None:
    assert "float64" in doctor.check_numbers(True).found
    assert "JAX_ENABLE_X64" in doctor.check_numbers(False).found


def test_a_folder_that_cannot_be_written(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_writable("results", tmp_path / "a" / "b").status == "ok"
    (tmp_path / "file").write_text("")
    check = doctor.check_writable("results", tmp_path / "file" / "inside")
    assert check.status == "fail"
    assert "name a folder" in check.remedy
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    assert doctor.check_writable("results", tmp_path).status == "warn"


def test_a_backend_that_cannot_start(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    def refuse() -> str:
        raise RuntimeError("Unable to initialize backend 'cuda'\nmore")

    monkeypatch.setattr("jax.default_backend", refuse)
    (check,) = doctor.examine(tmp_path)
    assert (check.name, check.status) == ("devices", "fail")
    assert "Unable to initialize backend 'cuda'" in check.found


def test_exit_code_says_that_something_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (16 * GIB, GIB // 10))
    result = call("doctor", "--out", tmp_path)
    assert result.exit_code == 1
    assert "fail memory: 0.1 of 16.0 GiB available" in result.stdout
    assert "-> close other programs" in result.stdout
