"""Run the command line with ``python -m edge_agent``."""

import sys

from edge_agent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
