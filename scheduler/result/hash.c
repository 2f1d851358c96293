/* See hash.h and docs/design/results.md, "The result hash". Invariant: every field goes
 * in with its length in front, so that no two results give the same bytes; nothing goes
 * in that depends on who computed, when, in how many attempts, or where it is stored. */
#include "hash.h"
#include "base/auto.h"
#include "base/memory.h"
#include "read.h"
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define HASH_VERSION "gridmill.result-hash/1"

struct sum {
    struct reader *r;
    crypto_hash_sha256_state state;
    unsigned char *buf; /* for one value */
    size_t room;
};

static void hex(const unsigned char digest[crypto_hash_sha256_BYTES], char ret[65])
{
    (void)sodium_bin2hex(ret, 65, digest, crypto_hash_sha256_BYTES);
}

void hash_bytes(const void *data, size_t len, char ret_hex[65])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, data, len);
    hex(digest, ret_hex);
}

int hash_file(const char *path, char ret_hex[65], struct gm_error *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    static const size_t piece = 1u << 20;
    AUTO_FREE(unsigned char) buf = xcalloc(piece, 1);
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    ssize_t n = fd >= 0 ? 1 : -1;
    while (n > 0 || (n < 0 && fd >= 0 && errno == EINTR)) {
        n = read(fd, buf, piece);
        if (n > 0)
            (void)crypto_hash_sha256_update(&state, buf, (size_t)n);
    }
    if (n < 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", path, strerror(-code));
    }
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_final(&state, digest);
    hex(digest, ret_hex);
    return 0;
}

static void add_number(struct sum *s, uint64_t v)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    (void)crypto_hash_sha256_update(&s->state, bytes, sizeof(bytes));
}

static void add_bytes(struct sum *s, const void *data, uint64_t len)
{
    add_number(s, len);
    if (len > 0)
        (void)crypto_hash_sha256_update(&s->state, data, len);
}

static void add_text(struct sum *s, const char *text)
{
    add_bytes(s, text, strlen(text));
}

static int read_into(struct sum *s, const struct source_value *v, struct gm_error *err)
{
    if (v->nbytes > s->room) {
        unsigned char *buf = realloc(s->buf, v->nbytes);
        if (buf == NULL)
            return gm_fail(err, -ENOMEM, "no memory for a value of the results");
        s->buf = buf;
        s->room = v->nbytes;
    }
    return v->nbytes > 0 ? read_bytes(s->r, v, s->buf, err) : 0;
}

/* The computed outputs that a task has: how many, then each one. */
static int add_outputs(struct sum *s, unsigned stage, uint64_t task, struct gm_error *err)
{
    const struct reader_stage *st = &read_head(s->r)->stages[stage];
    for (unsigned i = 0; i < st->n_outputs; i++) {
        const struct reader_output *o = &st->outputs[i];
        uint32_t kind = (o->flags & GM_SERIES) != 0 ? RESULT_SERIES : RESULT_OUTPUT;
        struct source_value v;
        if ((o->flags & GM_MEASURED) != 0)
            continue;
        int rc = read_find(s->r, stage, task, kind, i, &v, err);
        if (rc == -ENOENT)
            continue;
        rc = rc == 0 ? read_into(s, &v, err) : rc;
        if (rc != 0)
            return rc;
        add_text(s, o->name);
        add_text(s, gm_dtype_name(v.dtype));
        add_number(s, v.ndim);
        for (uint32_t d = 0; d < v.ndim; d++)
            add_number(s, v.dims[d]);
        add_bytes(s, s->buf, v.nbytes);
    }
    add_text(s, ""); /* no output has this name: the end */
    return 0;
}

static int add_task(struct sum *s, unsigned stage, uint64_t task, struct gm_error *err)
{
    struct reader_task t;
    struct source_value v = {0};
    int rc = reader_task(s->r, stage, task, &t, err);
    if (rc != 0)
        return rc;
    rc = read_find(s->r, stage, task, RESULT_PARAMS, 0, &v, err);
    if (rc == 0)
        rc = read_into(s, &v, err);
    else if (rc == -ENOENT)
        rc = 0;
    if (rc != 0)
        return rc;
    add_number(s, task);
    add_bytes(s, s->buf, v.nbytes);
    add_number(s, t.status);
    add_number(s, (uint64_t)(int64_t)t.exit_code);
    return add_outputs(s, stage, task, err);
}

static int add_stage(struct sum *s, unsigned stage, struct gm_error *err)
{
    const struct reader_stage *st = &read_head(s->r)->stages[stage];
    add_text(s, st->name);
    add_text(s, st->kernel);
    add_text(s, st->identity);
    add_number(s, st->n_tasks);
    int rc = 0;
    for (uint64_t task = 0; rc == 0 && task < st->n_tasks; task++)
        rc = add_task(s, stage, task, err);
    return rc;
}

int hash_results(struct reader *r, char ret_hex[65], struct gm_error *err)
{
    struct sum s = {.r = r};
    (void)crypto_hash_sha256_init(&s.state);
    add_text(&s, HASH_VERSION);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < reader_n_stages(r); i++)
        rc = add_stage(&s, i, err);
    free(s.buf);
    if (rc != 0)
        return rc;
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_final(&s.state, digest);
    hex(digest, ret_hex);
    return 0;
}
