"""Spark as an engine: the same steps up to the sightings that accounts share, over exports of any size and place.

`session` starts it, `exports` finds the files, `read` makes contract tables of them, `dialect` and `tables` run our SQL
there, `functions` what is no SQL, `sightings` leads the way, and `detect` holds all together. Importing this package
imports no Spark, but says so where there is none.
"""

from importlib.util import find_spec

from linkage.errors import MachineError

for _name in ("pyspark", "sqlglot"):
    if find_spec(_name) is None:
        raise MachineError(
            f"--engine spark needs {_name}, which is not installed.",
            "Install it: pip install 'account-linkage[spark]', or use --engine linkage.",
        )
