"""The documents: their Python runs, their links lead somewhere, and the site builds without a warning."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if page.exists() and page.parent.name != "notes"]
_BLOCK = re.compile(r"^```python *(?P<mark>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run_and_print_what_they_say(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each block runs by itself in an empty folder; ``notest`` marks those that need a video or a camera."""
    monkeypatch.chdir(tmp_path)
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        code = block["code"]
        compile(code, f"{page.name}", "exec")
        if block["mark"] == "notest":
            continue
        with np.printoptions(formatter=None, linewidth=75):  # Ultralytics changes them for the whole process
            exec(compile(code, f"{page.name}", "exec"), {"__name__": "__main__"})
        told = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    generated = {"docs/reference/settings.md", "docs/reference/commands.md", "docs/notes/index.md"}
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            path = Path(os.path.normpath(page.parent / target))
            assert path.exists() or str(path.relative_to(ROOT)) in generated, f"{page.name}: {target}"


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    settings = (tmp_path / "site/reference/settings.html").read_text(encoding="utf-8")
    assert "detector.image_size" in settings
    commands = (tmp_path / "site/reference/commands.html").read_text(encoding="utf-8")
    assert "mot-reid track" in commands
    assert "mot-reid batch" in commands
    api = (tmp_path / "site/reference/api.html").read_text(encoding="utf-8")
    assert "detection_index" in api
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', text)
        assert loaded == [], page.name
