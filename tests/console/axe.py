"""What axe finds on a page of the console."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from playwright.async_api import Page

SCHEMES: Final[Sequence[tuple[Literal["dark", "light"], dict[str, Any]]]] = (
    ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]}),
    ("light", {}),
)


async def audit(page: "Page") -> list[str]:
    """Faults that axe finds on the page, by the rule and the element: in the light scheme all of them, in the
    dark one those of colours.
    """
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = []
    for scheme, options in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        result: dict[str, Any] = await page.evaluate("(options) => axe.run(options)", options)
        found += [
            f"{scheme}: {each['id']}: {node['html'][:160]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]
    return found
