"""`python -m leveret`: the same as the command `leveret`."""

import sys

from leveret.cli import main

sys.exit(main())
