"""The explorer page: what it holds, and in a real browser what it draws and says, and that it fetches nothing."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from acai import networks
from acai.latent_bank import LatentBank
from common import release
from common.interpolation import slerp
from pegasus import explore
from tests.support.browsers import open_browser

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
    codes = np.random.default_rng(0).normal(size=(13, 2, 2, 3))
    return bank(codes), networks.decoder(8, 2, 3, 2)


def test_the_page_holds_latents_and_weights(tiny):
    codes, decoder = tiny
    data = data_of(explore.page(SOURCE, DIGEST, codes, CLASSES, decoder))
    read = arrays_of(data)
    assert (data["source"], data["digest"]) == (SOURCE, DIGEST)
    assert sorted(data["sides"][0]) == [1, 3, 5, 7, 9, 11] and sorted(data["sides"][1]) == [0, 2, 4, 6, 8, 10, 12]
    np.testing.assert_array_equal(read(data["latents"]), codes.latents[data["rows"]])
    assert data["images"][3] == ["train", 503] and data["images"][12] == ["holdout", 512]
    steps = [step["op"] for step in data["decoder"]]
    scale = ["convolve", "leaky"] * 2 + ["double"]
    assert steps == scale * 2 + ["convolve", "leaky", "convolve"]
    weights = [read(step[name]) for step in data["decoder"] if "kernel" in step for name in ("kernel", "bias")]
    for ours, theirs in zip(weights, decoder.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.abs(theirs).max())


def test_no_source_name_ends_the_script_and_nothing_is_fetched(tiny):
    text = explore.page(SOURCE, DIGEST, tiny[0], CLASSES, tiny[1])
    assert text.count("</script>") == 2 and "<b>" not in text
    assert "default-src 'none'" in text
    template = explore.TEMPLATE.read_text()
    assert not re.search(r"https?:|fetch\(|XMLHttp|@import|url\(|import\(|<img|<iframe", template)
    assert re.findall(r'(?:src|href)="(.*?)"', template) == ["data:,"]


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_the_script_is_valid_javascript(tmp_path):
    script = tmp_path / "page.js"
    script.write_text(explore.TEMPLATE.read_text().split("<script>")[1].split("</script>")[0])
    result = subprocess.run(["node", "--check", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


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
    with pytest.raises(ValueError, match="AveragePooling2D"):
        heap.network([keras.layers.AveragePooling2D(2)])


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


@pytest.mark.parametrize("action, source", [("explore", "cgan"), ("diagram", "cgan"), ("explore", "classifier")])
def test_only_an_acai_is_explored_or_drawn(action, source):
    result = subprocess.run(
        [sys.executable, "generate.py", f"--{action}", f"--source={source}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "family" in result.stderr and "Traceback" not in result.stderr


# In a browser


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


class Explorer:
    """An open page of a bundled model, and the model itself."""

    def __init__(self, browser, source, folder):
        from acai.inference import ReleasedACAI
        from classifiers.inference import bundled_classifier
        from pictures.acai_plan import make_plan
        from pictures.request import Explore

        plan = make_plan(Explore(source=source), release.resolve(source))
        self.classifier = bundled_classifier("classifier")
        self.bank, self.browser = plan.bank, browser
        self.model = ReleasedACAI(plan.model_config, plan.weights, plan.folder)
        classes, digest = (plan.request.first, plan.request.second), plan.drawn["weights_digest"]
        self.path = explore.write(str(folder / "explore.html"), self.model, self.bank, classes, source, digest)
        browser.get_log("performance")
        browser.get(f"file://{self.path}")
        self.settle()

    def settle(self):
        """Waits until what the page says belongs to what it shows; returns (first row, second row, mix)."""
        for _ in range(600):
            hash_, settled = self.run("return [location.hash, document.body.dataset.settled]")
            shown = self.run("return `#first=${state.rows[0]}&second=${state.rows[1]}&mix=${state.mix}`")
            if hash_ == shown and settled == shown:
                return [float(x) for x in re.findall(r"=([\d.]+)", shown)]
            time.sleep(0.1)
        raise AssertionError(f"not settled: {hash_}, {shown}, {settled}")

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def pixels(self, selector):
        script = """const c = document.querySelector(arguments[0]);
            const {data} = c.getContext("2d").getImageData(0, 0, c.width, c.height);
            return [c.width, c.height, Array.from(data)]"""
        width, height, values = self.run(script, selector)
        return np.array(values).reshape(height, width, 4)[..., :3]

    def expected(self, first, second, mix):
        codes = [self.bank.latents[[int(row)]].astype(np.float32) for row in (first, second)]
        image = self.model.decode(slerp(*codes, mix))[0]
        return np.broadcast_to((np.clip(image, -1, 1) + 1) * 127.5, (32, 32, 3))

    def assert_shows(self, selector, *of):
        picture = self.pixels(selector)
        np.testing.assert_allclose(picture, self.expected(*of), atol=1.5)
        assert picture.std() > 5

    def complaints(self):
        return [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self):
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}


@pytest.fixture(scope="module")
def horses(browser, tmp_path_factory):
    return Explorer(browser, "pegasus", tmp_path_factory.mktemp("explore"))


def assert_probabilities(page):
    shown = page.run("""return [...document.querySelectorAll("#probabilities tr")].map(
        (row) => [row.firstChild.textContent, parseFloat(row.lastChild.textContent) / 100])""")
    picture = page.pixels("#blend canvas").astype(np.float32) / 127.5 - 1
    probabilities = dict(zip(page.classifier.class_names, page.classifier(picture[None])[0][0], strict=True))
    others = sorted(set(probabilities) - {"horse", "bird"}, key=lambda name: -probabilities[name])[:3]
    assert [name for name, _ in shown[:2]] == ["horse", "bird"] and len(shown) == 5
    for name, probability in shown:
        assert probability == pytest.approx(probabilities[name], abs=3e-3), name
    assert {name for name, probability in shown[2:] if probability > 0.01} <= set(others)


def test_slider_blends_as_the_model_does_and_fetches_nothing(horses):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    first, second, mix = horses.settle()
    assert mix == 0.5
    horses.assert_shows("#blend canvas", first, second, 0.5)
    slider = horses.browser.find_element("id", "mix")
    ActionChains(horses.browser).drag_and_drop_by_offset(slider, -slider.size["width"] // 4, 0).perform()
    first, second, dragged = horses.settle()
    assert 0.2 < dragged < 0.3
    horses.assert_shows("#blend canvas", first, second, dragged)
    assert_probabilities(horses)
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    _, _, mix = horses.settle()
    assert mix == pytest.approx(dragged + 0.02)
    assert horses.browser.find_element("id", "share").text == f"{100 - round(100 * mix)} : {round(100 * mix)}"
    horses.assert_shows(".first > canvas", first, second, 0)
    horses.assert_shows(".second > canvas", first, second, 1)
    horses.assert_shows("#strip button:nth-child(4) canvas", first, second, 3 / 8)
    assert horses.requests() == {f"file://{horses.path}"}
    assert horses.complaints() == []


@pytest.mark.slow
def test_parents_are_picked_drawn_and_shared_by_link(horses):
    before = horses.settle()
    horses.browser.find_element("css selector", ".second .bank button:nth-child(7)").send_keys("\n")
    first, second, mix = horses.settle()
    assert first == before[0] and second != before[1]
    horses.assert_shows("#blend canvas", first, second, mix)
    link = horses.browser.find_element("id", "link").get_attribute("href")
    horses.browser.find_element("id", "random").click()
    assert horses.settle()[:2] != [first, second]
    horses.browser.get("about:blank")
    horses.browser.get(link)
    assert horses.settle() == [first, second, mix]
    pressed = horses.browser.find_element("css selector", ".second .bank button[aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == f"bird {int(second)}"
    horses.browser.get("about:blank")
    horses.browser.get(f"file://{horses.path}#first=-1&second=x&mix=7")
    assert horses.settle()[2] == 0.5
    assert os.path.getsize(horses.path) < 7_000_000


@pytest.mark.slow
def test_lines_have_no_classes(browser, tmp_path):
    page = Explorer(browser, "acai_lines", tmp_path)
    first, second, mix = page.settle()
    assert first != second
    page.assert_shows("#blend canvas", first, second, mix)
    assert not browser.find_element("id", "answers").is_displayed()
    assert page.complaints() == []
