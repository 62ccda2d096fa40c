"""Charts of altair as SVG, drawn by Vega in this process: no browser, nothing from the network."""

from collections.abc import Iterable
from html import escape
from typing import Any, Final, Literal

from activities.people.language import Language

INK: Final = "currentColor"
ACCENT: Final = "var(--accent, #2347c5)"
Locale = Literal["en-GB", "nl-NL", "de-DE", "fr-FR", "es-ES"]
_LOCALES: Final[dict[str, Locale]] = {"nl": "nl-NL", "de": "de-DE", "fr": "fr-FR", "es": "es-ES"}
_STYLE: Final = """
svg { color: #1b1f24; background: #ffffff }
@media (prefers-color-scheme: dark) { svg { color: #e6e9ee; background: #14171c } }
"""


def svg_of(chart: Any, locale: Locale = "en-GB") -> str:
    """The chart in the colours of whatever it stands in; numbers and days as that locale writes them.

    Takes a second the first time in a process: call it in a thread.
    """
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it
    import vl_convert  # noqa: PLC0415  as above

    colours: dict[str, Any] = {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK}
    sized = chart.properties(background="transparent").configure(
        axis=altair.AxisConfig(**colours, gridColor=INK, gridOpacity=0.12, labelFontSize=11),
        view=altair.ViewConfig(stroke=None),
        legend=altair.LegendConfig(labelColor=INK),
        title=altair.TitleConfig(color=INK, subtitleColor=INK, anchor="start"),
        font="sans-serif",
    )
    drawn: str = vl_convert.vegalite_to_svg(
        sized.to_dict(), allowed_base_urls=[], format_locale=locale, time_format_locale=locale
    )
    return drawn


def locale_of(language: Language) -> Locale:
    return _LOCALES.get(language.code, "en-GB")


def for_a_page(svg: str, heard: str) -> str:
    """As wide as its container, and one image for screen readers."""
    begin, size, rest = svg.partition(" viewBox=")
    if not size:
        raise ValueError("Vega has drawn something without a size")
    root = begin.partition(" width=")[0]
    return f'{root} role="img" aria-label="{escape(heard)}"{size}{rest}'


def picture_file(chart: Any, title: str, heard: Iterable[str]) -> bytes:
    """The chart as a file, light or dark as its reader likes it, one picture for whoever hears it."""
    begin, size, rest = svg_of(chart).partition(" viewBox=")
    inside, end, drawn = rest.partition(">")
    says = f'<title id="title">{escape(title)}</title><desc id="says">{escape(chr(10).join(heard))}</desc>'
    root = f'{begin} role="img" aria-labelledby="title says"{size}{inside}{end}'
    return f"{root}{says}<style>{_STYLE}</style>{drawn}".encode()
