# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find the services of users' managers, and what becomes of their pins at the next start.

Root writes any score to a process that runs. The next start of the service has none below that of
the user's manager, which is 100 unless the administrator changes it (_host/user_manager.py).
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.oomguard.linux.plugins.module_utils._errors import NotFoundError, OomError, UntrustedError
from ansible_collections.oomguard.linux.plugins.module_utils._host.as_user import Account, find_account
from ansible_collections.oomguard.linux.plugins.module_utils._host.process_table import ProcessTable
from ansible_collections.oomguard.linux.plugins.module_utils._host.systemd import Systemd, Unit
from ansible_collections.oomguard.linux.plugins.module_utils._host.unit_files import DropIn
from ansible_collections.oomguard.linux.plugins.module_utils._host.user_manager import RISE, UserManager, manager_name
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.drop_ins import (
    find_score_after_restart,
    plan_removal,
)
from ansible_collections.oomguard.linux.plugins.module_utils._oom_score_adj.pin import Outcome, Pin, Survival


class UserUnit(NamedTuple):
    """A service of a user, and the manager that has it."""

    manager: UserManager
    unit: Unit


def make_manager(account: Account, systemd: Systemd, for_all: bool) -> UserManager:
    """Return the service manager of a user of this host."""
    name = manager_name(account)
    unit = systemd.units([name])[name]
    # A manager that runs is asked itself. Before systemd 250 there is no such default.
    has_default = unit.running or systemd.default("OOMScoreAdjust") is not None
    return UserManager(account, unit, for_all, systemd.root, rise=RISE if has_default else 0)


class UserUnits:
    """The services of users that the targets of one call name."""

    def __init__(self, systemd: Systemd) -> None:
        self._systemd = systemd
        self._managers: Dict[Tuple[str, bool], UserManager] = {}
        self._found: Dict[Tuple[str, bool], UserUnit] = {}
        # What other targets make of managers, by their unit: now, and from the next login on.
        self.manager_scores: Dict[str, int] = {}
        self.login_scores: Dict[str, int] = {}

    def find(self, pin: Pin) -> UserUnit:
        """Return the service of a target, which may not exist.

        Raises NotFoundError for an unknown user, UntrustedError where the user's manager or files
        are such that nothing can be read or written: that is no trouble of other targets.
        """
        key = (pin.value, pin.for_all_users)
        if key not in self._found:
            manager = self._find_manager(pin)
            try:
                found = UserUnit(manager, manager.units([pin.unit_name])[pin.unit_name])
                path = plan_removal(manager, found.unit).path
                manager.read_ahead(found.unit)
                why = manager.why_read_only(path) if pin.persistent else None
            except OomError as error:
                raise UntrustedError(f"{pin.target}: {error}") from error
            if why:
                raise UntrustedError(f"{pin.target}: {why}")
            self._found[key] = found
        return self._found[key]

    def has_found(self, pin: Pin) -> bool:
        """Return whether find() has returned something for this target."""
        return (pin.value, pin.for_all_users) in self._found

    def _find_manager(self, pin: Pin) -> UserManager:
        key = (pin.owner, pin.for_all_users)
        if key not in self._managers:
            try:
                account = find_account(pin.owner)
            except NotFoundError as error:
                raise NotFoundError(f"{pin.target}: {error}") from None
            self._managers[key] = make_manager(account, self._systemd, pin.for_all_users)
        return self._managers[key]

    def find_unpinned_score(self, pin: Pin, score: int, table: ProcessTable) -> int:
        """Return the score that a process of the service has without the pin.

        C(score) is the one it has: another than the pin's is its own.
        """
        manager, unit = self.find(pin)
        removal = plan_removal(manager, unit)
        pinned = manager.pinned_by(removal) if pin.persistent else None
        if pinned is not None and score not in (pinned, _limit(manager, pinned, table)):
            return score
        return self.find_score_at_start(pin, removal if pin.persistent else None, table)

    def find_score_at_start(self, pin: Pin, drop_in: Optional[DropIn], table: ProcessTable) -> int:
        """Return the score with which the service really starts next, with this drop-in.

        That is once the manager has the score which another target gives it.
        """
        manager, unit = self.find(pin)
        score = find_score_after_restart(manager, unit, drop_in, table)
        now = _read_score(manager, table)
        own = self.manager_scores.get(manager.name, now)
        if score == now + RISE and manager.score_after(unit, drop_in) is None:  # it follows the manager
            score = own + RISE
        return max(score, own)

    def foresee(self, outcome: Outcome, table: ProcessTable) -> Outcome:
        """Return the outcome with what the next starts of the service really give it."""
        pin = outcome.pin
        if outcome.loaded_score is None:  # there is no such service
            return outcome
        manager = self.find(pin).manager
        at_login = max(outcome.loaded_score, self.login_scores.get(manager.name, manager.score_at_login))
        at_restart = self.find_score_at_start(pin, outcome.drop_in, table)
        lasts = at_login == pin.score
        survival = Survival(
            restart=at_restart == pin.score, logout=manager.lingers and manager.runs(), login=lasts, reboot=lasts
        )
        return outcome._replace(
            effective_after_restart=at_restart, survival=survival if pin.state == "present" else None
        )

    def warnings_for(self, outcome: Outcome, table: ProcessTable) -> List[str]:
        """Return what the user of this collection has to know before relying on the pin."""
        pin, survival = outcome.pin, outcome.survival
        if survival is None or outcome.loaded_score != pin.score:  # another drop-in wins, which has its own warning
            return []
        manager = self.find(pin).manager
        user = manager.account.name
        lost = [what for what in ("restart", "login", "reboot") if not getattr(survival, what)]
        if not lost:
            return []
        own = f"{'runs' if manager.runs() else 'will run'} at {_read_score(manager, table)}"
        return [
            f"{pin.target}: the pin does not survive {_join(lost)}: the next start has score"
            f" {outcome.effective_after_restart}, because {manager.name} {own} and cannot give its services"
            f" less. Run the service as a system service with User={user}; or pin unit={manager.name} at"
            f" {pin.score} with force=true, which lets every program of {user} have that score"
        ]


def _limit(manager: UserManager, score: int, table: ProcessTable) -> int:
    """Return the score that the next start has, if the files ask for this one."""
    return max(score, _read_score(manager, table))


def _read_score(manager: UserManager, table: ProcessTable) -> int:
    """Return the score of a manager: now, or once it runs."""
    return table.scores.get(manager.pid, manager.score_at_login) if manager.runs() else manager.score_at_login


def _join(words: List[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
