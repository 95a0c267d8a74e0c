"""`python -m linkage.sample DIR` copies the sample export."""

import sys
from pathlib import Path

from linkage.sample import copy_to

copy_to(Path(sys.argv[1]))
