"""The report: one file, without script or network, whatever names its data hold."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mot_reid.app.columns import Columns
from mot_reid.app.report import report
from mot_reid.app.runs import runs_in
from mot_reid.offline.rows import TrackRows

from .conftest import make_run
from .pages import AXE

SCENE = {
    "lines": {"<door>": {"from": [160, 0], "to": [160, 240]}},
    "zones": {"till": {"polygon": [[0, 100], [100, 100], [100, 240], [0, 240]]}},
}


def test_it_holds_everything_and_asks_for_nothing(tmp_path: Path) -> None:
    runs = runs_in([make_run(tmp_path / "<b>yard</b>"), make_run(tmp_path / "door")])
    runs[0].correct({"kind": "rename", "id": 1, "name": "<i>Ann</i>"})
    runs[1].correct({"kind": "rename", "id": 2, "name": "<i>Ann</i>"})
    text = report(runs, SCENE)
    assert "<script" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert re.findall(r'(?:src|href)="(?!data:image/jpeg;base64,)', text) == []
    assert text.count("data:image/jpeg") == 2 * (2 + 2) + 2  # two people and two heat maps each; Ann in both
    assert "&lt;door&gt;" in text
    assert text.count("&lt;i&gt;Ann&lt;/i&gt;") >= 4
    assert len(text) < 300_000


def test_without_pictures_it_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    (tmp_path / "yard-pictures").rename(tmp_path / "moved")
    assert "--video says where it is" in report(runs_in([folder]))
    assert "--video says" not in report(runs_in([folder], {"yard": tmp_path / "moved"}))


def test_a_run_that_found_nobody_has_a_report(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    lines = (folder / "tracks.csv").read_text().splitlines()
    (folder / "tracks.csv").write_text(lines[0] + "\n")
    found = report(runs_in([folder]), SCENE)
    assert "<td>0</td>" in found
    assert "best picture" not in found  # nor other titles without anything below
    assert "Tracks over time" not in found


def test_times_are_not_a_tenth_less(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    told = json.loads((folder / "summary.json").read_text())
    told["source"]["fps"], told["last_frame"] = 10.0, 60
    (folder / "summary.json").write_text(json.dumps(told))
    found = report(runs_in([folder]))
    times = [f"00:0{second}" for second in (0.0, 1.2, 2.4, 3.6, 4.8, 6.0)]
    assert re.findall(r">(00:0\d\.\d)</text>", found) == times


def test_the_best_box_is_large_whole_and_in_front() -> None:
    boxes = [[0, 10, 40, 100], [50, 10, 80, 90], [60, 20, 85, 95], [50, 10, 74, 80]]
    rows = TrackRows.from_arrays([1, 2, 2, 3], [1, 1, 2, 1], boxes)
    columns = Columns.of_rows(rows, None, 25.0)
    best = [columns.best_rows(track, (200, 200)) for track in (1, 2)]
    assert [row.ids.tolist() for row in best] == [[1], [2]]
    assert [row.frames.tolist() for row in best] == [[3], [2]]  # at the edge in 1, behind the other in 2
    assert len(columns.best_rows(9, (200, 200))) == 0


def test_a_run_of_one_frame_has_a_report(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    lines = (folder / "tracks.csv").read_text().splitlines(keepends=True)
    (folder / "tracks.csv").write_text("".join(lines[:3]))
    found = report(runs_in([folder]))
    assert "heat map of presence" in found
    assert "heat map of dwell" not in found  # nothing took time


@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_from_the_disk(browser: Any, run: Callable[..., Any], tmp_path: Path, width: int) -> None:
    folder, page = make_run(tmp_path / "yard"), tmp_path / "report.html"
    (folder / "scene.yaml").write_text(json.dumps(SCENE))
    assert run("report", folder, "-o", page).code == 0
    sized = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sized)
    browser.get("about:blank")  # a page of another test may still ask its server, which is gone
    browser.get_log("browser")
    browser.get(page.as_uri())
    loaded = "return [...document.images].every((image) => image.naturalWidth > 0) && document.images.length"
    assert browser.execute_script(loaded) == 4
    assert not browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    script = "const done = arguments[0]; axe.run().then((r) => done(r.violations.map((v) => v.id)))"
    assert browser.execute_async_script(script) == []
    if width == 1280:  # on paper everything lies open, and dark screens print dark on white
        inside = "[...document.querySelectorAll('details > :not(summary)')]"
        hidden = f"return {inside}.filter((entry) => !entry.checkVisibility()).length"
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        assert browser.execute_script(hidden) > 0
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
        try:
            assert browser.execute_script(hidden) == 0
            pdf = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"]
        finally:
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        assert base64.b64decode(pdf).startswith(b"%PDF")
    assert browser.get_log("browser") == []
