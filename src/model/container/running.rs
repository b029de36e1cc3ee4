//! A running container: so many requests under way to it, repeated within a budget and inside their deadline, and left
//! alone while it fails. Knows no records and no games.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::circuit::{Circuit, Pass};
use super::client::{Ask, Client, ContainerError};
use super::per_model::PerModel;
use super::retry::{RetryBudget, pause};
use crate::config::ContainerConfig;
use crate::fetch::Resolver;
use crate::model::{Message, Reply};
use crate::telemetry;

/// A container that says nothing for so long is not there, however long it may take.
const SILENCE: Duration = Duration::from_secs(10);

/// Between two questions whether a container is there.
const READY_PAUSE: Duration = Duration::from_millis(500);

/// Requests that are ready to be sent or under way, for each one under way.
const BODIES_PER_REQUEST: usize = 2;

/// A running container.
pub struct Container {
    client: Client,
    /// By the path of each model: one that is not well must not shut out the others.
    circuits: PerModel<Circuit>,
    budget: RetryBudget,
    /// Requests under way.
    places: Semaphore,
    /// Bodies of synthetic records in memory.
    bodies: Arc<Semaphore>,
    config: ContainerConfig,
}

impl Container {
    /// `url` is the container's base, without a slash at its end; its host is resolved on each connection.
    pub fn new(url: &str, resolver: Resolver, config: &ContainerConfig) -> Self {
        let in_flight_max = config.container_in_flight_max;
        let (failures, open_for) = (config.circuit_failures, Duration::from_millis(config.circuit_open_ms));
        Self {
            client: Client::new(url, resolver, in_flight_max, config.container_answer_mib_max << 20),
            circuits: PerModel::new(move || Circuit::new(failures, open_for)),
            budget: RetryBudget::new(),
            places: Semaphore::new(in_flight_max),
            bodies: Arc::new(Semaphore::new(BODIES_PER_REQUEST * in_flight_max)),
            config: config.clone(),
        }
    }

    /// Scheme, host and port.
    pub(super) fn url(&self) -> &str {
        self.client.url()
    }

    pub(super) fn config(&self) -> &ContainerConfig {
        &self.config
    }

    /// Sends what a client sent, or records in its place. Scoring changes nothing in the container, so that it may be
    /// repeated.
    pub(super) async fn invoke(&self, path: &str, message: Message) -> Result<Reply, ContainerError> {
        let (deadline, can_be_split) = (message.deadline, message.can_be_split);
        let ask = Ask::invocation(path, message);
        self.budget.deposit();
        for retry_idx in 0.. {
            let error = match self.attempt(ask.clone(), deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let pause = pause(retry_idx);
            let is_in_time = Instant::now() + pause < deadline;
            let may_repeat =
                retry_idx < self.config.container_retries_max && is_in_time && is_passing(&error, can_be_split);
            if !may_repeat || !self.budget.withdraw() {
                return Err(error);
            }
            telemetry::count_container_retry();
            tokio::time::sleep(pause).await;
        }
        unreachable!("repetitions have an end. This is a bug.")
    }

    /// Until it answers a `GET` of this path, whatever it says of it: some containers have no such path. One that answers
    /// 5xx is still on its way.
    pub async fn wait_for(&self, path: &str) -> Result<(), ContainerError> {
        let end = Instant::now() + Duration::from_millis(self.config.container_ready_ms);
        loop {
            match self.manage(Method::GET, path, None, end.min(Instant::now() + SILENCE)).await {
                Ok(_) | Err(ContainerError::Refused { status: ..500, .. }) => return Ok(()),
                Err(error) if Instant::now() + READY_PAUSE >= end => return Err(error),
                Err(_) => tokio::time::sleep(READY_PAUSE).await,
            }
        }
    }

    /// One request that is no invocation, once. It may take as long as it likes: it takes no place of others, and says
    /// nothing about whether the container answers.
    pub(super) async fn manage(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
        deadline: Instant,
    ) -> Result<Reply, ContainerError> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let outcome = self.client.send(Ask::management(method, path, body), wait).await;
        count(&outcome);
        outcome
    }

    async fn attempt(&self, ask: Ask, deadline: Instant) -> Result<Reply, ContainerError> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed. This is a bug.");
        let longest = Duration::from_millis(self.config.container_answer_ms);
        let wait = deadline.saturating_duration_since(Instant::now()).min(longest);
        let circuit = self.circuits.get(&ask.path);
        let pass = self.pass(&circuit)?;
        let outcome = self.client.send(ask, wait).await;
        pass.settle(!outcome.as_ref().is_err_and(|error| self.is_absent(error)));
        count(&outcome);
        outcome
    }

    /// Whether the container itself is not there. Its 500 may be about one record, and a deadline that was near about
    /// one request; they must not shut others out.
    fn is_absent(&self, error: &ContainerError) -> bool {
        match error {
            ContainerError::Refused { status, .. } => matches!(status, 502..=504),
            ContainerError::TimedOut { waited } => {
                *waited >= SILENCE.min(Duration::from_millis(self.config.container_answer_ms) / 2)
            }
            ContainerError::Unreachable | ContainerError::BrokenOff => true,
            ContainerError::TooLarge { .. } | ContainerError::LeftAlone { .. } => false,
        }
    }

    fn pass<'a>(&self, circuit: &'a Circuit) -> Result<Pass<'a>, ContainerError> {
        let (failures, open_ms) = (self.config.circuit_failures, self.config.circuit_open_ms);
        circuit.enter().map_err(|_| {
            telemetry::count_container_request("left alone");
            ContainerError::LeftAlone { failures, open_ms }
        })
    }

    /// Leave to hold one more body of synthetic records for this container.
    pub(super) async fn body(&self) -> OwnedSemaphorePermit {
        let bodies = Arc::clone(&self.bodies).acquire_owned().await;
        bodies.expect("the semaphore is never closed. This is a bug.")
    }
}

fn count(outcome: &Result<Reply, ContainerError>) {
    telemetry::count_container_request(match outcome {
        Ok(_) => "ok",
        Err(ContainerError::Refused { .. }) => "refused",
        Err(_) => "failed",
    });
}

/// Whether the same request may be answered a moment later.
fn is_passing(error: &ContainerError, can_be_split: bool) -> bool {
    match error {
        // Sooner than many records are asked together again they are asked one by one.
        ContainerError::Refused { status: 500, .. } | ContainerError::TimedOut { .. } if can_be_split => false,
        ContainerError::Refused { status, .. } => *status == 429 || (500..600).contains(status) && *status != 507,
        ContainerError::Unreachable | ContainerError::TimedOut { .. } | ContainerError::BrokenOff => true,
        ContainerError::TooLarge { .. } | ContainerError::LeftAlone { .. } => false,
    }
}
