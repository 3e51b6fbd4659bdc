"""Which kernels are used, each time in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mot_reid import kernels

PACKAGE = Path(__file__).parents[2]


def ask(code: str, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE), *sys.path])} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_numba_is_not_imported_before_a_kernel_is_called() -> None:
    code = "import sys; from mot_reid.association.associator import Associator; Associator();"
    assert ask(code + "print('numba' in sys.modules)") == "False"


@pytest.mark.parametrize("switch", ["0", "1"])
def test_numba_is_used_where_it_is_installed_unless_it_is_switched_off(switch: str) -> None:
    if switch == "1":
        pytest.importorskip("numba", reason="numba is not installed")
    code = "from mot_reid import kernels; print(kernels.compiled(), kernels.predict.__module__)"
    module = "numba" if switch == "1" else "numpy"
    assert ask(code, MOT_REID_NUMBA=switch) == f"{switch == '1'} mot_reid.kernels.{module}.motion"


def test_without_numba_the_numpy_kernels_are_used() -> None:
    code = "import sys; sys.modules['numba'] = None; from mot_reid import kernels; print(kernels.compiled())"
    assert ask(code) == "False"


def test_there_is_no_other_kernel() -> None:
    assert not hasattr(kernels, "nothing")


def test_a_broken_numba_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise OSError('could not load libLLVM')")
    code = "import warnings; warnings.simplefilter('error'); from mot_reid import kernels; kernels.predict"
    path = os.pathsep.join([str(tmp_path), str(PACKAGE)])
    lines = ask(
        f"try:\n    exec({code!r})\nexcept RuntimeWarning as warning:\n    print(warning)", PYTHONPATH=path
    )
    assert lines == "numba cannot be used, NumPy does its work: could not load libLLVM"
    code = "from mot_reid import kernels; print(kernels.compiled())"
    assert ask(code, PYTHONPATH=path) == "False"


def test_one_line_tells_of_compiling_and_none_when_it_was_done_before(tmp_path: Path) -> None:
    """Of two stand-ins for kernels, in a cache of their own."""
    pytest.importorskip("numba", reason="numba is not installed")
    (tmp_path / "two.py").write_text(
        "from mot_reid.kernels.numba.compiling import F8, compiled\n"
        "twice = compiled(F8, F8)(lambda x: 2 * x)\n"
        "half = compiled(F8, F8)(lambda x: x / 2)\n"
    )
    code = (
        "import logging, sys\n"
        "logging.basicConfig(level='INFO', stream=sys.stdout, format='%(name)s %(message)s')\n"
        "logging.getLogger('numba').setLevel('WARNING')\n"
        # In place of the package, which would compile the real ones.
        "import os, types, mot_reid.kernels; package = types.ModuleType('numba_kernels')\n"
        "package.__path__ = [os.path.join(mot_reid.kernels.__path__[0], 'numba')]\n"
        "sys.modules['mot_reid.kernels.numba'] = package\n"
        "import two; print(two.half(two.twice(4.0)))"
    )
    environment = {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PACKAGE), *sys.path]),
    }
    first, again = ask(code, **environment), ask(code, **environment)
    assert first.splitlines()[:-1] == [
        "mot_reid.kernels numba compiles the arithmetic for this machine: about 12 seconds, once"
    ]
    assert first.splitlines()[-1] == again == "4.0"
