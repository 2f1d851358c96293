/* See token.h. */
#include "token.h"
#include "base/file.h"
#include "base/str.h"

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
