// Text that grows, and the fields of a flat JSON object.

#include "text.h"

#include <stdlib.h>
#include <string.h>

void add(struct text *text, const char *more, size_t length) {
  if (text->length + length > text->room) {
    text->room = 2 * (text->length + length);
    text->at = realloc(text->at, text->room);
    if (text->at == NULL) abort();
  }
  memcpy(text->at + text->length, more, length);
  text->length += length;
}

void add_words(struct text *text, const char *words) { add(text, words, strlen(words)); }

// How many bytes the character at `at` has; 0 if it is not UTF-8, and then `*skip` are the bytes that began as a character.
static size_t character(const unsigned char *at, const unsigned char *end, size_t *skip) {
  size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
  // The second byte may not make it longer than needed, a surrogate, or more than U+10FFFF.
  unsigned char least = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
  unsigned char most = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
  for (*skip = 1; *skip < length; ++*skip) {
    const unsigned char *next = at + *skip;
    if (next == end || *next < least || *next > most) return 0;
    least = 0x80, most = 0xbf;
  }
  return length;
}

void add_utf8(struct text *text, struct part part) {
  const unsigned char *at = (const unsigned char *)part.at, *end = at + part.length;
  for (size_t skip; at < end; at += skip) {
    if (character(at, end, &skip) > 0) add(text, (const char *)at, skip);
    else add_words(text, "\xef\xbf\xbd");
  }
}

// The string that begins at the next quotation mark, without its own.
static bool next_string(struct part *rest, struct part *string) {
  const char *end = rest->at + rest->length;
  const char *open = memchr(rest->at, '"', rest->length);
  if (open == NULL) return false;
  const char *close = open + 1;
  while (close < end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= end) return false;
  *string = (struct part){open + 1, close - open - 1};
  *rest = (struct part){close + 1, end - close - 1};
  return true;
}

bool next_field(struct part *rest, struct part *name, struct part *value) {
  while (next_string(rest, name)) {
    while (rest->length > 0 && strchr(": \n", *rest->at)) rest->at++, rest->length--;
    if (rest->length > 0 && *rest->at == '"') return next_string(rest, value);
  }
  return false;
}

bool split_link(struct part link, struct part *host, struct part *path) {
  const char *end = link.at + link.length, *begin = NULL;
  for (const char *at = link.at; begin == NULL && at + 3 <= end; at++)
    if (memcmp(at, "://", 3) == 0) begin = at + 3;
  if (begin == NULL) return false;
  const char *slash = begin;
  while (slash < end && !strchr("/?#", *slash)) slash++;
  const char *query = slash;
  while (query < end && !strchr("?#", *query)) query++;
  *host = (struct part){begin, slash - begin};
  *path = query > slash ? (struct part){slash, query - slash} : (struct part){"/", 1};
  return true;
}
