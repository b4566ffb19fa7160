"""An explorer page of a bundled model, open in a browser, and what it should show."""

import json
import re
import time

import numpy as np

from acai.latent_bank import LatentBank
from common import release
from common.interpolation import slerp
from pegasus import candidates, explore
from pegasus.blending import blend_cells
from pegasus.parents import prepare_parents
from pegasus.placement import Placement


class Explorer:
    """An open page of a bundled model with one in `every` rows of its bank, and the model itself."""

    def __init__(self, browser, source, folder, every=1):
        from acai.inference import ReleasedACAI
        from classifiers.inference import bundled_classifier
        from pictures.acai_plan import make_plan
        from pictures.request import Explore

        plan = make_plan(Explore(source=source), release.resolve(source))
        self.classifier = bundled_classifier("classifier")
        columns = {name: array[::every] for name, array in plan.bank.arrays().items() if name != "class_names"}
        self.bank, self.browser = LatentBank(**columns, class_names=plan.bank.class_names), browser
        self.model = ReleasedACAI(plan.model_config, plan.weights, plan.folder)
        classes, digest = (plan.request.first, plan.request.second), plan.drawn["weights_digest"]
        parts = self.model, self.bank, classes, source, digest, plan.has_labels
        self.path = explore.write(str(folder / "explore.html"), *parts)
        browser.get_log("performance")
        browser.get(f"file://{self.path}#mix=0.5")
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

    def settle_placed(self):
        """As `settle`, of the second mode; returns ([horse's row, bird's row], their [Placement, Placement])."""
        for _ in range(600):
            hash_, settled, shown = self.run("return [location.hash, document.body.dataset.settled, placedHash()]")
            if hash_ == settled == shown:
                numbers = [[float(x) for x in part.split(",")] for part in re.findall(r"=([-\d.,]+)", shown)]
                placements = [Placement(*values[1:5], mirror=bool(values[5])) for values in numbers]
                return [int(values[0]) for values in numbers], placements
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

    def expected_placed(self, rows, placements):
        """The picture of a horse and a bird in their places, grey levels [H, W, C], as a search makes it."""
        columns = (
            column[rows] for column in (self.bank.latents, self.bank.labels, self.bank.ids, self.bank.splits)
        )
        parents = prepare_parents(self.model, LatentBank(*columns, self.bank.class_names))
        outline, faces_left = parents.horses.outlines[0], parents.horses.labels[0].head == "left"
        along = np.mean(candidates.ALONG)
        back = candidates.find_back(outline, faces_left, placements[0], along, parents.horses.masks.shape[1:])
        composition = candidates.compose(parents, [candidates.Candidate(0, 0, tuple(placements), *back)])
        first, second = self.model.encode(composition.first), self.model.encode(composition.second)
        shares = candidates.cell_shares(composition.wings, first.shape[1:3])
        assert shares.max() > 0.5  # there are wings
        picture = self.model.decode(blend_cells(first, second, shares))[0]
        return np.round((np.clip(picture, -1, 1) + 1) * 127.5)

    def complaints(self):
        return [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self):
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
