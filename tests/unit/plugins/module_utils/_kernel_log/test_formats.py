# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Records from lines of all formats, frames around them, glued lines, and dmesg's JSON."""

import json
import random

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.formats import (
    _MORE_ROW,
    parse_dmesg_json,
    parse_lines,
)
from ansible_collections.oomguard.linux.plugins.module_utils._kernel_log.record import LONGEST_LINE, Place, split_rows
from ansible_collections.oomguard.linux.plugins.module_utils._oom_parser.grammar import parse_table_row

KILL = "Out of memory: Killed process {0} ({1}) total-vm:4kB, anon-rss:3kB, file-rss:2kB"

ENTRY = {
    "MESSAGE": KILL.format(7, "x"),
    "_TRANSPORT": "kernel",
    "SYSLOG_FACILITY": "0",
    "_BOOT_ID": "6aaf9458705f4b56a35ac8cca67d8f0f",
    "_SOURCE_MONOTONIC_TIMESTAMP": "53649722",
    "__REALTIME_TIMESTAMP": "1795409025649722",
}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "{}",
        '{"MESSAGE": ' + "[" * 60000,
        "[1]",
        '{"MESSAGE": null}',
        '{"log": 7, "stream": "stdout", "time": "2026-11-23T04:43:45Z"}',
        '{"textPayload": "text"}',
    ],
)
def test_json_of_other_shapes_is_text(line):
    assert [record.text for record in parse_lines([line, KILL.format(7, "x")])] == [
        line[:LONGEST_LINE],
        KILL.format(7, "x"),
    ]


@pytest.mark.parametrize("frame", ["\ufeff", "\x1e", "data: "])
def test_strip_the_frame_of_a_line(frame):
    [record] = parse_lines([frame + json.dumps(ENTRY)])
    assert (record.text, record.trusted) == (ENTRY["MESSAGE"], True)


@pytest.mark.parametrize(
    "line, trusted",
    [
        ("\ufeffkern  :err   : text", True),
        ("\ufeff6,1,5,-;text", True),
        ("\ufefftext", None),
        ("\x1etext", None),
        ("data: text", None),
    ],
)
def test_a_frame_proves_nothing(line, trusted):
    [record] = parse_lines([line])
    assert (record.text, record.trusted) == ("data: text" if line.startswith("d") else "text", trusted)


def test_only_a_facility_by_name_is_proof_in_dmesg_json():
    text = json.dumps(
        {
            "dmesg": [
                {"pri": 3, "time": 5.25, "msg": "a"},
                {"fac": "kern", "pri": "err", "msg": "b"},
                {"fac": "user", "msg": "c"},
                {"msg": 7},
            ]
        }
    )
    assert [(record.text, record.monotonic, record.trusted) for record in parse_dmesg_json(text)] == [
        ("a", 5.25, None),
        ("b", None, True),
        ("c", None, False),
    ]


def test_read_escapes_of_dmesg_that_json_lacks():
    """The text is what util-linux 2.38 wrote in a guest."""
    assert [record.text for record in parse_dmesg_json(r'{"dmesg": [{"msg": "a\x0ab\\x0a\"c\u00e9\nd"}]}')] == [
        'a\\x0ab\\x0a"c\u00e9\\x0ad'
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"dmesg": 7}', '{"dmesg": [7]}', '{"dmesg": [' + "[" * 60000])
def test_refuse_other_json_than_dmesgs(text):
    with pytest.raises((ValueError, RecursionError)):
        list(parse_dmesg_json(text))


def test_lines_of_all_formats_may_follow_each_other():
    lines = [
        "6,1,5,-;a",
        " SUBSYSTEM=usb",
        "b",
        " c",
        "was HUPedFeb  9 11:55:27 qa01 kernel: d",
        "** 2 printk messages dropped ** [    2.500000] e",
        "** f",
        json.dumps(dict(ENTRY, MESSAGE="g")),
    ]
    numbers = iter(range(100))
    records = list(parse_lines(lines, lambda: Place("kern.log", next(numbers))))
    assert [record.text for record in records] == [
        "a",
        "b",
        "c",
        "was HUPed",
        "d",
        "** 2 printk messages dropped **",
        "e",
        "** f",
        "g",
    ]
    assert all(record.place.source == "kern.log" for record in records)


def test_split_no_line_whose_tag_follows_its_only_stamp():
    line = "Nov 23 04:43:46 host kernel: a"
    [record] = parse_lines([line])
    assert (record.text, record.raw) == ("a", line)


@pytest.mark.parametrize(
    "prefix", ["Nov 23 04:43:46 host kernel: ", "[   53.649722] ", "kern  :info  : [   53.649722] ", ""]
)
def test_split_no_name_of_a_cgroup(prefix):
    """The name of a cgroup may look like two lines."""
    text = "Task in /aNov 23 04:43:46 host kernel: Out of memory: Killed process 1 (init)"
    assert [record.text for record in parse_lines([prefix + text])] == [text]


def test_split_a_line_of_rsyslogd():
    line = 'Feb  8 03:53:34 h rsyslogd: [origin x-info="http://x/"] was HUPedFeb  9 11:55:27 h kernel: a'
    assert [record.text for record in parse_lines([line])][-1] == "a"


@pytest.mark.parametrize(
    "lines, texts, bare",
    [
        (["a", "b"], ["a", "b"], [True, True]),
        (["[    5.000000] a", "b"], ["a", "b"], [False, True]),
        (["[    5.000000] a", "[    6.000000] b"], ["a", "b"], [False, False]),
        (["[    5.000000] a", "[    6.000000] "], ["a", ""], [False, False]),
        (["[    5.000000] a", "[    4.000000] "], ["a", "[    4.000000] "], [False, True]),
        (["Nov 23 04:43:46 host kernel: a", "[    4.000000] "], ["a", ""], [False, False]),
        (
            ["[    5.000000] a", "[    6.000000] invoked oom-killer: gfp_mask=0x0"],
            ["a", "[    6.000000] invoked oom-killer: gfp_mask=0x0"],
            [False, True],
        ),
        (["[    5.000000] a", " invoked oom-killer: x"], ["a", " invoked oom-killer: x"], [False, True]),
        (["[    5.000000] "], [""], [False]),
        (["a", "[    5.000000] "], ["a", ""], [True, True]),
        (["[    5.000000] a", "<12>b"], ["a", "b"], [False, False]),
    ],
    ids=[
        "no stamps",
        "continued",
        "two lines",
        "an empty line",
        "an uptime that goes back ends a name",
        "an uptime after a clock",
        "an uptime before what follows a name",
        "what follows a name keeps its blank",
        "an empty line first",
        "an uptime among lines without stamps",
        "a line with trust of its own",
    ],
)
def test_continue_the_line_before(lines, texts, bare):
    records = list(parse_lines(lines))
    assert [record.text for record in records] == texts
    assert [record.bare for record in records] == bare


def test_a_continued_line_has_the_stamp_and_trust_of_its_first():
    first, second = parse_lines(["Nov 23 04:43:46 host mallory: a", "b"])
    assert second == first._replace(text="b", raw="b", bare=True)


@pytest.mark.parametrize("priority", ["<3>", "<14>"])
def test_a_priority_is_no_line_of_its_own(priority):
    assert len(list(parse_lines([priority + "Nov 23 04:43:46 host kernel: [    5.000000] a"]))) == 1


@pytest.mark.parametrize("end", ["", "```", "  ~~~", "{noformat}", "<pre>", "$ dmesg -T", "root@a:~# journalctl -k"])
def test_what_somebody_copied_ends(end):
    """Lines that follow are not the program's, so they have neither its stamp nor its trust."""
    *_lines, record = parse_lines(["Nov 23 04:43:46 host mallory: a", "b", end, "c"])
    assert (record.text, record.clock, record.trusted, record.bare) == ("c", None, None, True)
    *_lines, record = parse_lines(["Nov 23 04:43:46 host mallory: a", "b", "not so, " + end, "c"])
    assert record.trusted is False


def make_row_line(microsecond, pid):
    stamp = f"Nov 23 04:43:46 host kernel: [  100.00000{microsecond}]"
    return f"{stamp} [    {pid}]     0     7      100       50    40960        0        0 x"


def test_rows_right_behind_each_other_are_with_the_first():
    """The last one is by itself: the next line may continue it."""
    rows = [make_row_line(number, number) for number in range(1, 6)]
    begins = iter(range(0, 10000, 100))
    records = list(parse_lines([*rows, " and more"], lambda: Place("x", next(begins))))
    assert [(record.raw, record.rows) for record in records] == [
        (rows[0], tuple(rows[1:4])),
        (rows[4], ()),
        (" and more", ()),
    ]
    single = [record for row in rows for record in parse_lines([row])]
    assert [one._replace(place=None) for record in records[:2] for one in split_rows(record)] == single
    assert [record.place.at for record in records] == [0, 0, 100]


def test_rows_before_an_error_of_reading_are_not_lost():
    def read():
        yield from rows
        raise OSError("damaged")

    rows = [make_row_line(number, number) for number in range(1, 6)]
    records = parse_lines(read())
    assert [one.raw for record in (next(records), next(records)) for one in split_rows(record)] == rows
    with pytest.raises(OSError, match="damaged"):
        next(records)


@pytest.mark.parametrize("seed", range(5))
def test_each_row_of_a_run_is_one_of_the_grammar(seed):
    dice = random.Random(seed)
    for _turn in range(2000):
        cells = [dice.choice(["0", "-5", "7", "100", "12345678901", "1" * 16]) for _cell in range(dice.randint(4, 13))]
        text = (
            f"[{dice.choice(['    7', '7', '12345678901'])}] " + " ".join(cells) + dice.choice([" x", " a/b", " 7", ""])
        )
        is_row = parse_table_row(text) is not None
        assert is_row or not _MORE_ROW.match("000001] " + text), text


@pytest.mark.parametrize(
    "second",
    [
        make_row_line(2, 8).replace(":46", ":47"),
        make_row_line(2, 8).replace("[  100.", "[  101."),
        make_row_line(2, 8).replace("host", "other"),
        make_row_line(2, 8) + "y" * 16,
        make_row_line(2, 8) + " ill",
        make_row_line(2, 8) + "ill",
        make_row_line(2, 8)[:90],
        make_row_line(2, 8).replace("    100", "   -100"),
        make_row_line(2, 8).replace("  0 x", " " * 5000 + "0 x"),
    ],
    ids=[
        "other clock",
        "other uptime",
        "other host",
        "long name",
        "name with a blank",
        "name like a kill",
        "cut",
        "negative size",
        "very long line",
    ],
)
def test_other_lines_are_by_themselves(second):
    assert [record.rows for record in parse_lines([make_row_line(1, 7), second, make_row_line(3, 9)])] == [(), (), ()]
