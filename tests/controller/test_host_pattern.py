# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pattern of hosts with a misspelt name is refused. Ansible would warn, and run on no host."""

import json
import random

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from test_playbook_variables import run

from ansible_collections.oomguard.linux.plugins.module_utils._errors import InputError
from ansible_collections.oomguard.linux.plugins.plugin_utils.host_pattern import check_pattern

HOSTS = {"servers": ["web1", "web2", "db-1.example.org"], "databases": ["db-1.example.org", "fe80::1"], "nobody": []}
NAMES = sorted({host for hosts in HOSTS.values() for host in hosts})
GROUPS = {"all": NAMES, "ungrouped": [], **HOSTS}

RIGHT = [
    "all",
    "servers",
    "nobody",
    "web1",
    "web1,db-1.example.org",
    "web1, databases ,",
    "servers:databases",
    "servers:!databases",
    "!databases",
    "servers:&databases",
    "servers[0]",
    "servers[0:1]",
    "web?",
    "web[12]*",
    "db-*",
    "~web[12]",
    "~(web|db)",
    "fe80::1",
    "localhost",
    "127.0.0.1",
    "all:!~db",
    "all,!web*",
    ["web1", "web2,databases"],
    ["all", "!web1"],
    ("web1", "web2"),
    "*",
]
# With what the error names, and what was meant.
WRONG = [
    ("servrs", "servrs", "servers"),
    ("Servers", "Servers", "servers"),
    ("server", "server", "servers"),
    ("web1,wbe2", "wbe2", "web2"),
    ("all:!databses", "!databses", "databases"),
    ("servers:&databse", "&databse", "databases"),
    ("servrs[0]", "servrs[0]", "servers"),
    ("servrs*", "servrs*", None),
    ("~servrs", "~servrs", None),
    ("~web[3]", "~web[3]", None),
    ("web[89]*", "web[89]*", None),
    ("web1:22", "web1:22", None),
    ("localhos*", "localhos*", None),
    ("~127", "~127", None),
    ("production", "production", None),
    (["web1", "web2", "dbs"], "dbs", None),
    ("x\x1b(0", "x\\x1b(0", None),
    ("x" * 5000, "x" * 79 + "…", None),
]
REMEDIES = {
    "!": "Correct it. With oom_hosts_missing=ignore it would spare no host",
    "&": "Correct it. With oom_hosts_missing=ignore it would select no host",
}
REMEDY = "Correct it, or set oom_hosts_missing=ignore to run without it"
EMPTY = "oom_hosts is an empty list: name a host or group, or set oom_hosts_missing=ignore"
# What no option overrides.
REFUSED = {
    "blanks": ("  ", "oom_hosts names no host: name a host or group"),
    "a comma": (",", "oom_hosts names no host: name a host or group"),
    "a list of empty texts": (["", ""], "oom_hosts names no host: name a host or group"),
    "false": (False, "oom_hosts: False is not text: put the name of a host or group in quotes"),
    "zero": (0, "oom_hosts: 0 is not text: put the name of a host or group in quotes"),
    "a mapping": ({"servers": 1}, "oom_hosts: {'servers': 1} is not text: put the name of a host or group in quotes"),
    "a list in a list": ([["web1"]], "oom_hosts: ['web1'] is not text: put the name of a host or group in quotes"),
}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inventory")
    path = folder / "hosts.json"
    path.write_text(json.dumps({name: {"hosts": dict.fromkeys(hosts)} for name, hosts in HOSTS.items()}))
    return InventoryManager(DataLoader(), sources=[str(path)])


@pytest.fixture
def misses(inventory, monkeypatch):
    """Return a function that says whether Ansible warns about a pattern; None if it refuses it."""
    monkeypatch.setattr(constants, "HOST_PATTERN_MISMATCH", "error", raising=False)

    def ask(pattern):
        inventory.clear_pattern_cache()
        try:
            inventory.list_hosts(pattern)
        except AnsibleError as error:
            return True if "Could not match supplied host pattern" in str(error) else None
        return False

    return ask


@pytest.mark.parametrize("pattern", RIGHT, ids=str)
def test_patterns_of_the_inventory(pattern, misses):
    check_pattern(pattern, GROUPS, "")
    check_pattern(pattern, GROUPS, "fail")
    assert misses(list(pattern) if isinstance(pattern, tuple) else pattern) is False  # as a play converts it


@pytest.mark.parametrize("pattern, named, meant", WRONG, ids=lambda value: str(value)[:20])
def test_a_name_that_the_inventory_lacks(pattern, named, meant, misses):
    hint = f": did you mean {meant}?" if meant else "."
    with pytest.raises(InputError) as refusal:
        check_pattern(pattern, GROUPS, "fail")
    remedy = REMEDIES.get(named[0], REMEDY)
    assert str(refusal.value) == f"oom_hosts: {named} matches no host and no group of the inventory{hint} {remedy}"
    check_pattern(pattern, GROUPS, "ignore")
    assert misses(pattern)


def test_patterns_that_ansible_itself_misses(misses):
    """Whatever is refused is what Ansible would warn about, and the other way round."""
    chance = random.Random(1)
    pieces = [*GROUPS, *NAMES, *constants.LOCALHOST, "web", "db", "1", "x", "*", "?", "[12]", "[0]", "[0:1]", "~", ".*"]
    refused = 0
    for _number in range(3000):
        terms = ["".join(chance.choices(pieces, k=chance.choice([1, 1, 2]))) for _term in range(chance.randint(1, 3))]
        pattern = ",".join(chance.choice(["", "", "!", "&"]) + term for term in terms)
        wrong = ""
        try:
            check_pattern(pattern, GROUPS, "")
        except InputError as error:
            wrong = str(error)
        refused += bool(wrong)
        assert misses(pattern) in (bool(wrong), None), (pattern, wrong)
    assert 500 < refused < 2500


def test_an_exclusion_of_nothing():
    """Ansible would end with a traceback."""
    with pytest.raises(InputError, match=r"oom_hosts: ! matches no host and no group of the inventory\. Correct it"):
        check_pattern("all:!", {"all": ["1"]}, "")


def test_a_name_of_the_inventory_is_shown_safely():
    """A dynamic inventory takes it from elsewhere."""
    with pytest.raises(InputError, match=r"did you mean databases\\x1b\?"):
        check_pattern("databases", {"all": ["databases\x1b"]}, "")


def test_an_empty_list():
    """It may be the answer of an expression, such as the hosts of a group that is not there."""
    with pytest.raises(InputError, match=EMPTY):
        check_pattern([], GROUPS, "")
    check_pattern([], GROUPS, "ignore")


@pytest.mark.parametrize("missing", ["", "ignore"])
@pytest.mark.parametrize("pattern, words", REFUSED.values(), ids=list(REFUSED))
def test_what_names_no_host(pattern, words, missing):
    """Some of these would be all hosts."""
    with pytest.raises(InputError) as refusal:
        check_pattern(pattern, GROUPS, missing)
    assert str(refusal.value) == words


@pytest.mark.parametrize("pattern", ["~(", "web1,~[", "all,!~(x", "~a{99999999999999999999}"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(InputError, match=r"^oom_hosts: .* is no pattern: correct it$"):
        check_pattern(pattern, GROUPS, "")


def test_what_to_do_about_missing_names_is_checked():
    with pytest.raises(InputError, match="oom_hosts_missing=ignroe is not possible: did you mean ignore"):
        check_pattern("servers", GROUPS, "ignroe")


def test_names_of_a_large_inventory():
    """A generated list of hosts has as many names as the inventory."""
    names = [f"host{number}" for number in range(10000)]
    check_pattern(names, {"all": names}, "")
    check_pattern(["all", *map("!{}".format, names)], {"all": names}, "")
    with pytest.raises(InputError, match="host10000 matches no host"):
        check_pattern([*names, "host10000"], {"all": names}, "")


@pytest.mark.parametrize("playbook", ["site", "undo"])
def test_no_host_is_reached_with_a_misspelt_group(tmp_path, playbook):
    variables = {"oom_protect_profiles": "database"}
    ran = run(tmp_path, f"oomguard.linux.{playbook}", {"web": variables}, "--extra-vars", "oom_hosts=all:!wbe")
    assert "oom_hosts: !wbe matches no host and no group of the inventory: did you mean web? Correct it" in ran.output
    assert ran.lines() == {} and "ok=" not in ran.output


PLAYS_THAT_ADD_THE_GROUP = [
    {
        "name": "Add",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "Add a group", "ansible.builtin.group_by": {"key": "added"}}],
    },
    {
        "name": "Set nothing",
        "ansible.builtin.import_playbook": "oomguard.linux.overcommit",
        "vars": {"oom_hosts": "added"},
    },
]


def test_a_group_that_an_earlier_play_adds(tmp_path):
    ran = run(tmp_path, PLAYS_THAT_ADD_THE_GROUP, {"web": {}})
    assert ran.lines()["web"].startswith("nothing_asked"), ran.output[-3000:]


@pytest.mark.parametrize("argument", ["--syntax-check", "--list-tasks", "--list-tags"])
def test_without_a_run_no_group_is_missing(tmp_path, argument):
    """No play has added it yet. Programs such as ansible-lint check the syntax of each playbook."""
    ran = run(tmp_path, PLAYS_THAT_ADD_THE_GROUP, {"web": {}}, argument)
    assert "playbook: " in ran.output and "matches no host" not in ran.output


@pytest.mark.parametrize("missing", [None, "ignore"])
def test_an_expression_without_hosts(tmp_path, missing):
    hosts = {"oom_hosts": "{{ groups.nobody | default([]) }}", "oom_hosts_missing": missing}
    ran = run(tmp_path, "oomguard.linux.overcommit", {"web": {}}, "--extra-vars", json.dumps(hosts))
    assert ran.lines() == {} and (EMPTY in ran.output) == (missing is None), ran.output[-3000:]
