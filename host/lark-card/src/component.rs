//! The components of card JSON 2.0 and the properties of each.
//!
//! Where components share properties, a list is wider than the documentation of one component: only what the platform certainly
//! refuses may be refused here.

/// Kind of a component, where a rule depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A component that holds others.
    Container,
    /// A component that holds others, and sends their values together.
    Form,
    /// A component that shows something.
    Display,
    /// A component that shows rows and columns.
    Table,
    /// A component that sends something back when it is touched.
    Interactive,
}

/// Kind and properties of one component.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) role: Role,
    /// Properties that are allowed, in groups that components share. `None` for a component that is not documented in full, so
    /// that anything goes.
    properties: Option<&'static [&'static [&'static str]]>,
}

impl Component {
    /// Returns true if the component may have a property of that name.
    pub(super) fn allows(&self, key: &str) -> bool {
        EVERY.contains(&key)
            || self.properties.is_none_or(|groups| groups.iter().any(|group| group.contains(&key)))
    }
}

/// Properties that every component may have.
const EVERY: &[&str] = &["tag", "element_id", "margin", "i18n_content"];
/// Properties that arrange the content of a container.
const LAYOUT: &[&str] = &[
    "elements",
    "direction",
    "padding",
    "horizontal_spacing",
    "horizontal_align",
    "vertical_spacing",
    "vertical_align",
];
/// Properties of components that are touched.
const TOUCHED: &[&str] = &[
    "behaviors",
    "value",
    "name",
    "required",
    "disabled",
    "disabled_tips",
    "hover_tips",
    "confirm",
    "type",
    "size",
    "width",
    "placeholder",
];
/// Properties of components that offer a choice.
const CHOICE: &[&str] =
    &["options", "initial_option", "initial_index", "selected_values", "default_value"];

const fn of(role: Role, properties: &'static [&'static [&'static str]]) -> Component {
    Component { role, properties: Some(properties) }
}

static COLUMN_SET: Component = of(
    Role::Container,
    &[LAYOUT, &["columns", "flex_mode", "background_style", "action", "behaviors"]],
);
static FORM: Component = of(Role::Form, &[LAYOUT, &["name", "confirm"]]);
static INTERACTIVE_CONTAINER: Component = of(
    Role::Container,
    &[
        LAYOUT,
        TOUCHED,
        &["height", "background_style", "has_border", "border_color", "corner_radius"],
    ],
);
static COLLAPSIBLE_PANEL: Component = of(
    Role::Container,
    &[LAYOUT, &["expanded", "background_color", "background_style", "header", "border", "width"]],
);
static DIV: Component = of(Role::Display, &[&["text", "icon", "width", "fields", "extra"]]);
static MARKDOWN: Component =
    of(Role::Display, &[&["content", "text_align", "text_size", "text_color", "icon", "width"]]);
static IMG: Component = of(
    Role::Display,
    &[&[
        "img_key",
        "i18n_img_key",
        "alt",
        "title",
        "corner_radius",
        "scale_type",
        "size",
        "transparent",
        "preview",
        "mode",
        "custom_width",
        "compact_width",
        "behaviors",
    ]],
);
static IMG_COMBINATION: Component = of(
    Role::Display,
    &[&[
        "combination_mode",
        "combination_transparent",
        "corner_radius",
        "img_list",
        "img_list_length",
        "behaviors",
    ]],
);
static PERSON: Component =
    of(Role::Display, &[&["user_id", "size", "show_avatar", "show_name", "style"]]);
static PERSON_LIST: Component = of(
    Role::Display,
    &[&[
        "persons",
        "size",
        "show_avatar",
        "show_name",
        "lines",
        "drop_invalid_user_id",
        "icon",
        "ud_icon",
    ]],
);
static CHART: Component =
    of(Role::Display, &[&["chart_spec", "aspect_ratio", "color_theme", "preview", "height"]]);
static TABLE: Component = of(
    Role::Table,
    &[&[
        "columns",
        "rows",
        "page_size",
        "row_height",
        "row_max_height",
        "freeze_first_column",
        "header_style",
    ]],
);
static HR: Component = of(Role::Display, &[]);
static AUDIO: Component = Component { role: Role::Display, properties: None };
static BUTTON: Component = of(
    Role::Interactive,
    &[
        TOUCHED,
        &[
            "text",
            "icon",
            "url",
            "multi_url",
            "form_action_type",
            "action_type",
            "complex_interaction",
        ],
    ],
);
static OVERFLOW: Component = of(Role::Interactive, &[TOUCHED, &["options"]]);
static INPUT: Component = of(
    Role::Interactive,
    &[
        TOUCHED,
        &[
            "default_value",
            "max_length",
            "input_type",
            "show_icon",
            "rows",
            "auto_resize",
            "max_rows",
            "label",
            "label_position",
        ],
    ],
);
static SELECT: Component = of(Role::Interactive, &[TOUCHED, CHOICE]);
static PICKER: Component = of(
    Role::Interactive,
    &[TOUCHED, &["initial_date", "initial_time", "initial_datetime", "default_value"]],
);
static SELECT_IMG: Component = of(
    Role::Interactive,
    &[TOUCHED, CHOICE, &["multi_select", "layout", "can_preview", "aspect_ratio", "style"]],
);
static CHECKER: Component = of(
    Role::Interactive,
    &[
        TOUCHED,
        &[
            "checked",
            "text",
            "overall_checkable",
            "button_area",
            "checked_style",
            "padding",
            "pc_display_rule",
        ],
    ],
);

/// A column of a `column_set`. It stands nowhere else.
pub(super) static COLUMN: Component =
    of(Role::Display, &[LAYOUT, &["background_style", "width", "weight", "action", "behaviors"]]);

/// Returns the component of that tag, if there is one.
pub(super) fn find(tag: &str) -> Option<&'static Component> {
    Some(match tag {
        "column_set" => &COLUMN_SET,
        "form" => &FORM,
        "interactive_container" => &INTERACTIVE_CONTAINER,
        "collapsible_panel" => &COLLAPSIBLE_PANEL,
        "div" => &DIV,
        "markdown" => &MARKDOWN,
        "img" => &IMG,
        "img_combination" => &IMG_COMBINATION,
        "person" => &PERSON,
        "person_list" => &PERSON_LIST,
        "chart" => &CHART,
        "table" => &TABLE,
        "hr" => &HR,
        "audio" => &AUDIO,
        "button" => &BUTTON,
        "overflow" => &OVERFLOW,
        "input" => &INPUT,
        "select_static" | "multi_select_static" | "select_person" | "multi_select_person" => {
            &SELECT
        }
        "date_picker" | "picker_time" | "picker_datetime" => &PICKER,
        "select_img" => &SELECT_IMG,
        "checker" => &CHECKER,
        _ => return None,
    })
}

/// Returns true for the tags of card JSON 1.0 besides the components that it shares with 2.0.
pub(super) fn is_module(tag: &str) -> bool {
    matches!(tag, "action" | "note" | "column" | "plain_text" | "lark_md" | "repeat")
}
