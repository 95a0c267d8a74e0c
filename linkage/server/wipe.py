"""Empty the local server's store: overwritten and removed, with its logs, so that old bytes do not stay."""

from collections.abc import Callable
from pathlib import Path

from linkage import erasing
from linkage.errors import UsageError, translate
from linkage.server.config import GUIDE
from linkage.server.jars import Progress
from linkage.server.lifecycle import alive
from linkage.server.places import Layout, locked


def wipe(home: Path | None = None, *, progress: Callable[[Progress], None]) -> int:
    """Erase what the server of `home` keeps: databases, transaction logs, its own logs, the last guide of Browser.

    Its password and configuration stay; the next start makes an empty database.

    Returns:
        how many bytes were erased.

    Raises:
        UsageError: the server is up.
        MachineError: the disk refuses.
    """
    layout = Layout.of(home)
    if not layout.home.is_dir():
        return 0
    with locked(layout.home / "lock"):
        if alive(layout) is not None:
            raise UsageError("The local server is up, and so is its store.", "Stop it first: linkage neo4j down")
        progress(Progress("Erasing the store"))
        erased = 0
        try:
            guide = layout.web / "browser" / "linkage" / GUIDE
            for path in [*layout.data.rglob("*"), *layout.logs.rglob("*"), guide]:
                if path.is_file() and not path.is_symlink():
                    erased += path.stat().st_size
                    erasing.erase(path)
            for folder in sorted((path for path in layout.data.rglob("*") if path.is_dir()), reverse=True):
                folder.rmdir()
        except OSError as exc:
            raise translate(exc, f"erasing the store in {layout.home}") from None
    return erased
