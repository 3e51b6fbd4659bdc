"""The picture, and what is drawn over it."""

from typing import Any

import pytest

from .conftest import HEIGHT, WIDTH, walkers
from .pages import Page


@pytest.mark.parametrize(("width", "height"), [(1280, 600), (2560, 1080), (400, 800)])
def test_the_picture_and_the_buttons_to_play_it_are_seen_at_once(
    browser: Any, page: str, width: int, height: int
) -> None:
    shown = Page(browser, page, width, height)
    bottom = "return document.getElementById('transport').getBoundingClientRect().bottom"
    shown.until(lambda: shown.js(bottom) <= height, "all of it in the window")
    size = shown.one("#picture").size
    assert size["width"] == pytest.approx(size["height"] * WIDTH / HEIGHT, abs=2)
    x1, y1, x2, y2 = walkers(1)[1].tolist()
    shown.at((x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT)
    shown.until(
        lambda: shown.js("return document.querySelector('[aria-current]')?.dataset.id") == "2",
        "who was clicked",
    )
    assert shown.problems() == []


_WATCH = """
    window.written = [];
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        if (this.canvas.id === 'picture') window.written.push([text, x, x + this.measureText(text).width, y]);
        write.call(this, text, x, y);
    };
"""


def test_names_at_an_edge_of_the_picture_are_written_inside(browser: Any, page: str) -> None:
    shown = Page(browser, page)
    shown.js(_WATCH)
    shown.click("#tab-correct")
    shown.write("#one", "2")
    shown.write("#name", "Anna with the red coat")  # whose box is at the right edge
    shown.click("#do-rename")
    shown.click("#tab-count")
    shown.click("#draw-line")
    shown.at(0.99, 0.01)
    shown.at(0.01, 0.01)
    shown.until(lambda: "line 1: in" in shown.text("#counts"), "counts of the line")
    width, height = shown.js("const c = document.getElementById('picture'); return [c.width, c.height]")
    for text in ("id 1", "Anna with the red coat", "line 1", "in"):
        left, right, bottom = next(
            entry[1:] for entry in shown.js("return window.written.toReversed()") if entry[0] == text
        )
        assert 0 <= left < right <= width, text
        assert 12 <= bottom <= height, text


def test_the_time_of_a_frame_is_not_a_tenth_less(browser: Any, page: str) -> None:
    shown = Page(browser, page)
    script = "const [times, done] = arguments; import('/api.js').then(({ clock }) => done(times.map(clock)))"
    told = browser.execute_async_script(script, [2.3, 59.9, 60, 3599.96])
    assert told == ["00:02.3", "00:59.9", "01:00.0", "59:59.9"]
    assert shown.problems() == []
