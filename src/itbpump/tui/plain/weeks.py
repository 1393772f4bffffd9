"""The steps of a week as lines of text: write them for days, copy days, hear what stands.

One line gives the steps of the days it names, in place of what they had; `sat sun = mon` copies. Reading is `workflow.week`'s.
"""

from __future__ import annotations

from itbpump.therapy import WEEKDAYS
from itbpump.therapy_view import days_in_words
from itbpump.tui.plain.dialogue import KEEP, Dialogue
from itbpump.wording.layout import screen_amount
from itbpump.workflow.fields import Field
from itbpump.workflow.week import DraftStep, Week, WeekError

__all__ = ["ask_week", "edited", "week_lines"]

DONE, SHOW = "done", "show"
HOW = (
    'Write a line for days: "mon-fri: 00:00 8 mcg/h; 06:00 40 mcg over 1h".',
    f'Copy days: "sat sun = mon". Hear what stands: "{SHOW}". When all seven days have steps: "{DONE}".',
)


def ask_week(dialogue: Dialogue, field: Field, offered: str) -> str:
    """The week as text, each day with steps. Raises Left, Back, Abandoned, Ended."""
    week = Week()
    dialogue.say(f"{field.label}. {field.help}", *HOW)
    if offered:
        dialogue.say(f'Offered, taken with "{KEEP}":', *week_lines(offered))
    while True:
        answer = dialogue.ask(f"{field.label}, days and steps:", " ".join((f"{field.label}. {field.help}", *HOW)))
        if answer == DONE:
            without = tuple(day for day, steps in enumerate(week.days) if not steps)
            if not without:
                dialogue.say(f"{field.label}: as it stands.", *week_lines(week.text()))
                return week.text()
            dialogue.say(f"NOT DONE: no steps yet for {days_in_words(without)}. Write a line for them, or copy.")
            continue
        try:
            if answer == KEEP and offered:
                week = Week.parse(offered)
            elif answer != SHOW:
                week = edited(week, answer)
        except WeekError as error:
            dialogue.say(f"NOT TAKEN: {_problem(error)}", *HOW)
        dialogue.say(*(week_lines(week.text()) or ["No day has steps yet."]))


def edited(week: Week, line: str) -> Week:
    """The week with the days that a line names: `DAYS: STEPS`, or `DAYS = DAY`. Raises WeekError."""
    targets, copies, source = line.partition("=")
    if copies:
        name = source.strip().lower()
        if name not in WEEKDAYS:
            raise WeekError(f"{name!r} is no day to copy", action='write "sat sun = mon"')
        steps = week.days[WEEKDAYS.index(name)]
        if not steps:
            raise WeekError(f"{name!r} has no steps to copy", action=f'write its own line first: "{name}: 00:00 8 mcg/h"')
        line = f"{targets.strip()}: {'; '.join(str(step) for step in steps)}"
    given = Week.parse(line)
    if not any(given.days):
        raise WeekError(f"{line!r} has no steps", action='write "mon-fri: 00:00 8 mcg/h"')
    return Week(tuple(new or old for new, old in zip(given.days, week.days, strict=True)))


def week_lines(text: str) -> list[str]:
    """Days and their steps in words, one line each."""
    lines: list[str] = []
    for days, steps in Week.parse(text).groups():
        if steps:
            lines += [f"  {days_in_words(days)}:", *(f"    {_step(step)}" for step in steps)]
    return lines


def _step(step: DraftStep) -> str:
    if step.over:
        return f"at {step.at} a dose of {screen_amount(step.amount)} over {screen_amount(step.over)}"
    return f"at {step.at} a rate of {screen_amount(step.amount)}"


def _problem(error: WeekError) -> str:
    """Without what to do where that is an example of the grammar: the lines below say it in quotes."""
    return str(error).partition("; write ")[0] + "."
