# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Prefixes of lines: stamps, tags and labels of all formats, and messages that look like one."""

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.line_prefix import (
    parse_text_line,
    parse_usual_line,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import LONGEST_LINE, Place, Record

# Lines, and their uptime, time and trust. The text of each is "text".
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
    "[mer. mars 11 10:16:36 2025] text": (None, None, None),
    "[mi\u00e9 mar 11 10:16:36 2025] text": (None, None, None),
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
    ),  # talosctl logs labels, too
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
def test_distrust_facility_after_another_prefix(prefix, trusted):
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
def test_keep_what_a_message_may_begin_with(text):
    assert parse_text_line("[  500.000000] " + text).text == text


def test_keep_second_uptime():
    record = parse_text_line("[  500.000000] [1.0] x invoked oom-killer: gfp_mask=0x0")
    assert (record.monotonic, record.text) == (500.0, "[1.0] x invoked oom-killer: gfp_mask=0x0")


def test_stop_after_many_prefixes():
    assert parse_text_line("<4>" * 40 + "text").text.startswith("<4>")


@pytest.mark.parametrize(
    "line, record",
    [
        (
            "Nov 23 04:43:46 host kernel: [  123.456789] text",
            Record("text", 123.456789, clock=17026.0, program="kernel"),
        ),
        (
            "Nov 23 04:43:46 host kernel: [  123.456789] [ 12]     0    12   100   50 x",
            Record("[ 12]     0    12   100   50 x", 123.456789, clock=17026.0, program="kernel"),
        ),
        (
            "Nov 23 04:43:46.5 host kernel: [  123.456789] text",
            Record("text", 123.456789, clock=17026.5, program="kernel"),
        ),
        ("Nov 23 04:43:46 host mallory[7]: text", Record("text", clock=17026.0, trusted=False, program="mallory")),
        ("[tis 12 aug 2025 10.16.36] text", Record("text", clock=36996.0)),
        (
            "1795409025.649722 host kernel: text",
            Record("text", time="2026-11-23T04:43:45.649722Z", clock=17025.649722, program="kernel"),
        ),
        (
            "2024-04-29T14:55:41,678628+02:00 host kernel: text",
            Record("host kernel: text", time="2024-04-29T12:55:41.678628Z", clock=53741.678628),
        ),
        ("kernel: kernel: text", Record("kernel: text", program="kernel")),
        ("kernel: [  123.456789] text", Record("text", 123.456789)),
        ("Nov 23 04:43:46 host kernel: kernel: text", Record("kernel: text", clock=17026.0, program="kernel")),
        (
            "Nov 23 04:43:46 host kernel: 2026-11-23T04:43:46Z text",
            Record("text", None, "2026-11-23T04:43:46Z", 17026.0),
        ),
        ("", Record("")),
    ],
)
def test_read_all_fields_of_a_prefix(line, record):
    place = Place("kern.log", 7)
    found = parse_text_line(line, place)
    assert found._replace(clock=None) == record._replace(raw=line, place=place, clock=None)
    assert found.clock == (None if record.clock is None else pytest.approx(record.clock))


def test_ignore_the_rest_of_a_long_line():
    line = "[   12.345678] " + "x" * 2 * LONGEST_LINE
    record = parse_text_line(line)
    assert (len(record.text), record.raw) == (LONGEST_LINE - 15, line)


@pytest.mark.parametrize(
    "line",
    [
        "\x1b[32m[    5.000000] \x1b[0m\x1b[31ma kill\x1b[0m",
        "[    5.000000] a \x1b[01;31m\x1b[Kkill\x1b[m\x1b[K",
        "\x1b[35m\x1b[K\x1b[m\x1b[K[    5.000000] a kill",
        "[    5.000000] a [01;31m[Kkill[m[K",
        "[    5.000000] a ^[[01;31m^[[Kkill^[[m^[[K",
        "\x1b_bk;t=1778065933250\x07[    5.000000] a kill",
        "[    5.000000] \x1b]8;;file://node/x\x1b\\a kill\x1b]8;;\x1b\\",
        "[    5.000000] \x1b]8;;file://node/x\x07a kill\x1b]8;;\x07",
    ],
    ids=["dmesg", "grep", "grep with a name", "copied", "copied with signs", "Buildkite", "a link", "an old link"],
)
def test_what_only_terminals_read(line):
    record = parse_text_line(line)
    assert (record.text, record.monotonic, record.raw) == ("a kill", 5.0, line)


@pytest.mark.parametrize("name", ["x[1;31m[Ky[m[K", "\x1b]8;", "x\x1b[", "x^[[K"])
def test_no_name_hides_the_words_behind_it(name):
    """What a name begins, the words of the kernel do not end."""
    text = f"Task in /{name} killed as a result of limit of /a=b\x07 {name}) x"
    record = parse_text_line("[    5.000000] " + text)
    assert " killed as a result of limit of /a=b" in record.text and record.text.endswith(") x")


@pytest.mark.parametrize(
    "line, program",
    [
        ("    [   77.749670] systemd-oomd[659]: a", "systemd-oomd"),
        ("> [   77.749670] node kernel: a", "kernel"),
        ("        [1.000000] x[1]: a", None),  # may be the end of a task's name
        ("systemd-oomd: [   77.749670] x[1]: a", None),
    ],
)
def test_tag_of_an_indented_line(line, program):
    assert parse_text_line(line).program == program


@pytest.mark.parametrize(
    "row", ["[ pid ]   uid  tgid total_vm      rss name", "[  388]     0   388     8819      301 x"]
)
def test_a_row_of_the_task_table_is_no_structured_data(row):
    """A container's log has an uptime where RFC 5424 has a pid, and a bracket behind it."""
    record = parse_text_line("2026-07-11T05:57:14Z stdout F [   12.345678] " + row)
    assert (record.text, record.monotonic, record.trusted) == (row, 12.345678, None)


@pytest.mark.parametrize("text", ["CPU: 1 PID: 7 Comm: x Not tainted 6.1", "memory: usage 8kB, limit 8kB, failcnt 7"])
@pytest.mark.parametrize("stamp", ["Nov 23 04:43:46 ", "2026-07-11T05:57:14Z "])
def test_host_without_a_tag(stamp, text):
    record = parse_text_line(stamp + "node-3 " + text)
    assert (record.text, record.program, record.trusted) == (text, None, None)


USUAL = "Nov 23 04:43:46 host kernel: [  123.456789] "
TEXTS = {
    "a message": ("Out of memory: Killed process 7 (x)", True),
    "a row": ("[    7]     0     7      100       50    40960        0             0 x", True),
    "another prefix": ("<4>x", False),
    "an indented text": (" anon:1", False),
    "colours": ("\x1b[31mx\x1b[0m", False),
    "colours that were copied": ("[01;31m[Kinvoked oom-killer[m[K", False),
    "a second line": ("x Nov 23 04:43:47 host kernel: y", False),
    "the tag of a second line": ("x kernel: y", False),
    "a long text": ("x" * LONGEST_LINE, False),
}


@pytest.mark.parametrize("text, is_usual", TEXTS.values(), ids=TEXTS)
def test_the_usual_prefix_is_read_as_any_other(text, is_usual):
    record = parse_usual_line(USUAL + text, lambda: Place("x", 7))
    assert (record is not None) == is_usual
    assert record in (None, parse_text_line(USUAL + text, Place("x", 7)))
