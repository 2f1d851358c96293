/* Kernels whose seat has a GPU. fake_device computes as the cpu does, behind memory of
 * its own: so all that they put out must be the same, and what they must not mix up ends
 * the test. */
#include "mlp_task.h"

struct ran {
    int rc;
    struct gm_error err;
    const struct gm_kernel *kernel;
    struct rehearse_output *outputs;
};

static struct ran run(const struct rehearse_task *task)
{
    struct ran r = {.kernel = task->kernel};
    r.rc = rehearse_run(task, &r.outputs, &r.err);
    return r;
}

static void expect_same(const struct ran *a, const struct ran *b, const char *output)
{
    const struct rehearse_output *x = rehearse_find(a->kernel, a->outputs, output);
    const struct rehearse_output *y = rehearse_find(b->kernel, b->outputs, output);
    cr_assert(x != NULL && y != NULL, "%s", output);
    cr_assert_eq(x->nbytes, y->nbytes);
    cr_expect_arr_eq(x->data, y->data, x->nbytes, "%s differs", output);
}

static void done(struct ran *r)
{
    if (r->rc == 0)
        rehearse_free(r->kernel, r->outputs);
}

static void use_fake(void)
{
    setenv("GRIDMILL_CUDA_SO", FAKE_DEVICE, 1);
}

static float *clouds(struct gm_input *ret)
{
    float *x = malloc(sizeof(*x) * MLP_ROWS * (MLP_INPUTS + 1));
    *ret = mlp_task_rows(x);
    return x;
}

Test(seat_device, training_on_a_gpu_is_that_of_the_cpu_where_its_operators_are)
{
    static const char *const optimizers[] = {"sgd", "adamw"};
    static const char *const micro[] = {"8", "32"}; /* of 32: four leaves, or one */
    use_fake();
    for (unsigned c = 0; c < 2 * 2 * 3; c++) {
        struct gm_input input;
        float *x = clouds(&input);
        const struct rehearse_arg args[] = {{"layers", "[9, 17, 5]"},
                                            {"epochs", "3"},
                                            {"lr", "0.05"},
                                            {"activation", "gelu"},
                                            {"optimizer", optimizers[c % 2]},
                                            {"micro-batch", micro[c / 2 % 2]},
                                            {NULL, NULL}};
        struct rehearse_task task = {.kernel = mlp_task_kernel("mlp.train"),
                                     .args = args,
                                     .inputs = &input,
                                     .n_inputs = 1,
                                     .n_ranks = 1 + c / 4};
        struct ran cpu = run(&task);
        task.device = "cuda:0000:3b:00.0";
        struct ran gpu = run(&task);
        cr_assert_eq(cpu.rc, 0, "%s", cpu.err.text);
        cr_assert_eq(gpu.rc, 0, "%s", gpu.err.text);
        expect_same(&gpu, &cpu, "model");
        expect_same(&gpu, &cpu, "loss");
        expect_same(&gpu, &cpu, "valid_accuracy");
        done(&cpu);
        done(&gpu);
        free(x);
    }
}

/* On a GPU, then on the cpu, or the other way. */
Test(seat_device, a_checkpoint_of_a_gpu_goes_on_on_the_cpu_and_back)
{
    static const char *const devices[] = {"cpu", "cuda"};
    use_fake();
    struct gm_input input;
    float *x = clouds(&input);
    const struct rehearse_arg args[] = {{"layers", "[9, 17, 5]"},
                                        {"epochs", "3"},
                                        {"optimizer", "adamw"},
                                        {"lr", "0.01"},
                                        {NULL, NULL}};
    struct rehearse_task task = {.kernel = mlp_task_kernel("mlp.train"),
                                 .args = args,
                                 .inputs = &input,
                                 .n_inputs = 1};
    struct ran whole = run(&task);
    cr_assert_eq(whole.rc, 0, "%s", whole.err.text);
    for (unsigned way = 0; way < 2; way++) {
        struct rehearse_state *state = NULL;
        task.device = devices[way];
        task.save_after = 9;
        task.save = &state;
        struct ran first = run(&task);
        cr_assert_eq(first.rc, -ECANCELED);
        task.device = devices[1 - way];
        task.save_after = 0;
        task.load = state;
        struct ran rest = run(&task);
        cr_assert_eq(rest.rc, 0, "%s", rest.err.text);
        expect_same(&rest, &whole, "model");
        done(&rest);
        rehearse_state_free(state);
        task.load = NULL;
    }
    done(&whole);
    free(x);
}

Test(seat_device, scores_of_a_gpu_are_those_of_the_cpu)
{
    static const char *const outputs[] = {
        "row", "class", "probability", "rows", "correct", "accuracy", "confusion"};
    use_fake();
    struct gm_input inputs[2];
    float *x = clouds(&inputs[0]);
    const struct rehearse_arg args[] = {
        {"layers", "[9, 17, 5]"}, {"epochs", "2"}, {NULL, NULL}};
    struct rehearse_task task = {.kernel = mlp_task_kernel("mlp.train"),
                                 .args = args,
                                 .inputs = inputs,
                                 .n_inputs = 1};
    struct ran trained = run(&task);
    cr_assert_eq(trained.rc, 0, "%s", trained.err.text);
    const struct rehearse_output *model =
        rehearse_find(trained.kernel, trained.outputs, "model");
    inputs[1] = inputs[0];
    inputs[1].param = 1; /* data */
    inputs[0] = (struct gm_input){.param = 0,
                                  .dtype = GM_U8,
                                  .ndim = 1,
                                  .dims = {model->nbytes},
                                  .data = model->data,
                                  .nbytes = model->nbytes,
                                  .origin = "train.model[0]"};
    const struct rehearse_arg none[] = {{NULL, NULL}};
    task = (struct rehearse_task){.kernel = mlp_task_kernel("mlp.infer"),
                                  .args = none,
                                  .inputs = inputs,
                                  .n_inputs = 2};
    struct ran cpu = run(&task);
    task.device = "cuda";
    struct ran gpu = run(&task);
    cr_assert_eq(cpu.rc, 0, "%s", cpu.err.text);
    cr_assert_eq(gpu.rc, 0, "%s", gpu.err.text);
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
        expect_same(&gpu, &cpu, outputs[i]);
    done(&cpu);
    done(&gpu);
    done(&trained);
    free(x);
}

static struct ran multiply(const char *device, const char *dtype)
{
    const struct rehearse_arg args[] = {
        {"n", "65"}, {"m", "7"}, {"repeat", "2"}, {"dtype", dtype}, {NULL, NULL}};
    const struct rehearse_task task = {
        .kernel = mlp_task_kernel("gemm"), .args = args, .device = device};
    return run(&task);
}

Test(seat_device, gemm_multiplies_where_its_seat_is)
{
    use_fake();
    struct ran cpu = multiply("cpu", "float32"), gpu = multiply("cuda", "float32"),
               rounded = multiply("cuda", "bfloat16");
    cr_assert_eq(cpu.rc, 0, "%s", cpu.err.text);
    cr_assert_eq(gpu.rc, 0, "%s", gpu.err.text);
    cr_assert_eq(rounded.rc, 0, "%s", rounded.err.text);
    expect_same(&gpu, &cpu, "error");
    cr_expect_not_null(rehearse_find(gpu.kernel, gpu.outputs, "gflops"));
    cr_expect_null(rehearse_find(gpu.kernel, gpu.outputs, "peak_gflops"));
    done(&cpu);
    done(&gpu);
    done(&rounded);
    struct ran wide = multiply("cuda", "float64"), tf32 = multiply("cpu", "tf32");
    cr_expect_eq(wide.rc, -EINVAL);
    cr_expect_str_eq(wide.err.text,
                     "dtype: float64 is computed by the cpu alone, and this rank has a "
                     "GPU (a fake GPU)");
    cr_expect_eq(tf32.rc, -EINVAL);
    cr_expect_str_eq(tf32.err.text,
                     "dtype: tf32 is computed by GPUs alone, and this rank has none "
                     "(per-rank: {gpus: 1} gives it one)");
}

Test(seat_device, a_gpu_that_cannot_be_opened_is_a_sentence)
{
    static const char *const kernels[] = {"gemm", "mlp.train", "mlp.infer"};
    struct gm_input input;
    float *x = clouds(&input);
    const struct rehearse_arg gemm[] = {{NULL, NULL}};
    const struct rehearse_arg layers[] = {{"layers", "[9, 5]"}, {NULL, NULL}};
    setenv("GRIDMILL_CUDA_SO", "/nowhere/x.so", 1);
    for (unsigned i = 0; i < 3; i++) {
        const struct rehearse_task task = {.kernel = mlp_task_kernel(kernels[i]),
                                           .args = i == 1 ? layers : gemm,
                                           .inputs = &input,
                                           .n_inputs = i == 0 ? 0 : 1,
                                           .device = "cuda"};
        struct ran r = run(&task);
        cr_expect_eq(r.rc, -ENODEV, "%s: %d", kernels[i], r.rc);
        cr_expect_str_eq(r.err.text, "GRIDMILL_CUDA_SO: /nowhere/x.so: no such file");
    }
    free(x);
}
