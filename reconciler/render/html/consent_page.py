"""The page that a browser shows after a consent succeeded or failed. No scripts, no external links."""

from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; }
p { overflow-wrap: anywhere; }
"""


def connected_page(credential: str, environment: str) -> str:
    """Return the page of a successful consent."""
    return _page(
        "Connected",
        f"Criteo's consent for {credential} in {environment} is kept. You can close this window.",
    )


def failed_page(problem: str) -> str:
    """Return the page of a failed consent. The terminal has the details."""
    return _page(
        "Not connected",
        f"{problem[:1].upper()}{problem[1:]}. The terminal says what to do. You can close this window.",
    )


def _page(title: str, text: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p></main>"
        "</body></html>"
    )
