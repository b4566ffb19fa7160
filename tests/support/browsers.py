"""A real browser without a window, for tests of pages; they skip where there is none."""

import contextlib
import shutil

import pytest


@contextlib.contextmanager
def open_browser(download_folder=None):
    """Yields a selenium driver of Chromium that logs requests and errors.

    Args:
        download_folder: where files are saved without a question; None: downloads are not expected.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install -e .[browser]")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with its chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1000"):
        options.add_argument(flag)
    if download_folder:
        options.add_experimental_option("prefs", {"download.default_directory": str(download_folder)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()
