"""The classes of both parents where the user names none."""

from types import SimpleNamespace

import numpy as np
import pytest

from pictures import acai_plan
from pictures.parent_classes import choose_classes
from pictures.request import Diagram, Interpolate


@pytest.mark.parametrize(
    ("names", "data", "given", "expected"),
    [
        (("bird", "cat", "horse"), {"first": "cat", "second": "bird"}, (None, None), ("cat", "bird")),
        (("bird", "cat", "horse"), {"first": "cat", "second": "dog"}, (None, None), ("horse", "bird")),
        (("zebra", "lion"), {"first": "horse", "second": "bird"}, (None, None), ("lion", "zebra")),
        (("zebra", "lion"), {"first": "zebra", "second": "lion"}, (None, None), ("zebra", "lion")),
        (("zebra", "lion"), {"groups": (("zebra",), ("lion",))}, (None, None), ("zebra", "lion")),
        (("zebra", "lion"), {"groups": (("deer", "horse"), ("bird",))}, (None, None), ("lion", "zebra")),
        (("zebra", "lion"), {}, ("zebra", None), ("zebra", "lion")),
        (("zebra", "lion"), {}, (None, "lion"), ("zebra", "lion")),
        (("horse", "bird"), {}, ("bird", None), ("bird", "horse")),
        (("horse", "bird"), {}, ("deer", "bird"), ("deer", "bird")),
        (("c", "a", "b"), {"groups": ()}, (None, None), ("a", "b")),
        (("line",), {"first": "line", "second": "line"}, (None, None), ("line", "line")),
        (("zebra",), {}, (None, None), ("zebra", "zebra")),
        ((), {}, (None, None), ("horse", "bird")),
    ],
)
def test_classes_that_nobody_names(names, data, given, expected):
    assert choose_classes(names, data, *given) == expected


def test_requests_of_own_folders_have_its_classes():
    bank = SimpleNamespace(class_names=np.array(["lion", "zebra"]))
    request = acai_plan.complete_classes(Interpolate(), bank, {"first": "horse", "second": "bird"})
    assert (request.first, request.second) == ("lion", "zebra")
    assert acai_plan.complete_classes(Diagram(), bank, {}) == Diagram()
