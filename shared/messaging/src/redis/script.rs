//! Lua at the server: what must happen as one step, also over a crash and at the memory limit.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind};

/// A script by its hash, loaded where the server does not have it.
pub(super) struct StoredScript(LazyLock<Script>);

macro_rules! stored {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub(super) static $name: StoredScript =
            StoredScript(LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file)))));
    };
}

stored!(
    /// Removes entries and uncounts their events.
    ACKNOWLEDGE,
    "acknowledge.lua"
);
stored!(
    /// Sets how long ago entries in a consumer's hands were handed out.
    SET_IDLE,
    "set_idle.lua"
);
stored!(
    /// Takes over entries that others let go of, with their attempts.
    RECLAIM,
    "reclaim.lua"
);
stored!(
    /// What lies in the queue.
    DEPTH,
    "depth.lua"
);
stored!(
    /// Removes what crashes left behind.
    TIDY,
    "tidy.lua"
);
stored!(
    /// Adds messages to a feed and drops its oldest.
    PUBLISH,
    "publish.lua"
);

impl StoredScript {
    /// Runs the script; `add` appends its arguments behind the keys.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        mut connection: MultiplexedConnection,
        keys: &[&str],
        add: impl FnOnce(&mut Cmd),
    ) -> RedisResult<T> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.0.get_hash()).arg(keys.len()).arg(keys);
        add(&mut command);
        match command.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.0.load_async(&mut connection).await?;
                command.query_async(&mut connection).await
            }
            outcome => outcome,
        }
    }
}
