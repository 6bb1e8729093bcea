// Text that grows, and the fields of a flat JSON object. Enough for a card; no JSON library.
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
  char *at;
  size_t length, room;
};

void add(struct text *text, const char *more, size_t length);
void add_words(struct text *text, const char *words);

// A part of a JSON document, as it stands there: what is escaped stays escaped.
struct part {
  const char *at;
  size_t length;
};

// Adds text from anywhere. What is not UTF-8, half a character for example, becomes U+FFFD: the host takes nothing else.
void add_utf8(struct text *text, struct part part);

// The next field whose value is a string; false after the last. `rest` begins as the whole object.
bool next_field(struct part *rest, struct part *name, struct part *value);

// How a link is shown: its host and its path, both parts of it; false if it is no link.
bool split_link(struct part link, struct part *host, struct part *path);

#endif
