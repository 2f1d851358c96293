/* gridmill run: one job, from its file to its summary. Standard output gets the summary
 * (or JSON) and nothing else; all that is said on the way goes to standard error. */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "engine/stop.h"
#include "job.h"
#include "launch/alloc.h"
#include "live.h"
#include "order.h"
#include "say.h"
#include <limits.h>
#include <stdlib.h>

/* The machine of the last job: the next one often runs on the same hosts. */
struct place {
    struct engine_machine machine;
    char *hosts;  /* as the job names them; or NULL */
    char *folder; /* of its results */
    bool known;
};

/* What the jobs of a file have in common. */
struct shared {
    const struct cli *cli;
    struct place *place;
    double loaded_s; /* spent on the jobspec */
    unsigned n_jobs;
};

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void place_forget(struct place *p)
{
    engine_machine_free(&p->machine);
    free(p->hosts);
    free(p->folder);
    *p = (struct place){0};
}

/* The hosts that a job runs on, asked again only where they, or the folder that they must
 * share, are others. */
static int
find_place(const struct shared *all, const struct jobspec *spec, struct gm_error *err)
{
    struct place *p = all->place;
    const struct args *args = &all->cli->args;
    AUTO_FREE(char) folder = file_dirname(spec->results);
    if (p->known && same_text(p->hosts, spec->hosts) && strcmp(p->folder, folder) == 0)
        return 0;
    place_forget(p);
    struct engine_machine_options opt = {.hosts = args_value(args, "hosts"),
                                         .hostfile = args_value(args, "hostfile"),
                                         .launcher = args_value(args, "launcher"),
                                         .folder = folder};
    int rc = engine_machine(spec, &opt, &p->machine, err);
    if (rc < 0)
        return rc;
    p->known = true;
    p->hosts = spec->hosts != NULL ? xstrdup(spec->hosts) : NULL;
    p->folder = steal(&folder);
    return 0;
}

/* One job to its end. *ret_json: its summary, yours to free; NULL: there is none. */
static int run_one(const struct shared *all, const struct jobspec *spec, char **ret_json)
{
    struct gm_error err = {0};
    double start = clock_monotonic();
    int rc = find_place(all, spec, &err);
    if (rc < 0)
        return say_failure(all->cli, engine_exit_for(rc), &err);
    struct live live = {.cli = all->cli,
                        .machine = &all->place->machine,
                        .several = all->n_jobs > 1,
                        .loaded_s = all->loaded_s,
                        .machine_s = clock_monotonic() - start};
    return live_run(&live, spec, ret_json);
}

/* Until it may begin. False: asked to stop. */
static bool await(const struct shared *all, const struct jobspec *spec, double begin)
{
    double left = begin - clock_unix();
    char text[32];
    if (left > 0 && all->cli->verbosity >= LOG_NORMAL)
        log_note(
            "%s: begins in %s, as begin-time says", spec->name, str_duration(left, text));
    while ((left = begin - clock_unix()) > 0 && stop_asked() == 0)
        clock_sleep(left < 0.1 ? left : 0.1);
    return stop_asked() == 0;
}

struct done {
    int code;
    char *json;
};

/* All jobs of the file, in an order that their needs allow. */
static void run_all(const struct shared *all, struct order *o, struct done *done)
{
    unsigned i, k = 0;
    double begin = 0;
    bool stopped = false;
    while ((i = order_next(o, clock_unix(), &begin)) != ORDER_NONE) {
        struct order_job *job = &o->jobs[i];
        if (stopped || !await(all, job->spec, begin)) {
            stopped = true;
            job->end = ORDER_NOT_RUN;
            job->why = "stopped on request";
            continue;
        }
        if (o->n > 1 && all->cli->verbosity >= LOG_NORMAL)
            log_note("job %u of %u: %s", ++k, o->n, job->spec->name);
        done[i].code = run_one(all, job->spec, &done[i].json);
        stopped = stop_asked() > 0;
        job->end = done[i].code == ENGINE_DONE ? ORDER_DONE : ORDER_FAILED;
    }
    for (i = 0; i < o->n; i++) {
        if (o->jobs[i].end == ORDER_NOT_RUN)
            done[i].code = stopped ? ENGINE_INCOMPLETE : ENGINE_TASK_FAILED;
    }
}

/* A list of summaries; a job without one says why. */
static void print_list(const struct order *o, const struct done *done, int code)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.runs/1");
    json_put_int(&j, "code", code);
    json_key(&j, "jobs");
    json_begin(&j, '[');
    for (unsigned i = 0; i < o->n; i++) {
        json_begin(&j, '{');
        json_put_string(&j, "name", o->jobs[i].spec->name);
        json_put_int(&j, "document", o->jobs[i].spec->document);
        json_put_int(&j, "code", done[i].code);
        json_put_bool(&j, "run", o->jobs[i].end != ORDER_NOT_RUN);
        json_put_string(&j, "reason", o->jobs[i].why);
        json_key(&j, "summary");
        if (done[i].json != NULL)
            json_raw(&j, done[i].json);
        else
            json_null(&j);
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static void draw_list(const struct cli *cli, const struct order *o)
{
    static const char *const words[] = {"waits", "done", "failed", "not run"};
    AUTO_STR out = {0};
    int width = 0;
    for (unsigned i = 0; i < o->n; i++) {
        int n = (int)strlen(o->jobs[i].spec->name);
        width = n > width ? n : width;
    }
    str_add(&out, "jobs\n");
    for (unsigned i = 0; i < o->n; i++) {
        const struct order_job *job = &o->jobs[i];
        str_printf(&out, "  %-*s  %s", width, job->spec->name, words[job->end]);
        str_printf(&out,
                   "%s%s\n",
                   job->why != NULL ? ": " : "",
                   job->why != NULL ? job->why : "");
    }
    if (cli->verbosity > LOG_QUIET)
        terminal_print(out.text);
}

static int run_order(const struct shared *all, struct order *o)
{
    const struct cli *cli = all->cli;
    AUTO_FREE(struct done) done = xcalloc(o->n, sizeof(*done));
    int code = ENGINE_DONE;
    run_all(all, o, done);
    for (unsigned i = 0; i < o->n; i++)
        code = done[i].code > code ? done[i].code : code;
    if (cli->json && (o->n > 1 || o->jobs[0].end == ORDER_NOT_RUN))
        print_list(o, done, code);
    else if (cli->json && done[0].json != NULL)
        terminal_print(done[0].json);
    else if (o->n > 1 || o->jobs[0].end == ORDER_NOT_RUN)
        draw_list(cli, o);
    for (unsigned i = 0; i < o->n; i++)
        free(done[i].json);
    return code;
}

/* The one that --document chose: its needs of other jobs are taken as met. */
static int keep_one(const struct cli *cli, struct job_file *f)
{
    struct jobspec *one = job_only(cli, f);
    if (one == NULL)
        return ENGINE_USAGE;
    job_file_keep(f, one);
    if (one->n_after > 0)
        log_note("%s: alone, as --document says: it waits for no other job", one->name);
    unsigned kept = 0;
    struct dependency *after = arena_alloc(one->arena, one->n_after, sizeof(*after));
    for (unsigned i = 0; i < one->n_after; i++) {
        if (one->after[i].kind == DEPENDENCY_BEGIN_TIME)
            after[kept++] = one->after[i];
    }
    one->after = after;
    one->n_after = kept;
    return ENGINE_DONE;
}

static int load(const struct cli *cli, struct job_file *f, struct order **ret)
{
    int code = job_load(cli, f);
    if (code == ENGINE_DONE && args_has(&cli->args, "document"))
        code = keep_one(cli, f);
    if (code == ENGINE_DONE && order_make(&f->jobs, &f->faults, ret) != 0)
        code = say_faults(cli, ENGINE_USAGE, &f->faults, &f->source);
    return code;
}

static int run(const struct cli *cli)
{
    AUTO(order) order = NULL;
    struct job_file f = {0};
    struct gm_error err = {0};
    double start = clock_monotonic();
    struct alloc alloc;
    alloc_read(&alloc);
    if (alloc_check_alone(&alloc, "gridmill run", &err) != 0)
        return alloc_speaks(&alloc) ? say_failure(cli, ENGINE_USAGE, &err) : ENGINE_USAGE;
    int code = load(cli, &f, &order);
    if (code == ENGINE_DONE) {
        struct place place = {0};
        struct shared all = {.cli = cli,
                             .place = &place,
                             .loaded_s = clock_monotonic() - start,
                             .n_jobs = order->n};
        stop_reset();
        live_catch_signals();
        code = run_order(&all, order);
        place_forget(&place);
    }
    job_file_free(&f);
    return code;
}

static const struct option_spec options[] = {
    OPTION_RANKS,
    OPTIONS_PER_RANK,
    OPTION_RESULTS,
    OPTION_HOSTS,
    OPTION_HOSTFILE,
    OPTION_LAUNCHER,
    {"force", 0, NULL, "move results that are there already to FILE.old"},
    OPTION_OVERSUBSCRIBE,
    OPTION_MAP_BY,
    OPTION_RANK_BY,
    OPTION_BIND_TO,
    OPTION_VERIFY,
    OPTION_SET,
    OPTION_DOCUMENT,
    OPTION_SHAPE,
    OPTION_NAME,
    OPTION_TIME,
    {"quiet", 'q', NULL, "say nothing but errors"},
    {"verbose", 'v', NULL, "show the launch line, why, and where the time went"},
    OPTION_JSON,
};

const struct command cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] FILE | [OPTIONS] -- COMMAND...",
    .summary = "run a job and wait for its end",
    .help =
        "Places the job's ranks on this machine (or on --hosts, or on the hosts of the\n"
        "Slurm allocation it is called in), starts them, and leaves one HDF5 file.\n"
        "Ctrl-C drains: what is committed stays readable, exit code 5; a\n"
        "second Ctrl-C ends the ranks at once. FILE - is standard input.\n"
        "\n"
        "The jobs of a file of several documents run one after another, each when its\n"
        "needs are met; the exit code is the highest of theirs. Without a FILE a "
        "command\n"
        "is run in each slot of a shape (Flux RFC 46), or on N ranks of one core; the\n"
        "results go to ./NAME.h5.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 0,
    .max_words = UINT_MAX,
    .run = run,
};
