/* spec/shape.h: RFC 46's grammar, both ways. */
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/shape.h"

#include <criterion/criterion.h>

static char *as_json(const struct resource *list, unsigned n)
{
    struct json j = {0};
    resource_json(&j, list, n);
    return str_steal(&j.out);
}

#define CORE "{\"type\":\"core\",\"count\":1}"

Test(shape, a_shape_is_the_list_it_stands_for)
{
    static const struct {
        const char *text, *back, *json;
    } rows[] = {
        {"core", "core", "[" CORE "]"},
        {"core=1", "core", "[" CORE "]"},
        {"[core]", "core", "[" CORE "]"},
        {"core{}", "core", "[" CORE "]"},
        {" [ core ; core ] ", "[core;core]", "[" CORE "," CORE "]"},
        {"slot/core",
         "slot/core",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"default\",\"with\":[" CORE "]}]"},
        {"slot{default}/core",
         "slot/core",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"default\",\"with\":[" CORE "]}]"},
        {"slot=6{two-GB}/core",
         "slot=6{two-GB}/core",
         "[{\"type\":\"slot\",\"count\":6,\"label\":\"two-GB\",\"with\":[" CORE "]}]"},
        {"slot{x}/core",
         "slot{x}/core",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"x\",\"with\":[" CORE "]}]"},
        {"slot{default,x}/core",
         "slot{default,x}/core",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"default\",\"exclusive\":true,"
         "\"with\":[" CORE "]}]"},
        /* counts: a set is text, a range a mapping */
        {"core=3,9,27", "core=3,9,27", "[{\"type\":\"core\",\"count\":\"3,9,27\"}]"},
        {"core=[3,9,27]", "core=3,9,27", "[{\"type\":\"core\",\"count\":\"3,9,27\"}]"},
        {"core=2-7",
         "core=2-7",
         "[{\"type\":\"core\",\"count\":{\"min\":2,\"max\":7,\"operator\":\"+\","
         "\"operand\":1}}]"},
        {"core=[2-64:2:*]",
         "core=2-64:2:*",
         "[{\"type\":\"core\",\"count\":{\"min\":2,\"max\":64,\"operator\":\"*\","
         "\"operand\":2}}]"},
        {"core=4+", "core=4+", "[{\"type\":\"core\",\"count\":{\"min\":4}}]"},
        {"core=4+:3",
         "core=4+:3",
         "[{\"type\":\"core\",\"count\":{\"min\":4,\"operator\":\"+\",\"operand\":3}}]"},
        {"core=5-5", "core=5", "[{\"type\":\"core\",\"count\":5}]"},
        /* braces */
        {"memory=4{unit:GB}",
         "memory=4{unit:GB}",
         "[{\"type\":\"memory\",\"count\":4,\"unit\":\"GB\"}]"},
        {"node{-x}", "node{-x}", "[{\"type\":\"node\",\"count\":1,\"exclusive\":false}]"},
        {"node{+x}", "node{x}", "[{\"type\":\"node\",\"count\":1,\"exclusive\":true}]"},
        {"node{exclusive}",
         "node{x}",
         "[{\"type\":\"node\",\"count\":1,\"exclusive\":true}]"},
        {"node{-exclusive}",
         "node{-x}",
         "[{\"type\":\"node\",\"count\":1,\"exclusive\":false}]"},
        {"node{x:true}",
         "node{x}",
         "[{\"type\":\"node\",\"count\":1,\"exclusive\":true}]"},
        {"node{\"exclusive\":False}",
         "node{-x}",
         "[{\"type\":\"node\",\"count\":1,\"exclusive\":false}]"},
        {"node{ id : \"n[0-3]\" , x , unit:'a b',label:here }",
         "node{unit:\"a b\",id:\"n[0-3]\",x,label:here}",
         "[{\"type\":\"node\",\"count\":1,\"unit\":\"a b\",\"label\":\"here\","
         "\"id\":\"n[0-3]\",\"exclusive\":true}]"},
        {"gpu{id:0-3}", "gpu{id:0-3}", "[{\"type\":\"gpu\",\"count\":1,\"id\":\"0-3\"}]"},
        {"gpu{id:\"7\"}",
         "gpu{id:\"7\"}",
         "[{\"type\":\"gpu\",\"count\":1,\"id\":\"7\"}]"},
        {"gpu{id:\"true\",unit:\"-1.5e3\"}",
         "gpu{unit:\"-1.5e3\",id:\"true\"}",
         "[{\"type\":\"gpu\",\"count\":1,\"unit\":\"-1.5e3\",\"id\":\"true\"}]"},
        {"gpu{id:07,unit:1.}",
         "gpu{unit:1.,id:07}",
         "[{\"type\":\"gpu\",\"count\":1,\"unit\":\"1.\",\"id\":\"07\"}]"},
        {"gpu{id:\"\\u00e9\\ud83d\\ude00\\n\\\"\\/\"}",
         "gpu{id:\"\xc3\xa9\xf0\x9f\x98\x80\\n\\\"/\"}",
         "[{\"type\":\"gpu\",\"count\":1,\"id\":\"\xc3\xa9\xf0\x9f\x98\x80\\n\\\"/\"}]"},
        {"\"a/b\"=2", "\"a/b\"=2", "[{\"type\":\"a/b\",\"count\":2}]"},
        {"'a\\b'", "a\\b", "[{\"type\":\"a\\\\b\",\"count\":1}]"},
        {"\"slot\"{\"a:b\"}/core",
         "slot{\"a:b\"}/core",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"a:b\",\"with\":[" CORE "]}]"},
        /* trees */
        {"node=2/[slot=5{read}/[core;memory=4{unit:GB}];slot{sum}/core=6]",
         "node=2/[slot=5{read}/[core;memory=4{unit:GB}];slot{sum}/core=6]",
         "[{\"type\":\"node\",\"count\":2,\"with\":["
         "{\"type\":\"slot\",\"count\":5,\"label\":\"read\",\"with\":[" CORE
         ",{\"type\":\"memory\",\"count\":4,\"unit\":\"GB\"}]},"
         "{\"type\":\"slot\",\"count\":1,\"label\":\"sum\",\"with\":["
         "{\"type\":\"core\",\"count\":6}]}]}]"},
        {"[rack/node;switch / slot{default} / node{-x} / core]",
         "[rack/node;switch/slot/node{-x}/core]",
         "[{\"type\":\"rack\",\"count\":1,\"with\":[{\"type\":\"node\",\"count\":1}]},"
         "{\"type\":\"switch\",\"count\":1,\"with\":[{\"type\":\"slot\",\"count\":1,"
         "\"label\":\"default\",\"with\":[{\"type\":\"node\",\"count\":1,"
         "\"exclusive\":false,\"with\":[" CORE "]}]}]}]"},
        {"[slot{default}/core;slot{b}/core]",
         "[slot{default}/core;slot{b}/core]",
         "[{\"type\":\"slot\",\"count\":1,\"label\":\"default\",\"with\":[" CORE "]},"
         "{\"type\":\"slot\",\"count\":1,\"label\":\"b\",\"with\":[" CORE "]}]"},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct resource *list = NULL, *again = NULL;
        unsigned n = 0, m = 0;
        struct gm_error err = {0};
        cr_assert_eq(shape_parse(a, rows[i].text, &list, &n, &err), 0, "%s", err.text);
        AUTO_FREE(char) json = as_json(list, n);
        cr_expect_str_eq(json, rows[i].json, "%s", rows[i].text);
        AUTO_STR back = {0};
        shape_format(list, n, &back);
        cr_expect_str_eq(str_text(&back), rows[i].back);
        cr_assert_eq(
            shape_parse(a, str_text(&back), &again, &m, &err), 0, "%s", err.text);
        AUTO_FREE(char) twice = as_json(again, m);
        cr_expect_str_eq(twice, rows[i].json, "%s", rows[i].back);
    }
}

Test(shape, bad_text_is_told_with_its_character)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "a resource type must stand at character 1"},
        {"  ", "a resource type must stand at character 3"},
        {"=2", "a resource type must stand at character 1"},
        {"''", "a resource type must stand at character 1"},
        {"[]", "a resource type must stand at character 2"},
        {"[core;]", "a resource type must stand at character 7"},
        {"core/", "a resource type must stand at character 6"},
        {"[core", "no ] closes the [ at character 1"},
        {"core]", "nothing may follow at character 5"},
        {"core;gpu", "nothing may follow at character 5"},
        {"core gpu", "nothing may follow at character 6"},
        {"[core gpu]", "a ; or ] must stand at character 7"},
        {"[core,gpu]", "a ; or ] must stand at character 6"},
        {"[[core]]", "a resource type must stand at character 2"},
        {"core=", "a count must stand at character 6"},
        {"core=x", "a count must stand at character 6"},
        {"core=[2", "no ] closes the [ at character 6"},
        {"core=0",
         "a count that is wrong ('0': the number at character 1 must be 1 .. 2147483647) "
         "at character 6"},
        {"core=3,2",
         "a count that is wrong ('3,2': numbers must ascend at character 3) at character "
         "6"},
        {"core=[2-9:1:*]",
         "a count that is wrong ('[2-9:1:*]': the operand of * must be 2 .. 2147483647) "
         "at character 6"},
        {"core=2.5", "nothing may follow at character 7"},
        {"core{", "no } closes the { at character 5"},
        {"core{x", "no } closes the { at character 5"},
        {"core{x y}", "a , or } must stand at character 8"},
        {"core{,}", "a key must stand at character 6"},
        {"core{x,}", "a key must stand at character 8"},
        {"core{+}", "a key must stand at character 7"},
        {"core}", "nothing may follow at character 5"},
        {"core{unit}", "unit has a string, as unit:TEXT, and is no flag at character 6"},
        {"core{+id}", "id has a string, as id:TEXT, and is no flag at character 6"},
        {"core{unit:}", "a value must stand at character 11"},
        {"core{unit:4}", "a string must stand (quote it) at character 11"},
        {"core{unit:-4.5E+6}", "a string must stand (quote it) at character 11"},
        {"core{id:null}", "a string must stand (quote it) at character 9"},
        {"core{id:[1,2]}", "a string must stand at character 9"},
        {"core{id:{a:b}}", "a string must stand at character 9"},
        {"core{x:yes}", "true or false must stand at character 8"},
        {"core{x:\"true\"}", "true or false must stand at character 8"},
        {"core{x:1}", "true or false must stand at character 8"},
        {"core{x:[]}", "true or false must stand at character 8"},
        {"core{+x:true}", "a , or } must stand at character 8"},
        {"core{x,-x}", "a second exclusive at character 8"},
        {"core{unit:a,unit:b}", "a second unit at character 13"},
        {"slot{a,label:b}/core", "a second label at character 8"},
        {"core{speed:9}", "'speed' is not one of unit, label, id, x: at character 6"},
        {"core{\"x\"}", "'x' is not one of unit, label, id, x: at character 6"},
        {"core{type:a}", "type belongs before the braces, as TYPE=COUNT, at character 6"},
        {"core{-count}",
         "count belongs before the braces, as TYPE=COUNT, at character 7"},
        {"core{with:[]}", "what is below follows a /, so no with at character 6"},
        {"slot", "a slot with nothing below it, as slot/core, at character 1"},
        {"slot=1x/core", "nothing may follow at character 7"},
        {"slot=1.5/core", "nothing may follow at character 7"},
        {"node/slot=3{a}", "a slot with nothing below it, as slot/core, at character 6"},
        {"slot{}/core", "a slot's label must stand at character 6"},
        {"slot{''}/core", "a slot's label must stand at character 6"},
        {"slot{+x}/core", "a slot's label must stand first at character 6"},
        {"slot{label:a}/core",
         "a slot's label must stand first, without a key, at character 6"},
        {"[slot/core;slot{b}/core]",
         "one of several slots has no label, as slot{NAME}, at character 2"},
        {"[slot{a}/core;slot/core]",
         "one of several slots has no label, as slot{NAME}, at character 15"},
        {"[slot{a}/core;slot{a}/core]", "a label that is there already at character 20"},
        {"slot{a}/core{label:a}", "a label that is there already at character 20"},
        {"slot/core{label:default}", "a label that is there already at character 1"},
        {"\"core", "no quote closes the one at character 1"},
        {"core{id:\"a}", "no quote closes the one at character 9"},
        {"\"a\\x\"", "an escape that JSON does not have at character 3"},
        {"\"a\\", "an escape that JSON does not have at character 3"},
        {"\"\\u12g4\"", "\\u without four hex digits at character 2"},
        {"\"\\u12", "\\u without four hex digits at character 2"},
        {"\"\\ud800\"", "half of a surrogate pair at character 2"},
        {"\"\\ud800\\u0041\"", "half of a surrogate pair at character 2"},
        {"\"\\udc00\"", "half of a surrogate pair at character 2"},
        {"\"\\u0000\"", "a NUL at character 2"},
        {"\"a\tb\"", "a control character at character 3"},
        {"\xc3\xa9\xc3\xa9=0",
         "a count that is wrong ('0': the number at character 1 must be 1 .. 2147483647) "
         "at character 4"},
        {"\xc3\xa9\xff", "no UTF-8 at character 2"},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct resource *list = NULL;
        unsigned n = 77;
        struct gm_error err = {0};
        char told[256];
        (void)snprintf(told, sizeof(told), "'%s': %s", rows[i].text, rows[i].told);
        cr_expect_eq(
            shape_parse(a, rows[i].text, &list, &n, &err), -EINVAL, "%s", rows[i].text);
        cr_expect_str_eq(err.text, told);
        cr_expect(list == NULL && n == 77, "%s touched its result", rows[i].text);
    }
}

/* ... so that the deepest of them is written as a document that can be read. */
Test(shape, levels_are_bounded)
{
    AUTO(arena) a = arena_make();
    AUTO_STR deep = {0};
    AUTO_JSON j = {0};
    for (unsigned i = 0; i < RESOURCE_MAX_DEPTH; i++)
        str_add(&deep, i > 0 ? "/a=2+" : "a=2+");
    const struct resource *list = NULL;
    unsigned n = 0;
    struct gm_error err = {0};
    struct doc_node *root = NULL;
    struct jobspec_faults faults;
    cr_assert_eq(shape_parse(a, str_text(&deep), &list, &n, NULL), 0);
    json_begin(&j, '{');
    json_key(&j, "resources");
    resource_json(&j, list, n);
    json_end(&j, '}');
    faults_init(&faults, "deep");
    cr_expect_eq(doc_parse(a, str_text(&j.out), j.out.len, &faults, &root), 0);
    jobspec_faults_free(&faults);
    str_add(&deep, "/a");
    cr_expect_eq(shape_parse(a, str_text(&deep), &list, &n, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "more than 31 levels at character 156"));
    str_clear(&deep);
    for (unsigned i = 0; i < 100000; i++)
        str_add(&deep, "a/[");
    cr_expect_eq(shape_parse(a, str_text(&deep), &list, &n, &err), -EINVAL);
}

Test(shape, a_wide_list_takes_no_quadratic_time)
{
    AUTO(arena) a = arena_make();
    AUTO_STR wide = {0};
    str_add(&wide, "[");
    for (unsigned i = 0; i < 200000; i++)
        str_printf(&wide, "slot{s%u}/core;", i);
    str_add(&wide, "gpu]");
    const struct resource *list = NULL;
    unsigned n = 0;
    cr_assert_eq(shape_parse(a, str_text(&wide), &list, &n, NULL), 0);
    cr_expect_eq(n, 200001);
    AUTO_STR back = {0};
    shape_format(list, n, &back);
    cr_expect_str_eq(str_text(&back), str_text(&wide));
}
