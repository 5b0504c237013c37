"""Where the course's texts are: chapters, exercises and the glossary travel inside the wheel or lie in the checkout."""

from pathlib import Path


def content_root() -> Path:
    """Folder that holds `chapters/`, `exercises/` and `glossary.toml`.

    In an installed wheel that is `dlcourse/_content`, in a checkout the folder above the package.
    Raises FileNotFoundError when neither has a glossary, which means a broken installation.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_content", package.parent):
        if (root / "glossary.toml").is_file():
            return root
    raise FileNotFoundError(
        f"Looked for the course's texts (glossary.toml, chapters/) in {package / '_content'} and {package.parent} "
        "and found neither. Install dlcourse again, or work in a complete checkout."
    )
