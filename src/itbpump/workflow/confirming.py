"""What a person types before a dose is sent: nothing shorter than the amount itself will do (design 4)."""

from __future__ import annotations

from itbpump.quantity import Amount
from itbpump.safety import Review
from itbpump.therapy import Prescription
from itbpump.workflow.model import Confirmation

__all__ = ["amount_confirmation", "dose_confirmation", "yes_confirmation"]


def dose_confirmation(rx: Prescription, review: Review, serial: str, patient_id: str) -> Confirmation:
    """The mean daily dose as the pump will give it; STOP for a prescription that stops the therapy."""
    whom = f"Pump {serial}, patient {patient_id}."
    if rx.therapy.mode == "stopped":
        return Confirmation(f"{whom} This stops the therapy; withdrawal can kill.\nType STOP to send it; anything else cancels:", ("STOP",))
    dose = review.proposed["daily_dose"]["mean"]
    text = f"{dose['value']} {dose['unit']}"
    shown = text.replace("mcg/day", "mcg per day")
    return Confirmation(f"{whom}\nType the mean daily dose, {shown}, to send it; anything else cancels:", (dose["value"], text, shown))


def amount_confirmation(amount: Amount, verb: str, before: str = "") -> Confirmation:
    """An amount with its unit, such as `25 mcg` `to give it`; the number alone does too, as its unit stands in the question."""
    text = amount.text()
    question = f"{before} Type {amount}, {verb}; anything else cancels:".strip()
    return Confirmation(question, tuple(dict.fromkeys((text, str(amount), text.partition(" ")[0]))))


def yes_confirmation(what: str) -> Confirmation:
    """For what changes no dose."""
    return Confirmation(f'Type "yes" {what}; anything else cancels:', ("yes",))
