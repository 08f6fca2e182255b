//! What the routes refuse, as responses of the document: problem documents (RFC 9457), one example for each code.

mod kept;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use self::kept::{
    BOARD_NOT_FOUND, KEY_NOT_FOUND, KEY_NOT_MADE, KEY_OF_ENVIRONMENT, SETTING_OF_ENVIRONMENT, TOO_MANY_BOARDS,
    TOO_MANY_PROJECTS, TOO_MANY_VIEWS, VIEW_NOT_FOUND,
};

/// Why a request was refused (RFC 9457).
///
/// `code` never changes; `detail` is for people. Some codes add members of their own, `path` among them.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it only describes; the tests hold it to what is answered")]
pub(crate) struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[schema(rename = "type", example = "about:blank")]
    kind: String,
    /// The status in words.
    #[schema(example = "Bad Request")]
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// A stable word for programs.
    #[schema(example = "invalid_query")]
    code: String,
    /// What is wrong and what would be right.
    #[schema(example = "expected a range")]
    detail: String,
    /// Where in the question it is wrong, `filters[0][1]`, or the parameter's name; empty for the whole.
    #[schema(required = false, example = "date_range")]
    path: String,
}

/// A response that refuses.
struct Refusal {
    /// Its name in the document.
    name: &'static str,
    status: StatusCode,
    description: &'static str,
    kinds: &'static [Kind],
}

/// A code of a refusal, and how it is told.
struct Kind {
    code: &'static str,
    when: &'static str,
    detail: &'static str,
    path: Option<&'static str>,
}

const INVALID_QUERY: Kind = Kind {
    code: "invalid_query",
    when: "The question breaks a rule of the language; `path` says where",
    detail: "expected the IANA name of a time zone, such as Europe/Berlin or UTC",
    path: Some("timezone"),
};

const INVALID_PARAMETER: Kind = Kind {
    code: "invalid_query",
    when: "A parameter is unknown, given twice or wrong; `path` is its name",
    detail: "expected a whole number from 1 to 10000",
    path: Some("limit"),
};

const INVALID_CURSOR: Kind = Kind {
    code: "invalid_cursor",
    when: "The cursor belongs to another project, question or range, or was changed",
    detail: "the text is no cursor of an answer",
    path: Some("cursor"),
};

const LOOPBACK_ONLY: Kind = Kind {
    code: "loopback_only",
    when: "The server has no keys, and the request did not come straight from its machine",
    detail: "no API_KEYS are set, so only this machine may ask, straight and by localhost, 127.0.0.1 or [::1]; set API_KEYS \
             to let others ask",
    path: None,
};

const UNKNOWN_PROJECT: Kind = Kind {
    code: "unknown_project",
    when: "The session is not signed in to the project that `X-Project` or `project` names, or the key is of another one",
    detail: "the session is not signed in to the project that is named; sign in with a key of it",
    path: None,
};

const CROSS_SITE: Kind = Kind {
    code: "cross_site",
    when: "The session's cookie came from a page of another server, or with nothing that tells where from",
    detail: "a session's cookie is taken from pages of this server only (Sec-Fetch-Site: same-origin, or an Origin equal to Host); \
             programs send an API key",
    path: None,
};

const INVALID_QUESTION: Refusal = Refusal {
    name: "InvalidQuestion",
    status: StatusCode::BAD_REQUEST,
    description: "The question cannot be read.",
    kinds: &[INVALID_QUERY, INVALID_CURSOR],
};

const INVALID_PAGE: Refusal = Refusal {
    name: "InvalidPage",
    status: StatusCode::BAD_REQUEST,
    description: "The parameters cannot be read, or the cursor is not one of theirs.",
    kinds: &[INVALID_PARAMETER, INVALID_CURSOR],
};

const INVALID_PARAMETERS: Refusal = Refusal {
    name: "InvalidParameters",
    status: StatusCode::BAD_REQUEST,
    description: "The parameters cannot be read.",
    kinds: &[INVALID_PARAMETER],
};

const INVALID_BODY: Refusal = Refusal {
    name: "InvalidBody",
    status: StatusCode::BAD_REQUEST,
    description: "The body cannot be read.",
    kinds: &[Kind {
        code: "invalid_body",
        when: "The body is no JSON of the route's shape",
        detail: "say either {\"ids\": [\"...\"]} or {\"all\": true}",
        path: None,
    }],
};

const INVALID_ID_OR_PAGE: Refusal = Refusal {
    name: "InvalidIdOrPage",
    status: StatusCode::BAD_REQUEST,
    description: "The id or the parameters cannot be read, or the cursor is not one of theirs.",
    kinds: &[INVALID_PARAMETER, INVALID_CURSOR],
};

const INVALID_ID: Refusal = Refusal {
    name: "InvalidId",
    status: StatusCode::BAD_REQUEST,
    description: "The id cannot be read, or there is a parameter.",
    kinds: &[Kind {
        code: "invalid_query",
        when: "The id is none, or there is a parameter; `path` is its name",
        detail: "expected 1 to 255 characters, without U+0000",
        path: Some("id"),
    }],
};

const SESSION_NOT_FOUND: Refusal = Refusal {
    name: "SessionNotFound",
    status: StatusCode::NOT_FOUND,
    description: "There is no such session.",
    kinds: &[Kind {
        code: "session_not_found",
        when: "No event of the session lies in the range",
        detail: "there is no event of this session in the range",
        path: Some("id"),
    }],
};

const USER_NOT_FOUND: Refusal = Refusal {
    name: "UserNotFound",
    status: StatusCode::NOT_FOUND,
    description: "There is no such user.",
    kinds: &[Kind {
        code: "user_not_found",
        when: "No event of the user lies in the range",
        detail: "there is no event of this user in the range",
        path: Some("id"),
    }],
};

const UNKNOWN_KEY: Refusal = Refusal {
    name: "UnknownKey",
    status: StatusCode::UNAUTHORIZED,
    description: "There is no key, or it is unknown.",
    kinds: &[Kind {
        code: "unknown_key",
        when: "The request has no key that the server knows",
        detail: "send an API key as Authorization: Bearer KEY or X-API-Key: KEY",
        path: None,
    }],
};

const NOT_FOR_ASKING: Refusal = Refusal {
    name: "NotForAsking",
    status: StatusCode::FORBIDDEN,
    description: "The key may not ask, or nobody may from there.",
    kinds: &[
        Kind {
            code: "forbidden_scope",
            when: "The key is a write key",
            detail: "this is a write key; it sends events and asks nothing",
            path: None,
        },
        LOOPBACK_ONLY,
        UNKNOWN_PROJECT,
        CROSS_SITE,
    ],
};

const ADMIN_ONLY: Refusal = Refusal {
    name: "AdminOnly",
    status: StatusCode::FORBIDDEN,
    description: "The key is not an admin's, or nobody may ask from there.",
    kinds: &[
        Kind {
            code: "forbidden_scope",
            when: "The key may only read, or only write",
            detail: "this key may only read; an admin key is needed here",
            path: None,
        },
        LOOPBACK_ONLY,
        UNKNOWN_PROJECT,
        CROSS_SITE,
    ],
};

const NO_SIGN_IN: Refusal = Refusal {
    name: "NoSignIn",
    status: StatusCode::FORBIDDEN,
    description: "The key may not ask, or nobody may sign in from there.",
    kinds: &[
        Kind {
            code: "forbidden_scope",
            when: "The key is a write key",
            detail: "this is a write key; it sends events and asks nothing",
            path: None,
        },
        LOOPBACK_ONLY,
        CROSS_SITE,
    ],
};

const NO_SIGN_OUT: Refusal = Refusal {
    name: "NoSignOut",
    status: StatusCode::FORBIDDEN,
    description: "Nobody may ask from there.",
    kinds: &[LOOPBACK_ONLY, CROSS_SITE],
};

const INVALID_MEMBER: Refusal = Refusal {
    name: "InvalidMember",
    status: StatusCode::BAD_REQUEST,
    description: "The body cannot be read, or a member is unknown or wrong; `path` says which.",
    kinds: &[Kind {
        code: "invalid_body",
        when: "The body is no JSON object, or a member breaks its rule",
        detail: "expected a text of 1 to 100 characters, none of them a control character",
        path: Some("name"),
    }],
};

const TOO_MANY: Refusal = Refusal {
    name: "TooManyUnknownKeys",
    status: StatusCode::TOO_MANY_REQUESTS,
    description: "Too many keys that nobody knows are tried; `Retry-After` says when to ask again.",
    kinds: &[Kind {
        code: "rate_limited",
        when: "More unknown keys are tried than the store is asked about, or an address signed in with wrong keys too often",
        detail: "too many unknown keys are tried; try again in 1 s",
        path: None,
    }],
};

const FROM_ELSEWHERE: Refusal = Refusal {
    name: "FromElsewhere",
    status: StatusCode::FORBIDDEN,
    description: "Nobody may ask from there.",
    kinds: &[LOOPBACK_ONLY],
};

const BODY_TOO_LARGE: Refusal = Refusal {
    name: "BodyTooLarge",
    status: StatusCode::PAYLOAD_TOO_LARGE,
    description: "The body is larger than 256 KiB.",
    kinds: &[Kind {
        code: "body_too_large",
        when: "The body is larger than 256 KiB",
        detail: "the question is larger than this route reads (256 KiB)",
        path: None,
    }],
};

const TOO_LARGE: Refusal = Refusal {
    name: "QueryTooLarge",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    description: "The answer would be too large or take too long; `detail` says what to narrow.",
    kinds: &[Kind {
        code: "query_too_large",
        when: "The answer would have too many rows, or takes longer than a statement may",
        detail: "the question takes longer than 30 s; narrow date_range, or ask for fewer dimensions",
        path: Some("date_range"),
    }],
};

const DEFECT: Refusal = Refusal {
    name: "InternalError",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    description: "A defect of the server; its log says more.",
    kinds: &[Kind {
        code: "internal_error",
        when: "The server met a defect of its own",
        detail: "the answer could not be computed; this is a defect, and it is in the log",
        path: None,
    }],
};

const STORE_UNAVAILABLE: Refusal = Refusal {
    name: "StoreUnavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    description: "The store cannot be asked now; `Retry-After` says when to ask again.",
    kinds: &[Kind {
        code: "store_unavailable",
        when: "The store does not answer, or has not answered since the start",
        detail: "the store cannot be asked now; ask again in a moment",
        path: None,
    }],
};

/// Gives each set of refusals the responses that it refers to.
macro_rules! refusals {
    ($($(#[$docs:meta])* $set:ident: $($refusal:ident),+;)+) => {
        $(
            $(#[$docs])*
            pub(crate) struct $set;

            impl IntoResponses for $set {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$($refusal),+].iter().map(Refusal::reference).collect()
                }
            }
        )+
    };
}

refusals! {
    /// Of `POST /api/query`.
    QuestionRefusals: INVALID_QUESTION, UNKNOWN_KEY, NOT_FOR_ASKING, BODY_TOO_LARGE, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a question that is asked with parameters and answered page by page.
    PageRefusals: INVALID_PAGE, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a question that is asked with parameters and answered at once.
    ParameterRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a question for one session.
    SessionRefusals: INVALID_ID_OR_PAGE, UNKNOWN_KEY, NOT_FOR_ASKING, SESSION_NOT_FOUND, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a question for one user.
    UserRefusals: INVALID_ID_OR_PAGE, UNKNOWN_KEY, NOT_FOR_ASKING, USER_NOT_FOUND, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of an administrator's question.
    AdminRefusals: INVALID_PAGE, UNKNOWN_KEY, ADMIN_ONLY, TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of an administrator's order.
    OrderRefusals: INVALID_BODY, UNKNOWN_KEY, ADMIN_ONLY, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a person's erasure.
    ErasureRefusals: INVALID_ID, UNKNOWN_KEY, ADMIN_ONLY, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of the question who asks.
    SessionViewRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a sign-in.
    SignInRefusals: INVALID_MEMBER, UNKNOWN_KEY, NO_SIGN_IN, TOO_MANY_PROJECTS, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a sign-out.
    SignOutRefusals: INVALID_PARAMETERS, NO_SIGN_OUT, DEFECT, STORE_UNAVAILABLE;
    /// Of the list of keys.
    KeyListRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, ADMIN_ONLY, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a new key.
    MakeKeyRefusals: INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, KEY_NOT_MADE, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a key's end.
    RevokeKeyRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, ADMIN_ONLY, KEY_NOT_FOUND, KEY_OF_ENVIRONMENT, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of the settings.
    SettingsRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of changed settings.
    ChangeSettingsRefusals:
        INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, SETTING_OF_ENVIRONMENT, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of the list of views.
    ViewListRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a new view.
    SaveViewRefusals: INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, TOO_MANY_VIEWS, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a changed view.
    ChangeViewRefusals: INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, VIEW_NOT_FOUND, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a view's end.
    RemoveViewRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, ADMIN_ONLY, VIEW_NOT_FOUND, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of the list of boards.
    BoardListRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, NOT_FOR_ASKING, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a new board.
    SaveBoardRefusals: INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, TOO_MANY_BOARDS, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a changed board.
    ChangeBoardRefusals: INVALID_MEMBER, UNKNOWN_KEY, ADMIN_ONLY, BOARD_NOT_FOUND, BODY_TOO_LARGE, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of a board's end.
    RemoveBoardRefusals: INVALID_PARAMETERS, UNKNOWN_KEY, ADMIN_ONLY, BOARD_NOT_FOUND, TOO_MANY, DEFECT, STORE_UNAVAILABLE;
    /// Of what needs no key.
    OpenRefusals: FROM_ELSEWHERE;
}

/// Every refusal, by its name in the document.
pub(super) fn responses() -> impl Iterator<Item = (String, RefOr<Response>)> {
    let all = [
        INVALID_QUESTION,
        INVALID_PAGE,
        INVALID_PARAMETERS,
        INVALID_BODY,
        INVALID_ID_OR_PAGE,
        INVALID_ID,
        SESSION_NOT_FOUND,
        USER_NOT_FOUND,
        UNKNOWN_KEY,
        NOT_FOR_ASKING,
        ADMIN_ONLY,
        FROM_ELSEWHERE,
        BODY_TOO_LARGE,
        TOO_LARGE,
        DEFECT,
        STORE_UNAVAILABLE,
        NO_SIGN_IN,
        NO_SIGN_OUT,
        INVALID_MEMBER,
        TOO_MANY,
        TOO_MANY_PROJECTS,
        KEY_NOT_MADE,
        KEY_OF_ENVIRONMENT,
        KEY_NOT_FOUND,
        TOO_MANY_VIEWS,
        VIEW_NOT_FOUND,
        TOO_MANY_BOARDS,
        BOARD_NOT_FOUND,
        SETTING_OF_ENVIRONMENT,
    ];
    all.into_iter().map(|refusal| (refusal.name.to_owned(), refusal.response().into()))
}

impl Refusal {
    /// Its status, and where the document has it.
    fn reference(&self) -> (String, RefOr<Response>) {
        (self.status.as_u16().to_string(), Ref::from_response_name(self.name).into())
    }

    fn response(&self) -> Response {
        let examples = self.kinds.iter().map(|kind| {
            let example = ExampleBuilder::new().summary(kind.when).value(Some(kind.document(self.status)));
            (kind.code, example)
        });
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
        let codes: Vec<String> = self.kinds.iter().map(|kind| format!("`{}`", kind.code)).collect();
        let description = format!("{} Code {}.", self.description, codes.join(" or "));
        let response = ResponseBuilder::new().description(description).content("application/problem+json", content);
        let header = |kind: Type, description: &str| {
            HeaderBuilder::new().schema(Object::with_type(kind)).description(Some(description)).build()
        };
        match self.status {
            StatusCode::UNAUTHORIZED => response.header("WWW-Authenticate", header(Type::String, "`Bearer`.")),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                response.header("Retry-After", header(Type::Integer, "After how many seconds to ask again."))
            }
            _ => response,
        }
        .build()
    }
}

impl Kind {
    /// The problem as it is sent.
    fn document(&self, status: StatusCode) -> Value {
        let mut document = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(path), Value::Object(members)) = (self.path, &mut document) {
            members.insert("path".to_owned(), path.into());
        }
        document
    }
}
