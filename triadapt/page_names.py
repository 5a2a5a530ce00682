"""The pages of the app, once for all who list them. Free of torch and Streamlit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageName:
    """One page. name: of its file in `pages/`. title, icon: in the navigation. in_class: whether a teacher may show it
    to students. played: whether a term of the glossary may lead to it."""

    name: str
    title: str
    icon: str
    in_class: bool = True
    played: bool = True

    @property
    def file(self) -> str:
        """Its file, from the root of the app."""
        return f"pages/{self.name}.py"

    @property
    def address(self) -> str:
        """Its address, from the root of the app. Play is the default page, which Streamlit serves at / alone."""
        return "/" if self.name == "play" else f"/{self.name}"


PAGES: dict[str, PageName] = {
    page.name: page
    for page in (
        PageName("play", "Play", ":material/play_circle:"),
        PageName("learn", "Learn", ":material/school:", played=False),
        PageName("runs", "Runs", ":material/list:"),
        PageName("compare", "Compare", ":material/compare:"),
        PageName("methods", "Methods", ":material/scatter_plot:"),
        PageName("tune", "Tune", ":material/tune:"),
        # It reads files of this machine by their path.
        PageName("own", "Your work", ":material/upload_file:", in_class=False, played=False),
    )
}
"""By name, in the order of the navigation."""
