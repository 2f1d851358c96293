/* launch/hosts.h: hosts as users write them, and as nobody should. */
#include "base/file.h"
#include "base/str.h"
#include "launch/hosts.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void show(const struct alloc_hosts *h, struct str *out)
{
    for (unsigned i = 0; i < h->n; i++)
        str_printf(out, "%s%s:%u", i > 0 ? " " : "", h->items[i].name, h->items[i].slots);
}

/* want: the hosts, or (refused) a part of the sentence. */
struct row {
    const char *text, *want, *refused;
};

static const struct row lists[] = {
    {"a", "a:0", NULL},
    {"a,b[1-3]:2", "a:0 b1:2 b2:2 b3:2", NULL},
    {" a , b:4 ", "a:0 b:4", NULL},
    {"n[01-03,7]x[1-2]:8,login",
     "n01x1:8 n01x2:8 n02x1:8 n02x2:8 n03x1:8 n03x2:8 "
     "n07x1:8 n07x2:8 login:0",
     NULL},
    {"a,a", "a:2", NULL},
    {"a:3,b,a:2", "a:5 b:0", NULL},
    {"a,a:3", "a:4", NULL},
    {"a:1000000,a:1000000", "a:1000000", NULL},
    {"gpu.site.org:2", "gpu.site.org:2", NULL},
    {"", NULL, "names no host"},
    {",,", NULL, "names no host"},
    {"a:0", NULL, "slots are a number from 1"},
    {"a:", NULL, "slots are a number from 1"},
    {"a:x", NULL, "slots are a number from 1"},
    {"a:-1", NULL, "slots are a number from 1"},
    {"a:99999999999999999999", NULL, "slots are a number from 1"},
    {"a:1000001", NULL, "slots are a number from 1"},
    {"fe80::1", NULL, "slots are a number from 1"},
    {":4", NULL, "a host must stand before the colon"},
    {"a b", NULL, "a comma must stand"},
    {"a:2 b:2", NULL, "a comma must stand"},
    {"a[1-", NULL, "no ] closes the ["},
    {"a[1-3]:2]", NULL, "slots are a number"},
    {"a[0-999999]", NULL, "more than"},
    {"a]", NULL, "no [ belongs"},
    {"a\xc3\xa4", NULL, "no printable ASCII"},
};

Test(hosts, a_list_names_each_host_once_with_its_slots)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct alloc_hosts h = {0};
        struct gm_error err = {0};
        AUTO_STR got = {0};
        int rc = hosts_parse(lists[i].text, &h, &err);
        if (lists[i].refused != NULL) {
            cr_assert_eq(rc, -EINVAL, "%s", lists[i].text);
            cr_assert_not_null(
                strstr(err.text, lists[i].refused), "%s: %s", lists[i].text, err.text);
            cr_assert_eq(h.n, 0);
            continue;
        }
        cr_assert_eq(rc, 0, "%s: %s", lists[i].text, err.text);
        show(&h, &got);
        cr_assert_str_eq(str_text(&got), lists[i].want);
        alloc_hosts_free(&h);
    }
}

static const struct row files[] = {
    {"# our machines\n\nnode1 slots=4\nnode2  slots = 8 max_slots=6 # the old one\n",
     "node1:4 node2:6",
     NULL},
    {"a\nb max-slots=3\r\n", "a:0 b:3", NULL},
    {"a\na\n", "a:2", NULL},
    {"rack[1-2]n[1-2] slots=2", "rack1n1:2 rack1n2:2 rack2n1:2 rack2n2:2", NULL},
    {"\n\n# nothing\n", NULL, "machines: names no host"},
    {"a\nb slots=\n", NULL, "machines:2: slots takes a number"},
    {"a\nb slots\n", NULL, "machines:2: slots takes a number"},
    {"a slots=0", NULL, "machines:1: slots takes a number"},
    {"a\n\nb slots=4x\n", NULL, "machines:3: slots takes a number"},
    {"-oProxyCommand",
     NULL,
     "machines:1: '-oProxyCommand': a host's name begins with no"},
    {"a slots=4 cores=2", NULL, "machines:1: unknown word 'cores'"},
    {"slots=4", NULL, "machines:1: 'slots=4': a host must stand first"},
    {"a\n^b\n", NULL, "machines:2: '^b': hosts are plain names"},
    {"me@b", NULL, "machines:1: 'me@b': hosts are plain names"},
    {"a b", NULL, "machines:1: unknown word 'b'"},
    {"a[", NULL, "machines:1: "},
};

Test(hosts, a_host_file_is_read_as_Open_MPI_reads_it_and_faults_have_their_line)
{
    char folder[] = "/tmp/gridmill-hosts.XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    AUTO_STR path = {0};
    str_printf(&path, "%s/machines", folder);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct alloc_hosts h = {0};
        struct gm_error err = {0};
        AUTO_STR got = {0};
        cr_assert_eq(file_write(path.text, files[i].text, strlen(files[i].text), NULL),
                     0);
        int rc = hosts_read(path.text, &h, &err);
        if (files[i].refused != NULL) {
            cr_assert_eq(rc, -EINVAL, "%s", files[i].text);
            cr_assert_not_null(strstr(err.text, files[i].refused), "%s", err.text);
            continue;
        }
        cr_assert_eq(rc, 0, "%s", err.text);
        show(&h, &got);
        cr_assert_str_eq(str_text(&got), files[i].want);
        alloc_hosts_free(&h);
    }
    struct alloc_hosts none = {0};
    struct gm_error err = {0};
    cr_assert_eq(file_write(path.text, "a\0b", 3, NULL), 0);
    cr_assert_eq(hosts_read(path.text, &none, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "0 byte"), "%s", err.text);
    cr_assert_eq(file_remove_tree(folder, NULL), 0);
    cr_assert_eq(hosts_read(path.text, &none, &err), -ENOENT);
}

Test(hosts, a_hundred_thousand_hosts_take_no_quadratic_time, .timeout = 20)
{
    struct alloc_hosts h = {0};
    cr_assert_eq(hosts_parse("n[000000-099999]:4,n[000000-030000]", &h, NULL), 0);
    cr_assert_eq(h.n, 100000);
    cr_assert_eq(h.items[30000].slots, 5);
    cr_assert_eq(h.items[30001].slots, 4);
    alloc_hosts_free(&h);
}
