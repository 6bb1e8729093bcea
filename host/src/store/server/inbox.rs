//! The inbox on the server, for all hosts together: a list of entries for each lane, the lanes that are due, and the claims of
//! the hosts. Every change is one script, so that a host may end between any two of them. Times are the server's.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::AsyncCommands as _;
use redis::Script;
use redis::aio::ConnectionManager;

use crate::store::error::StoreError;
use crate::store::inbox::Batch;
use crate::store::inbox::Bounds;
use crate::store::inbox::Changed;
use crate::store::inbox::Claim;
use crate::store::inbox::EntryHead;
use crate::store::inbox::EntryId;
use crate::store::inbox::LISTED;
use crate::store::inbox::Listed;
use crate::store::inbox::NewEntry;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::Put;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Settle;
use crate::store::inbox::ShownEntry;
use crate::store::inbox::TakenEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Want;
use crate::store::inbox::Whose;
use crate::store::server::marks;

/// Length of a lease. A host that is held up for longer loses its claims to another, and that one works on the entries again.
const LEASE: Duration = Duration::from_secs(6);

/// A taken entry as the script returns it: plugin, lane, id, attempt, failures, head, body.
type TakenRow = (String, String, EntryId, u32, u32, Vec<u8>, Vec<u8>);

/// The fields of an entry that is listed, in the order of [`EntryFields`].
const FIELDS: [&str; 6] = ["plugin", "lane", "head", "attempts", "failures", "reason"];
type EntryFields =
    (Option<String>, Option<String>, Option<Vec<u8>>, Option<u32>, Option<u32>, Option<String>);

/// Figures of a plugin: waiting, working, set aside, bytes, and the entry that waits the longest with its time.
type FigureRow = (u64, u64, u64, Option<u64>, Vec<(EntryId, f64)>);

/// The inbox as one host uses it.
pub(super) struct ServerInbox {
    host: String,
    claims: AtomicU64,
    put: Script,
    claim: Script,
    renew: Script,
    settle: Script,
    change: Script,
}

impl ServerInbox {
    pub(super) fn new(host: String) -> Self {
        Self {
            host,
            claims: AtomicU64::default(),
            put: Script::new(include_str!("inbox/put.lua")),
            claim: Script::new(include_str!("inbox/claim.lua")),
            renew: Script::new(include_str!("inbox/renew.lua")),
            settle: Script::new(include_str!("inbox/settle.lua")),
            change: Script::new(include_str!("inbox/change.lua")),
        }
    }

    pub(super) async fn put(
        &self,
        mut connection: ConnectionManager,
        new: NewEntry,
        bounds: Bounds,
    ) -> Result<Put, StoreError> {
        let NewEntry { queue: PluginQueue { app, plugin }, lane, head, body, marks, remembered } =
            new;
        let head = serde_json::to_vec(&head)
            .map_err(|error| StoreError::Write(error.to_string().into()))?;
        let mut call = self.put.prepare_invoke();
        for mark in &marks {
            call.key(marks::name(mark));
        }
        call.arg(prefix(&app)).arg(plugin).arg(lane).arg(head).arg(&body[..]);
        call.arg(milliseconds(remembered));
        for room in [bounds.app, bounds.plugin] {
            call.arg(room.entries).arg(room.bytes);
        }
        let said: String = call.invoke_async(&mut connection).await?;
        Ok(match said.as_str() {
            "stored" => Put::Stored,
            "repeated" => Put::Repeated,
            "plugin" => Put::Full(Whose::Plugin),
            _ => Put::Full(Whose::App),
        })
    }

    pub(super) async fn claim(
        &self,
        mut connection: ConnectionManager,
        app: String,
        wants: Vec<Want>,
    ) -> Result<Batch, StoreError> {
        if wants.is_empty() {
            return Ok(Batch::default());
        }
        let token = format!("{}/{}", self.host, self.claims.fetch_add(1, Ordering::Relaxed));
        let mut call = self.claim.prepare_invoke();
        call.arg(prefix(&app)).arg(milliseconds(LEASE)).arg(&token);
        for Want { plugin, most } in wants {
            call.arg(plugin).arg(most);
        }
        let (next, rows): (i64, Vec<TakenRow>) = call.invoke_async(&mut connection).await?;
        let taken = rows.into_iter().filter_map(|row| {
            let (plugin, lane, id, attempt, failures, head, body) = row;
            let queue = PluginQueue { app: app.clone(), plugin };
            let claim = Claim { queue, lane, id, token: token.clone() };
            Some(TakenEntry { claim, head: head_of(id, &head)?, body, attempt, failures })
        });
        let next = u64::try_from(next).ok().map(Duration::from_millis);
        Ok(Batch { taken: taken.collect(), next })
    }

    pub(super) async fn renew(
        &self,
        mut connection: ConnectionManager,
        app: String,
        claims: Vec<Claim>,
    ) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let count = claims.len();
        let mut call = self.renew.prepare_invoke();
        call.arg(prefix(&app)).arg(milliseconds(LEASE));
        for Claim { queue, lane, token, .. } in claims {
            call.arg(queue.plugin).arg(lane).arg(token);
        }
        let renewed: usize = call.invoke_async(&mut connection).await?;
        // A claim may have been settled meanwhile, which is no reason for a warning.
        if renewed < count {
            tracing::debug!(app, lost = count - renewed, "inbox: claims that are settled or lost");
        }
        Ok(())
    }

    pub(super) async fn settle(
        &self,
        mut connection: ConnectionManager,
        claim: Claim,
        how: Settle,
    ) -> Result<(), StoreError> {
        let Claim { queue: PluginQueue { app, plugin }, lane, id, token } = claim;
        let (word, after, reason) = match how {
            Settle::Done => ("done", Duration::ZERO, String::new()),
            Settle::Aside { reason } => ("aside", Duration::ZERO, reason),
            Settle::Again { after, reason } => ("again", after, reason),
            Settle::Release { after } => ("release", after, String::new()),
        };
        let mut call = self.settle.prepare_invoke();
        call.arg(prefix(&app)).arg(&plugin).arg(&lane).arg(token).arg(id).arg(word);
        call.arg(milliseconds(after)).arg(reason);
        let was_ours: bool = call.invoke_async(&mut connection).await?;
        if !was_ours {
            tracing::warn!(
                app,
                plugin,
                id,
                "inbox: another host has taken this entry over because this one seemed to be gone"
            );
        }
        Ok(())
    }

    pub(super) async fn figures(
        &self,
        mut connection: ConnectionManager,
        app: String,
    ) -> Result<Vec<QueueFigures>, StoreError> {
        let p = prefix(&app);
        let plugins: Vec<String> = connection.smembers(format!("{p}plugins")).await?;
        let mut all = Vec::with_capacity(plugins.len());
        for plugin in plugins {
            let mut ask = redis::pipe();
            ask.zcard(format!("{p}waiting:{plugin}"));
            ask.zcard(format!("{p}claimed:{plugin}"));
            ask.zcard(format!("{p}aside:{plugin}"));
            ask.hget(format!("{p}usage"), format!("bytes/{plugin}"));
            ask.zrange_withscores(format!("{p}waiting:{plugin}"), 0, 0);
            let told: FigureRow = ask.query_async(&mut connection).await?;
            let (waiting, working, aside, bytes, oldest) = told;
            if waiting + aside > 0 {
                let oldest_ms = oldest.first().map(|(_, ms)| *ms as u64);
                let bytes = bytes.unwrap_or_default();
                all.push(QueueFigures { plugin, waiting, working, aside, bytes, oldest_ms });
            }
        }
        all.sort_by(|one, other| one.plugin.cmp(&other.plugin));
        Ok(all)
    }

    pub(super) async fn list(
        &self,
        mut connection: ConnectionManager,
        app: String,
    ) -> Result<Vec<Listed>, StoreError> {
        let p = prefix(&app);
        let mut plugins: Vec<String> = connection.smembers(format!("{p}plugins")).await?;
        plugins.sort();
        let mut listed = Vec::new();
        for (set, aside) in [("aside", true), ("waiting", false)] {
            for plugin in &plugins {
                let most = LISTED.saturating_sub(listed.len());
                if most == 0 {
                    return Ok(listed);
                }
                let key = format!("{p}{set}:{plugin}");
                let ids: Vec<EntryId> = connection.zrange(key, 0, most as isize - 1).await?;
                for id in ids {
                    listed.extend(entry(&mut connection, &p, id, aside).await?);
                }
            }
        }
        Ok(listed)
    }

    pub(super) async fn show(
        &self,
        mut connection: ConnectionManager,
        app: String,
        id: EntryId,
    ) -> Result<Option<ShownEntry>, StoreError> {
        let p = prefix(&app);
        let key = format!("{p}entry:{id}");
        let (plugin, body): (Option<String>, Option<Vec<u8>>) =
            connection.hmget(&key, &["plugin", "body"]).await?;
        let Some(plugin) = plugin else { return Ok(None) };
        let score: Option<f64> = connection.zscore(format!("{p}aside:{plugin}"), id).await?;
        let listed = entry(&mut connection, &p, id, score.is_some()).await?;
        Ok(listed.map(|listed| (listed, body.unwrap_or_default())))
    }

    pub(super) async fn change(
        &self,
        mut connection: ConnectionManager,
        app: String,
        id: EntryId,
        verdict: Verdict,
    ) -> Result<Changed, StoreError> {
        let word = match verdict {
            Verdict::Retry => "retry",
            Verdict::Drop => "drop",
        };
        let mut call = self.change.prepare_invoke();
        call.arg(prefix(&app)).arg(id).arg(word);
        let said: String = call.invoke_async(&mut connection).await?;
        Ok(match said.as_str() {
            "done" => Changed::Yes,
            "under_way" => Changed::UnderWay,
            _ => Changed::Unknown,
        })
    }
}

/// Reads an entry without its body; `None` if it is gone.
async fn entry(
    connection: &mut ConnectionManager,
    prefix: &str,
    id: EntryId,
    aside: bool,
) -> Result<Option<Listed>, StoreError> {
    let key = format!("{prefix}entry:{id}");
    let (plugin, lane, head, attempts, failures, reason): EntryFields =
        connection.hmget(key, &FIELDS).await?;
    let (Some(plugin), Some(lane), Some(head)) = (plugin, lane, head) else { return Ok(None) };
    let (attempts, failures) = (attempts.unwrap_or_default(), failures.unwrap_or_default());
    let reason = reason.filter(|reason| !reason.is_empty());
    let listed = head_of(id, &head).map(|head| Listed {
        id,
        plugin,
        lane,
        aside,
        attempts,
        failures,
        reason,
        head,
    });
    Ok(listed)
}

fn head_of(id: EntryId, bytes: &[u8]) -> Option<EntryHead> {
    match named_fields::from_slice(bytes) {
        Ok(head) => Some(head),
        Err(error) => {
            tracing::error!(id, %error, "an unreadable entry of the inbox is left alone");
            None
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Prefix of every key of an app's inbox; the braces make a cluster keep them together.
fn prefix(app: &str) -> String {
    format!("aviary:{{inbox/{app}}}:")
}
