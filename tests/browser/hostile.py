# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile words of a host, and documents with one of them in every field."""

from generated_fleet import generate_fleet

RUN = "window.canary=1"
STRINGS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</SCRIPT ><script>{RUN}</script>",
    f"<!--<script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><img src=x onerror={RUN}>',
    f"'><img src=x onerror={RUN}>",
    f"` onmouseover={RUN} x=`",
    f'" onfocus={RUN} autofocus x="',
    f"<svg onload={RUN}>",
    f"<svg><animate onbegin={RUN} attributeName=x></svg>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    "<iframe srcdoc='<script>parent.canary=1</script>'></iframe>",
    '<iframe src="javascript:parent.canary=1"></iframe>',
    "<object data=https://oom.invalid/x></object>",
    "<link rel=stylesheet href=https://oom.invalid/x.css>",
    "<meta http-equiv=refresh content='0;url=https://oom.invalid/'>",
    "<base href=https://oom.invalid/>",
    f"<form action=javascript:{RUN}><button autofocus>x</button></form>",
    "<style>*{background:url(https://oom.invalid/x)}</style>",
    f"javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    "https://oom.invalid/track?x=1",
    "//oom.invalid/x.js",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"#{{{RUN}}}",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "<!--DATA-->",
    "<!--SCRIPTS-->",
    "<!--POLICY-->",
    "&lt;script&gt;&#106;avascript",
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    '=HYPERLINK("https://oom.invalid/","x")',
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\uff1d1+1",
    "x;=1+1",
    "x\t=1+1",
    "x|\"'=1+1",
    'a","b\r\n=1+1',
    "\u202egnissecorp\u202c \u2066x\u2069 \u200f",
    "a\u0000b\u0001\u001b[31mred\u009b2J",
    "\ud800 lone \udfff",
    "line\nline\r\nline\u2028line\u2029line\u0085line",
    "Z" + "\u0301\u0302\u0300\u0316" * 300 + "algo",
    "W" * 5000,
    "word " * 2000,
    "\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627 abc \u05d3",
    "\U0001f4a5" * 200,
    "",
    " ",
]


def fill_document(words):
    """Return a document of three hosts in which every text of a host is made of these words."""
    document = generate_fleet(3, 5)
    fill = _Filler(words)
    for host in document["hosts"]:
        host.update(_fill_row(host, fill, {"name", "reason", "kernel"}))
        host["state"] = "failed"
        host["next_victim"] = _fill_row(host["next_victim"], fill, {"name", "unit", "container"})
        host["lost"] = [fill(), fill()]
        host["findings"] = [_fill_row(host_finding, fill, FINDING) for host_finding in [dict.fromkeys(FINDING)] * 3]
        host["changes"] = [{**_fill_row({}, fill, {"what", "before", "after"}), "seen": document["made"]}]
        host["pins"] = [{**_fill_row({}, fill, {"name", "unit", "container"}), "score": -5}]
        host["killers"] = [{**_fill_row({}, fill, {"name", "unit", "version"}), "active": True, "reads_scores": None}]
        host["sysctls"] = [{**_fill_row({}, fill, {"name", "boot_value_from"}), "live": 0, "boot": None}]
        for event in host["events"]:
            event.update(_fill_row(event, fill, EVENT), trusted=True)
        host["events"][0]["outcome"] = "kill"
    return document


FINDING = {"id", "severity", "object", "message", "fix", "first_seen", "last_seen"}
EVENT = {
    "id",
    "killer",
    "outcome",
    "constraint",
    "name",
    "unit",
    "container",
    "pod",
    "text",
    "why",
    "runner_up",
    "with_todays_pins",
    "with_todays_pins_text",
}


class _Filler:
    def __init__(self, words):
        self._words = words
        self._next = 0

    def __call__(self):
        self._next += 1
        return self._words[(self._next - 1) % len(self._words)]


def _fill_row(row, fill, keys):
    return {**row, **{key: fill() for key in sorted(keys)}}
