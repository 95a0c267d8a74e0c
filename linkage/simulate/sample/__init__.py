"""The world `sample`: a small, plain one, from which the sample export is made.

`world` holds the tables, `people` fills them with ordinary life, `recipes` plants what must be found and what not.
"""

from linkage.simulate.sample.generate import build, write

__all__ = ["build", "write"]
