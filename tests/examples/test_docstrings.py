"""The examples in the docstrings of the released models print what they say."""

import doctest

import pytest

from acai import inference as acai
from classifiers import inference as classifiers
from gan import inference as gan

CLASSES = {
    "acai.inference.ReleasedACAI": acai,
    "gan.inference.ReleasedGAN": gan,
    "classifiers.inference.ReleasedClassifier": classifiers,
    "classifiers.inference.ReleasedWingClassifier": classifiers,
}


@pytest.mark.parametrize("name", CLASSES)
def test_example_prints_what_it_says(name):
    tests = {test.name: test for test in doctest.DocTestFinder().find(CLASSES[name])}
    assert tests[name].examples
    assert doctest.DocTestRunner().run(tests[name]).failed == 0
