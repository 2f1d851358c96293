/* See token.h. */
#include "token.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

int token_write(const struct plan *plan, struct gm_error *err)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/token", plan->folder);
    return file_write(path.text, plan->id, strlen(plan->id), err);
}

int token_check(const struct plan *plan, struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO_FREE(char) token = NULL;
    size_t len;
    str_printf(&path, "%s/token", plan->folder);
    int rc = file_read(path.text, 64, &token, &len, err);
    if (rc == 0 && strcmp(token, plan->id) != 0)
        return gm_fail(err, -EBUSY, "%s: is another run's by now", plan->folder);
    return rc;
}

int token_hold(const struct plan *plan, int *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/packing", plan->folder);
    AUTO_FD fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return gm_fail(err, -errno, "%s: %s", path.text, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return gm_fail(err, -EBUSY, "%s: is held by another launch", path.text);
    int rc = token_check(plan, err);
    if (rc == 0) {
        *ret = fd;
        fd = -1;
    }
    return rc;
}
