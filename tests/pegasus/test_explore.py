"""The explorer page: what it holds, and in a real browser what it draws and says, and that it fetches nothing."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from acai.autoencoder import Autoencoder
from acai.latent_bank import LatentBank
from acai.layers import LinearThenConv2D
from common.interpolation import slerp
from pegasus import candidates, explore, scores
from pegasus.foreground import outline
from pegasus.labels import BirdWings, HorseSideView
from pegasus.parents import Animals, Parents
from pegasus.placement import Placement
from tests.pegasus.winged_horses import MODEL, LightClassifier, make_bank, make_dataset

ROOT = Path(__file__).resolve().parents[2]
SOURCE, DIGEST, CLASSES = "</script><b>a&b", "0123456789abcdef", ("horse", "bird")


def data_of(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def arrays_of(data):
    heap = base64.b64decode(data["heap"])

    def read(place):
        count = int(np.prod(place["shape"]))
        return np.frombuffer(heap, "<" + place["kind"], count, place["at"]).reshape(place["shape"])

    return read


def bank(latents, classes=("bird", "horse")):
    count = len(latents)
    labels = np.arange(count, dtype=np.int32) % len(classes)
    splits = np.array(["train"] * (count - 1) + ["holdout"])
    return LatentBank(latents.astype(np.float16), labels, np.arange(count) + 500, splits, np.array(classes))


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    codes = np.random.default_rng(0).normal(size=(13, 2, 2, 3))
    return bank(codes), Autoencoder(8, 2, 3, 2)


def test_the_page_holds_latents_and_weights(tiny):
    codes, autoencoder = tiny
    data = data_of(explore.page(SOURCE, DIGEST, codes, CLASSES, autoencoder))
    read = arrays_of(data)
    assert (data["source"], data["digest"]) == (SOURCE, DIGEST)
    assert sorted(data["sides"][0]) == [1, 3, 5, 7, 9, 11] and sorted(data["sides"][1]) == [0, 2, 4, 6, 8, 10, 12]
    np.testing.assert_array_equal(read(data["latents"]), codes.latents[data["rows"]])
    assert data["images"][3] == ["train", 503] and data["images"][12] == ["holdout", 512]
    steps = [step["op"] for step in data["decoder"]]
    scale = ["convolve", "leaky"] * 2 + ["double"]
    assert steps == scale * 2 + ["convolve", "leaky", "convolve"]
    weights = [read(step[name]) for step in data["decoder"] if "kernel" in step for name in ("kernel", "bias")]
    for ours, theirs in zip(weights, autoencoder.decoder.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.abs(theirs).max())


def test_no_source_name_ends_the_script_and_nothing_is_fetched(tiny):
    text = explore.page(SOURCE, DIGEST, tiny[0], CLASSES, tiny[1])
    assert text.count("</script>") == 3 and "<b>" not in text
    assert "default-src 'none'" in text
    template = explore.TEMPLATE.read_text() + explore.PLACING_SCRIPT.read_text()
    assert not re.search(r"https?:|fetch\(|XMLHttp|@import|url\(|import\(|<img|<iframe", template)
    assert re.findall(r'(?:src|href)="(.*?)"', template) == ["data:,"]


def run_javascript(script):
    """Runs JavaScript in node and returns what it prints as JSON."""
    if not shutil.which("node"):
        pytest.skip("no node on this machine")
    result = subprocess.run(["node", "-"], input=script, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_scripts_are_valid_javascript():
    for script in (
        explore.TEMPLATE.read_text().split("<script>")[1].split("</script>")[0],
        explore.PLACING_SCRIPT.read_text(),
    ):
        run_javascript(f"new (require('vm').Script)({json.dumps(script)}); console.log(0)")


def evaluate_in_page(data, program):
    """Runs JavaScript after the parts of the page's scripts that only compute; returns what it prints as JSON.

    Args:
        data: the page's data; `placing` must be there.
        program: JavaScript.
    """
    networks = explore.TEMPLATE.read_text().split("<script>")[1].split("// Latents and pictures.")[0]
    arithmetic = explore.PLACING_SCRIPT.read_text().split("// Arithmetic.")[1].split("// Parents in their")[0]
    text = json.dumps(json.dumps(data))
    document = f"const document = {{getElementById: () => ({{textContent: {text}}})}};"
    return run_javascript("\n".join((document, networks, arithmetic, program)))


def outputs_in_javascript(heap, steps, inputs):
    """What the page's script makes of a map [h, w, c] with the steps of a network."""
    h, w, c = inputs.shape
    outputs = evaluate_in_page(
        {"heap": heap.base64(), "steps": steps, "values": inputs.ravel().tolist()},
        f"const map = {{h: {h}, w: {w}, c: {c}, values: Float32Array.from(data.values)}};"
        "const {h, w, c, values} = run(unpack(data.steps), map);"
        "console.log(JSON.stringify([h, w, c, ...values]))",
    )
    return np.reshape(outputs[3:], outputs[:3])


def test_chosen_rows_come_first_and_the_rest_is_limited():
    rows = np.arange(100, 150)
    chosen = explore.limit_rows(rows, [140, 101, 140], 20, 0).tolist()
    assert chosen[:2] == [140, 101] and len(set(chosen)) == 20 and set(chosen) <= set(rows.tolist())
    assert sorted(explore.limit_rows(rows, [], 999, 0)) == rows.tolist()


def test_arrays_are_aligned_for_a_browser():
    heap = explore.Packer()
    places = [heap.add(np.arange(n), kind) for n, kind in ((3, "f2"), (2, "f4"), (1, "f2"), (1, "f4"))]
    assert [place["at"] for place in places] == [0, 8, 16, 20]  # of 6, 8, 2 and 4 bytes
    read = arrays_of({"heap": heap.base64()})
    assert [read(place).tolist() for place in places] == [[0, 1, 2], [0, 1], [0], [0]]


def test_batch_normalisation_becomes_a_scale_and_a_shift():
    import keras

    layer = keras.layers.BatchNormalization(epsilon=0.5)
    layer.build((None, 2))
    layer.set_weights([np.array(x, np.float32) for x in ([2, 3], [1, 0], [4, 5], [3.5, 0.5])])
    heap = explore.Packer()
    (step,) = heap.network([layer])
    read = arrays_of({"heap": heap.base64()})
    np.testing.assert_allclose(read(step["by"]), [1, 3])  # gamma / sqrt(variance + epsilon)
    np.testing.assert_allclose(read(step["shift"]), [-3, -15])
    for layer in (keras.layers.AveragePooling2D(3), keras.layers.Conv2D(2, 3, strides=2, padding="same")):
        with pytest.raises(ValueError, match=type(layer).__name__):
            heap.network([layer])


def test_a_linear_layer_and_pooling_by_hand():
    import keras

    layer = LinearThenConv2D(1, 1)
    layer.build((None, 2, 2, 1))
    center = np.zeros((3, 3, 1, 1))
    center[1, 1:] = 1  # adds the right neighbour
    layer.set_weights([np.array(x, np.float32) for x in ([[[[2]]]], [10], center, [0.5])])
    heap, inputs = explore.Packer(), np.array([[1, 2], [3, 4]], np.float32)[..., None]
    steps = heap.network([layer])
    assert [step["op"] for step in steps] == ["convolve", "convolve"]
    # 2 x + 10 is 12, 14, 16, 18; what lies outside is 0, not 10.
    np.testing.assert_array_equal(outputs_in_javascript(heap, steps, inputs)[..., 0], [[26.5, 14.5], [34.5, 18.5]])
    steps += heap.network([keras.layers.AveragePooling2D(2)])
    np.testing.assert_array_equal(outputs_in_javascript(heap, steps, inputs), [[[23.5]]])


def animals(label, random):
    """An Animals of one picture with noise; its mask is an ellipse with a soft rim, and higher at its left end."""
    down, right = np.mgrid[:32, :32]
    distance = np.hypot((down - 18) / 6, (right - 13) / 9)
    mask = np.clip(4 * (1.1 - distance), 0, 1)[None].astype(np.float32)
    mask[:, 9:18, 3:6] = 1
    images = random.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    return Animals([label], np.array([7]), images, mask, [outline(mask[0])], images.mean(axis=(1, 2)))


@pytest.mark.parametrize(
    "head, horse, bird",
    [
        ("left", Placement(0.8, 4.2, 1.5), Placement(1.3, -6.4, 2.1, rotation=25.5)),
        ("left", Placement(0.7, 3, -2, mirror=True), Placement(0.6, -2.75, 6, rotation=-140, mirror=True)),
        ("right", Placement(1.2, 3), Placement(2.2, -9, -4, mirror=True)),
        ("right", Placement(0.9, 1.3, 12, mirror=True), Placement(down=-8, right=10)),
    ],
)
def test_javascript_places_parents_as_a_search_does(head, horse, bird):
    random = np.random.default_rng(2)
    horses = animals(HorseSideView(1, head, "white", True), random)
    birds = animals(BirdWings(2, "spread", "white", True), random)
    parents = Parents(horses, birds, "reconstructions")
    along = np.mean(candidates.ALONG)
    back = candidates.find_back(horses.outlines[0], head == "left", horse, along, (32, 32))
    composition = candidates.compose(parents, [candidates.Candidate(0, 0, (horse, bird), *back)])
    shares = candidates.cell_shares(composition.wings, (8, 8))[0]
    parts = [composition.first, composition.second, composition.horses, composition.wings, shares]
    data = {"heap": "", "placing": explore.placing_constants(), "places": [asdict(horse), asdict(bird)]}
    data["facesLeft"] = head == "left"
    data["images"] = [group.images.ravel().tolist() for group in (horses, birds)]
    data["masks"] = [group.masks.ravel().tolist() for group in (horses, birds)]
    outputs = evaluate_in_page(
        data,
        """const SIDE = 32, MIDDLE = 15.5, height = 8, width = 8;
        const mapOf = (values, c) => ({h: SIDE, w: SIDE, c, values: Float32Array.from(values)});
        const images = data.images.map((values) => mapOf(values, 3));
        const masks = data.masks.map((values) => mapOf(values, 1));
        const pictures = images.map((image, side) => placeImage(image, data.places[side], blur(image)));
        const placed = masks.map((mask, side) => placeImage(mask, data.places[side], null));
        const wings = wingsOf(placed[1], findBack(masks[0], data.places[0], data.facesLeft));
        const outputs = [...pictures, placed[0], wings].map((map) => map.values);
        console.log(JSON.stringify([...outputs, cellShares(wings)].map((values) => [...values])));""",
    )
    for part, values in zip(parts, outputs, strict=True):
        np.testing.assert_allclose(np.ravel(part), values, atol=2e-3 if part is shares else 2e-6)
    assert 0 < shares.mean() < 1 and shares.max() == 1


@pytest.mark.parametrize("network, shape", [("encoder", (8, 8, 3)), ("decoder", (2, 2, 3))])
def test_javascript_runs_networks_as_keras_does(tiny, network, shape):
    network = getattr(tiny[1], network)  # 1 to 8 channels: in fours and what is left over
    heap, inputs = explore.Packer(), np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    steps = heap.network(network.layers)
    expected = np.asarray(network(inputs[None]))[0]
    np.testing.assert_allclose(outputs_in_javascript(heap, steps, inputs), expected, atol=1e-2 * expected.std())


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A function that writes the page of drawn horses and birds and returns its `Placing`."""
    model, placings = SimpleNamespace(**vars(MODEL)), []
    bottleneck = SimpleNamespace(decodes_plainly=True)
    model.autoencoder = SimpleNamespace(**vars(MODEL.autoencoder), bottleneck=bottleneck)
    monkeypatch.setattr(explore, "fitting_classifier", lambda *_: object())
    monkeypatch.setattr(explore, "best_pairs", lambda *_: [])
    monkeypatch.setattr(explore, "bundled_wing_classifier", LightClassifier)
    monkeypatch.setattr(explore, "page", lambda *arguments: placings.append(arguments[-1]) or "")

    def write(has_labels):
        animals = make_bank(make_dataset(), np.arange(7))
        explore.write(tmp_path / "page.html", model, animals, CLASSES, SOURCE, DIGEST, has_labels)
        return placings.pop()

    return write


def test_images_of_ones_own_are_not_labelled_by_their_ids(written):
    """The bank has classes and ids of the tables of labels, but only with CIFAR-10 do they mean anything."""
    assert set(written(True).parents.horses.rows) == {0, 1}
    assert written(False) is None


def test_without_a_plausible_example_there_is_no_second_mode(written, monkeypatch):
    monkeypatch.setattr(scores, "SMALLEST_WINGS", 32 * 32)
    assert written(True) is None


def test_the_best_pairs_are_chosen_by_both_probabilities(tiny):
    codes, _ = tiny

    class Model:
        def decode(self, latents):
            return latents

    class Classifier:
        class_names = ("bird", "frog", "horse")

        def __call__(self, images):
            bright = 1 / (1 + np.exp(-images.sum(axis=(1, 2, 3))))
            return np.stack([bright, 0 * bright, 1 - bright], axis=1), None

    pairs = explore.best_pairs(codes, CLASSES, Model(), Classifier())
    assert len(pairs) == 25 and all(horse % 2 == 1 and bird % 2 == 0 for horse, bird in pairs)
    first, second = (codes.latents[list(column)].astype(np.float32) for column in zip(*pairs, strict=True))
    away = np.abs(np.clip(slerp(first, second, 0.5), -1, 1).sum(axis=(1, 2, 3)))  # 0: one half of each
    assert np.all(np.diff(away) >= -1e-6)
    every = slerp(*(codes.latents[i::2][:6].astype(np.float32) for i in (1, 0)), 0.5)
    assert away[0] <= np.abs(np.clip(every, -1, 1).sum(axis=(1, 2, 3))).min() + 1e-6
