"""Plans of a GAN: releases and classes that are refused."""

import numpy as np
import pytest

from common import release
from common.errors import InputError
from pegasus.search_config import Search
from pictures.gan_plan import make_plan
from pictures.manifest import Manifest
from pictures.request import BlendClasses, SampleNoise

NAMES = ["bird", "horse", "cat"]
SIZES = dict(architecture="dcgan", width=8, colours=3, noise_size=4, generator_channels=2, up="transposed")
SIZES |= dict(condition="projection", spherical_noise=False)
WEIGHTS = {"generator/0": np.ones(2, np.float16)}


def plan(folder, request, *, classes=0, weights=WEIGHTS, sizes=None, manifest=None):
    names = NAMES[:classes]
    config = {"family": "gan", "model": SIZES | {"classes": classes, "class_names": names} | (sizes or {})}
    release.write(folder, config, weights)
    return make_plan(request, folder, manifest)


def test_a_release_is_read_and_its_digest_recorded(tmp_path):
    blends = plan(tmp_path, BlendClasses(), classes=3)
    assert blends.class_names == tuple(NAMES) and blends.model_config["noise_size"] == 4
    assert (blends.request.first, blends.request.second) == ("horse", "bird")
    assert blends.drawn.keys() == {"weights_digest"}
    assert plan(tmp_path, SampleNoise(), classes=3).request.first is None
    trained_on_classes = plan(tmp_path, SampleNoise(), sizes={"class_names": NAMES})
    assert trained_on_classes.class_names == ()  # none can be chosen


def test_a_manifest_of_other_weights_is_refused(tmp_path):
    manifest = Manifest("here.json", "sample", {}, {"weights_digest": "0123"}, [])
    with pytest.raises(InputError, match="weights must be those of the manifest, 0123"):
        plan(tmp_path, SampleNoise(), manifest=manifest)


@pytest.mark.parametrize(
    ("request_", "changes", "words"),
    [
        (BlendClasses(), {}, "--blend, --first and --second need a conditional GAN"),
        (SampleNoise(first="horse"), {}, "--blend, --first and --second need a conditional GAN"),
        (SampleNoise(first="dog"), dict(classes=3), "--first must be one of bird, horse, cat. Received: dog"),
        (BlendClasses(second="dog"), dict(classes=3), "--second must be one of bird, horse, cat. Received: dog"),
        (SampleNoise(), dict(classes=3, sizes={"class_names": NAMES[:2]}), "parts fit each other"),
        (SampleNoise(), dict(sizes={"width": "8"}), "parts fit each other"),
        (SampleNoise(), dict(sizes={"noise_size": 0}), "parts fit each other"),
        (SampleNoise(), dict(weights={"generator/0": np.array([np.nan])}), "parts fit each other"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(tmp_path, request_, changes, words):
    with pytest.raises(InputError, match=words):
        plan(tmp_path, request_, **changes)


@pytest.mark.parametrize("name", ["width", "classes", "spherical_noise"])
def test_a_release_that_lacks_a_size_is_refused(tmp_path, name):
    sizes = SIZES | {"classes": 0, "class_names": []}
    release.write(tmp_path, {"family": "gan", "model": {n: sizes[n] for n in sizes if n != name}}, WEIGHTS)
    with pytest.raises(InputError, match="--source must be a"):
        make_plan(SampleNoise(), tmp_path)


@pytest.mark.parametrize("noises", [[3], [3, 20], [3, True], [3, -1], "34", None], ids=str)
def test_noises_of_a_manifest_must_be_those_of_its_candidates(tmp_path, noises):
    request = SampleNoise(count=2, search=Search(20, 2))
    notes = [{"score": 1.0}, {"score": 0.5}]
    manifest = Manifest("here.json", "sample", {}, {"noises": [3, 19]}, notes)
    stored = plan(tmp_path, request, manifest=manifest)
    assert stored.drawn["noises"] == [3, 19] and stored.notes == tuple(notes) and not stored.needs_search
    with pytest.raises(InputError, match="2 integers from 0 to 19"):
        plan(tmp_path, request, manifest=Manifest("here.json", "sample", {}, {"noises": noises}, notes))
