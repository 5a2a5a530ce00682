"""Starts the app as `streamlit run` does; on SIGUSR1 writes the names of all loaded modules to the given file."""

import signal
import sys
from pathlib import Path

from streamlit.web.cli import main

if __name__ == "__main__":
    modules_file, *arguments = sys.argv[1:]

    def dump(*_: object) -> None:
        partial = Path(modules_file).with_suffix(".partial")
        partial.write_text("\n".join(sorted(sys.modules)))
        partial.replace(modules_file)

    signal.signal(signal.SIGUSR1, dump)
    sys.argv = ["streamlit", "run", *arguments]
    main()
