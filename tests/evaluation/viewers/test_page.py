"""The page in a real browser: a viewer names the pictures, goes back, and saves a file that is tallied."""

import json
import shutil
import subprocess
import time

import numpy as np
import pytest

from evaluation.viewers import rounds, tally
from tests.support.browsers import open_browser
from tests.support.viewer_rounds import photographs, read_key, shown_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    horses, birds = (photographs().select((name,)) for name in ("horse", "bird"))
    rounds.write_round(folder, shown_pictures(1), horses, birds, {}, seed=0)  # two sheets
    return folder


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_the_script_is_valid_javascript(tmp_path):
    script = tmp_path / "page.js"
    script.write_text(rounds.TEMPLATE.read_text().split("<script>")[1].split("</script>")[0])
    result = subprocess.run(["node", "--check", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def wait_for(path):
    for _ in range(100):
        if path.exists():
            return json.loads(path.read_text())
        time.sleep(0.1)
    raise AssertionError(f"no {path.name}, but {[file.name for file in path.parent.iterdir()]}")


def assert_shows(browser, entry):
    """The page shows the picture of an entry of the key, whose colour its digest tells."""
    script = """const image = document.getElementById("picture"), canvas = document.createElement("canvas");
        await image.decode();
        canvas.getContext("2d").drawImage(image, 0, 0);
        return [image.naturalWidth, ...canvas.getContext("2d").getImageData(96, 96, 1, 1).data]"""
    width, *colour, _ = browser.execute_script(script)
    assert width == rounds.TILE
    assert rounds.Picture("", "", np.full((32, 32, 3), colour, np.uint8)).digest == entry["picture"]


def test_a_viewer_names_the_pictures_and_saves_the_answers(folder, tmp_path):
    url, entries = f"file://{folder}/ask/page.html", read_key(folder)["pictures"]
    with open_browser(tmp_path) as browser:
        from selenium.webdriver.common.keys import Keys

        browser.get(url)
        assert browser.title == "What is this?"
        at = {name: browser.find_element("id", name) for name in ("answer", "place", "back", "end", "viewer")}
        assert at["place"].text == "1 of 50" and not at["back"].is_enabled() and not at["end"].is_displayed()
        at["answer"].send_keys(Keys.ENTER)  # nothing was written
        assert at["place"].text == "1 of 50"
        at["answer"].send_keys("a first thought", Keys.ENTER)
        assert at["place"].text == "2 of 50" and at["answer"].get_attribute("value") == ""
        at["answer"].send_keys("a second")
        at["back"].click()
        assert at["answer"].get_attribute("value") == "a first thought"
        at["answer"].send_keys(Keys.ENTER)
        assert at["answer"].get_attribute("value") == "a second"
        at["answer"].clear()
        at["back"].click()
        at["answer"].clear()
        for entry in entries:
            assert at["place"].text == f"{entry['number']} of 50"
            assert_shows(browser, entry)
            at["answer"].send_keys(f'"{entry["kind"]}" & é {entry["name"]}', Keys.ENTER)
        assert at["end"].is_displayed() and not at["answer"].is_displayed()
        at["viewer"].send_keys("Zoë / A", Keys.ENTER)
        content = wait_for(tmp_path / "answers-Zoë-A.json")
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        requests = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
        assert {request for request in requests if not request.startswith(("data:", "blob:"))} == {url}
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert (content["viewer"], content["viewer_kind"]) == ("Zoë / A", "person")
    expected = [f'"{entry["kind"]}" & é {entry["name"]}' for entry in entries]
    assert [entry["answer"] for entry in content["answers"]] == expected
    sections, _ = tally.tally_files(folder, [str(tmp_path / "answers-Zoë-A.json")])
    figures = {estimate.name: estimate.value for estimate in sections[0].estimates}
    assert figures == {"winged_horse_1": 0, "wings_1": 0, "horse_1": 0, "decoys_winged_horse_49": 0}
