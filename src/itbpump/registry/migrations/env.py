"""Run by Alembic: migrate over the connection that `itbpump.registry.schema` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from itbpump.registry.base import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
