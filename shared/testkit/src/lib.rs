//! Real servers and generators for tests.
