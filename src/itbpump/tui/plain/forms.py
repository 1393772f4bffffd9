"""Any task's form as questions: field after field, each with its unit, what is offered, its help, and what was read said back.

The fields are asked for anew after each answer, as later ones hang on earlier ones. What was answered before a step back is offered again
only where the very same is asked: a dose of a day never becomes one of a bolus. Not here: what the fields are (`workflow`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from itbpump.quantity import Amount, Concentration, Duration
from itbpump.tui.plain.dialogue import KEEP, Back, Dialogue, Left, said
from itbpump.tui.plain.menu import Item, choose, number
from itbpump.tui.plain.weeks import ask_week, week_lines
from itbpump.wording.layout import screen_amount, spelled_out
from itbpump.workflow.fields import Field, FieldError, Kind, Values

__all__ = ["Form", "ask_field", "problem_lines"]

NONE = "-"
"""Leaves a field empty that may be."""
Fields = Callable[[Values], tuple[Field, ...]]


class Form:
    """Answers to the fields of one task, in the order they were given. `fields` gives what is asked for by what was answered so far."""

    def __init__(self, dialogue: Dialogue, fields: Fields) -> None:
        self.dialogue = dialogue
        self.fields = fields
        self.answers: dict[str, tuple[Field, str]] = {}
        self.former: dict[str, tuple[Field, str]] = {}

    @property
    def values(self) -> Values:
        """What was answered, as it was typed."""
        return MappingProxyType({name: text for name, (_, text) in self.answers.items()})

    def fill(self) -> Values:
        """Ask for all that is not yet answered. Raises Left, also for a step back before the first question, Abandoned, Ended."""
        group = ""
        while True:
            field = self._next()
            if field is None:
                return self.values
            if field.group and field.group != group:
                self.dialogue.say("", f"{field.group}.")
            group = field.group
            try:
                text = ask_field(self.dialogue, field, self._offered(field))
            except Back:
                if not self.answers:
                    raise Left from None
                self.reopen(next(reversed(self.answers)))
            else:
                self.answers[field.id] = (field, text)

    def _next(self) -> Field | None:
        return next((field for field in self.fields(self.values) if field.id not in self.answers), None)

    def _offered(self, field: Field) -> str:
        """Nothing for a concentration, which is typed each time, nor for a point of a checklist, which is done each time."""
        if field.amount is Concentration or field.kind is Kind.TICK:
            return ""
        former = self.former.get(field.id)
        return former[1] if former is not None and _is_same(former[0], field) else field.initial

    def reopen(self, field_id: str) -> None:
        """Ask for this field again, and for all that was answered after it; what was said there is offered."""
        names = list(self.answers)
        for name in names[names.index(field_id) :]:
            self.former[name] = self.answers.pop(name)

    def correct(self, error: FieldError) -> None:
        """Say what is wrong with the answers and open the one it belongs to, or the one that the person chooses. Raises as `fill`."""
        self.dialogue.say(*problem_lines(error))
        if error.field in self.answers:
            self.reopen(error.field)
        else:
            self.change()

    def change(self) -> None:
        """Let the person choose the answer to change. Raises Left, Abandoned, Ended."""
        if not self.answers:
            raise Left
        items = [Item(name, f"{field.label}: {_shown(field, text)}") for name, (field, text) in self.answers.items()]
        try:
            self.reopen(
                choose(self.dialogue, "Which answer shall change? Those after it are asked again, with what you said offered.", items)
            )
        except Back:
            raise Left from None


def ask_field(dialogue: Dialogue, field: Field, offered: str) -> str:
    """The answer to one field, such that it can be read. Raises Left, Back, Abandoned, Ended."""
    if field.kind is Kind.WEEK:
        return ask_week(dialogue, field, offered)
    if field.kind is Kind.CHOICE:
        dialogue.say(f"{field.label}:", *(f"  {place}  {choice.label}" for place, choice in enumerate(field.choices, 1)))
    while True:
        answer = dialogue.ask(_question(field, offered), said(f"{field.label}. {field.help}{_form(field)}"))
        try:
            text = _meant(field, answer, offered)
            field.canonical(text)
            shown = _shown(field, text)
        except FieldError as error:
            dialogue.say(*problem_lines(error))
        else:
            caution = field.caution(text)
            dialogue.say(f"{field.label}: {shown}.", *([f"CHECK: {caution}."] if caution else []))
            return text


def problem_lines(error: FieldError) -> list[str]:
    """What is wrong and what to do; the message begins with the word that says so."""
    action = f" To do: {said(error.action)}." if error.action and error.action not in error.problem else ""
    return [f"NOT TAKEN: {said(error.problem)}.{action}"]


# ------------------------------------------------------------------------------------------------ one field
def _question(field: Field, offered: str) -> str:
    label = "Number" if field.kind is Kind.CHOICE else field.label
    unit = f", {spelled_out(field.unit)}" if field.unit else ", yes when done" if field.kind is Kind.TICK else ""
    ways = [field.hint] if field.kind in _HINTED and field.hint else []
    if offered:
        ways.append(f"{KEEP} keeps {_offer(field, offered)}")
    if not field.required:
        ways.append(f"{NONE} for none")
    return f"{label}{unit} ({', '.join(ways)}):" if ways else f"{label}{unit}:"


def _offer(field: Field, offered: str) -> str:
    try:
        return _shown(field, offered)
    except FieldError:  # the pump or an older version offers what this form does not take; asking for it says why
        return offered


def _meant(field: Field, answer: str, offered: str) -> str:
    """The text that an answer stands for. Raises FieldError where that is not plain."""
    if answer == KEEP:
        if not offered:
            raise FieldError(field.id, "nothing is offered here", "write what it is")
        return offered
    if answer == NONE and not field.required:
        return ""
    if not answer and offered:
        raise FieldError(field.id, "an empty line says nothing", f"write {KEEP} to keep what is offered, or something else")
    if field.kind is Kind.CHOICE:
        chosen = number(answer, len(field.choices))
        if chosen is not None:
            return field.choices[chosen - 1].value
        if answer.isdecimal() or not answer:
            raise FieldError(field.id, f"{answer!r} is none of the numbers", f"write a number from 1 to {len(field.choices)}")
    return answer


def _shown(field: Field, text: str) -> str:
    """What was read, as screens say it. Raises FieldError."""
    if field.kind is Kind.WEEK:
        return "; ".join(" ".join(line.split()) for line in week_lines(text))
    if field.kind is Kind.TICK:
        return "done" if field.echo(text) else "none"
    value = field.read(text)
    if isinstance(value, (Amount, Duration)):
        return str(value)
    return screen_amount(field.echo(text)) or "none"


_HINTED = frozenset({Kind.DURATION, Kind.TIME, Kind.DATE})
_FORMS: Mapping[Kind, str] = MappingProxyType(
    {Kind.TICK: ' Write "yes" once it is done.', Kind.CHOICE: " Write the number of one of the lines."}
)


def _form(field: Field) -> str:
    hint = _FORMS.get(field.kind, f" Write {field.hint}." if field.hint else "")
    return hint + (f' Such as "{field.example}".' if field.example else "")


def _is_same(one: Field, other: Field) -> bool:
    """Both ask for the same thing: an answer to one may be offered for the other."""
    return (one.label, one.kind, one.unit, one.path, one.amount, one.choices) == (
        other.label, other.kind, other.unit, other.path, other.amount, other.choices)  # fmt: skip
