/* spec/resource.h: trees of vertices, found in, summed up and written. */
#include "spec/resource.h"

#include <criterion/criterion.h>

#define ONE(with_) .with = (with_), .n_with = 1

static const struct resource core2[] = {
    {.type = "core", .count = {COUNT_FIXED, {2, 2, false, '+', 1}}}};
static const struct resource parts[] = {
    {.type = "core", .count = {COUNT_FIXED, {6, 6, false, '+', 1}}},
    {.type = "gpu", .count = {COUNT_FIXED, {1, 1, false, '+', 1}}},
    {.type = "memory", .count = {COUNT_RANGE, {4, 9, false, '+', 1}}, .unit = "GB"}};
static const struct resource slots[] = {{.type = "slot",
                                         .count = {COUNT_FIXED, {10, 10, false, '+', 1}},
                                         .label = "read",
                                         ONE(core2)},
                                        {.type = "slot",
                                         .count = {COUNT_FIXED, {1, 1, false, '+', 1}},
                                         .label = "write",
                                         .with = parts,
                                         .n_with = 3}};
static const struct resource nodes[] = {{.type = "node",
                                         .count = {COUNT_FIXED, {3, 3, false, '+', 1}},
                                         .id = "n[0-2]",
                                         .exclusive = RESOURCE_FALSE,
                                         .with = slots,
                                         .n_with = 2}};

Test(resource, a_slot_is_found_by_its_label_or_as_the_first)
{
    cr_expect_eq(resource_slot(nodes, 1, "read"), &slots[0]);
    cr_expect_eq(resource_slot(nodes, 1, "write"), &slots[1]);
    cr_expect_eq(resource_slot(nodes, 1, NULL), &slots[0]);
    cr_expect_null(resource_slot(nodes, 1, "rea"));
    cr_expect_null(resource_slot(parts, 3, NULL));
    cr_expect_null(resource_slot(NULL, 0, NULL));
}

Test(resource, the_canonical_list_has_its_keys_in_order)
{
    AUTO_JSON j = {0};
    resource_json(&j, nodes, 1);
    cr_expect_str_eq(
        str_text(&j.out),
        "[{\"type\":\"node\",\"count\":3,\"id\":\"n[0-2]\",\"exclusive\":false,\"with\":["
        "{\"type\":\"slot\",\"count\":10,\"label\":\"read\",\"with\":["
        "{\"type\":\"core\",\"count\":2}]},"
        "{\"type\":\"slot\",\"count\":1,\"label\":\"write\",\"with\":["
        "{\"type\":\"core\",\"count\":6},{\"type\":\"gpu\",\"count\":1},"
        "{\"type\":\"memory\",\"count\":\"4-9\",\"unit\":\"GB\"}]}]}]");
}

Test(resource, totals_are_products_of_the_least_counts)
{
    struct resource_sum sum = {0};
    cr_assert_eq(resource_total(nodes, 1, &sum), 0);
    cr_expect(sum.nodes == 3 && sum.slots == 33 && sum.cores == 78 && sum.gpus == 3);
    cr_expect(sum.moldable, "memory 4-9");
    cr_assert_eq(resource_total(slots, 1, &sum), 0);
    cr_expect(sum.nodes == -1 && sum.slots == 10 && sum.cores == 20 && sum.gpus == 0);
    cr_expect_not(sum.moldable);
}

/* A node at or below a slot, or said to be exclusive, is given with all of its cores. */
Test(resource, the_cores_of_an_exclusive_node_are_not_told)
{
    static const struct {
        enum resource_flag node;
        bool below_slot;
        int64_t cores;
    } rows[] = {{RESOURCE_UNSAID, false, 8},
                {RESOURCE_FALSE, false, 8},
                {RESOURCE_TRUE, false, -1},
                {RESOURCE_UNSAID, true, -1},
                {RESOURCE_FALSE, true, 8},
                {RESOURCE_TRUE, true, -1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct resource node = {.type = "node",
                                .count = count_fixed(4),
                                .exclusive = rows[i].node,
                                ONE(core2)};
        struct resource slot = {
            .type = "slot", .count = count_fixed(1), .label = "s", ONE(&node)};
        struct resource_sum sum = {0};
        cr_assert_eq(resource_total(rows[i].below_slot ? &slot : &node, 1, &sum), 0);
        cr_expect_eq(sum.cores, rows[i].cores, "row %zu", i);
        cr_expect_eq(sum.nodes, 4, "row %zu", i);
    }
}

Test(resource, a_total_beyond_64_bits_is_an_error)
{
    struct resource core = {.type = "core", .count = count_fixed(RANGE_MAX)};
    struct resource socket = {
        .type = "socket", .count = count_fixed(RANGE_MAX), ONE(&core)};
    struct resource slot = {
        .type = "slot", .count = count_fixed(2), .label = "s", ONE(&socket)};
    struct resource_sum sum = {.cores = 77};
    cr_expect_eq(resource_total(&slot, 1, &sum), 0);
    cr_expect_eq(sum.cores, 2 * RANGE_MAX * RANGE_MAX);
    slot.count = count_fixed(RANGE_MAX);
    sum.cores = 77;
    cr_expect_eq(resource_total(&slot, 1, &sum), -ERANGE, "a product");
    cr_expect_eq(sum.cores, 77);
    slot.count = count_fixed(2);
    struct resource twice[] = {slot, slot};
    cr_expect_eq(resource_total(twice, 2, &sum), -ERANGE, "a sum");
}
