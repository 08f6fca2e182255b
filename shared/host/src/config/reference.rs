//! The page of the docs that lists every variable.

use std::fmt::Write as _;

use super::risk;
use super::role::Role;
use super::variables::VARIABLES;

/// `docs/configuration.md`, made from the registry.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Made from the registry in `shared/host/src/config/variables.rs`; do not edit by hand.\n\n\
         Every setting is a variable of the environment. An empty one is as good as none. A value that cannot be used stops the \
         start with a sentence that names the variable, the value (never a secret's) and what is allowed; everything that is \
         wrong is told at once.\n\n\
         | variable | roles | default | meaning |\n|---|---|---|---|\n",
    );
    for variable in VARIABLES {
        let roles = names(variable.roles);
        let default = match (variable.default, variable.required) {
            (default, []) => default.to_owned(),
            ("", required) => format!("required: {}", names(required)),
            (default, required) => format!("{default}; required: {}", names(required)),
        };
        // Writing to a String does not fail.
        let _ = writeln!(page, "| `{}` | {roles} | {default} | {} |", variable.name, variable.meaning);
    }
    page.push_str("\n## Production\n\nWith `APP_ENV=production` a process does not start where\n\n");
    risk::REFUSED.iter().for_each(|rule| page.push_str(&format!("- {rule}\n")));
    page.push_str("\nand warns in its log where\n\n");
    risk::WARNED.iter().for_each(|rule| page.push_str(&format!("- {rule}\n")));
    page.push_str(
        "\nIn every environment a variable whose name looks like a misspelt one of these is warned of, and `analytics` without \
         `API_KEYS` refuses a `HOST` that is not loopback.\n",
    );
    page
}

fn names(roles: &[Role]) -> String {
    if roles.len() == 5 {
        return "all".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}
