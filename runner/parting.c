/* See parting.h. Invariant: nobody waits for a rank that is lost. */
#include "parting.h"
#include "base/clock.h"
#include "base/memory.h"

enum { TAG_CLOSED = 21, TAG_WORD };

static const double SHORTEST_NAP = 20e-6, LONGEST_NAP = 1e-3; /* s */
/* A send to a rank that goes away meanwhile. */
static const double MOST_FOR_A_WORD = 5; /* s */

struct closed {
    int32_t code;
    char text[sizeof(((struct gm_error *)0)->text)];
    char note[sizeof(((struct parting *)0)->notes[0])];
};

static double nap(double last)
{
    clock_sleep(last);
    return last < LONGEST_NAP ? 1.5 * last : LONGEST_NAP;
}

static void fill(const struct rank *r,
                 int code,
                 const char *note,
                 const struct gm_error *err,
                 struct closed *ret)
{
    *ret = (struct closed){.code = code};
    struct gm_error mine = {.code = code};
    if (code < 0 && err != NULL) {
        mine = *err;
        (void)gm_prefix(&mine, "rank %d (%s)", r->world, r->host);
        memcpy(ret->text, mine.text, sizeof(ret->text));
    }
    if (note[0] != '\0')
        (void)snprintf(
            ret->note, sizeof(ret->note), "rank %d (%s): %s", r->world, r->host, note);
}

static void keep(struct parting *p, const struct closed *c)
{
    p->n_here++;
    if (c->note[0] == '\0')
        return;
    if (p->n_notes < PARTING_NOTES)
        memcpy(p->notes[p->n_notes], c->note, sizeof(c->note));
    p->n_notes++;
}

/* All words that came: each from its rank, once. */
static void take_words(struct closed *words, bool *came)
{
    for (;;) {
        int flag = 0;
        MPI_Message m;
        MPI_Status status;
        (void)MPI_Improbe(MPI_ANY_SOURCE, TAG_CLOSED, MPI_COMM_WORLD, &flag, &m, &status);
        if (flag == 0)
            return;
        struct closed c = {0};
        (void)MPI_Mrecv(&c, sizeof(c), MPI_BYTE, &m, MPI_STATUS_IGNORE);
        c.text[sizeof(c.text) - 1] = c.note[sizeof(c.note) - 1] = '\0';
        words[status.MPI_SOURCE] = c;
        came[status.MPI_SOURCE] = true;
    }
}

static bool all_came(const struct rank *r, const struct watch *w, const bool *came)
{
    for (int i = 0; i < r->n_ranks; i++) {
        if (!came[i] && !watch_lost(w, (unsigned)i))
            return false;
    }
    return true;
}

static int hear_all(const struct rank *r,
                    const struct watch *w,
                    const struct closed *mine,
                    struct parting *ret,
                    struct gm_error *err)
{
    AUTO_FREE(struct closed) words = xcalloc((size_t)r->n_ranks, sizeof(*words));
    bool *came = ret->came = xcalloc((size_t)r->n_ranks, sizeof(*came));
    words[0] = *mine;
    came[0] = true;
    for (double last = SHORTEST_NAP;; last = nap(last)) {
        take_words(words, came);
        if (all_came(r, w, came) || watch_outcast(w))
            break;
    }
    int code = 0;
    for (int i = 0; i < r->n_ranks; i++) {
        if (!came[i])
            continue;
        keep(ret, &words[i]);
        if (words[i].code < 0 && code == 0 && !watch_lost(w, (unsigned)i))
            code = gm_fail(err, words[i].code, "%s", words[i].text);
    }
    return code;
}

/* Waits until the word is out, its receiver is gone, or too long. */
static void send(const struct watch *w, int to, int tag, const void *word, size_t n)
{
    MPI_Request request;
    double until = clock_monotonic() + MOST_FOR_A_WORD;
    int done = 0;
    (void)MPI_Isend(word, (int)n, MPI_BYTE, to, tag, MPI_COMM_WORLD, &request);
    for (double last = SHORTEST_NAP; done == 0; last = nap(last)) {
        (void)MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done == 0 && (watch_gone(w, (unsigned)to) || clock_monotonic() > until)) {
            (void)MPI_Request_free(&request);
            return;
        }
    }
}

int parting_meet(const struct rank *r,
                 const struct watch *w,
                 int code,
                 const char *note,
                 struct parting *ret,
                 struct gm_error *err)
{
    struct closed mine;
    fill(r, code, note, err, &mine);
    *ret = (struct parting){0};
    if (r->world == 0)
        return hear_all(r, w, &mine, ret, err);
    if (!watch_root_lost(w))
        send(w, 0, TAG_CLOSED, &mine, sizeof(mine));
    return code;
}

static int32_t await_word(const struct watch *w)
{
    int32_t word = -EOWNERDEAD;
    MPI_Request request;
    int done = 0;
    (void)MPI_Irecv(&word, 1, MPI_INT32_T, 0, TAG_WORD, MPI_COMM_WORLD, &request);
    for (double last = SHORTEST_NAP;; last = nap(last)) {
        (void)MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done != 0)
            return word;
        if (watch_root_lost(w)) {
            (void)MPI_Cancel(&request);
            (void)MPI_Wait(&request, MPI_STATUS_IGNORE);
            return -EOWNERDEAD;
        }
    }
}

void parting_tell(const struct rank *r,
                  const struct watch *w,
                  const struct parting *p,
                  int32_t *word)
{
    if (r->world != 0)
        *word = await_word(w);
    for (int i = 1; r->world == 0 && i < r->n_ranks; i++) {
        if (p->came[i] && !watch_gone(w, (unsigned)i))
            send(w, i, TAG_WORD, word, sizeof(*word));
    }
}

bool parting_whole(const struct rank *r, const struct watch *w, const struct parting *p)
{
    return p->n_here == (unsigned)r->n_ranks && watch_n_lost(w) == 0;
}

void parting_clear(struct parting *p)
{
    free(p->came);
    p->came = NULL;
}
