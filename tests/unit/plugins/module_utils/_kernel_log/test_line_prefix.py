# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands before a message: stamps, hosts and tags of all kinds."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import parse_lines
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import parse_text_line
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import Record, parse_kmsg_line

LINES = {
    "[  123.456789] text": (123.456789, None, None),
    "[   37.052923][ T9185] text": (37.052923, None, None),
    "[Tue Mar 11 10:16:36 2025] text": (None, None, None),
    "[Di Aug 12 10:16:36 2025] text": (None, None, None),
    "2024-04-29T14:55:41,678628+02:00 text": (None, "2024-04-29T12:55:41.678628Z", None),
    "kern  :err   : [   53.649722] text": (53.649722, None, True),
    "user  :warn  : [   53.649722] text": (53.649722, None, False),
    "<4>[   53.649722] text": (53.649722, None, None),
    "<12>[   53.649722] text": (53.649722, None, False),
    "Nov 23 04:43:46 host kernel: text": (None, None, None),
    "Nov 23 04:43:46.123456 host kernel: [    1.500000] text": (1.5, None, None),
    "ноя 23 04:43:46 host kernel: text": (None, None, None),
    "Nov 23 04:43:46 kernel: text": (None, None, None),
    "Nov 23 04:43:46 host kernel[383]: text": (None, None, False),
    "Nov 23 04:43:46 host logger: text": (None, None, False),
    "Mon 2026-11-23 04:43:46 UTC host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "2026-11-23T04:43:46+0000 host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "2026-07-11T05:57:14.911583+00:00 host kernel: text": (None, "2026-07-11T05:57:14.911583Z", None),
    "2026-07-11T05:57:14-03:30 host kernel: text": (None, "2026-07-11T09:27:14Z", None),
    "2026-13-41T05:57:14Z host kernel: text": (None, None, None),
    "<4>1 2026-07-11T05:57:14Z host kernel - - - text": (None, "2026-07-11T05:57:14Z", None),
    "<13>1 2026-07-11T05:57:14Z host app 7 - [a b] text": (None, "2026-07-11T05:57:14Z", False),
    "2026-07-11T05:57:14Z stdout F text": (None, "2026-07-11T05:57:14Z", None),
    "2026-07-11T05:57:14Z host - text": (None, "2026-07-11T05:57:14Z", None),
    "2026-07-11T05:57:14Z In(05) vcpu-5 - Guest: <4>[39261021.09] text": (39261021.09, "2026-07-11T05:57:14Z", None),
    "> >  text": (None, None, None),
    "[   12.345678] host kernel: text": (12.345678, None, None),
    "[   12.345678] host mallory[7]: text": (12.345678, None, False),
    "[   12.345678] host kernel[7]: text": (12.345678, None, False),
    "[   12.345678] fe80::1 kernel: text": (12.345678, None, None),
    "[   12.345678 <    0.000012>] text": (12.345678, None, None),
    "[Tue Mar 11 10:16:36 2025 <    0.000012>] text": (None, None, None),
    "[  +0.000012] text": (None, None, None),
    "[Aug12 10:16] text": (None, None, None),
    "[ 8\u670812 10:16] text": (None, None, None),
    "[12ao\u00fbt 10:16] text": (None, None, None),
    "[12. Aug 10:16] text": (None, None, None),
    "[12aug 10.16] text": (None, None, None),
    "[ 8\u670812\u65e5 10:16] text": (None, None, None),
    "[dim. 12 ao\u00fbt 10:16:36 2025] text": (None, None, None),
    "[Di, 12. Aug 2025, 10:16:36] text": (None, None, None),
    "[tis 12 aug 2025 10.16.36] text": (None, None, None),
    "[ 8\u670812\u65e5(\u706b) 10:16:36 2025] text": (None, None, None),
    "[ 8\uc6d4 12\uc77c (\ud654) 10:16:36] text": (None, None, None),
    "[\u4e00 3\u6708 11 10:16:36 2025] text": (None, None, None),
    "[\ud654  3\uc6d4 11 10:16:36 2025] text": (None, None, None),
    "11\u6708 23 04:43:46 host kernel: [   12.345678] text": (12.345678, None, None),
    "11\u6708 23 04:43:46 host mallory: text": (None, None, False),
    "1795409025.649722 host kernel: text": (None, "2026-11-23T04:43:45.649722Z", None),
    "1795409025.649722 host mallory[7]: text": (None, "2026-11-23T04:43:45.649722Z", False),
    "Aug 12 10:16:36 host kern.err kernel: [   12.345678] text": (12.345678, None, None),
    "Aug 12 10:16:36 host user.err kernel: text": (None, None, False),
    "Aug 12 10:16:36 host kern.err mallory: text": (None, None, False),
    "Aug 12 10:16:36 host kern.err kernel[7]: text": (None, None, False),
    "Mon Aug 12 10:16:36 2024 kern.err kernel: [   12.345678] text": (12.345678, None, None),
    "Mon Aug 12 10:16:36 2024 user.notice mallory: text": (None, None, False),
    "Aug 12 10:16:36 db.err kernel: text": (None, None, None),
    "Aug 12 10:16:36 2001:db8::7 kernel: text": (None, None, None),
    "Aug 12 10:16:36 2001:db8::7 mallory: text": (None, None, False),
    "Aug 12 10:16:36 host kernel:[   12.345678] text": (12.345678, None, None),
    "Aug 12 10:16:36 host mallory:[   12.345678] text": (12.345678, None, False),
    "kernel: [   12.345678] text": (12.345678, None, None),
    "kernel: text": (None, None, None),
    "[   12.345678] kernel: text": (12.345678, None, None),
    "[   12.345678] mallory[7]: text": (12.345678, None, False),
    "[   12.345678 <    0.000012 >] host kernel: text": (12.345678, None, None),
    "[   12.345678 <    0.000012*>] host kernel: text": (12.345678, None, None),
    "[   12.345678                ] host kernel: text": (12.345678, None, None),
    "Mon 2026-11-23 04:43:46 CET host kernel: text": (None, None, None),
    "Mon 2026-11-23 04:43:46 EDT host mallory[7]: text": (None, None, False),
    "Mon 2026-11-23 04:43:46 +08 host kernel: text": (None, "2026-11-22T20:43:46Z", None),
    "Mon 2026-11-23 04:43:46 CET kernel: text": (None, None, None),
    "Mon 2026-11-23 04:43:46 CET mallory: text": (None, None, False),
    "Nov 23 04:43:46: text": (None, None, None),
    "Nov 23 04:43:46 <hostname> kernel: text": (None, None, None),
    "Nov 23 04:43:46 [redacted] mallory[7]: text": (None, None, False),
    "Nov 23 04:43:46.649722 sonic ERR kernel: [   12.345678] text": (12.345678, None, None),
    "2026 Nov 23 04:43:46.649722 sonic NOTICE mallory: text": (None, None, False),
    "Nov 23 04:43:46 host [   12.345678] text": (12.345678, None, None),
    "10.1.1.2: kern:     err: [2026-11-23T04:43:46.649722566Z]: text": (
        None,
        "2026-11-23T04:43:46.649722Z",
        None,
    ),  # talosctl logs adds labels, too
    "kern:     err: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", True),
    "[   12.345678] <4>text": (12.345678, None, None),
    "machine # [   12.345678] text": (12.345678, None, None),
    "# [   12.345678] text": (12.345678, None, None),
    "1:[   12.345678] text": (12.345678, None, None),
    "   3. Nov 23 04:43:46 host mallory: text": (None, None, False),
    "     1\tNov 23 04:43:46 host kernel: [   12.345678] text": (12.345678, None, None),
    "2. 2026-11-23T04:43:46Z host kernel: text": (None, "2026-11-23T04:43:46Z", None),
    "3: [Tue Mar 11 10:16:36 2025] text": (None, None, None),
    " kernel:text": (None, None, None),
    "Nov 23 04:43:46 host kernel:text": (None, None, None),
    " kern: warning: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", True),
    "node: user: warning: [2026-11-23T04:43:46.649722566Z]: text": (None, "2026-11-23T04:43:46.649722Z", False),
    "> : [   12.345678] text": (12.345678, None, None),
    "&gt; &gt; [   12.345678] text": (12.345678, None, None),
    "* [   12.345678] text": (12.345678, None, None),
    "   1234  [   12.345678] text": (12.345678, None, None),
    "7: [   12.345678] text": (12.345678, None, None),
    "node01: [   12.345678] text": (12.345678, None, None),
    "debian login: [   12.345678] text": (12.345678, None, None),
    "host - [   12.345678] text": (12.345678, None, None),
    "\x1b[32m[   12.345678] \x1b[0m\x1b[33mte\x1b[0mxt\x1b[0m": (12.345678, None, None),
    "text": (None, None, None),
}


@pytest.mark.parametrize("line", list(LINES))
def test_strip_prefix(line):
    record = parse_text_line(line)
    assert (record.text, (record.monotonic, record.time, record.trusted)) == ("text", LINES[line])


@pytest.mark.parametrize(
    "prefix, trusted",
    [
        ("Nov 23 04:43:46 host mallory: ", False),
        ("Nov 23 04:43:46 host kernel: ", None),
        ("2026-07-11T05:57:14Z stdout F ", None),
        ("<12>", False),
        ("[    1.000000] ", None),
        ("  ", None),
    ],
)
def test_facility_after_prefix(prefix, trusted):
    """Behind another prefix a facility is no proof: a program may have written it."""
    assert parse_text_line(prefix + "kern  :err   : text").trusted is trusted
    assert parse_text_line(prefix + "user  :err   : text").trusted is False


@pytest.mark.parametrize(
    "text",
    [
        "h - x",
        "[a 10:16:36] x",
        "* [   12.345678] x",
        "12: [   12.345678] x",
        "a b: x",
        "fe80::1 a: x",
        "1: b: x",
        "Mon Nov 23 x",
        "11\u6708 23 x",
        "1795409025.6 x",
        "[+ 1.0] x",
        "[Aug12 x] y",
        "[ 12]     0    12   100   50 x",
        "a\x1bb",
        "h - [1.000000]",
        "h a[1]: x invoked oom-killer: gfp_mask=0x0, order=0",
    ],
)
def test_keep_start_of_message(text):
    assert parse_text_line("[  500.000000] " + text).text == text


def test_second_uptime():
    """Only the first uptime is a prefix; a second one is part of the message."""
    record = parse_text_line("[  500.000000] [1.0] x invoked oom-killer: gfp_mask=0x0")
    assert (record.monotonic, record.text) == (500.0, "[1.0] x invoked oom-killer: gfp_mask=0x0")


def test_endless_stamps():
    assert parse_text_line("<4>" * 40 + "text").text.startswith("<4>")


def test_kmsg_facility():
    """A record of /dev/kmsg proves with its facility whether the kernel wrote it."""
    assert parse_kmsg_line("6,1,5000000,-,caller=T7;text") == (
        1,
        Record("text", 5.0, None, None, True, "6,1,5000000,-,caller=T7;text"),
    )
    assert parse_kmsg_line("12,1,5000000,-;text").record.trusted is False
    assert parse_kmsg_line("text") is None


def test_mixed_forms():
    lines = [
        "6,1,5,-;a",
        " SUBSYSTEM=usb",
        "b",
        " c",
        "was HUPedFeb  9 11:55:27 qa01 kernel: d",
        "** 2 printk messages dropped ** [    2.500000] e",
        "** f",
    ]
    assert [record.text for record in parse_lines(lines)] == [
        "a",
        "b",
        "c",
        "was HUPed",
        "d",
        "** 2 printk messages dropped **",
        "e",
        "** f",
    ]
