/* See machine.h. What a text is follows from its end: .xml, .yaml, .yml are files, and so
 * is what names one that is there; all else is synthetic. */
#include "machine.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "cluster.h"
#include "xmlcheck.h"

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n > m && strcmp(text + n - m, with) == 0;
}

/* "conf/login1.xml" -> "login1" */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = xstrdup(slash != NULL ? slash + 1 : path);
    if (ends(name, ".xml"))
        name[strlen(name) - strlen(".xml")] = '\0';
    return name;
}

static int load_xml(const char *path, struct restree **ret, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len;
    int rc = file_read(path, XMLCHECK_BYTES, &text, &len, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(char) name = name_of(path);
    AUTO(restree) tree = NULL;
    rc = restree_load_foreign(text, len, path, &tree, err);
    if (rc != 0)
        return rc;
    free(tree->hosts[0].name);
    tree->hosts[0].name = steal(&name);
    *ret = steal(&tree);
    return 0;
}

int machine_load(const char *text, struct restree **ret, struct gm_error *err)
{
    if (strcmp(text, "-") == 0 || text[0] == '\0')
        return gm_fail(err,
                       -EINVAL,
                       "'%s' names no machine: an hwloc XML file, a cluster file (.yaml) "
                       "or a text like \"pack:2 core:4\" does",
                       text);
    if (ends(text, ".yaml") || ends(text, ".yml"))
        return cluster_load(text, ret, err);
    if (ends(text, ".xml") || file_exists(text))
        return load_xml(text, ret, err);
    if (strchr(text, '/') != NULL)
        return gm_fail(err, -ENOENT, "%s: %s", text, strerror(ENOENT));
    return restree_load_synthetic(text, ret, err);
}
