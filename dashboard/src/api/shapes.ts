// What the API answers, as far as the page reads it.
import type { StoredEvent } from '../timeline/shapes';

export interface Column {
  name: string;
  kind: 'dimension' | 'metric';
  type: 'time' | 'text' | 'integer' | 'number' | string;
}

export interface Row {
  dimensions: (string | null)[];
  metrics: (number | null)[];
  comparison?: (number | null)[];
}

/** The answer of `POST /api/query`, `GET /api/trends` and `GET /api/breakdown`. */
export interface Rows {
  results: Row[];
  columns: Column[];
  meta: {
    source: string;
    fresh_as_of: string;
    incomplete_buckets?: string[];
    total_rows: number;
    next_cursor: string | null;
    cached: boolean;
    took_ms: number;
    warnings: string[];
  };
  query: { date_range: [string, string]; compare?: [string, string] | null; timezone: string };
}

export interface Property {
  name: string;
  count: number;
  types: Record<string, number>;
  examples: string[];
}

export interface Properties {
  results: Property[];
}

export interface Integrity {
  in_flight: number | null;
  received: {
    day: string;
    accepted: number;
    stored: number;
    duplicate: number;
    expired: number;
    dead_lettered: number;
    erased: number;
    rejected: Record<string, number>;
  }[];
  rollups: { day: string; raw: number; rollup: number; columns: number; together?: Record<string, number> }[];
  drift: number;
}

export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy';
  version: string;
  uptime: number;
  checks: Record<string, unknown>;
}

export interface SessionProject {
  project: string;
  scope: 'read' | 'admin';
}

export interface Session {
  open: boolean;
  projects: SessionProject[];
}

export interface Key {
  id: string;
  name: string;
  scope: 'read' | 'admin' | 'write';
  project: string;
  hint: string;
  source: 'environment' | 'store';
  created_at: string | null;
  revocable: boolean;
  /** Only in the answer that made it. */
  key?: string;
}

export interface Setting {
  name: string;
  value: string | number | null;
  source: 'environment' | 'store' | 'default';
  editable: boolean;
  unit?: string;
}

export interface SavedView {
  id: string;
  name: string;
  page: string;
  state: { hash?: string };
  updated_at: string;
}

export interface Tile {
  view: string;
  width: 1 | 2;
}

export interface Board {
  id: string;
  name: string;
  tiles: Tile[];
  updated_at: string;
}

export interface DeadLetters {
  dead_letters: {
    id: string;
    event_id: string | null;
    code: string;
    sqlstate: string | null;
    message: string;
    attempts: number;
    first_failed_at: string;
    last_failed_at: string;
    replay_requested: boolean;
    event: StoredEvent | null;
  }[];
  total: number;
  next_cursor: string | null;
}
