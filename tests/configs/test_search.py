"""Which search is made of the flags: that for winged horses where labels are known, else that for two classes."""

import pytest

from common.errors import InputError
from configs.search import choose_search
from pegasus.search_config import MaskSearch, Search

CIFAR10 = {"data": {"source": "cifar10", "classes": ["bird", "horse", "ship"]}}


@pytest.mark.parametrize("classes", [(None, None), ("horse", None), ("horse", "bird")])
def test_horses_and_birds_of_cifar10_are_placed(classes):
    assert choose_search(CIFAR10, classes, 100, 64) == Search(100, 64)


@pytest.mark.parametrize(
    ("config", "classes", "mask"),
    [
        (CIFAR10, ("horse", "bird"), "top"),
        (CIFAR10, ("bird", "horse"), None),
        (CIFAR10, ("ship", None), None),
        ({"data": {"source": "cifar10", "classes": ["cat", "ship"]}}, (None, None), None),
        ({"data": {"source": "folder", "classes": ["bird", "horse"]}}, (None, None), None),
        ({}, (None, None), None),
    ],
)
def test_other_searches_need_no_labels(config, classes, mask):
    assert choose_search(config, classes, 100, 64, mask) == MaskSearch(100, 64, mask)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Search, (0, 1), "--candidates must be an integer from 1 to 1000000000. Received: 0"),
        (Search, (10, 0), "--keep must be an integer of at least 1. Received: 0"),
        (Search, (10, 11), "--candidates must be at least --keep. Received: --candidates=10, --keep=11"),
        (MaskSearch, (10, 10, "left"), "--mask must be one of uniform, .*. Received: left"),
    ],
)
def test_searches_are_checked(kind, fields, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        kind(*fields)
