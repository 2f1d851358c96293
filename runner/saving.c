/* See saving.h. Invariant: between saving_begin and saving_end, `set` and `n_files` say
 * what STAGE-TASK on the disk was when this group last read or wrote it (set 0: nothing),
 * and all ranks of the group make the same calls of comm in the same order. */
#include "saving.h"
#include "attempt.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "result/checkpoint.h"
#include "spec/tasks.h"
#include "writer.h"
#include <inttypes.h>

#define SHARE       0.05 /* of the time, for saving, at most */
#define TOGETHER    0.5  /* s between two words of a group's first rank, at most */
#define MOST_STEPS  (UINT64_C(1) << 30)
#define PIECE       (UINT64_C(1) << 30) /* bytes of one broadcast */
#define GRACE_SHARE 0.5 /* of the grace, for the step that runs when a stop comes */

enum word { WORD_GO, WORD_SAVE, WORD_LAST };

/* What the first rank of a group says between two steps. */
struct saving_word {
    uint64_t what; /* enum word */
    uint64_t set;
    uint64_t steps; /* until the next word */
};

struct saving {
    const struct jobspec *spec;
    const char *folder;
    unsigned rank, launch;
    uint64_t n_sets;
    const char **identity; /* of each stage, or NULL */
    struct arena *arena;
    bool told_save; /* a failure was told; the next are not */

    /* The attempt. */
    const struct attempt *a;
    const struct gm_comm *comm;
    struct parcel *parcel;
    struct checkpoint_head head;
    uint64_t step, continued;
    uint64_t set;
    uint32_t n_files; /* ranks of that set that may have a file: [1, n_files) */
    double due, interval;
    double spoken;  /* when the last word was */
    uint64_t steps; /* until the next one */
    uint64_t asked; /* as many as the last one said */
};

struct saving *
saving_make(const struct jobspec *spec, const struct plan *plan, unsigned rank)
{
    struct saving *s = xcalloc(1, sizeof(*s));
    s->spec = spec;
    s->folder = plan->folder;
    s->rank = rank;
    s->launch = plan->launch;
    s->identity = xcalloc(spec->n_stages, sizeof(*s->identity));
    s->arena = arena_make();
    if (rank == 0 && plan->launch > 0)
        checkpoint_sweep(s->folder, s->launch);
    return s;
}

void saving_free(struct saving *s)
{
    if (s == NULL)
        return;
    arena_free(s->arena);
    free(s->identity);
    free(s);
}

static const struct jobspec_stage *stage_of(const struct saving *s)
{
    return &s->spec->stages[s->a->stage];
}

static bool leads(const struct saving *s)
{
    return s->comm->rank == 0;
}

/* The bits are promised for one build and what the task computes. */
static void set_digest(struct saving *s, const char *varying)
{
    const char **identity = &s->identity[s->a->stage];
    if (*identity == NULL) {
        AUTO_FREE(char) text = tasks_common_json(s->spec, s->a->stage, true);
        *identity = arena_strdup(s->arena, text);
    }
    const char *texts[] = {version_build(),
                           stage_of(s)->name,
                           stage_of(s)->kernel->name,
                           *identity,
                           varying};
    checkpoint_digest(texts, sizeof(texts) / sizeof(texts[0]), s->head.digest);
}

static uint64_t new_set(struct saving *s)
{
    return checkpoint_set(s->launch, s->rank, ++s->n_sets);
}

static void tell(const struct saving *s, const char *what, const struct gm_error *why)
{
    log_note("%s[%" PRIu64 "]: %s: %s", stage_of(s)->name, s->a->task, what, why->text);
}

/* loading */

struct loading {
    struct gm_loader face;
    struct saving *s;
    struct checkpoint first;
    const struct checkpoint_seal *seals; /* of all ranks' files; NULL: one file is all */
    struct checkpoint *others;           /* [n_ranks], those that were asked for */
    char **bytes;                        /* of them */
};

static int open_other(struct loading *l, uint32_t rank, struct gm_error *err)
{
    struct checkpoint_head want = l->first.head;
    size_t len = 0;
    want.rank = rank;
    if (l->bytes[rank] != NULL)
        return 0;
    int rc = checkpoint_read(l->s->folder, &want, &l->bytes[rank], &len, err);
    if (rc == 0)
        rc = checkpoint_parse(l->bytes[rank], len, &want, &l->others[rank], err);
    const struct checkpoint_seal *have = &l->others[rank].seal, *said = &l->seals[rank];
    if (rc == 0 && (have->nbytes != said->nbytes || have->crc != said->crc))
        rc = gm_fail(err, -EINVAL, "the file of rank %u is of another save", rank);
    return rc;
}

static int get_part(const struct gm_loader *face,
                    uint32_t rank,
                    unsigned part,
                    const void **ret,
                    size_t *ret_nbytes,
                    struct gm_error *err)
{
    struct loading *l = face->impl;
    const struct checkpoint *from = &l->first;
    if (rank >= face->n_ranks ||
        (rank > 0 && (l->seals == NULL || l->seals[rank].nbytes == 0)))
        return gm_fail(err, -ENOENT, "rank %u has no state", rank);
    int rc = rank > 0 ? open_other(l, rank, err) : 0;
    if (rc < 0)
        return rc;
    from = rank > 0 ? &l->others[rank] : from;
    const struct result_record *r = checkpoint_find(from, CHECKPOINT_PART, part);
    if (r == NULL)
        return gm_fail(err, -ENOENT, "rank %u has no part %u", rank, part);
    *ret = r->data;
    *ret_nbytes = r->nbytes;
    return 0;
}

/* What the first rank's file says of the others'. */
static int take_seals(struct loading *l, struct gm_error *err)
{
    uint32_t n = l->first.head.n_ranks;
    const struct result_record *r = checkpoint_find(&l->first, CHECKPOINT_FILES, 0);
    l->face.n_ranks = n;
    if (r == NULL)
        return 0;
    if (r->nbytes != n * sizeof(*l->seals))
        return gm_fail(err, -EINVAL, "the file is damaged: its list of files is no list");
    l->seals = r->data;
    l->others = xcalloc(n, sizeof(*l->others));
    l->bytes = xcalloc(n, sizeof(*l->bytes));
    return 0;
}

static void loading_clear(struct loading *l)
{
    for (uint32_t i = 0; l->others != NULL && i < l->face.n_ranks; i++) {
        checkpoint_clear(&l->others[i]);
        free(l->bytes[i]);
    }
    free(l->others);
    free(l->bytes);
    checkpoint_clear(&l->first);
}

/* The last rank beside the first that has a file, and one. */
static uint32_t count_files(const struct checkpoint_seal *seals, uint32_t n_ranks)
{
    uint32_t n = seals != NULL ? n_ranks : 1;
    while (n > 1 && seals[n - 1].nbytes == 0)
        n--;
    return n;
}

static int one_code(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    (void)i;
    (void)err;
    *(int64_t *)out = *(const int *)ctx < 0;
    return 0;
}

/* How many ranks of the group failed; < 0: the group is not whole. */
static int count_failed(const struct gm_comm *c, int code, struct gm_error *err)
{
    int64_t failed = 0;
    if (c->n_ranks == 1)
        return code < 0;
    int rc = c->sum(c, GM_I64, c->n_ranks, c->rank, 1, 1, one_code, &code, &failed, err);
    return rc < 0 ? rc : (int)failed;
}

/* The attempt goes on from where the checkpoint was. */
static int take_over(struct saving *s, const struct loading *l, struct gm_error *err)
{
    const struct checkpoint *c = &l->first;
    int rc = 0;
    for (unsigned i = 0; leads(s) && rc == 0 && i < c->n; i++) {
        if (c->records[i].kind == RESULT_OUTPUT || c->records[i].kind == RESULT_SERIES)
            rc = parcel_add(s->parcel, &c->records[i], err);
    }
    s->step = s->continued = c->head.step;
    s->set = c->head.set;
    s->n_files = count_files(l->seals, l->face.n_ranks);
    return rc;
}

/* The bytes of the first rank's file are here, on all ranks. */
static int
load_bytes(struct saving *s, const char *bytes, size_t len, struct gm_error *err)
{
    struct loading l = {.s = s};
    struct gm_error why = {0};
    struct checkpoint_head want = s->head;
    want.rank = 0;
    int rc = checkpoint_parse(bytes, len, &want, &l.first, &why);
    if (rc == 0)
        rc = take_seals(&l, &why);
    l.face.size = sizeof(l.face);
    l.face.impl = &l;
    l.face.get = get_part;
    if (rc == 0)
        rc = stage_of(s)->kernel->load(s->a->opened->self, &l.face, &why);
    int failed = count_failed(s->comm, rc, err), end = failed < 0 ? failed : 1;
    if (failed > 0) {
        if (rc == 0)
            (void)gm_fail(&why, -EINVAL, "another rank of its group could not load it");
        if (leads(s)) {
            tell(s, "its checkpoint is not used, it starts anew", &why);
            checkpoint_remove(s->folder, &want);
        }
        end = -ESTALE;
    } else if (failed == 0) {
        rc = take_over(s, &l, err);
        end = rc < 0 ? rc : 1;
    }
    loading_clear(&l);
    return end;
}

/* The first rank reads, and all have its bytes: what another host sees of the folder may
 * be old. */
static int load_newest(struct saving *s, struct gm_error *err)
{
    AUTO_FREE(char) bytes = NULL;
    struct gm_error why = {0};
    size_t len = 0;
    uint64_t has = 0;
    const struct gm_comm *c = s->comm;
    if (leads(s)) {
        int rc = checkpoint_read(s->folder, &s->head, &bytes, &len, &why);
        if (rc < 0 && rc != -ENOENT)
            tell(s, "its checkpoint cannot be read, it starts anew", &why);
        has = rc == 0 && len > 0 ? len : 0;
    }
    int rc = c->n_ranks > 1 ? c->bcast(c, 0, &has, sizeof(has), err) : 0;
    if (rc < 0 || has == 0)
        return rc;
    if (bytes == NULL && (bytes = malloc(has)) == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a checkpoint of %" PRIu64 " bytes", has);
    for (uint64_t at = 0; rc == 0 && c->n_ranks > 1 && at < has; at += PIECE)
        rc = c->bcast(c, 0, bytes + at, has - at < PIECE ? has - at : PIECE, err);
    return rc < 0 ? rc : load_bytes(s, bytes, has, err);
}

void saving_open(struct saving *s, const struct attempt *a, struct parcel *parcel)
{
    s->a = a;
    s->comm = comm_face(a->comm);
    s->parcel = parcel;
    s->head = (struct checkpoint_head){.stage = a->stage,
                                       .task = a->task,
                                       .rank = s->comm->rank,
                                       .n_ranks = s->comm->n_ranks};
    s->step = s->continued = s->set = 0;
    s->n_files = 1;
    s->steps = s->asked = 1;
}

int saving_load(struct saving *s, const char *varying, struct gm_error *err)
{
    set_digest(s, varying);
    s->interval = stage_of(s)->checkpoint;
    comm_shield(s->a->comm, GRACE_SHARE * s->spec->grace);
    int rc = load_newest(s, err);
    s->spoken = clock_monotonic();
    s->due = s->spoken + s->interval;
    return rc;
}

/* saving */

struct writing {
    struct gm_saver face;
    struct saving *s;
    struct checkpoint_file *file; /* made at the first part, where no file is needed */
    int rc;                       /* the first failure; told by the rank that has it */
    struct gm_error why;
};

static int write_record(struct writing *w, const struct result_record *r)
{
    struct saving *s = w->s;
    if (w->rc == 0 && w->file == NULL)
        w->rc = checkpoint_create(s->folder, &s->head, &w->file, &w->why);
    if (w->rc == 0)
        w->rc = checkpoint_put(w->file, r, &w->why);
    return w->rc;
}

static int put_part(const struct gm_saver *face,
                    unsigned part,
                    const void *data,
                    size_t nbytes,
                    struct gm_error *err)
{
    struct writing *w = face->impl;
    const struct result_record r = {.kind = CHECKPOINT_PART,
                                    .index = part,
                                    .dtype = GM_U8,
                                    .ndim = 1,
                                    .dims = {nbytes},
                                    .data = data,
                                    .nbytes = nbytes};
    int rc = write_record(w, &r);
    return rc < 0 ? gm_fail(err, rc, "%s", w->why.text) : 0;
}

static int put_output(void *ctx, const struct result_record *r)
{
    bool counts = r->kind == RESULT_OUTPUT || r->kind == RESULT_SERIES;
    return counts ? write_record(ctx, r) : 0;
}

/* This rank's file: all of it but its name, on the first rank. */
static void write_own(struct writing *w, struct checkpoint_seal *ret)
{
    struct saving *s = w->s;
    struct gm_error why = {0};
    int rc = stage_of(s)->kernel->save(s->a->opened->self, &w->face, &why);
    if (rc < 0 && w->rc == 0) {
        w->rc = rc;
        w->why = why;
    }
    if (leads(s))
        (void)parcel_each(s->parcel, put_output, w);
    if (leads(s) || w->file == NULL || w->rc < 0)
        return;
    w->rc = checkpoint_keep(steal(&w->file), ret, &w->why);
}

struct sealing {
    uint32_t rank, n_ranks;
    int64_t failed;
    struct checkpoint_seal own;
};

/* Leaf i is what rank i says: whether it failed, and where its seal stands of all. */
static int seal_leaf(void *ctx, uint64_t i, void *out, struct gm_error *err)
{
    const struct sealing *s = ctx;
    int64_t *to = out;
    (void)err;
    memset(to, 0, (1 + 2 * (size_t)s->n_ranks) * sizeof(*to));
    to[0] = s->failed;
    to[1 + 2 * i] = (int64_t)s->own.nbytes;
    to[2 + 2 * i] = (int64_t)s->own.crc;
    return 0;
}

/* All ranks' seals, on all ranks; *ret_failed says how many failed. */
static int share_seals(const struct saving *s,
                       const struct writing *w,
                       const struct checkpoint_seal *own,
                       int64_t *ret,
                       struct gm_error *err)
{
    const struct gm_comm *c = s->comm;
    struct sealing mine = {
        .rank = c->rank, .n_ranks = c->n_ranks, .failed = w->rc < 0, .own = *own};
    size_t n = 1 + 2 * (size_t)c->n_ranks;
    if (c->n_ranks == 1)
        return seal_leaf(&mine, 0, ret, err);
    return c->sum(c, GM_I64, c->n_ranks, c->rank, 1, n, seal_leaf, &mine, ret, err);
}

/* The first rank's file gets its name, and that is the checkpoint. */
static void commit_set(struct writing *w, const struct checkpoint_seal *seals)
{
    struct saving *s = w->s;
    struct checkpoint_seal own;
    struct checkpoint_head old = s->head;
    uint32_t n = s->comm->n_ranks;
    const struct result_record list = {.kind = CHECKPOINT_FILES,
                                       .dtype = GM_U8,
                                       .ndim = 1,
                                       .dims = {n * sizeof(*seals)},
                                       .data = seals,
                                       .nbytes = n * sizeof(*seals)};
    uint32_t n_files = count_files(seals, n), n_old = s->n_files;
    old.set = s->set;
    if (w->rc == 0 && n > 1)
        w->rc = write_record(w, &list);
    if (w->rc == 0)
        w->rc = checkpoint_keep(steal(&w->file), &own, &w->why);
    if (w->rc < 0) {
        old = s->head;
        n_old = n_files;
    } else {
        s->set = s->head.set;
        s->n_files = n_files;
    }
    checkpoint_remove_ranks(s->folder, &old, n_old);
}

static void tell_failure(struct saving *s, const struct gm_error *why)
{
    if (!s->told_save)
        tell(s, "a checkpoint could not be saved, the task goes on", why);
    s->told_save = true;
}

/* One checkpoint, by all ranks of the group. < 0: the group is not whole. A failure to
 * write is told, and changes nothing. */
static int save(struct saving *s, uint64_t set, struct gm_error *err)
{
    struct writing w = {.s = s};
    struct checkpoint_seal own = {0};
    double start = clock_monotonic();
    size_t n = s->comm->n_ranks;
    AUTO_FREE(int64_t) all = xcalloc(1 + 2 * n, sizeof(*all));
    w.face = (struct gm_saver){.size = sizeof(w.face), .impl = &w, .put = put_part};
    s->head.set = set;
    s->head.step = s->step;
    write_own(&w, &own);
    int rc = share_seals(s, &w, &own, all, err);
    bool whole = rc == 0 && all[0] == 0;
    if (whole && leads(s))
        commit_set(&w, (const struct checkpoint_seal *)(all + 1));
    if (w.rc < 0)
        tell_failure(s, &w.why);
    checkpoint_drop(w.file);
    if (!whole && own.nbytes > 0)
        checkpoint_remove(s->folder, &s->head);
    double now = clock_monotonic(), took = now - start;
    s->interval =
        took > SHARE * stage_of(s)->checkpoint ? took / SHARE : stage_of(s)->checkpoint;
    s->due = now + s->interval;
    return rc;
}

static int stopped(struct saving *s, struct gm_error *err)
{
    comm_stop(s->a->comm);
    return gm_fail(err, -ECANCELED, "asked to stop");
}

/* How many steps fit between two words. */
static uint64_t steps_until(struct saving *s, double now)
{
    double each = stage_of(s)->checkpoint;
    double want = each < TOGETHER ? each : TOGETHER, took = now - s->spoken;
    double fit = (double)s->asked * want / (took > 1e-9 ? took : 1e-9);
    double most = 4.0 * (double)s->asked;
    fit = fit < most ? fit : most;
    return fit < 1 ? 1 : fit > (double)MOST_STEPS ? MOST_STEPS : (uint64_t)fit;
}

/* All stand between the same two steps. */
static int speak(struct saving *s, struct gm_error *err)
{
    struct saving_word word = {.what = WORD_GO};
    if (leads(s)) {
        double now = clock_monotonic();
        word.what = pulse_stopping(s->a->pulse) ? WORD_LAST
                    : now >= s->due             ? WORD_SAVE
                                                : WORD_GO;
        word.set = word.what != WORD_GO ? new_set(s) : 0;
        word.steps = steps_until(s, now);
    }
    int rc = s->comm->bcast(s->comm, 0, &word, sizeof(word), err);
    if (rc == 0 && word.what != WORD_GO)
        rc = save(s, word.set, err);
    if (rc < 0)
        return rc;
    s->steps = s->asked = word.steps;
    s->spoken = clock_monotonic();
    return word.what == WORD_LAST ? stopped(s, err) : 1;
}

int saving_between(struct saving *s, struct gm_error *err)
{
    s->step++;
    if (s->comm->n_ranks > 1)
        return --s->steps > 0 ? 1 : speak(s, err);
    bool stop = pulse_stopping(s->a->pulse);
    if (!stop && clock_monotonic() < s->due)
        return 1;
    int rc = save(s, new_set(s), err);
    if (rc < 0)
        return rc;
    return stop ? stopped(s, err) : 1;
}

uint64_t saving_end(struct saving *s)
{
    comm_shield(s->a->comm, 0);
    return s->continued;
}

void saving_settle(struct saving *s, struct writer *writer, bool done)
{
    struct checkpoint_head which = s->head;
    which.set = s->set;
    if (done && s->set != 0)
        writer_spent(writer, &which, s->n_files);
    if (done)
        return;
    checkpoint_remove(s->folder, &which);
    checkpoint_remove_ranks(s->folder, &which, s->n_files);
}
