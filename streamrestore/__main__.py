"""``python -m streamrestore``."""

from __future__ import annotations

from streamrestore.cli.main import main

if __name__ == "__main__":
    main()
