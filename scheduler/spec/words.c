/* See words.h. Invariant: a word that a reader knows stands here and nowhere else; the
 * patterns say no less than the readers accept, and little more. */
#include "words.h"
#include <stddef.h>
#include <string.h>

#define N(items)   (sizeof(items) / sizeof((items)[0]))
#define SCALAR     (WORD_TEXT | WORD_INT | WORD_FLOAT | WORD_BOOL)
#define DURATION   (WORD_TEXT | WORD_INT | WORD_FLOAT)
#define MOST_RANKS 1048576.0

#define DURATION_PATTERN "^([0-9]+\\.?[0-9]*|\\.[0-9]+)(ms|s|m|h|d)?$|^inf(inity)?$"
#define FINITE_PATTERN   "^([0-9]+\\.?[0-9]*|\\.[0-9]+)(ms|s|m|h|d)?$"
#define BYTES_PATTERN    "^([0-9]+\\.?[0-9]*|\\.[0-9]+)(B|[kK]B|[MGT]B|[KMGT]iB)?$"
#define SIZE_PATTERN                                                                     \
    "^([0-9]+\\.?[0-9]*|\\.[0-9]+)(B|[kK]B|[MGT]B|[KMGT]iB)?$|^inf(inity)?$"
#define INHERIT_PATTERN "^[^=*]+\\*?$|^\\*$"
#define NAME_PATTERN    "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$"
#define STAGE_PATTERN   "^[A-Za-z0-9_-]{1,100}$"
#define RANGE_PATTERN   "^\\[?[0-9]+-[0-9]+(:[0-9]+(:[+*^])?)?\\]?$"
#define RESULTS_PATTERN "[^/]$" /* no folder */
#define KERNEL_PATTERN  "^([^/#]+|[^#]+#[A-Za-z0-9._-]{1,100})$"
#define MAP_BY_WORDS                                                                     \
    "SPAN|NOLOCAL|HWTCPUS|CORECPUS|ORDERED|SHARED|(NO)?(OVERSUBSCRIBE|INHERIT)"          \
    "|span|nolocal|hwtcpus|corecpus|ordered|shared|(no)?(oversubscribe|inherit)"
#define MAP_BY_PATTERN                                                                   \
    "^((ppr:[1-9][0-9]{0,5}:)?"                                                          \
    "(slot|hwthread|core|l[123]cache|numa|socket|package|board|node|device=[^:,]+)"      \
    "|seq|rankfile|pe-list=[0-9,-]+|dist(:[^:,]+)?)"                                     \
    "([:,](" MAP_BY_WORDS "|(PE|pe|NDEV|ndev)=[1-9][0-9]{0,5}"                           \
    "|(INTERLEAVE|interleave)(=(package|socket|numa|l[123]cache))?"                      \
    "|(FILE|file)=[^:,]+))*$"
#define RANK_BY_PATTERN "^(slot|node|fill|span)$"
#define BIND_TO_PATTERN                                                                  \
    "^(none|hwthread|core|l[123]cache|numa|socket|package)?"                             \
    "(:(overload-allowed|no-overload|if-supported))*$"
#define NEED_PATTERN "^[A-Za-z][A-Za-z0-9_.-]*:.+$"

static const struct word text_item = {.help = "a text", .types = WORD_TEXT};
static const struct word scalar_item = {.help = "a scalar", .types = SCALAR};
static const struct word any_item = {
    .help = "a value, or a text with references",
    .types = SCALAR | WORD_LIST | WORD_MAP | WORD_NULL,
};

/* of the job */

static const char *const auto_only[] = {"auto", NULL};

static const struct word per_rank_words[] = {
    {.name = "cores",
     .help = "whole cores (default: 1)",
     .types = WORD_INT,
     .least = 1,
     .most = MOST_RANKS},
    {.name = "threads",
     .help = "PUs instead of whole cores: ranks may share a core",
     .types = WORD_INT,
     .least = 1,
     .most = MOST_RANKS},
    {.name = "gpus",
     .help = "GPUs (default: 0)",
     .types = WORD_INT,
     .least = 0,
     .most = MOST_RANKS},
    {.name = "memory",
     .help = "a size such as 2GiB (default: not looked at)",
     .types = WORD_TEXT | WORD_INT | WORD_FLOAT,
     .pattern = BYTES_PATTERN},
};
static const struct words per_rank_keys = {per_rank_words, N(per_rank_words), false};

static const char *const mappings[] = {
    "auto", "pack", "spread", "gpu-near", "numa", "inherited", NULL};

static const struct word mapping_words[] = {
    {.name = "map-by",
     .help = "what ranks are dealt to: core, ppr:2:numa (default: what is bound to)",
     .types = WORD_TEXT,
     .pattern = MAP_BY_PATTERN},
    {.name = "rank-by",
     .help = "their numbers: slot, node, fill or span (default: of map-by)",
     .types = WORD_TEXT,
     .pattern = RANK_BY_PATTERN},
    {.name = "bind-to",
     .help = "what each may run on: none, core, numa ... (default: of map-by)",
     .types = WORD_TEXT,
     .pattern = BIND_TO_PATTERN},
};
static const struct words mapping_keys = {mapping_words, N(mapping_words), false};

static const char *const verifies[] = {"strict", "warn", "off", NULL};
static const char *const patterns[] = {"ring", "tree", NULL};
static const struct word extent_item = {
    .help = "ranks", .types = WORD_INT, .least = 1, .most = MOST_RANKS};
static const struct word pattern_words[] = {
    {.name = "stencil-2d",
     .help = "[ROWS, COLUMNS]: each rank with its four neighbours; row by row",
     .types = WORD_LIST,
     .item = &extent_item,
     .filled = true},
    {.name = "all-to-all",
     .help = "groups of so many consecutive ranks; the last may be smaller",
     .types = WORD_INT,
     .least = 2,
     .most = MOST_RANKS},
    {.name = "matrix",
     .help = "a file of bytes between ranks: n rows of n, or lines of `i j weight`",
     .types = WORD_TEXT},
};
static const struct words pattern_keys = {pattern_words, N(pattern_words), false};

static const char *const compressions[] = {"none", "gzip", NULL};
static const char *const packs[] = {"single", "sharded", NULL};
static const char *const writers[] = {"rank", "host", NULL};

static const struct word results_words[] = {
    {.name = "file",
     .help = "the HDF5 file to write (default: NAME.h5)",
     .types = WORD_TEXT,
     .pattern = RESULTS_PATTERN},
    {.name = "compress",
     .help = "how the data in it is compressed (default: none)",
     .types = WORD_TEXT,
     .choices = compressions},
    {.name = "pack",
     .help = "one file, or a small one over large ones beside it (default: single)",
     .types = WORD_TEXT,
     .choices = packs},
    {.name = "writers",
     .help = "who writes while the job runs: every rank, or one a host (default: rank)",
     .types = WORD_TEXT,
     .choices = writers},
};
static const struct words results_keys = {results_words, N(results_words), false};

static const char *const policies[] = {"continue", "stop", NULL};
static const struct word loss_words[] = {
    {.name = "restarts",
     .help = "launches after a lost one (default: 3)",
     .types = WORD_INT,
     .least = 0,
     .most = 1000},
    {.name = "policy",
     .help = "launch the rest on the hosts that are left, or stop (default: continue)",
     .types = WORD_TEXT,
     .choices = policies},
};
static const struct words loss_keys = {loss_words, N(loss_words), false};

static const char *const off_only[] = {"off", NULL};
static const struct word telemetry_words[] = {
    {.name = "every",
     .help = "the time between two samples: 1s",
     .types = DURATION,
     .pattern = DURATION_PATTERN,
     .required = true},
};
static const struct words telemetry_keys = {telemetry_words, N(telemetry_words), false};

static const struct word need_words[] = {
    {.name = "scheme",
     .help = "afterok, afterany, afternotok, after, begin-time",
     .types = WORD_TEXT,
     .required = true},
    {.name = "value",
     .help = "the other job, or the time",
     .types = WORD_TEXT | WORD_INT | WORD_FLOAT,
     .required = true},
};
static const struct words need_keys = {need_words, N(need_words), true};
static const struct word need_item = {
    .help = "what the job waits for: afterok:NAME, afterany:ID, begin-time:SECONDS",
    .types = WORD_TEXT | WORD_MAP,
    .pattern = NEED_PATTERN,
    .keys = &need_keys,
};

static const struct words constraint_keys;
static const struct word constraint_item = {
    .help = "a constraint", .types = WORD_MAP, .keys = &constraint_keys};
static const struct word constraint_words[] = {
    {.name = "properties",
     .help = "properties that a host must have; ^NAME: must not",
     .types = WORD_LIST,
     .item = &text_item},
    {.name = "hostlist",
     .help = "hosts that are allowed: node[0-3]",
     .types = WORD_LIST,
     .item = &text_item},
    {.name = "ranks",
     .help = "places among the hosts that are allowed: 0-3",
     .types = WORD_LIST,
     .item = &text_item},
    {.name = "and", .help = "all of these", .types = WORD_LIST, .item = &constraint_item},
    {.name = "or", .help = "one of these", .types = WORD_LIST, .item = &constraint_item},
    {.name = "not",
     .help = "none of these",
     .types = WORD_LIST,
     .item = &constraint_item},
};
static const struct words constraint_keys = {
    constraint_words, N(constraint_words), false};

static const struct word vector_item = {.help = "an argument vector",
                                        .types = WORD_LIST,
                                        .item = &scalar_item,
                                        .filled = true};

/* of a stage */

static const struct word axis_item = {
    .help = "a list of values, or a range of integers such as 1-8 or 0-10:2",
    .types = WORD_LIST | WORD_TEXT,
    .pattern = RANGE_PATTERN,
    .item = &scalar_item,
    .filled = true,
};
static const struct words any_keys = {NULL, 0, true};

static const struct word shards_words[] = {
    {.name = "of",
     .help = "the data set to cut; a folder or a pattern for files",
     .types = WORD_TEXT,
     .required = true},
    {.name = "rows", .help = "rows a task", .types = WORD_INT, .least = 1},
    {.name = "bytes",
     .help = "bytes a task: 1048576, or 1MiB",
     .types = WORD_INT | WORD_TEXT,
     .pattern = BYTES_PATTERN,
     .least = 1},
    {.name = "lines", .help = "lines a task", .types = WORD_INT, .least = 1},
    {.name = "files", .help = "files a task", .types = WORD_INT, .least = 1},
};
static const struct words shards_keys = {shards_words, N(shards_words), false};

static const char *const failures[] = {"exit", "signal", "timeout", "node", NULL};
static const struct word failure_item = {
    .help = "a way to fail", .types = WORD_TEXT, .choices = failures};
static const struct word retry_words[] = {
    {.name = "limit",
     .help = "attempts after the first",
     .types = WORD_INT,
     .least = 0,
     .most = 1000,
     .required = true},
    {.name = "on",
     .help = "after what (default: all of them)",
     .types = WORD_LIST,
     .item = &failure_item},
};
static const struct words retry_keys = {retry_words, N(retry_words), false};

static const char *const inf_only[] = {"inf", "infinity", NULL};
static const struct word limit_words[] = {
    {.name = "memory",
     .help = "its address space (RLIMIT_AS): 2GiB",
     .types = WORD_TEXT | WORD_INT | WORD_FLOAT,
     .pattern = SIZE_PATTERN,
     .least = 1},
    {.name = "file-size",
     .help = "a file that it writes (RLIMIT_FSIZE)",
     .types = WORD_TEXT | WORD_INT | WORD_FLOAT,
     .pattern = SIZE_PATTERN},
    {.name = "files",
     .help = "open files (RLIMIT_NOFILE)",
     .types = WORD_INT | WORD_TEXT,
     .choices = inf_only,
     .least = 1},
    {.name = "processes",
     .help = "processes of the user (RLIMIT_NPROC)",
     .types = WORD_INT | WORD_TEXT,
     .choices = inf_only,
     .least = 1},
    {.name = "core",
     .help = "a core file (RLIMIT_CORE; default: 0)",
     .types = WORD_TEXT | WORD_INT | WORD_FLOAT,
     .pattern = SIZE_PATTERN},
    {.name = "cpu",
     .help = "CPU time (RLIMIT_CPU): 10m",
     .types = DURATION,
     .pattern = DURATION_PATTERN},
};
static const struct words limit_keys = {limit_words, N(limit_words), false};
static const struct word inherit_item = {
    .help = "a variable's name, or how names begin: LD_*",
    .types = WORD_TEXT,
    .pattern = INHERIT_PATTERN};

static const char *const all_only[] = {"all", NULL};
static const struct word stage_name_item = {
    .help = "a stage", .types = WORD_TEXT, .pattern = STAGE_PATTERN};

/* What a lone stage writes at the top level, too. */
#define STAGE_WORDS                                                                      \
    {.name = "kernel",                                                                   \
     .help = "a kernel's name, or ./FILE.so#NAME",                                       \
     .types = WORD_TEXT,                                                                 \
     .pattern = KERNEL_PATTERN},                                                         \
        {.name = "command",                                                              \
         .help = "instead of a kernel: an argument vector, never a shell line",          \
         .types = WORD_LIST,                                                             \
         .item = &scalar_item,                                                           \
         .filled = true},                                                                \
        {.name = "args",                                                                 \
         .help = "the kernel's arguments, checked against its own table",                \
         .types = WORD_MAP | WORD_NULL,                                                  \
         .keys = &any_keys,                                                              \
         .item = &any_item},                                                             \
        {.name = "matrix",                                                               \
         .help = "axes: one task for each combination; the last varies fastest",         \
         .types = WORD_MAP,                                                              \
         .keys = &any_keys,                                                              \
         .item = &axis_item},                                                            \
        {.name = "shards",                                                               \
         .help = "cuts a data set: one task for so many rows, bytes, lines or files",    \
         .types = WORD_MAP,                                                              \
         .keys = &shards_keys},                                                          \
        {.name = "group",                                                                \
         .help = "ranks that run one task together, or all (default: 1)",                \
         .types = WORD_INT | WORD_TEXT,                                                  \
         .choices = all_only,                                                            \
         .least = 1,                                                                     \
         .most = MOST_RANKS},                                                            \
        {.name = "timeout",                                                              \
         .help = "the limit of one attempt: 90s, 10m",                                   \
         .types = DURATION,                                                              \
         .pattern = DURATION_PATTERN},                                                   \
        {.name = "retry",                                                                \
         .help = "how often, and after what, a failed task is tried again",              \
         .types = WORD_MAP,                                                              \
         .keys = &retry_keys},                                                           \
        {.name = "crash-limit",                                                          \
         .help = "ranks that a task may take down before it has failed (default: 3)",    \
         .types = WORD_INT,                                                              \
         .least = 1,                                                                     \
         .most = 1000},                                                                  \
        {.name = "checkpoint",                                                           \
         .help = "keeps a kernel's state so often, to go on from: 10m (default: never)", \
         .types = DURATION,                                                              \
         .pattern = DURATION_PATTERN},                                                   \
        {.name = "priority",                                                             \
         .help = "its tasks start before those of less (default: 0)",                    \
         .types = WORD_INT,                                                              \
         .least = -1000000,                                                              \
         .most = 1000000},                                                               \
        {.name = "max-in-flight",                                                        \
         .help = "tasks of it that run at once, at most (default: no limit)",            \
         .types = WORD_INT,                                                              \
         .least = 1},                                                                    \
        {.name = "cores",                                                                \
         .help = "of its rank's cores, what one task takes (default: all)",              \
         .types = WORD_INT,                                                              \
         .least = 1,                                                                     \
         .most = MOST_RANKS},                                                            \
        {.name = "gpus",                                                                 \
         .help = "GPUs that its rank must have (default: 0)",                            \
         .types = WORD_INT,                                                              \
         .least = 0,                                                                     \
         .most = MOST_RANKS},                                                            \
        {.name = "env",                                                                  \
         .help = "what a command's environment has besides",                             \
         .types = WORD_MAP,                                                              \
         .keys = &any_keys,                                                              \
         .item = &scalar_item},                                                          \
        {.name = "stdin",                                                                \
         .help = "the file that a command reads (default: none)",                        \
         .types = WORD_TEXT},                                                            \
        {.name = "inherit",                                                              \
         .help = "names of the environment that a command sees (default: all)",          \
         .types = WORD_LIST,                                                             \
         .item = &inherit_item},                                                         \
        {.name = "limits",                                                               \
         .help = "a command's limits, as of setrlimit(2)",                               \
         .types = WORD_MAP,                                                              \
         .keys = &limit_keys},                                                           \
    {                                                                                    \
        .name = "output-limit",                                                          \
        .help =                                                                          \
            "what is kept of a command's output, and of its errors (default: 64MiB)",    \
        .types = WORD_TEXT | WORD_INT | WORD_FLOAT, .pattern = BYTES_PATTERN             \
    }

static const struct word stage_words[] = {
    {.name = "name",
     .help = "letters, digits, '-' and '_': the stage's name in the results",
     .types = WORD_TEXT,
     .pattern = STAGE_PATTERN,
     .required = true},
    {.name = "needs",
     .help = "stages that must be over before",
     .types = WORD_LIST,
     .item = &stage_name_item},
    STAGE_WORDS,
};
const struct words words_stage = {stage_words, N(stage_words), false};

static const struct word stage_item = {
    .help = "a stage of one task or many", .types = WORD_MAP, .keys = &words_stage};

static const struct word job_words[] = {
    {.name = "name",
     .help = "the job's name (default: the file's name without its suffix)",
     .types = WORD_TEXT,
     .pattern = NAME_PATTERN},
    {.name = "ranks",
     .help = "MPI ranks, or auto: as many as fit (default: auto)",
     .types = WORD_INT | WORD_TEXT,
     .choices = auto_only,
     .least = 1,
     .most = MOST_RANKS},
    {.name = "nodes",
     .help = "hosts to run on",
     .types = WORD_INT,
     .least = 1,
     .most = MOST_RANKS},
    {.name = "ranks-per-node",
     .help = "ranks on each of them",
     .types = WORD_INT,
     .least = 1,
     .most = MOST_RANKS},
    {.name = "per-rank",
     .help = "what every rank has to itself",
     .types = WORD_MAP,
     .keys = &per_rank_keys},
    {.name = "mapping",
     .help = "how ranks stand on the machine, or Open MPI's map-by words (default: auto)",
     .types = WORD_TEXT | WORD_MAP,
     .choices = mappings,
     .pattern = MAP_BY_PATTERN,
     .keys = &mapping_keys},
    {.name = "pattern",
     .help = "who speaks to whom: those stand near each other (default: not known)",
     .types = WORD_TEXT | WORD_MAP,
     .choices = patterns,
     .keys = &pattern_keys},
    {.name = "hosts",
     .help = "the hosts to run on: node[0-3],login",
     .types = WORD_TEXT | WORD_LIST,
     .item = &text_item,
     .filled = true},
    {.name = "oversubscribe",
     .help = "true: more ranks than cores are allowed (default: false)",
     .types = WORD_BOOL},
    {.name = "verify-binding",
     .help = "what happens where ranks do not stand as planned (default: strict, and "
             "warn where another launcher started them)",
     .types = WORD_TEXT,
     .choices = verifies},
    {.name = "time",
     .help = "the limit of the whole job: 10m, 1.5h (default: none)",
     .types = DURATION,
     .pattern = DURATION_PATTERN},
    {.name = "grace",
     .help = "the time that ranks have to come to an end in (default: 30s)",
     .types = DURATION,
     .pattern = FINITE_PATTERN},
    {.name = "on-loss",
     .help = "what follows where a launch was lost: a host, or its first rank",
     .types = WORD_MAP,
     .keys = &loss_keys},
    {.name = "tasks",
     .help = "the stages",
     .types = WORD_LIST,
     .item = &stage_item,
     .filled = true},
    {.name = "results",
     .help = "the HDF5 file to write (default: NAME.h5)",
     .types = WORD_TEXT | WORD_MAP,
     .pattern = RESULTS_PATTERN,
     .keys = &results_keys},
    {.name = "telemetry",
     .help = "samples of the machine while the job runs (default: off)",
     .types = WORD_TEXT | WORD_MAP | WORD_NULL,
     .choices = off_only,
     .keys = &telemetry_keys},
    {.name = "needs",
     .help = "other jobs that must be over before: afterok:NAME",
     .types = WORD_LIST | WORD_NULL,
     .item = &need_item},
    {.name = "constraints",
     .help = "which hosts the job may stand on",
     .types = WORD_MAP | WORD_NULL,
     .keys = &constraint_keys},
    {.name = "notify",
     .help = "commands that run when the job is over",
     .types = WORD_LIST | WORD_NULL,
     .item = &vector_item},
    STAGE_WORDS,
};
const struct words words_job = {job_words, N(job_words), false};

const struct word *words_find(const struct words *w, const char *name)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (strcmp(w->items[i].name, name) == 0)
            return &w->items[i];
    }
    return NULL;
}
