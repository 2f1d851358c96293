/* See crashes.h. Invariant: a line is one write to the end of the file, so that a kill
 * leaves whole lines and at most one that is cut, which is not believed. */
#include "crashes.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { MOST_BYTES = 16 << 20 };

void crashes_add(const char *folder, uint32_t stage, uint64_t task)
{
    AUTO_STR path = {0};
    AUTO_STR line = {0};
    str_printf(&path, "%s/crashes", folder);
    str_printf(&line, "crash %" PRIu32 " %" PRIu64 "\n", stage, task);
    AUTO_FD fd = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0)
        (void)!write(fd, line.text, line.len);
}

int crashes_read(const char *folder,
                 struct crashes_task **ret,
                 size_t *ret_n,
                 struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO_FREE(char) text = NULL;
    AUTO_FREE(struct crashes_task) all = NULL;
    size_t len = 0, n = 0;
    str_printf(&path, "%s/crashes", folder);
    *ret = NULL;
    *ret_n = 0;
    if (!file_exists(path.text))
        return 0;
    int rc = file_read(path.text, MOST_BYTES, &text, &len, err);
    if (rc < 0)
        return rc;
    for (char *p = text, *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        struct crashes_task c;
        int used = 0;
        *end = '\0';
        /* NOLINTNEXTLINE(cert-err34-c): a number that is too large is no task's */
        if (sscanf(p, "crash %" SCNu32 " %" SCNu64 "%n", &c.stage, &c.task, &used) != 2 ||
            p + used != end)
            continue;
        all = xrealloc(all, n + 1, sizeof(*all));
        all[n++] = c;
    }
    *ret = steal(&all);
    *ret_n = n;
    return 0;
}
