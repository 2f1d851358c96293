/* See pack.h. Invariant: FILE is whole or not there: everything is written to FILE.tmp,
 * which is closed, synced and renamed as the last act; after a failure it is removed.
 * Memory does not grow with the results' bytes: values pass through fixed buffers. */
#include "pack.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "h5.h"
#include "packing.h"
#include <fcntl.h>
#include <sys/stat.h>

static const char *const reserved[][2] = {
    {"telemetry", "reserved: what was measured of the machine while the job ran"},
    {"receipt", "reserved: how well the machine was used"},
};

/* The groups that job.h5 already has as they are in the final file. */
static int copy_head(hid_t from, hid_t to, struct gm_error *err)
{
    static const char *const groups[] = {"job", "hosts", "stages"};
    int rc = h5_put_text(to, "schema", RESULTS_SCHEMA, err);
    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        if (H5Ocopy(from, groups[i], to, groups[i], H5P_DEFAULT, H5P_DEFAULT) < 0)
            rc = h5_fail(err, "%s", groups[i]);
    }
    return rc;
}

static int put_end(hid_t file, const struct pack_options *opt, struct gm_error *err)
{
    if (!opt->complete)
        return 0;
    AUTO_ID job = -1;
    int rc = h5_open_group(file, "job", &job, err);
    rc = rc == 0 ? h5_put_f64(job, "end", opt->end, err) : rc;
    return rc == 0 ? h5_put_text(
                         job, "outcome", opt->outcome != NULL ? opt->outcome : "", err)
                   : rc;
}

/* The stages' rows of /tasks, in order; a stage that was not asked for has none. */
static void number_rows(struct packing *p, const struct idset *stages)
{
    uint64_t row = 0;
    for (unsigned s = 0; s < p->head->n_stages; s++) {
        bool wanted = stages == NULL || idset_has(stages, s);
        p->first[s] = row;
        p->n[s] = wanted ? p->head->stages[s].n_tasks : 0;
        row += p->n[s];
    }
    p->n_rows = row;
}

static int write_all(struct packing *p,
                     hid_t head_file,
                     const struct pack_options *opt,
                     struct gm_error *err)
{
    int rc = copy_head(head_file, p->file, err);
    rc = rc == 0 ? put_end(p->file, opt, err) : rc;
    rc = rc == 0 ? packing_ranks(p, err) : rc;
    rc = rc == 0 ? packing_tasks(p, err) : rc;
    rc = rc == 0 ? packing_attempts(p, err) : rc;
    rc = rc == 0 ? packing_values(p, err) : rc;
    for (unsigned i = 0; rc == 0 && i < 2; i++) {
        AUTO_ID group = -1;
        rc = h5_group(p->file, reserved[i][0], reserved[i][1], &group, err);
    }
    return rc;
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

/* Closed, on the disk, under its name. */
static int finish(const char *tmp, const char *path, struct gm_error *err)
{
    int rc = sync_path(tmp, O_RDONLY, err);
    if (rc == 0 && rename(tmp, path) != 0) {
        rc = -errno;
        (void)gm_fail(err, rc, "%s: %s", path, strerror(-rc));
    }
    AUTO_FREE(char) dir = file_dirname(path);
    if (rc == 0) /* some file systems cannot sync a folder; the file itself is safe */
        (void)sync_path(dir, O_RDONLY | O_DIRECTORY, NULL);
    return rc;
}

static int write_file(struct packing *p,
                      hid_t head_file,
                      const struct pack_options *opt,
                      struct gm_error *err)
{
    AUTO_STR tmp = {0};
    str_printf(&tmp, "%s.tmp", opt->file);
    int rc = h5_create(tmp.text, &p->file, err);
    if (rc != 0)
        return rc;
    rc = write_all(p, head_file, opt, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", opt->file);
    int closed = h5_close(&p->file, opt->file, rc == 0 ? err : NULL);
    rc = rc == 0 ? closed : rc;
    rc = rc == 0 ? finish(tmp.text, opt->file, err) : rc;
    if (rc != 0)
        (void)unlink(tmp.text);
    return rc;
}

int pack_run(const struct pack_options *opt, struct gm_error *err)
{
    h5_begin();
    AUTO_STR path = {0};
    AUTO_ID head_file = -1;
    struct head head = {0};
    str_printf(&path, "%s/job.h5", opt->folder);
    int rc = h5_open(path.text, H5F_ACC_RDONLY, &head_file, err);
    if (rc != 0)
        return rc;
    rc = head_load(head_file, &head, err);
    if (rc != 0) {
        (void)gm_prefix(err, "%s", path.text);
        return rc;
    }
    struct packing p = {.head = &head, .file = -1};
    p.first = xcalloc(head.n_stages + 1u, sizeof(*p.first));
    p.n = xcalloc(head.n_stages + 1u, sizeof(*p.n));
    number_rows(&p, opt->stages);
    rc = shards_open(opt->folder, &head, &p.shards, err);
    rc = rc == 0 ? write_file(&p, head_file, opt, err) : rc;
    shards_close(p.shards);
    free(p.first);
    free(p.n);
    head_free(&head);
    return rc;
}
