#!/usr/bin/env python3
"""A terminal's screen as a page: `tmux capture-pane -ep | terminal.py light|dark COLUMNS TITLE > page.html`.

Understands what caplab prints: SGR bold, dim and the eight colours. Colours are those of GNOME Terminal's and VS Code's palettes."""
import html
import re
import sys

LIGHT = {"back": "#ffffff", "text": "#1e1e1e", "bar": "#e8e8e8",
         "colours": ["#000000", "#c01c28", "#1e7a3c", "#8a6100", "#12488b", "#a347ba", "#0e7490", "#5e5c64"]}
DARK = {"back": "#1e1e1e", "text": "#e4e4e4", "bar": "#2d2d2d",
        "colours": ["#171421", "#f66151", "#33da7a", "#e9ad0c", "#2a7bde", "#c061cb", "#33c7de", "#d0cfcc"]}


def spans(screen, palette):
    colour, bold, dim = None, False, False
    for number, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", screen):
        if text:
            style = f"color:{palette['colours'][colour]};" if colour is not None else ""
            style += "font-weight:bold;" if bold else ""
            style += "opacity:.62;" if dim else ""
            yield f'<span style="{style}">{html.escape(text)}</span>'
            continue
        for code in (int(code or 0) for code in number.split(";")):
            if code == 0:
                colour, bold, dim = None, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 22:
                bold = dim = False
            elif code == 39:
                colour = None
            elif 30 <= code <= 37:
                colour = code - 30


def main():
    theme, columns, title = sys.argv[1:4]
    palette = {"light": LIGHT, "dark": DARK}[theme]
    body = "".join(spans(sys.stdin.read().rstrip("\n"), palette))
    print(f"""<!doctype html><meta charset="utf-8"><style>
html {{ background: {palette['back']}; }}
body {{ margin: 0; color: {palette['text']}; font: 14px/19px "DejaVu Sans Mono", monospace; }}
div {{ background: {palette['bar']}; padding: 5px 12px; height: 19px; opacity: .9; }}
pre {{ margin: 12px; font: inherit; width: {columns}ch; }}
</style><div>{html.escape(title)}</div><pre>{body}</pre>""")


main()
