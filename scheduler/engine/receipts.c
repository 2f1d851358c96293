/* See receipts.h. Invariant: a line is one write to the end of the file, its values have
 * no blanks but the quoted one, and it ends in "end=1": what does not was cut off. */
#include "receipts.h"
#include "base/auto.h"
#include "base/clock.h"
#include "launch/alloc.h"
#include "summary_data.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name as one word. */
static void put_word(struct str *out, const char *key, const char *text)
{
    str_printf(out, " %s=", key);
    for (const char *c = text != NULL && *text != '\0' ? text : "n/a"; *c != '\0'; c++) {
        bool plain = *c > ' ' && *c < 0x7f && strchr("\"'=\\", *c) == NULL;
        str_add_n(out, plain ? c : "_", 1);
    }
}

static void put_number(struct str *out, const char *key, double x)
{
    if (isnan(x))
        str_printf(out, " %s=n/a", key);
    else
        str_printf(out, " %s=%.*g", key, fabs(x) < 1e15 && x == floor(x) ? 16 : 4, x);
}

char *receipts_line(const struct summary *s, const struct receipts_who *who)
{
    static const struct {
        const char *key;
        enum receipt_number which;
    } numbers[] = {
        {"launches", RECEIPT_LAUNCHES},
        {"wall", RECEIPT_WALL},
        {"ranks", RECEIPT_ASKED_RANKS},
        {"cores", RECEIPT_ASKED_CPUS},
        {"mem", RECEIPT_ASKED_MEMORY},
        {"limit", RECEIPT_ASKED_TIME},
        {"ranks_busy", RECEIPT_RANKS_BUSY},
        {"cpus_busy", RECEIPT_CPUS_BUSY},
        {"gpus_busy", RECEIPT_GPUS_BUSY},
        {"of_peak", RECEIPT_OF_PEAK},
        {"rss", RECEIPT_RSS},
        {"fit_ranks", RECEIPT_FIT_RANKS},
        {"fit_cores", RECEIPT_FIT_CPUS},
        {"fit_gpus", RECEIPT_FIT_GPUS},
        {"fit_mem", RECEIPT_FIT_MEMORY},
        {"fit_limit", RECEIPT_FIT_TIME},
    };
    const struct receipt *r = s->receipt;
    struct str out = {0};
    if (r == NULL)
        return NULL;
    str_printf(&out, "receipt=1 time=%.0f", who->time);
    put_word(&out, "user", who->user);
    str_printf(&out, " uid=%lu", who->uid);
    put_word(&out, "jobid", who->job_id);
    put_word(&out, "id", s->id);
    put_word(&out, "name", s->name);
    put_word(&out, "outcome", summary_outcome(s));
    put_number(&out,
               "gpus",
               fmax(r->v[RECEIPT_GIVEN_GPUS],
                    r->v[RECEIPT_ASKED_GPUS] * r->v[RECEIPT_ASKED_RANKS]));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put_number(&out, numbers[i].key, r->v[numbers[i].which]);
    put_number(&out, "flops", r->v[RECEIPT_FLOPS] + r->v[RECEIPT_FLOPS64]);
    str_printf(&out, " suggest=\"%s\" end=1\n", r->sbatch);
    return str_steal(&out);
}

/* In a folder that anybody may write to, the name may be somebody else's doing. */
static int open_file(const char *path, struct gm_error *err)
{
    struct stat st;
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0)
        return gm_fail(err,
                       -errno,
                       "%s: %s",
                       path,
                       errno == ELOOP ? "is a link, which is not followed"
                                      : strerror(errno));
    bool ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                st.st_nlink == 1;
    if (ours)
        return fd;
    (void)close(fd);
    return gm_fail(err, -EPERM, "%s: is no file of this user's alone: remove it", path);
}

int receipts_append(const char *folder,
                    unsigned long uid,
                    const char *line,
                    struct gm_error *err)
{
    AUTO_STR path = {0};
    size_t len = strlen(line);
    str_printf(&path, "%s/uid-%lu.txt", folder, uid);
    AUTO_FD fd = open_file(path.text, err);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, line, len);
    if (n == (ssize_t)len)
        return 0;
    int code = n < 0 ? errno : ENOSPC;
    if (n > 0 && write(fd, "\n", 1) < 0) /* the next line begins as one */
        code = errno;
    return gm_fail(err, -code, "%s: %s", path.text, strerror(code));
}

int receipts_write(const struct summary *s, struct gm_error *err)
{
    const char *folder = getenv("GRIDMILL_RECEIPTS");
    const struct passwd *user = getpwuid(geteuid());
    struct alloc a;
    if (folder == NULL || folder[0] == '\0')
        return 0;
    alloc_read(&a);
    struct receipts_who who = {.user = user != NULL ? user->pw_name : NULL,
                               .job_id = a.job_id,
                               .uid = geteuid(),
                               .time = clock_unix()};
    AUTO_FREE(char) line = receipts_line(s, &who);
    return line != NULL ? receipts_append(folder, who.uid, line, err) : 0;
}
