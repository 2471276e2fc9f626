"""Markdown with TeX formulas → HTML with MathML, which browsers draw by themselves: no script, no network.

JupyterLab draws the same formulas with its own MathJax.
"""

from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


def exporter(**settings) -> HTMLExporter:
    """nbconvert's exporter to HTML, its formulas as MathML and nothing in it from another host."""
    made = HTMLExporter(embed_images=True, **settings)
    made.mathjax_url = made.require_js_url = made.jquery_url = made.mermaid_js_url = ""
    made.register_filter("markdown2html", html)
    return made


def html(markdown: str) -> str:
    """A text's HTML, `$…$` and `$$…$$` in it as MathML."""
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(markdown)


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return convert(body)

    def block_math(self, body: str) -> str:
        formula = convert(body, display="block")
        return f'<div class="scroll" tabindex="0" role="region" aria-label="formula">{formula}</div>'
