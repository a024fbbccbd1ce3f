# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every message of the module says what failed, which value, and what to do.

A table provokes each message on a host, and splits it into these three parts. A second test reads
the sources: a text in them that no message of the table contains is a message without a row.
"""

import ast
import errno
import os
import re

import pytest

from ansible_collections.oomguard.linux.plugins.module_utils._errors import OomError
from ansible_collections.oomguard.linux.plugins.module_utils._host import (
    as_user,
    containers,
    machines,
    unit_folders,
    user_manager,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.procfs import ProcessDir
from ansible_collections.oomguard.linux.plugins.module_utils._host.signals import Interrupted
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import DROP_IN, Systemd, service_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj import (
    apply,
    denials,
    drop_in_writer,
    pin_record,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.all_pins import plan_removal_of_all
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.answer import explain_pin_failure
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.apply import apply_locked
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.denials import refuse_denied
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.guards import SELF_MANAGING
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import (
    SELECTORS,
    Pin,
    check_all_pins,
    parse_target,
    parse_targets,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="some messages are about root's files")

A = "a1" * 32
UNSET = dict(
    dict.fromkeys([*SELECTORS, "targets", "score", "persistent", "oom_policy", "users", "all_pins"]),
    state="present",
    children="report",
    missing="fail",
    force=False,
)
CRON_DROP_INS = "etc/systemd/system/cron.service.d/"


def unit(name, score=-500, **options):
    return Pin("unit", name, score, **dict(dict(persistent=True), **options))


# --- how messages are provoked: each returns texts, or raises one -------------------------------


def plan(*pins, least=0):
    return lambda host, _patch: host.plan(*pins, least=least).warnings


def run(*pins):
    def provoke(host, _patch):
        planned = host.plan(*pins)
        return planned.warnings + host.apply_plan(planned).warnings

    return provoke


def after(prepare, provoke):
    """Prepare the host first."""

    def prepared(host, patch):
        prepare(host, patch)
        return provoke(host, patch)

    return prepared


def options(function, **given):
    return lambda _host, _patch: function(dict(UNSET, **given))


def write(path, text):
    return lambda host, _patch: host.write(path, text)


def score(pid, value):
    return lambda host, _patch: host.proc.write(f"{pid}/oom_score_adj", f"{value}\n")


def deny(error):
    """Let the kernel refuse every score."""

    def fail(_directory, _score):
        raise error

    return lambda _host, patch: patch.setattr(ProcessDir, "set_score", fail)


def without_root(module):
    return lambda _host, patch: patch.setattr(module.os, "geteuid", lambda: 1000)


def both(*prepares):
    return lambda host, patch: [prepare(host, patch) for prepare in prepares]


def no_systemd(host, _patch):
    (host.root / "run/systemd/system").rmdir()


def answer(old, new):
    """Change the answer of systemctl show."""

    def prepare(host, patch):
        real = host.ask
        patch.setattr(host, "ask", lambda *command: real(*command).replace(old, new))

    return prepare


def listed_twice(host, patch):
    real = host.ask
    patch.setattr(host, "ask", lambda *command: "\n".join([real(*command)] * 2))


def make_folder(path):
    return lambda host, _patch: (host.root / path).mkdir(parents=True)


def container(*paths):
    def prepare(host, patch):
        for name in ("DOCKER_SOCKETS", "STORAGE_FOLDERS", "STORAGE_FILES"):
            patch.setattr(containers, name, [])
        for path in paths:
            (host.cgroups / path).mkdir(parents=True)

    return prepare


def silent_docker(_host, patch):
    def time_out(*_words):
        raise containers.socket.timeout

    patch.setattr(containers._UnixConnection, "connect", time_out)


def not_kept(_host, patch):
    patch.setattr(ProcessDir, "set_score", lambda _directory, _score: None)


def reset_later(host, patch):
    patch.setattr(apply.time, "sleep", lambda _seconds: host.proc.write("70/oom_score_adj", "-17\n"))


def reset_always(host, patch):
    real = apply.ScoreWriter._find_late

    def look(self, pin, selector):
        host.proc.write("22/oom_score_adj", "300\n")
        return real(self, pin, selector)

    patch.setattr(apply.ScoreWriter, "_find_late", look)


def never_stable(_host, patch):
    patch.setattr(apply, "STABLE_SECONDS", 0)


def change_drop_in(host, patch):
    """Another program writes our drop-in after the plan was made."""
    real = apply.ScoreWriter.write

    def write_too(self, outcomes):
        host.write(CRON_DROP_INS + DROP_IN, "# mine\n")
        return real(self, outcomes)

    patch.setattr(apply.ScoreWriter, "write", write_too)


def no_marks(host, patch):
    def refuse(_directory, _name, _value):
        raise OSError(errno.EPERM, "Operation not permitted")

    patch.setattr(host, "mark", lambda shown: None)
    patch.setattr(drop_in_writer, "MARK_SECONDS", 0)
    patch.setattr(os, "setxattr", refuse)


def no_reload(host, patch):
    patch.setattr(host, "reload", lambda: None)


def restart(host, patch):
    real = host.reload
    patch.setattr(host, "reload", lambda: (host.known["cron.service"].update(MainPID="99"), real()))


def broken_undo(error):
    """Fail at the end, and then at each step of the undo."""

    def prepare(host, patch):
        def fail():
            def fail_again(*_words):
                raise error

            patch.setattr(ProcessDir, "set_score", fail_again)
            patch.setattr(Systemd, "write", fail_again)
            raise OomError("systemctl daemon-reload failed: no bus")

        patch.setattr(host, "reload", fail)

    return prepare


def changed_undo(host, patch):
    def fail():
        host.write(CRON_DROP_INS + DROP_IN, "# mine\n")
        raise OomError("systemctl daemon-reload failed: no bus")

    patch.setattr(host, "reload", fail)


def locked(pin, patch_first=None):
    def provoke(host, patch):
        apply_locked(host.proc.procfs, host.systemd(), lambda: host.plan(pin))

    return provoke


def interrupted(_host, patch):
    real = ProcessDir.set_score

    def write_and_end(directory, value):
        real(directory, value)
        os.kill(os.getpid(), 15)

    patch.setattr(ProcessDir, "set_score", write_and_end)


def heir(**now):
    """Pin cron after one of its heirs has changed."""

    def provoke(host, _patch):
        for pid in (20, 22):
            host.proc.write(f"{pid}/oom_score_adj", "-300\n")
        host.proc.process(23, "own-unit", parent=22, score=-300, cgroup="/system.slice/containerd.service")
        planned = host.plan(unit("cron", -300, children="reset"))
        for name, text in now.items():
            host.proc.write(f"23/{name}", text)
        return host.apply_plan(planned).warnings

    return provoke


def late(name, value):
    """Pin a cgroup in which one more process starts after the plan was made."""

    def provoke(host, _patch):
        planned = host.plan(Pin("cgroup", "/system.slice/worker.service", value))
        host.proc.process(24, name, cgroup="/system.slice/worker.service")
        (host.cgroups / "system.slice/worker.service/cgroup.procs").write_text("72\n24\n")
        return host.apply_plan(planned).warnings

    return provoke


def add_worker(host, _patch):
    host.proc.process(72, "server", cgroup="/system.slice/worker.service")
    host.add("worker", 72)


def immune_heir(host, _patch):
    heirs = host.plan(unit("cron", -300, children="pin")).outcomes[0].changes
    return [
        apply.refuse_write(
            apply.Write(unit("cron", -300), heirs[0].process, heirs[0]._replace(after=-1000), 0, True, False, None, []),
            apply.Killable(1, 0),
            0,
        )
    ]


def forking(host, _patch):
    return apply.warnings_for_forks([host.plan(unit("cron", -300)).outcomes[0].changes[0].process])


def users_manager(host, _patch):
    """Give root a service, shop, whose manager does not run."""
    host.write("root/.config/systemd/user/shop.service", "[Service]\n")
    host.add("user@0", ControlGroup="")


def no_reload_of_user(_host, patch):
    def fail(_self):
        raise OomError("no bus")

    patch.setattr(user_manager.UserManager, "runs", lambda _self: True)
    patch.setattr(user_manager.UserManager, "units", lambda self, names: {n: self._read_unit(n) for n in names})
    patch.setattr(user_manager.UserManager, "default", lambda _self, _key: None)
    patch.setattr(user_manager.UserManager, "reload", fail)


def answer_of_user(**changes):
    """Let the manager of root's services answer with these properties of shop."""
    shown = dict(
        LoadState="loaded", ActiveState="inactive", Type="simple", MainPID="0", FragmentPath="/x", Delegate="no"
    )
    shown = {**dict(Id="shop.service", Names="shop.service"), **shown, "OOMScoreAdjust": "0", **changes}
    text = "".join(f"{key}={value}\n" for key, value in shown.items())

    def prepare(_host, patch):
        patch.setattr(user_manager.UserManager, "runs", lambda _self: True)
        patch.setattr(user_manager.UserManager, "_start_systemctl", lambda _self, *_command: lambda: text)

    return prepare


def many_files(count, size):
    def prepare(host, _patch):
        for number in range(count):
            host.write(f"etc/systemd/system/docker.service.d/{number}.conf", "#" * size)

    return prepare


def few_names(_host, patch):
    patch.setattr(unit_folders, "_MAX_NAMES", 3)


USER_SHOP = Pin("user_unit", "root/shop", -300, persistent=True)
BOB = as_user.Account("bob", 4321, 4321, "/home/bob")


def users_machine(_host, patch):
    patch.setattr(machines, "find_machine_cgroup", lambda *_words: "/user.slice/user-1000.slice/x.scope")


def predict(pin):
    def provoke(host, _patch):
        plan = host.plan(pin)
        return refuse_denied(host.proc.procfs, plan.finder, plan.outcomes)

    return provoke


def take_back_all(host, _patch):
    return plan_removal_of_all(host.proc.procfs, host.systemd(), 0, False).warnings


def read_only(host, patch):
    patch.setattr(unit_folders.os, "access", lambda *_words, **_more: False)
    return [host.systemd().why_read_only("/etc/systemd/system/x.d/y.conf")]


def record(make):
    def prepare(host, _patch):
        folder = host.root / "run/oomguard"
        folder.mkdir(mode=0o700)
        make(folder / "scores")

    return prepare


def damaged(file):
    file.write_text("{")
    file.chmod(0o600)


def folder_of_users(host, _patch):
    host.write("var/lib/oomguard/x", "")
    (host.root / "var/lib/oomguard").chmod(0o777)


def user_unit(host, _patch):
    (host.cgroups / "user.slice/user-1000.slice/user@1000.service/app.slice/myapp.service").mkdir(parents=True)


def shell_of_a_user(host, _patch):
    host.proc.process(22, "bash", uids=(1000,) * 4, cgroup="/system.slice/cron.service", parent=21)


def su_of_a_user(host, _patch):
    host.proc.process(22, "su", uids=(1000,) * 4, cgroup="/system.slice/cron.service", parent=21)


def postgres(host, _patch):
    host.proc.process(99, "postgres", cgroup="/system.slice/postgresql@15-main.service")
    host.add("postgresql@15-main", 99)


def pidfile(text):
    return lambda host, patch: host.write("x.pid", text)


def by_pidfile(name, **more):
    return lambda host, _patch: host.plan(Pin("pidfile", str(host.root / name), -5, **more)).warnings


def unreadable(_host, patch):
    def fail(_directory):
        raise PermissionError(13, "Permission denied")

    patch.setattr(ProcessDir, "cgroups", fail)


CRON, JENKINS = unit("cron", -300), Pin("pid", "70", -300)
CRONS = Pin("cgroup", "/system.slice/cron.service", -300)

# What failed, the value, what to do.
MESSAGES = {
    # options
    "beside targets": (
        options(parse_targets, targets=[], missing="warn"),
        ("missing=", "warn", "set it in each target"),
    ),
    "nothing selected": (options(parse_target), ("target selects ", "nothing", "set one of unit, process")),
    "all pins, present": (
        options(check_all_pins, all_pins=True),
        ("all_pins=true", "state=present", "set state=absent"),
    ),
    "all pins of one": (
        options(check_all_pins, all_pins=True, state="absent", pid=7),
        ("all_pins=true next to ", "pid", "leave out pid"),
    ),
    "no score": (plan(unit("cron", None)), ("score is missing", "", "set it, or state: absent beside the selector")),
    "a score to remove": (
        plan(unit("cron", 1, state="absent")),
        ("", "state=absent", "leave out score"),
    ),
    "a score out of range": (
        plan(Pin("pid", "7", 1001)),
        ("score ", "1001 is out of range", "set it to -1000 to 1000"),
    ),
    "a process that lasts": (
        plan(Pin("pid", "7", 1, persistent=True)),
        ("only a unit can be pinned", "persistently", "select by unit, or leave out persistent"),
    ),
    "a policy without a drop-in": (
        plan(Pin("pid", "7", 1, oom_policy="kill")),
        ("pid=7: oom_policy", "needs the drop-in of a unit", "select by unit, without persistent=false"),
    ),
    "an old systemd": (
        after(lambda host, _patch: host.defaults.pop("OOMPolicy"), plan(unit("cron", 1, oom_policy="kill"))),
        ("oom_policy=kill", "needs systemd 243", "leave it out"),
    ),
    "a preference without a drop-in": (
        plan(Pin("pid", "7", 1, managed_oom_preference="omit")),
        ("pid=7: managed_oom_preference", "needs the drop-in of a unit", "select by unit, without persistent=false"),
    ),
    "a systemd before 248": (
        after(
            lambda host, _patch: host.defaults.pop("ManagedOOMPreference"),
            plan(unit("cron", 1, managed_oom_preference="omit")),
        ),
        ("managed_oom_preference=omit", "needs systemd 248, and this one is 247.3-7", "leave it out"),
    ),
    "two scores": (plan(JENKINS, Pin("process", "java", 5)), ("selected twice", "score 5", "leave out one of them")),
    # values
    "no pid": (plan(Pin("pid", "-5", 1)), ("pid=", "-5 is not a process number", "set it to one of ps -e")),
    "no name": (plan(Pin("process", "/x", 1)), ("process=", "'/x' is not a name", "set the comm or the base name")),
    "no text": (plan(Pin("process", "a\0", 1)), ("process=", "'a\\x00'", "remove it")),
    "no expression": (
        plan(Pin("pattern", "(", 1)),
        ("pattern=", "'(' is not a regular", "write it as for Python's re"),
    ),
    "everything": (plan(Pin("pattern", "x*", 1)), ("pattern=", "'x*' matches every process", "make it more specific")),
    "no cgroup": (plan(Pin("cgroup", "x", 1)), ("cgroup ", "'x' is not a cgroup path", "write it from the root")),
    "no container": (plan(Pin("container", "/x", 1)), ("container=", "'/x' is neither", "give 12 or more digits")),
    "no unit name": (plan(unit("../x")), ("unit=", "'../x' is not a name of a unit", "write it as docker")),
    "no service": (plan(unit("x.timer")), ("unit=", "x.timer is a timer", "select what runs in it with cgroup")),
    "a template": (
        lambda _host, _patch: service_name("getty@", lambda: ["getty@tty1.service"]),
        ("unit=", "getty@.service is a template", "name an instance, such as getty@tty1.service"),
    ),
    "a kernel thread": (
        after(lambda host, _patch: host.proc.process(2, "kthreadd", kernel_thread=True), plan(Pin("pid", "2", 1))),
        ("pid=2: ", "kthreadd is a kernel thread", "leave it out"),
    ),
    # what is not there
    "a typo of a unit": (plan(unit("dokcer")), ("no such system unit", "", "did you mean docker.service?")),
    "an unknown unit": (plan(unit("nosuch")), ("unit=", "nosuch.service: no such", "check the name with systemctl")),
    "a unit of a user": (
        after(user_unit, plan(unit("myapp"))),
        ("no such system unit", "it is a unit of user ", "select it by user_unit, or by cgroup=/user.slice/"),
    ),
    "a unit of users": (
        after(write("etc/systemd/user/x.service", ""), plan(unit("x"))),
        ("no such system unit", "it is a unit of users' service managers", "select it by user_unit, with the user"),
    ),
    "a masked unit": (plan(unit("firewalld")), ("unit=", "firewalld.service is masked", "run systemctl unmask")),
    "a wrapper": (
        after(postgres, plan(unit("postgresql"))),
        ("unit=", "postgresql.service is active without a main process", "did you mean postgresql@15-main.service?"),
    ),
    "no main process": (plan(unit("postgresql")), ("without a main process", "(Type=oneshot)", "by cgroup=/system")),
    "a task that is done": (plan(unit("seed")), ("unit=", "seed.service is active without", "leave it out")),
    "a typo of a process": (
        plan(Pin("process", "dokcerd", 1)),
        ("process=", "dokcerd: no such", "did you mean dockerd?"),
    ),
    "an unknown process": (plan(Pin("process", "nginx", 1)), ("process=", "nginx: no such", "check the name with ps")),
    "an unknown pattern": (plan(Pin("pattern", "nginx", 1)), ("pattern=", "nginx: no such", "try it with pgrep -af")),
    "a pid that is gone": (plan(Pin("pid", "99", 1)), ("pid=", "99: no such process", "select by unit or process")),
    "an empty cgroup": (
        after(make_folder("cgroup/empty"), plan(Pin("cgroup", "/empty", 1))),
        ("cgroup=", "/empty: no such process", "start what runs in it first"),
    ),
    "a typo of a cgroup": (
        plan(Pin("cgroup", "/system.slice/dokcer.service", 1)),
        ("cgroup ", "/system.slice/dokcer.service does not exist", "did you mean /system.slice/docker.service?"),
    ),
    "an unknown cgroup": (plan(Pin("cgroup", "/nosuch", 1)), ("cgroup ", "/nosuch does not exist", "see systemd-cgls")),
    "an unknown container": (
        after(container(), plan(Pin("container", "web", 1))),
        ("no running container", "web", "see docker ps, podman ps or crictl ps"),
    ),
    "a container of a user": (
        after(container(f"user.slice/user-1000.slice/libpod-{A}.scope"), plan(Pin("container", A, 1))),
        ("container=", A, "name the user in users"),
    ),
    "two containers": (
        after(container("docker/" + A, "docker/" + A[:62] + "00"), plan(Pin("container", A[:12], 1))),
        ("container=", A[:12] + " matches more than one cgroup", "select one with cgroup"),
    ),
    "a silent engine": (
        after(
            both(container(), lambda _h, patch: patch.setattr(containers, "DOCKER_SOCKETS", ["/x"]), silent_docker),
            plan(Pin("container", "web", 1)),
        ),
        ("Docker did not answer", "on /x within 30 seconds", "run again when it does"),
    ),
    "no pid file": (by_pidfile("nosuch"), ("pidfile=", "does not exist", "start the daemon, or select by unit")),
    "a pid file that is a circle": (
        after(lambda host, _patch: (host.root / "x.pid").symlink_to("x.pid"), by_pidfile("x.pid")),
        ("pidfile=", "cannot be read: Too many levels", "remove the link"),
    ),
    "a pid file of a user": (
        after(
            lambda host, _patch: (pidfile("7")(host, _patch), (host.root / "x.pid").chmod(0o666)), by_pidfile("x.pid")
        ),
        ("pidfile=", "other users may write", "use pid or unit instead"),
    ),
    "a pid file without a pid": (
        after(pidfile("ten"), by_pidfile("x.pid")),
        ("pidfile=", "'ten', not a process number", "select by unit or process"),
    ),
    "an unknown user": (
        plan(Pin("process", "x", 1, users=("nosuch-user",))),
        ("users=", "'nosuch-user': this host has no such user", "check the name with getent passwd"),
    ),
    # guards
    **{
        f"self-managing {name}": (
            after(lambda host, _patch, name=name: host.proc.process(88, name), plan(Pin("pid", "88", -5))),
            ("pid=88 with ", "score=-5", "(force=true overrides)"),
        )
        for name in SELF_MANAGING
        if name != "init"
    },
    "init": (plan(Pin("pid", "1", -5)), ("the kernel never kills init", "", "leave it alone (force=true overrides)")),
    "a login": (
        after(lambda host, _patch: host.proc.process(88, "agetty"), plan(Pin("pid", "88", -5))),
        ("pid=88 with score=-5: ", "agetty starts the shells of users", "use 0 or higher"),
    ),
    "a job runner": (
        plan(unit("cron", -1000)),
        ("unit=cron.service at -1000", "cron starts jobs", "use -999 or higher"),
    ),
    "a runtime": (
        plan(unit("docker", -1000)),
        ("unit=docker.service at -1000", "starts helpers", "use -999 or higher"),
    ),
    "too little killable": (
        plan(Pin("process", "backup", -1000), least=99),
        ("killable processes would hold", "less than min_killable_percent=99", "pin fewer processes at -1000"),
    ),
    "a user's process": (
        after(lambda host, _patch: host.proc.process(88, "nginx", uids=(1000,) * 4), plan(Pin("process", "nginx", -5))),
        ("no process was selected", "process 88 (nginx): it runs as uid 1000", "Name its user in users"),
    ),
    "an immune shell of a user": (
        after(shell_of_a_user, plan(Pin("pid", "22", -1000))),
        ("no process was selected: process 22 (bash)", "chose its name", "use -999 or higher (force=true overrides)"),
    ),
    "an immune shell among others": (
        after(
            both(
                shell_of_a_user,
                lambda host, _patch: (host.cgroups / "x").mkdir(),
                lambda host, _patch: (host.cgroups / "x/cgroup.procs").write_text("22\n70\n"),
                lambda host, _patch: [host.proc.write(f"{pid}/cgroup", "0::/x\n") for pid in (22, 70)],
            ),
            plan(Pin("cgroup", "/x", -1000)),
        ),
        ("cgroup=/x: not pinned at -1000", "process 22 (bash)", "use -999 or higher (force=true overrides)"),
    ),
    "su among others": (
        after(su_of_a_user, plan(CRONS)),
        ("not pinned at -300", "process 22 (su)", "use 0 or higher (force=true overrides)"),
    ),
    "a policy that undoes the pin": (
        plan(CRON),
        ("with OOMPolicy=stop", "systemd stops the whole unit", "set oom_policy"),
    ),
    "a policy that kills": (
        plan(unit("cron", -300, oom_policy="kill")),
        ("with OOMPolicy=kill", "the kernel kills every process", "set oom_policy=continue"),
    ),
    "a policy that kills, and that systemd-oomd needs": (
        after(
            lambda host, _patch: (host.cgroups / "system.slice/cron.service/job").mkdir(),
            plan(unit("cron", -300, oom_policy="kill", managed_oom_preference="omit")),
        ),
        ("with OOMPolicy=kill", "the kernel kills every process", "move what must live to a unit of its own"),
    ),
    "several processes": (
        after(
            lambda host, _patch: host.proc.process(
                21, "cron", parent=20, score=-900, cgroup="/system.slice/cron.service"
            ),
            plan(Pin("process", "cron", -300)),
        ),
        ("process=cron selects 2 processes", "raises process 21 (cron) from -900", "select by unit=cron.service"),
    ),
    "inherited": (
        after(both(score(20, -300), score(21, -300)), plan(CRON)),
        ("1 other processes have inherited", "-300", "use children=reset"),
    ),
    "inherited and kept": (
        after(
            both(score(70, -5), lambda host, _patch: host.proc.process(71, "jmap", parent=70, score=-5)),
            plan(Pin("pid", "70", None, "absent")),
        ),
        ("keep the score", "that they inherited", "use children=reset, or restart them: process 71 (jmap)"),
    ),
    "hidden processes": (
        after(lambda host, _patch: host.proc.procfs.hidden.add(9), plan(JENKINS)),
        ("1 processes of other users", "are hidden (hidepid)", "add become: true"),
    ),
    # drop-ins
    "a later drop-in": (
        after(write(CRON_DROP_INS + "99-x.conf", "[Service]\nOOMScoreAdjust=7\n"), plan(CRON)),
        ("the score will be 7, not -300", "/etc/systemd/system/cron.service.d/99-x.conf wins", "remove OOMScoreAdjust"),
    ),
    "a later policy": (
        after(
            write(CRON_DROP_INS + "99-x.conf", "[Service]\nOOMPolicy=stop\n"),
            plan(unit("cron", -300, oom_policy="continue")),
        ),
        ("OOMPolicy will be stop, not continue", "99-x.conf wins", "remove OOMPolicy there"),
    ),
    "a later preference": (
        after(
            write(CRON_DROP_INS + "99-x.conf", "[Service]\nManagedOOMPreference=none\n"),
            plan(unit("cron", -300, managed_oom_preference="omit")),
        ),
        ("ManagedOOMPreference will be none, not omit", "99-x.conf wins", "remove ManagedOOMPreference there"),
    ),
    "a preference that is not applied": (
        after(no_marks, run(unit("cron", -300, managed_oom_preference="omit"))),
        ("systemd shows ManagedOOMPreference=omit", "say none", "restart cron.service, or leave out"),
    ),
    "no main process yet": (
        after(
            lambda host, _patch: host.known["postgresql.service"].update(ActiveState="activating"),
            plan(unit("postgresql")),
        ),
        ("unit=postgresql.service is ", "activating", "run again when it has one"),
    ),
    "a folder for a drop-in": (
        after(make_folder(CRON_DROP_INS + DROP_IN), plan(CRON)),
        ("60-oomguard.conf cannot be read", "Is a directory", "move away the folder"),
    ),
    "a FIFO for a drop-in": (
        after(
            both(make_folder(CRON_DROP_INS), lambda host, _patch: os.mkfifo(str(host.root / CRON_DROP_INS / DROP_IN))),
            plan(CRON),
        ),
        ("60-oomguard.conf cannot be read", "it is not a file", "move it away"),
    ),
    "a long drop-in": (
        after(write(CRON_DROP_INS + DROP_IN, "#" * (unit_folders.MAX_UNIT_BYTES + 1)), plan(CRON)),
        ("60-oomguard.conf cannot be read", "it is longer than 1 MiB", "move it away"),
    ),
    "a file for a folder": (
        after(write("etc/systemd/system/cron.service.d", ""), run(CRON)),
        ("60-oomguard.conf cannot be written", "File exists", "run again"),
    ),
    "a leftover that stays": (
        after(both(make_folder(CRON_DROP_INS + ".60-oomguard.conf.new/x")), run(CRON)),
        ("cannot be removed", "Is a directory", "move away the folder"),
    ),
    "a read-only /etc": (
        read_only,
        ("y.conf cannot be written", "Permission denied", "even root is denied: see lsattr"),
    ),
    "a drop-in that changes": (
        after(change_drop_in, run(CRON)),
        ("60-oomguard.conf", "changed by another", "run again"),
    ),
    "a systemd that disagrees": (
        after(no_reload, run(CRON)),
        ("systemd shows OOMScoreAdjust=0", "but its files set -300", "check systemctl cat cron.service"),
    ),
    "a unit that starts": (after(restart, run(CRON)), ("unit cron.service", "started during this run", "run again")),
    # systemctl
    "no systemd": (
        after(no_systemd, plan(CRON)),
        ("systemd does not manage this host", "(no /run/systemd/system)", "Pin what runs now by process"),
    ),
    "OpenRC": (
        after(both(no_systemd, make_folder("run/openrc")), plan(CRON)),
        ("systemd does not manage this host", "is up to OpenRC", "Pin what runs now by process"),
    ),
    "a cut answer": (after(answer("\n", ""), plan(CRON)), ("incomplete answer", "last line is cut off", "run again")),
    "too many units": (after(listed_twice, plan(CRON)), ("returned ", "2 units for 1 names", "run again")),
    "another unit": (
        after(both(answer("Id=cron", "Id=x"), answer("Names=cron", "Names=x")), plan(CRON)),
        ("returned the unit ", "'x.service'", "run again"),
    ),
    "no number": (
        after(answer("MainPID=20", "MainPID=ten"), plan(CRON)),
        ("MainPID=", "'ten'", "check it with systemctl"),
    ),
    "a property that lacks": (
        after(answer("MainPID=20\n", ""), plan(CRON)),
        ("incomplete answer", "lacks MainPID", "run"),
    ),
    "a default that is no score": (
        after(
            answer("DefaultOOMScoreAdjust=0", "DefaultOOMScoreAdjust=high"),
            both(score(1, 5), plan(unit("cron", None, state="absent"))),
        ),
        ("DefaultOOMScoreAdjust=", "'high'", "check it with systemctl show"),
    ),
    # writes
    "denied to a user": (
        after(both(deny(PermissionError(13, "x")), without_root(denials)), run(JENKINS)),
        ("the score of process 70 (java) cannot be lowered", "ran as uid 1000", "add become: true"),
    ),
    "lowering is denied": (
        after(deny(PermissionError(13, "x")), run(JENKINS)),
        ("cannot be lowered from 0 to -300", "lacks CAP_SYS_RESOURCE", "run on the host itself"),
    ),
    "raising is denied": (
        after(deny(PermissionError(13, "x")), run(Pin("pid", "70", 5))),
        ("cannot be set from 0 to 5", "as in a user namespace", "run on the host itself"),
    ),
    "predicted": (
        after(write("proc/self/status", "CapEff:\t0\n"), predict(JENKINS)),
        ("cannot be lowered from 0 to -300", "lacks CAP_SYS_RESOURCE", "run on the host itself"),
    ),
    "in doubt": (
        after(both(write("proc/self/status", "CapEff:\t0\n"), score(70, 5)), predict(Pin("pid", "70", 0))),
        ("lowering the score of 1 processes may be denied", "lacks CAP_SYS_RESOURCE", "run on the host itself"),
    ),
    "an error of the kernel": (
        after(deny(OSError(5, "Input/output error")), run(JENKINS)),
        ("the score of process 70 (java) cannot be set", "Input/output error", "see dmesg(1), and run again"),
    ),
    "a process that cannot be read": (
        after(both(unreadable, lambda _host, patch: patch.setattr(os, "geteuid", lambda: 1000)), plan(JENKINS)),
        ("pid=70: process 70 cannot be read", "ran as uid 1000", "add become: true"),
    ),
    "not kept": (after(not_kept, run(JENKINS)), ("shows score 0", "after -300 was written", "look for a setting")),
    "reset": (after(reset_later, run(JENKINS)), ("set its score to -17", "right after", "look for a setting")),
    "reset again and again": (
        after(reset_always, run(CRONS)),
        ("sets its score to 300", "again and", "look for a setting"),
    ),
    "not stable": (after(never_stable, run(CRONS)), ("after 0 seconds processes", "another score", "run again")),
    "a long fork": (forking, ("process 20 (cron) has been in the kernel", "for seconds", "run again when it goes on")),
    "an heir that changes": (heir(oom_score_adj="700\n"), ("keeps its score 700", "it inherited", "is left alone")),
    "an heir that moves": (heir(cgroup="0::/x\n"), ("keeps its score -300", "moved to another cgroup", "run again")),
    "an immune heir": (immune_heir, ("keeps its score 0", "no process inherits immunity", "select it itself")),
    "a late shell": (
        after(add_worker, late("bash", -1000)),
        ("process 24 (bash) keeps its score 0", "bash starts jobs", "use -999 or higher"),
    ),
    "a late login": (
        after(add_worker, late("login", -5)),
        ("process 24 (login) keeps its score 0", "start the shells of users", "use 0 or higher"),
    ),
    # users and machines
    "no login name": (
        lambda _host, _patch: parse_target(dict(UNSET, user_unit=dict(user="a/b", unit="x"))),
        ("user_unit: user='a/b'", "is not a login name", "set it to one of getent passwd"),
    ),
    "no user": (
        lambda _host, _patch: parse_target(dict(UNSET, user_unit=dict(unit="x"))),
        ("user_unit: ", "user is missing", "set it to a login name"),
    ),
    "no instance": (
        plan(unit("postgresql@*")),
        ("unit=postgresql@*", "systemd has started no instance", "or name it, such as postgresql@main"),
    ),
    "no unit of a user": (
        lambda _host, _patch: parse_target(dict(UNSET, user_unit=dict(user="a"))),
        ("user_unit of user a", "unit is missing", "set it to one of systemctl --user list-units"),
    ),
    "a manager of a user": (
        after(users_manager, plan(Pin("user_unit", "root/shop", -300, persistent=True))),
        (
            "user_unit=root/shop.service: the pin does not survive",
            "at 0 and cannot",
            "Run the service as a system service",
        ),
    ),
    "a manager of a user that does not reload": (
        after(both(users_manager, no_reload_of_user), run(Pin("user_unit", "root/shop", -300, persistent=True))),
        ("user_unit=root/shop.service: the drop-in is written", "has not read it: no bus", "systemctl --user"),
    ),
    "a record of homes that is not ours": (
        after(both(users_manager, folder_of_users), run(Pin("user_unit", "root/shop", -300, persistent=True))),
        ("/var/lib/oomguard must be a folder", "remove it", "finds the drop-ins of user root only while"),
    ),
    "a service of a user that is masked": (
        after(both(users_manager, answer_of_user(LoadState="masked")), plan(USER_SHOP)),
        ("unit shop.service of user root", "is masked and cannot start", "run systemctl --user unmask first"),
    ),
    "no such service of a user": (
        after(both(users_manager, answer_of_user(LoadState="not-found")), plan(USER_SHOP)),
        ("user root", "has no unit shop.service", "check the name with systemctl --user list-unit-files"),
    ),
    "no such service of a user who is out": (
        after(users_manager, plan(USER_SHOP._replace(value="root/web"))),
        ("no file of a unit web.service was found", "for user root", "check the name, or log in as root"),
    ),
    "a manager of a user that lies": (
        after(both(users_manager, answer_of_user(Type="x" * 99)), plan(USER_SHOP)),
        ("the service manager of user root", "what no systemd returns", "check it with systemctl --user show shop"),
    ),
    "too many files of a unit": (
        after(both(few_names, many_files(4, 1)), plan(unit("docker"))),
        ("docker.service.d cannot be read", "it has more than 3 files", "move away what is not needed there"),
    ),
    "too long files of a unit": (
        after(many_files(3, 1 << 20), plan(unit("docker"))),
        ("2.conf cannot be read", "more than 1000 files, or these are longer than 2 MiB", "move some away"),
    ),
    "no such user": (
        plan(USER_SHOP._replace(value="nosuchuser/shop")),
        ("user 'nosuchuser'", "this host has no such user", "check the name with getent passwd"),
    ),
    "a user who takes too long": (
        lambda _host, _patch: as_user.AsUser(BOB, 0).call(os.getpid),
        ("working with the rights of user bob", "took more than 0 seconds", "check whether the home folder"),
    ),
    "a user whose process ends": (
        lambda _host, _patch: as_user._parse_answer(BOB, b""),
        ("working with the rights of user bob failed", "no answer came in time", "check whether the home folder"),
    ),
    "files of a user without root": (
        lambda _host, patch: patch.setattr(os, "geteuid", lambda: 1000) or as_user.call_as_user(BOB, os.getpid),
        ("the files of user bob cannot be reached", "ran as uid 1000", "add become: true"),
    ),
    "a machine of a user": (
        after(users_machine, plan(Pin("machine", "web", -300))),
        ("machine=web runs in /user.slice/user-1000.slice/x.scope", "in the slice of a user", "use cgroup instead"),
    ),
    # undo
    "an undo that fails": (
        after(broken_undo(OSError(28, "No space left on device")), run(CRON, JENKINS)),
        ("no bus; this could not be put back, do it by hand", "process 70 (java)", "free space on its file system"),
    ),
    "an undo that fails oddly": (
        after(broken_undo(ValueError("odd")), run(CRON)),
        ("could not be put back, do it by hand", "60-oomguard.conf", "ValueError (odd)"),
    ),
    "an undo of what changes": (
        after(changed_undo, run(CRON)),
        ("60-oomguard.conf", "was changed by another program", "it was left alone, check it"),
    ),
    "a signal": (after(interrupted, locked(JENKINS)), ("ended by SIGTERM", "was put back", "run again")),
    # the record
    "a record of others": (
        after(record(lambda file: file.write_text("{}")), plan(Pin("pid", "70", None, "absent"))),
        ("/run/oomguard/scores", "is not a file that this collection made", "remove it"),
    ),
    "a record that is a link": (
        after(record(lambda file: file.symlink_to("x")), plan(Pin("pid", "70", None, "absent"))),
        ("/run/oomguard/scores cannot be read", "Too many levels", "remove the link"),
    ),
    "a damaged record": (
        after(record(damaged), plan(Pin("pid", "70", None, "absent"))),
        ("/run/oomguard/scores is damaged", "(JSONDecodeError)", "remove it"),
    ),
    "a record that cannot be written": (
        after(record(lambda file: (file.parent / ".scores.new").mkdir()), run(JENKINS)),
        ("/run/oomguard/scores cannot be written", "Is a directory", "move away the folder", "are not recorded: state"),
    ),
    "a record of root": (
        after(both(record(lambda _file: None), without_root(pin_record)), take_back_all),
        ("/run/oomguard/scores cannot be read", "ran as uid 1000", "add become: true"),
    ),
    "too many to record": (
        after(
            lambda _host, patch: patch.setattr(pin_record, "MAX_ENTRIES", 0),
            after(record(lambda _file: None), run(JENKINS)),
        ),
        ("the scores of 1 processes", "were not recorded", "state=absent gives them the score of their unit"),
    ),
    "no more open files": (
        lambda _host, _patch: [explain_pin_failure(OSError(errno.EMFILE, "Too many open files", "/proc/7"))],
        ("the scores cannot be read or set: /proc/7", "Too many open files", "raise the limit of open files"),
    ),
}


def provoke_all(new_host):
    """Return the texts of each row."""
    texts = {}
    for name, (provoke, _parts) in MESSAGES.items():
        with pytest.MonkeyPatch.context() as patch:
            host = new_host()
            try:
                texts[name] = list(provoke(host, patch) or [])
            except (OomError, Interrupted) as error:
                texts[name] = [str(error)]
    return texts


def has_parts(text, parts):
    return re.search(".*".join(map(re.escape, parts)), text, re.DOTALL) is not None


ROOMS = [
    "_oom_score_adj",
    "_host/systemd.py",
    "_host/user_manager.py",
    "_host/as_user.py",
    "_host/unit_folders.py",
    "_host/containers.py",
]
WORDING = re.compile(r"_?(?:refuse|warnings|explain|advise|suggest|why|check)_|make_error|_incomplete")
# Texts that are no message, or that no host of a test can show.
NO_MESSAGES = {
    " sets: check systemctl status ",  # earlyoom that does not start: test_spared.py
    " belongs to uid ",  # ends a connection, and is not shown
    "it began after the pid file was written",  # why a process is passed over: test_selectors.py
    "may write the pid file, and it runs as uid ",
    "its command line takes too long to search",
    "a user started it, and another target gives it a higher score",
}


def source_files():
    utils = os.path.dirname(os.path.dirname(os.path.abspath(apply.__file__)))
    for room in ROOMS:
        path = os.path.join(utils, room)
        names = [path] if path.endswith(".py") else [os.path.join(path, name) for name in sorted(os.listdir(path))]
        yield from (name for name in names if name.endswith(".py"))


def literal_texts(node):
    """Yield the longest constant part of each text below a node, without documentation."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        yield max(parts, key=len, default="")
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.FunctionDef) and child is node.body[0] and isinstance(child, ast.Expr)):
            yield from literal_texts(child)


def worded_texts(path):
    """Return the texts of all errors of a file, and of all functions that word messages."""
    with open(path, encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
    found = set()
    for node in ast.walk(tree):
        is_wording = isinstance(node, ast.FunctionDef) and WORDING.match(node.name)
        if isinstance(node, ast.Raise) or is_wording:
            found.update(text for text in literal_texts(node) if len(text) >= 16 and " " in text.strip())
    return found


def test_every_message_has_three_parts(new_host):
    texts = provoke_all(new_host)
    missing = {
        name: texts[name]
        for name, (_provoke, parts) in MESSAGES.items()
        if not any(has_parts(text, parts) for text in texts[name])
    }
    assert missing == {}
    provoked = "\n".join(text for found in texts.values() for text in found)
    unprovoked = {
        (os.path.basename(path), text)
        for path in source_files()
        for text in worded_texts(path)
        if text not in provoked and not any(known in text for known in NO_MESSAGES)
    }
    assert unprovoked == set()
