"""Serving what somebody asks for: it comes before everything else."""

from __future__ import annotations

import time
from collections.abc import Mapping

from censusd.catalogue import browse, directories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.rehash import Place
from censusd.deepscan.backlog import Backlog
from censusd.deepscan.demands import Demand, Demands
from censusd.deepscan.sites import OPEN, Lane, Site
from censusd.deepscan.work import Work
from censusd.errors import CatalogueUnavailableError, CensusError
from censusd.model import ASKED, ROOT, FileState, Trigger


class Orders:
    """Takes demands one after the other through the repositories' queues.

    Args:
        catalogue: the database.
        work: where files are looked at.
        sites: the repositories, by name.
        backlog: what has to make way.

    Attributes:
        demands: what is asked for.
    """

    def __init__(self, catalogue: Catalogue, work: Work, sites: Mapping[str, Site], backlog: Backlog) -> None:
        self.demands = Demands()
        self._catalogue = catalogue
        self._work = work
        self._sites = sites
        self._backlog = backlog

    @property
    def are_claiming(self) -> bool:
        """Whether there are files to be taken that nobody else should take first."""
        return any(
            demand.lane is None or (demand.lane.empty_at is None and not demand.again) for demand in self.demands.open()
        )

    def serve(self) -> None:
        """Take what there is room for, and settle what is done.

        Raises:
            CatalogueUnavailableError: the database is away.
        """
        for demand in self.demands.open():
            try:
                self._serve(demand)
            except CatalogueUnavailableError as error:
                self.demands.settle(demand, error)
                raise
            except CensusError as error:
                self.demands.settle(demand, error)

    def _serve(self, demand: Demand) -> None:
        site = self._sites.get(demand.repository)
        if site is None:
            raise CensusError(f"{demand.repository} is not on record yet, or not configured")
        if self._work.fault:
            raise CensusError(self._work.fault)
        if site.record is None or not site.is_begun:
            # Whoever asked has seen that it is on record; here that is looked at once a second.
            return
        if not site.is_open(time.monotonic()):
            why = "its disk did not answer" if site.record.state in OPEN else f"it is {site.record.state}"
            raise CensusError(f"{demand.repository} cannot be looked at: {why}")
        lane = demand.lane
        if lane is None:
            if not demand.again:
                # What the backlog's workers have begun is begun anew by those who have no patience.
                self._backlog.stop()
            lane = demand.lane = self._lane_to(site, demand)
        while lane.empty_at is None and self._work.urgent.pending < self._work.batch:
            if demand.again:
                below = lane.below[0] if lane.below else None
                place = Place(lane.file, below, site.rules.places, ASKED, demand.again)
                self._work.rehash(site, lane, place, Trigger.MANUAL, demand)
            else:
                self._work.advance(site, lane, ASKED, Trigger.MANUAL, demand)
        if lane.empty_at is not None and not demand.in_flight:
            self.demands.settle(demand)

    def _lane_to(self, site: Site, demand: Demand) -> Lane:
        if demand.path == ROOT or site.record is None:
            return Lane()
        with self._catalogue.transaction() as cursor:
            if directories.by_path(cursor, site.record.id, [demand.path]):
                return Lane(below=(demand.path,))
            rows = browse.files_at(cursor, site.record.id, demand.path, 1)
        if not rows or rows[0]["state"] != FileState.PRESENT:
            raise CensusError(f"{demand.repository} has nothing on record at {demand.path}")
        return Lane(file=rows[0]["id"])
