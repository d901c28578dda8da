"""What the dashboards have in common: variables, links, and rows of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from generators.panels import SOURCE, AnyPanel

RUNBOOKS: Final = "file:///usr/share/doc/censusd/docs/runbooks/"
"""Where the runbooks are read; a hidden variable of each dashboard, so that it can be changed in one place."""

TAG: Final = "censusd"


def board(uid: str, title: str, description: str, *, one_repository: bool = False) -> dashboard.Dashboard:
    """A dashboard without panels.

    Args:
        uid: its name in links.
        title: its title.
        description: what it is for.
        one_repository: whether it shows a single repository.
    """
    made = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).timezone("browser")
    made.time("now-6h", "now").refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made.with_variable(_choice("instance", "Instance", "label_values(censusd_ready, instance)", several=True))
    made.with_variable(
        _choice(
            "repository", "Repository", "label_values(censusd_repository_owned, repository)", several=not one_repository
        )
    )
    made.with_variable(dashboard.ConstantVariable("runbooks").value(RUNBOOKS))
    link = dashboard.DashboardLink("censusd").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return made.link(link.as_dropdown(True).keep_time(True).include_vars(True))


def add(made: dashboard.Dashboard, title: str, panels: Sequence[AnyPanel]) -> None:
    """A row of panels."""
    made.with_row(dashboard.Row(title))
    for panel in panels:
        made.with_panel(panel)


def _choice(name: str, label: str, query: str, *, several: bool) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if several:
        variable.multi(True).include_all(True).all_value(".*")
        variable.current(VariableOption(selected=True, text="All", value="$__all"))
    return variable
