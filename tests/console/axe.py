"""Faults of a page of the console: what axe finds, and what does not fit."""

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.fixtures.browser import WIDTHS

if TYPE_CHECKING:
    from playwright.async_api import Page, ViewportSize

Scheme = Literal["dark", "light"]
SCHEMES: Final[Mapping[Scheme, dict[str, Any]]] = {
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
    "light": {},
}


async def audit(page: "Page") -> list[str]:
    """Faults that axe finds on the page, by the rule and the element: in the light scheme all of them, in the
    dark one those of colours.
    """
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = []
    for scheme, options in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme)
        result: dict[str, Any] = await page.evaluate("(options) => axe.run(options)", options)
        found += [
            f"{scheme}: {each['id']}: {node['html'][:160]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]
    return found


async def faults_of(page: "Page", *widths: str) -> list[str]:
    """Faults of the page at these widths, or at all; it keeps the last one."""
    found = []
    for width in widths or WIDTHS:
        await page.set_viewport_size(_size(width))
        found += [f"{width}: {fault}" for fault in await audit(page)]
        inner, outer = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        found += [f"{width}: {inner} pixels wide"] if inner > outer else []
        found += [f"{width}: no room for the label {label}" for label in await _labels_too_wide(page)]
    return found


def _size(width: str) -> "ViewportSize":
    wide, high = WIDTHS[width]
    return {"width": wide, "height": high}


async def _labels_too_wide(page: "Page") -> list[str]:
    """Labels before the cells of a narrow page that have no room beside the values."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("td[data-label]")].filter((cell) => {
            const label = getComputedStyle(cell, "::before");
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.font = label.font;
            return label.content !== "none" && cell.offsetHeight > 0
                && canvas.measureText(cell.dataset.label).width > parseFloat(label.width);
        }).map((cell) => cell.dataset.label)"""
    )
    return found
