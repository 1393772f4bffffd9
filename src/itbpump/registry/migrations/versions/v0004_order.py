"""The newest reading of a pump is found by the pump's own clock, which no wrong clock of a workstation moves: the index for it."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_interrogations_newest", table_name="interrogations")
    op.create_index("ix_interrogations_newest", "interrogations", ["pump_id", "resets", "uptime_ms", "taken_at", "id"], unique=False)
