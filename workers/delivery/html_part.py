"""The HTML part of a letter: the text once more, in one plain layout that needs nothing from outside."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Final

_ITEM: Final = "  - "
_LIST: Final = '<ul style="margin:0 0 1em;padding-left:1.5em">\n{}\n</ul>'
_PARAGRAPH: Final = '<p style="margin:0 0 1em">{}</p>'
# No colours: the mail program's own, light or dark, are the most readable ones.
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:36em">
{body}
<div style="font-size:13px;margin-top:2em">
{footer}
</div>
</div>
</body>
</html>
"""


def html_page(title: str, body: str, footer: str, language: str, links: Iterable[str]) -> str:
    """Return a letter's text as a page.

    Args:
        title: the subject.
        body: paragraphs, with blank lines between them; lines that begin with "  - " are a list.
        footer: likewise, in smaller letters.
        language: of the text.
        links: the addresses that are ours; whatever else looks like one stays text.
    """
    chosen = sorted({escape(link) for link in links}, key=len, reverse=True)
    return _PAGE.format(
        language=escape(language), title=escape(title), body=_blocks(body, chosen), footer=_blocks(footer, chosen)
    )


def _blocks(text: str, links: Iterable[str]) -> str:
    blocks = []
    for paragraph in text.strip().split("\n\n"):
        for is_list, lines in groupby(paragraph.split("\n"), lambda line: line.startswith(_ITEM)):
            shown = [_linked(escape(line.removeprefix(_ITEM)), links) for line in lines]
            if is_list:
                blocks.append(_LIST.format("\n".join(f"<li>{item}</li>" for item in shown)))
            else:
                blocks.append(_PARAGRAPH.format("<br>\n".join(shown)))
    return "\n".join(blocks)


def _linked(line: str, links: Iterable[str]) -> str:
    """Make the first of our own addresses in a line a link."""
    for link in links:
        before, found, after = line.partition(link)
        if found:
            return f'{before}<a href="{link}">{link}</a>{after}'
    return line
