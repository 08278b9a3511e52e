"""Sentences of Markdown pages and help texts, without code, tables and links."""

import re
from collections.abc import Iterator

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$\n?", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(?<!`)<!--.*?-->\n?", re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"(`+)(?:(?!\1).)+\1", re.DOTALL)
ITEM = re.compile(r"^ *(?:[-*]|\d+\.) +", re.MULTILINE)
END = re.compile(r"(?<=[.!?])(?:\*\*)?\s+(?=[A-Z`*\"“(])")
ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc|vs)\.")
SHOWN_CODE = "CODE"
LIST_OF_CODE = re.compile(r"CODE(?:,? (?:and |or )?CODE)+")


def paragraphs(page: str) -> Iterator[str]:
    """Each paragraph and list item of a page on one line; a list of inline code counts as one word."""
    text = COMMENT.sub("", FENCE.sub("\n", page))
    text = CODE.sub(SHOWN_CODE, LINK.sub(r"\1", text))
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith(("#", "|", ">")):
            continue
        for part in ITEM.split(block):
            if words := LIST_OF_CODE.sub(SHOWN_CODE, " ".join(part.split())):
                yield words


def sentences(paragraph: str) -> list[str]:
    return [one for one in END.split(ABBREVIATIONS.sub("", paragraph)) if one.strip()]


def prose(page: str) -> str:
    """The page without code, as linters read it; tables stay."""
    return CODE.sub(SHOWN_CODE, LINK.sub(r"\1", COMMENT.sub("", FENCE.sub("\n", page))))
