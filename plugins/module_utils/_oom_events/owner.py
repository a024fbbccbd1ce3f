# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: nothing here is a public interface,
# and it may change in any release.

"""Find out whose cgroup the kernel log names, and describe it in a few words.

Pure. A user may choose the names of cgroups in a part of the tree that belongs to the user, or to a
service of the user. So a container has a name only outside of these parts, and elsewhere the words
say in whose part it is.
"""

import functools
import re
from typing import List, NamedTuple, Optional

from ansible_collections.oomguard.linux.plugins.module_utils._host.cgroup_names import (
    UNKNOWN_USER,
    ContainerNames,
    container_id,
    container_of,
    pod_of,
    unit_of,
    user_of,
)
from ansible_collections.oomguard.linux.plugins.module_utils._host.text import printable_name

# Longer names are cut, in the middle: both ends say the most.
_LONGEST_NAME = 60
_LONGEST_PATH = 100
_SHORT_ID = 12  # digits of a container's id, as docker ps shows them

_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+\\-]+\Z")
_SLICES = re.compile(r"(?:/[^/]+\.slice)*/[^/]+\.(?:slice|scope)\Z")
_USER_SLICE = re.compile(r"(?:/[^/]+)*/user-[0-9]+\.slice\Z")


class Owner(NamedTuple):
    """The unit, container, pod, user or plain cgroup that a cgroup path belongs to."""

    path: str  # of the owner's own cgroup
    inside: str  # the rest of the path, below it
    unit: Optional[str] = None
    container: Optional[str] = None
    pod: Optional[str] = None
    user: Optional[int] = None

    def whole(self) -> "Owner":
        """Return the owner without the rest of the path."""
        return self._replace(inside="")

    def is_named(self) -> bool:
        """Return whether only root could have made a cgroup with this container's id."""
        return self.container is not None and self.unit is None and self.user is None


@functools.lru_cache(maxsize=1024)
def find_owner(path: str) -> Owner:
    """Return the owner of a cgroup. A container comes before the pod or unit that it is in."""
    parts = path.split("/")
    unit, container, pod, user = unit_of([path]), container_of(path), pod_of(path), user_of([path])
    end = len(parts)
    if container:
        end = 1 + next(at for at, part in enumerate(parts) if container_id(part))
    elif pod:
        end = 1 + next(at for at, part in enumerate(parts) if pod_of(part))
    elif unit:
        end = 1 + parts.index(unit)
    return Owner("/".join(parts[:end]) or "/", "/".join(parts[end:]), unit, container, pod, user)


def describe_owner(owner: Owner, names: ContainerNames) -> str:
    """Return the owner in words, such as C(shop.service) or C(container web1 (69dc3709e8f3))."""
    words = _describe_whole(owner, names)
    return f"cgroup {quote_name(owner.inside, _LONGEST_PATH)} of {words}" if owner.inside else words


def quote_name(name: str, longest: int = _LONGEST_NAME) -> str:
    """Return a name as one printable word: escaped, cut, and in quotes if it has odd characters.

    The quotes show where the name ends, so that it cannot be read as our own words.
    """
    shown = printable_name(name)
    if len(shown) > longest:
        half = longest // 2
        shown = shown[: half - 1] + "..." + shown[2 - half :]
    if _PLAIN.match(shown):
        return shown
    escaped = shown.replace('"', "\\x22")
    return f'"{escaped}"'


def _describe_whole(owner: Owner, names: ContainerNames) -> str:
    if owner.container:
        name = get_container_name(owner, names)
        short = owner.container[:_SHORT_ID]
        return " of ".join(
            [f"container {name} ({short})" if name else f"container {short}", *_list_places(owner, names)]
        )
    if owner.pod:
        return " of ".join(_list_places(owner, names))
    if owner.unit:
        return quote_name(owner.unit)
    if owner.user is not None and not _USER_SLICE.match(owner.path):
        return " of ".join([quote_name(owner.path.rpartition("/")[2]), *_list_places(owner, names)])
    if owner.user is not None:
        return _list_places(owner, names)[0]
    if _SLICES.match(owner.path):
        return quote_name(owner.path.rpartition("/")[2])
    return "the host" if owner.path == "/" else f"cgroup {quote_name(owner.path, _LONGEST_PATH)}"


def _list_places(owner: Owner, names: ContainerNames) -> List[str]:
    """Return what the owner lies in: a pod, a unit, the part of a user."""
    places = []
    if owner.pod:
        places.append("pod " + quote_name(get_pod_name(owner, names) or owner.pod))
    if owner.unit:
        places.append(quote_name(owner.unit))
    if owner.user is not None:
        places.append("a user" if owner.user == UNKNOWN_USER else f"user {owner.user}")
    return places


def get_container_name(owner: Owner, names: ContainerNames) -> Optional[str]:
    """Return the name of the owner's container; None without one, or if a user may claim it."""
    return names.containers.get(owner.container) if owner.container and owner.is_named() else None


def get_pod_name(owner: Owner, names: ContainerNames) -> Optional[str]:
    """Return NAMESPACE/NAME of the owner's pod; None without one, or if a user may claim it."""
    return names.pods.get(owner.pod) if owner.pod and owner.unit is None and owner.user is None else None
