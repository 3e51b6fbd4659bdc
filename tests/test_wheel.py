"""The wheel, installed into an environment of its own, outside the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the wheel; the dependencies come from this environment, but not the checkout's own package."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "install",
        "--no-deps",
        "--no-compile",  # of the few files that run, it is done as they are loaded
        "--no-index",
        wheel,
    ]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    return folder


def test_the_wheel_holds_what_the_program_needs(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    needed = ["py.typed", "configs/default.yaml", "configs/bytetrack.yaml"]
    needed += [f"weights/{path.name}" for path in (ROOT / "weights").iterdir()]
    assert {f"mot_reid/{name}" for name in needed} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_the_installed_program_tracks(environment: Path, tmp_path: Path) -> None:
    """With the weights it ships, on real photographs, with no network and an empty home."""
    clean = {"PATH": os.environ["PATH"], "MOT_REID_NUMBA": "0"}  # compiling takes most of the time
    clean |= {"HOME": str(tmp_path / "home"), "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    where = [environment / "bin" / "python", "-c", "import mot_reid; print(mot_reid.__file__)"]
    result = subprocess.run(where, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
    assert Path(result.stdout.strip()).is_relative_to(environment)
    ultralytics = find_spec("ultralytics")
    assert ultralytics is not None
    assert ultralytics.origin is not None
    photograph = Path(ultralytics.origin).parent / "assets" / "bus.jpg"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        (pictures / f"{number}.jpg").symlink_to(photograph)
    program = environment / "bin" / "mot-reid"
    subprocess.run([program, "track", pictures, "-o", "out"], cwd=tmp_path, env=clean, check=True)
    rows = (tmp_path / "out" / "tracks.txt").read_text().splitlines()
    assert len({row.split(",")[1] for row in rows}) >= 3
    assert len(rows) >= 9
    assert {path.name for path in tmp_path.iterdir()} <= {"pictures", "out", "home", "matplotlib"}
    assert {path.name for path in tmp_path.glob("home/*")} <= {".cache"}
