//! The app ticket, the only event that the host handles itself: the platform sends it to store apps. It is a credential, so it is
//! not given to a plugin, whatever the plugin's routes say.

use lark_wire::secret::Secret;
use serde::Deserialize;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::reply::Reply;
use crate::open_api::transport::OpenApi;
use crate::plugin::decision::Decision;
use crate::record::Outcome;

/// The event's `type` or `header.event_type`.
const APP_TICKET: &str = "app_ticket";

#[derive(Deserialize)]
struct Event {
    app_id: Option<String>,
    app_ticket: Option<String>,
}

/// Stores the ticket of `app`, if the callback is one. It is acknowledged in any case: another one comes within the hour.
pub(super) async fn take(callback: &Callback, app: &str, open_api: &OpenApi) -> Option<Decision> {
    let Body::Other(event) = &callback.body else { return None };
    if callback.header.event_type != APP_TICKET {
        return None;
    }
    let reason = match named_fields::from_str::<Event>(event) {
        Ok(Event { app_id: Some(other), .. }) if other != app => {
            Some("the app ticket is another app's".to_owned())
        }
        Ok(Event { app_ticket: Some(ticket), .. }) => {
            open_api.take_ticket(Secret::new(ticket)).await;
            None
        }
        Ok(Event { app_ticket: None, .. }) | Err(_) => {
            Some("the event holds no app ticket".to_owned())
        }
    };
    Some(Decision::new(Reply::accepted(), Outcome::Host, reason))
}
