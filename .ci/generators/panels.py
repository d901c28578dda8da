"""The kinds of panels that the dashboards are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import BigValueColorMode as ColorMode
from grafana_foundation_sdk.models.common import BigValueGraphMode as GraphMode
from grafana_foundation_sdk.models.common import BigValueTextMode as TextMode
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from generators.queries import Query, increase

SOURCE: Final = DataSourceRef("prometheus", "${datasource}")

GREEN: Final = "green"
ORANGE: Final = "orange"
RED: Final = "red"
BLUE: Final = "blue"
GREY: Final = "text"

Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, table.Panel, statetimeline.Panel, heatmap.Panel)
AnyPanel = stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | heatmap.Panel


Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on, which colour; the first from None."""

FINE: Final[Steps] = ((None, GREEN),)
NONE_IS_FINE: Final[Steps] = ((None, GREEN), (1, ORANGE))
NONE_IS_WANTED: Final[Steps] = ((None, GREEN), (1, RED))
ONE_IS_WANTED: Final[Steps] = ((None, RED), (1, GREEN))


def dress(
    panel: Panel,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    size: tuple[int, int],
    runbooks: Sequence[str] = (),
    instant: bool = False,
) -> Panel:
    """Give a panel what every panel has.

    Args:
        panel: the panel.
        title: its title.
        description: what it shows, and what to make of it.
        queries: what it shows.
        size: columns, of 24, and rows.
        runbooks: alerts whose runbooks belong to it.
        instant: whether it shows the last values only.
    """
    panel.title(title).description(description).datasource(SOURCE).span(size[0]).height(size[1])
    for letter, query in zip("ABCDEFGHIJKLMNOP", queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(query.expr).legend_format(query.legend or "__auto")
        target.datasource(SOURCE)
        panel.with_target(target.instant() if instant else target.range())
    panel.links([runbook(alert) for alert in runbooks])
    return panel


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "short",
    steps: Steps = FINE,
    meanings: Mapping[str, tuple[str, str]] | None = None,
    runbooks: Sequence[str] = (),
    width: int = 4,
) -> stat.Panel:
    """One number, coloured by what it is; ``meanings``: value -> (text, colour), where it stands for something."""
    panel = dress(stat.Panel(), title, description, [Query(expr)], size=(width, 4), runbooks=runbooks)
    panel.unit(unit).thresholds(thresholds(steps)).no_value("-")
    panel.graph_mode(GraphMode.NONE if meanings else GraphMode.AREA).color_mode(ColorMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if meanings:
        panel.mappings([meaning(meanings)])
    return panel


def word(
    title: str, description: str, expr: str, label: str, *, runbooks: Sequence[str] = (), width: int = 4
) -> stat.Panel:
    """The value that a label has where a metric is 1."""
    query = [Query(f"{expr} == 1", f"{{{{{label}}}}}")]
    panel = dress(stat.Panel(), title, description, query, size=(width, 4), runbooks=runbooks, instant=True)
    panel.text_mode(TextMode.NAME).graph_mode(GraphMode.NONE).color_mode(ColorMode.NONE).no_value("-")
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def graph(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    steps: Steps = (),
    stacked: bool = False,
    from_zero: bool = True,
    runbooks: Sequence[str] = (),
) -> timeseries.Panel:
    """Lines over time, which add up if ``stacked``; the axis begins at 0, or with the least of them."""
    panel = dress(timeseries.Panel(), title, description, queries, size=(12, 8), runbooks=runbooks)
    panel.unit(unit).line_width(1).fill_opacity(30 if stacked else 5).show_points(VisibilityMode.NEVER)
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    panel.legend(legend.display_mode(LegendDisplayMode.LIST))
    if from_zero:
        panel.min(0)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if steps:
        panel.thresholds(thresholds(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return panel


def bands(
    title: str,
    description: str,
    expr: str,
    meanings: Mapping[str, tuple[str, str]],
    *,
    runbooks: Sequence[str] = (),
    width: int = 24,
) -> statetimeline.Panel:
    """What was the case when: a band for each series, coloured by what its number means."""
    panel = dress(
        statetimeline.Panel(),
        title,
        description,
        [Query(expr, "{{repository}}")],
        size=(width, 6),
        runbooks=runbooks,
    )
    panel.mappings([meaning(meanings)]).show_value(VisibilityMode.NEVER).row_height(0.8).line_width(0)
    return panel.merge_values(True)


def cloud(title: str, description: str, metric: str, *, runbooks: Sequence[str] = (), width: int = 12) -> heatmap.Panel:
    """How a histogram's values are spread over time."""
    panel = dress(heatmap.Panel(), title, description, [], size=(width, 8), runbooks=runbooks)
    target = prometheus.Dataquery().ref_id("A").expr(increase(f"{metric}_bucket", by="le")).legend_format("{{le}}")
    panel.with_target(target.datasource(SOURCE).format(PromQueryFormat.HEATMAP).range())
    panel.calculate(False).color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(32)
    )
    return panel.y_axis(heatmap.YAxisConfig().unit("s")).filter_values(heatmap.FilterValueRange().le(1e-9))


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Colours by value."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value, colour) for value, colour in steps])
    )


def meaning(meanings: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Texts and colours instead of numbers."""
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=position)
            for position, (value, (text, colour)) in enumerate(meanings.items())
        }
    )


def runbook(alert: str) -> dashboard.DashboardLink:
    """A link to what to do about an alert."""
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK)
    return link.url(f"${{runbooks}}{alert}.md").target_blank(True)
