"""A model and a bank of the Hub, chosen on the page: bytes while it comes, and its commit in the certificate."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from psmooth.denoise import find_denoiser
from psmooth.hub import Hub
from psmooth.learning import TrainingConfig, learn_bank
from psmooth.models import load_model
from psmooth.prompts.hub import publish
from psmooth.tasks import TASKS
from tests.browser.conftest import OVER
from tests.hub.bank_server import BankHub, bank_hub, page_beside
from tests.serving import Server

REPO = "somebody/tiny"


@pytest.fixture(scope="module")
def hub(tiny_model_folder: Path) -> Iterator[BankHub]:
    with bank_hub() as hub:
        hub.repos[REPO] = {file.name: file.read_bytes() for file in tiny_model_folder.iterdir()}
        yield hub


@pytest.fixture(scope="module")
def hub_page(hub: BankHub, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return page_beside(hub, f"local-dir:{tiny_model_folder}", tmp_path_factory.mktemp("hub") / "home")


def choose_model(page: Page, name: str) -> None:
    box = page.locator("#ps-question-card input[aria-label='Med-VLM']")
    box.fill(name)
    box.press("Enter")


def test_a_model_of_the_hub_comes_with_its_bytes_and_is_pinned_in_the_certificate(
    browser: Browser, hub: BankHub, hub_page: Server, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.goto(hub_page.url)
    page.wait_for_selector(OVER, timeout=180_000)
    hub.pause = 2.0
    choose_model(page, f"hf-hub:{REPO}")
    page.click("#ps-certify")
    expect(page.locator(".ps-stage .ps-line")).to_contain_text("Downloading", timeout=180_000)
    expect(page.locator(".ps-stage .ps-line")).to_contain_text(" MB of ", timeout=180_000)
    hub.hurry.set()
    page.wait_for_selector(".ps-stage[data-state=estimating]," + OVER, timeout=180_000)
    page.wait_for_selector(OVER)
    commit = hub.commit(REPO)
    assert commit[:8] in page.inner_text(".ps-facts")
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(tmp_path / "c.json")
    model = json.loads((tmp_path / "c.json").read_text())["model"]
    assert model["weights"] == f"hf-hub:{REPO}@{commit}"
    assert model["revision"] == commit
    page.close()


def test_a_repository_that_is_not_there_and_a_folder_of_the_server_are_refused_in_words(
    browser: Browser, hub_page: Server
) -> None:
    page = browser.new_page()
    page.goto(hub_page.url)
    page.wait_for_selector(OVER, timeout=180_000)
    for name, words in (("hf-hub:nobody/nothing", "no repository"), ("local-dir:/etc", "no such model in the menu")):
        choose_model(page, name)
        page.click("#ps-certify")
        page.wait_for_selector(".ps-stage[data-state=failed]", timeout=30_000)
        expect(page.locator("p.ps-sentence").first).to_contain_text(words)
    page.close()


def test_banks_of_the_hub_join_the_menu(browser: Browser, hub: BankHub, hub_page: Server, tmp_path: Path) -> None:
    model = load_model(f"hf-hub:{REPO}", "cpu", hub=Hub(endpoint=hub.address, cache=tmp_path / "cache"))
    crops = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    course = TrainingConfig("label_free_probe", find_denoiser("none"), steps=2, copies=1)
    *_, (_, bank) = learn_bank(model, TASKS["blood_cells"], course, crops, None)
    assert bank is not None
    (tmp_path / "banks").mkdir()
    bank.save(tmp_path / "banks" / "probe.safetensors")
    publish(tmp_path / "banks", "somebody/banks", hub=Hub(endpoint=hub.address, token="hf_test"))
    page = browser.new_page()
    page.goto(hub_page.url)
    page.wait_for_selector(OVER, timeout=180_000)
    choose_model(page, f"hf-hub:{REPO}")
    page.click("text=More")
    page.locator("#ps-bank-repo input, #ps-bank-repo textarea").first.fill("somebody/banks")
    page.click("#ps-bank-fetch")
    expect(page.locator("#ps-bank-said")).to_contain_text("1 banks of somebody/banks @", timeout=30_000)
    page.click("#ps-certify")
    page.wait_for_function("document.querySelector('.ps-facts').textContent.includes('somebody/banks/probe')")
    page.wait_for_selector(OVER)
    page.close()
