/* gridmill doctor: each dependency - found, which version, does it work, and if not why.
 * What can be tried is tried: an MPI rank is really started. Exit code 0 when all that a
 * job needs works; CUDA and Slurm are extras. */
#include "base/auto.h"
#include "base/dso.h"
#include "base/json.h"
#include "base/version.h"
#include "capture.h"
#include "command.h"
#include "engine/engine.h"
#include "gpu.h"
#include "kernels/op/gemm.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <stdlib.h>
#include <unistd.h>

enum state {
    WORKS = 1,
    OFF, /* an extra that is not here */
    BROKEN
};

struct finding {
    const char *name;
    enum state state;
    char version[64]; /* "" where there is none */
    char text[400];
};

struct checkup {
    struct finding items[16];
    unsigned n;
};

GM_PRINTF(5, 6)
static void add(struct checkup *c,
                const char *name,
                enum state state,
                const char *version,
                const char *fmt,
                ...)
{
    struct finding *f = &c->items[c->n++];
    *f = (struct finding){.name = name, .state = state};
    (void)snprintf(f->version, sizeof(f->version), "%s", version != NULL ? version : "");
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->text[strcspn(f->text, "\n")] = '\0';
}

static const char *built_against(const char *name)
{
    for (const char *const *p = version_libraries(); p[0] != NULL; p += 2) {
        if (strcmp(p[0], name) == 0)
            return p[1];
    }
    return "";
}

/* Open MPI refuses root unless told; in a container root is who there is. */
static void allow_root(void)
{
    if (geteuid() != 0)
        return;
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
}

/* Starts one rank. 0 and its answer's line in `out`. */
static int start_rank(const char *mpirun, struct str *out, struct gm_error *err)
{
    AUTO_FREE(char) runner = NULL;
    int rc = engine_find_runner(NULL, &runner, err);
    if (rc != 0)
        return rc;
    const char *const argv[] = {mpirun, "-n", "1", runner, "--self-test", NULL};
    AUTO_STR all = {0};
    struct proc_end end = {0};
    allow_root();
    rc = capture_run(argv, NULL, 30, &all, &end, err);
    if (rc != 0)
        return rc;
    const char *line = strstr(str_text(&all), "{\"gridmill\":\"self-test\"");
    if (end.status != 0 || line == NULL) {
        const char *text = str_text(&all) + strspn(str_text(&all), "-\n \t");
        return gm_fail(err,
                       -EIO,
                       "%s -n 1 gridmill-runner ended with status %d: %.200s",
                       mpirun,
                       end.status,
                       *text != '\0' ? text : "and no word");
    }
    str_add_n(out, line, strcspn(line, "\n"));
    return 0;
}

static const char *word(const struct doc_node *map, const char *key)
{
    const struct doc_node *n = doc_get(map, key);
    return n != NULL && n->kind < DOC_LIST && n->kind != DOC_NULL ? n->as.text : "";
}

/* "Open MPI v4.1.4, package: ..." -> "4.1.4" */
static void short_version(const char *text, char ret[32])
{
    const char *digit = text + strcspn(text, "0123456789");
    (void)snprintf(ret, 32, "%.*s", (int)strspn(digit, "0123456789."), digit);
}

static void
check_answer(struct checkup *c, const char *mpirun, const struct doc_node *answer)
{
    char version[32];
    short_version(word(answer, "mpi"), version);
    add(c,
        "mpi",
        WORKS,
        version,
        "%s starts ranks, threads: %s",
        mpirun,
        word(answer, "thread"));
    if (*word(answer, "pmix") == '\0') {
        add(c,
            "pmix",
            BROKEN,
            NULL,
            "a rank got no answer: reinstall libpmix2 and openmpi-bin");
    } else {
        short_version(word(answer, "pmix"), version);
        add(c, "pmix", WORKS, version, "answers in a rank");
    }
    if (strcmp(word(answer, "hdf5_parallel"), "true") == 0)
        add(c, "hdf5", WORKS, word(answer, "hdf5"), "parallel");
    else
        add(c,
            "hdf5",
            BROKEN,
            word(answer, "hdf5"),
            "not parallel: install libhdf5-openmpi-dev and build again");
}

static void check_mpi(struct checkup *c)
{
    const char *mpirun = getenv("GRIDMILL_MPIRUN");
    struct gm_error err = {0};
    AUTO_STR line = {0};
    if (mpirun == NULL || *mpirun == '\0')
        mpirun = "mpirun";
    int rc = start_rank(mpirun, &line, &err);
    if (rc != 0) {
        bool missing = rc == -ENOENT;
        add(c,
            "mpi",
            BROKEN,
            NULL,
            "%s%s",
            err.text,
            missing ? " (apt-get install openmpi-bin)" : "");
        add(c, "pmix", BROKEN, NULL, "not asked: no rank started");
        add(c, "hdf5", BROKEN, NULL, "not asked: no rank started");
        return;
    }
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults = {0};
    struct doc_node *answer = NULL;
    faults_init(&faults, "self-test");
    if (doc_parse(a, line.text, line.len, &faults, &answer) == 0)
        check_answer(c, mpirun, answer);
    else
        add(c, "mpi", BROKEN, NULL, "the rank's answer is no JSON: %.200s", line.text);
    jobspec_faults_free(&faults);
}

static void check_machine(struct checkup *c)
{
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    if (restree_load_host(&tree, &err) != 0) {
        add(c, "hwloc", BROKEN, built_against("hwloc"), "%s", err.text);
        return;
    }
    const struct topo_shape *s = &tree->shapes[0];
    add(c,
        "hwloc",
        WORKS,
        built_against("hwloc"),
        "%u cores, %u PUs for this process",
        s->n_cores,
        s->n_pus);
}

static void check_libraries(struct checkup *c)
{
    const double two = 2, three = 3;
    double product = 0;
    struct gm_error err = {0};
    const char *backend = gemm_backend(&err);
    gemm_f64(
        GEMM_NN, 1, 1, 1, &two, &three, &product); /* by OpenBLAS, whatever the size */
    if (backend == NULL)
        add(c, "openblas", BROKEN, built_against("openblas"), "%s", err.text);
    else if (product == 6)
        add(c, "openblas", WORKS, built_against("openblas"), "%s", backend);
    else
        add(c, "openblas", BROKEN, built_against("openblas"), "2 x 3 gave %g", product);
    add(c, "libyaml", WORKS, built_against("libyaml"), "linked");
    add(c, "libsodium", WORKS, built_against("libsodium"), "linked");
    add(c, "zlib", WORKS, built_against("zlib"), "linked");
}

static void check_cuda(struct checkup *c)
{
    AUTO(dso) nvml = NULL;
    char words[GPU_WORDS];
    if (!gpu_proved(words)) {
        add(c, "cuda", OFF, built_against("cuda"), "%s", words);
        return;
    }
    bool watched = dso_open("libnvidia-ml.so.1", &nvml, NULL) == 0;
    add(c,
        "cuda",
        WORKS,
        built_against("cuda"),
        "%s%s",
        words,
        watched ? ", with NVML" : "; no NVML: GPU sensors read n/a");
}

static void check_slurm(struct checkup *c)
{
    static const char *const argv[] = {"srun", "--version", NULL};
    AUTO_STR out = {0};
    struct proc_end end = {0};
    char version[32];
    if (capture_run(argv, NULL, 10, &out, &end, NULL) != 0) {
        add(c, "slurm", OFF, NULL, "no srun: jobs run on this host alone");
        return;
    }
    if (end.status != 0) {
        add(c, "slurm", OFF, NULL, "srun is there, but says: %.200s", str_text(&out));
        return;
    }
    short_version(str_text(&out), version);
    add(c,
        "slurm",
        WORKS,
        version,
        "srun found (try: srun --mpi=pmix gridmill-runner FILE)");
}

static const char *state_name(enum state s)
{
    return s == WORKS ? "works" : s == OFF ? "off" : "broken";
}

static void print_json(const struct checkup *c, bool well)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.doctor/1");
    json_put_bool(&j, "well", well);
    json_key(&j, "dependencies");
    json_begin(&j, '{');
    for (unsigned i = 0; i < c->n; i++) {
        const struct finding *f = &c->items[i];
        json_key(&j, f->name);
        json_begin(&j, '{');
        json_put_string(&j, "state", state_name(f->state));
        json_put_string(&j, "version", f->version[0] != '\0' ? f->version : NULL);
        json_put_string(&j, "text", f->text);
        json_end(&j, '}');
    }
    json_end(&j, '}');
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static void print_text(const struct cli *cli, const struct checkup *c, bool well)
{
    bool colour = cli->terminal.colour_out;
    AUTO_STR out = {0};
    for (unsigned i = 0; i < c->n; i++) {
        const struct finding *f = &c->items[i];
        const char *on = f->state == WORKS ? "\033[32m"
                         : f->state == OFF ? "\033[2m"
                                           : "\033[31m";
        str_printf(&out,
                   "%-10s %s%-6s%s  %-9s  %s\n",
                   f->name,
                   colour ? on : "",
                   state_name(f->state),
                   colour ? "\033[0m" : "",
                   f->version,
                   f->text);
    }
    str_add(&out,
            well ? "\nready to run jobs\n" : "\nnot ready: mend what is broken above\n");
    terminal_print(out.text);
}

static int run(const struct cli *cli)
{
    struct checkup c = {.n = 0};
    check_mpi(&c);
    check_machine(&c);
    check_libraries(&c);
    check_cuda(&c);
    check_slurm(&c);
    bool well = true;
    for (unsigned i = 0; i < c.n; i++)
        well = well && c.items[i].state != BROKEN;
    if (cli->json)
        print_json(&c, well);
    else
        print_text(cli, &c, well);
    return well ? ENGINE_DONE : ENGINE_INTERNAL;
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = "[--json]",
    .summary = "try each dependency: MPI, PMIx, HDF5, OpenBLAS, CUDA, Slurm",
    .words = "",
    .options = options,
    .n_options = N_OF(options),
    .run = run,
};
