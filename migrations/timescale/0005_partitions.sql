-- Partitions of raw events by time, where TimescaleDB does not make chunks of them: old events go with their partition, not row by
-- row. The processor makes partitions ahead and drops old ones; how wide they are is a setting.
--
-- Nothing is copied: the table that is there becomes the first partition, which has no beginning. It is read once, to see that
-- nothing in it is beyond its end, and meanwhile nobody reads or writes it.
--
-- The SQLite migration of the same number does nothing: a file has no partitions.
DO $$
DECLARE
    is_hypertable BOOLEAN := false;
    edge          TIMESTAMPTZ;
    access        RECORD;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        is_hypertable := EXISTS (SELECT FROM timescaledb_information.hypertables
            WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass);
    END IF;
    IF is_hypertable THEN
        RETURN;
    END IF;
    LOCK TABLE raw_events IN ACCESS EXCLUSIVE MODE;
    -- Two days from the newest event or from now, so that what comes while this is done has its place.
    edge := (SELECT (date_trunc('day', greatest(now(), max(timestamp)) AT TIME ZONE 'UTC') + INTERVAL '2 days') AT TIME ZONE 'UTC'
        FROM raw_events);
    ALTER TABLE raw_events RENAME TO raw_events_first;
    ALTER INDEX idx_raw_events_time RENAME TO idx_raw_events_first_time;
    CREATE TABLE raw_events (LIKE raw_events_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (timestamp);
    CREATE INDEX idx_raw_events_time ON raw_events (project, timestamp);
    EXECUTE format('ALTER TABLE raw_events ATTACH PARTITION raw_events_first FOR VALUES FROM (MINVALUE) TO (%L)', edge);
    -- What is beyond the last partition, where nobody has made the next.
    CREATE TABLE raw_events_rest PARTITION OF raw_events DEFAULT;
    -- Who might read the table may go on.
    FOR access IN
        SELECT a.grantee, a.privilege_type, a.is_grantable
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = 'raw_events_first'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON raw_events TO %s%s', access.privilege_type,
            CASE WHEN access.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(access.grantee)) END,
            CASE WHEN access.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
END
$$;
