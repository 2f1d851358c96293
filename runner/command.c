/* See command.h. Invariant: between command_start and command_end what the command was
 * started with stays where it is: argv and environment in the place's arena, what it
 * reads of other tasks in the place's source. */
#include "command.h"
#include "base/clock.h"
#include "spec/tasks.h"
#include "surroundings.h"
#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>

void command_place_init(struct command_place *p, _Atomic uint64_t *mark)
{
    *p = (struct command_place){.input = -1, .mark = mark};
    p->files = UINT64_MAX;
    p->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    proc_changed_signals(&p->changed);
}

void command_place_clear(struct command_place *p)
{
    tmpdir_free(p->tmpdir);
    if (p->null >= 0)
        (void)close(p->null);
    p->tmpdir = NULL;
    p->null = -1;
}

/* files: descriptors, where the stage does not limit them. */
static unsigned
set_limits(const struct jobspec_limits *l, uint64_t files, struct proc_limit to[6])
{
    const struct proc_limit all[6] = {
        {.resource = RLIMIT_AS, .most = l->memory},
        {.resource = RLIMIT_FSIZE, .most = l->file_size},
        {.resource = RLIMIT_NOFILE,
         .most = l->files != UINT64_MAX ? l->files : files,
         .soft = l->files == UINT64_MAX},
        {.resource = RLIMIT_NPROC, .most = l->processes},
        {.resource = RLIMIT_CORE, .most = l->core},
        {.resource = RLIMIT_CPU,
         .most = l->cpu < 0 ? UINT64_MAX : (uint64_t)ceil(l->cpu)},
    };
    unsigned n = 0;
    for (unsigned i = 0; i < 6; i++) {
        if (all[i].most != UINT64_MAX)
            to[n++] = all[i];
    }
    return n;
}

static int open_input(struct command_place *p, const char *path, struct gm_error *err)
{
    struct stat st;
    if (path == NULL)
        return 0;
    p->input = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would hold us */
    if (p->input < 0 || fstat(p->input, &st) != 0)
        return gm_fail(err, -errno, "stdin: %s: %s", path, strerror(errno));
    return S_ISREG(st.st_mode)
               ? 0
               : gm_fail(err, -EINVAL, "stdin: %s: is no regular file", path);
}

static int empty_tmpdir(const struct attempt *a, struct gm_error *err)
{
    struct command_place *p = a->place;
    if (p->tmpdir != NULL)
        return tmpdir_empty(p->tmpdir, err);
    char job[32];
    (void)snprintf(job, sizeof(job), "%.8s-%u", a->plan->id, a->rank);
    return tmpdir_make(job, a->plan->folder, &p->tmpdir, err);
}

static const char *const *make_env(const struct attempt *a,
                                   const struct tasks_command *command)
{
    struct command_place *p = a->place;
    if (a->opened->around == NULL) {
        struct surroundings_of of = {.spec = a->spec,
                                     .plan = a->plan,
                                     .rank = a->rank,
                                     .stage = a->stage,
                                     .threads = p->threads};
        a->opened->around = surroundings_make(&of);
    }
    struct surroundings_task task = {.task = a->task,
                                     .attempt = a->number,
                                     .tmpdir = tmpdir_path(p->tmpdir),
                                     .own = command->env};
    return surroundings_env(a->opened->around, &task, p->arena);
}

static int
start_it(const struct attempt *a, struct tasks_command *command, struct gm_error *err)
{
    struct command_place *p = a->place;
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    int rc = empty_tmpdir(a, err);
    if (rc == 0)
        rc = open_input(p, command->input, err);
    if (rc < 0)
        return rc;
    p->spec =
        (struct exec_spec){.argv = command->argv,
                           .env = make_env(a, command),
                           .cwd = a->spec->dir,
                           .in = p->input >= 0 ? p->input : p->null,
                           .timeout = stage->timeout,
                           .stop = pulse_pressing,
                           .stop_ctx = a->pulse,
                           .most_output = stage->most_output,
                           .spill = a->plan->folder,
                           .cpus = p->cpus,
                           .limits = p->limits,
                           .n_limits = set_limits(&stage->limits, p->files, p->limits),
                           .changed = &p->changed,
                           .mark = p->mark,
                           .look = a->look != NULL};
    return exec_start(&p->spec, &p->child, &p->end, err);
}

int command_start(const struct attempt *a, struct parcel *parcel, struct gm_error *err)
{
    struct command_place *p = a->place;
    struct tasks_command command = {0};
    p->arena = arena_make();
    p->input = -1;
    p->start = clock_unix();
    p->end = (struct exec_end){.reason = RESULT_ERROR, .exit_code = -1};
    capture_init(&p->end.out, 0, NULL);
    capture_init(&p->end.err, 0, NULL);
    int rc = tasks_command(a->spec,
                           a->stage,
                           a->task,
                           source_for(p->source, a->stage),
                           p->arena,
                           &command,
                           err);
    if (rc == 0)
        rc = parcel_add_text(
            parcel, RESULT_PARAMS, command.varying, strlen(command.varying), err);
    return rc == 0 ? start_it(a, &command, err) : rc;
}

static int judge(const struct exec_end *end, double timeout, struct gm_error *err)
{
    char limit[32];
    switch (end->reason) {
    case RESULT_OK:
        return 0;
    case RESULT_TIMEOUT:
        return gm_fail(err,
                       -ETIMEDOUT,
                       "took longer than its timeout of %s",
                       str_duration(timeout, limit));
    case RESULT_SIGNAL:
        return gm_fail(
            err, -EINTR, "ended by signal %d (%s)", end->signal, strsignal(end->signal));
    default:
        return gm_fail(err, -EIO, "exit status %d", end->exit_code);
    }
}

/* Slurm sends its signals to all processes of a step, ranks and commands alike: such a
 * command did not fail. */
static bool was_told_to_stop(const struct attempt *a, int signal)
{
    bool asks = signal == SIGTERM || signal == SIGINT || signal == SIGUSR1 ||
                signal == SIGUSR2 || signal == SIGHUP;
    return asks && !a->place->child.timed_out && pulse_stopping(a->pulse);
}

int command_end(const struct attempt *a,
                int rc,
                struct parcel *parcel,
                struct attempt_end *ret,
                struct gm_error *err)
{
    struct command_place *p = a->place;
    const struct exec_end *end = &p->end;
    if (rc == 0 && a->look != NULL) /* it may have moved us */
        a->look(a->look_ctx, end->seen);
    if (rc == 0 && (p->child.stopped || was_told_to_stop(a, end->signal)))
        rc = gm_fail(err, -ECANCELED, "asked to stop");
    else if (rc == 0)
        rc = judge(end, p->spec.timeout, err);
    struct gm_error late = {0};
    int logged = capture_add(&p->end.out, parcel, RESULT_STDOUT, &late);
    if (logged == 0)
        logged = capture_add(&p->end.err, parcel, RESULT_STDERR, &late);
    if (logged < 0 && rc == 0)
        rc = gm_fail(err, logged, "its output: %s", late.text);
    *ret = (struct attempt_end){.reason = end->reason,
                                .exit_code = end->exit_code,
                                .signal = end->signal,
                                .start = p->start,
                                .end = clock_unix(),
                                .user_s = end->user_s,
                                .system_s = end->system_s,
                                .max_rss = end->max_rss,
                                .read_bytes = end->read_bytes,
                                .written_bytes = end->written_bytes};
    exec_end_free(&p->end);
    if (p->input >= 0)
        (void)close(p->input);
    source_release(p->source);
    arena_free(p->arena);
    p->arena = NULL;
    return rc;
}

int command_attempt(const struct attempt *a,
                    struct parcel *parcel,
                    struct attempt_end *ret,
                    struct gm_error *err)
{
    struct command_place *p = a->place;
    struct exec_child *child = &p->child;
    struct pollfd fds[3];
    int rc = command_start(a, parcel, err);
    if (rc == 0) {
        do
            exec_wait(&child, 1, fds);
        while (!exec_attend(child));
    }
    return command_end(a, rc, parcel, ret, err);
}
