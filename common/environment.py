"""Removes environment variables that libraries read when they are imported: they can end that or change results.

`common.cli` imports this module before numpy and tqdm. It removes what TensorFlow and Keras read later.
"""

import os
import re
import sys
import warnings

# TQDM_MININTERVAL and NUMPY_MADVISE_HUGEPAGE must be numbers, NPY_* choose instructions
READ_BY_IMPORTS = re.compile("(TQDM|NPY|NUMPY)_")

REMOVED = [name for name in os.environ if READ_BY_IMPORTS.match(name)]
for _name in REMOVED:
    del os.environ[_name]
if any(option.startswith("error") for option in sys.warnoptions):  # of PYTHONWARNINGS; libraries warn
    warnings.simplefilter("ignore")
