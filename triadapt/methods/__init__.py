"""The methods, a folder each."""

import logging

# Where it is installed, PEFT imports it whatever is trained, and it complains of an optional kernel on some CPUs.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
