"""What the tests by random input share: the number of examples and their counts, values and damaged bytes."""

import atexit
import collections
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 30))
COUNTS = collections.Counter()
FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "input"
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
if "FUZZ_EXAMPLES" in os.environ:
    atexit.register(lambda: print(f"examples: {sum(COUNTS.values())}, {dict(COUNTS)}"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v))


@st.composite
def mutated(draw, seeds):
    """Bytes of one of `seeds`, some of them replaced, removed, doubled or added."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, min(len(data) - 1, draw(st.sampled_from([40, 400, 10**6]))))))
        end = at + draw(st.integers(0, 16))
        kind = draw(st.sampled_from(["set", "set", "cut", "double", "add", "end"]))
        if kind == "set":
            data[at : at + 1] = draw(st.sampled_from([b"\0", b"\1", b"\x7f", b"\xff"]) | st.binary(max_size=4))
        elif kind == "cut":
            del data[at:end]
        elif kind == "double":
            data[at:at] = data[at:end]
        elif kind == "add":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            del data[at:]
    return bytes(data)
