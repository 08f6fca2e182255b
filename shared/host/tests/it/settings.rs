//! Every setting that can be wrong, and the sentence that says so.

use std::path::PathBuf;

use analytics_host::config::{
    ApiConfig, CollectorConfig, ConfigError, EnrichmentConfig, ProcessorConfig, QueueConfig, RealtimeConfig, Role,
    RoleConfig, StandaloneConfig, VARIABLES, Variables, reference,
};
use analytics_host::cors::Origins;

const KEY: &str = "k3y-with_16-or-more";
const OTHER_KEY: &str = "an0ther-key-0123456789";

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What each role needs at least.
fn needed(role: Role) -> Vec<(&'static str, &'static str)> {
    match role {
        Role::Collector => vec![("REDIS_URL", "redis://localhost:6379")],
        Role::Processor => vec![("REDIS_URL", "redis://localhost"), ("DATABASE_URL", "postgres://u@h:5432/d")],
        Role::Api => vec![("DATABASE_URL", "postgresql:///d?host=/run"), ("API_KEYS", KEY)],
        Role::Realtime => vec![("REDIS_URL", "rediss://:pw@h/0"), ("API_KEYS", KEY)],
        Role::Analytics => vec![],
    }
}

fn read(role: Role, pairs: &[(&str, &str)]) -> Result<Vec<String>, ConfigError> {
    let variables = variables(pairs);
    Ok(match role {
        Role::Collector => CollectorConfig::read(&variables)?.common.warnings,
        Role::Processor => ProcessorConfig::read(&variables)?.common.warnings,
        Role::Api => ApiConfig::read(&variables)?.common.warnings,
        Role::Realtime => RealtimeConfig::read(&variables)?.common.warnings,
        Role::Analytics => StandaloneConfig::read(&variables)?.common.warnings,
    })
}

/// The faults of a role that has what it needs, and `more`.
fn faults(role: Role, more: &[(&str, &str)]) -> Vec<String> {
    let mut pairs = needed(role);
    pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    pairs.extend_from_slice(more);
    read(role, &pairs).err().map(|error| error.faults).unwrap_or_default()
}

/// What is set and risky.
type Risky<'a> = &'a [(&'a str, &'a str)];

const ROLES: [Role; 5] = [Role::Collector, Role::Processor, Role::Api, Role::Realtime, Role::Analytics];

#[test]
fn every_wrong_value_is_named_with_what_is_allowed() {
    use Role::{Analytics, Api, Collector, Processor, Realtime};
    let table: &[(Role, &str, &str, &str)] = &[
        (Collector, "APP_ENV", "prod", "development or production"),
        (Collector, "NODE_ENV", "staging", "development or production"),
        (Collector, "PORT", "0", "a whole number from 1 to 65535"),
        (Api, "PORT", "65536", "a whole number from 1 to 65535"),
        (Realtime, "PORT", "http", "a whole number from 1 to 65535"),
        (Analytics, "PORT", "4000.0", "a whole number from 1 to 65535"),
        (Processor, "METRICS_PORT", "-1", "a whole number from 1 to 65535"),
        (Collector, "HOST", "example.com", "an address"),
        (Processor, "HOST", "0.0.0", "an address"),
        (Collector, "REDIS_KEY_PREFIX", "a b", "1 to 64 of"),
        (Processor, "DATABASE_STATEMENT_CACHE", "maybe", "auto, on or off"),
        (Api, "DATABASE_REPLICA_MAX_LAG_SECONDS", "0", "from 1 to 3600"),
        (Processor, "CHUNK_DAYS", "month", "from 1 to 366"),
        (Realtime, "STATEMENT_TIMEOUT_SECONDS", "0", "from 1 to 3600"),
        (Api, "CORS_ORIGINS", "shop", "is no origin"),
        (Api, "CORS_ORIGINS", "https://a.example/path", "is no origin"),
        (Api, "CORS_ORIGINS", "https://a.example,*", "is no origin"),
        (Api, "CORS_ORIGINS", "https://*.a.example", "list them one by one, or write * alone"),
        (Collector, "CORS_ORIGINS", "https://b.example, http://*", "list them one by one, or write * alone"),
        (Api, "TRUSTED_PROXIES", "10.0.0.0/33", "no address or network"),
        (Api, "TRACKER_PATH", "s.js", "a path as /js/s.js"),
        (Api, "TRACKER_PATH", "/", "a path as /js/s.js"),
        (Analytics, "TRACKER_PATH", "/js//s.js", "a path as /js/s.js"),
        (Analytics, "TRACKER_PATH", "/{s}.js", "a path as /js/s.js"),
        (Analytics, "TRACKER_PATH", "/../s.js", "a path as /js/s.js"),
        (Analytics, "TRACKER_PATH", "/api/s.js", "not below /api"),
        (Api, "TRACKER_PATH", "/health", "not below /api"),
        (Collector, "ENRICH", "user_agent,geo", "\"geo\" is none of user_agent, bots, channel, utm, country"),
        (Collector, "ENRICH", "user_agent,none", "or none alone"),
        (Analytics, "ENRICH", "Bots", "\"Bots\" is none of"),
        (Analytics, "ENRICH", "bots,,utm", "\"\" is none of"),
        (Collector, "GEOIP_FILE", "a\nb", "the path of a file, as /var/lib/GeoIP/GeoLite2-Country.mmdb"),
        (Collector, "RATE_LIMIT", "0", "from 1 on, or off"),
        (Analytics, "RATE_LIMIT", "many", "from 1 on, or off"),
        (Collector, "QUEUE_MAX_EVENTS", "0", "from 1 to"),
        (Collector, "QUEUE_SHARDS", "0", "from 1 to 64"),
        (Collector, "QUEUE_REPLICAS", "six", "from 0 to 5"),
        (Collector, "DURABILITY", "always", "durable or fast"),
        (Processor, "CONCURRENCY", "0", "from 1 to 64"),
        (Analytics, "CONCURRENCY", "65", "from 1 to 64"),
        (Processor, "BATCH_SIZE", "0", "from 1 to 10000"),
        (Processor, "BATCH_LINGER_MS", "10001", "from 0 to 10000"),
        (Processor, "VISIBILITY_SECONDS", "4", "from 5 to 3600"),
        (Collector, "RETENTION_DAYS", "-1", "from 0 to 36500"),
        (Analytics, "RETENTION_DAYS", "ninety", "from 0 to 36500"),
        (Processor, "DEDUPE_DAYS", "0", "from 1 to 3650"),
        (Analytics, "AUTO_MIGRATE", "perhaps", "true or false"),
        (Collector, "LOG_LEVEL", "loud", "error, warn, info, debug or trace"),
        (Collector, "LOG_FORMAT", "xml", "text or json"),
    ];
    for (role, name, value, allowed) in table {
        let faults = faults(*role, &[(name, value)]);
        let [fault] = faults.as_slice() else { panic!("{role} {name}={value}: {faults:?}") };
        assert!(fault.starts_with(&format!("{name} is {value:?}")) && fault.contains(allowed), "{fault}");
    }
}

#[test]
fn secrets_are_never_told() {
    use Role::{Analytics, Api, Collector, Processor};
    let table: &[(Role, &str, &str, &str)] = &[
        (Collector, "REDIS_URL", "http://:hunter2@cache:6379/0?x=hunter2", "redis:// or rediss://"),
        (Collector, "REDIS_URL", "hunter2@cache", "redis:// or rediss://"),
        (Collector, "REDIS_URL", "redis:hunter2", "names a host"),
        (Collector, "REDIS_URL", "redis://", "names a host"),
        (Collector, "REDIS_URL", "redis+cluster://:hunter2@", "redis+cluster://host:6379,host:6379"),
        (Collector, "REDIS_URL", "redis+cluster://:hunter2@a:1,b:port", "invalid port number"),
        (Collector, "REDIS_URL", "redis+cluster://:hunter2@a:1,b/2", "database 0 only"),
        (Collector, "REDIS_URL", "rediss+sentinel://:hunter2@a,b", "names no master"),
        (Api, "CACHE_REDIS_URL", "redis+sentinel://:hunter2@a,,b/main", "empty host"),
        (Api, "CACHE_REDIS_URL", "memcached://hunter2@h", "redis:// or rediss://"),
        (Processor, "DATABASE_URL", "mysql://u:hunter2@db/d", "postgres:// or postgresql://"),
        (Api, "DATABASE_REPLICA_URL", "u:hunter2@db/d", "postgres:// or postgresql://"),
        (Processor, "DATABASE_URL", "postgres://u:hunter2@h:99999/d", "cannot be read as a URL: invalid port number"),
        (Processor, "DATABASE_URL", "postgres://u:hunter2#x@h:5432/d", "%23"),
        (Processor, "DATABASE_URL", "postgres://u:hunter2@[::1/d", "cannot be read as a URL: invalid IPv6 address"),
        (Collector, "REDIS_URL", "redis://:hunter2@h:port/0", "cannot be read as a URL: invalid port number"),
        (Api, "API_KEYS", "hunter2", "key 1 of the list is not 16 to 128"),
        (Api, "API_KEYS", "hunter2-hunter2-hunter2:shop", "key or key:project:scope"),
        (Api, "API_KEYS", "hunter2-hunter2-hunter2:shop:write", "scope other than"),
        (Api, "API_KEYS", "hunter2-hunter2-hunter2:sh op:read", "names a project"),
        (Analytics, "API_KEYS", "hunter2-hunter2-hunter2!", "key 1 of the list is not 16 to 128"),
        (Collector, "WRITE_KEYS", "hunter2-hunter2-hunter2", "key:project"),
        (
            Collector,
            "WRITE_KEYS",
            "hunter2-hunter2-hunter2:a,hunter2-hunter2-hunter2:b",
            "key 2 of the list stands twice",
        ),
    ];
    for (role, name, value, expected) in table {
        let faults = faults(*role, &[(name, value)]);
        let [fault] = faults.as_slice() else { panic!("{role} {name}={value}: {faults:?}") };
        assert!(fault.starts_with(name) && fault.contains(expected), "{name}={value}: {fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }
    let collector =
        CollectorConfig::read(&variables(&[("REDIS_URL", "redis://:hunter2@h"), ("WRITE_KEYS", &format!("{KEY}:p"))]));
    let processor = ProcessorConfig::read(&variables(&[
        ("REDIS_URL", "redis://:hunter2@h"),
        ("DATABASE_URL", "postgres://u:hunter2@h/d"),
    ]));
    let api = ApiConfig::read(&variables(&[
        ("CACHE_REDIS_URL", "redis://:hunter2@h"),
        ("DATABASE_URL", "postgres://u:hunter2@h/d"),
        ("DATABASE_REPLICA_URL", "postgres://u:hunter2@r/d"),
        ("API_KEYS", KEY),
    ]));
    let printed = format!("{:?} {:?} {:?}", collector.unwrap(), processor.unwrap(), api.unwrap());
    assert!(!printed.contains("hunter2") && !printed.contains(KEY), "{printed}");
}

#[test]
fn what_is_missing_is_named_all_at_once() {
    let missing = |role| match read(role, &[]) {
        Ok(_) => vec![],
        Err(error) => error.faults.iter().map(|fault| fault.split(' ').next().unwrap().to_owned()).collect(),
    };
    assert_eq!(missing(Role::Collector), ["REDIS_URL"]);
    assert_eq!(missing(Role::Processor), ["REDIS_URL", "DATABASE_URL"]);
    assert_eq!(missing(Role::Api), ["DATABASE_URL", "API_KEYS"]);
    assert_eq!(missing(Role::Realtime), ["REDIS_URL", "API_KEYS"]);
    assert_eq!(missing(Role::Analytics), Vec::<String>::new());
    for role in ROLES {
        let required: Vec<&str> = VARIABLES
            .iter()
            .filter(|variable| variable.required.contains(&role))
            .map(|variable| variable.name)
            .collect();
        assert_eq!(missing(role), required, "the page and the reader of {role} differ");
        for (name, _) in needed(role) {
            assert_eq!(faults(role, &[(name, " ")]).len(), 1, "an empty {name} is as good as none");
        }
    }
    let error = read(Role::Processor, &[("BATCH_SIZE", "x"), ("PORT", "ignored"), ("LOG_FORMAT", "y")]).unwrap_err();
    assert_eq!(error.faults.len(), 4, "{error}");
    assert!(error.to_string().starts_with("4 settings cannot be used:\n  - "), "{error}");
}

/// Each role is told by a wrong value whether it reads a variable: what the page says has to be so.
#[test]
fn every_role_reads_what_the_page_says_and_nothing_else() {
    for variable in VARIABLES.iter().filter(|variable| variable.name != "DATA_DIR") {
        for role in ROLES {
            let wrong = [(variable.name, "\u{1}:\u{1}:\u{1}:\u{1}")];
            let told = faults(role, &wrong).iter().any(|fault| fault.starts_with(variable.name));
            assert_eq!(told, variable.roles.contains(&role), "{} and {role}", variable.name);
        }
    }
    let page = reference();
    for variable in VARIABLES {
        assert_eq!(page.matches(&format!("\n| `{}` |", variable.name)).count(), 1, "{}", variable.name);
    }
}

#[test]
fn defaults_are_those_of_the_page() {
    let collector = CollectorConfig::read(&variables(&needed(Role::Collector))).unwrap();
    assert_eq!((collector.http.host.to_string().as_str(), collector.http.port), ("0.0.0.0", 4001));
    assert_eq!((collector.intake.queue_max_events, collector.intake.durable), (5_000_000, None));
    assert_eq!((collector.intake.rate_limit, collector.intake.retention_days), (None, None));
    assert!(collector.intake.write_keys.is_open() && collector.http.origins == Origins::Any);
    assert!(matches!(&collector.queue, QueueConfig::Redis(redis) if redis.key_prefix == "analytics"));
    let processor = ProcessorConfig::read(&variables(&needed(Role::Processor))).unwrap();
    assert_eq!(processor.http.port, 4004);
    assert_eq!((processor.work.concurrency, processor.work.batch_size, processor.work.dedupe_days), (5, 100, 30));
    assert_eq!((processor.work.linger.as_millis(), processor.work.visibility.as_secs()), (50, 30));
    assert!(processor.work.auto_migrate && processor.database.statement_cache.is_none());
    assert_eq!(processor.database.statement_timeout.as_secs(), 30);
    let api = ApiConfig::read(&variables(&needed(Role::Api))).unwrap();
    assert_eq!((api.http.port, api.redis.is_none(), api.cache_url), (4002, true, None));
    let realtime = RealtimeConfig::read(&variables(&needed(Role::Realtime))).unwrap();
    assert_eq!((realtime.http.port, realtime.database.is_none()), (4003, true));
    let analytics = StandaloneConfig::read(&Variables::new()).unwrap();
    assert_eq!((analytics.http.host.to_string().as_str(), analytics.http.port), ("127.0.0.1", 4000));
    assert_eq!(analytics.data_dir.to_str(), Some("./data"));
    assert!(analytics.keys.is_open_on_loopback() && analytics.http.origins == Origins::Nobody);
    let keyed =
        StandaloneConfig::read(&variables(&[("HOST", "::"), ("API_KEYS", KEY), ("RATE_LIMIT", "off")])).unwrap();
    assert!(!keyed.keys.is_open_on_loopback() && keyed.http.origins == Origins::Any);
}

#[test]
fn what_is_added_to_events_is_all_but_the_country_unless_said() {
    let read = |more: &[(&str, &str)]| {
        let mut pairs = needed(Role::Collector);
        pairs.extend_from_slice(more);
        let config = CollectorConfig::read(&variables(&pairs))?;
        Ok::<_, ConfigError>((config.intake.enrichment, config.common.warnings))
    };
    let file = ("GEOIP_FILE", "/var/lib/GeoIP/GeoLite2-Country.mmdb");
    let all_but = |countries: Option<&str>| EnrichmentConfig {
        user_agent: true,
        bots: true,
        channel: true,
        utm: true,
        countries: countries.map(PathBuf::from),
    };
    assert_eq!(read(&[]).unwrap(), (all_but(None), vec![]));
    assert_eq!(StandaloneConfig::read(&Variables::new()).unwrap().intake.enrichment, all_but(None));
    assert_eq!(read(&[file]).unwrap(), (all_but(Some(file.1)), vec![]));
    let none = EnrichmentConfig::default();
    assert_eq!(read(&[("ENRICH", "none")]).unwrap(), (none.clone(), vec![]));
    let some = EnrichmentConfig { bots: true, countries: Some(file.1.into()), ..none };
    assert_eq!(read(&[("ENRICH", " bots , country "), file]).unwrap(), (some, vec![]));
    let missing = read(&[("ENRICH", "bots,country")]).unwrap_err().faults;
    assert!(missing.len() == 1 && missing[0].starts_with("GEOIP_FILE is not set; ENRICH names country"), "{missing:?}");
    let (enrichment, warnings) = read(&[("ENRICH", "bots"), file]).unwrap();
    assert!(enrichment.countries.is_none());
    assert!(warnings.len() == 1 && warnings[0].starts_with("GEOIP_FILE is set and ENRICH leaves country out"));
}

#[test]
fn the_two_names_of_the_environment_agree_or_stop_the_start() {
    for (app, node, fine) in
        [("production", "production", true), ("development", "production", false), ("development", "test", false)]
    {
        let faults = faults(Role::Collector, &[("APP_ENV", app), ("NODE_ENV", node)]);
        assert_eq!(faults.is_empty(), fine, "{app} {node} {faults:?}");
    }
    let production = |name| {
        CollectorConfig::read(&variables(&[needed(Role::Collector)[0], (name, "production")]))
            .unwrap()
            .common
            .production
    };
    assert!(production("APP_ENV") && production("NODE_ENV"));
}

#[test]
fn analytics_without_keys_stays_on_this_machine() {
    for host in ["127.0.0.1", "127.8.8.8", "::1", "localhost"] {
        assert!(faults(Role::Analytics, &[("HOST", host)]).is_empty(), "{host}");
    }
    for host in ["0.0.0.0", "::", "192.168.0.7"] {
        let faults = faults(Role::Analytics, &[("HOST", host)]);
        assert!(
            faults.len() == 1 && faults[0].starts_with(&format!("HOST is {host} and API_KEYS is not set")),
            "{faults:?}"
        );
        assert!(self::faults(Role::Analytics, &[("HOST", host), ("API_KEYS", KEY)]).is_empty());
    }
}

#[test]
fn production_refuses_what_is_risky_and_development_does_not() {
    let both = format!("{KEY}:shop");
    let table: &[(Role, Risky<'_>, &str)] = &[
        (Role::Analytics, &[], "API_KEYS is not set, and APP_ENV=production"),
        (Role::Api, &[("API_KEYS", "aaaaaaaaaaaaaaaaaaaa")], "API_KEYS: key 1"),
        (Role::Api, &[("API_KEYS", "k3y-with_16-or-more,change-me-change-me:shop:read")], "API_KEYS: key 2"),
        (Role::Collector, &[("WRITE_KEYS", "example-write-key-0123:shop")], "WRITE_KEYS: key 1"),
        (Role::Collector, &[("TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0")], "TRUSTED_PROXIES holds everybody"),
        (Role::Realtime, &[("TRUSTED_PROXIES", "::/0")], "TRUSTED_PROXIES holds everybody"),
        (
            Role::Api,
            &[("DATABASE_URL", "postgres://analytics:change-me-0@postgres/analytics")],
            "DATABASE_URL: its password",
        ),
        (Role::Collector, &[("REDIS_URL", "redis://:CHANGE_ME-@redis:6379")], "REDIS_URL: its password"),
        (Role::Api, &[("CACHE_REDIS_URL", "redis://:replace-me@redis-cache")], "CACHE_REDIS_URL: its password"),
        (Role::Collector, &[("REDIS_URL", "redis+cluster://:change-me-@a:1,b:2")], "REDIS_URL: its password"),
        (Role::Collector, &[("REDIS_URL", "redis+sentinel://:change-me-@a:1,b:2/main")], "REDIS_URL: its password"),
    ];
    for (role, risky, expected) in table {
        assert_eq!(faults(*role, risky), Vec::<String>::new(), "{role} {risky:?}");
        let mut pairs = risky.to_vec();
        pairs.push(("APP_ENV", "production"));
        let faults = faults(*role, &pairs);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{role} {risky:?} {faults:?}");
        assert!(!faults[0].contains("aaaa") && !faults[0].to_lowercase().contains("change-me-"), "{faults:?}");
    }
    let shared = faults(Role::Api, &[("API_KEYS", KEY), ("WRITE_KEYS", &both)]);
    assert!(shared.len() == 1 && shared[0].contains("hold the same key"), "{shared:?}");
}

#[test]
fn production_warns_of_what_is_legal_and_risky() {
    let warned = |more: &[(&str, &str)]| {
        let mut pairs = vec![("REDIS_URL", "redis://localhost:6379")];
        pairs.extend_from_slice(more);
        read(Role::Collector, &pairs)
            .unwrap()
            .iter()
            .map(|sentence| sentence.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(warned(&[("DURABILITY", "fast"), ("LOG_LEVEL", "debug")]).is_empty());
    let production = ("APP_ENV", "production");
    assert_eq!(warned(&[production]), ["CORS_ORIGINS", "WRITE_KEYS"]);
    let keys = format!("{KEY}:shop,{OTHER_KEY}:shop");
    let safe = [production, ("CORS_ORIGINS", "https://shop.example"), ("WRITE_KEYS", &keys)];
    assert!(warned(&safe).is_empty());
    let mut risky = safe.to_vec();
    risky.extend([("DURABILITY", "fast"), ("LOG_LEVEL", "trace")]);
    assert_eq!(warned(&risky), ["LOG_LEVEL", "DURABILITY"]);
    let told = read(
        Role::Processor,
        &[
            production,
            ("REDIS_URL", "redis://localhost"),
            ("DATABASE_URL", "postgresql://postgres:password@postgres:5432/analytics"),
        ],
    );
    assert!(told.unwrap()[0].starts_with("DATABASE_URL has a password that stands in guides"));
    assert_eq!(warned(&[("WRITE_KEY", "x")]), ["WRITE_KEY"], "a misspelt name is told in every environment");
}

#[test]
fn the_queue_is_sqs_where_its_url_says_so() {
    const URL: (&str, &str) = ("SQS_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/q");
    const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://h/d");
    const FUNCTION: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    let collector = CollectorConfig::read(&variables(&[URL, ("REDIS_URL", "redis://h")])).unwrap();
    assert!(matches!(&collector.queue, QueueConfig::Sqs(url) if url == URL.1));
    let processor = ProcessorConfig::read(&variables(&[URL, DATABASE])).unwrap();
    assert!(matches!(processor.queue, QueueConfig::Sqs(_)) && processor.redis.is_none());
    let faults = faults(Role::Analytics, &[URL]);
    assert!(faults.len() == 1 && faults[0].contains("SQS_QUEUE_URL is set"), "{faults:?}");
    let error =
        CollectorConfig::read(&variables(&[("SQS_QUEUE_URL", "sqs.eu-central-1.amazonaws.com/1/q")])).unwrap_err();
    assert!(error.faults.len() == 1 && error.faults[0].contains("https://"), "{error}");
    // A function that has no queue names the one that it takes.
    let error = CollectorConfig::read(&variables(&[FUNCTION, ("REDIS_URL", "redis://h")])).unwrap_err();
    assert!(error.faults.len() == 1 && error.faults[0].starts_with("SQS_QUEUE_URL is not set"), "{error}");
    let error = ProcessorConfig::read(&variables(&[FUNCTION, DATABASE])).unwrap_err();
    assert!(error.faults.len() == 1 && error.faults[0].starts_with("SQS_QUEUE_URL is not set"), "{error}");
}

#[test]
fn keys_that_were_made_are_required_only_where_collectors_are_told_of_them() {
    const REQUIRED: (&str, &str) = ("WRITE_KEYS", "required");
    assert_eq!(faults(Role::Collector, &[REQUIRED]), Vec::<String>::new());
    let in_production = read(Role::Analytics, &[REQUIRED, ("APP_ENV", "production"), ("API_KEYS", KEY)]).unwrap();
    assert!(in_production.iter().all(|warning| !warning.contains("WRITE_KEYS")), "{in_production:?}");
    let on_sqs = [REQUIRED, ("SQS_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/q")];
    let error = CollectorConfig::read(&variables(&on_sqs)).unwrap_err();
    assert!(error.faults.len() == 1 && error.faults[0].contains("WRITE_KEYS is required"), "{error}");
}
