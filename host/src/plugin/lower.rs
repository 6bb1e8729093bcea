//! From the host's types to the guest's records.

use crate::bindings::lark::callback::types;
use crate::callback::model;

pub(super) fn header(header: &model::Header) -> types::Header {
    types::Header {
        event_id: header.event_id.clone(),
        event_type: header.event_type.clone(),
        app_id: header.app_id.clone(),
        tenant_key: header.tenant_key.clone(),
        created_ms: header.created_ms,
    }
}

pub(super) fn card_action(header: &model::Header, card: &model::CardAction) -> types::CardAction {
    types::CardAction {
        header: self::header(header),
        operator: operator(&card.operator),
        action: action(&card.action),
        location: location(&card.location),
        update_token: card.update_token.clone(),
    }
}

pub(super) fn preview_request(
    header: &model::Header,
    preview: &model::PreviewRequest,
) -> types::PreviewRequest {
    types::PreviewRequest {
        header: self::header(header),
        operator: operator(&preview.operator),
        url: preview.url.clone(),
        location: location(&preview.location),
    }
}

pub(super) fn event(header: &model::Header, body: &str) -> types::Event {
    types::Event { header: self::header(header), body: body.to_owned() }
}

fn operator(operator: &model::Operator) -> types::Operator {
    types::Operator {
        open_id: operator.open_id.clone(),
        union_id: operator.union_id.clone(),
        user_id: operator.user_id.clone(),
        tenant_key: operator.tenant_key.clone(),
    }
}

fn action(action: &model::Action) -> types::Action {
    types::Action {
        tag: action.tag.clone(),
        name: action.name.clone(),
        value: action.value.clone(),
        option: action.option.clone(),
        options: action.options.clone(),
        checked: action.checked,
        input_value: action.input_value.clone(),
        form_value: action.form_value.clone(),
        timezone: action.timezone.clone(),
    }
}

fn location(location: &model::Location) -> types::Location {
    types::Location {
        host: location.host.clone(),
        delivery_type: location.delivery_type.clone(),
        url: location.url.clone(),
        preview_token: location.preview_token.clone(),
        open_message_id: location.open_message_id.clone(),
        open_chat_id: location.open_chat_id.clone(),
    }
}
