//! Which web pages may call, by `CORS_ORIGINS`.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use thiserror::Error;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// `CORS_ORIGINS` holds something that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidOrigin {
    /// No origin.
    #[error("{text:?} is no origin; write https://shop.example.com, without a path, or * for any")]
    NoOrigin {
        /// What was found.
        text: String,
    },
    /// A pattern, which would match nothing: browsers send whole names.
    #[error(
        "{text:?} stands for several origins, which is not understood; list them one by one, or write * alone for any"
    )]
    Pattern {
        /// What was found.
        text: String,
    },
}

/// The origins that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// Only these.
    Only(Vec<String>),
    /// None: no CORS header is ever sent.
    Nobody,
}

impl Origins {
    /// Reads a comma-separated list, `*` for any.
    ///
    /// # Errors
    /// [`InvalidOrigin`] with the first that is none.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let origins: Vec<&str> = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
        if origins == ["*"] {
            return Ok(Self::Any);
        }
        let checked = origins.into_iter().map(|origin| {
            let fail = || InvalidOrigin::NoOrigin { text: origin.to_owned() };
            let url = url::Url::parse(origin).map_err(|_| fail())?;
            let bare =
                url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            let known = matches!(url.scheme(), "http" | "https") && url.has_host();
            if url.host_str().is_some_and(|host| host.contains('*')) {
                return Err(InvalidOrigin::Pattern { text: origin.to_owned() });
            }
            if bare && known { Ok(url.origin().ascii_serialization()) } else { Err(fail()) }
        });
        checked.collect::<Result<_, _>>().map(Self::Only)
    }
}

/// Whether a web page asks, or its browser asks first whether it may.
pub(crate) fn is_of_a_page<B>(request: &http::Request<B>) -> bool {
    let headers = request.headers();
    let asks = request.method() != Method::OPTIONS || headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks && headers.contains_key(header::ORIGIN)
}

/// The CORS headers of a role: credentials are never allowed, a preflight holds for a day.
pub fn layer(origins: &Origins) -> CorsLayer {
    let allowed = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::Only(origins) => {
            AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        }
        Origins::Nobody => return CorsLayer::new(),
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::CACHE_CONTROL,
            HeaderName::from_static("x-write-key"),
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static("x-next-cursor")])
        .max_age(Duration::from_secs(86_400))
}
