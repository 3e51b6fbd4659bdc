"""What a plain installation does, and how it tells what it lacks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mot_reid.extras import EXTRAS, missing_extra, require

ASSETS = Path(__file__).parents[1] / "mot_reid" / "assets"
# Before anything else is imported: these packages are not there.
BLOCKED = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted({*EXTRAS, "pandas", "PIL", "matplotlib", "skimage"})!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
"""


def program(*arguments: object, blocked: bool = True) -> subprocess.CompletedProcess[str]:
    """``mot-reid``, in a process where nothing but what a plain installation brings can be imported."""
    code = (BLOCKED if blocked else "") + "from mot_reid.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A camera that goes over a photograph of an admiral: 8 pictures."""
    import cv2
    import numpy as np

    folder = tmp_path / "pictures"
    folder.mkdir()
    image = cv2.copyMakeBorder(cv2.imread(str(ASSETS / "admiral.jpg")), 0, 0, 100, 100, cv2.BORDER_REPLICATE)
    for number in range(8):
        shifted = np.ascontiguousarray(image[:, 6 * number : 6 * number + 640])
        cv2.imwrite(str(folder / f"{number}.png"), shifted)
    return folder


def test_tracking_needs_no_extra_and_gives_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    options = ("track", pictures, "--csv", "--set", "association.embedding.share=1", "--offline")
    light = program(*options, "-o", tmp_path / "light")
    assert (light.returncode, light.stderr) == (0, "")
    whole = program(*options, "-o", tmp_path / "whole", blocked=False)
    assert whole.returncode == 0, whole.stderr
    assert len((tmp_path / "light" / "tracks.txt").read_text().splitlines()) >= 6
    for name in ("tracks.txt", "tracks.csv", "tracks_offline.txt", "tracks.mp4"):
        assert (tmp_path / "light" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


IN_TURN = """
import io, json
from contextlib import redirect_stderr, redirect_stdout
from mot_reid.cli import main
ends = []
for command in json.loads(sys.argv[1]):
    sys.argv[1:] = command
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
        try:
            main()
        except SystemExit as end:
            ends.append((end.code, told.getvalue()))
print(json.dumps(ends))
"""


def blocked_in_turn(*commands: tuple[object, ...]) -> list[tuple[int, str]]:
    """Exit codes and errors of commands, one after the other in one process like that of `program`."""
    typed = json.dumps([list(map(str, command)) for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + IN_TURN, typed], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    ends = json.loads(done.stdout)
    assert len(ends) == len(commands)
    return [tuple(end) for end in ends]


LACKING = {
    ("track", ASSETS, "--parquet"): "parquet",
    ("track", ASSETS, "--device", "cuda"): "torch",
    ("track", ASSETS, "--set", "embedder.runtime=torch"): "torch",
    ("track", ASSETS, "--set", "detector.runtime=torch"): "ultralytics",
    ("track", ASSETS, "--set", "detector.runtime=openvino"): "openvino",
    ("track", ASSETS, "--detector", "yolo11m.pt"): "ultralytics",
    ("eval", ASSETS, "--gt", ASSETS): "eval",
    ("train", ASSETS): "torch",
    ("evaluate-reid", "mgn_osnet_lct_x0_5.onnx", "--data", ASSETS): "torch",
    ("export", "mgn_osnet_lct_x0_5.safetensors"): "train",
    ("export", ASSETS.parents[1] / "weights" / "person_yolo11n.pt"): "ultralytics,train",
    ("track", ASSETS, "--gallery", "shop"): "parquet",
    ("track", ASSETS, "--gallery", "shop", "--store", "lance"): "gallery",
    ("identify", ASSETS): "parquet",
    ("gallery", "s3://bucket/shop", "list"): "gallery",
    ("benchmark", ASSETS): "eval",
    ("train", ASSETS, "--architecture", "pcb"): "train",
    ("train", ASSETS, "--initial", "start.onnx"): "train",
    ("train-detector", "person.safetensors", "--start", "start.onnx"): "train",
    ("train-detector", "person.pt", "--start", "start.pt"): "ultralytics",
    ("batch", "s3://bucket/*.mp4"): "cluster",
}
OUTPUTS = {"track": "out", "train": "out", "export": "out.onnx"}


def test_each_command_names_the_extra_it_lacks_in_one_line(tmp_path: Path) -> None:
    commands = [
        (*typed, "-o", tmp_path / OUTPUTS[str(typed[0])]) if typed[0] in OUTPUTS else typed
        for typed in LACKING
    ]
    ends = blocked_in_turn(*commands)
    for (code, told), command, extra in zip(ends, commands, LACKING.values(), strict=True):
        assert code == 2, command
        assert f"mot_reid[{extra}]" in told, command
        assert told.count("\n") == 1, command
        assert told.startswith("error: "), command


def test_every_public_name_is_there_without_extras() -> None:
    code = (
        "from mot_reid import *\ntry:\n    evaluate('a', 'b')\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True)
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)
    assert "pip install 'mot_reid[eval]'" in done.stdout


def test_help_and_settings_need_no_extra() -> None:
    assert blocked_in_turn(("--help",), ("config",)) == [(0, ""), (0, "")]


def test_other_missing_packages_are_no_matter_of_extras() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'x'", name="x")) is None
    assert missing_extra(ValueError("torch")) is None
    with pytest.raises(
        ImportError, match=r"x.pt needs the package openvino: pip install 'mot_reid\[openvino"
    ):
        require_nothing()


def require_nothing() -> None:
    from unittest.mock import patch

    error = ModuleNotFoundError("No module named 'openvino'", name="openvino")
    with patch("mot_reid.extras.import_module", side_effect=error):
        require("openvino", "x.pt")
