"""Pages that stand alone: templates, the script that filters tables, a policy that lets nothing else run or load."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).with_name("templates")
SCRIPT = (TEMPLATES / "filter.js").read_text(encoding="utf-8").strip()
NO_SCRIPT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(template: str, *folders: Path, script: bool = False, **values: Any) -> str:
    """A page that loads nothing and runs no script but the filter, and that only where it is asked for.

    `folders`: where templates are looked for besides this room's own.
    """
    loader = jinja2.FileSystemLoader([*folders, TEMPLATES])
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    policy = f"{NO_SCRIPT}; script-src 'sha256-{digest(SCRIPT)}'" if script else NO_SCRIPT
    run = jinja2.utils.markupsafe.Markup(SCRIPT) if script else ""
    return environment.get_template(template).render(policy=policy, script=run, **values)


def digest(script: str) -> str:
    """A script's SHA-256 as a page's policy names it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
