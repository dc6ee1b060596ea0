"""The lease: who works on a study, seen from every machine that can open its schedule.

Where the schedule is SQLite it is the lock of a file beside it, which workers inherit; where it is a PostgreSQL server,
a lock of that server, which every machine sees and which is free as soon as its holder is gone: its holder asks before
each write whether it is still its own.  On other servers it is a file of this machine.  It is taken before a study is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from search.tracking.advisory import POSTGRESQL, AdvisoryLock, read_holders
from search.tracking.held import held
from search.tracking.holder import WAIT as WAIT
from search.tracking.holder import Holder, in_campaign, in_use, owned
from search.tracking.locks import (
    STORE,
    brief_lock,
    campaign_lock,
    lock_path,
    locked_by,
    part_of,
    registry_lock,
    store_lock,
    study_lock,
)
from search.tracking.stores import Stores


@dataclass(frozen=True, slots=True)
class Lease:
    """A study that is held.

    Parameters
    ----------
    handle : int, optional
        File descriptor of the lock, which workers inherit; None where a server holds it.
    server : AdvisoryLock, optional
        Lock of a server.
    """

    handle: int | None = None
    server: AdvisoryLock | None = None

    def require(self) -> None:
        """Make sure that it is still held, before something is done that two must not do.

        Raises
        ------
        LostLeaseError
            If another command took it over while a server had lost sight of this one.
        """
        if self.server is not None:
            self.server.require()


def study_lease(stores: Stores, study_name: str, *, wait: float = 0.0) -> AbstractContextManager[Lease]:
    """Hold a study, or a part of it, against a second command on any machine, perhaps for hours.

    Raises
    ------
    StoreError
        If another command works on it for long, or a brief one still does after ``wait`` seconds.
    """
    return _held(stores, study_name, study_lock(stores, study_name, wait=wait), wait=wait, brief=False)


def brief_lease(stores: Stores, name: str, *, wait: float = WAIT) -> AbstractContextManager[Lease]:
    """Hold a study, or a part of its record, for a moment or some minutes: commands that come meanwhile wait.

    Raises
    ------
    StoreError
        As of :func:`study_lease`.
    """
    return _held(stores, name, brief_lock(stores, name, wait=wait), wait=wait, brief=True)


@contextmanager
def registry_lease(stores: Stores, model: str, *, wait: float = 0.0) -> Iterator[Lease]:
    """Hold a model's aliases against a second command; its holders are brief."""
    uri = next((uri for uri in (stores.storage_uri, stores.tracking_uri) if uri.startswith(POSTGRESQL)), "")
    name = part_of(model, "registry")
    with ExitStack() as stack:
        if uri:
            yield stack.enter_context(_on_server(uri, {name: owned(name)}, wait=wait, brief=True))
        else:
            yield Lease(stack.enter_context(registry_lock(stores, model, wait=wait)))


@contextmanager
def campaign_lease(stores: Stores, study_names: Iterable[str]) -> Iterator[None]:
    """Hold the studies that a campaign will come to against a second campaign.

    Raises
    ------
    StoreError
        If another campaign has queued one of them and is still at work.
    """
    if is_seen_everywhere(stores):
        names = {part_of(name, "campaign"): in_campaign(name) for name in study_names}
        with _on_server(stores.storage_uri, names, wait=0.0, brief=False):
            yield
    else:
        with campaign_lock(stores, study_names):
            yield


@contextmanager
def store_lease(stores: Stores, what: str = STORE) -> Iterator[None]:
    """Hold what all studies of a store share, for a moment: others wait."""
    with ExitStack() as stack:
        if is_seen_everywhere(stores):
            stack.enter_context(brief_lease(stores, part_of(what, "store")))
        stack.enter_context(store_lock(stores, what))
        yield


def refuse_if_held(stores: Stores, study_name: str) -> None:
    """Refuse a study that another command works on for long, before anything is read for it.

    Raises
    ------
    StoreError
        Naming the holder.
    """
    holder = holders(stores, [study_name]).get(study_name)
    if holder is not None and not holder.brief and (is_seen_everywhere(stores) or not holder.is_gone):
        raise in_use(owned(study_name), holder)


def holders(stores: Stores, names: Iterable[str]) -> dict[str, Holder]:
    """Who works on which of these studies or parts of them, without taking one; those that are free are left out.

    Raises
    ------
    StoreError
        If a server that knows it can't be reached.
    """
    if is_seen_everywhere(stores):
        return read_holders(stores.storage_uri, names)
    found = {name: locked_by(lock_path(stores, name)) for name in names}
    return {name: holder for name, holder in found.items() if holder is not None}


def is_held(stores: Stores, name: str) -> bool:
    """Whether a command works on a study, or on a part of it."""
    return bool(holders(stores, [name]))


def is_seen_everywhere(stores: Stores) -> bool:
    """Whether a lease on a study is seen from every machine."""
    return stores.storage_uri.startswith(POSTGRESQL)


@contextmanager
def _held(stores: Stores, name: str, lock: AbstractContextManager[int], *, wait: float, brief: bool) -> Iterator[Lease]:
    if is_seen_everywhere(stores):
        with _on_server(stores.storage_uri, {name: owned(name)}, wait=wait, brief=brief) as lease:
            yield lease
    else:
        with lock as handle:
            yield Lease(handle)


@contextmanager
def _on_server(uri: str, names: Mapping[str, str], *, wait: float, brief: bool) -> Iterator[Lease]:
    server = AdvisoryLock(uri, names, brief=brief)
    try:
        server.take(wait)
        with held(server.require):
            yield Lease(server=server)
    finally:
        server.free()
