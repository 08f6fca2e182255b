//! The live feed over WebSocket and server-sent events.
