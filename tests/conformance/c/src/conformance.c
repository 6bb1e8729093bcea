// Does what the button's name says: one cell of the conformance table each.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
// Of the template.
#include "text.h"

typedef conformance_string_t string;
typedef exports_lark_callback_card_action_handler_card_action_t click;
typedef exports_lark_callback_card_action_handler_card_reply_t reply;

static string words(const char *text) {
  string copy;
  conformance_string_dup(&copy, text);
  return copy;
}

static string copy_of(string text) {
  string copy;
  conformance_string_dup_n(&copy, (char *)text.ptr, text.len);
  return copy;
}

// As in the template.
static string taken(struct text text) {
  struct text utf8 = {0};
  add_utf8(&utf8, (struct part){text.at, text.length});
  free(text.at);
  return (string){(uint8_t *)utf8.at, utf8.length};
}

static lark_callback_types_toast_t toast(uint8_t kind, string content) {
  return (lark_callback_types_toast_t){kind, content, {NULL, 0}};
}

static void translate(lark_callback_types_toast_t *toast, const char *locale, string text) {
  size_t count = toast->i18n.len + 1;
  toast->i18n.ptr = realloc(toast->i18n.ptr, count * sizeof *toast->i18n.ptr);
  if (toast->i18n.ptr == NULL) abort();
  toast->i18n.ptr[count - 1] = (conformance_tuple2_string_string_t){words(locale), text};
  toast->i18n.len = count;
}

static bool info(reply *ret, string content) {
  ret->toast = (lark_callback_types_option_toast_t){true, toast(LARK_CALLBACK_TYPES_TOAST_KIND_INFO, content)};
  return true;
}

static void log_words(uint8_t level, string text) {
  string context = words("conformance");
  wasi_logging_logging_log(level, &context, &text);
}

// The text in `{"text":"…"}`; of all escapes, it only has that of NUL.
static string text_of(string value) {
  const char *begin = (char *)value.ptr + strlen("{\"text\":\""), *end = (char *)value.ptr + value.len - strlen("\"}");
  string text = {malloc(end - begin + 1), 0};
  if (text.ptr == NULL) abort();
  for (const char *at = begin; at < end;) {
    bool nul = end - at >= 6 && memcmp(at, "\\u0000", 6) == 0;
    text.ptr[text.len++] = nul ? 0 : *at;
    at += nul ? 6 : 1;
  }
  return text;
}

static string number(uint64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, number);
  return words(digits);
}

static bool is(click *action, const char *name) {
  string found = action->action.name.val;
  return action->action.name.is_some && found.len == strlen(name) && memcmp(found.ptr, name, found.len) == 0;
}

static bool with_card(reply *ret, lark_callback_types_card_t card) {
  ret->card = (lark_callback_types_option_card_t){true, card};
  return true;
}

static bool keep(reply *ret) {
  string own = words("default"), key = words("键"), count = words("sum"), text = words("kept 日志"), forty = words("40");
  conformance_list_u8_t bytes = {text.ptr, text.len}, digits = {forty.ptr, forty.len};
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&own, &bucket, &error)) abort();
  wasi_keyvalue_store_borrow_bucket_t in = wasi_keyvalue_store_borrow_bucket(bucket);
  conformance_option_list_u8_t found;
  uint64_t sum;
  bool kept = wasi_keyvalue_store_method_bucket_set(in, &key, &bytes, &error) &&
              wasi_keyvalue_store_method_bucket_set(in, &count, &digits, &error) &&
              wasi_keyvalue_atomics_increment(in, &count, 2, &sum, &error) &&
              wasi_keyvalue_store_method_bucket_get(in, &key, &found, &error) && found.is_some;
  wasi_keyvalue_store_bucket_drop_own(bucket);
  if (!kept) abort();
  char said[64];
  snprintf(said, sizeof said, "%.*s %" PRIu64, (int)found.val.len, (char *)found.val.ptr, sum);
  return info(ret, words(said));
}

bool exports_lark_callback_card_action_handler_handle(click *action, reply *ret, lark_callback_types_failure_t *err) {
  *ret = (reply){0};
  if (is(action, "toast")) {
    ret->toast.is_some = true;
    ret->toast.val = toast(LARK_CALLBACK_TYPES_TOAST_KIND_WARNING, words("toast"));
    translate(&ret->toast.val, "zh_cn", words("提示"));
    translate(&ret->toast.val, "ja_jp", words("トースト"));
    return true;
  }
  if (is(action, "raw card")) {
    const char *card = "{\"schema\":\"2.0\",\"body\":{\"elements\":[{\"tag\":\"markdown\",\"content\":\"raw card\"}]}}";
    return with_card(ret, (lark_callback_types_card_t){LARK_CALLBACK_TYPES_CARD_RAW, {.raw = words(card)}});
  }
  if (is(action, "template card")) {
    lark_callback_types_card_template_t card = {words("AAqconformance"), {true, words("1.0.0")}, {true, words("{\"who\":\"Ann\"}")}};
    return with_card(ret, (lark_callback_types_card_t){LARK_CALLBACK_TYPES_CARD_TEMPLATE, {.template_ = card}});
  }
  if (is(action, "form values")) return info(ret, copy_of(action->action.form_value.val));
  if (is(action, "text")) {
    info(ret, text_of(action->action.value.val));
    translate(&ret->toast.val, "zh_cn", copy_of(ret->toast.val.content));
    return true;
  }
  if (is(action, "integers")) return info(ret, number(action->header.created_ms));
  if (is(action, "1 MB payload")) return info(ret, number(text_of(action->action.value.val).len));
  if (is(action, "failure")) {
    err->tag = LARK_CALLBACK_TYPES_FAILURE_USER;
    err->val.user = toast(LARK_CALLBACK_TYPES_TOAST_KIND_ERROR, words("failure"));
    return false;
  }
  if (is(action, "trap")) __builtin_trap();
  if (is(action, "crash")) {
    fprintf(stderr, "the reason of a crash\n");
    abort();
  }
  if (is(action, "half an emoji")) {
    struct text cut = {0};
    add(&cut, "cut 😀", 5);
    return info(ret, taken(cut));
  }
  if (is(action, "random")) return info(ret, number(arc4random()));
  if (is(action, "print")) {
    puts("printed 日志");
    return fflush(stdout) == 0 && info(ret, words("printed"));
  }
  if (is(action, "time zone")) return info(ret, words("none"));
  if (is(action, "endless loop"))
    for (volatile int turns = 0;; turns++);
  if (is(action, "oversized allocation")) {
    volatile char *large = malloc(512 << 20);
    // The host has refused it; a C program that does not look goes on until it traps.
    if (large == NULL) abort();
    return info(ret, number(large[0]));
  }
  if (is(action, "logging")) {
    log_words(WASI_LOGGING_LOGGING_LEVEL_WARN, words("logged 日志"));
    return info(ret, words("logged"));
  }
  if (is(action, "key-value")) return keep(ret);
  if (is(action, "settings")) {
    string key = words("greeting");
    conformance_option_string_t setting;
    wasi_config_store_error_t error;
    bool found = wasi_config_store_get(&key, &setting, &error) && setting.is_some;
    return info(ret, found ? setting.val : words(""));
  }
  if (is(action, "remaining time")) return info(ret, number(lark_callback_request_remaining_ms()));
  abort();
}

bool exports_lark_callback_link_preview_handler_handle(
    exports_lark_callback_link_preview_handler_preview_request_t *request,
    exports_lark_callback_link_preview_handler_preview_reply_t *ret, lark_callback_types_failure_t *err) {
  (void)err;
  *ret = (exports_lark_callback_link_preview_handler_preview_reply_t){0};
  lark_callback_types_toast_t translated = {0};
  translate(&translated, "zh_cn", words("链接"));
  ret->inline_.is_some = true;
  ret->inline_.val.title = (conformance_option_string_t){true, copy_of(request->url)};
  ret->inline_.val.i18n_title = translated.i18n;
  return true;
}

bool exports_lark_callback_legacy_card_handler_handle(
    click *action, exports_lark_callback_legacy_card_handler_legacy_reply_t *ret, lark_callback_types_failure_t *err) {
  (void)err;
  ret->tag = LARK_CALLBACK_TYPES_LEGACY_REPLY_TOAST;
  ret->val.toast = toast(LARK_CALLBACK_TYPES_TOAST_KIND_SUCCESS, copy_of(action->operator_.open_id));
  return true;
}

bool exports_lark_callback_event_handler_handle(
    exports_lark_callback_event_handler_event_t *event, lark_callback_types_failure_t *err) {
  (void)err;
  log_words(WASI_LOGGING_LOGGING_LEVEL_INFO, event->body);
  return true;
}
