"""Looks at the page in headless Chromium, as a person would.

Arguments: the view, the proxy's URL, its token, and the folder for images."""

import shutil
import sys

from playwright.sync_api import expect, sync_playwright

VIEW, URL, TOKEN, IMAGES = sys.argv[1:]
WIDE = {"width": 1280, "height": 1100}
NARROW = {"width": 400, "height": 800}


def wait_for(what):
    print(what, flush=True)
    sys.stdin.readline()


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def save(page, name):
    page.screenshot(path=f"{IMAGES}/{name}.png")


def sees(page):
    page.goto(URL)
    expect(page.locator("#connection")).to_have_text("live")
    money = page.locator("#money")
    expect(money).to_contain_text("Saved")
    expect(money).to_contain_text(" %)")
    expect(page.locator("#models")).to_contain_text("claude-opus-4-6")
    turns = page.locator("#turns tbody tr")
    expect(turns).to_have_count(8)
    expect(turns.first).to_contain_text("compressed")
    page.set_viewport_size({"width": 1280, "height": 900})
    save(page, "light")
    page.set_viewport_size(WIDE)

    # A conversation opens by the keyboard, and what its blocks look like, too.
    page.locator("#conversations summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#conversations .timeline li")).to_have_count(4)
    compressed = page.locator("#conversations details details summary", has_text="saved)").first
    compressed.focus()
    page.keyboard.press("Enter")
    texts = page.locator(".texts")
    expect(texts).to_contain_text("As the client sent it")
    expect(texts).to_contain_text("As it went out")
    equal(page.evaluate("document.activeElement.tagName"), "SUMMARY")
    texts.scroll_into_view_if_needed()
    save(page, "conversation")

    print("sees a new turn", flush=True)
    expect(turns).to_have_count(9)
    expect(texts).to_be_visible()


def drops(page):
    page.goto(f"{URL}/dashboard")
    dead = page.locator("#dead")
    expect(dead).to_contain_text("version 99")
    save(page, "dark")
    dead.get_by_role("button", name="Replay").click()
    answer = page.locator("#queue-answer")
    expect(answer).to_contain_text("token")
    # As the address that the proxy prints has it.
    page.goto("about:blank")
    page.goto(f"{URL}/#token={TOKEN}")
    expect(dead).to_contain_text("version 99")
    assert "token" not in page.url, "the token does not stay in the address"
    dead.get_by_role("button", name="Replay").click()
    expect(answer).to_contain_text("version 99")
    page.on("dialog", lambda dialog: dialog.accept())
    dead.get_by_role("button", name="Drop").click()
    expect(dead).to_have_text("None.")
    expect(answer).to_contain_text("is dropped")


def narrow(page):
    page.goto(URL)
    expect(page.locator("#money")).to_contain_text("$")
    page.locator("#conversations summary").first.click()
    expect(page.locator("#conversations .timeline")).to_be_visible()
    element = "document.documentElement"
    equal(page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"), 0)
    save(page, "narrow")
    wait_for("sees that Redis is away")
    expect(page.locator("#queue-problem")).to_contain_text("can't be read")
    print("sees that the proxy is away", flush=True)
    expect(page.locator("#connection")).to_contain_text("does not answer")


def hostile(page):
    page.goto(URL)
    expect(page.locator("#turns tbody")).to_contain_text("<i onmouseover")
    page.locator("#conversations summary").first.click()
    page.locator("#conversations details details summary", has_text="text").last.click()
    expect(page.locator(".texts")).to_contain_text("<img src=x")
    equal(page.title(), "Headroom")


with sync_playwright() as playwright:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    page = browser.new_page(
        viewport=NARROW if VIEW == "narrow" else WIDE,
        color_scheme="dark" if VIEW == "drops" else "light",
    )
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    {"sees": sees, "drops": drops, "narrow": narrow, "hostile": hostile}[VIEW](page)
    equal(errors, [])
    browser.close()
