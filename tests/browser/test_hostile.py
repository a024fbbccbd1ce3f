# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of a host are text: nothing runs, nothing is asked for, nothing breaks."""

import re

import pytest
from chromium import wait_until_ready, wait_until_shown
from hostile import STRINGS, fill_document
from shown import save_csv, save_text
from spreadsheet import DELIMITERS, list_formulas

from ansible_collections.oomguard.linux.plugins.plugin_utils.report_page import render_page

GROUPS = [STRINGS[start : start + 11] for start in range(0, len(STRINGS), 11)]
# Nothing else is in the page, whatever the data are.
TAGS = re.compile(
    "a|article|br|button|canvas|caption|d[dlt]|details|dialog|div|footer|form|h[1-4]|head(er)?|html|body|input|label|li"
    "|main|meta|nav|noscript|o[lp]|option|p(re)?|path|rect|script|search|section|select|span|style|summary|svg|table"
    "|tbody|td|th|thead|title|tr|ul"
)
ATTRIBUTES = re.compile(
    r"aria-\w+|data-[\w-]+|autocomplete|charset|class|colspan|content|d|disabled|for|height|hidden|href|http-equiv|id"
    r"|lang|maxlength|name|open|role|rx|scope|spellcheck|style|tabindex|title|type|value|viewBox|width|x|y"
)
CONTENT = """() => [...document.querySelectorAll('*')].map(one => [
    one.tagName.toLowerCase(),
    [...one.attributes].map(attribute => [attribute.name, attribute.value]),
])"""


def open_everything(page):
    """Open all that can be opened, and return the number of hosts that were shown."""
    for summary in page.locator("section summary").all():
        summary.click()
    hosts = page.locator("#hosts-table tbody th button")
    for number in range(hosts.count()):
        hosts.nth(number).click()
        page.locator("#drawer h3").first.wait_for()
        check_content(page)
        page.locator("#drawer-close").click()
    return hosts.count()


def check_content(page):
    for tag, attributes in page.evaluate(CONTENT):
        assert TAGS.fullmatch(tag)
        for name, value in attributes:
            assert ATTRIBUTES.fullmatch(name), (tag, name, value)
            assert name != "href" or value == "#kills-heading"
    assert page.evaluate("document.scripts.length") == 3
    assert page.evaluate("typeof window.canary") == "undefined"


def check_layout(page):
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], wide
    assert page.evaluate("document.querySelector('#drawer').scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("words", GROUPS, ids=lambda words: ascii(words[0])[:30])
def test_inert(opener, words, width):
    page = opener.open(fill_document(words), viewport={"width": width, "height": 900})
    check_content(page)
    check_layout(page)
    assert open_everything(page) == 3
    check_layout(page)
    page.locator("#q").fill(words[0])
    wait_until_shown(page)
    check_content(page)
    check_layout(page)


@pytest.mark.parametrize("word", [word for word in STRINGS if len(word) > 150], ids=lambda word: ascii(word[:4]))
def test_long_words_alone(opener, word):
    page = opener.open(fill_document([word]), viewport={"width": 400, "height": 900})
    check_layout(page)


@pytest.mark.parametrize("words", GROUPS, ids=lambda words: ascii(words[0])[:30])
def test_csv_runs_nothing(opener, words):
    document = fill_document(words)
    page = opener.open(document)
    rows = save_csv(page)
    assert len(rows) == sum(len(host["events"]) for host in document["hosts"])
    for row in rows:
        assert None not in row and None not in row.values()
        assert not re.search(r"[\r\n\0\u202e]", "".join(row.values()))
    text = save_text(page)
    assert [list_formulas(text, delimiter) for delimiter in DELIMITERS] == [[]] * len(DELIMITERS)


def test_reads_as_it_is(opener):
    word = "<b>&amp;'\"</b> \u202e{{x}}"
    page = opener.open(fill_document([word]))
    shown = page.locator("#kills-table tbody th").first.inner_text()
    assert shown == word.replace("\u202e", "\\u202e")
    page.locator("#kills-table tbody th button").first.click()
    for place in ("#kills-table tbody", "#hosts-table tbody", "#changes-table tbody", "#drawer"):
        text = page.locator(place).text_content()
        assert "\\u202e" in text and "\u202e" not in text


def test_numbers_are_numbers(opener):
    document = fill_document(["x"])
    for number, value in enumerate(["<b>", "1", 1e308, 2**63, -1, True, [], {}, None]):
        event = document["hosts"][number % 3]["events"][number // 3]
        event.update(dict.fromkeys(["pid", "victims_count", "limit_kb", "rss_kb", "score", "margin_kb"], value))
        event.update(trusted=value, time=value)
    document["hosts"][0].update(read="0000-99-99T99:99:99Z", room_kb="1", limit_kb=0, unlogged_kills=-5)
    document["hosts"][1].update(next_victim=[], findings={}, changes="x", pins=[None, 1, "x"], lost=[1, None])
    page = opener.open(document)
    check_content(page)
    assert len(save_csv(page)) == 15
    open_everything(page)


# --- the guards themselves --------------------------------------------------------------


def test_the_canary_sings(chromium):
    """A page without our guards runs these words, so the checks above would see it."""
    page = chromium.new_page()
    page.set_content("".join(STRINGS[:19]))
    page.wait_for_function("window.canary === 1")
    page.close()


@pytest.mark.parametrize(
    "attack",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "document.write('x')",
        "new Function('return 1')()",
        "eval('1')",
    ],
)
def test_policy_refuses_markup_and_code(chromium, tmp_path, attack):
    page = open_plainly(chromium, tmp_path)
    # The policy does not hold for what the test itself runs, so a timer of the page runs it.
    outcome = page.evaluate(
        "() => new Promise(done => setTimeout(() => {"
        f" try {{ {attack}; done('done'); }} catch (error) {{ done(error.name); }} }}))"
    )
    assert outcome in ("TypeError", "EvalError")
    page.context.close()


def test_policy_refuses_requests(chromium, tmp_path):
    page = open_plainly(chromium, tmp_path)
    asked = []
    page.context.route("https://**", lambda route: (asked.append(route.request.url), route.abort()))
    outcome = page.evaluate(
        """async () => {
            const image = new Image();
            const failed = new Promise(done => { image.onerror = done; });
            image.src = 'https://oom.invalid/image';
            await failed;
            const script = document.createElement('style');
            script.textContent = '@import "https://oom.invalid/style"';
            document.head.append(script);
            return fetch('https://oom.invalid/data').then(() => 'fetched', error => error.name);
        }"""
    )
    assert (outcome, asked) == ("TypeError", [])
    page.context.close()


def open_plainly(chromium, folder):
    path = folder / "page.html"
    path.write_text(render_page(fill_document(["x"])), encoding="utf-8")
    page = chromium.new_context().new_page()
    page.goto(path.as_uri())
    wait_until_ready(page)
    return page
