"""What a browser would find in a page: tags with their attributes, and text."""

from __future__ import annotations

from html.parser import HTMLParser


class Dom(HTMLParser):
    """The text is that outside tags, style included."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
