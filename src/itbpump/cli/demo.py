"""`itbpump demo`: the whole way of a dose, on a simulated pump that runs as a process of its own behind a real serial device.

Everything told is read from the pump, from the bench, or computed by the companion in the run itself; the verdict holds them against each
other. Nothing outside a temporary folder is touched. Needs a system with ptys.
"""

from __future__ import annotations

import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import CommandError, Output
from itbpump.cli.outcomes import require_applied
from itbpump.cli.process import PumpProcess
from itbpump.packaged import EXAMPLE, example

if TYPE_CHECKING:
    from firmware_sim.bench_client import BenchClient
    from itbpump.hoststate import HostState
    from itbpump.pump import Pump
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Status

__all__ = ["demo"]

SEED = 1
WEEKS = 11
BOLUS_MIN = 10
_SYRINGE_STEP_NL = 100_000  # a syringe is read to 0.1 mL


def demo(as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON on stdout.")] = False) -> None:
    """Show the whole way of a dose: a simulated pump on a serial device is paired, programmed, gives a bolus, runs weeks, is refilled."""
    from firmware_sim.bench_client import BenchClient
    from itbpump.hoststate import HostState

    out = Output(as_json)
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="itbpump-demo-") as name:
        folder = Path(name)
        with PumpProcess.start(folder, seed=SEED) as process, BenchClient(process.bench) as bench:
            state = HostState.open(folder / "home" / "state.db")
            try:
                run = _Demo(out, process, bench, state)
                run.play()
            finally:
                state.close()
    out.data({"figures": run.figures, "checks": [{"what": what, "holds": holds} for what, holds in run.checks], "passed": run.passed})
    count = f"{sum(holds for _, holds in run.checks)} of {len(run.checks)} checks hold"
    if not run.passed:
        failed = "; ".join(what for what, holds in run.checks if not holds)
        raise CommandError(f"DEMO FAILED: {count}; not so: {failed}")
    out.say("", f"DEMO PASSED: {count}.")


def _end(number: int, _frame: object) -> None:
    """A polite kill ends the simulated pump and its folder too, as Ctrl-C does."""
    raise SystemExit(128 + number)


@dataclass
class _Demo:
    """The steps, in order; each prints what it did and adds its checks."""

    out: Output
    process: PumpProcess
    bench: BenchClient
    state: HostState
    figures: dict[str, Any] = field(default_factory=dict)
    checks: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(holds for _, holds in self.checks)

    def play(self) -> None:
        """Everything from pairing to the balance."""
        from itbpump.pump import connect
        from itbpump.therapy import load_prescription

        self._pair()
        rx = load_prescription(example())
        with connect(self.process.link, state=self.state) as line:
            self._look(line)
            self._program(line, rx)
            start = line.status()
            self._bolus(line)
            self._weeks(line, start)
            self._refill(line)
            self._balance(line)

    # -------------------------------------------------------------------------------------------- helpers
    def _step(self, title: str) -> None:
        self.out.say("", title)

    def _tell(self, *lines: str) -> None:
        self.out.say(*lines)

    def _check(self, what: str, holds: bool) -> None:
        self.checks.append((what, holds))

    def _advance(self, text: str) -> None:
        self.bench.call("advance", for_=text)

    def _truth(self) -> dict[str, int]:
        return {name: int(value) for name, value in self.bench.call("truth").items() if isinstance(value, int)}

    # -------------------------------------------------------------------------------------------- steps
    def _pair(self) -> None:
        from itbpump.cli.pairing import pair_over_bench
        from itbpump.wire.messages import Role

        self.out.say(
            "A simulated 40 mL pump, filled with 38 mL of baclofen 2,000 mcg per mL;",
            "a research and engineering tool, not a medical device.",
        )
        self._step("1. The pump starts as a process of its own")
        self._tell(
            f"process {self.process.pid}, serial device {self.process.device}, time moved by its bench port only",
            "nothing outside a temporary folder is touched",
        )
        self._step("2. Pairing: a new key goes in through the bench port and is proved by a session")
        pump_id = pair_over_bench(self.process.link, self.process.bench, self.state, Role.CLINICIAN)
        self._tell(f"pump {pump_id.decode('ascii')} and programmer {self.state.programmer_id.hex()} share a key")

    def _look(self, line: Pump) -> None:
        from itbpump.wording.pumpview import read_view
        from itbpump.wording.status import status_lines

        self._step("3. Reading the pump, over pyserial at 115200 baud")
        self._tell(*status_lines(read_view(line)))

    def _program(self, line: Pump, rx: Prescription) -> None:
        from itbpump.safety import decide, review
        from itbpump.wording.review import review_lines

        self._step("4. Programming: review, stage, read back, commit, prove")
        self._tell(f"The prescription: {EXAMPLE}")
        present = line.present()
        found = review(rx, present, profile=line.profile)
        self._tell(*review_lines(found))
        decision = decide(found, {})
        if not decision.allowed:
            raise CommandError(f"the example does not pass its review: {'; '.join(decision.missing)}", decision.exit_code)
        applied = require_applied(self.out, line.program(rx, present), self.process.link)
        self._check("the pump was proved to run what was prescribed", applied.proof is not None and applied.proof.holds)
        self.figures["mean_daily_dose"] = found.proposed["daily_dose"]["mean"]

    def _bolus(self, line: Pump) -> None:
        from itbpump.quantity import Duration, Mass
        from itbpump.safety import review_bolus
        from itbpump.wire.messages import BolusState
        from itbpump.wording.status import given_text

        dose, over = Mass.parse("25 mcg"), Duration.of_minutes(BOLUS_MIN)
        self._step(f"5. After 36 h a bolus of {dose} over {over}, followed by the pump's counter")
        self._advance("1d12h")
        present = line.present()
        found = review_bolus(dose, over, present, line.profile)
        if found.exit_code:
            raise CommandError(f"the bolus does not pass its review: {found.findings[0].message}", found.exit_code)
        applied = require_applied(self.out, line.bolus(dose, over, present), self.process.link)
        asked = applied.bolus.requested
        now = line.status()
        while now.bolus_state is BolusState.RUNNING:
            self._advance("2m")
            now = line.status()
            self._tell(given_text(now, line))
        whole = now.bolus_state is BolusState.DONE and now.bolus_delivered == asked
        self._check(f"the bolus gave {asked} of {asked} pulses", whole)
        self._check("the bolus counter moved by exactly these pulses", now.bolus_counter - present.bolus_counter == asked)
        self.figures["bolus_pulses"] = {"asked": asked, "given": now.bolus_delivered}

    def _weeks(self, line: Pump, start: Status) -> None:
        from itbpump.wording.pumpview import read_view
        from itbpump.wording.status import status_lines

        self._step(f"6. {WEEKS} weeks pass")
        self._advance(f"{WEEKS * 7}d")
        view = read_view(line)
        self._tell(*status_lines(view))
        self._compare_counts(line, start, view.status)
        self._check("no alarm is up", not view.status.alarms)

    def _compare_counts(self, line: Pump, start: Status, now: Status) -> None:
        """The companion's own computation, the pump's count, the motor's encoder: three numbers that share no code."""
        expected = _expected_pulses(line, start, now)
        truth = self._truth()
        self.figures["pulses"] = {"companion": expected, "pump": now.lifetime_pulses, "encoder": truth["encoder_pulses"]}
        self._tell(
            "",
            f"pulses since the start: computed by the companion {expected:,}, counted by the pump {now.lifetime_pulses:,}, "
            f"made by the motor {truth['encoder_pulses']:,}",
        )
        self._check("pump and companion agree on the pulses, within one", abs(expected - now.lifetime_pulses) <= 1)
        self._check("the motor made every pulse the pump counts", truth["encoder_pulses"] == now.lifetime_pulses)

    def _refill(self, line: Pump) -> None:
        from itbpump.cli.refilling import refill_json
        from itbpump.quantity import Volume
        from itbpump.wording.refilling import refill_lines

        self._step("7. Refill: a needle empties and fills the reservoir, then the pump is told")
        believed, truth = line.status().reservoir_nL, self._truth()["reservoir_nL"]
        needle = self.bench.call("refill", fill_nL="38mL")
        drawn = int(str(needle["aspirated_nL"])) // _SYRINGE_STEP_NL * _SYRINGE_STEP_NL
        present = line.present()
        outcome, plan = line.refill(Volume(drawn), Volume.parse("38 mL"), None, present)
        self._tell(f"before: the pump believes {Volume(believed)}, really there are {Volume(truth)}", *refill_lines(plan))
        require_applied(self.out, outcome, self.process.link)
        self._check("the syringe agrees with the pump's count, by both tests", not plan.discrepancy.suspicious)
        self.figures["refill"] = {**refill_json(plan), "believed": Volume(believed).json(), "true": Volume(truth).json()}

    def _balance(self, line: Pump) -> None:
        from itbpump.quantity import Volume
        from itbpump.wording.log import log_lines

        self._step("8. The balance")
        now, truth = line.status(), self._truth()
        # what is in the path stays in it: the volume that left the reservoir by the motor is the volume delivered at the tip
        accounted = truth["reservoir_nL"] + truth["delivered_nL"] + truth["aspirated_nL"] + truth["lost_nL"]
        intents = self.state.intents(line.key)
        entries = list(line.log())
        self._tell(
            f"the pump now believes {Volume(now.reservoir_nL)} in the reservoir; really there are {Volume(truth['reservoir_nL'])}",
            f"filled {Volume(truth['filled_nL'])} = in the reservoir {Volume(truth['reservoir_nL'])}"
            f" + delivered {Volume(truth['delivered_nL'])} + drawn out {Volume(truth['aspirated_nL'])} + lost {Volume(truth['lost_nL'])}",
            f"commands: {len(intents)} written down by the companion, {sum(intent.settled for intent in intents)} settled; "
            f"{len(line.own_results())} results kept by the pump",
            f"the pump's log has {len(entries)} entries; the last:",
            *log_lines(entries[-4:]),
        )
        self._check("every nanolitre is accounted for", accounted == truth["filled_nL"])
        self._check(
            "every command is settled on both sides",
            all(intent.state == "applied" for intent in intents) and _same_commands(line, len(intents)),
        )
        self.figures["volume"] = {
            name: Volume(truth[f"{name}_nL"]).json() for name in ("filled", "reservoir", "delivered", "aspirated", "lost")
        }


def _same_commands(line: Pump, count: int) -> bool:
    """The pump keeps a result for each command of this companion, all carried out."""
    from itbpump.wire.messages import Outcome

    results = line.own_results()
    return len(results) == count and all(result.outcome is Outcome.APPLIED for result in results)


def _expected_pulses(line: Pump, start: Status, now: Status) -> int:
    """Pulses from the start of the therapy until now by the companion's schedule; the bolus replaced the flow under it."""
    from itbpump.quantity import MS_PER_MINUTE
    from itbpump.schedule import UNITS_PER_NL, WEEK_MS
    from itbpump.therapy_view import view_configuration
    from itbpump.wire.messages import LogKind

    configuration = line.configuration()
    if configuration is None:
        raise CommandError("the pump has lost its configuration")
    schedule = view_configuration(configuration, line.profile).schedule
    begin = (start.uptime_ms + configuration.week_offset_ms) % WEEK_MS

    def scheduled(from_ms: int, to_ms: int) -> int:
        return schedule.volume_units_between(begin + from_ms - start.uptime_ms, begin + to_ms - start.uptime_ms)

    pulse = line.info.pulse_volume_nL * UNITS_PER_NL
    units = scheduled(start.uptime_ms, now.uptime_ms)
    for entry in line.log():
        if entry.kind is LogKind.BOLUS_START:
            units += entry.a * pulse - scheduled(entry.uptime_ms, entry.uptime_ms + BOLUS_MIN * MS_PER_MINUTE)
    return (2 * units + pulse) // (2 * pulse)
