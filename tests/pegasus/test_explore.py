"""The explorer page: what it holds, which pairs of parents it shows and when it has a second mode."""

import base64
import json
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from acai.autoencoder import Autoencoder
from acai.latent_bank import LatentBank
from common.errors import InputError
from pegasus import explore, scores
from tests.pegasus.winged_horses import MODEL, LightClassifier, make_bank, make_dataset

SOURCE, DIGEST, CLASSES = "</script><b>a&b", "0123456789abcdef", ("horse", "bird")


def bank_of(latents, class_names=("bird", "horse")):
    """A bank whose rows are of the two classes in turn, with ids from 500 on; the last is of the hold-out."""
    count = len(latents)
    splits = np.array(["train"] * (count - 1) + ["holdout"])
    labels = np.arange(count, dtype=np.int32) % 2
    return LatentBank(np.float16(latents), labels, np.arange(count) + 500, splits, np.array(class_names))


@pytest.fixture(scope="module")
def bank():
    return bank_of(np.random.default_rng(0).normal(size=(13, 2, 2, 3)))


@pytest.fixture(scope="module")
def autoencoder():
    keras.utils.set_random_seed(0)
    return Autoencoder(width=8, latent_width=2, latent_channels=3, depth=2)


@pytest.fixture(scope="module")
def page(bank, autoencoder):
    return explore.page(SOURCE, DIGEST, bank, CLASSES, autoencoder)


def data_in(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def array_in(heap, place):
    """The array at a place {"at", "shape", "kind"} of a buffer in base64."""
    count = int(np.prod(place["shape"]))
    array = np.frombuffer(base64.b64decode(heap), f"<{place['kind']}", count, place["at"])
    return array.reshape(place["shape"])


# What the page holds


def test_the_page_holds_the_bank(bank, page):
    data = data_in(page)
    assert (data["source"], data["digest"]) == (SOURCE, DIGEST)
    horses, birds = data["sides"]
    assert sorted(horses) == [1, 3, 5, 7, 9, 11] and sorted(birds) == [0, 2, 4, 6, 8, 10, 12]
    assert data["rows"] == [*range(13)]
    np.testing.assert_array_equal(array_in(data["heap"], data["latents"]), bank.latents)
    assert data["images"][3] == ["train", 503] and data["images"][12] == ["holdout", 512]


def test_the_page_holds_the_decoders_weights(autoencoder, page):
    """What is computed with them is tested in test_explore_javascript.py."""
    data = data_in(page)
    steps = [step for step in data["decoder"] if "kernel" in step]
    weights = [array_in(data["heap"], step[name]) for step in steps for name in ("kernel", "bias")]
    for ours, theirs in zip(weights, autoencoder.decoder.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.abs(theirs).max())  # rounded to float16


def test_no_source_name_ends_the_script(page):
    assert page.count("</script>") == 3 and "<b>" not in page


def test_nothing_is_fetched(page):
    assert "default-src 'none'" in page
    template = explore.TEMPLATE.read_text() + explore.PLACING_SCRIPT.read_text()
    assert not re.search(r"https?:|fetch\(|XMLHttp|@import|url\(|import\(|<img|<iframe", template)
    assert re.findall(r'(?:src|href)="(.*?)"', template) == ["data:,"]


def test_arrays_are_aligned_for_a_browser():
    """Each begins at a multiple of four bytes."""
    packer = explore.Packer()
    sizes = [(3, "f2"), (2, "f4"), (1, "f2"), (1, "f4")]  # 6, 8, 2 and 4 bytes
    places = [packer.add(np.arange(count), kind) for count, kind in sizes]
    assert [place["at"] for place in places] == [0, 8, 16, 20]
    arrays = [array_in(packer.base64(), place).tolist() for place in places]
    assert arrays == [[0, 1, 2], [0, 1], [0], [0]]


@pytest.mark.parametrize(
    "layer", [keras.layers.AveragePooling2D(3), keras.layers.Conv2D(2, 3, strides=2, padding="same")]
)
def test_layers_that_the_page_cannot_run_are_refused(layer):
    with pytest.raises(ValueError, match=f"able to run the layer. Received: {type(layer).__name__}"):
        explore.Packer().network([layer])


def test_a_model_that_decodes_with_more_than_its_decoder_is_refused(tmp_path):
    model = SimpleNamespace(autoencoder=SimpleNamespace(bottleneck=SimpleNamespace(decodes_plainly=False)))
    with pytest.raises(InputError, match="--explore needs a model whose decoder alone .* Received: a/run"):
        explore.write(tmp_path / "page.html", model, None, ("line", "line"), "a/run", DIGEST, False)
    assert not list(tmp_path.iterdir())


# Which pairs of parents it shows


def test_chosen_rows_come_first_and_the_rest_is_limited():
    rows = np.arange(100, 150)
    limited = explore.limit_rows(rows, chosen=[140, 101, 140], limit=20, seed=0).tolist()
    assert limited[:2] == [140, 101]
    assert len(set(limited)) == 20 and set(limited) <= set(rows)
    assert sorted(explore.limit_rows(rows, chosen=[], limit=999, seed=0)) == rows.tolist()


class TwoNumberClassifier:
    """A picture's two numbers are the probabilities of a horse and of a bird."""

    class_names = ("bird", "frog", "horse")

    def __call__(self, pictures):
        horse, bird = pictures.reshape(-1, 2).T
        return np.stack([bird, 1 - horse - bird, horse], axis=1), None


def test_pairs_are_ordered_by_the_product_of_both_probabilities(monkeypatch):
    """Horses are [a, 0] and birds [0, b], so the middle between them is [a, b] / sqrt(2)."""
    latents = np.array([[0, 0.5], [0.8, 0], [0, 0.4], [0.45, 0], [0, 0.2]])  # bird, horse, bird, horse, bird
    expected = [
        (1, 0),  # 0.8 * 0.5 = 0.4
        (1, 2),  # 0.8 * 0.4 = 0.32
        (3, 0),  # 0.45 * 0.5 = 0.225
        (3, 2),  # 0.45 * 0.4 = 0.18
        (1, 4),  # 0.8 * 0.2 = 0.16
        (3, 4),  # 0.45 * 0.2 = 0.09
    ]
    monkeypatch.setattr(explore, "NUM_BEST_PAIRS", 450)  # of 500, in which each pair occurs some 83 times
    model = SimpleNamespace(decode=lambda latents: latents)
    pairs = explore.best_pairs(bank_of(latents.reshape(5, 1, 1, 2)), CLASSES, model, TwoNumberClassifier())
    assert len(pairs) == 450
    assert list(dict.fromkeys(map(tuple, pairs))) == expected


# When it has a second mode


@pytest.fixture
def labelled_bank(monkeypatch):
    """A bank of drawn horses and birds with ids of the tables of labels, and a wing classifier that knows them."""
    monkeypatch.setattr(explore, "bundled_wing_classifier", LightClassifier)
    return make_bank(make_dataset(), np.arange(7))


def test_the_second_mode_shows_labelled_white_horses(labelled_bank):
    assert set(explore.prepare_placing(MODEL, labelled_bank).rows(0)) == {0, 1}


def test_without_a_plausible_example_there_is_no_second_mode(labelled_bank, monkeypatch):
    monkeypatch.setattr(scores, "SMALLEST_WINGS", 32 * 32)
    assert explore.prepare_placing(MODEL, labelled_bank) is None


@pytest.mark.parametrize("has_labels", [True, False])
def test_images_of_ones_own_are_not_labelled_by_their_ids(labelled_bank, has_labels, monkeypatch, tmp_path):
    """Their ids are those of other images than CIFAR-10's, for which the tables of labels were made."""
    placings = []
    monkeypatch.setattr(explore, "fitting_classifier", lambda *_: object())
    monkeypatch.setattr(explore, "best_pairs", lambda *_: [])
    monkeypatch.setattr(explore, "page", lambda *arguments: placings.append(arguments[-1]) or "")
    bottleneck = SimpleNamespace(decodes_plainly=True)
    autoencoder = SimpleNamespace(**vars(MODEL.autoencoder), bottleneck=bottleneck)
    model = SimpleNamespace(**vars(MODEL) | {"autoencoder": autoencoder})
    explore.write(tmp_path / "page.html", model, labelled_bank, CLASSES, SOURCE, DIGEST, has_labels)
    assert [placing is not None for placing in placings] == [has_labels]
