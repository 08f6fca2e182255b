//! The API: answers queries of one project.
