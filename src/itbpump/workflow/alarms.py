"""What is done about the pump's tones: sounding one as a test, and silencing one that is active. No dose changes, so none is reviewed.

Every alarm can be silenced, the critical ones too, as the pump's table makes no difference; a silence ends by itself after 10 min and
with the session (SR-56), and the alarm stays on every screen. Not here: what an alarm means and asks for (`wording.words`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.wire.messages import AlarmPriority
from itbpump.wording.words import alarm_words
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Values, choice_field
from itbpump.workflow.model import Proposal
from itbpump.workflow.unreviewed import unreviewed

__all__ = ["AlarmTestTask", "SilenceTask"]

GROUP = "Alarms"
NO_DOSE = "No dose changes by it."
TONES = {
    "critical": (AlarmPriority.CRITICAL, "two-tone, for 3 s: something is wrong now"),
    "non-critical": (AlarmPriority.NON_CRITICAL, "single-tone, for 1 s: something must be arranged"),
}
"""As SPEC.md, section 10, has them (domain 1.3)."""


class AlarmTestTask:
    """Sounds a tone once."""

    id = "alarm-test"
    title = "Alarm test"
    summary = "sounds one tone once, for patient and carers to know"
    group = GROUP

    def hindered(self, facts: Facts) -> str:
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        tones = tuple((name, f"{name}, {text}") for name, (_, text) in TONES.items())
        why = "Let the patient and those at home hear it: half fear the alarm, and a deep implant or poor hearing may hide it."
        return (choice_field("tone", "Tone", tones, why, group="Alarm test"),)

    def propose(self, facts: Facts, values: Values) -> Proposal:
        name = str(self.fields(facts, values)[0].read(values.get("tone", "")))
        priority, text = TONES[name]

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.alarm_test(priority)

        heard = f"Was the {name} tone heard: {text.partition(':')[0]}? If not, look at the implant's depth and the patient's hearing."
        return unreviewed(facts, self.id, f"Test of the {name} tone", "to sound it once", send, lines=(NO_DOSE,), observe=(heard,))


class SilenceTask:
    """Silences an alarm for 10 min."""

    id = "silence"
    title = "Silence an alarm"
    summary = "for 10 min, or until the session ends"
    group = GROUP

    def hindered(self, facts: Facts) -> str:
        return "" if facts.status.alarms else "no alarm is active"

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        if not facts.status.alarms:
            return ()
        active = tuple((alarm_words(alarm.alarm).id, _named(alarm.alarm, alarm.priority)) for alarm in facts.status.alarms)
        why = "It is silent for 10 min and at most until this session ends, and then sounds again while its cause lasts. See to the cause."
        return (choice_field("alarm", "Alarm", active, why, group="Alarms"),)

    def propose(self, facts: Facts, values: Values) -> Proposal:
        fields = self.fields(facts, values)
        if not fields:
            raise FieldError("", self.hindered(facts))
        chosen = fields[0].read(values.get("alarm", ""))
        alarm = next(one for one in facts.status.alarms if alarm_words(one.alarm).id == chosen)
        words = alarm_words(alarm.alarm)

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.silence(alarm.alarm)

        again = f"It sounds again in 10 min, or when the session ends, while its cause lasts: {words.text}. To do: {words.action}."
        title = f"Silence {_named(alarm.alarm, alarm.priority)}"
        return unreviewed(facts, self.id, title, "to silence it for 10 min", send, lines=(NO_DOSE,), observe=(again,))


def _named(alarm: int, priority: AlarmPriority) -> str:
    words = alarm_words(alarm)
    return f"{priority.name.lower().replace('_', '-')}: {words.text}"
