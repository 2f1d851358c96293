#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "topo/cluster.h"
#include "topo/machine.h"
#include <criterion/criterion.h>

static char *folder(void)
{
    char *path = xstrdup("/tmp/gridmill-machine.XXXXXX");
    cr_assert_not_null(mkdtemp(path));
    return path;
}

static void put(const char *dir, const char *name, const char *text, struct str *ret)
{
    str_clear(ret);
    str_printf(ret, "%s/%s", dir, name);
    cr_assert_eq(file_write(ret->text, text, strlen(text), NULL), 0);
}

Test(machine, a_cluster_file_has_hosts_with_properties_and_slots)
{
    AUTO_FREE(char) dir = folder();
    AUTO_STR path = {0};
    AUTO(restree) xml = NULL;
    cr_assert_eq(restree_load_synthetic("pack:1 core:2 pu:2", &xml, NULL), 0);
    put(dir, "login.xml", xml->shapes[0].xml, &path);
    put(dir,
        "c.yaml",
        "hosts:\n"
        "  - {name: 'gpu[08-10]', topology: 'pack:2 numa:2 core:4 gpu:2', properties: "
        "[gpu, big]}\n"
        "  - {name: login1, topology: login.xml, slots: 4}\n"
        "  - {name: 'thin[1-2],odd', topology: 'pack:2 numa:2 core:4 gpu:2', properties: "
        "[gpu, big]}\n"
        "  - {name: twin, topology: 'pack:1 core:2 pu:2'}\n",
        &path);
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(machine_load(path.text, &tree, &err), 0, "%s", err.text);
    cr_assert_eq(tree->n_hosts, 8);
    cr_expect_eq(tree->n_shapes, 2, "%u shapes", tree->n_shapes);
    static const struct {
        const char *name;
        unsigned cores, gpus, properties, slots;
    } want[] = {
        {"gpu08", 16, 8, 2, 0},
        {"gpu09", 16, 8, 2, 0},
        {"gpu10", 16, 8, 2, 0},
        {"login1", 2, 0, 0, 4},
        {"thin1", 16, 8, 2, 0},
        {"thin2", 16, 8, 2, 0},
        {"odd", 16, 8, 2, 0},
        {"twin", 2, 0, 0, 0},
    };
    for (unsigned h = 0; h < 8; h++) {
        const struct topo_host *host = &tree->hosts[h];
        cr_expect_str_eq(host->name, want[h].name);
        cr_expect_eq(restree_shape(tree, h)->n_cores, want[h].cores);
        cr_expect_eq(restree_shape(tree, h)->n_gpus, want[h].gpus);
        cr_expect_eq(tree->properties[host->properties].n, want[h].properties);
        cr_expect_eq(host->slots, want[h].slots);
    }
    cr_expect_eq(tree->n_properties, 2);
    cr_expect_str_eq(tree->properties[tree->hosts[0].properties].names[1], "big");
    (void)file_remove_tree(dir, NULL);
}

Test(machine, a_bad_cluster_file_is_refused_where_it_is_wrong)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "c.yaml"},
        {"- a\n", "1:1: a cluster file is a map"},
        {"hosts: []\n", "hosts: a list of hosts"},
        {"hosts:\n- {name: a, topology: 'core:1'}\nhost: 1\n",
         "3:1: unknown key 'host' (did you mean hosts?)"},
        {"hosts:\n- {name: a, topology: 'core:1', topologie: x}\n",
         "2:33: hosts[0]: unknown key 'topologie' (did you mean topology?)"},
        {"hosts:\n- {name: a}\n", "2:3: hosts[0]: a host has a topology"},
        {"hosts:\n- a\n", "2:3: hosts[0]: {name: ..., topology: ...}"},
        {"hosts:\n- {name: 'a[1', topology: 'core:1'}\n", "2:10: hosts[0].name: "},
        {"hosts:\n- {name: '', topology: 'core:1'}\n",
         "hosts[0].name: a host's name or a list like \"n[1-4]\" stands here, but this "
         "is "
         "empty"},
        {"hosts:\n- {name: 7, topology: 'core:1'}\n", "hosts[0].name: a host's name"},
        {"hosts:\n- {name: 'a[1-3]', topology: 'core:1'}\n- {name: a2, topology: "
         "'core:1'}\n",
         "3:10: hosts[1].name: host a2 is there already, in line 2"},
        {"hosts:\n- {name: a, topology: 'core:x'}\n",
         "2:23: hosts[0].topology: 'core:x': character 1: describes no machine"},
        {"hosts:\n- {name: a, topology: 'host:2 core:1'}\n",
         "hosts[0].topology: host:N has no place here"},
        {"hosts:\n- {name: a, topology: none.xml}\n", "No such file"},
        {"hosts:\n- {name: a, topology: 'core:1', slots: 0}\n",
         "hosts[0].slots: a number from 1"},
        {"hosts:\n- {name: a, topology: 'core:1', properties: big}\n",
         "hosts[0].properties: a list"},
        {"hosts:\n- {name: a, topology: 'core:1', properties: [a|b]}\n",
         "hosts[0].properties[0]: 'a|b' is no property"},
        {"hosts: [\n", "c.yaml:"},
    };
    AUTO_FREE(char) dir = folder();
    AUTO_STR path = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct restree *tree = NULL;
        struct gm_error err = {0};
        put(dir, "c.yaml", rows[i].text, &path);
        cr_expect_eq(cluster_load(path.text, &tree, &err), -EINVAL, "%zu", i);
        cr_expect_null(tree);
        cr_expect_not_null(strstr(err.text, rows[i].says), "%zu: %s", i, err.text);
        cr_expect(strncmp(err.text, dir, strlen(dir)) == 0, "%s", err.text);
    }
    (void)file_remove_tree(dir, NULL);
}

/* Each host an entry with a topology and a set of properties of its own: nothing may be
 * looked for one by one. */
Test(machine, many_hosts_that_all_differ)
{
    enum { N = 2000 };
    AUTO_FREE(char) dir = folder();
    AUTO_STR path = {0};
    AUTO_STR text = {0};
    str_add(&text, "hosts:\n");
    for (unsigned i = 0; i < N; i++)
        str_printf(&text,
                   "- {name: n%u, topology: 'pack:%u core:%u', properties: [p%u]}\n",
                   i,
                   i % 4 + 1,
                   i % 100 + 1,
                   i);
    str_add(&text, "- {name: 'm[1-16384]', topology: 'pack:2 numa:4 core:16 gpu:1'}\n");
    put(dir, "c.yaml", text.text, &path);
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(cluster_load(path.text, &tree, &err), 0, "%s", err.text);
    cr_expect_eq(tree->n_hosts, N + 16384);
    cr_expect_eq(tree->n_shapes, 101, "%u", tree->n_shapes);
    cr_expect_eq(tree->n_properties, N + 1);
    cr_expect_str_eq(tree->hosts[N + 16383].name, "m16384");
    for (unsigned i = 0; i < N; i++)
        cr_expect_eq(restree_shape(tree, i)->n_cores, (i % 4 + 1) * (i % 100 + 1));
    (void)file_remove_tree(dir, NULL);
}

Test(machine, joined_trees_keep_properties_and_slots)
{
    AUTO_FREE(char) dir = folder();
    AUTO_STR path = {0};
    struct restree *more = NULL;
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic("core:1", &tree, NULL), 0);
    put(dir,
        "c.yaml",
        "hosts:\n- {name: a, topology: 'core:1', properties: [x], slots: 2}\n"
        "- {name: b, topology: 'core:2'}\n",
        &path);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(cluster_load(path.text, &more, NULL), 0);
        restree_join(tree, more);
    }
    cr_assert(tree->n_hosts == 5 && tree->n_shapes == 2 && tree->n_properties == 2);
    static const unsigned want[] = {0, 1, 0, 1, 0};
    for (unsigned h = 0; h < 5; h++) {
        cr_expect_eq(tree->properties[tree->hosts[h].properties].n, want[h]);
        cr_expect_eq(tree->hosts[h].slots, 2 * want[h]);
    }
    (void)file_remove_tree(dir, NULL);
}

Test(machine, a_text_names_a_file_or_describes_a_machine)
{
    AUTO_FREE(char) dir = folder();
    AUTO_STR path = {0};
    AUTO(restree) a = NULL;
    AUTO(restree) b = NULL;
    struct gm_error err = {0};
    cr_assert_eq(machine_load("host:2 pack:2 core:4", &a, &err), 0, "%s", err.text);
    cr_expect(a->n_hosts == 2 && a->shapes[0].n_cores == 8);
    put(dir, "node7.xml", a->shapes[0].xml, &path);
    cr_assert_eq(machine_load(path.text, &b, &err), 0, "%s", err.text);
    cr_expect_str_eq(b->hosts[0].name, "node7");
    cr_expect_str_eq(b->shapes[0].digest, a->shapes[0].digest);
    static const struct {
        const char *text, *says;
        int code;
    } rows[] = {
        {"", "names no machine", -EINVAL},
        {"-", "names no machine", -EINVAL},
        {"/nowhere/a.xml", "/nowhere/a.xml: No such file", -ENOENT},
        {"/nowhere/a.yaml", "/nowhere/a.yaml: No such file", -ENOENT},
        {"nowhere/a", "nowhere/a: No such file", -ENOENT},
        {"nonsense", "describes no machine", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct restree *tree = NULL;
        cr_expect_eq(machine_load(rows[i].text, &tree, &err), rows[i].code, "%zu", i);
        cr_expect(tree == NULL && strstr(err.text, rows[i].says) != NULL,
                  "%zu: %s",
                  i,
                  err.text);
    }
    put(dir, "empty.xml", "", &path);
    struct restree *none = NULL;
    cr_expect_eq(machine_load(path.text, &none, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "empty.xml: this is no XML"), "%s", err.text);
    (void)file_remove_tree(dir, NULL);
}
