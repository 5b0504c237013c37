"""What can run, fetch, style or lead away in a page."""

from bs4 import BeautifulSoup

ELEMENTS = {
    *("script", "style", "link", "meta", "base", "iframe", "object", "embed", "svg", "math", "form", "img"),
}
ATTRIBUTES = {"src", "srcdoc", "action", "formaction", "data", "style"}


def acting(page: str) -> list[str]:
    """Every such element, and every such attribute, in order."""
    found = []
    for element in BeautifulSoup(page, "html.parser").find_all(True):
        if element.name in ELEMENTS:
            found.append(str(element))
        found += [
            f"{element.name} {name}={value}"
            for name, value in element.attrs.items()
            if name.startswith("on") or name in ATTRIBUTES or (name == "href" and not value.startswith("#"))
        ]
    return found
