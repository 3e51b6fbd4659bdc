"""The floors of the package, and the sizes that keep its files readable (see ``docs/architecture.md``)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mot_reid"

FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        # Lowest first. A file imports from its own part, from floors below its own, and from the parts that
        # BESIDE names.
        "typing boxes columns elsewhere structures exchange settings former_settings config files "
        "concurrency devices extras resources runtimes sessions timing pickles rollback yaml_text notices "
        "pixels wording",
        "provenance history",
        "kernels",
        "motion appearance detection video",
        "association",
        "tracker",
        "offline gallery analytics",
        "evaluation training testing",
        "pipeline",
        "tracking",
        "cluster app",
        "cli",
        "__main__",
    )
)
BESIDE = {
    # Parts of one floor, each named with those of its own floor that it may import.
    "structures": {"typing", "boxes", "columns", "elsewhere", "exchange"},
    "exchange": {"columns", "structures", "typing"},
    "columns": {"typing"},
    "boxes": {"typing"},
    "config": {"settings", "former_settings", "typing", "resources"},
    "notices": {"structures", "typing"},
    "pixels": {"structures", "typing"},
    "settings": {"elsewhere", "yaml_text"},
    "sessions": {"concurrency", "extras"},
    "resources": {"files", "extras"},
    "runtimes": {"resources"},
    "devices": {"extras"},
    "files": {"typing"},
    "gallery": {"offline"},
    "app": {"cluster"},
}
ROOT = "mot_reid"  # its ``__init__`` names the public names, lazily: it belongs to no floor

LONGEST_FILE = 400
LONGEST_FUNCTION = 80

HEAVY = (
    *("torch", "torchvision", "cv2", "onnxruntime", "av", "scipy", "numba", "pandas", "pyarrow", "PIL"),
    *("ultralytics", "motmetrics", "trackeval", "typer", "rich", "lancedb", "ray", "starlette", "matplotlib"),
)


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    parts = (ROOT, *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str:
    """The part of the package that a module belongs to: ``video`` for ``mot_reid.video.sinks``."""
    return module.split(".")[1] if "." in module else ROOT


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules of ours that a file imports, and whether as soon as it is imported itself."""

    def walk(nodes: list[ast.AST], now: bool) -> Iterator[tuple[str, bool]]:
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import in line {node.lineno}"
                if node.module == ROOT:
                    yield from ((f"{ROOT}.{alias.name}", now) for alias in node.names)
                elif node.module and node.module.startswith(f"{ROOT}."):
                    yield node.module, now
                    # What is imported from a package may be one of its modules.
                    for alias in node.names:
                        name = f"{node.module}.{alias.name}"
                        if name in modules():
                            yield name, now
            elif isinstance(node, ast.Import):
                yield from ((alias.name, now) for alias in node.names if part(alias.name) != ROOT)
            lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            lazy = lazy or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            yield from walk(list(ast.iter_child_nodes(node)), now and not lazy)

    for module, now in walk(list(tree(path).body), True):
        if module.split(".")[0] == ROOT and module != f"{ROOT}.__version__":
            yield module, now


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for path in files()}


def test_every_part_has_a_floor() -> None:
    named = frozenset().union(*FLOORS)
    assert {part(module) for module in modules()} - {ROOT} <= named
    assert sum(map(len, FLOORS)) == len(named), "a part stands on two floors"


def test_every_part_stands_in_the_document() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page[page.index("| floor") : page.index("## The cascade")]))
    assert frozenset().union(*FLOORS) - {"__main__"} <= named
    assert {part(module) for module in modules()} >= frozenset().union(*FLOORS), "a part is not there"


def test_no_file_imports_from_a_floor_above_or_beside_its_own() -> None:
    """Also inside functions and for types: a floor that needs one above it is no floor."""
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    wrong = []
    for module, path in modules().items():
        here = part(module)
        if here == ROOT:
            continue
        for other, _ in imported(path):
            there = part(other)
            if there in (here, ROOT):
                continue
            assert there in height, f"{module} imports {other}, which is not there"
            if height[there] >= height[here] and there not in BESIDE.get(here, set()):
                wrong.append(f"{module} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    needs = {
        module: {other for other, now in imported(path) if now and other in modules() and other != module}
        for module, path in modules().items()
    }
    while free := [module for module, others in needs.items() if not others & needs.keys()]:
        for module in free:
            del needs[module]
    assert not needs, f"a circle among {sorted(needs)}"


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert {str(path): count for path, count in lengths.items() if count > LONGEST_FILE} == {}


def functions() -> Iterator[tuple[str, int]]:
    for path in files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                name = f"{path.relative_to(PACKAGE).as_posix()}:{node.name}"
                yield name, node.end_lineno - node.lineno + 1


def test_no_function_is_too_long() -> None:
    assert {name: lines for name, lines in functions() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("module", ["mot_reid", "mot_reid.structures, mot_reid.config"])
def test_what_everybody_imports_is_light(module: str) -> None:
    allowed = ("numpy", "yaml") if "," in module else ()
    code = f"""
import sys
import {module}
print(*(name for name in {(*HEAVY, "numpy", "yaml")!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name not in allowed] == []


def test_the_root_imports_fast() -> None:
    """Less than a third of what numpy alone takes: a ratio, for machines differ and are busy."""
    code = """
import sys, time
start = time.perf_counter(); import mot_reid; ours = time.perf_counter() - start
start = time.perf_counter(); import numpy; theirs = time.perf_counter() - start
print(ours / theirs)
"""
    ratios = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(ratios) < 1 / 3
