-- Nothing: partitions of raw events by time are for PostgreSQL without TimescaleDB (the migration of the same number there).
SELECT 1;
