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
