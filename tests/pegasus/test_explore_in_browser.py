"""The explorer page in a real browser: what it draws and says, and that it fetches nothing."""

import os

import numpy as np
import pytest

from classifiers.inference import bundled_wing_classifier
from tests.pegasus.explorer import Explorer
from tests.support.browsers import open_browser


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def horses(browser, tmp_path_factory):
    return Explorer(browser, "pegasus", tmp_path_factory.mktemp("explore"), every=8)


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


@pytest.mark.slow
def test_the_page_of_a_whole_bank_is_small(browser, tmp_path):
    assert os.path.getsize(Explorer(browser, "pegasus", tmp_path).path) < 8_000_000


@pytest.mark.slow
def test_lines_have_no_classes(browser, tmp_path):
    page = Explorer(browser, "acai_lines", tmp_path)
    first, second, mix = page.settle()
    assert first != second
    page.assert_shows("#blend canvas", first, second, mix)
    assert not browser.find_element("id", "answers").is_displayed()
    assert page.complaints() == []


# The second mode


@pytest.fixture
def placing(horses):
    """The page in its second mode, at the first example."""
    horses.browser.get("about:blank")
    horses.requests()  # forgets those of other tests
    horses.browser.get(f"file://{horses.path}")
    horses.settle_placed()
    return horses


def assert_placed_picture(page):
    """What the page draws is what a search draws, within a grey level; returns (rows, placements)."""
    rows, placements = page.settle_placed()
    picture = page.pixels("#winged")
    np.testing.assert_allclose(picture, page.expected_placed(rows, placements), atol=1)
    assert picture.std() > 5
    return rows, placements


def test_dragged_bird_is_drawn_as_a_search_draws_it(placing):
    from selenium.webdriver import ActionChains

    rows, (horse, bird) = assert_placed_picture(placing)
    board = placing.browser.find_element("id", "board")
    ActionChains(placing.browser).drag_and_drop_by_offset(board, 24, -11).perform()
    dragged_rows, (dragged_horse, dragged) = assert_placed_picture(placing)
    pixel = 32 / board.size["width"]
    assert (dragged_rows, dragged_horse) == (rows, horse)
    assert dragged.right - bird.right == pytest.approx(24 * pixel, abs=0.02)
    assert dragged.down - bird.down == pytest.approx(-11 * pixel, abs=0.02)
    assert (dragged.scale, dragged.rotation, dragged.mirror) == (bird.scale, bird.rotation, bird.mirror)
    shown = placing.run("""return [...document.querySelectorAll("#wing-scores tr")].map(
        (row) => [row.firstChild.textContent, parseFloat(row.lastChild.textContent) / 100])""")
    picture = placing.pixels("#winged").astype(np.float32) / 127.5 - 1
    probabilities = bundled_wing_classifier().probabilities(picture[None])[0]
    assert [name for name, _ in shown] == ["horse", "spread wings"]
    np.testing.assert_allclose([probability for _, probability in shown], probabilities, atol=3e-3)
    assert placing.requests() == {f"file://{placing.path}"}
    assert placing.complaints() == []


@pytest.mark.slow
def test_keys_wheel_sliders_and_fingers_place_both_animals(placing):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.keys import Keys

    _, (horse, bird) = placing.settle_placed()
    board = placing.browser.find_element("id", "board")
    board.send_keys("m", "]", Keys.ARROW_UP, Keys.ARROW_LEFT)
    _, (_, moved) = placing.settle_placed()
    assert (moved.mirror, moved.scale) == (not bird.mirror, bird.scale)
    changes = [moved.rotation - bird.rotation, moved.down - bird.down, moved.right - bird.right]
    np.testing.assert_allclose(changes, [-5, -1, -1], atol=1e-3)
    ActionChains(placing.browser).scroll_from_origin(ScrollOrigin.from_element(board), 0, -100).perform()
    _, (_, larger) = placing.settle_placed()
    assert larger.scale == pytest.approx(bird.scale * 2**0.2, abs=2e-3)
    placing.browser.find_element("id", "rotation").send_keys(Keys.ARROW_RIGHT)
    _, (_, turned) = placing.settle_placed()
    assert turned.rotation == pytest.approx(moved.rotation + 1, abs=0.51)  # the slider's steps are whole degrees
    spread_fingers(placing.browser, board, [(-40, 0), (40, 0)], [(0, 60), (0, -60)])
    _, (_, pinched) = placing.settle_placed()
    assert pinched.scale == pytest.approx(larger.scale * 1.5, rel=0.02)
    assert pinched.rotation == pytest.approx(turned.rotation + 90, abs=2)
    assert (pinched.down, pinched.right) == (turned.down, turned.right)
    placing.browser.find_element("css selector", "#moving button[value='0']").click()
    ActionChains(placing.browser).drag_and_drop_by_offset(board, 0, 10).perform()
    _, (lower, unmoved) = placing.settle_placed()
    assert unmoved == pinched and lower.down > horse.down and lower.right == horse.right
    assert placing.complaints() == []


def spread_fingers(browser, element, begin, end):
    """Puts two fingers onto an element and moves them; positions are offsets (x, y) from its centre."""
    from selenium.webdriver.common.action_chains import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    fingers = [PointerInput("touch", f"finger {i}") for i in range(2)]
    actions = ActionBuilder(browser, mouse=fingers[0])
    actions.devices.append(fingers[1])
    for finger, start, stop in zip(fingers, begin, end, strict=True):
        finger.create_pointer_move(duration=0, x=start[0], y=start[1], origin=element)
        finger.create_pointer_down(button=0)
        finger.create_pointer_move(duration=300, x=stop[0], y=stop[1], origin=element)
        finger.create_pointer_up(button=0)
    actions.perform()


@pytest.mark.slow
def test_another_pair_is_placed_and_shared_by_link(placing):
    before, _ = placing.settle_placed()
    placing.browser.find_element("css selector", "#place-mode .second .bank button[aria-pressed=false]").send_keys(
        "\n"
    )
    rows, _ = assert_placed_picture(placing)
    assert rows[0] == before[0] and rows[1] != before[1]
    placing.browser.find_element("css selector", "#place-mode .first .bank button[aria-pressed=false]").send_keys(
        "\n"
    )
    rows, placements = assert_placed_picture(placing)
    link = placing.browser.find_element("id", "wings-link").get_attribute("href")
    placing.browser.find_element("id", "example").click()
    assert placing.settle_placed()[0] != rows
    placing.browser.get("about:blank")
    placing.browser.get(link)
    assert placing.settle_placed() == (rows, placements)
    placing.browser.get("about:blank")
    placing.browser.get(f"file://{placing.path}#horse=x&bird=-1,2")  # invalid values change nothing
    assert placing.settle_placed()[0] == before
    placing.browser.find_element("css selector", "#modes button[value=mix]").click()
    first, second, mix = placing.settle()
    placing.assert_shows("#blend canvas", first, second, mix)
    placing.browser.find_element("css selector", "#modes button[value=place]").click()
    assert placing.settle_placed()[0] == before
    assert placing.complaints() == []
