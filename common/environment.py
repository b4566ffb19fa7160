"""Removes environment variables that end the import of libraries or change their results.

`common.cli` imports this module before numpy and tqdm, and removes by itself what TensorFlow and Keras read.
Where PYTHONWARNINGS makes warnings errors, all warnings are silenced.
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
# Of PYTHONWARNINGS; libraries warn while they are imported. Python takes any beginning of "error"
_actions = [option.partition(":")[0].strip() for option in sys.warnoptions]
if any(action and "error".startswith(action) for action in _actions):
    warnings.simplefilter("ignore")
