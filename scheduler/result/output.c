/* See output.h. Invariant: FILE is whole or not there: all is written to FILE.tmp, which
 * is closed, synced by all who wrote to it and renamed as the last act; after a failure
 * it is removed. */
#include "output.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "bulk.h"
#include "parts.h"
#include "reserve.h"
#include <fcntl.h>
#include <sys/stat.h>

struct batch { /* what a member wants places for */
    uint32_t n, done;
    int32_t rc;
    uint32_t reserved;
    struct output_held held[OUTPUT_BATCH];
};

static int write_at(int fd,
                    const void *data,
                    size_t n,
                    uint64_t address,
                    const char *path,
                    struct gm_error *err)
{
    const unsigned char *at = data;
    while (n > 0) {
        ssize_t now = pwrite(fd, at, n, (off_t)address);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0) {
            int code = now < 0 ? -errno : -EIO;
            return gm_fail(err, code, "%s: %s", path, strerror(-code));
        }
        at += now;
        address += (uint64_t)now;
        n -= (size_t)now;
    }
    return 0;
}

/* Rank 0 takes the folder for the parts. */
static int create_part(struct output *o, struct gm_error *err)
{
    int rc = o->team->rank == 0 ? parts_take(o->path, &o->generation, err) : 0;
    rc = team_agree(o->team, rc, err);
    if (rc == 0)
        rc = team_share(o->team, &o->generation, sizeof(o->generation), err);
    if (rc != 0)
        return rc;
    const char *base = strrchr(o->path, '/');
    str_printf(&o->parts,
               "%s.parts/%u",
               base != NULL ? base + 1 : o->path,
               (unsigned)o->generation);
    str_printf(&o->part,
               "%s.parts/%u.tmp/part-%05u.h5",
               o->path,
               (unsigned)o->generation,
               o->team->rank);
    return reserve_create(o->part.text, &o->part_why, &o->part_file, err);
}

static int create_file(struct output *o, struct gm_error *err)
{
    if (o->team->rank != 0)
        return 0;
    (void)unlink(o->tmp.text); /* a member of a pack that failed may still write to it */
    return reserve_create(o->tmp.text, &o->why, &o->file, err);
}

int output_create(const struct output_options *opt,
                  struct output *ret,
                  struct gm_error *err)
{
    struct output *o = ret;
    *o = (struct output){.team = opt->team,
                         .path = opt->file,
                         .file = -1,
                         .part_file = -1,
                         .fd = -1,
                         .gzip = opt->gzip,
                         .sharded = opt->sharded};
    str_printf(&o->tmp, "%s.tmp", opt->file);
    int rc = team_agree(o->team, create_file(o, err), err);
    if (rc == 0 && o->sharded)
        rc = team_agree(o->team, create_part(o, err), err);
    if (rc == 0 && o->team->n > 1 && !o->sharded) {
        o->fd = open(o->tmp.text, O_WRONLY | O_CLOEXEC);
        if (o->fd < 0) {
            rc = -errno;
            (void)gm_fail(err, rc, "%s: %s", o->tmp.text, strerror(-rc));
        }
        rc = team_agree(o->team, rc, err);
    }
    return rc;
}

/* Rank 0: a place for each chunk that the members hold; UINT64_MAX from the first that
 * gets none. */
static int give_places(struct output *o,
                       const struct batch *all,
                       uint64_t *places,
                       struct gm_error *err)
{
    int rc = 0;
    for (unsigned m = 0; m < o->team->n; m++) {
        for (unsigned i = 0; i < all[m].n; i++) {
            const struct output_held *h = &all[m].held[i];
            uint64_t *place = &places[m * OUTPUT_BATCH + i];
            *place = UINT64_MAX;
            if (rc != 0)
                continue;
            hsize_t offset[GM_MAX_DIMS + 1];
            const struct bulk *b = o->sets[h->set];
            bulk_place(b, h->chunk, offset);
            rc = reserve_chunk(o->file, b->set, offset, h->nbytes, place, err);
            if (rc != 0)
                (void)gm_prefix(err, "%s", b->name);
        }
    }
    return rc;
}

static int write_held(struct output *o, const uint64_t *places, struct gm_error *err)
{
    size_t at = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < o->n_held; i++) {
        uint32_t n = o->held[i].nbytes;
        if (places[i] == UINT64_MAX)
            return gm_fail(err, -EIO, "no place for a chunk");
        rc = write_at(o->fd, o->bytes.text + at, n, places[i], o->path, err);
        at += n;
    }
    return rc;
}

/* Collective. *ret_all_done: every member said done. A member's failure is its own until
 * output_settle. */
static int
round_of(struct output *o, int rc, bool done, bool *ret_all_done, struct gm_error *err)
{
    const struct team *t = o->team;
    struct batch mine = {.n = o->n_held, .done = done, .rc = rc};
    memcpy(mine.held, o->held, o->n_held * sizeof(o->held[0]));
    AUTO_FREE(struct batch) all = xcalloc(t->n, sizeof(*all));
    AUTO_FREE(uint64_t) places = xcalloc(t->n, OUTPUT_BATCH * sizeof(*places));
    int failed = team_gather(t, &mine, sizeof(mine), all, err);
    *ret_all_done = true;
    for (unsigned i = 0; failed == 0 && i < t->n; i++)
        *ret_all_done &= all[i].done != 0;
    if (failed == 0 && t->rank == 0) {
        int given = give_places(o, all, places, rc == 0 ? err : NULL);
        rc = rc == 0 ? given : rc;
    }
    failed = failed == 0
                 ? team_share(t, places, t->n * OUTPUT_BATCH * sizeof(*places), err)
                 : failed;
    if (failed != 0) { /* a member is lost: no more rounds */
        *ret_all_done = true;
        return failed;
    }
    rc = rc == 0 ? write_held(o, places + t->rank * OUTPUT_BATCH, err) : rc;
    o->n_held = 0;
    o->bytes.len = 0;
    return rc;
}

static int hold(struct output *o,
                const struct bulk *b,
                uint64_t chunk,
                const void *data,
                uint32_t nbytes,
                struct gm_error *err)
{
    bool unused;
    o->held[o->n_held++] =
        (struct output_held){.set = b->id, .nbytes = nbytes, .chunk = chunk};
    str_add_n(&o->bytes, data, nbytes);
    return o->n_held == OUTPUT_BATCH ? round_of(o, 0, false, &unused, err) : 0;
}

int output_put(struct output *o,
               struct bulk *b,
               uint64_t chunk,
               const void *data,
               uint32_t nbytes,
               struct gm_error *err)
{
    int rc = 0;
    if (o->fd < 0) {
        hsize_t offset[GM_MAX_DIMS + 1];
        bulk_place(b, chunk, offset);
        if (o->sharded) /* the part begins with this member's first row */
            offset[0] -= b->first;
        if (H5Dwrite_chunk(b->set, H5P_DEFAULT, 0, offset, nbytes, data) < 0)
            rc = h5_fail(err, "%s", b->name);
        rc = rc == 0 ? output_check(o, err) : rc;
    } else if (b->places != NULL) {
        rc = write_at(
            o->fd, data, nbytes, b->places[chunk - b->places_first], o->path, err);
    } else {
        rc = hold(o, b, chunk, data, nbytes, err);
    }
    return rc;
}

int output_check(const struct output *o, struct gm_error *err)
{
    int rc = reserve_check(o->why, o->path, err);
    return rc == 0 ? reserve_check(o->part_why, o->part.text, err) : rc;
}

int output_settle(struct output *o, int rc, struct gm_error *err)
{
    rc = rc == 0 ? output_check(o, err) : rc;
    bool done = o->fd < 0;
    while (!done)
        rc = round_of(o, rc, true, &done, rc == 0 ? err : NULL);
    return rc == -EOWNERDEAD ? rc : team_agree(o->team, rc, err);
}

static int sync_path(const char *path, int flags, struct gm_error *err)
{
    AUTO_FD fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", path, strerror(-code));
    }
    return 0;
}

/* What this member wrote is on the disk. */
static int close_own(struct output *o, int rc, struct gm_error *err)
{
    if (o->fd >= 0 && rc == 0 && fsync(o->fd) != 0) {
        rc = -errno;
        (void)gm_fail(err, rc, "%s: %s", o->path, strerror(-rc));
    }
    if (o->fd >= 0 && close(o->fd) != 0 && rc == 0) { /* NFS tells of a full disk here */
        rc = -errno;
        (void)gm_fail(err, rc, "%s: %s", o->path, strerror(-rc));
    }
    if (o->part_file >= 0) {
        rc = reserve_close(&o->part_file, &o->part_why, rc, o->part.text, err);
        rc = rc == 0 ? sync_path(o->part.text, O_RDONLY, err) : rc;
    }
    return rc;
}

/* Rank 0: closed, on the disk, under its name; the parts of the file that had that name
 * go. */
static int rename_file(struct output *o, int rc, struct gm_error *err)
{
    rc = reserve_close(&o->file, &o->why, rc, o->path, err);
    rc = rc == 0 ? sync_path(o->tmp.text, O_RDONLY, err) : rc;
    if (rc == 0 && o->sharded)
        rc = parts_name(o->path, o->generation, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(char) dir = file_dirname(o->path);
    AUTO_FREE(char) before = parts_of(o->path, o->path);
    if (rename(o->tmp.text, o->path) != 0) {
        rc = -errno;
        return gm_fail(err, rc, "%s: %s", o->path, strerror(-rc));
    }
    /* Some file systems cannot sync a folder; the file itself is safe. */
    (void)sync_path(dir, O_RDONLY | O_DIRECTORY, NULL);
    if (before != NULL)
        (void)file_remove_tree(before, NULL);
    return 0;
}

int output_finish(struct output *o, int rc, struct gm_error *err)
{
    rc = close_own(o, rc, err);
    if (rc != -EOWNERDEAD)
        rc = team_agree(o->team, rc, err);
    if (o->file >= 0)
        rc = rename_file(o, rc, err);
    if (rc != 0 && o->team->rank == 0)
        (void)unlink(o->tmp.text);
    if (rc != 0 && rc != -EOWNERDEAD && o->part.len > 0 && o->team->rank == 0)
        parts_drop(o->path, o->generation); /* else others may still write there */
    if (rc != -EOWNERDEAD)
        rc = team_agree(o->team, rc, err);
    str_free(&o->tmp);
    str_free(&o->part);
    str_free(&o->parts);
    str_free(&o->bytes);
    free(o->sets);
    return rc;
}
