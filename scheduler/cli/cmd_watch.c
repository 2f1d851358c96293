/* gridmill watch: a job that runs elsewhere, or is over, by what its folder and its
 * results file tell. On a terminal one frame that is redrawn in place; else a line where
 * something has changed. */
#include "base/clock.h"
#include "command.h"
#include "engine/follow.h"
#include "say.h"
#include "spec/units.h"
#include "watch_draw.h"
#include <signal.h>
#include <unistd.h>

static const double interval_s = 2, interval_least_s = 0.1, nap_s = 0.1;

static volatile sig_atomic_t resized, ended_by;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else
        ended_by = number;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction act = {.sa_handler = on_signal};
    (void)sigemptyset(&act.sa_mask);
    for (unsigned i = 0; i < N_OF(numbers); i++)
        (void)sigaction(numbers[i], &act, NULL);
}

struct watch {
    const struct cli *cli;
    const char *file;
    struct follow *follow;
    struct pace pace;
    bool live;        /* redraws in place */
    struct str frame; /* that stands there */
    enum follow_state state;
    uint64_t version;
    bool told;
};

static struct watch_view view_of(struct watch *w)
{
    const struct terminal *t = &w->cli->terminal;
    struct watch_view v = {.file = w->file,
                           .state = follow_state(w->follow),
                           .code = follow_exit(w->follow),
                           .job = follow_job(w->follow),
                           .pace = &w->pace,
                           .now = clock_unix(),
                           .utf8 = t->utf8,
                           .colour = t->colour_out};
    terminal_size(STDOUT_FILENO, &v.width, &v.height);
    if (!w->live)
        v.height = 0;
    if (!t->out)
        v.width = 80;
    return v;
}

/* Over the frame that stands there, whose lines a narrower window has wrapped; each line
 * is wiped behind its end. */
static void redraw(struct watch *w, const char *frame, int width)
{
    AUTO_STR out = {0};
    int up = terminal_rows(str_text(&w->frame), width);
    if (up > 0)
        str_printf(&out, "\033[%dA\r", up);
    for (const char *p = frame; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        str_add_n(&out, p, n);
        str_add(&out, "\033[K\n");
        p += n + (p[n] == '\n');
    }
    str_add(&out, "\033[J");
    terminal_print(out.text);
    str_clear(&w->frame);
    str_add(&w->frame, frame);
}

/* Has anything but the time changed since it was told? */
static bool is_news(struct watch *w, const struct watch_view *v)
{
    uint64_t version = v->job != NULL ? v->job->version : 0;
    bool news = !w->told || v->state != w->state || version != w->version;
    w->told = true;
    w->state = v->state;
    w->version = version;
    return news;
}

static void tell(struct watch *w)
{
    struct watch_view v = view_of(w);
    AUTO_STR out = {0};
    bool news = is_news(w, &v);
    if (w->live) {
        watch_draw(&v, &out);
        redraw(w, str_text(&out), v.width);
        return;
    }
    if (!news)
        return;
    if (w->cli->json) {
        watch_json(&v, &out);
    } else if (args_has(&w->cli->args, "once")) {
        watch_draw(&v, &out);
    } else {
        watch_line(&v, &out);
        str_add(&out, "\n");
    }
    terminal_print(out.text);
}

/* Until the next look is due; a frame fits a window of another size at once. */
static void wait_for_turn(struct watch *w, double interval)
{
    double due = clock_monotonic() + interval, left;
    while (ended_by == 0 && (left = due - clock_monotonic()) > 0 &&
           !follow_moved(w->follow)) {
        if (w->live && resized != 0) {
            resized = 0;
            tell(w);
        }
        clock_sleep(left < nap_s ? left : nap_s);
    }
}

static int look(struct watch *w, struct gm_error *err)
{
    int rc = w->follow != NULL ? follow_turn(w->follow, err)
                               : follow_open(w->file, &w->follow, err);
    if (rc == 0)
        pace_look(&w->pace, follow_job(w->follow), clock_unix(), clock_monotonic());
    return rc;
}

static int missing(const struct watch *w)
{
    struct gm_error err;
    (void)gm_fail(&err,
                  -ENOENT,
                  "%s: there is no results file, and no %s.gm of a run: give the results "
                  "file of a job, or --wait until it begins",
                  follow_file(w->follow),
                  follow_file(w->follow));
    return say_failure(w->cli, ENGINE_USAGE, &err);
}

/* To the end of the job. The exit code; everything is said. */
static int watch(struct watch *w, double interval)
{
    struct gm_error err = {0};
    bool wait = args_has(&w->cli->args, "wait"), began = false;
    for (;;) {
        int rc = look(w, &err);
        if (rc < 0)
            return say_failure(w->cli, engine_exit_for(rc), &err);
        enum follow_state state = follow_state(w->follow);
        began = began || follow_goes_on(w->follow) || state == FOLLOW_OVER;
        if (state == FOLLOW_NOTHING && !wait)
            return missing(w);
        tell(w);
        if (args_has(&w->cli->args, "once"))
            return follow_goes_on(w->follow) ? ENGINE_DONE : (int)follow_exit(w->follow);
        if (!follow_goes_on(w->follow) && (began || !wait))
            return (int)follow_exit(w->follow);
        wait_for_turn(w, interval);
        if (ended_by != 0)
            return ENGINE_DONE;
    }
}

static int get_interval(const struct cli *cli, double *ret, struct gm_error *err)
{
    const char *text = args_value(&cli->args, "interval");
    *ret = interval_s;
    if (text == NULL)
        return 0;
    int rc = units_duration(text, ret, err);
    if (rc == 0 && !(*ret >= interval_least_s && *ret <= 86400))
        rc = gm_fail(err, -EINVAL, "%s: must be 100ms to 1d", text);
    return rc == 0 ? 0 : gm_prefix(err, "--interval");
}

static int run(const struct cli *cli)
{
    struct gm_error err = {0};
    double interval;
    struct watch w = {.cli = cli, .file = cli->args.words[0]};
    if (get_interval(cli, &interval, &err) != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    w.live = cli->terminal.out && !cli->json && !args_has(&cli->args, "once");
    catch_signals();
    int code = watch(&w, interval);
    follow_close(w.follow);
    pace_free(&w.pace);
    str_free(&w.frame);
    if (ended_by != 0) { /* as if it had never been caught */
        (void)signal((int)ended_by, SIG_DFL);
        (void)raise((int)ended_by);
    }
    return code;
}

static const struct option_spec options[] = {
    {"interval", 0, "TIME", "look every TIME: 2s, 500ms"},
    {"once", 0, NULL, "look once, and tell all of it"},
    {"wait", 0, NULL, "where no run has FILE, wait until one begins"},
    OPTION_JSON,
};

const struct command cmd_watch = {
    .name = "watch",
    .usage = "[OPTIONS] FILE",
    .summary = "watch a job that runs, or is over, from elsewhere",
    .help =
        "Reads what the ranks of the job whose results go to FILE have committed so "
        "far,\n"
        "and tells of each stage and rank, of the last failures, and of the time that "
        "is\n"
        "left: on a terminal in place, else a line where something has changed. The job\n"
        "does not notice. Ends with the job, and with the exit code of its outcome: 0\n"
        "done, 1 a task failed, 5 incomplete (the command that resumes it is told).\n"
        "With --once the exit code is 0 while the job goes on. Ctrl-C ends the watching\n"
        "alone.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
