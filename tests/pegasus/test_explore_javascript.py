"""The explorer page's JavaScript, run by node: it is valid, and computes what the Python code computes."""

import json
import shutil
import subprocess
from dataclasses import asdict

import keras
import numpy as np
import pytest

from acai.autoencoder import Autoencoder
from classifiers.networks import plain
from pegasus import candidates, explore
from pegasus.foreground import outline
from pegasus.labels import BirdWings, HorseSideView
from pegasus.parents import Animals, Parents
from pegasus.placement import Placement

MAIN_SCRIPT = explore.TEMPLATE.read_text().split("<script>")[1].split("</script>")[0]
PLACING_SCRIPT = explore.PLACING_SCRIPT.read_text()
NETWORKS = MAIN_SCRIPT.split("// Latents and pictures.")[0]  # defines `data`, `unpack`, `run` and what they need
PLACEMENT = PLACING_SCRIPT.split("// Arithmetic.")[1].split("// Parents in their")[0]


def run_javascript(script):
    """Runs JavaScript in node and returns what it prints as JSON."""
    if not shutil.which("node"):
        pytest.skip("no node on this machine")
    result = subprocess.run(["node", "-"], input=script, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def run_in_page(data, program):
    """Runs JavaScript after the parts of the page's scripts that only compute; `data` is the page's data."""
    text = json.dumps(json.dumps(data))
    document = f"const document = {{getElementById: () => ({{textContent: {text}}})}};"
    return run_javascript("\n".join((document, NETWORKS, PLACEMENT, program)))


@pytest.mark.parametrize("script", [MAIN_SCRIPT, PLACING_SCRIPT], ids=["main", "placing"])
def test_the_scripts_are_valid(script):
    run_javascript(f"new (require('vm').Script)({json.dumps(script)}); console.log(0)")


# Networks


def make_network(name):
    """An encoder, decoder or classifier whose biases and statistics have an effect."""
    keras.utils.set_random_seed(0)
    autoencoder = Autoencoder(width=8, latent_width=2, latent_channels=3, depth=2)
    classifier = plain(width=16, channels=(5, 6, 7), classes=4)
    network = {"encoder": autoencoder.encoder, "decoder": autoencoder.decoder, "classifier": classifier}[name]
    random = np.random.default_rng(0)
    for weight in network.weights:
        if weight.name == "moving_variance":
            weight.assign(random.uniform(0, 1e-4, weight.shape))  # not much more than epsilon
        elif len(weight.shape) == 1:
            weight.assign(random.normal(0, 0.3, weight.shape))
    return network


@pytest.mark.parametrize("name", ["encoder", "decoder", "classifier"])
def test_networks_compute_what_keras_computes(name):
    """Up to the rounding of kernels to float16."""
    network, packer = make_network(name), explore.Packer()
    inputs = np.random.default_rng(1).uniform(-1, 1, network.input_shape[1:]).astype(np.float32)
    expected = network(inputs[None])
    expected = np.asarray(expected["logits"] if name == "classifier" else expected)[0]
    height, width, channels = inputs.shape
    data = {"steps": packer.network(network.layers), "values": inputs.ravel().tolist()}
    outputs = run_in_page(
        data | {"heap": packer.base64()},
        f"const inputs = {{h: {height}, w: {width}, c: {channels}, values: Float32Array.from(data.values)}};"
        "console.log(JSON.stringify([...run(unpack(data.steps), inputs).values]))",
    )
    np.testing.assert_allclose(outputs, expected.ravel(), atol=1e-2 * expected.std())


# Placement


def make_animals(label, random):
    """Animals of one picture of noise; its mask is an ellipse with a soft rim and a square head on the left."""
    down, right = np.mgrid[:32, :32]
    distance = np.hypot((down - 18) / 6, (right - 13) / 9)
    mask = np.float32(np.clip(4 * (1.1 - distance), 0, 1))
    mask[9:18, 3:6] = 1
    image = np.float32(random.uniform(-1, 1, (32, 32, 3)))
    return Animals([label], np.array([7]), image[None], mask[None], [outline(mask)], image.mean((0, 1))[None])


def compose_in_python(parents, faces_left, horse, bird):
    """What a search makes of a placed horse and a placed bird, {name: array}."""
    along, outline = np.mean(candidates.ALONG), parents.horses.outlines[0]
    back = candidates.find_back(outline, faces_left, horse, along, (32, 32))
    composition = candidates.compose(parents, [candidates.Candidate(0, 0, (horse, bird), *back)])
    return {
        "horse": composition.first,
        "bird": composition.second,
        "horse mask": composition.horses,
        "wings": composition.wings,
        "cell shares": candidates.cell_shares(composition.wings, (8, 8)),
    }


def compose_in_javascript(parents, faces_left, horse, bird):
    """The same by the page's script."""
    animals = parents.horses, parents.birds
    data = {
        "heap": "",
        "placing": explore.placing_constants(),
        "placements": [asdict(horse), asdict(bird)],
        "images": [group.images.ravel().tolist() for group in animals],
        "masks": [group.masks.ravel().tolist() for group in animals],
        "facesLeft": faces_left,
    }
    program = """const SIDE = 32, MIDDLE = 15.5, height = 8, width = 8;
        const toMap = (values, c) => ({h: SIDE, w: SIDE, c, values: Float32Array.from(values)});
        const [horse, bird] = data.placements;
        const [horseImage, birdImage] = data.images.map((values) => toMap(values, 3));
        const [horseMask, birdMask] = data.masks.map((values) => toMap(values, 1));
        const back = findBack(horseMask, horse, data.facesLeft);
        const wings = wingsOf(placeImage(birdMask, bird, null), back);
        console.log(JSON.stringify({
          "horse": [...placeImage(horseImage, horse, blur(horseImage)).values],
          "bird": [...placeImage(birdImage, bird, blur(birdImage)).values],
          "horse mask": [...placeImage(horseMask, horse, null).values],
          "wings": [...wings.values],
          "cell shares": [...cellShares(wings)],
        }));"""
    return run_in_page(data, program)


@pytest.mark.parametrize(
    ("head", "horse", "bird"),
    [
        ("left", Placement(0.8, 4.2, 1.5), Placement(1.3, -6.4, 2.1, rotation=25.5)),
        ("left", Placement(0.7, 3, -2, mirror=True), Placement(0.6, -2.75, 6, rotation=-140, mirror=True)),
        ("right", Placement(1.2, 3), Placement(2.2, -9, -4, mirror=True)),
        ("right", Placement(0.9, 1.3, 12, mirror=True), Placement(down=-8, right=10)),
    ],
)
def test_parents_are_placed_as_a_search_places_them(head, horse, bird):
    random = np.random.default_rng(2)
    horses = make_animals(HorseSideView(1, head, "white", True), random)
    birds = make_animals(BirdWings(2, "spread", "white", True), random)
    parents = Parents(horses, birds, "reconstructions")
    expected = compose_in_python(parents, head == "left", horse, bird)
    outputs = compose_in_javascript(parents, head == "left", horse, bird)
    assert 0 < expected["cell shares"].mean() < 1 and expected["cell shares"].max() == 1
    for name, values in outputs.items():
        tolerance = 2e-3 if name == "cell shares" else 2e-6  # shares are rounded to thousandths
        np.testing.assert_allclose(values, expected[name].ravel(), atol=tolerance, err_msg=name)
