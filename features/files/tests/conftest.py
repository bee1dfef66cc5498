"""A store that begins empty."""

import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI


@pytest.fixture
def store(app: FastAPI) -> Path:
    """The folder of the app's objects, empty."""
    folder: Path = app.state.settings.data_dir / "files"
    shutil.rmtree(folder, ignore_errors=True)
    return folder
