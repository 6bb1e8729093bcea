// The parts that need no host, on this machine.

#include "../src/text.h"

#include <assert.h>
#include <string.h>

static bool is(struct part part, const char *words) {
  return part.length == strlen(words) && memcmp(part.at, words, part.length) == 0;
}

int main(void) {
  const char *form = "{\"days\": \"3\", \"list\": [], \"why\":\"a \\\"b\\\"\"}";
  struct part rest = {form, strlen(form)}, name, value;
  assert(next_field(&rest, &name, &value) && is(name, "days") && is(value, "3"));
  assert(next_field(&rest, &name, &value) && is(name, "why") && is(value, "a \\\"b\\\""));
  assert(!next_field(&rest, &name, &value));

  struct part host, path;
  assert(split_link((struct part){"https://a.example/b/c?d=e", 25}, &host, &path));
  assert(is(host, "a.example") && is(path, "/b/c"));
  assert(split_link((struct part){"https://a.example", 17}, &host, &path) && is(path, "/"));
  assert(!split_link((struct part){"not a link", 10}, &host, &path));

  struct text text = {0};
  const char *cut = "é 😀 \xf0\x9f|\xed\xa0\x80|\xc0\xaf|\xe4";
  add_utf8(&text, (struct part){cut, strlen(cut)});
  const char *utf8 = "é 😀 �|���|��|�";
  assert(is((struct part){text.at, text.length}, utf8));
  return 0;
}
