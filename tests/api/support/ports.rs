//! Everything outside of the application, played: deterministic, scripted, and asked afterwards.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tenantry::{
    app::{App, Settings},
    domain::{Config, RequestKey, Secret, TenantId, Timestamp},
    ports::{
        self, Background, Clock, CryptoError, Egress, Limit, Limiter, LimiterError, Log, LogLine,
        ObjectError, OutboundError, OutboundRequest, OutboundResponse, Random, Vault,
    },
    workflow::{Command, Reply, breaker, witness},
};

use super::{
    app::SECRETS, breakers::Breakers, database::Database, objects::Objects, turns, upstreams::Upstreams,
    witness::Witness,
};

type Work = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Work that goes on after an answer, by external services it belongs to. Futures stay on their thread.
    static DEFERRED: RefCell<HashMap<u64, Vec<Work>>> = RefCell::new(HashMap::new());
}

/// Everything outside of the application.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    id: u64,
    db: Database,
    clock: AtomicI64,
    randomness: Mutex<u64>,
    log: Mutex<Vec<LogLine>>,
    counted: Mutex<Vec<RequestKey>>,
    budgets: Mutex<BTreeMap<String, u32>>,
    used: Mutex<BTreeMap<String, u32>>,
    objects: Objects,
    breakers: Breakers,
    witness: Witness,
    upstreams: Upstreams,
    sleepers: Mutex<BTreeSet<(Timestamp, u64)>>,
}

impl Outside {
    /// Everything as it should be, at this moment.
    pub fn healthy(start: Timestamp) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            db: Database::migrated(),
            clock: AtomicI64::new(start.millis()),
            randomness: Mutex::new(0x7e4a_47a1),
            log: Mutex::default(),
            counted: Mutex::default(),
            budgets: Mutex::default(),
            used: Mutex::default(),
            objects: Objects::default(),
            breakers: Breakers::default(),
            witness: Witness::default(),
            upstreams: Upstreams::default(),
            sleepers: Mutex::default(),
        }))
    }

    /// An application of its own, as an object has one.
    pub fn app(&self) -> App<Self> {
        App::new(self.clone(), Arc::new(Settings::new(Config::read(|_| None, true))))
    }

    /// The objects.
    pub fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// The breakers.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// The witness of the database.
    pub fn witness(&self) -> &Witness {
        &self.0.witness
    }

    /// The upstreams.
    pub fn upstreams(&self) -> &Upstreams {
        &self.0.upstreams
    }

    /// Time passes.
    pub fn passes(&self, duration: Duration) {
        self.is_at(self.now().after(duration));
    }

    /// It is this moment, if it is not later already.
    pub fn is_at(&self, moment: Timestamp) {
        self.0.clock.fetch_max(moment.millis(), Ordering::Relaxed);
    }

    /// Every key may do this so often, and no more.
    pub fn limits(&self, limit: Limit, budget: u32) {
        self.0.budgets.lock().unwrap().insert(format!("{limit:?}"), budget);
    }

    /// The log so far.
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.log_from(0)
    }

    /// The log from its line of this number on.
    pub fn log_from(&self, number: usize) -> Vec<LogLine> {
        self.0.log.lock().unwrap().get(number..).unwrap_or_default().to_vec()
    }

    /// Takes the requests that were counted so far.
    pub fn take_counted(&self) -> Vec<RequestKey> {
        std::mem::take(&mut self.0.counted.lock().unwrap())
    }

    /// How many lines there are in the log.
    pub fn log_length(&self) -> usize {
        self.0.log.lock().unwrap().len()
    }

    /// Runs what was deferred, and what that deferred, to its end.
    pub async fn finishes_deferred_work(&self) {
        while let Some(work) = self.next_deferred() {
            work.await;
        }
    }

    /// Runs what was deferred last to its end, and nothing else.
    pub async fn finishes_last_deferred_work(&self) {
        if let Some(work) = self.next_deferred() {
            work.await;
        }
    }

    fn next_deferred(&self) -> Option<Work> {
        DEFERRED.with_borrow_mut(|all| all.get_mut(&self.0.id).and_then(Vec::pop))
    }
}

/// Somebody who sleeps, for as long as it is there.
struct Sleeper<'a> {
    outside: &'a Outside,
    until: Timestamp,
    number: u64,
}

impl<'a> Sleeper<'a> {
    fn of(outside: &'a Outside, until: Timestamp) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let sleeper = Self { outside, until, number: NEXT.fetch_add(1, Ordering::Relaxed) };
        outside.0.sleepers.lock().unwrap().insert((until, sleeper.number));
        sleeper
    }

    fn is_next(&self) -> bool {
        self.outside.0.sleepers.lock().unwrap().first() == Some(&(self.until, self.number))
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.outside.0.sleepers.lock().unwrap().remove(&(self.until, self.number));
    }
}

impl ports::Database for Outside {
    type Db = Database;

    fn db(&self) -> &Database {
        &self.0.db
    }
}

impl Clock for Outside {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.clock.load(Ordering::Relaxed))
    }

    /// A long time for everything else: whoever sleeps is woken when nobody else has anything to do, those first who are due
    /// first.
    async fn sleep(&self, duration: Duration) {
        let sleeper = Sleeper::of(self, self.now().after(duration));
        loop {
            turns(1000).await;
            if sleeper.is_next() {
                return self.is_at(sleeper.until);
            }
        }
    }
}

impl Random for Outside {
    fn fill_random(&self, bytes: &mut [u8]) {
        let mut state = self.0.randomness.lock().unwrap();
        for byte in bytes {
            [*byte, ..] = splitmix(&mut state).to_le_bytes();
        }
    }
}

impl Log for Outside {
    fn log(&self, line: LogLine) {
        assert_shows_nothing(&line);
        assert_speaks_plainly(&line);
        self.0.log.lock().unwrap().push(line);
    }

    fn count(&self, served: RequestKey) {
        self.0.counted.lock().unwrap().push(served);
    }
}

impl Background for Outside {
    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        DEFERRED.with_borrow_mut(|all| all.entry(self.0.id).or_default().push(Box::pin(work)));
    }
}

impl Limiter for Outside {
    async fn allows(&self, limit: Limit, key: &str) -> Result<bool, LimiterError> {
        turns(1).await;
        let name = format!("{limit:?}");
        let Some(budget) = self.0.budgets.lock().unwrap().get(&name).copied() else { return Ok(true) };
        let mut used = self.0.used.lock().unwrap();
        let count = used.entry(format!("{name} {key}")).or_default();
        *count += 1;
        Ok(*count <= budget)
    }
}

impl ports::Objects for Outside {
    async fn send_command(&self, tenant: &TenantId, command: &Command) -> Result<Reply, ObjectError> {
        turns(1).await;
        self.0.db.record("object", 0);
        if self.0.objects.is_slow(tenant) {
            self.sleep(Duration::from_secs(5)).await;
            return Err(ObjectError("no answer in time".to_owned()));
        }
        // Across the wire as text, as in reality.
        let command = serde_json::from_str(&serde_json::to_string(command).unwrap()).unwrap();
        let objects = &self.0.objects;
        let reply = objects.handle(self, tenant, command, self.now(), self.random()).await?;
        Ok(serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap())
    }

    async fn send_breaker_command(&self, command: &breaker::Request) -> Result<breaker::Reply, ObjectError> {
        turns(1).await;
        self.0.db.record("breaker", 0);
        let command = serde_json::from_str(&serde_json::to_string(command).unwrap()).unwrap();
        let reply = self.0.breakers.handle(&command, self.now())?;
        Ok(serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap())
    }

    async fn send_witness_command(&self, command: &witness::Command) -> Result<witness::Reply, ObjectError> {
        turns(1).await;
        let command = serde_json::from_str(&serde_json::to_string(command).unwrap()).unwrap();
        let verdict = self.0.witness.handle(&command)?;
        Ok(serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap())
    }
}

impl Egress for Outside {
    async fn call(&self, call: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        turns(1).await;
        self.0.db.record(call.upstream, 0);
        if self.0.upstreams.hangs(call.upstream) {
            self.passes(call.time_limit);
        }
        let kills = self.0.upstreams.kills(call.upstream);
        let answer = self.0.upstreams.take(call, self.now());
        if kills {
            std::future::pending::<()>().await;
        }
        answer
    }
}

impl Vault for Outside {
    async fn seal(&self, plain: &Secret, context: &str) -> Result<String, CryptoError> {
        turns(1).await;
        let text: String = format!("{context}\n{}", plain.expose()).chars().rev().collect();
        Ok(format!("v1.test.{}", URL_SAFE_NO_PAD.encode(text)))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<Secret, CryptoError> {
        turns(1).await;
        let broken = || CryptoError("not sealed for this".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix("v1.test.").ok_or_else(broken)?).unwrap();
        let text: String = String::from_utf8(bytes).unwrap().chars().rev().collect();
        text.strip_prefix(&format!("{context}\n"))
            .map(|plain| Secret::new(plain.to_owned()))
            .ok_or_else(broken)
    }

    async fn sign_rs256(&self, private_key: &Secret, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        turns(1).await;
        assert!(!data.is_empty());
        match private_key.expose() {
            "a private key" => Ok(b"signed".to_vec()),
            _ => Err(CryptoError("not a PEM key".to_owned())),
        }
    }
}

/// One step of SplitMix64: enough for tests, the same on every machine.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What went wrong is told in words, never as Rust's debugger shows it.
#[track_caller]
fn assert_speaks_plainly(line: &LogLine) {
    let error = line.fields.get("error").map(|error| error.as_str().unwrap()).unwrap_or_default();
    for mark in [" { ", "(\"", "Some(", "JsValue", "\\\""] {
        assert!(!error.contains(mark), "{error}");
    }
}

/// No secret, token, link, webhook path or full address may reach the log, whatever the test is about.
fn assert_shows_nothing(line: &LogLine) {
    let text = serde_json::to_string(&line.fields).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "a secret in the log: {text}");
    }
    for sign in ["eyJ", "#token=", "/magic/#", "hook.eu2.make.com/", "signature="] {
        assert!(!text.contains(sign), "{sign} in the log: {text}");
    }
    let masked = text.split('@').rev().skip(1).all(|before| before.ends_with("***"));
    assert!(masked, "an address in the log: {text}");
    assert_eq!(line.fields["level"], line.level.as_str());
    assert!(
        line.fields["msg"]
            .as_str()
            .is_some_and(|msg| msg.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    );
}
