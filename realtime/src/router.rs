//! The routes, and what their connections share.

use std::sync::Arc;

use analytics_access::Access;
use analytics_host::client::ClientAddress;
use analytics_host::clock::SharedClock;
use analytics_host::cors::{self, Origins};
use analytics_host::problem::Problem;
use analytics_host::shutdown::Shutdown;
use analytics_messaging::Feed;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio_util::task::TaskTracker;

use crate::admission::{Admission, SUBPROTOCOL, offered_protocols};
use crate::fanout::Hub;
use crate::limits::Limits;
use crate::live_query::{LiveBoard, LiveQueries};
use crate::meters::Meters;
use crate::reader::Sources;
use crate::{socket, sse};

/// Bytes that are read at once: clients send little.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes that are gathered before the socket is written.
const WRITE_BUFFER: usize = 8 * 1024;

/// Bytes around the largest message in a full write buffer.
const WRITE_BUFFER_SPARE: usize = 128 * 1024;

/// What the realtime role is built from.
pub struct RealtimeDeps {
    /// Where stored events are told.
    pub feed: Arc<dyn Feed>,
    /// Who may read.
    pub access: Access,
    /// Which web pages may connect.
    pub origins: Origins,
    /// What time it is.
    pub clock: SharedClock,
    /// When it stops, connections are closed with a hint when to come back.
    pub shutdown: Shutdown,
    /// Who answers live queries; `None` where no store is configured.
    pub queries: Option<Arc<dyn LiveQueries>>,
    /// The bounds.
    pub limits: Limits,
}

/// The realtime role of a process.
pub struct Realtime {
    pub(crate) sources: Sources,
    pub(crate) admission: Arc<Admission>,
    pub(crate) clock: SharedClock,
    pub(crate) shutdown: Shutdown,
    pub(crate) meters: Meters,
    pub(crate) sockets: TaskTracker,
}

impl Realtime {
    /// The role, without connections. The metrics recorder has to be installed before.
    #[must_use]
    pub fn new(deps: RealtimeDeps) -> Arc<Self> {
        let meters = Meters::new();
        let limits = Arc::new(deps.limits);
        let hub = Hub::new(deps.feed, limits.recent_ids);
        let board = LiveBoard::new(deps.queries, Arc::clone(&hub), Arc::clone(&deps.clock), &limits);
        let admission = Admission::new(deps.access, deps.origins, Arc::clone(&limits), meters.clone());
        let sources = Sources { hub, board, limits };
        let sockets = TaskTracker::new();
        Arc::new(Self { sources, admission, clock: deps.clock, shutdown: deps.shutdown, meters, sockets })
    }

    /// `GET /realtime` (WebSocket) and `GET /realtime/sse`.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/realtime", get(upgrade))
            .route("/realtime/sse", get(sse::stream))
            .with_state(Arc::clone(self))
            .layer(cors::layer(self.admission.origins()))
    }

    /// Waits, once the shutdown has begun, until every socket has said goodbye: a server that stops its listener does not
    /// wait for connections that were upgraded. Takes at most the `close_grace` of [`Limits`] and a little.
    pub async fn drained(&self) {
        self.sockets.close();
        self.sockets.wait().await;
    }

    /// Lets nobody in while the process stops.
    pub(crate) fn check_running(&self) -> Result<(), Problem> {
        if self.shutdown.is_stopping() {
            let wait = socket::retry_after_millis(&self.sources.limits).div_ceil(1_000).max(1);
            return Err(
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "this server is stopping").retry_after(wait)
            );
        }
        Ok(())
    }
}

/// The router of the realtime role, for those who need not wait for its sockets; see [`Realtime`].
pub fn router(deps: RealtimeDeps) -> Router {
    Realtime::new(deps).router()
}

async fn upgrade(
    State(realtime): State<Arc<Realtime>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admitted = async {
        realtime.check_running()?;
        let project = project_of(uri.query());
        realtime.admission.admit(&headers, address.map(|Extension(address)| address), project).await
    };
    let (guest, place) = match admitted.await {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    let mut upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return no_upgrade(&rejection),
    };
    if offered_protocols(&headers).any(|protocol| protocol == SUBPROTOCOL) {
        upgrade.set_selected_protocol(HeaderValue::from_static(SUBPROTOCOL));
    }
    let limits = &realtime.sources.limits;
    let largest = limits.answer_bytes.max(limits.queue_bytes);
    let sockets = realtime.sockets.clone();
    let owner = Arc::clone(&realtime);
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(largest + WRITE_BUFFER_SPARE)
        .max_message_size(limits.message_bytes)
        .max_frame_size(limits.message_bytes)
        .on_upgrade(move |socket| sockets.track_future(socket::serve(socket, guest, place, owner)))
}

/// `?project=`: which of a session's projects is meant. Names of projects need no percent-encoding.
pub(crate) fn project_of(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("project="))
}

fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> Response {
    let mut response = Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade_required",
        format!("this path speaks WebSocket ({rejection}); for server-sent events there is /realtime/sse"),
    )
    .into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}
