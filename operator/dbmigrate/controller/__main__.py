"""`python -m dbmigrate.controller run`: the same as `dbmigrate-operator run`."""

from __future__ import annotations

import sys

from dbmigrate.controller.start import main

if __name__ == "__main__":
    sys.exit(main())
