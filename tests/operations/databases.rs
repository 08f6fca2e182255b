//! The roles beside a streaming replica, and behind PgBouncer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics_blackbox::Tenant;
use analytics_blackbox::answer::Answer;
use analytics_blackbox::tenant::send;
use analytics_testkit::postgres::{Database, Edition, Pooler, PostgresOptions, PostgresServer};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event;

const WRITE_KEY: &str = "write-key-of-the-shop";
const READ_KEY: &str = "reading-key-of-the-shop";
const ADMIN_KEY: &str = "admin-key-of-the-shop";

/// Longest wait for what should happen within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Collector, processors and api on a database.
struct Roles {
    roles: Vec<Role>,
    tenant: Tenant,
    _redis: RedisServer,
}

impl Roles {
    /// Starts them; `replica` is told to the api alone.
    fn start(database: &str, replica: Option<&str>, processors: usize) -> Self {
        let redis = RedisServer::start(RedisOptions::default()).unwrap();
        let common = RoleOptions::new()
            .variable("REDIS_URL", redis.url())
            .variable("DATABASE_URL", database)
            .variable("WRITE_KEYS", format!("{WRITE_KEY}:shop"))
            .variable("API_KEYS", format!("{READ_KEY}:shop:read,{ADMIN_KEY}:shop:admin"));
        let mut api = common.clone();
        if let Some(replica) = replica {
            api = api.variable("DATABASE_REPLICA_URL", replica).variable("DATABASE_REPLICA_MAX_LAG_SECONDS", "1");
        }
        let spawn = |name, options| Role::spawn(&program(name).unwrap(), options).unwrap();
        let mut roles = vec![spawn("collector", common.clone()), spawn("api", api)];
        roles.extend((0..processors).map(|_| spawn("processor", common.clone().port_in("METRICS_PORT"))));
        roles.iter_mut().for_each(|role| role.wait_ready().unwrap());
        let keys = [WRITE_KEY, READ_KEY, ADMIN_KEY].map(str::to_owned);
        let tenant = Tenant::new("shop".to_owned(), keys, [roles[0].url(), roles[1].url(), String::new()]);
        Self { roles, tenant, _redis: redis }
    }

    async fn of_api(&self, path: &str) -> Answer {
        send(self.tenant.client.get(format!("{}{path}", self.tenant.api))).await
    }

    /// Waits until the api's `/health` is so.
    async fn until(&self, is_so: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let health = self.of_api("/health").await.expect_status(200);
            if is_so(&health.body) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{}\n{}", health.text, self.roles[1].log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The value of a series of the api.
    async fn metric(&self, series: &str) -> f64 {
        let answer = self.of_api("/metrics").await;
        let line = answer.text.lines().find(|line| line.starts_with(&format!("{series} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{}", answer.text))
    }

    async fn erase(&self, user: &str) -> Answer {
        let request = self.tenant.client.delete(format!("{}/api/users/{user}", self.tenant.api));
        send(request.bearer_auth(ADMIN_KEY)).await.expect_status(200)
    }
}

fn named(user: &str) -> Value {
    let mut event = event(&format!("session-{user}"), "navigation", "page_view");
    event["user_id"] = user.into();
    event
}

const REPLICA_STATE: &str = "analytics_replica_state";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_read_from_a_replica_that_is_near() {
    let start = || {
        let primary = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17)).unwrap());
        let database = Database::create(&primary).unwrap();
        let standby = primary.standby(&[]).unwrap();
        let replica = standby.url(database.name());
        let roles = Roles::start(&database.url(), Some(&replica), 1);
        (database, standby, roles)
    };
    let (_database, mut standby, roles) = tokio::task::spawn_blocking(start).await.unwrap();
    let tenant = &roles.tenant;
    roles.until(|health| health["status"] == "healthy" && health["checks"]["replica"] == "ok").await;
    tenant.store(&[named("ann"), named("bob"), event("s", "navigation", "page_view")]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(roles.metric(REPLICA_STATE).await, 1.0);
    assert!(roles.metric("analytics_replica_reads_total{outcome=\"answered\"}").await > 0.0);
    assert_eq!(roles.metric("analytics_replica_lag_seconds").await, 0.0);

    // An erasure is answered when the replica has it too.
    roles.erase("ann").await;
    let _ = tenant.get("/api/users/ann").await.expect_problem(404, "user_not_found");

    // Behind: it is left out, said so, and answers are as fresh as the primary.
    standby.pause_replay().unwrap();
    let ids = tenant.collect_all(&[event("s", "navigation", "page_view")]).await;
    tenant.settled(3).await;
    roles.until(|health| health["status"] == "degraded").await;
    let told = roles.of_api("/health").await.body["checks"]["replica"].as_str().unwrap().to_owned();
    assert!(told.contains("the primary is asked") && told.contains("behind"), "{told}");
    let newest = tenant.get("/api/events?limit=1").await.expect_status(200);
    assert_eq!(newest.body["results"][0]["id"], ids[0].as_str());
    assert_eq!(newest.body["meta"]["fresh_as_of"], newest.body["results"][0]["created_at"], "{}", newest.text);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(roles.metric(REPLICA_STATE).await, 0.0);
    assert!(roles.metric("analytics_replica_lag_seconds").await >= 1.0);
    roles.erase("bob").await;
    let _ = tenant.get("/api/users/bob").await.expect_problem(404, "user_not_found");

    standby.resume_replay().unwrap();
    roles.until(|health| health["status"] == "healthy").await;

    // It dies while it is asked: every answer comes.
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4).map(|_| tokio::spawn(ask_until(tenant.clone(), Arc::clone(&over)))).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    standby.kill9();
    roles.until(|health| health["checks"]["replica"] != "ok").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut standby = tokio::task::spawn_blocking(move || {
        standby.restart().unwrap();
        standby
    })
    .await
    .unwrap();
    roles.until(|health| health["status"] == "healthy").await;
    over.store(true, Ordering::Relaxed);
    for asking in asking {
        assert!(asking.await.unwrap() > 20);
    }
    standby.kill9();
}

/// Asks, computed anew each time, and wants two events.
async fn ask_until(tenant: Tenant, over: Arc<AtomicBool>) -> u32 {
    let question = json!({ "metrics": ["events"], "date_range": "all" });
    let mut asked = 0;
    while !over.load(Ordering::Relaxed) {
        let answer = tenant.query(&question).await.expect_status(200);
        assert_eq!(answer.metrics()[0][0], 2, "{}", answer.text);
        asked += 1;
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_stored_once_through_a_pooler() {
    let start = || {
        let server = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17)).unwrap());
        let database = Database::create(&server).unwrap();
        // Fewer than the roles open: two processors of five slots each, and the api.
        let pooler = Pooler::start(&server, 6, &[]).unwrap();
        let roles = Roles::start(&pooler.url(database.name()), None, 2);
        (database, pooler, roles)
    };
    let (database, _pooler, roles) = tokio::task::spawn_blocking(start).await.unwrap();
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(write(roles.tenant.clone(), writer))).collect();
    let over = Arc::new(AtomicBool::new(false));
    let (tenant, end) = (roles.tenant.clone(), Arc::clone(&over));
    let asking = tokio::spawn(async move {
        while !end.load(Ordering::Relaxed) {
            let _ = tenant.get("/api/breakdown?dimension=event_action").await.expect_status(200);
            let _ = tenant.get("/api/events").await.expect_status(200);
        }
    });
    let mut sent = 0;
    for writer in writers {
        sent += writer.await.unwrap();
    }
    // What was sent twice is in the account twice, and stored once.
    roles.tenant.accounted(2 * sent).await;
    roles.tenant.settled(sent).await;
    let erased = roles.erase("u1").await;
    assert_eq!(erased.body["events"], sent / 4, "{}", erased.text);
    roles.tenant.settled(sent - sent / 4).await;
    over.store(true, Ordering::Relaxed);
    asking.await.unwrap();
    let account = send(roles.tenant.api_request(Method::GET, "/api/integrity")).await.expect_status(200);
    assert_eq!(account.body["drift"], 0, "{}", account.text);
    let rows = database.psql("SELECT count(*), count(DISTINCT id) FROM raw_events").unwrap();
    assert_eq!(rows, format!("{0}|{0}", sent - sent / 4));
    let log: String = roles.roles.iter().map(Role::log).collect();
    assert!(log.contains("a pooler stands before the database") && !log.contains("prepared statement"), "{log}");
}

/// Sends batches twice each, under the same ids; how many events that makes.
async fn write(tenant: Tenant, writer: u32) -> u64 {
    for _ in 0..40 {
        let events: Vec<Value> = (0..25)
            .map(|_| {
                let mut event = named(&format!("u{writer}"));
                event["id"] = Uuid::now_v7().to_string().into();
                event
            })
            .collect();
        tenant.collect_all(&events).await;
        tenant.collect_all(&events).await;
    }
    40 * 25
}
