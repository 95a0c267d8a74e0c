"""Build hook: ship `graph_schema/` and `queries/` inside the package as `linkage/_bundled/`.

Editable installs read them where they lie (see `linkage/resources.py`), so they are left out there.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("graph_schema", "queries")


class BundleHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """Adds the two top-level folders to every wheel but an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add each bundled folder's target to `build_data["force_include"]`."""
        if version == "editable":
            return
        for name in BUNDLED:
            build_data["force_include"][str(Path(self.root) / name)] = f"linkage/_bundled/{name}"
