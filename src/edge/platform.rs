//! Cloudflare as [`Ports`](crate::ports::Ports).

use std::{cell::RefCell, future::Future, sync::Arc, time::Duration};

use futures_util::{FutureExt, pin_mut, select};
use js_sys::Reflect;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{
    Context, Delay, Env, Fetcher, Method, ObjectNamespace, Request, RequestInit, send::SendWrapper,
};

use crate::{
    app::Settings,
    db::Db,
    domain::{Config, FlushDecision, RequestCounter, RequestKey, Secret, TenantId, Timestamp},
    ports::{
        Background, Clock, CryptoError, Database, Egress, Limit, Limiter, LimiterError, Log, LogLine,
        ObjectError, Objects, OutboundError, OutboundRequest, OutboundResponse, Random, Vault,
    },
    store::request_metrics,
    workflow::{Command, Reply, breaker, witness},
};

use super::{boundary, crypto, d1::D1, egress, log, told};

/// How long an object has to answer.
const OBJECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a breaker has: it stands before every attempt, and without it the attempt leaves all the same.
const BREAKER_LIMIT: Duration = Duration::from_secs(2);
/// The name of the object that remembers which database D1 is: no upstream's.
const WITNESS: &str = "database-witness";

/// How many random bytes are asked for at once.
const RANDOM: usize = 512;

thread_local! {
    /// An isolate lives with one version of the code and its configuration: read once.
    static SETTINGS: RefCell<Option<Arc<Settings>>> = const { RefCell::new(None) };
    /// What is bound in the environment that came last: mostly the same object.
    static BOUND: RefCell<Option<Arc<Bound>>> = const { RefCell::new(None) };
    /// What this isolate answered and has not written down.
    static REQUEST_COUNTER: RefCell<RequestCounter> = const { RefCell::new(RequestCounter::new()) };
    /// Random bytes that were not handed out yet.
    static POOL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Cloudflare, as one request or one alarm sees it.
#[derive(Debug, Clone)]
pub(super) struct Platform(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    bound: Arc<Bound>,
    context: Option<Context>,
}

/// What is bound, and what was made from it.
#[derive(Debug)]
struct Bound {
    db: D1,
    settings: Arc<Settings>,
    outside: SendWrapper<Outside>,
}

#[derive(Debug)]
struct Outside {
    env: Env,
    egress: Option<Fetcher>,
    objects: Option<ObjectNamespace>,
    breakers: Option<ObjectNamespace>,
}

impl Platform {
    /// The platform behind `env`. `context` is there for a request, and not for an alarm.
    pub(super) fn of(env: &Env, context: Option<Context>) -> Self {
        let bound = BOUND.with_borrow_mut(|known| match known {
            Some(bound) if bound.is_of(env) => bound.clone(),
            _ => known.insert(Arc::new(Bound::of(env))).clone(),
        });
        Self(Arc::new(Inside { bound, context }))
    }

    /// What was made from the configuration.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.0.bound.settings.clone()
    }

    fn outside(&self) -> &Outside {
        &self.0.bound.outside
    }
}

impl Bound {
    fn of(env: &Env) -> Self {
        let outside = Outside {
            env: env.clone(),
            egress: env.service("EGRESS").ok(),
            objects: env.durable_object("PROVISIONER").ok(),
            breakers: env.durable_object("BREAKER").ok(),
        };
        Self {
            db: D1::new(env.d1("DB").ok()),
            settings: settings(&outside),
            outside: SendWrapper::new(outside),
        }
    }

    fn is_of(&self, env: &Env) -> bool {
        let (ours, theirs): (&JsValue, &JsValue) = (&self.outside.env, env);
        ours == theirs
    }
}

fn settings(outside: &Outside) -> Arc<Settings> {
    SETTINGS.with_borrow_mut(|cached| {
        cached
            .get_or_insert_with(|| {
                let get = |name: &str| match name {
                    "CF_VERSION_METADATA" => deployment(&outside.env),
                    _ => outside.env.var(name).ok().map(|value| value.to_string()),
                };
                let mut config = Config::read(get, outside.egress.is_some());
                let limiters = Limit::ALL.iter().map(|limit| limit.binding());
                config.lacks_limiters(limiters.filter(|name| outside.env.rate_limiter(name).is_err()));
                Arc::new(Settings::new(config))
            })
            .clone()
    })
}

/// The id in the binding of that name: an object, not a variable.
fn deployment(env: &Env) -> Option<String> {
    let metadata = Reflect::get(env, &"CF_VERSION_METADATA".into()).ok()?;
    Reflect::get(&metadata, &"id".into()).ok()?.as_string()
}

/// The platform's clock. It stands still between two waits, as the platform has it.
pub(super) fn now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, and few of them")]
    Timestamp::from_millis(js_sys::Date::now() as i64)
}

impl Database for Platform {
    type Db = D1;

    fn db(&self) -> &D1 {
        &self.0.bound.db
    }
}

impl Clock for Platform {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn sleep(&self, duration: Duration) {
        Delay::from(duration).await;
    }
}

impl Random for Platform {
    fn fill_random(&self, bytes: &mut [u8]) {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < bytes.len() {
                pool.resize(RANDOM.max(bytes.len()), 0);
                if getrandom::getrandom(pool).is_err() {
                    // Nothing may go on with bytes that somebody could guess.
                    pool.clear();
                    wasm_bindgen::throw_str("the platform gives no randomness");
                }
            }
            // Each is handed out once.
            let rest = pool.len().saturating_sub(bytes.len());
            bytes.iter_mut().zip(pool.drain(rest..)).for_each(|(byte, random)| *byte = random);
        });
    }
}

impl Log for Platform {
    fn log(&self, line: LogLine) {
        log::write(line, now());
    }

    fn count(&self, served: RequestKey) {
        let wait = match REQUEST_COUNTER.with_borrow_mut(|counter| counter.add(served, now())) {
            FlushDecision::Now => Duration::ZERO,
            FlushDecision::After(wait) => wait,
            FlushDecision::Scheduled => return,
        };
        let platform = self.clone();
        self.defer(async move {
            if !wait.is_zero() {
                platform.sleep(wait).await;
            }
            let counts = REQUEST_COUNTER.with_borrow_mut(|counter| counter.take(now()));
            // The database's failures are told by those who wait for it.
            if platform.db().query(request_metrics::add(&counts)).await.is_err() {
                REQUEST_COUNTER.with_borrow_mut(|counter| counter.put_back(counts));
            }
        });
    }
}

impl Background for Platform {
    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        match &self.0.context {
            Some(context) => context.wait_until(work),
            None => wasm_bindgen_futures::spawn_local(work),
        }
    }
}

impl Limiter for Platform {
    async fn allows(&self, limit: Limit, key: &str) -> Result<bool, LimiterError> {
        let failed = |error: worker::Error| LimiterError(told(&error));
        let limiter = self.outside().env.rate_limiter(limit.binding()).map_err(failed)?;
        let allowed = JsFuture::from(boundary::allows(limiter.as_ref(), key)).await;
        allowed.map(|allowed| allowed.is_truthy()).map_err(|error| failed(worker::Error::Internal(error)))
    }
}

impl Objects for Platform {
    async fn send_command(&self, tenant: &TenantId, command: &Command) -> Result<Reply, ObjectError> {
        let objects = self.outside().objects.as_ref();
        within(OBJECT_LIMIT, ask(objects, "PROVISIONER", tenant.as_str(), command)).await
    }

    async fn send_breaker_command(&self, command: &breaker::Request) -> Result<breaker::Reply, ObjectError> {
        let breakers = self.outside().breakers.as_ref();
        within(BREAKER_LIMIT, ask(breakers, "BREAKER", command.upstream.as_str(), command)).await
    }

    async fn send_witness_command(&self, command: &witness::Command) -> Result<witness::Reply, ObjectError> {
        let breakers = self.outside().breakers.as_ref();
        within(BREAKER_LIMIT, ask(breakers, "BREAKER", WITNESS, command)).await
    }
}

impl Egress for Platform {
    async fn call(&self, call: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let since = now();
        let called = egress::call(self.outside().egress.as_ref(), &call).await?;
        let ms = u64::try_from(now().since(since).as_millis()).unwrap_or(u64::MAX);
        Ok(OutboundResponse { ms, ..called })
    }
}

impl Vault for Platform {
    async fn seal(&self, plain: &Secret, context: &str) -> Result<String, CryptoError> {
        let key = self
            .0
            .bound
            .settings
            .config
            .data_key
            .as_ref()
            .ok_or_else(|| CryptoError("no DATA_KEY".to_owned()))?;
        crypto::seal(key, self.random(), plain, context).await
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<Secret, CryptoError> {
        let config = &self.0.bound.settings.config;
        let keys: Vec<&Secret> = config.data_key.iter().chain(&config.data_key_previous).collect();
        crypto::open(&keys, sealed, context).await
    }

    async fn sign_rs256(&self, private_key: &Secret, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        crypto::sign_rs256(private_key, data).await
    }
}

/// An object that does not answer in time is as far away as one that is gone.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, ObjectError>>,
) -> Result<T, ObjectError> {
    let answer = answer.fuse();
    let limit = Delay::from(limit).fuse();
    pin_mut!(answer, limit);
    select! {
        answer = answer => answer,
        () = limit => Err(ObjectError("no answer in time".to_owned())),
    }
}

/// Asks the object of this name behind `binding`.
async fn ask<T: DeserializeOwned>(
    objects: Option<&ObjectNamespace>,
    binding: &str,
    name: &str,
    command: &impl Serialize,
) -> Result<T, ObjectError> {
    let failed = |error: worker::Error| ObjectError(told(&error));
    let objects = objects.ok_or_else(|| ObjectError(format!("{binding} is not bound")))?;
    // A new stub each time: one whose object was lost stays broken.
    let stub = objects.id_from_name(name).and_then(|id| id.get_stub()).map_err(failed)?;
    let body = serde_json::to_string(command).map_err(|e| ObjectError(e.to_string()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let request = Request::new_with_init("https://object/", &init).map_err(failed)?;
    let mut response = stub.fetch_with_request(request).await.map_err(failed)?;
    let text = response.text().await.map_err(failed)?;
    serde_json::from_str(&text).map_err(|e| ObjectError(format!("{}: {e}", response.status_code())))
}
