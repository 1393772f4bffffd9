"""The review page: old against new, findings, overrides, totals, dates; the only way from a form to the pump.

Nothing is sent but by F9, once everything the page asks for stands there, the daily dose typed letter by letter; Enter goes to the next
field. The gate itself is `workflow.consent`.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Select

from itbpump.outcome import Applied, NotApplied, Unknown
from itbpump.safety import REASONS, Finding, Severity
from itbpump.tui.charts import changed_days, compare_chart
from itbpump.tui.keys import bindings
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.told import told
from itbpump.wording.review import finding_lines, review_head_lines, total_lines, verdict_lines
from itbpump.workflow.consent import Consent, missing
from itbpump.workflow.model import Proposal

__all__ = ["ReviewPage"]

CHART_ROWS = 7


class ReviewPage(Page[bool]):
    """True when something was sent, whatever became of it."""

    page_name = "review"
    scopes = ("page", "review")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "review")

    def __init__(self, proposal: Proposal) -> None:
        super().__init__()
        self.proposal = proposal
        self.is_sending = False
        self._outcome: Applied | NotApplied | Unknown | Exception | None = None

    @property
    def open_findings(self) -> list[Finding]:
        """Those that need a reason."""
        review = self.proposal.review
        return [] if review is None else [item for item in review.findings if item.severity in (Severity.SOFT, Severity.SECOND)]

    def body(self) -> ComposeResult:
        proposal, width = self.proposal, self.width
        yield Lines(f"REVIEW: {proposal.title}", classes="title")
        if proposal.review is not None:
            tone = {Severity.HARD: "critical", Severity.INFO: "ok"}.get(proposal.review.severity, "warning")
            yield Lines("\n".join(verdict_lines(proposal.review, width)), id="verdict", classes=tone)
        yield Lines("\n".join(told(line) for line in proposal.lines))
        if proposal.review is not None:
            yield Lines("\n".join(review_head_lines(proposal.review, width)), id="table")
            if proposal.new is not None:
                yield Lines("\n".join(total_lines(proposal.new, width)), id="total")
            yield Lines("\n".join(self._chart()), id="chart", classes="panel")
            yield from self._finding_widgets(width)
        yield from self._consent_widgets()

    def _chart(self) -> list[str]:
        old, new = self.proposal.old, self.proposal.new
        if new is None:
            return []
        changed = changed_days(old, new) if old is not None else ()
        return compare_chart(old, new, changed[0] if changed else 0, self.width, CHART_ROWS)

    def _finding_widgets(self, width: int) -> ComposeResult:
        review = self.proposal.review
        if review is None:
            return
        if not review.findings:
            yield Lines("Findings: none")
        rules: set[str] = set()
        for finding in review.findings:
            state = {Severity.HARD: "critical", Severity.SECOND: "warning", Severity.SOFT: "warning"}.get(finding.severity, "notice")
            yield Lines("\n".join(finding_lines(finding, width, face="screen")), classes=f"finding {state}")
            if finding in self.open_findings and finding.rule not in rules:
                rules.add(finding.rule)
                yield from self._reason_widgets(finding)

    def _reason_widgets(self, finding: Finding) -> ComposeResult:
        """One reason a rule; the only one that fits is chosen already, its words are not."""
        names = [finding.needs] if finding.needs else list(REASONS)
        times = sum(item.rule == finding.rule for item in self.open_findings)
        with Horizontal(classes="entry"):
            yield Label(f"  reason for all {times}" if times > 1 else "  reason", classes="label", markup=False)
            options = [(name, name) for name in names]
            yield Select(
                options, value=finding.needs or Select.NULL, prompt="reason", id=f"reason-{finding.rule}", compact=True, classes="reason"
            )
            yield Input(
                placeholder=REASONS[finding.needs] if finding.needs else "what and why, in words", id=f"why-{finding.rule}", compact=True
            )

    def _consent_widgets(self) -> ComposeResult:
        proposal, policy = self.proposal, self.pump_app.services.policy
        if proposal.review is not None:
            with Vertical(id="staff"):
                for name, label, value in (("user", "Staff id", policy.user), ("second", "Second person's id", "")):
                    with Horizontal(classes="entry"):
                        yield Label(label, classes="label", markup=False)
                        yield Input(value, id=name, compact=True)
        yield Lines("\n".join(proposal.confirmation.prompt.splitlines()), id="prompt", classes="title")
        yield Input(id="typed", compact=True, placeholder="type it here; then F9")
        yield Lines(id="missing")

    def on_mount(self) -> None:
        super().on_mount()
        self._show_missing()
        first = next(iter(self.query("Select.reason, #typed").results()), None)
        if first is not None:
            first.focus(scroll_visible=False)
        self.query_one("#body").scroll_home(animate=False)

    # -------------------------------------------------------------------------------------------------- what is given
    def consent(self) -> Consent:
        """What stands on the page."""
        reasons: dict[str, str] = {}
        for finding in self.open_findings:
            chosen = self.query_one(f"#reason-{finding.rule}", Select).value
            why = self.query_one(f"#why-{finding.rule}", Input).value.strip()
            if chosen is not Select.NULL and why:
                reasons[finding.rule] = f"{chosen}: {why}"
        staffed = self.proposal.review is not None
        return Consent(
            typed=self.query_one("#typed", Input).value.strip(),
            reasons=reasons,
            user=self.query_one("#user", Input).value.strip() if staffed else "",
            second=self.query_one("#second", Input).value.strip() if staffed else "",
        )

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        self._show_missing()
        if self.is_mounted and self.focused is not None and self.focused.id == "typed":
            self.query_one("#missing").scroll_visible(animate=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field and never sends anything."""
        event.stop()
        self.focus_next()

    def _show_missing(self) -> None:
        lacks = missing(self.proposal, self.consent(), self.pump_app.services.policy)
        lines = [f"  to do: {told(text)}" for text in lacks] if lacks else ["  everything is given: F9 sends it to the pump"]
        self.query_one("#missing", Lines).tell(lines, "notice" if lacks else "ok")

    # -------------------------------------------------------------------------------------------------- sending
    def action_send(self) -> None:
        """Send, once; what is missing is said instead."""
        consent = self.consent()
        lacks = missing(self.proposal, consent, self.pump_app.services.policy)
        if self.is_sending:
            return
        if lacks:
            self.say(lacks[0], "warning")
            return
        self.is_sending = True
        self.query_one("#missing", Lines).tell(["  SENDING: stage, read back, compare, commit; do not unplug"], "notice")
        self.pump_app.carry_out(self.proposal, consent, self._done)

    def _done(self, outcome: object) -> None:
        """Whatever became of it has a page of its own; not over one that was opened meanwhile, such as the one that stops."""
        known = outcome if isinstance(outcome, (Applied, NotApplied, Unknown, Exception)) else AssertionError(repr(outcome))
        self._outcome = known
        if self.app.screen is self:
            self._show_outcome()
        else:
            self.pump_app.say("what was sent has its outcome: go back to read it", "warning")

    def on_screen_resume(self) -> None:
        """Back from a page that was opened while the order was on its way."""
        self._show_outcome()

    def _show_outcome(self) -> None:
        if self._outcome is not None:
            known, self._outcome = self._outcome, None
            self.app.push_screen(OutcomePage(self.proposal, known), self._end)

    def _end(self, _: None) -> None:
        self.dismiss(True)

    def action_back(self) -> None:
        """Back to the form; nothing was sent."""
        if not self.is_sending:
            self.dismiss(False)

    def unsaved(self) -> bool:
        return True
