//! Converts the host's types to the guest's records, which borrow their strings.

use crate::bindings::handlers::lark::callback::types;
use crate::callback::model;

/// Makes a list that the guest's records can borrow. Most lists are empty.
pub(in crate::runtime) fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub(in crate::runtime) fn header(header: &model::Header) -> types::Header<'_> {
    types::Header {
        event_id: header.event_id.as_deref(),
        event_type: &header.event_type,
        app_id: &header.app_id,
        tenant_key: &header.tenant_key,
        created_ms: header.created_ms,
    }
}

pub(in crate::runtime) fn card_action<'a>(
    header: &'a model::Header,
    card: &'a model::CardAction,
    options: &'a [&'a str],
) -> types::CardAction<'a> {
    types::CardAction {
        header: self::header(header),
        operator: operator(&card.operator),
        action: action(&card.action, options),
        location: location(&card.location),
        update_token: &card.update_token,
    }
}

pub(in crate::runtime) fn preview_request<'a>(
    header: &'a model::Header,
    preview: &'a model::PreviewRequest,
) -> types::PreviewRequest<'a> {
    types::PreviewRequest {
        header: self::header(header),
        operator: operator(&preview.operator),
        url: &preview.url,
        location: location(&preview.location),
    }
}

pub(in crate::runtime) fn event<'a>(header: &'a model::Header, body: &'a str) -> types::Event<'a> {
    types::Event { header: self::header(header), body }
}

fn operator(operator: &model::Operator) -> types::Operator<'_> {
    types::Operator {
        open_id: &operator.open_id,
        union_id: operator.union_id.as_deref(),
        user_id: operator.user_id.as_deref(),
        tenant_key: operator.tenant_key.as_deref(),
    }
}

fn action<'a>(action: &'a model::Action, options: &'a [&'a str]) -> types::Action<'a> {
    types::Action {
        tag: &action.tag,
        name: action.name.as_deref(),
        value: action.value.as_deref(),
        option: action.option.as_deref(),
        options,
        checked: action.checked,
        input_value: action.input_value.as_deref(),
        form_value: action.form_value.as_deref(),
        timezone: action.timezone.as_deref(),
    }
}

fn location(location: &model::Location) -> types::Location<'_> {
    types::Location {
        host: &location.host,
        delivery_type: location.delivery_type.as_deref(),
        url: location.url.as_deref(),
        preview_token: location.preview_token.as_deref(),
        open_message_id: location.open_message_id.as_deref(),
        open_chat_id: location.open_chat_id.as_deref(),
    }
}
