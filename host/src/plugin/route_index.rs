//! An index of all plugins' routes by the texts in a callback. With hundreds of plugins, asking each in turn would cost as
//! much as the call itself.
//!
//! A route is filed under the most selective text that it asks for, and under nothing else. So a callback is only compared
//! with routes that ask for one of its own texts, and with the few that ask for none.

use std::collections::HashMap;

use crate::callback::model::Callback;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;
use crate::plugin::route::TEXTS;

/// The numbers of a plugin and of a route within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoutePlace {
    pub(super) plugin: usize,
    pub(super) route: usize,
}

/// Positions in `RouteIndex::order`, ascending.
type Ranks = Vec<usize>;

/// The routes of all plugins in their order, filed by text.
#[derive(Debug, Default)]
pub(super) struct RouteIndex {
    /// All routes, the narrowest first. Equal routes, which loading refuses, are in the order of their plugins.
    order: Vec<RoutePlace>,
    by_text: [HashMap<String, Ranks>; TEXTS.len()],
    by_value: HashMap<String, HashMap<String, Ranks>>,
    others: Ranks,
}

impl RouteIndex {
    /// Indexes the routes, given for each plugin.
    pub(super) fn new<'a>(plugins: impl Iterator<Item = &'a [Route]>) -> Self {
        let mut all: Vec<(RoutePlace, &Route)> = plugins
            .enumerate()
            .flat_map(|(plugin, routes)| {
                let routes = routes.iter().enumerate();
                routes.map(move |(route, wanted)| (RoutePlace { plugin, route }, wanted))
            })
            .collect();
        // The sort is stable, so equal routes keep their order.
        all.sort_by_key(|(_, route)| std::cmp::Reverse(route.specificity()));
        let mut index = Self::default();
        for (rank, (place, route)) in all.into_iter().enumerate() {
            index.order.push(place);
            index.ranks_for(route).push(rank);
        }
        index
    }

    fn ranks_for(&mut self, route: &Route) -> &mut Ranks {
        if let Some(at) = &route.value_at {
            let of_pointer = self.by_value.entry(at.pointer.clone()).or_default();
            return of_pointer.entry(at.equals.clone()).or_default();
        }
        let wanted = TEXTS.iter().map(|text| (text.wanted)(route));
        match self.by_text.iter_mut().zip(wanted).find_map(|(of, wanted)| Some((of, wanted?))) {
            Some((of_text, wanted)) => of_text.entry(wanted.to_owned()).or_default(),
            None => &mut self.others,
        }
    }

    /// Returns the narrowest route that matches the callback by its filed text and by `takes`.
    pub(super) fn narrowest(
        &self,
        callback: &Callback,
        value: &mut ActionValue,
        mut takes: impl FnMut(RoutePlace, &mut ActionValue) -> bool,
    ) -> Option<RoutePlace> {
        let texts = self.by_text.iter().zip(&TEXTS).filter(|(of_text, _)| !of_text.is_empty());
        let by_text = texts.filter_map(|(of_text, text)| of_text.get((text.found)(callback)?));
        let mut met: Vec<&Ranks> = by_text.collect();
        for (pointer, of_pointer) in &self.by_value {
            met.extend(value.at(callback, pointer).and_then(|text| of_pointer.get(text)));
        }
        met.push(&self.others);
        let firsts = met
            .into_iter()
            .filter_map(|ranks| ranks.iter().copied().find(|rank| takes(self.order[*rank], value)));
        firsts.min().map(|rank| self.order[rank])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::model::Action;
    use crate::callback::model::Body;
    use crate::callback::model::CardAction;
    use crate::callback::model::Header;
    use crate::callback::model::Location;
    use crate::plugin::route::UrlPattern;
    use crate::plugin::route::ValueAt;

    /// Few letters, so that routes and callbacks often match.
    fn text() -> impl Strategy<Value = String> {
        any::<bool>().prop_map(|first| if first { "a" } else { "b" }.to_owned())
    }

    fn maybe() -> impl Strategy<Value = Option<String>> {
        prop::option::of(text())
    }

    prop_compose! {
        fn route()(
            event_type in maybe(), tenant_key in maybe(), action_tag in maybe(), action_name in maybe(),
            chat_id in maybe(), at in prop::option::of((any::<bool>(), text())),
            url in prop::option::of(any::<bool>()),
        ) -> Route {
            Route {
                event_type, tenant_key, action_tag, action_name, chat_id,
                value_at: at.map(|(first, equals)| {
                    ValueAt { pointer: if first { "/k" } else { "/l" }.to_owned(), equals }
                }),
                url_pattern: url.map(|any| UrlPattern::from(if any { "*" } else { "a*" }.to_owned())),
                ..Route::default()
            }
        }
    }

    prop_compose! {
        fn click()(
            event_type in text(), tenant_key in text(), tag in text(), name in maybe(),
            open_chat_id in maybe(), url in maybe(), (k, l) in (text(), text()),
        ) -> Callback {
            let value = Some(format!(r#"{{"k":"{k}","l":"{l}"}}"#));
            let click = CardAction {
                action: Action { tag, name, value, ..Action::default() },
                location: Location { open_chat_id, url, ..Location::default() },
                ..CardAction::default()
            };
            let header = Header { event_type, tenant_key, ..Header::default() };
            filled(Callback::default(), header, Body::CardAction(click))
        }
    }

    fn filled(mut callback: Callback, header: Header, body: Body) -> Callback {
        callback.header = header;
        callback.body = body;
        callback
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_each_in_turn_finds(
            plugins in prop::collection::vec(prop::collection::vec(route(), 1..4), 0..8),
            callback in click(),
        ) {
            let value = &mut ActionValue::default();
            let places = plugins.iter().enumerate().flat_map(|(plugin, routes)| {
                (0..routes.len()).map(move |route| RoutePlace { plugin, route })
            });
            let mut best: Option<RoutePlace> = None;
            let wanted = |place: RoutePlace| &plugins[place.plugin][place.route];
            for place in places.filter(|place| wanted(*place).matches(&callback, value)) {
                if best.is_none_or(|best| wanted(place).specificity() > wanted(best).specificity()) {
                    best = Some(place);
                }
            }
            let index = RouteIndex::new(plugins.iter().map(Vec::as_slice));
            let found = index.narrowest(&callback, &mut ActionValue::default(), |place, value| {
                wanted(place).matches(&callback, value)
            });
            prop_assert_eq!(found, best);
        }
    }
}
