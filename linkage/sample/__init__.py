"""The sample export that comes with the package: 3,000 invented accounts, made by `linkage simulate`."""

import shutil
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "export"


def copy_to(folder: Path) -> Path:
    """Copy the sample export to `folder`, which must not exist."""
    shutil.copytree(FOLDER, folder)
    return folder
