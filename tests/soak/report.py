"""The report of a soak: a page of markdown."""

from tests.soak.run import Course, Plan
from tests.soak.samples import Sample, most

_MEASURES = (
    ("resident memory, MB", "resident_bytes", 1e6),
    ("descriptors", "descriptors", 1),
    ("kept descriptors", "kept_descriptors", 1),
    ("open files and directories", "handles", 1),
    ("nodes", "nodes", 1),
    ("katas", "katas", 1),
)
_MOMENTS = 12
"""At most so many samples are shown one by one."""


def report(plan: Plan, course: Course) -> str:
    """What was done and what was seen, and the verdict last."""
    parts = [_summary(plan, course), _operations(course), _held(course), _verdict(course)]
    return "\n\n".join(part for part in parts if part)


def _summary(plan: Plan, course: Course) -> str:
    operations = course.operations()
    removed, bytes_drawn = (
        sum(getattr(each, what) for each in course.done) for what in ("katas_removed", "bytes_drawn")
    )
    options = f"`-o {plan.options}`" if plan.options else "no options"
    setting = f"{plan.minutes:g} minutes, {plan.clients} clients, seed {plan.seed}, {options}"
    told = (
        f"{operations.total():,} operations on both sides, of which {course.refused().total():,} refused by both",
        f"{bytes_drawn / 1e6:,.0f} MB to write",
        f"{operations['new kata']:,} katas made and {removed:,} removed",
        f"{operations['container']:,} containers",
        f"{course.names:,} names in the trees at the end",
    )
    return f"{setting}: {'; '.join(told)}."


def _operations(course: Course) -> str:
    refused = course.refused()
    rows = [f"| {kind} | {count:,} | {refused[kind]:,} |" for kind, count in sorted(course.operations().items())]
    return "\n".join(["| operation | done | of which refused |", "|---|--:|--:|", *rows])


def _held(course: Course) -> str:
    if not (course.warm and course.end and course.samples):
        return ""
    columns = course.warm, most(course.samples), course.end
    rows = [
        f"| {title} | {' | '.join(f'{getattr(each, name) / unit:,.0f}' for each in columns)} |"
        for title, name, unit in _MEASURES
    ]
    table = "\n".join(["| the daemon | after the warm-up | at most | at the end |", "|---|--:|--:|--:|", *rows])
    return f"{table}\n\nResident memory in the course of it, MB: {_course_of_memory(course.samples)}."


def _course_of_memory(samples: list[Sample]) -> str:
    step = -(-len(samples) // _MOMENTS)
    return ", ".join(f"{each.resident_bytes / 1e6:.0f}" for each in samples[::step])


def _verdict(course: Course) -> str:
    if not course.failures:
        return "Verdict: passed. The trees are equal, and what the daemon holds is back."
    return "\n".join(["Verdict: failed.", *(f"- {failure}" for failure in course.failures)])
