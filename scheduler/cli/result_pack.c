/* gridmill result pack: one file of an unfinished run's shards, or of a results file
 * again, without a launch. Invariant: with -o only OUT is written; without it the run is
 * taken as a resume would take it, so that no rank of it can write any more. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/folder.h"
#include "engine/summary.h"
#include "flat.h"
#include "result/pack.h"
#include "result/reader.h"
#include "result/unpack.h"
#include "result_parts.h"
#include "say.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

struct packing {
    const struct cli *cli;
    char *file, *folder; /* FILE, FILE.gm */
    const char *out;     /* -o; NULL: FILE */
    struct plan *plan;   /* the folder's; NULL: there is none */
    struct summary *summary;
    char *outcome; /* with `end`, as a file says them; NULL: what the tasks came to */
    double end;
    bool gzip, sharded;
};

static bool is_there(const char *folder, const char *name)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/%s", folder, name);
    return file_exists(path.text);
}

/* FILE and its folder, whichever of the two was named. */
static void name_both(struct packing *p, const char *given)
{
    size_t len = strlen(given);
    while (len > 1 && given[len - 1] == '/')
        len--;
    AUTO_STR file = {0};
    AUTO_STR folder = {0};
    str_add_n(&file, given, len);
    if (len > 3 && strcmp(file.text + len - 3, ".gm") == 0 &&
        is_there(file.text, "plan.json"))
        file.text[len - 3] = '\0';
    p->file = file_absolute(NULL, file.text);
    str_printf(&folder, "%s.gm", p->file);
    p->folder = str_steal(&folder);
}

/* The job's canonical form; the caller's. NULL: nothing tells it. */
static char *canonical_of(const struct packing *p)
{
    AUTO(reader) r = NULL;
    const char *text = NULL;
    if (p->plan != NULL)
        text = p->plan->canonical;
    else if (reader_open(p->file, &r, NULL) == 0)
        text = reader_job_text(r, "canonical");
    return text != NULL ? xstrdup(text) : NULL;
}

/* How the job wants its results; --compress is stronger. */
static void read_wishes(struct packing *p)
{
    AUTO_FREE(char) canonical = canonical_of(p);
    static const char front[] = "attributes.user.gridmill.results.";
    const char *compress = args_value(&p->cli->args, "compress");
    struct flat f = {0};
    flat_read(&f, canonical != NULL ? canonical : "");
    for (unsigned i = 0; i < f.n; i++) {
        const char *name = flat_name(&f, i);
        if (strncmp(name, front, sizeof(front) - 1) != 0)
            continue;
        name += sizeof(front) - 1;
        p->gzip |= strcmp(name, "compress") == 0 && strcmp(flat_text(&f, i), "gzip") == 0;
        p->sharded |=
            strcmp(name, "pack") == 0 && strcmp(flat_text(&f, i), "sharded") == 0;
    }
    flat_free(&f);
    if (compress != NULL)
        p->gzip = strcmp(compress, "gzip") == 0;
}

static int check_out(const struct packing *p, struct gm_error *err)
{
    const char *compress = args_value(&p->cli->args, "compress");
    if (compress != NULL && strcmp(compress, "gzip") != 0 &&
        strcmp(compress, "none") != 0)
        return gm_fail(err, -EINVAL, "--compress %s: must be gzip or none", compress);
    if (p->out != NULL && file_exists(p->out))
        return gm_fail(
            err, -EEXIST, "%s: is there already: remove it, or name another", p->out);
    return 0;
}

/* A run that is not over is packed into another file alone. */
static int check_over(const struct packing *p, struct gm_error *err)
{
    uint64_t over = summary_committed(p->summary), all = summary_tasks(p->summary);
    if (p->plan == NULL)
        return gm_fail(err,
                       -EALREADY,
                       "%s: is one file already; -o OUT packs it again into another",
                       p->file);
    if (over == all)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "%s: %" PRIu64 " of %" PRIu64 " tasks are over: gridmill resume %s "
                   "runs the rest, and -o OUT packs what there is",
                   p->folder,
                   over,
                   all,
                   p->file);
}

/* A file that is packed again ended when it did. */
static int read_end(struct packing *p, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    int rc = reader_open(p->file, &r, err);
    const char *outcome = rc == 0 ? reader_outcome(r, &p->end) : NULL;
    p->outcome = outcome != NULL ? xstrdup(outcome) : NULL;
    return rc;
}

static int load(struct packing *p, struct gm_error *err)
{
    AUTO_STR path = {0};
    bool unfinished = is_there(p->folder, "plan.json");
    int rc = 0;
    if (unfinished) {
        str_printf(&path, "%s/plan.json", p->folder);
        rc = plan_load(path.text, &p->plan, err);
    }
    if (rc == 0)
        rc = summary_load(unfinished ? p->folder : p->file, &p->summary, err);
    if (rc == 0)
        rc = check_out(p, err);
    if (rc == 0 && !unfinished)
        rc = read_end(p, err);
    return rc == 0 && p->out == NULL ? check_over(p, err) : rc;
}

/* A file has its own end, or none; a run that is over ended with its last task. */
static struct pack_options options_of(const struct packing *p, const char *folder)
{
    bool over = summary_committed(p->summary) == summary_tasks(p->summary);
    double last = summary_end(p->summary);
    struct pack_options opt = {.folder = folder,
                               .file = p->out != NULL ? p->out : p->file,
                               .complete = p->outcome != NULL,
                               .whole = over,
                               .end = p->end,
                               .outcome = p->outcome,
                               .gzip = p->gzip,
                               .sharded = p->sharded && p->out == NULL};
    if (p->plan == NULL)
        return opt;
    opt.complete = over;
    opt.end = last > 0 ? last : clock_unix();
    opt.outcome = summary_exit(p->summary) != ENGINE_DONE ? "failed" : "done";
    return opt;
}

static int write_summary(const char *file, struct gm_error *err)
{
    AUTO(summary) s = NULL;
    int rc = summary_load(file, &s, err);
    if (rc < 0)
        return rc;
    AUTO_FREE(char) json = summary_json(s);
    AUTO_FREE(char) path = summary_path(file);
    return file_write(path, json, strlen(json), err);
}

/* FILE of its own folder: as the last launch of the run would have made it. */
static int finish(const struct packing *p, struct gm_error *err)
{
    AUTO(folder) folder = NULL;
    unsigned char bytes[16];
    char id[2 * sizeof(bytes) + 1];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return gm_fail(err, -EIO, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    struct plan next = *p->plan; /* no rank of another launch has this id */
    next.id = id;
    next.launch++;
    next.results = p->file;
    next.folder = p->folder;
    int rc = folder_resume(&next, p->folder, &folder, err);
    struct pack_options opt = options_of(p, p->folder);
    if (rc == 0)
        rc = pack_run(&opt, err);
    if (rc == 0)
        rc = write_summary(p->file, err);
    return rc == 0 ? pack_clean(&opt, err) : rc;
}

/* A results file is first made into a folder again. */
static int repack(const struct packing *p, struct gm_error *err)
{
    AUTO_STR folder = {0};
    str_printf(&folder, "%s.XXXXXX", p->out);
    if (mkdtemp(folder.text) == NULL)
        return gm_fail(err, -errno, "%s: %s", folder.text, strerror(errno));
    struct pack_options opt = options_of(p, folder.text);
    int rc = unpack_run(p->file, folder.text, err);
    if (rc == 0)
        rc = pack_run(&opt, err);
    int removed = file_remove_tree(folder.text, rc == 0 ? err : NULL);
    return rc == 0 ? removed : rc;
}

static int pack(const struct packing *p, struct gm_error *err)
{
    struct pack_options opt = options_of(p, p->folder);
    if (p->out == NULL)
        return finish(p, err);
    return p->plan != NULL ? pack_run(&opt, err) : repack(p, err);
}

static void tell(const struct packing *p)
{
    const char *file = p->out != NULL ? p->out : p->file;
    uint64_t over = summary_committed(p->summary), all = summary_tasks(p->summary);
    AUTO_STR out = {0};
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.pack/1");
    json_put_string(&j, "file", file);
    json_put_int(&j, "tasks", (int64_t)all);
    json_put_int(&j, "over", (int64_t)over);
    json_end(&j, '}');
    str_printf(&out, "%s: %" PRIu64 " of %" PRIu64 " tasks\n", file, over, all);
    terminal_print(p->cli->json ? j.out.text : out.text);
}

int result_pack(const struct cli *cli)
{
    struct packing p = {.cli = cli, .out = args_value(&cli->args, "output")};
    struct gm_error err = {0};
    name_both(&p, cli->args.words[1]);
    int rc = load(&p, &err);
    if (rc == 0)
        read_wishes(&p);
    if (rc == 0)
        rc = pack(&p, &err);
    if (rc == 0)
        tell(&p);
    plan_free(p.plan);
    summary_free(p.summary);
    free(p.outcome);
    free(p.file);
    free(p.folder);
    return rc == 0 ? ENGINE_DONE : say_failure(cli, engine_exit_for(rc), &err);
}
