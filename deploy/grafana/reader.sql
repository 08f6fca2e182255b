-- The role that Grafana reads with: SELECT on what the business dashboard shows, nothing else, no statement longer than half a
-- minute, and no write even by accident. Run it once, after the schema is there, as the owner of the tables:
--
--   psql "$DATABASE_URL" -v password="$(openssl rand -hex 16)" -f deploy/grafana/reader.sql
--
-- The password that was chosen is Grafana's GRAFANA_READER_PASSWORD. Running it again sets a new one.

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_reader') AS missing \gset
\if :missing
CREATE ROLE analytics_reader LOGIN;
\endif
ALTER ROLE analytics_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
ALTER ROLE analytics_reader SET default_transaction_read_only = on;
ALTER ROLE analytics_reader SET statement_timeout = '30s';
GRANT USAGE ON SCHEMA public TO analytics_reader;
GRANT SELECT ON raw_events, daily_metrics, session_users, receipt_counts TO analytics_reader;
