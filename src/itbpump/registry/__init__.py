"""The clinic's store: pumps, readings, refills, observations, audit, in SQLite or PostgreSQL. See `store` and docs/registry.md."""
