"""The text that --help prints: flags by section, with defaults."""

import textwrap

from absl import flags

WIDTH, INDENT = 110, 26  # characters; longer names have their text on the next line


def format_sections(sections):
    """Formats flags under the titles of their sections.

    Args:
        sections: {title: names of defined flags}.

    Returns:
        Text of lines of at most WIDTH characters.
    """
    return "\n\n".join(
        "\n".join([f"{title}:", *(line for name in names for line in _format_flag(flags.FLAGS[name]))])
        for title, names in sections.items()
    )


def _format_flag(flag):
    """Formats a flag as lines."""
    name = f"  --{flag.name}" if flag.boolean else f"  --{flag.name}=..."
    shown = isinstance(flag.default, str | int | float | list) and flag.default not in ("", [], False)
    text = f"{flag.help} (default: {flag.default})" if shown else flag.help  # that of a config file is long
    lines = textwrap.wrap(text, WIDTH - INDENT, break_on_hyphens=False)
    first = [name.ljust(INDENT) + lines.pop(0)] if len(name) < INDENT - 1 else [name]
    return [*first, *(" " * INDENT + line for line in lines)]
