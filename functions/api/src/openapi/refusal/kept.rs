//! Refusals about what a project keeps: keys, sessions of the page, views, boards, settings.

use axum::http::StatusCode;

use super::{Kind, Refusal};

pub(super) const TOO_MANY_PROJECTS: Refusal = Refusal {
    name: "TooManyProjects",
    status: StatusCode::CONFLICT,
    description: "The session has as many projects as it can.",
    kinds: &[Kind {
        code: "too_many_projects",
        when: "The session is signed in to 50 other projects",
        detail: "a session has at most 50 projects; sign out of one first",
        path: None,
    }],
};

pub(super) const KEY_NOT_MADE: Refusal = Refusal {
    name: "KeyNotMade",
    status: StatusCode::CONFLICT,
    description: "No such key can be made here, or there are as many as there can be.",
    kinds: &[
        Kind {
            code: "too_many_keys",
            when: "The project has 100 keys, or the deployment 10,000 that send",
            detail: "the project has 100 keys already; revoke one first",
            path: None,
        },
        Kind {
            code: "keys_not_carried",
            when: "The key is to send, and the queue of this deployment (SQS) carries no keys to the collectors",
            detail: "the queue of this deployment (SQS) carries no keys to the collectors, so a key that is made here could not \
                     send; set it in WRITE_KEYS of the collectors, as key:project",
            path: Some("scope"),
        },
    ],
};

pub(super) const KEY_OF_ENVIRONMENT: Refusal = Refusal {
    name: "KeyOfEnvironment",
    status: StatusCode::CONFLICT,
    description: "The key is one of the environment.",
    kinds: &[Kind {
        code: "read_only",
        when: "The key is set by `API_KEYS` or `WRITE_KEYS`",
        detail: "this key is set by API_KEYS or WRITE_KEYS; take it out of there and start the processes anew",
        path: None,
    }],
};

pub(super) const KEY_NOT_FOUND: Refusal = Refusal {
    name: "KeyNotFound",
    status: StatusCode::NOT_FOUND,
    description: "There is no such key.",
    kinds: &[Kind {
        code: "key_not_found",
        when: "The project has no key of this id",
        detail: "the project has no key of this id",
        path: Some("id"),
    }],
};

pub(super) const TOO_MANY_VIEWS: Refusal = Refusal {
    name: "TooManyViews",
    status: StatusCode::CONFLICT,
    description: "The project has as many views as it can.",
    kinds: &[Kind {
        code: "too_many_views",
        when: "The project has 500 views",
        detail: "the project has 500 views already; delete one first",
        path: None,
    }],
};

pub(super) const VIEW_NOT_FOUND: Refusal = Refusal {
    name: "ViewNotFound",
    status: StatusCode::NOT_FOUND,
    description: "There is no such view.",
    kinds: &[Kind {
        code: "view_not_found",
        when: "The project has no view of this id",
        detail: "there is nothing of this id among the project's views",
        path: Some("id"),
    }],
};

pub(super) const TOO_MANY_BOARDS: Refusal = Refusal {
    name: "TooManyBoards",
    status: StatusCode::CONFLICT,
    description: "The project has as many boards as it can.",
    kinds: &[Kind {
        code: "too_many_boards",
        when: "The project has 100 boards",
        detail: "the project has 100 boards already; delete one first",
        path: None,
    }],
};

pub(super) const BOARD_NOT_FOUND: Refusal = Refusal {
    name: "BoardNotFound",
    status: StatusCode::NOT_FOUND,
    description: "There is no such board.",
    kinds: &[Kind {
        code: "board_not_found",
        when: "The project has no board of this id",
        detail: "there is nothing of this id among the project's boards",
        path: Some("id"),
    }],
};

pub(super) const SETTING_OF_ENVIRONMENT: Refusal = Refusal {
    name: "SettingOfEnvironment",
    status: StatusCode::CONFLICT,
    description: "The setting is set by the environment.",
    kinds: &[Kind {
        code: "read_only",
        when: "`RETENTION_DAYS` is set",
        detail: "the retention is set by RETENTION_DAYS; change it there and start the processes anew, or unset it there",
        path: Some("retention_days"),
    }],
};
