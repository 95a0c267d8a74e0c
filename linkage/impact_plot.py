"""Draw the trade-off of an impact. matplotlib comes with the extra `plots` and is imported here alone."""

import importlib.util
from pathlib import Path
from typing import Final

from linkage.errors import MachineError, UsageError, translate
from linkage.impact import Impact

_FORMATS: Final = (".svg", ".png")


def check(path: Path) -> None:
    """Refuse what could not be drawn, before the work is done.

    Raises:
        UsageError: neither an SVG nor a PNG file.
        MachineError: matplotlib is not installed.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"{path} is neither an .svg nor a .png file.", "Name one, such as impact.svg.")
    if importlib.util.find_spec("matplotlib") is None:
        raise MachineError("Plots need matplotlib.", "Install it: pip install 'account-linkage[plots]'")


def draw(found: Impact, path: Path) -> None:
    """Draw, over the part of the accounts that is stopped, the innocents hit and the values blocked.

    The same answer gives the same SVG.

    Raises:
        UsageError, MachineError: as `check`; or the file cannot be written.
    """
    check(path)
    from matplotlib import rc_context  # noqa: PLC0415 (an extra)
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator, PercentFormatter  # noqa: PLC0415

    steps = sorted(found.steps, key=lambda step: (step.hit.stopped, step.hit.innocents, step.hit.values))
    stopped = [step.hit.stopped / found.accounts for step in steps]
    with rc_context({"svg.hashsalt": "linkage", "svg.fonttype": "path"}):
        figure = Figure(figsize=(7, 5), layout="constrained")
        harm, size = figure.subplots(2, 1, sharex=True)
        harm.plot(stopped, [step.hit.innocents for step in steps], marker="o", color="#c0392b")
        harm.set_ylabel("innocent accounts hit")
        size.plot(stopped, [step.hit.values for step in steps], marker="o", color="#2c5f8a")
        size.set_ylabel("values blocked")
        size.set_xlabel(f"stopped of {found.accounts:,} accounts")
        size.xaxis.set_major_formatter(PercentFormatter(1.0))
        for axes in (harm, size):
            # Where nobody is hit, matplotlib would draw a scale of thousandths.
            axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            axes.axvline(found.asked.hit.stopped / found.accounts, color="#888888", linestyle="--", linewidth=1)
        harm.set_title(f"What blocking hits: {'ring ' + found.ring_id if found.ring_id else 'a list of accounts'}")
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
        except OSError as exc:
            raise translate(exc, f"writing {path}") from None
