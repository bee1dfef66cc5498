"""Pictures of the console for the README: `python -m tests.console.pictures`, with example data."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import async_playwright

from tests.fixtures.browser import chromium
from tests.fixtures.servers import free_port

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
COMMAND: Final = (sys.executable, "-P", "-m", "core.cli")
WORDS: Final = ("Dark maps", "Faster search", "Risk by desk", "Opening report", "Old sessions", "Night batch")


def library(records: int) -> bytes:
    """A file of the old service, in which some records have no title."""
    return json.dumps(
        {
            "items": [
                {
                    "id": f"{number:08x}-6e08-4825-a686-638a5d6b0e4a",
                    "title": " " if number % 3000 == 41 else f"{WORDS[number % len(WORDS)]} {number}",
                    "description": "Something that the desk would like to have",
                    "category": "dashboard",
                    "priority": ("low", "medium", "high")[number % 3],
                    "status": "new",
                    "tags": [],
                    "createdAt": "2025-10-23T22:46:19.740Z",
                }
                for number in range(records)
            ]
        }
    ).encode()


async def take(url: str, key: str, file: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page(
            base_url=url, viewport={"width": 1280, "height": 960}, reduced_motion="reduce"
        )
        await page.goto("/console")
        await page.get_by_label("API key").fill(key)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Overview").wait_for()
        await page.goto("/console/ideas")
        await page.screenshot(path=FOLDER / "ideas.png")
        await page.goto("/console/takeover")
        await page.get_by_label("The old service's file").set_input_files(file)
        await page.get_by_role("button", name="Start the import").click()
        await page.get_by_text("Done, and compared").wait_for()
        await page.locator("#imports").get_by_role("link", name=file.name).click()
        await page.get_by_text("Done, and compared").wait_for()
        await page.screenshot(path=FOLDER / "takeover.png")
        await browser.close()


def main() -> None:
    if chromium() is None:
        sys.exit("No Chromium is installed (Debian: apt install chromium).")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        port = str(free_port())
        url = f"http://localhost:{port}"
        environment = {
            **os.environ,
            "PORT": port,
            "AUTH": "keys",
            "RATE_LIMIT_MAX": "0",
            "LOG_LEVEL": "error",
            "LOG_FORMAT": "text",
            "DATA_DIR": f"{folder}/data",
            "PYTHONPATH": str(FOLDER.parents[1]),
        }

        def handover(*words: str) -> str:
            run = subprocess.run(
                (*COMMAND, *words), cwd=folder, env=environment, check=True, capture_output=True, text=True
            )
            return run.stdout

        file = Path(folder, "library.json")
        file.write_bytes(library(12_000))
        server = subprocess.Popen((*COMMAND, "serve"), cwd=folder, env=environment, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if b"Ctrl-C" in line:
                    break
            handover("demo")
            key = handover("keys", "create", "ada", "--scope", "admin").split()[1]
            asyncio.run(take(url, key, file))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
