/* See directives.h. Invariant: a word is added only when its last quote was closed, and
 * every directive's first word begins with '-'; reading goes on after each fault, so that
 * all of them are told in one pass. */
#include "spec/directives.h"
#include "faults.h"

struct line {
    const char *text;
    size_t len;
    unsigned number; /* from 1 */
};

struct reading {
    struct arena *arena;
    struct jobspec_faults *faults;
    const char *sentinel; /* of the first directive: its prefix and its tag */
    size_t n_prefix, n_sentinel;
    unsigned first; /* its line */
    unsigned over;  /* the line that ended the directives; 0: none did */
    struct directive *words;
    unsigned n, room;
    struct str word; /* the one that is being read */
    struct directive at;
    bool opens;         /* it is the first of its directive */
    char quote;         /* three of these are open, over several lines; 0: none are */
    const char *indent; /* what is cut from the front of those lines */
    size_t n_indent;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Letters beyond ASCII are letters: prose in any script is no prefix. */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || ((unsigned char)c & 0x80) != 0;
}

static size_t trimmed(const char *text, size_t from, size_t len)
{
    while (len > from && is_blank(text[len - 1]))
        len--;
    return len;
}

/* Characters, not bytes, as an editor counts them. */
static unsigned col_of(const struct line *l, size_t at)
{
    unsigned col = 1;
    for (size_t i = 0; i < at && i < l->len; i++)
        col += ((unsigned char)l->text[i] & 0xc0) != 0x80;
    return col;
}

GM_PRINTF(4, 5)
static void
fault(struct reading *r, const struct line *l, size_t at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(r->faults, false, NULL, l->number, col_of(l, at), fmt, args);
    va_end(args);
}

static void add_word(struct reading *r)
{
    if (r->n == r->room) {
        unsigned room = r->room == 0 ? 16 : 2 * r->room;
        struct directive *words = arena_alloc(r->arena, room, sizeof(*words));
        if (r->n > 0)
            memcpy(words, r->words, r->n * sizeof(*words));
        r->words = words;
        r->room = room;
    }
    r->at.text = arena_copy(r->arena, str_text(&r->word), r->word.len);
    str_clear(&r->word);
    if (r->opens && r->at.text[0] != '-')
        faults_add(r->faults,
                   NULL,
                   r->at.line,
                   r->at.col,
                   "a directive is made of options, as in --ranks=4, and '%.80s' is none",
                   r->at.text);
    else
        r->words[r->n++] = r->at;
    r->opens = false;
}

static bool is_triple(const struct line *l, size_t at)
{
    return at + 3 <= l->len && l->text[at] == l->text[at + 1] &&
           l->text[at] == l->text[at + 2];
}

/* The three quotes that close those at `at`: the last three of the first run of at least
 * three. l->len: none. */
static size_t closing(const struct line *l, size_t at)
{
    char quote = l->text[at];
    for (size_t i = at + 3; i + 3 <= l->len; i++) {
        if (l->text[i] != quote || !is_triple(l, i))
            continue;
        while (i + 3 < l->len && l->text[i + 3] == quote)
            i++;
        return i;
    }
    return l->len;
}

/* """...""" in one line, or the opening of several. False: told. */
static bool read_triple(struct reading *r, const struct line *l, size_t *at)
{
    size_t from = *at + 3, end = closing(l, *at);
    if (end < l->len) {
        str_add_n(&r->word, l->text + from, end - from);
        *at = end + 3;
        return true;
    }
    if (trimmed(l->text, from, l->len) > from) {
        fault(r,
              l,
              *at,
              "these three quotes are not closed in their line; a text of several lines "
              "begins in the line after them");
        return false;
    }
    size_t n = r->n_sentinel;
    while (n < l->len && is_blank(l->text[n]))
        n++;
    r->quote = l->text[*at];
    r->indent = l->text + r->n_sentinel;
    r->n_indent = n - r->n_sentinel;
    r->at.block = r->word.len;
    r->at.block_line = l->number + 1;
    r->at.block_col = col_of(l, n);
    *at = l->len;
    return true;
}

/* '...' as it is; in "..." a backslash escapes what POSIX lets it. False: told. */
static bool read_quoted(struct reading *r, const struct line *l, size_t *at)
{
    char quote = l->text[*at];
    for (size_t i = *at + 1; i < l->len; i++) {
        if (l->text[i] == quote) {
            *at = i + 1;
            return true;
        }
        bool escapes = quote == '"' && l->text[i] == '\\' && i + 1 < l->len &&
                       strchr("$`\"\\", l->text[i + 1]) != NULL;
        i += escapes;
        str_add_n(&r->word, l->text + i, 1);
    }
    fault(r, l, *at, "the quote %c is not closed in its line", quote);
    return false;
}

/* One word, from `at` on. False: told. */
static bool read_word(struct reading *r, const struct line *l, size_t *at)
{
    r->at = (struct directive){.line = l->number, .col = col_of(l, *at)};
    str_clear(&r->word);
    bool fine = true;
    while (fine && *at < l->len && !is_blank(l->text[*at])) {
        char c = l->text[*at];
        if (c == '\'' || c == '"') {
            fine = is_triple(l, *at) ? read_triple(r, l, at) : read_quoted(r, l, at);
        } else if (c == '\\' && *at + 1 == l->len) {
            fault(r, l, *at, "nothing stands after the backslash");
            fine = false;
        } else {
            *at += c == '\\';
            str_add_n(&r->word, l->text + *at, 1);
            *at += 1;
        }
    }
    return fine;
}

/* The words of one directive. The last may stay open, into the lines below. */
static void read_words(struct reading *r, const struct line *l)
{
    size_t at = r->n_sentinel;
    r->opens = true;
    for (;;) {
        while (at < l->len && is_blank(l->text[at]))
            at++;
        if (at == l->len || l->text[at] == '#' || !read_word(r, l, &at))
            return;
        if (r->quote != 0)
            return;
        add_word(r);
    }
}

/* A line between three quotes and three quotes. */
static void read_block(struct reading *r, const struct line *l)
{
    size_t at = r->n_sentinel, end = trimmed(l->text, at, l->len);
    if (l->len - at >= r->n_indent && memcmp(l->text + at, r->indent, r->n_indent) == 0)
        at += r->n_indent;
    size_t i = at;
    while (i < end && !(l->text[i] == r->quote && is_triple(l, i)))
        i++;
    while (i + 3 < end && l->text[i + 3] == r->quote)
        i++;
    if (i >= end) {
        str_add_n(&r->word, l->text + at, l->len - at);
        str_add(&r->word, "\n");
        return;
    }
    if (i + 3 < end)
        fault(r, l, i, "the closing quotes of a text must be the last of their line");
    str_add_n(&r->word, l->text + at, i - at);
    r->quote = 0;
    add_word(r);
}

/* The lines of an open text must all be directives; told where it was opened. */
static void leave_open(struct reading *r)
{
    faults_add(r->faults,
               NULL,
               r->at.line,
               r->at.col,
               "the text that begins here is not closed: three quotes must end it, and "
               "each of its lines must begin with '%.*s'",
               (int)(r->n_sentinel < 80 ? r->n_sentinel : 80),
               r->sentinel);
    r->quote = 0;
}

/* The length of a line's sentinel, or 0. */
static size_t match_sentinel(const struct line *l, size_t *ret_prefix)
{
    static const char upper[] = "GRIDMILL:", lower[] = "gridmill:";
    size_t n = 0, tag = sizeof(upper) - 1;
    while (n < l->len && !is_word(l->text[n]))
        n++;
    *ret_prefix = n;
    bool is = l->len - n >= tag && (memcmp(l->text + n, upper, tag) == 0 ||
                                    memcmp(l->text + n, lower, tag) == 0);
    return is ? n + tag : 0;
}

static void read_other(struct reading *r, const struct line *l)
{
    if (r->quote != 0)
        leave_open(r);
    if (r->sentinel == NULL || r->over > 0 || trimmed(l->text, 0, l->len) == 0)
        return;
    size_t n = trimmed(r->sentinel, 0, r->n_prefix); /* "#" alone goes with "# " */
    if (n == 0)
        n = r->n_prefix;
    if (l->len < n || memcmp(l->text, r->sentinel, n) != 0)
        r->over = l->number;
}

static bool same_sentinel(struct reading *r, const struct line *l, size_t n)
{
    if (n == r->n_sentinel && memcmp(l->text, r->sentinel, n) == 0)
        return true;
    fault(r,
          l,
          0,
          "begins with '%.*s', but the directives of this file begin with '%.*s' (line "
          "%u); to switch one off, write # after the colon",
          (int)(n < 80 ? n : 80),
          l->text,
          (int)(r->n_sentinel < 80 ? r->n_sentinel : 80),
          r->sentinel,
          r->first);
    return false;
}

static void read_line(struct reading *r, const struct line *l)
{
    size_t prefix, n = match_sentinel(l, &prefix);
    if (n == 0) {
        read_other(r, l);
        return;
    }
    if (r->sentinel == NULL) {
        r->sentinel = l->text;
        r->n_prefix = prefix;
        r->n_sentinel = n;
        r->first = l->number;
    }
    if (r->over > 0) {
        fault(r,
              l,
              prefix,
              "a directive after the directives: line %u ended them, having another "
              "prefix",
              r->over);
    } else if (memchr(l->text, '\0', l->len) != NULL) {
        fault(r, l, 0, "a directive must not hold a NUL character");
    } else if (!same_sentinel(r, l, n)) {
        return;
    } else if (r->quote != 0) {
        read_block(r, l);
    } else {
        read_words(r, l);
    }
}

bool directives_is_script(const char *text, size_t len)
{
    return len >= 2 && text[0] == '#' && text[1] == '!';
}

int directives_read(struct arena *a,
                    const char *text,
                    size_t len,
                    struct jobspec_faults *faults,
                    const struct directive **ret,
                    unsigned *ret_n)
{
    struct reading r = {.arena = a, .faults = faults};
    size_t before = faults->n_errors;
    unsigned number = 0;
    for (size_t at = 0; at < len;) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : len;
        size_t cut = end > at && text[end - 1] == '\r' ? end - 1 : end;
        read_line(&r, &(struct line){text + at, cut - at, ++number});
        at = end + 1;
    }
    if (r.quote != 0)
        leave_open(&r);
    str_free(&r.word);
    if (faults->n_errors > before)
        return -EINVAL;
    *ret = r.words;
    *ret_n = r.n;
    return 0;
}

unsigned
directives_shebang(struct arena *a, const char *text, size_t len, const char *ret[2])
{
    if (!directives_is_script(text, len))
        return 0;
    const char *newline = memchr(text, '\n', len);
    size_t end = newline != NULL ? (size_t)(newline - text) : len, at = 2;
    end = trimmed(text, at, end);
    while (at < end && is_blank(text[at]))
        at++;
    size_t stop = at;
    while (stop < end && !is_blank(text[stop]))
        stop++;
    if (stop == at)
        return 0;
    ret[0] = arena_copy(a, text + at, stop - at);
    while (stop < end && is_blank(text[stop]))
        stop++;
    if (stop == end)
        return 1;
    ret[1] = arena_copy(a, text + stop, end - stop);
    return 2;
}
