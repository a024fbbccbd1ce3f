# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep pictures of the page to be looked at, and check that nothing is wider than the screen."""

import pytest
from generated_fleet import generate_fleet

HOSTS = 300


@pytest.fixture(scope="module")
def large_fleet():
    return generate_fleet(HOSTS, 3, seed=7, even=False)


def check_width(page):
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


def take_picture(page, path):
    """Take a picture of the whole page, with a layout for all of it."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height + 2000})
    page.wait_for_timeout(400)
    page.screenshot(path=path, full_page=True)


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("wide", 1400, "light"),
        ("wide", 1400, "dark"),
        ("middle", 900, "light"),
        ("narrow", 400, "light"),
        ("narrow", 400, "dark"),
    ],
)
def test_page(opener, large_fleet, pictures, name, width, scheme):
    page = opener.open(large_fleet, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.screenshot(path=pictures / f"{name}-{scheme}-top.png")
    check_width(page)
    take_picture(page, pictures / f"{name}-{scheme}.png")


def test_columns_are_wide_enough(opener, large_fleet):
    page = opener.open(large_fleet, viewport={"width": 1200, "height": 900})
    check_width(page)
    cut = page.evaluate(
        "[...document.querySelectorAll('.cards td, .cards th')]"
        ".filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.outerHTML)"
    )
    assert cut == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 400)])
def test_drawer(opener, large_fleet, pictures, scheme, width):
    host = max(large_fleet["hosts"], key=lambda one: (len(one["findings"]), len(one["events"])))
    state = f"#open={host['name']}"
    page = opener.open(large_fleet, state, color_scheme=scheme, viewport={"width": width, "height": 1000})
    check_width(page)
    box = page.locator("#drawer").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    page.screenshot(path=pictures / f"drawer-{width}-{scheme}.png")


def test_print(opener, large_fleet, pictures):
    page = opener.open(large_fleet, "#q=redis")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    take_picture(page, pictures / "print.png")
    pdf = page.pdf(path=pictures / "print.pdf", format="A4", landscape=True)
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
