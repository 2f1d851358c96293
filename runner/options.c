/* See options.h. Options of a job become --set entries, so that there is one way to
 * change a jobspec. Paths on the command line are relative to the shell's folder. */
#include "options.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <getopt.h>

static const char help[] =
    "Usage: mpirun -n N gridmill-runner [OPTION]... JOBSPEC\n"
    "       srun --mpi=pmix gridmill-runner [OPTION]... JOBSPEC\n"
    "Runs the job of a jobspec on the ranks that started it. Most people want `gridmill "
    "run`,\n"
    "which starts the ranks itself.\n"
    "\n"
    "  --results FILE      write the results there (default: the jobspec's `results`)\n"
    "  --force             move existing results to FILE.old\n"
    "  --document JOB      of a file of several jobs: this name or number\n"
    "  --verify-binding WORD  ranks that stand elsewhere than planned: strict, warn, "
    "off\n"
    "  --set PATH=VALUE    change the jobspec: --set tasks.train.args.epochs=5\n"
    "  -q, --quiet         say nothing but errors\n"
    "  -v, --verbose       say where each rank stands, and why\n"
    "  --resume FILE       run what is left of an unfinished run, instead of a JOBSPEC\n"
    "  --failed            with --resume: run failed tasks again, too\n"
    "  --plan FILE         run the plan that `gridmill run` wrote\n"
    "  --events            tell progress as JSON lines on standard output\n"
    "  --self-test         start MPI and PMIx, say what was found, end\n"
    "  --version           print the version\n"
    "  -h, --help          print this\n"
    "\n"
    "Exit status: 0 done, 1 a task failed, 2 usage or bad input, 3 cannot fit, 4 "
    "internal,\n"
    "5 incomplete. See gridmill-runner(1) and gridmill-jobspec(5).\n";

const char *options_help(void)
{
    return help;
}

static void add_set(struct options *o, char *text)
{
    o->sets = xrealloc(o->sets, o->request.n_sets + 1, sizeof(*o->sets));
    o->sets[o->request.n_sets++] = text;
}

static void add_results(struct options *o, const char *file)
{
    AUTO_FREE(char) path = file_absolute(NULL, file);
    AUTO_JSON quoted = {0};
    struct str set = {0};
    json_string(&quoted, path);
    str_printf(&set, "results.file=%s", str_text(&quoted.out));
    add_set(o, str_steal(&set));
}

static void add_verify(struct options *o, const char *word)
{
    struct str set = {0};
    str_printf(&set, "verify-binding=%s", word);
    add_set(o, str_steal(&set));
}

static int check(const struct options *o, int left, struct gm_error *err)
{
    if (o->mode != OPTIONS_RUN)
        return 0;
    if (o->request.plan != NULL && (left > 0 || o->request.n_sets > 0))
        return gm_fail(err, -EINVAL, "--plan stands alone: the plan holds all the rest");
    if (o->request.plan != NULL && o->request.resume != NULL)
        return gm_fail(err, -EINVAL, "--plan and --resume: one of them");
    if (o->request.failed && o->request.resume == NULL)
        return gm_fail(err, -EINVAL, "--failed goes with --resume FILE");
    if (o->request.resume != NULL &&
        (left > 0 || o->request.force || o->request.document != NULL))
        return gm_fail(err,
                       -EINVAL,
                       "--resume has its job in FILE: no JOBSPEC, --document or --force "
                       "beside it");
    if (o->request.plan == NULL && o->request.resume == NULL && left != 1)
        return gm_fail(err,
                       -EINVAL,
                       left == 0 ? "a jobspec is missing: gridmill-runner --help"
                                 : "one jobspec at a time");
    return 0;
}

/* One option; false: not a known one. */
static bool take(struct options *o, int c)
{
    switch (c) {
    case 'p':
        o->request.plan = optarg;
        break;
    case 'R':
        o->request.resume = optarg;
        break;
    case 'F':
        o->request.failed = true;
        break;
    case 'r':
        add_results(o, optarg);
        break;
    case 's':
        add_set(o, xstrdup(optarg));
        break;
    case 'b':
        add_verify(o, optarg);
        break;
    case 'd':
        o->request.document = optarg;
        break;
    case 'f':
        o->request.force = true;
        break;
    case 'e':
        o->events = true;
        break;
    case 'q':
        o->quiet = true;
        break;
    case 'v':
        o->verbose = true;
        break;
    case 't':
        o->mode = OPTIONS_SELF_TEST;
        break;
    case 'V':
        o->mode = OPTIONS_VERSION;
        break;
    case 'h':
        o->mode = OPTIONS_HELP;
        break;
    default:
        return false;
    }
    return true;
}

int options_read(int argc, char **argv, struct options *ret, struct gm_error *err)
{
    static const struct option longs[] = {
        {"plan", required_argument, NULL, 'p'},
        {"resume", required_argument, NULL, 'R'},
        {"failed", no_argument, NULL, 'F'},
        {"results", required_argument, NULL, 'r'},
        {"set", required_argument, NULL, 's'},
        {"verify-binding", required_argument, NULL, 'b'},
        {"document", required_argument, NULL, 'd'},
        {"force", no_argument, NULL, 'f'},
        {"events", no_argument, NULL, 'e'},
        {"self-test", no_argument, NULL, 't'},
        {"version", no_argument, NULL, 'V'},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    struct options o = {0};
    int c, rc = 0;
    opterr = 0;
    while (rc == 0 && (c = getopt_long(argc, argv, ":hqv", longs, NULL)) != -1) {
        if (take(&o, c))
            continue;
        if (c == ':')
            rc = gm_fail(err, -EINVAL, "%s needs a value", argv[optind - 1]);
        else
            rc = gm_fail(err,
                         -EINVAL,
                         "unknown option %s: gridmill-runner --help",
                         argv[optind - 1]);
    }
    if (rc == 0)
        rc = check(&o, argc - optind, err);
    o.request.sets = (const char *const *)o.sets;
    if (rc == 0 && o.mode == OPTIONS_RUN && o.request.plan == NULL &&
        o.request.resume == NULL)
        o.request.file = argv[optind];
    if (rc < 0)
        options_free(&o);
    else
        *ret = o;
    return rc;
}

void options_free(struct options *o)
{
    for (unsigned i = 0; i < o->request.n_sets; i++)
        free(o->sets[i]);
    free(o->sets);
    *o = (struct options){0};
}
