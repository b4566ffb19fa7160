"""Several models measured by one suite: a table of means over those that differ only in their seeds.

A suite that compares has in its module, besides `run`:

    COMPARED = {heading: beginning of a figure's name}    the figures of the table; the first that begins so counts
    COMPARISON_TEXT                                       what the figures mean, below the table
    list_facts(release) -> {heading: value}               what the table says of a Release, "model" among it
    find_paper_row(release) -> {heading: value}           the paper's figures beside it, or {}
"""

import dataclasses
import os
import sys
import textwrap

from common import release
from common.errors import InputError
from configs.earlier_configs import NEUTRAL, in_current_fields
from configs.fields import INTERVAL_ENDING, WITHOUT_EFFECT, flatten
from evaluation.report.estimates import Section, Spread
from evaluation.suites import SUITES
from pictures.folders import source_name

NOT_COMPARED = (*WITHOUT_EFFECT, "train.seed", "train.jit_compile")
MOST_IN_TERMINAL = 4  # models whose own figures are shown below the table
MOST_IN_LABEL = 2  # settings that tell one row from another
LABEL_LENGTH = 40  # characters of a setting
SUMMARY = (
    "Each row is of models that differ only in their seeds: the mean +- the sample standard deviation over their "
    "trainings, of which one model has none. A figure that one of them lacks is none."
)


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Models whose configs differ only in the seed and in fields that do not affect what is trained.

    Args:
        release: evaluation.inputs.Release of the first.
        settings: what `list_settings` lists of each.
        names: short names of their sources.
        sections: Section of each.
    """

    release: object
    settings: dict
    names: list
    sections: list


def check_sources(sources):
    """Raises InputError if there is no source, an empty one, or one release twice."""
    if not sources or not all(sources):
        raise InputError(
            "--source must be one model, or several with commas between them, none of them empty. "
            f"Received: --source={','.join(sources)}"
        )
    found = {}
    for source in sources:
        folder = os.path.realpath(release.resolve(source))
        if folder in found:
            raise InputError(f"--source must have each model once. Received: {found[folder]} and {source}")
        found[folder] = source


def check_models(releases):
    """Raises InputError unless all `Release` are of one kind and data source, and none is a copy."""
    first, found = releases[0], {}
    for each in releases:
        if each.digest in found:
            received = f"{found[each.digest]} and {each.source}"
            raise InputError(f"--source must have each model once. Received: {received} with equal weights")
        found[each.digest] = each.source
    for other in releases[1:]:
        if (other.kind, other.data_source) != (first.kind, first.data_source):
            received = " and ".join(f"{r.source} of kind {r.kind}, data {r.data_source}" for r in (first, other))
            raise InputError(f"Models of --source must be of one kind and of the same data. Received: {received}")


def check_suites(chosen):
    """Raises InputError unless the suites chosen for each of several models are the same one, which compares."""
    suites = [*dict.fromkeys(suite for its_suites in chosen for suite in its_suites)]
    if len(suites) > 1 or not suites[0].compares:
        choices = " or ".join(f"--suite={suite.name}" for suite in SUITES if suite.compares)
        received = ", ".join(suite.name for suite in suites)
        raise InputError(f"Several models can only be measured with {choices}. Received: {received}")


def merge_facts(facts):
    """Merges the facts of reports on each of several models into one dict."""
    if len(facts) == 1:
        return facts[0]
    shared = {name: value for name, value in facts[0].items() if name not in ("source", "weights", "trained")}
    models = {
        f"model {number}": f"{fact['source']}, weights {fact['weights']}, trained: {fact['trained']}"
        for number, fact in enumerate(facts, start=1)
    }
    return {"source": f"{len(facts)} models"} | shared | models


def measure(inputs, chosen):
    """Runs suites on one or several models.

    Args:
        inputs: list of evaluation.inputs.Inputs, one a model.
        chosen: for each of these a list of evaluation.suites.Suite.

    Returns:
        List of Section. Those of several models are below one that compares them.
    """
    runs = [(suite, each) for each, its_suites in zip(inputs, chosen, strict=True) for suite in its_suites]
    sections = []
    for number, (suite, each) in enumerate(runs, start=1):
        if len(runs) > 1:
            model = f" of {each.release.source}" if len(inputs) > 1 else ""
            print(f"suite {number} of {len(runs)}: {suite.name}{model}", file=sys.stderr)
        sections.append(suite.run(each))
    if len(inputs) == 1:
        return sections
    return compare(chosen[0][0].load(), [each.release for each in inputs], sections)


def compare(suite, releases, sections):
    """Compares models that one suite has measured.

    Args:
        suite: its module.
        releases: list of evaluation.inputs.Release.
        sections: list of Section, one a release.

    Returns:
        List of Section: the comparison, and those given, named by the sources, folded and without tables.
    """
    names = shorten_sources([each.source for each in releases])
    table = make_table(suite, group_models(releases, names, sections))
    return [Section("Comparison", [], table, {}, suite.COMPARISON_TEXT, SUMMARY)] + [
        dataclasses.replace(section, title=f"{section.title} of {name}", table=(), folded=True)
        for name, section in zip(names, sections, strict=True)
    ]


def shorten_sources(sources):
    """Returns the last parts of the paths of sources, or all as they are where two would be alike."""
    names = [source_name(source) for source in sources]
    return names if len({*names}) == len(names) else sources


def group_models(releases, names, sections):
    """Groups models of equal settings; returns a list of Group in the order of their first models."""
    groups = []
    for each, name, section in zip(releases, names, sections, strict=True):
        settings = list_settings(each.config)
        group = next((group for group in groups if group.settings == settings), None)
        if group is None:
            group = Group(each, settings, [], [])
            groups.append(group)
        group.names.append(name)
        group.sections.append(section)
    return groups


def list_settings(config):
    """Lists the fields of a release's config that affect what is trained: {"section.field": value}.

    The configs of earlier versions are listed in the fields of this one, where they mean the same.
    """
    return {
        name: value
        for name, value in in_current_fields(flatten(config), NEUTRAL.keys()).items()
        if name not in NOT_COMPARED and not name.endswith(INTERVAL_ENDING)
    }


def make_table(suite, groups):
    """Makes the table of `compare`: a row for each Group, and the paper's below the last that it stands beside."""
    facts = [
        suite.list_facts(group.release) | {"kimg": group.release.config.get("trained_kimg")} for group in groups
    ]
    papers = [suite.find_paper_row(group.release) for group in groups]
    rows, all_rows = [], []
    for number, group in enumerate(groups):
        alike = [other.settings for other, fact in zip(groups, facts, strict=True) if fact == facts[number]]
        model = ", ".join([facts[number]["model"], *describe_differences(group.settings, alike)])
        figures = {heading: spread_figure(group, beginning) for heading, beginning in suite.COMPARED.items()}
        row = facts[number] | {"model": model, "runs": len(group.names)} | figures
        rows.append(row | {"sources": tuple(group.names)})
        last_of_paper = papers[number] not in papers[number + 1 :]
        all_rows += [rows[-1], papers[number]] if papers[number] and last_of_paper else [rows[-1]]
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row.get(name) for name in columns} for row in all_rows]


def describe_differences(settings, others):
    """Describes in which settings a group differs from others, in at most MOST_IN_LABEL + 1 parts.

    Fields that one of them does not have, as those of other versions, come last, with the value None.
    """
    names = sorted({name for other in others for name in other})
    names.sort(key=lambda name: not all(name in other for other in others))
    differing = [name for name in names if any(other.get(name) != settings.get(name) for other in others)]
    parts = [f"{name.rpartition('.')[2]}={settings.get(name)}" for name in differing[:MOST_IN_LABEL]]
    parts = [textwrap.shorten(part, LABEL_LENGTH, placeholder="...") for part in parts]
    return parts + ["..."] * (len(differing) > MOST_IN_LABEL)


def spread_figure(group, beginning):
    """Computes the Spread of the first figure whose name begins so over a Group; None if no model has it."""
    values = []
    for section in group.sections:
        values += [e.value for e in section.estimates if e.name.startswith(beginning)][:1]
    if 0 < len(values) < len(group.sections):
        return Spread(float("nan"))
    return Spread.of(values) if values else None


def choose_shown(sections):
    """Chooses the sections of `measure` that a terminal shows: of many models only the comparison."""
    return sections[:1] if sum(section.folded for section in sections) > MOST_IN_TERMINAL else sections
