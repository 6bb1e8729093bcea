// What the plugin answers: one function for each interface of wit/world.wit.

#include <stdlib.h>

#include "hello.h"
#include "text.h"

static hello_string_t words(const char *text) {
  hello_string_t copy;
  hello_string_dup(&copy, text);
  return copy;
}

// The text as UTF-8, in memory that the bindings free.
static hello_string_t taken(struct text text) {
  struct text utf8 = {0};
  add_utf8(&utf8, (struct part){text.at, text.length});
  free(text.at);
  return (hello_string_t){(uint8_t *)utf8.at, utf8.length};
}

static struct part part_of(hello_string_t string) { return (struct part){(char *)string.ptr, string.len}; }

// A button says hello to whoever touched it; a form is shown as it was filled in. Card JSON 2.0.
static hello_string_t card(exports_lark_callback_card_action_handler_card_action_t *action) {
  struct text json = {0};
  add_words(&json, "{\"schema\":\"2.0\",\"header\":{\"title\":{\"tag\":\"plain_text\",\"content\":\"Hello\"},");
  add_words(&json, "\"template\":\"green\"},\"body\":{\"elements\":[{\"tag\":\"markdown\",\"content\":\"Touched by <at id=");
  struct part who = part_of(action->operator_.open_id), name, value;
  add(&json, who.at, who.length);
  add_words(&json, "></at>\"}");
  struct part rest = action->action.form_value.is_some ? part_of(action->action.form_value.val) : (struct part){"", 0};
  while (next_field(&rest, &name, &value)) {
    add_words(&json, ",{\"tag\":\"markdown\",\"content\":\"**");
    add(&json, name.at, name.length);
    add_words(&json, "**: ");
    add(&json, value.at, value.length);
    add_words(&json, "\"}");
  }
  add_words(&json, "]}}");
  return taken(json);
}

// What is in `ret` and `err` is freed by the bindings, so all of it is allocated. True is success; false needs `err`.
bool exports_lark_callback_card_action_handler_handle(
    exports_lark_callback_card_action_handler_card_action_t *action,
    exports_lark_callback_card_action_handler_card_reply_t *ret,
    exports_lark_callback_card_action_handler_failure_t *err) {
  (void)err;
  hello_string_t context = words("hello");
  wasi_logging_logging_log(WASI_LOGGING_LOGGING_LEVEL_INFO, &context, &action->action.tag);
  hello_tuple2_string_string_t *i18n = malloc(2 * sizeof *i18n);
  if (i18n == NULL) abort();
  i18n[0] = (hello_tuple2_string_string_t){words("en_us"), words("Hello from C")};
  i18n[1] = (hello_tuple2_string_string_t){words("zh_cn"), words("来自 C 的问候")};
  ret->toast.is_some = true;
  ret->toast.val = (lark_callback_types_toast_t){LARK_CALLBACK_TYPES_TOAST_KIND_SUCCESS, words("Hello from C"), {i18n, 2}};
  ret->card.is_some = true;
  ret->card.val = (lark_callback_types_card_t){LARK_CALLBACK_TYPES_CARD_RAW, {.raw = card(action)}};
  return true;
}

// A link is shown as its host and its path.
bool exports_lark_callback_link_preview_handler_handle(
    exports_lark_callback_link_preview_handler_preview_request_t *request,
    exports_lark_callback_link_preview_handler_preview_reply_t *ret,
    exports_lark_callback_link_preview_handler_failure_t *err) {
  (void)err;
  struct text title = {0};
  struct part link = part_of(request->url), host, path;
  if (split_link(link, &host, &path)) {
    add(&title, host.at, host.length);
    add_words(&title, " · ");
    add(&title, path.at, path.length);
  } else {
    add(&title, link.at, link.length);
  }
  *ret = (exports_lark_callback_link_preview_handler_preview_reply_t){0};
  ret->inline_.is_some = true;
  ret->inline_.val.title = (hello_option_string_t){true, taken(title)};
  return true;
}
