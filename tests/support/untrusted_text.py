"""Untrusted text that tries to break output."""

from hypothesis import strategies as st

UNTRUSTED = [
    "[bold red]x[/]", "[link=https://evil.example]x[/link]", ":boom:", "\x1b[31m", "\x1b]8;;https://x\x1b\\",
    "\x1b]0;title\x07", "\x9b2J", "\x1b", "\r", "\n", "\r\n", "\t", "|", "‮", "⁦", "\u200b", "\u2028", "\ue000",
    "\x00", "\x07", "\x08", "<b>", "`", "漢字", "e\u0301", "👩‍👩‍👧", "guards: {a: b}", "{", "}",
]  # fmt: skip
MARKUP = [
    "@team", "#123", "acme/shop#4", "GH-5", "https://evil.example", "www.evil.example", "a@evil.example",
    "0123abcdef", "defaced", "</details>", "</script>", "<!--", "-->", "<img src=x onerror=y>", "&lt;",
    "&#64;x", "```", "~~~", "``", " `` ", "`x`", "*", "**", "__", "~~", "$x$", "$`x`$", "\\", "\\|", "|---|",
    "![x](y)", "[x]: /y", "[^1]", "[ ]", "- ", "1. ", "1)", "# ", "> ", "---", "===", "    ", " ", "\u00a0",
    "\u3000", "{{ 7 }}", "{% if %}", "{# x #}", "'", '"', "javascript:x", "style=", "[!NOTE]",
    "a" * 500, "`" * 500,
]  # fmt: skip
# Free text is drawn from the letters that matter and from everything else.
TITLES = st.lists(st.sampled_from(UNTRUSTED) | st.text(max_size=8), min_size=1, max_size=12).map("".join)
MARKED_UP = st.lists(st.sampled_from(UNTRUSTED + MARKUP) | st.text(max_size=8), min_size=1, max_size=12).map(
    "".join
)
