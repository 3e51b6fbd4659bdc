"""What tests do in a browser: open, press, wait, look."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


class Page:
    """One page in the browser, opened at a size of the window."""

    def __init__(self, browser: Any, url: str, width: int = 1280, height: int = 900) -> None:
        self.browser = browser
        self.steps = 0
        sized = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sized)
        browser.get("about:blank")  # the page before may still ask a server that is gone
        browser.get_log("browser")
        browser.get(url)
        self.until(lambda: self.js("return document.body.dataset.ready"), "the page to be ready")

    def js(self, text: str, *arguments: Any) -> Any:
        return self.browser.execute_script(text, *arguments)

    def until(self, happened: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = happened()
            if found:
                return found
            time.sleep(0.03)
        raise AssertionError(f"waited in vain for {what}; the page says: {self.text('#message')!r}")

    def one(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def click(self, selector: str) -> None:
        """A click as a person's: scrolled to, seen, and hit."""
        self.steps += 1
        element = self.one(selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def keys(self, *keys: str) -> None:
        """Keys, one after the other, to whatever has the focus, shown or not."""
        from selenium.webdriver import ActionChains  # only these tests need it

        for key in keys:
            self.steps += 1
            ActionChains(self.browser).send_keys(key).perform()

    def write(self, selector: str, text: str) -> None:
        """Fills a field and leaves it."""
        self.steps += 1
        element = self.one(selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.send_keys("\ue009a", "\ue009", text, "\ue004")  # all of it selected, written over, left

    def set(self, selector: str, value: object, event: str) -> None:
        """Sets a slider or a choice and tells the page so."""
        script = (
            "const e = document.querySelector(arguments[0]); e.value = arguments[1]; "
            "e.dispatchEvent(new Event(arguments[2], {bubbles: true}))"
        )
        self.js(script, selector, value, event)

    def at(self, x: float, y: float) -> None:
        """Clicks into the picture, at shares of its width and height."""
        from selenium.webdriver import ActionChains

        self.steps += 1
        canvas = self.one("#picture")
        self.js("arguments[0].scrollIntoView({block: 'center'})", canvas)
        size = canvas.size
        across, down = (x - 0.5) * size["width"], (y - 0.5) * size["height"]
        ActionChains(self.browser, duration=20).move_to_element_with_offset(
            canvas, int(across), int(down)
        ).click().perform()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags in the picture, from and to shares of its width and height."""
        from selenium.webdriver import ActionChains

        self.steps += 1
        canvas = self.one("#picture")
        self.js("arguments[0].scrollIntoView({block: 'center'})", canvas)
        size = canvas.size
        places = [(int((x - 0.5) * size["width"]), int((y - 0.5) * size["height"])) for x, y in (start, end)]
        actions = ActionChains(self.browser, duration=20).move_to_element_with_offset(canvas, *places[0])
        actions.click_and_hold().move_to_element_with_offset(canvas, *places[1]).release().perform()

    @property
    def frame(self) -> int:
        return int(self.js("return Number(document.getElementById('picture').dataset.frame)"))

    @property
    def boxes(self) -> int:
        return int(self.js("return Number(document.getElementById('picture').dataset.boxes)"))

    def pixel(self, x: float, y: float) -> list[int]:
        """The colour in the picture at shares of its width and height."""
        script = """
            const c = document.getElementById('picture');
            const place = [Math.round(arguments[0] * c.width), Math.round(arguments[1] * c.height)];
            return Array.from(c.getContext('2d').getImageData(...place, 1, 1).data);
        """
        return list(self.js(script, x, y))

    def shot(self, name: str) -> None:
        """Saves what is seen, where ``MOT_REID_SCREENSHOTS`` says so."""
        folder = os.environ.get("MOT_REID_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))

    def problems(self) -> list[str]:
        """What the console complained of; that pixels are read back is the tests' own doing."""
        levels, ours = ("SEVERE", "WARNING"), "willReadFrequently"
        told = [entry for entry in self.browser.get_log("browser") if entry["level"] in levels]
        return [entry["message"] for entry in told if ours not in entry["message"]]

    def barriers(self, *rules: str) -> list[str]:
        """What axe finds that keeps people out, or hinders them; by some of its rules, or by all."""
        if not self.js("return Boolean(window.axe)"):
            self.browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        found = self.browser.execute_async_script(
            "const [rules, done] = arguments; axe.run(rules.length ? {runOnly: rules} : {}).then("
            "(r) => done(r.violations.map("
            "(v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 120)).join(' | '))))",
            rules,
        )
        return list(found)

    def look(self) -> str:
        """What is drawn in the picture, to be compared."""
        return str(self.js("return document.getElementById('picture').toDataURL()"))

    def too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(self.js("return document.documentElement.scrollWidth > innerWidth"))
